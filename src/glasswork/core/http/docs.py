"""`/docs` and `/redoc` from files that are installed with us: they open without the internet."""

import hashlib
import re
from base64 import b64encode
from importlib.util import find_spec
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from starlette.responses import HTMLResponse, Response
from starlette.staticfiles import StaticFiles

_ASSETS = "/docs/assets"
_INLINE_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def install(app: FastAPI) -> None:
    swagger = get_swagger_ui_html(
        openapi_url="/openapi.json",
        title=app.title,
        swagger_js_url=f"{_ASSETS}/swagger-ui-bundle.js",
        swagger_css_url=f"{_ASSETS}/swagger-ui.css",
        swagger_favicon_url=f"{_ASSETS}/favicon.png",
        swagger_ui_parameters={"persistAuthorization": True},
    )
    redoc = get_redoc_html(
        openapi_url="/openapi.json",
        title=app.title,
        redoc_js_url=f"{_ASSETS}/redoc.standalone.js",
        redoc_favicon_url=f"{_ASSETS}/favicon.png",
        with_google_fonts=False,
    )
    _add_page(app, "/docs", swagger)
    _add_page(app, "/redoc", redoc)
    app.mount(_ASSETS, StaticFiles(directory=_static_files()))


def _add_page(app: FastAPI, path: str, page: HTMLResponse) -> None:
    page.headers["Content-Security-Policy"] = _policy(bytes(page.body).decode())

    async def show(_: Request) -> Response:
        return page

    app.add_route(path, show, include_in_schema=False)


def _policy(html: str) -> str:
    """Admit the page's own inline script by its hash, and no other."""
    scripts = " ".join(f"'sha256-{_digest(script)}'" for script in _INLINE_SCRIPT.findall(html))
    return (
        f"default-src 'self'; script-src 'self' {scripts}; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; worker-src 'self' blob:; frame-ancestors 'none'"
    )


def _digest(script: str) -> str:
    return b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _static_files() -> Path:
    package = find_spec("fastapi_offline")
    assert package is not None and package.origin is not None  # noqa: S101, PT018 (a dependency of ours)
    return Path(package.origin).parent / "static"
