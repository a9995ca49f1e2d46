"""Use the client that openapi-python-client makes: `python python_client.py http://127.0.0.1:8000`.

docs/clients.md says how it is made. What is asserted here holds for every caller.
"""

import io
import sys
import time
from datetime import date
from typing import TypeVar
from uuid import UUID, uuid4

from glasswork_client import AuthenticatedClient, Client
from glasswork_client.api.attachments import download_attachment, put_attachment
from glasswork_client.api.auth import log_in, register
from glasswork_client.api.comments import create_comment
from glasswork_client.api.projects import create_project
from glasswork_client.api.reports import get_report, get_report_chart, order_project_report
from glasswork_client.api.tasks import (
    complete_task,
    create_task,
    list_project_tasks,
    search_tasks,
    update_task,
)
from glasswork_client.api.workspaces import create_workspace
from glasswork_client.models import (
    ChartFormat,
    ChartKind,
    CommentCreate,
    ErrorResponse,
    LogInForm,
    Priority,
    ProjectCreate,
    Registration,
    ReportCreate,
    ReportStatus,
    TaskCreate,
    TaskUpdate,
    TokenPair,
    WorkspaceCreate,
)
from glasswork_client.types import File, Response

T = TypeVar("T")


def done(answer: Response[T | ErrorResponse]) -> T:
    """Return what was asked for, or tell why it was refused."""
    if isinstance(answer.parsed, ErrorResponse) or answer.parsed is None:
        raise RuntimeError(answer.content.decode())
    return answer.parsed


def sign_in(base_url: str) -> AuthenticatedClient:
    name, password = f"ada_{uuid4().hex[:8]}", "correct horse battery staple"
    anybody = Client(base_url)
    me = Registration(email=f"{name}@example.com", username=name, name="Ada", password=password)
    done(register.sync_detailed(client=anybody, body=me))
    form = LogInForm(username=name, password=password)
    tokens: TokenPair = done(log_in.sync_detailed(client=anybody, body=form))
    return AuthenticatedClient(base_url, tokens.access_token)


def main(base_url: str) -> None:
    api = sign_in(base_url)
    new_workspace = WorkspaceCreate(name="Engines", slug=f"engines-{uuid4().hex[:8]}")
    workspace = done(create_workspace.sync_detailed(client=api, body=new_workspace))
    new_project = ProjectCreate(name="Operations", key="OPS")
    project = done(create_project.sync_detailed(workspace.id, client=api, body=new_project))

    # Sent twice, it is made once.
    key, new = str(uuid4()), TaskCreate(title="Write the changelog")
    first, again = (
        done(create_task.sync_detailed(project.id, client=api, body=new, idempotency_key=key))
        for _ in range(2)
    )
    assert first.id == again.id
    done(create_task.sync_detailed(project.id, client=api, body=TaskCreate(title="Release it")))
    assert list_titles(api, project.id) == ["Write the changelog", "Release it"]

    # An edit names the version that it is made on, and a stale one says what it would have overwritten.
    urgent = TaskUpdate(priority=Priority.URGENT)
    seen = f'"{first.version}"'
    assert done(update_task.sync_detailed(first.id, client=api, body=urgent, if_match=seen)).version == 2
    late = TaskUpdate(priority=Priority.LOW)
    stale = update_task.sync_detailed(first.id, client=api, body=late, if_match=seen)
    assert isinstance(stale.parsed, ErrorResponse)
    assert (stale.status_code, stale.parsed.error.code) == (412, "STALE_VERSION")
    assert stale.parsed.error.details["fields"] == ["priority"]

    assert done(complete_task.sync_detailed(first.id, client=api)).completed_at
    comment = done(create_comment.sync_detailed(first.id, client=api, body=CommentCreate(body="*Well* done")))
    assert comment.body == "*Well* done"
    notes = File(io.BytesIO(b"What is new"))
    attachment = done(put_attachment.sync_detailed(first.id, client=api, body=notes, name="notes.txt"))
    content = done(download_attachment.sync_detailed(attachment.id, client=api))
    assert content.payload.read() == b"What is new"
    found = done(search_tasks.sync_detailed(workspace.id, client=api, q="changelog"))
    assert [each.task.key for each in found.items] == ["OPS-1"]
    draw(api, project.id)
    print("done")


def list_titles(api: AuthenticatedClient, project_id: UUID) -> list[str]:
    """Page after page, one task each."""
    titles, cursor = [], None
    while True:
        page = done(
            list_project_tasks.sync_detailed(project_id, client=api, limit=1, cursor=cursor, sort="number")
        )
        titles += [task.title for task in page.items]
        cursor = page.next_cursor
        if cursor is None:
            return titles


def draw(api: AuthenticatedClient, project_id: UUID) -> None:
    """Order a report, wait for it, and take one of its charts."""
    today = date.today()  # noqa: DTZ011 (of this machine)
    period = ReportCreate(first_day=today, last_day=today)
    report = done(order_project_report.sync_detailed(project_id, client=api, body=period))
    while report.status in {ReportStatus.QUEUED, ReportStatus.RUNNING}:
        time.sleep(0.2)
        report = done(get_report.sync_detailed(report.id, client=api))
    assert report.status == ReportStatus.COMPLETED, report.failure
    chart = done(get_report_chart.sync_detailed(report.id, ChartKind.BURN_UP, ChartFormat.PNG, client=api))
    assert chart.payload.read().startswith(b"\x89PNG")


if __name__ == "__main__":
    main(sys.argv[1])
