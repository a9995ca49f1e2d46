"""The document against the running app: every operation, with good and bad input."""

import os
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from hypothesis import HealthCheck, settings
from schemathesis import Case

from tests.factories.callers import PASSWORD

from .fuzzing import is_meant_well, schema, unfit_checks


@pytest.fixture
def ids(live: str, headers: dict[str, str]) -> dict[str, Any]:
    """Things that are there, by the names that path parameters give them; new ones for each operation."""
    with httpx2.Client(base_url=f"{live}/api/v1", headers=headers) as client:

        def make(path: str, **body: Any) -> Any:
            answer = client.post(path, json=body)
            assert answer.status_code == 201, answer.text
            return answer.json()

        workspace = make("/workspaces", name="Contract", slug=f"w{uuid4().hex}")
        path = f"/workspaces/{workspace['id']}"
        project = make(f"{path}/projects", name="Contract", key="OPS")
        client.post("/auth/token", data={"username": "ada", "password": PASSWORD})
        sessions = client.get("/auth/sessions").json()["items"]
        tasks = [make(f"/projects/{project['id']}/tasks", title="Contract")["id"] for _ in range(2)]
        related = {"kind": "relates", "task_id": tasks[1]}
        statuses = client.get(f"/projects/{project['id']}/statuses").json()["items"]
        return {
            "session_id": next(each["id"] for each in sessions if not each["is_current"]),
            "workspace_id": workspace["id"],
            "project_id": project["id"],
            "user_id": workspace["created_by"],
            "invitation_id": make(f"{path}/invitations", email="bob@example.com", role="member")["id"],
            "status_id": statuses[1]["id"],
            "label_id": make(f"/projects/{project['id']}/labels", name="bug")["id"],
            "api_token_id": make("/auth/api-tokens", name="script", scopes=["tasks:read"])["id"],
            "identity_id": str(uuid4()),  # none can be made without a provider
            "provider": "acme",
            "task_id": tasks[0],
            "relation_id": make(f"/tasks/{tasks[0]}/relations", **related)["id"],
            "key": "OPS-1",
            "job_id": 1,
        }


@schema.parametrize()
@settings(
    max_examples=int(os.environ.get("EXAMPLES", "10")),
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_operation_keeps_its_contract(
    case: Case[Any], live: str, headers: dict[str, str], ids: dict[str, Any]
) -> None:
    if is_meant_well(case):
        case.path_parameters = {name: ids[name] for name in case.path_parameters}
    response = case.call(base_url=live, headers=headers)
    case.validate_response(response, excluded_checks=unfit_checks(case, response))
