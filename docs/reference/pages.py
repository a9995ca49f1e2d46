"""The pages that are made of the code, and where they lie; a test compares."""

import json
from pathlib import Path

from .commands import commands_page
from .errors import errors_page
from .events import events_page
from .metrics import metrics_page
from .program import make_app
from .settings import settings_page

_HERE = Path(__file__).parent


async def pages() -> dict[Path, str]:
    return {
        _HERE.with_name("openapi.json"): f"{json.dumps(make_app().openapi(), indent=2)}\n",
        _HERE / "metrics.md": await metrics_page(),
        _HERE / "settings.md": settings_page(),
        _HERE / "errors.md": errors_page(),
        _HERE / "events.md": events_page(),
        _HERE / "commands.md": commands_page(),
    }
