from collections.abc import Awaitable, Callable
from itertools import islice
from typing import Any

import pytest
from fastapi import FastAPI

from glasswork.core.db import Database
from glasswork.features.imports.policy import keys_for
from tests.factories.callers import Caller
from tests.factories.imports import faults_of, load

from .archives import encode, make_archive, make_comment, make_issue

pytestmark = pytest.mark.anyio

Bring = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
def bring(app: FastAPI, database: Database, owner: Caller, workspace: dict[str, Any]) -> Bring:
    async def bring(content: bytes, **fields: Any) -> dict[str, Any]:
        fields = {"format": "github_archive", "project_key": "OPS"} | fields
        return await load(app, database, owner, workspace, content, **fields)

    return bring


async def keys_of(owner: Caller, workspace: dict[str, Any]) -> list[str]:
    items = (await owner.get(f"/workspaces/{workspace['id']}/tasks", sort="number")).json()["items"]
    return [item["key"] for item in items]


class TestFile:
    @pytest.mark.parametrize(
        "content",
        [
            b'{"repo":\n "a/b",\n oops}',
            b'{"repo": "\xff"}',
            encode(make_archive())[:-40],
            encode(make_archive()) + b"}",
        ],
        ids=["words", "bytes", "cut off", "too long"],
    )
    async def test_that_is_no_json_is_refused(
        self, owner: Caller, workspace: dict[str, Any], bring: Bring, content: bytes
    ) -> None:
        ended = await bring(content)
        assert (ended["status"], ended["error_code"]) == ("failed", "BROKEN_JSON")
        assert await keys_of(owner, workspace) == []

    @pytest.mark.parametrize(
        "content",
        [
            b"[]",
            *(
                encode(make_archive(**{name: otherwise}))
                for name, otherwise in (("repo", "no repository"), ("issues", None), ("pulls", 3))
            ),
        ],
    )
    async def test_without_its_parts_is_refused(self, bring: Bring, content: bytes) -> None:
        ended = await bring(content)
        assert (ended["status"], ended["error_code"]) == ("failed", "NO_GITHUB_ARCHIVE")


class TestRecord:
    async def test_that_is_broken_is_named_and_stops_nothing_else(
        self, owner: Caller, workspace: dict[str, Any], bring: Bring
    ) -> None:
        broken = {
            "title: ": make_issue(1, title=" "),
            "number: ": make_issue(0),
            "state: ": make_issue(1, state="DRAFT"),
            "body: ": make_issue(1, body="a\0b"),
            "createdAt: ": make_issue(1, createdAt="yesterday"),
            "updatedAt: ": make_issue(1, updatedAt="2020-01-01T00:00:00"),
            "labels[1]: ": make_issue(1, labels=["x", ""]),
            "comments[0].createdAt: ": make_issue(1, comments=[make_comment("a", createdAt=None)]),
            "comments[0].body: ": make_issue(1, comments=[make_comment("a\0")]),
            "record: ": "no issue",
        }
        huge, long = make_issue(10**100), make_issue(1, title="a" * 257)
        issues = [make_issue(4), *broken.values(), huge, long, make_issue(6)]
        ended = await bring(encode(make_archive(issues=issues, pulls=[make_issue(7)])))
        assert (ended["status"], ended["tasks"], ended["faults"]) == ("completed", 3, len(broken) + 2)
        faults = await faults_of(owner, ended)
        for number, ((place, code, message), beginning) in enumerate(
            zip(faults, [*broken, "number: ", "title: "], strict=True), start=1
        ):
            assert (place, code, message[: len(beginning)]) == (
                f"issues[{number}]",
                "INVALID_RECORD",
                beginning,
            )
        assert await keys_of(owner, workspace) == ["OPS-4", "OPS-6", "OPS-7"]

    async def test_that_is_broken_stops_everything_by_choice(
        self, owner: Caller, workspace: dict[str, Any], bring: Bring
    ) -> None:
        content = encode(make_archive(pulls=[make_issue(1, state="a secret"), make_issue(7)]))
        ended = await bring(content, on_error="stop")
        assert (ended["status"], ended["error_code"]) == ("failed", "BROKEN_RECORDS")
        assert ended["error"] == "Broken records: 1. Nothing is imported."
        [(place, _, message)] = await faults_of(owner, ended)
        assert place == "pulls[0]"
        assert "a secret" not in message
        assert (await owner.get(f"/workspaces/{workspace['id']}/projects")).json()["items"] == []
        good = await bring(encode(make_archive()), on_error="stop")
        assert (good["status"], good["tasks"]) == ("completed", 3)

    async def test_a_broken_label_is_made_by_its_name_alone(self, owner: Caller, bring: Bring) -> None:
        ended = await bring(encode(make_archive(labels=[{"name": "rope", "color": "red"}])))
        assert await faults_of(owner, ended) == [
            ("labels[0]", "INVALID_RECORD", "color: String should match pattern '^[0-9A-Fa-f]{6}$'")
        ]
        assert ended["labels"] == 3


@pytest.mark.parametrize(
    ("repo", "key"),
    [
        ("quicwg/ops-drafts", "OPSDRAFTS"),
        ("a/b", "IMPORTB"),
        ("a/2", "IMPORT"),
        ("a/3d-printer", "DPRINTER"),
        ("a/_._", "IMPORT"),
        ("a/ünder", "NDER"),
        ("a/a-very-long-name-indeed", "AVERYLONGN"),
        ("owner2/X1", "X1"),
    ],
)
def test_key_is_made_of_the_name(repo: str, key: str) -> None:
    assert next(keys_for(repo)) == key


def test_others_have_a_number_behind_it() -> None:
    assert list(islice(keys_for("a/lamp"), 3)) == ["LAMP", "LAMP2", "LAMP3"]
    long = list(islice(keys_for("a/a-very-long-name-indeed"), 10))
    assert long[:2] == ["AVERYLONGN", "AVERYLONG2"]
    assert long[9] == "AVERYLON10"
