"""What only several nodes show: two APIs and two workers behind Traefik, on one PostgreSQL and one Redis."""

import json
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx2
import pytest

from tests.data_dirs import used_data_dir
from tests.factories.callers import PASSWORD
from tests.installations import Cluster, cluster
from tests.processes import run, until
from tests.redis_server import needs_redis
from tests.traefik import needs_traefik

pytestmark = [
    needs_traefik,
    needs_redis,
    pytest.mark.long,
    pytest.mark.timeout(300),
    pytest.mark.xdist_group("cluster"),
]

PEOPLE = 6
BUDGET = 10
BOUNDED = "/api/v1/users/me"


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    with used_data_dir() as folder:
        yield folder


@pytest.fixture(scope="module")
def nodes(data_dir: Path) -> Iterator[Cluster]:
    with cluster(data_dir, RATE_LIMIT_ROUTES=json.dumps({"get_me": f"{BUDGET}/hour"})) as nodes:
        for number in range(PEOPLE):
            name = f"person{number}"
            body = {"email": f"{name}@example.com", "username": name, "name": name, "password": PASSWORD}
            assert nodes.client.post("/api/v1/auth/register", json=body).status_code == 201
        yield nodes


def welcomed(data_dir: Path) -> Counter[str] | None:
    told = run("mail", data_dir=data_dir).stdout.splitlines()
    letters = Counter(line.removeprefix("To: ") for line in told if line.startswith("To: "))
    return letters if len(letters) == PEOPLE else None


@pytest.mark.usefixtures("nodes")
def test_each_is_welcomed_once_whichever_worker_does_it(data_dir: Path) -> None:
    letters = until(partial(welcomed, data_dir))
    assert set(letters.values()) == {1}


def sign_in(nodes: Cluster, username: str) -> dict[str, str]:
    form = {"username": username, "password": PASSWORD}
    token = nodes.client.post("/api/v1/auth/token", data=form).json()["access_token"]
    return {"Authorization": f"Bearer {token}"}


def test_a_session_is_known_to_every_node_and_over_on_every_node(nodes: Cluster) -> None:
    mine = sign_in(nodes, "person0")

    def seen() -> set[int]:
        return {httpx2.get(f"{api.base_url}{BOUNDED}", headers=mine).status_code for api in nodes.apis}

    assert seen() == {200}
    assert nodes.client.post("/api/v1/auth/logout", headers=mine).status_code == 204
    assert seen() == {401}


def test_a_budget_is_that_of_all_nodes(nodes: Cluster) -> None:
    mine = sign_in(nodes, "person1")
    answers = [nodes.client.get(BOUNDED, headers=mine).status_code for _ in range(2 * BUDGET)]
    assert answers == [200] * BUDGET + [429] * BUDGET


def test_who_only_reads_does_not_notice_that_a_node_dies(nodes: Cluster) -> None:
    until(lambda: nodes.traefik.servers_up() == 2)
    nodes.apis[0].process.kill()
    assert {nodes.client.get("/health").status_code for _ in range(20)} == {200}
    until(lambda: nodes.traefik.servers_up() == 1)
