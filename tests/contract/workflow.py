"""Somebody with a role who goes from answer to answer by the links, and knows what else is there."""

from asyncio import Runner
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import uuid4

from schemathesis import Case
from schemathesis.core.parameters import ParameterLocation
from schemathesis.core.transport import Response
from schemathesis.generation.stateful.state_machine import APIStateMachine, StepInput, StepOutput
from schemathesis.specs.openapi.checks import ensure_resource_availability, ignored_auth, use_after_free

from glasswork.features.accounts.models import SystemRole
from glasswork.features.workspaces.models import Role
from tests.factories.callers import Caller, Callers

from .fuzzing import OPERATIONS, is_meant_well, schema, unfit_checks

RESTORING = {"restore_task", "undo_task_change", "bulk_change_tasks"}
"""What was deleted may be there again, and with a task all that is below it."""

IDENTITIES = ("admin", "member", "viewer", "stranger")

People = dict[str, Caller]
"""By what they are in the workspace; the admin is one of the installation too, and a stranger is nothing."""


@dataclass(frozen=True)
class Crowd:
    runner: Runner
    callers: Callers

    def meet(self) -> People:
        return self.runner.run(self._meet())

    def join(self, workspace_id: str, people: People) -> None:
        self.runner.run(self._join(workspace_id, people))

    async def _meet(self) -> People:
        others = {name: await self.callers.user() for name in ("member", "viewer", "stranger", "somebody")}
        return {"admin": await self.callers.user(SystemRole.ADMIN)} | others

    async def _join(self, workspace_id: str, people: People) -> None:
        await self.callers.join(people["member"], workspace_id, Role.MEMBER)
        await self.callers.join(people["somebody"], workspace_id, Role.MEMBER)
        await self.callers.join(people["viewer"], workspace_id, Role.VIEWER)


class Walk(APIStateMachine):
    """A walk in a workspace of its own, so that what is broken in it does not meet the next one."""

    recorder: Any
    """The library's, which it sets on each walk."""
    base_url: ClassVar[str]
    identity: ClassVar[str]
    crowd: ClassVar[Crowd]
    guarded: ClassVar[set[str]] = set()
    """The operations that were seen to refuse whoever is not signed in."""

    def setup(self) -> None:
        self.has_restored = False
        self.people = self.crowd.meet()
        somebody = str(self.people["somebody"].id)
        self.things = {"user_id": somebody, "assignee_id": somebody}
        """Ids, by the names that parameters and fields give them."""
        workspace = self._make("create_workspace", name="Walk", slug=f"w{uuid4().hex}")
        self.crowd.join(workspace, self.people)
        self._make("create_project", name="Target", key="TWO")
        self._make("create_project", name="Walk", key="ONE")
        self._make("create_status", key="review", name="Review", category="in_progress")
        self._make("create_label", name="bug")
        other = self._make("create_task", title="Other")
        self._make("create_task", title="Task", label_ids=[self.things["label_id"]])
        self._make("create_relation", kind="blocks", task_id=other)
        self._make("create_invitation", email="invited@example.com", role="member")
        self.things |= {"after_id": other, "parent_id": other, "key": "ONE-2"}

    def _make(self, operation: str, **body: Any) -> str:
        """By the admin; links lead on from it for everybody."""
        path = self._known({name.name: "" for name in OPERATIONS[operation].path_parameters})
        case = OPERATIONS[operation].Case(path_parameters=path, body=body)
        self.recorder.record_case(case=case)
        response = self.call(case, **self._as("admin"))
        assert response.status_code == 201, response.text
        self.after_call(response, case)
        self._add_results_to_targets(("made",), [StepOutput(response, case)])
        made: str = response.json()["id"]
        self.things[f"{operation.removeprefix('create_')}_id"] = made
        return made

    def _known(self, value: Any, name: str = "") -> Any:
        """The value, its ids replaced by those of what is here."""
        if isinstance(value, dict):
            return {name: self._known(inner, name) for name, inner in value.items()}
        if isinstance(value, list):
            return [self._known(inner, name.removesuffix("s")) for inner in value]
        return self.things.get(name, value) if isinstance(value, str) else value

    def step(self, input: StepInput) -> StepOutput:  # noqa: A002 (the library's name)
        case = input.case
        if is_meant_well(case):
            linked = {name for place, name in input.applied_parameters if place is ParameterLocation.PATH}
            # The links that the library finds by itself may lead to nothing.
            path = {name: "" if value is None else value for name, value in case.path_parameters.items()}
            kept = {name: value for name, value in path.items() if name in linked and value}
            case.path_parameters = self._known(path) | kept
            case.body = self._known(case.body)
        output: StepOutput = super().step(input)
        return output

    def get_call_kwargs(self, case: Case[Any]) -> dict[str, Any]:
        del case
        return self._as(self.identity)

    def _as(self, identity: str) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.people[identity].token}"}
        return {"base_url": self.base_url, "headers": headers}

    def validate_response(self, response: Response, case: Case[Any], *_: Any, **kwargs: Any) -> None:
        excluded = unfit_checks(case, response)
        name = case.operation.definition.raw["operationId"]
        if self.has_restored or name == "list_task_history":  # which tells of deleted tasks too
            excluded.append(use_after_free)
        if case.operation.label in self.guarded:
            excluded.append(ignored_auth)
        if self.identity == "stranger":
            excluded.append(ensure_resource_availability)
        case.validate_response(
            response, excluded_checks=excluded, transport_kwargs=kwargs, recorder=self.recorder
        )
        if response.status_code < 300:
            self.guarded.add(case.operation.label)
            self.has_restored |= name in RESTORING


class Workflow(Walk, schema.as_state_machine()):  # type: ignore[misc] # the class is made of the document
    pass
