"""Traefik as it is deployed, in front of two processes of the API."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from socketserver import StreamRequestHandler, TCPServer
from threading import Thread

import httpx2
import pytest

from tests.data_dirs import used_data_dir
from tests.installations import ONE_PROXY
from tests.processes import Serving, make, until
from tests.test_proxies import MANY
from tests.test_proxies import guess as guess_once
from tests.test_serve import log_in, sign_up
from tests.traefik import Traefik, needs_traefik

pytestmark = [
    needs_traefik,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.xdist_group("traefik"),
]

MEGABYTE = 2**20


@dataclass(frozen=True)
class Edge:
    traefik: Traefik
    apis: list[Serving]
    client: httpx2.Client
    """Ada's, by way of Traefik."""


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    with ExitStack() as stack:
        data_dir = stack.enter_context(used_data_dir())
        traefik = stack.enter_context(Traefik(tmp_path_factory.mktemp("traefik")))
        environment = ONE_PROXY | {"PUBLIC_URL": traefik.url, "DOCS_ENABLED": "true", "OPS_PAGE": "on"}
        apis = [
            stack.enter_context(Serving(data_dir, "--no-worker", **environment, LOG_LEVEL="info"))
            for _ in range(2)
        ]
        traefik.start([api.base_url for api in apis])
        client = stack.enter_context(traefik.client())
        client.headers.update(sign_up(client))
        yield Edge(traefik, apis, client)
        assert not traefik.errors()


def test_a_mistake_in_its_configuration_is_told(tmp_path: Path) -> None:
    """So that none told below means none made."""
    with Traefik(tmp_path) as traefik:
        ours = traefik.dynamic / "glasswork.yml"
        ours.write_text(ours.read_text().replace("minResponseBodyBytes", "minResponseBites"))
        traefik.start(["http://127.0.0.1:9"])
        assert until(lambda: [each for each in traefik.errors() if "minResponseBites" in each])


def test_both_processes_are_asked(edge: Edge) -> None:
    for _ in range(4):
        assert edge.client.get("/health").status_code == 200
    asked = {line["ServiceAddr"] for line in edge.traefik.requests() if "ServiceAddr" in line}
    assert asked >= {api.base_url.removeprefix("http://") for api in edge.apis}


