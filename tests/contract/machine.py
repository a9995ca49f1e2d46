"""Three people who work on the same tasks through the API, step by step beside the model."""

from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from uuid import uuid4

import httpx2
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.factories.callers import PASSWORD

from .tracker_model import Model, Task

MOST_TASKS = 60
MAX_LEVELS = 10
SHOWN = ("title", "status", "priority")

writers = st.sampled_from(("owner", "member"))
numbers = st.integers(0, 10_000)
titles = st.sampled_from(("Sweep", "Paint", "Mend", "Ship"))
statuses = st.sampled_from(("todo", "in_progress", "done"))
priorities = st.sampled_from(("none", "low", "urgent"))


class Tracker(RuleBasedStateMachine):
    """The API and the model take the same steps, and then show the same."""

    base_url: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.versions: dict[str, int] = {}
        self.touched: set[str] = set()

    @initialize()
    def come_together(self) -> None:
        self.people = {name: self._sign_up() for name in ("owner", "member", "viewer")}
        owner = self.people["owner"]
        slug = f"m{uuid4().hex}"
        self.workspace = _made(owner.post("/workspaces", json={"name": "Model", "slug": slug}))["id"]
        for role in ("member", "viewer"):
            email = self.people[role].get("/users/me").json()["email"]
            invitation = _made(
                owner.post(f"/workspaces/{self.workspace}/invitations", json={"email": email, "role": role})
            )
            accepted = self.people[role].post("/invitations/accept", json={"token": invitation["token"]})
            assert accepted.status_code == 200, accepted.text
        path = f"/workspaces/{self.workspace}/projects"
        for key in ("ONE", "TWO"):
            self.model.order[_made(owner.post(path, json={"name": key, "key": key}))["id"]] = []

    def _sign_up(self) -> httpx2.Client:
        client = httpx2.Client(base_url=f"{self.base_url}/api/v1", timeout=20)
        name = f"m{uuid4().hex[:12]}"
        email = f"{name}@example.com"
        _made(
            client.post(
                "/auth/register",
                json={"email": email, "username": name, "name": name, "password": PASSWORD},
            )
        )
        tokens = client.post("/auth/token", data={"username": email, "password": PASSWORD}).json()
        client.headers["Authorization"] = f"Bearer {tokens['access_token']}"
        return client

    def teardown(self) -> None:
        for client in getattr(self, "people", {}).values():
            client.close()

    def _project(self, number: int) -> str:
        return list(self.model.order)[number % len(self.model.order)]

    def _task(self, number: int) -> Task:
        tasks = self.model.standing()
        return tasks[number % len(tasks)]

    def _has_tasks(self) -> bool:
        return bool(self.model.standing())

    def _has_room(self) -> bool:
        return len(self.model.all()) < MOST_TASKS

    def _changed(self, *tasks: Task) -> None:
        self.touched |= {task.id for task in tasks}

    @precondition(_has_room)
    @rule(who=writers, number=numbers, title=titles, below=st.booleans(), recurs=st.booleans())
    def create(self, who: str, number: int, title: str, below: bool, recurs: bool) -> None:
        project = self._project(number)
        inside = [task for task in self.model.standing() if task.project == project]
        parent = inside[number % len(inside)] if below and inside else None
        body: dict[str, Any] = {"title": title, "parent_id": parent and parent.id}
        if recurs:
            due = datetime.now(UTC) - timedelta(days=number % 3)
            body |= {"due_at": due.isoformat(), "recurrence": {"rule": "FREQ=DAILY", "time_zone": "UTC"}}
        answer = self.people[who].post(f"/projects/{project}/tasks", json=body)
        if self.model.depth(parent) >= MAX_LEVELS:
            assert answer.status_code == 422, answer.text
            return
        made = _made(answer)
        fields = {name: made[name] for name in SHOWN} | {"recurs": recurs}
        self.model.add(Task(made["id"], project, fields, parent))

    @precondition(_has_tasks)
    @rule(
        who=writers, number=numbers, title=titles, status=statuses, priority=priorities, stale=st.booleans()
    )
    def edit(self, who: str, number: int, title: str, status: str, priority: str, stale: bool) -> None:
        task = self._task(number)
        wanted = {"title": title, "status": status, "priority": priority}
        version = self.versions[task.id] - stale
        answer = self.people[who].patch(
            f"/tasks/{task.id}", json=wanted, headers={"If-Match": f'"{version}"' if version else '"999"'}
        )
        if stale:
            assert answer.status_code == 412, answer.text
            assert answer.json()["error"]["details"]["current_etag"] == f'"{self.versions[task.id]}"'
            return
        assert answer.status_code == 200, answer.text
        self._set(task, **wanted)

    @precondition(_has_tasks)
    @rule(who=writers, number=numbers, done=st.booleans())
    def complete(self, who: str, number: int, done: bool) -> None:
        task = self._task(number)
        answer = self.people[who].request("PUT" if done else "DELETE", f"/tasks/{task.id}/completion")
        assert answer.status_code == 200, answer.text
        if done != (task.fields["status"] == "done"):
            self._set(task, status="done" if done else "todo")

    @precondition(_has_tasks)
    @rule(who=writers, number=numbers, other=numbers, first=st.booleans())
    def reorder(self, who: str, number: int, other: int, first: bool) -> None:
        task = self._task(number)
        neighbours = [each for each in self.model.standing() if each.project == task.project]
        after = None if first else neighbours[other % len(neighbours)]
        answer = self.people[who].put(f"/tasks/{task.id}/position", json={"after_id": after and after.id})
        if after is task:
            assert answer.status_code == 422, answer.text
            return
        assert answer.status_code == 200, answer.text
        before = list(self.model.order[task.project])
        self.model.put_behind(task, after)
        if self.model.order[task.project] != before:
            self._changed(task)

    @precondition(_has_tasks)
    @rule(who=writers, number=numbers, other=numbers, none=st.booleans())
    def adopt(self, who: str, number: int, other: int, none: bool) -> None:
        task, parent = self._task(number), None if none else self._task(other)
        answer = self.people[who].patch(f"/tasks/{task.id}", json={"parent_id": parent and parent.id})
        is_same = parent is task.parent
        if parent is not None and not is_same:
            too_deep = self.model.depth(parent) + self.model.height(task) > MAX_LEVELS
            if parent.project != task.project or self.model.is_above(task, parent) or too_deep:
                assert answer.status_code == 422, answer.text
                return
        assert answer.status_code == 200, answer.text
        if not is_same:
            task.parent = parent
            self._changed(task)

    @precondition(_has_tasks)
    @rule(who=writers, number=numbers, place=numbers)
    def move(self, who: str, number: int, place: int) -> None:
        task, project = self._task(number), self._project(place)
        old_key = self.people[who].get(f"/tasks/{task.id}").json()["key"]
        answer = self.people[who].post(f"/tasks/{task.id}/move", json={"project_id": project})
        assert answer.status_code == 200, answer.text
        if project != task.project:
            self._changed(*self.model.family(task))
        self.model.move(task, project)
        found = self.people[who].get(f"/workspaces/{self.workspace}/tasks/{old_key}")
        assert found.json()["id"] == task.id

    @precondition(_has_tasks)
    @rule(who=writers, number=numbers)
    def delete(self, who: str, number: int) -> None:
        task = self._task(number)
        assert self.people[who].delete(f"/tasks/{task.id}").status_code == 204
        self.model.delete(task)
        assert self.people[who].get(f"/tasks/{task.id}").status_code == 404

    @precondition(lambda self: any(task.deleted for task in self.model.all()))
    @rule(who=writers, number=numbers)
    def restore(self, who: str, number: int) -> None:
        gone = [task for task in self.model.all() if task.deleted is not None]
        task = gone[number % len(gone)]
        answer = self.people[who].post(f"/tasks/{task.id}/restore")
        assert answer.status_code == 200, answer.text
        before = self.model.standing()
        self.model.restore(task)
        self._changed(*(each for each in self.model.standing() if each not in before))

    @precondition(_has_tasks)
    @rule(who=writers, number=numbers, away=st.booleans())
    def archive(self, who: str, number: int, away: bool) -> None:
        task = self._task(number)
        was = {each: each.archived for each in self.model.all()}
        answer = self.people[who].request("PUT" if away else "DELETE", f"/tasks/{task.id}/archive")
        assert answer.status_code == 200, answer.text
        (self.model.archive if away else self.model.unarchive)(task)
        self._changed(*(each for each, archived in was.items() if each.archived != archived))

    @precondition(_has_tasks)
    @rule(who=writers, number=numbers, other=numbers, kind=st.sampled_from(("blocks", "relates")))
    def relate(self, who: str, number: int, other: int, kind: str) -> None:
        one, two = self._task(number).id, self._task(other).id
        start, end = sorted((one, two)) if kind == "relates" else (one, two)
        relation = (kind, start, end)
        answer = self.people[who].post(f"/tasks/{one}/relations", json={"kind": kind, "task_id": two})
        if one == two or (kind == "blocks" and self.model.blocks(two, one)):
            assert answer.status_code == 422, answer.text
        elif relation in self.model.relations:
            assert answer.status_code == 409, answer.text
        else:
            _made(answer)
            self.model.relations.add(relation)

    @precondition(_has_tasks)
    @rule(number=numbers)
    def look_at_relations(self, number: int) -> None:
        task = self._task(number)
        standing = {each.id for each in self.model.standing()}
        expected = {
            (
                kind if start == task.id or kind == "relates" else "blocked_by",
                end if start == task.id else start,
            )
            for kind, start, end in self.model.relations
            if task.id in (start, end) and {start, end} <= standing
        }
        page = self.people["viewer"].get(f"/tasks/{task.id}/relations", params={"limit": 100}).json()
        assert {(each["kind"], each["task"]["id"]) for each in page["items"]} == expected

    @precondition(_has_tasks)
    @rule(who=writers, chosen=st.lists(numbers, min_size=1, max_size=4), title=titles, spoilt=st.booleans())
    def bulk(self, who: str, chosen: list[int], title: str, spoilt: bool) -> None:
        """All or nothing."""
        tasks = [self._task(number) for number in chosen]
        operations: list[dict[str, Any]] = [
            {"op": "update", "task_id": task.id, "title": title} for task in tasks
        ]
        if spoilt:
            operations.append({"op": "complete", "task_id": str(uuid4())})
        body = {"mode": "atomic", "operations": operations}
        answer = self.people[who].post(f"/workspaces/{self.workspace}/tasks/bulk", json=body)
        if spoilt:
            assert answer.status_code == 404, answer.text
            assert answer.json()["error"]["details"]["index"] == len(tasks)
            return
        assert answer.status_code == 200, answer.text
        for task in tasks:
            self._set(task, title=title)

    @precondition(_has_tasks)
    @rule(number=numbers, choice=numbers)
    def try_as_viewer(self, number: int, choice: int) -> None:
        path = f"/tasks/{self._task(number).id}"
        attempts = (
            ("PATCH", path, {"title": "Mine"}),
            ("DELETE", path, None),
            ("PUT", f"{path}/completion", None),
            ("PUT", f"{path}/position", {"after_id": None}),
            ("POST", f"{path}/move", {"project_id": self._project(choice)}),
            ("PUT", f"{path}/archive", None),
        )
        method, url, body = attempts[choice % len(attempts)]
        answer = self.people["viewer"].request(method, url, json=body)
        assert answer.status_code == 403, answer.text

    def _set(self, task: Task, **fields: Any) -> None:
        """Who becomes done passes the rule on to a new task, which `compare` meets."""
        passes_on = (
            task.fields["recurs"] and task.fields["status"] != "done" and fields.get("status") == "done"
        )
        if any(task.fields[name] != value for name, value in fields.items()):
            self._changed(task)
        task.fields |= fields
        if passes_on:
            task.fields["recurs"] = False
            following = Task("", task.project, task.fields | {"status": "todo", "recurs": True}, task.parent)
            self.model.add(following)

    @invariant()
    def compare(self) -> None:
        for project, tasks in self.model.order.items():
            query: dict[str, str | int] = {"sort": "position", "archived": "all", "limit": 100}
            items = self.people["viewer"].get(f"/projects/{project}/tasks", params=query).json()["items"]
            for item, task in zip(items, (each for each in tasks if each.deleted is None), strict=True):
                task.id = task.id or item["id"]
            assert [_shown(item) for item in items] == self.model.shown(project)
            for item in items:
                self._check_version(item)
        self.touched.clear()

    def _check_version(self, item: dict[str, Any]) -> None:
        """It rises with each change, and never without."""
        before = self.versions.get(item["id"])
        if before is not None:
            has_risen = item["version"] > before
            assert has_risen == (item["id"] in self.touched), (item, before, self.touched)
        self.versions[item["id"]] = item["version"]


def _shown(item: dict[str, Any]) -> dict[str, Any]:
    return {name: item[name] for name in SHOWN} | {
        "id": item["id"],
        "parent_id": item["parent_id"],
        "is_archived": item["archived_at"] is not None,
        "recurs": item["recurrence"] is not None,
    }


def _made(answer: httpx2.Response) -> dict[str, Any]:
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made
