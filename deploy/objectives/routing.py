"""Who is told, and what is kept back because something else explains it."""

from collections.abc import Iterator, Sequence
from typing import Any

from objectives.plan import Tempo
from objectives.rules import Alert, dump


def render_routing(alerts: Sequence[Alert], tempo: Tempo) -> str:
    """The receivers' addresses are secrets: `start.sh` puts them where a name ends in `.invalid`."""
    return dump(
        {
            "route": {
                "receiver": "ticket",
                "group_by": ["alertname", "slo"],
                **_pauses(tempo, "30s", "5m", "1d"),
                "routes": [
                    {"matchers": ['alertname="Watchdog"'], "receiver": "watchdog"}
                    | _pauses(tempo, "1s", "1m", "1m"),
                    {"matchers": ['severity="page"'], "receiver": "page"} | _pauses(tempo, "30s", "5m", "1h"),
                ],
            },
            "inhibit_rules": [
                _inhibition('severity="page"', 'severity="ticket"', ["alertname", "slo"]),
                *_inhibitions(alerts),
            ],
            "receivers": [_receiver(name) for name in ("page", "ticket", "watchdog")],
        }
    )


def _pauses(tempo: Tempo, wait: str, interval: str, repeat: str) -> dict[str, str]:
    return {
        "group_wait": tempo.range(wait),
        "group_interval": tempo.range(interval),
        "repeat_interval": tempo.range(repeat),
    }


def _inhibitions(alerts: Sequence[Alert]) -> Iterator[dict[str, Any]]:
    for alert in alerts:
        for names, equal in ((alert.mutes, []), (alert.mutes_same_job, ["job"])):
            if names:
                yield _inhibition(f'alertname="{alert.name}"', f'alertname=~"{"|".join(names)}"', equal)


def _inhibition(source: str, target: str, equal: list[str]) -> dict[str, Any]:
    return {"source_matchers": [source], "target_matchers": [target], **({"equal": equal} if equal else {})}


def _receiver(name: str) -> dict[str, Any]:
    return {"name": name, "webhook_configs": [{"url": f"http://{name}.invalid/", "send_resolved": True}]}
