"""Who takes part, and what they share."""

from dataclasses import dataclass

from glasswork.features.accounts.models import SystemRole
from tests.factories.callers import Callers

from .traffic import Person, Traffic

WRITERS, GUESTS = 8, 3


@dataclass(frozen=True)
class Cast:
    host: Person
    """Owns the shared workspaces, reads, and writes nothing later on."""
    writers: list[Person]
    guests: list[Person]
    workspaces: list[str]


async def set_up(traffic: Traffic, callers: Callers) -> Cast:
    """Two workspaces that all writers own, and of which some guests are members."""
    host, *writers = [Person.of(await callers.user(SystemRole.ADMIN)) for _ in range(WRITERS + 1)]
    guests = [Person.of(await callers.user()) for _ in range(GUESTS)]
    cast = Cast(host, writers, guests, [])
    traffic.people |= {person.email: person for person in (*writers, *guests)}
    traffic.known.shared |= {person.id for person in (host, *writers)}
    for _ in range(2):
        cast.workspaces.append(await _share_workspace(traffic, cast))
    return cast


async def _share_workspace(traffic: Traffic, cast: Cast) -> str:
    workspace: str = (await traffic.ask("create_workspace", cast.host))["id"]
    traffic.known.shared.add(workspace)
    for person in (*cast.writers, *cast.guests):
        body = {"email": person.email, "role": "owner" if person in cast.writers else "member"}
        token = (await traffic.ask("create_invitation", cast.host, body, workspace=workspace))["token"]
        traffic.invited.pop(token)
        await traffic.ask("accept_invitation", person, {"token": token})
    for _ in range(2):
        project = (await traffic.ask("create_project", cast.host, workspace=workspace))["id"]
        traffic.known.shared.add(project)
        await traffic.ask("create_label", cast.host, workspace=workspace, project=project)
        statuses = await traffic.get_all(cast.host, f"/projects/{project}/statuses")
        traffic.words["status"] = [status["key"] for status in statuses]
        await traffic.ask("create_task", cast.host, workspace=workspace, project=project)
    return workspace