class Dying(TCPServer):
    """Says that it is ready, reads a request, and hangs up."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Dying)
        self.asked: list[str] = []


class _Dying(StreamRequestHandler):
    server: Dying

    def handle(self) -> None:
        request = self.rfile.readline().decode()
        if "/ready" in request:
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        else:
            self.server.asked.append(request.split()[0])


def test_only_what_reads_is_asked_again_when_a_process_dies_of_it(tmp_path: Path) -> None:
    with Dying() as dying, Traefik(tmp_path) as traefik:
        Thread(target=dying.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        traefik.start([f"http://127.0.0.1:{dying.server_address[1]}"])
        with traefik.client() as client:
            for method in ("GET", "POST", "PATCH", "DELETE"):
                assert client.request(method, "/api/v1/tasks").status_code == 502
        dying.shutdown()
    assert dying.asked.count("GET") > 1
    for method in ("POST", "PATCH", "DELETE"):
        assert dying.asked.count(method) == 1


@pytest.mark.parametrize("path", ["/", "/docs", "/nowhere", "/metrics"])
def test_browsers_are_shown_the_way_to_https(edge: Edge, path: str) -> None:
    answer = httpx2.get(f"{edge.traefik.plain_url}{path}?q=1")
    assert answer.status_code == 302
    assert answer.headers["Location"] == f"https://localhost{path}?q=1"


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_token_in_the_clear_is_refused_and_not_redirected(edge: Edge, method: str) -> None:
    answer = httpx2.request(method, f"{edge.traefik.plain_url}/api/v1/users/me", headers=edge.client.headers)
    assert answer.status_code == 404
    assert "Location" not in answer.headers


@pytest.mark.parametrize(
    ("path", "status"),
    [
        *((path, 404) for path in ("/metrics", "/metrics/", "/ops", "/ops/", "/ops/api/now", "/dashboard/")),
        *((path, 404) for path in ("/api/v1/../../metrics", "/api/v1%2f..%2f..%2fmetrics", "//metrics")),
        *((path, 400) for path in ("/api/v1/..%2f..%2fmetrics", "/api/v1/%5c..%5cmetrics", "/api/v1/%00")),
        *((path, 200) for path in ("/health", "/ready", "/docs", "/redoc", "/openapi.json")),
        *((path, 200) for path in ("/api/v1/users/me", "/docs/assets/swagger-ui.css")),
    ],
)
def test_what_is_not_for_callers_is_not_to_be_had(edge: Edge, path: str, status: int) -> None:
    answer = edge.client.get(path)
    assert answer.status_code == status
    assert "http_server_requests" not in answer.text


def test_what_is_hidden_is_there_inside(edge: Edge) -> None:
    inside = edge.apis[0].client
    assert inside.get("/metrics").status_code == 200
    assert inside.get("/ops").status_code == 200


def test_another_host_is_nobody(edge: Edge) -> None:
    assert edge.client.get("/health", headers={"Host": "evil.example"}).status_code == 404


@pytest.mark.parametrize(
    ("path", "is_packed"), [("/openapi.json", True), ("/health", False), ("/api/v1/auth/sessions", False)]
)
def test_long_answers_are_packed_but_none_with_secrets(edge: Edge, path: str, is_packed: bool) -> None:
    for _ in range(8):  # a list that is longer than 1,000 bytes
        log_in(edge.client)
    answer = edge.client.get(path, headers={"Accept-Encoding": "gzip"})
    assert answer.status_code == 200
    if "sessions" in path:
        assert len(answer.content) > 1000
    assert ("Content-Encoding" in answer.headers) == is_packed


@pytest.fixture(scope="module")
def project(edge: Edge) -> dict[str, str]:
    workspace = make(edge.client, "/api/v1/workspaces", name="Ops", slug="ops")
    made: dict[str, str] = make(
        edge.client, f"/api/v1/workspaces/{workspace['id']}/projects", name="Ops", key="OPS"
    )
    return made


def test_a_stream_is_neither_packed_nor_kept_back(edge: Edge, project: dict[str, str]) -> None:
    path = f"/api/v1/workspaces/{project['workspace_id']}/events"
    with edge.client.stream("GET", path, headers={"Accept-Encoding": "gzip"}) as stream:
        assert "Content-Encoding" not in stream.headers
        lines = stream.iter_lines()
        made = make(edge.client, f"/api/v1/projects/{project['id']}/tasks", title="Live")
        assert any(made["id"] in line for line in lines)


def test_bodies_are_bounded_and_files_are_not(edge: Edge, project: dict[str, str]) -> None:
    tasks = f"/api/v1/projects/{project['id']}/tasks"
    far = edge.client.post(tasks, json={"title": "T", "description": "x" * 3 * MEGABYTE})
    assert far.status_code == 413
    near = edge.client.post(tasks, json={"title": "T", "description": "x" * (MEGABYTE + 1)})
    assert (near.status_code, near.json()["error"]["code"]) == (413, "PAYLOAD_TOO_LARGE")
    made = make(edge.client, tasks, title="T")
    file = f"/api/v1/tasks/{made['id']}/attachments"
    put = edge.client.put(file, params={"name": "large"}, content=b"1234" * MEGABYTE)
    assert put.json()["size"] == 4 * MEGABYTE


def test_a_request_has_one_id_in_all_logs(edge: Edge) -> None:
    answer = edge.client.get("/api/v1/users/me", params={"secret": "xyzzy"})
    request_id = answer.headers["X-Request-ID"]
    line = until(
        lambda: next((each for each in edge.traefik.requests() if request_id in str(each.values())), None)
    )
    assert line["DownstreamStatus"] == 422
    assert line["downstream_X-Request-Id"] == request_id
    assert until(lambda: any(request_id in api.output for api in edge.apis))
    assert "xyzzy" not in str(edge.traefik.lines())


@pytest.mark.skipif(sys.platform != "linux", reason="needs all of 127.0.0.0/8, which only Linux answers for")
def test_guesses_are_counted_by_the_address_that_traefik_saw(edge: Edge) -> None:
    def guess(local: str, made_up: str) -> int:
        transport = httpx2.HTTPTransport(local_address=local, verify=edge.traefik.trust)
        with httpx2.Client(transport=transport, base_url=edge.traefik.url, timeout=30) as client:
            return guess_once(client, made_up)

    many = [guess("127.0.0.2", f"198.51.100.{number}") for number in range(MANY)]
    assert 429 in many
    assert guess("127.0.0.3", "127.0.0.2") == 401
