"""What Prometheus scrapes."""

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from glasswork.core.telemetry.metrics import Metrics


def install(app: FastAPI, metrics: Metrics) -> None:
    async def scrape(request: Request) -> Response:
        body, content_type = metrics.expose(request.headers.get("accept", ""))
        return Response(body, media_type=None, headers={"Content-Type": content_type})

    app.add_route("/metrics", scrape, include_in_schema=False)
