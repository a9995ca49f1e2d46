"""The commands beside `serve`, run while it serves."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.data_dirs import used_data_dir
from tests.databases import Server
from tests.factories.callers import PASSWORD
from tests.processes import Serving, run

pytestmark = pytest.mark.slow

WHEN = {"createdAt": "2020-02-01T10:00:00Z", "updatedAt": "2020-02-03T10:00:00Z"}
ARCHIVE = {
    "repo": "glaziers/panes",
    "labels": [{"name": "cracked", "description": None, "color": "D73A4A"}],
    "issues": [
        {"number": 7, "title": "Pane rattles", "body": "In *wind*.", "state": "OPEN", "author": "ada"}
        | {"assignees": [], "labels": ["cracked"], "closedAt": None}
        | {"comments": [{"author": "bob", "body": "Putty?", **WHEN}]}
        | WHEN
    ],
    "pulls": [],
}


@pytest.fixture(scope="module")
def serving() -> Iterator[Serving]:
    with used_data_dir() as folder, Serving(folder) as serving:
        yield serving


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "archive.json"
    path.write_text(json.dumps(ARCHIVE))
    return path


def log_in(serving: Serving, username: str, password: str) -> dict[str, str]:
    answer = serving.client.post("/api/v1/auth/token", data={"username": username, "password": password})
    assert answer.status_code == 200, answer.text
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def get(serving: Serving, path: str, headers: dict[str, str]) -> Any:
    return serving.client.get(f"/api/v1{path}", headers=headers).json()


def said(ended: subprocess.CompletedProcess[str]) -> str:
    return " ".join(ended.stdout.split())


class TestCreateAdmin:
    def create(self, serving: Serving, username: str, password: str) -> Any:
        account = ["--email", f"{username}@example.com", "--username", username, "--password", password]
        return run("create-admin", *account, data_dir=serving.data_dir)

    @pytest.mark.parametrize(
        ("username", "password", "reason"),
        [
            ("weak", "password1234", "password: is too easy to guess"),
            ("a b", PASSWORD, "username"),
        ],
    )
    def test_what_is_unfit_is_refused_in_words(
        self, serving: Serving, username: str, password: str, reason: str
    ) -> None:
        ended = self.create(serving, username, password)
        assert ended.returncode == 1
        assert reason in ended.stderr
        assert password not in ended.stderr

    def test_admin_may_list_users(self, serving: Serving) -> None:
        assert self.create(serving, "boss", PASSWORD).returncode == 0
        headers = log_in(serving, "boss", PASSWORD)
        assert get(serving, "/users/me", headers)["role"] == "admin"
        assert get(serving, "/users", headers)["items"]
        taken = self.create(serving, "boss", PASSWORD)
        assert taken.returncode == 1
        assert "There is an account with this e-mail address." in taken.stderr


class TestDemoAndImport:
    def test_demo_is_there_and_takes_an_archive_once(self, serving: Serving, archive: Path) -> None:
        demo = run("demo", data_dir=serving.data_dir)
        words = dict(line.split() for line in demo.stdout.splitlines())
        headers = log_in(serving, words["Username"], words["Password"])
        workspace = get(serving, "/workspaces", headers)["items"][0]
        assert workspace["slug"] == words["Workspace"]
        tasks = f"/workspaces/{workspace['id']}/tasks"
        shown = get(serving, tasks, headers)["items"]
        assert len(shown) == 8
        following, report = (task for task in shown if task["title"] == "Write the weekly report")
        assert (report["status"], following["status"]) == ("done", "todo")
        assert following["recurrence"]["rule"] == "FREQ=WEEKLY;BYDAY=MO"
        history = get(serving, f"/tasks/{report['id']}/history", headers)["items"]
        edits = [
            change["after"] for entry in history for change in entry["changes"] if change["field"] == "title"
        ]
        assert edits == [report["title"], "Wirte the report", report["title"]]
        board = get(serving, f"/projects/{report['project_id']}/board", headers)["columns"]
        assert [(column["status"]["key"], column["count"]) for column in board] == [
            ("todo", 5),
            ("in_progress", 2),
            ("review", 0),
            ("done", 1),
        ]
        labels = get(serving, f"/workspaces/{workspace['id']}/labels", headers)["items"]
        secured = [task for task in shown if labels[0]["id"] in task["label_ids"]]
        assert (labels[0]["name"], len(secured)) == ("security", 2)

        port = next(task for task in shown if task["title"] == "Port scan shows 8080 open")
        asked, answered = get(serving, f"/tasks/{port['id']}/comments", headers)["items"]
        assert asked["mentions"] == [asked["author_id"]]
        assert answered["reply_to_id"] == asked["id"]
        assert [each["reaction"] for each in answered["reactions"]] == ["eyes"]

        where = ["--workspace", workspace["slug"], "--as", f"{words['Username']}@example.com"]
        command = ["import", "github-archive", str(archive), *where]
        first = run(*command, data_dir=serving.data_dir)
        assert said(first) == "Project PANES New tasks 1 Already there 0 New labels 1 New comments 1 Faults 0"
        task = get(serving, f"{tasks}/PANES-7", headers)
        assert task["title"] == "Pane rattles"
        comment = get(serving, f"/tasks/{task['id']}/comments", headers)["items"][0]
        assert (comment["body"], comment["external"]["author"]) == ("Putty?", "bob")
        second = run(*command, data_dir=serving.data_dir)
        assert (
            said(second) == "Project PANES New tasks 0 Already there 1 New labels 0 New comments 0 Faults 0"
        )
        assert get(serving, f"{tasks}/PANES-7", headers) == task

        command[command.index("--workspace") + 1] = "nowhere"
        lost = run(*command, data_dir=serving.data_dir)
        assert lost.returncode == 1
        assert "There is no workspace nowhere." in lost.stderr

        archive.write_text(archive.read_text().replace('"Pane rattles"', "null"))
        command[command.index("--workspace") + 1] = workspace["slug"]
        broken = run(*command, data_dir=serving.data_dir)
        assert broken.returncode == 1
        assert "issues[0]: title: " in broken.stderr
        assert "Broken records: 1. Nothing is imported." in broken.stderr


@pytest.mark.parametrize(
    ("arguments", "exit_code", "words"),
    [
        (("csv", "nowhere.csv", "--project", "OPS"), 2, "'nowhere.csv' does not exist"),
        (("github", "no-repository"), 1, "repository"),
    ],
)
def test_import_says_what_it_cannot_read(arguments: tuple[str, ...], exit_code: int, words: str) -> None:
    ended = run("import", *arguments, "--workspace", "acme", "--as", "keeper", COLUMNS="200")
    assert ended.returncode == exit_code
    assert words in ended.stderr


def test_migrate_finds_the_schema_as_the_models_say(serving: Serving) -> None:
    ended = run("migrate", "--check", data_dir=serving.data_dir)
    assert ended.returncode == 0, ended.stderr
    assert "The schema is at" in ended.stdout


def test_openapi_needs_no_database() -> None:
    document = json.loads(run("openapi").stdout)
    assert document["info"]["title"] == "Glasswork"
    assert "/api/v1/tasks/{task_id}" in document["paths"]


def test_serve_refuses_a_schema_that_is_behind(server: Server) -> None:
    """A database of one's own is migrated by `migrate`, not by whichever process starts first."""
    url = server.superuser.render_as_string(hide_password=False)
    ended = run("serve", "--port", "0", DATABASE_URL=url, JWT_SECRET="-" * 32)
    assert ended.returncode == 78
    assert "Run: glasswork migrate" in ended.stderr
