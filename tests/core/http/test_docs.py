import hashlib
import re
from base64 import b64encode

import pytest
from httpx2 import AsyncClient

from glasswork.app import create_app
from glasswork.core.settings import Environment, Settings
from tests.conftest import make_client

pytestmark = pytest.mark.anyio

PAGES = ["/docs", "/redoc"]


def assets_of(html: str) -> list[str]:
    return re.findall(r'(?:src|href)="([^"]*)"', html)


class TestPages:
    async def test_are_off_in_production(self, settings: Settings) -> None:
        values = settings.model_dump(exclude={"docs_enabled"}) | {"environment": Environment.PRODUCTION}
        async with make_client(create_app(Settings.model_validate(values))) as client:
            for path in (*PAGES, "/openapi.json", "/docs/assets/favicon.png"):
                assert (await client.get(path)).status_code == 404

    @pytest.mark.parametrize("page", PAGES)
    async def test_name_no_other_host(self, offline: AsyncClient, page: str) -> None:
        response = await offline.get(page)
        assert response.headers["Content-Type"] == "text/html; charset=utf-8"
        assert not re.findall(r"https?:|[\"'(]//", response.text)
        assert "/openapi.json" in response.text

    @pytest.mark.parametrize("page", PAGES)
    async def test_bring_their_assets(self, offline: AsyncClient, page: str) -> None:
        assets = assets_of((await offline.get(page)).text)
        assert len(assets) >= 2
        for path in assets:
            response = await offline.get(path)
            assert response.status_code == 200
            assert len(response.content) > 100

    @pytest.mark.parametrize("page", PAGES)
    async def test_admit_their_own_inline_scripts_and_no_other(self, offline: AsyncClient, page: str) -> None:
        response = await offline.get(page)
        (policy,) = response.headers.get_list("Content-Security-Policy")
        (scripts,) = re.findall(r"script-src ([^;]*)", policy)
        inline = re.findall(r"<script>(.*?)</script>", response.text, re.DOTALL)
        digests = [b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in inline]
        assert scripts.split() == ["'self'", *(f"'sha256-{digest}'" for digest in digests)]
        assert "default-src 'self'" in policy

    async def test_are_the_same_for_everybody(self, offline: AsyncClient) -> None:
        first, second = [await offline.get("/docs") for _ in range(2)]
        assert first.headers["X-Request-ID"] != second.headers["X-Request-ID"]
        assert len(second.headers.get_list("X-Request-ID")) == 1
        assert first.text == second.text

    @pytest.mark.parametrize("path", ["/", "", "/%2e%2e", "/%2e%2e/__init__.py", "/nothing.js"])
    async def test_serve_nothing_but_assets(self, offline: AsyncClient, path: str) -> None:
        assert (await offline.get(f"/docs/assets{path}")).status_code == 404

    async def test_the_document_is_there(self, offline: AsyncClient) -> None:
        document = (await offline.get("/openapi.json")).json()
        assert document["info"]["title"] == "Glasswork"
        assert "/api/v1/users/me" in document["paths"]
