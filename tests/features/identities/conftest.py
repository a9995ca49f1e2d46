from collections.abc import AsyncIterator, Callable

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient

from glasswork.core.db import Database
from glasswork.core.oidc import providers_of
from glasswork.core.outgoing import Limits, Outgoing
from tests.conftest import make_client
from tests.features.credentials.letters import Postman

from .provider import Provider

SHORT = Limits(connect=1, read=1, wait=1, total=2)


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with Provider().listening() as provider:
        yield provider


@pytest.fixture
async def browser(
    app: FastAPI, database: Database, provider: Provider, change_settings: Callable[..., None]
) -> AsyncIterator[AsyncClient]:
    """Ada's, of an installation that knows the provider as `acme`."""
    settings = app.state.settings
    values = settings.model_dump() | {"oidc_providers": {"acme": provider.settings}}
    values |= {"outgoing_allowed": ("127.0.0.0/8",), "public_url": "http://localhost"}
    changed = type(settings).model_validate(values)
    change_settings(**{name: getattr(changed, name) for name in ("oidc_providers", "public_url")})
    outgoing = Outgoing(changed, limits=SHORT)
    app.state.database, app.state.oidc = database, providers_of(changed, outgoing)
    async with make_client(app) as browser:
        yield browser
    await outgoing.close()
    del app.state.oidc


@pytest.fixture
def postman(app: FastAPI, database: Database) -> Postman:
    return Postman(app, database)
