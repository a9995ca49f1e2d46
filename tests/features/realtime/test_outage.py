"""A database that goes away for a while, below streams that are open."""

from contextlib import suppress
from typing import Any

import pytest

from glasswork.app import create_app
from glasswork.core.errors import ServiceUnavailableError
from glasswork.features.realtime.service import Hub
from tests.conftest import make_client, make_settings, patient
from tests.databases import SERVING, Server
from tests.factories.callers import Callers
from tests.factories.tracker import make_project, make_workspace
from tests.streams import following, serving, talking
from tests.tcp_proxy import TcpProxy

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("fault", ["reset", "refuse"])
async def test_streams_stay_and_go_on_when_it_is_back(server: Server, fault: str) -> None:
    with patient():
        async with server.clone() as name, TcpProxy(server.url(SERVING, name)) as proxy:
            app = create_app(make_settings(proxy.url(server.url(SERVING, name))))
            async with app.router.lifespan_context(app), make_client(app) as client, serving(app) as url:
                callers = Callers(client, app.state.database, app.state.keys)
                owner = await callers.user()
                workspace: dict[str, Any] = await make_workspace(owner)
                async with (
                    following(url, owner.token, workspace["id"]) as events,
                    talking(url, owner.token) as conversation,
                ):
                    await events.next()
                    await conversation.ask("subscribe", workspace_id=workspace["id"])
                    await _fail(proxy, fault, app.state.hub)
                    await proxy.heal()
                    await make_project(owner, workspace)
                    assert (await events.next()).type == "project.created"
                    assert (await conversation.next())["change"]["type"] == "project.created"


async def _fail(proxy: TcpProxy, fault: str, hub: Hub) -> None:
    """Until somebody has met it."""
    if fault == "reset":
        proxy.reset()
    else:
        await proxy.refuse()
    with suppress(ServiceUnavailableError):
        await hub._look()  # noqa: SLF001 (when it comes by itself is not known)
