"""Charts are pictures of a known size that hold what they are given, whatever the words."""

import subprocess
import sys
from datetime import date, timedelta
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from PIL import Image

from glasswork.core.charts import (
    Areas,
    Bars,
    Chart,
    Colour,
    Drawing,
    Lines,
    Panel,
    Points,
    Rows,
    Series,
    draw,
)
from glasswork.core.processes import run_in_child

pytestmark = pytest.mark.anyio

DAYS = [date(2026, 1, 1) + timedelta(n) for n in range(366)]
ODD = "Ten $x_1$ & <b>運用</b> \x01\x1f🚀 " + "w" * 100


def series(days: int) -> list[Series]:
    return [Series("Scope", Colour.BLUE, [2] * days), Series("Done", Colour.GREEN, [1] * days)]


def chart(*panels: Panel, days: int = 3, title: str = "T") -> Chart:
    return Chart(title, "Day", DAYS[:days], panels)


CHARTS = {
    "lines": chart(Lines("Tasks", series(366)), Lines("Hours", series(366)), days=366),
    "one_day": chart(Lines("Tasks", series(1)), days=1),
    "areas": chart(Areas("Tasks", series(3))),
    "points": chart(Points("Hours", "A task", [(0.5, 2), (2.9, 3)], {"50 %": 2, "85 %": 3, "95 %": 3})),
    "bars": chart(Bars("Tasks", [0, 0, 0])),
    "rows": Chart("T", "Open tasks", [], [Rows("Assignee", [ODD, "Ada"], series(2))]),
    "again": Chart("T", "Open tasks", [], [Rows("Assignee", [ODD, "Ada"], series(2))]),
    "odd": chart(title=ODD),
    "nothing": chart(days=0),
}


def draw_all(charts: dict[str, Chart]) -> dict[str, Drawing]:
    return {name: draw(chart) for name, chart in charts.items()}


def parsed(drawing: Drawing) -> ET.Element:
    return ET.fromstring(drawing.svg)  # noqa: S314 (our own)


def words(drawing: Drawing) -> set[str]:
    return {"".join(each.itertext()) for each in parsed(drawing).iter() if each.tag.endswith("}text")}


async def test_all_are_drawn_as_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))  # the child imports the tests
    drawn = await run_in_child(draw_all, CHARTS)
    assert drawn["rows"] == drawn["again"]
    for name, drawing in drawn.items():
        assert parsed(drawing).get("width") == "600pt", name  # 800 CSS pixels
        assert Image.open(BytesIO(drawing.png)).size == (800, 640 if name == "lines" else 450), name
    told = {name: words(drawing) for name, drawing in drawn.items()}
    assert {"T", "Day", "Tasks", "Hours", "Scope", "Done", "2026-01-01", "2026-11-19"} <= told["lines"]
    assert {"50 %", "85 %", "95 %", "A task", "2026-01-03"} <= told["points"]
    assert {"0", "1", "2026-01-02"} <= told["bars"]
    assert {"Assignee", "Open tasks", "Ada"} <= told["rows"]
    assert "Nothing to show in this period" in told["nothing"]
    (title,) = told["odd"] - told["nothing"]
    assert title.startswith("Ten $x_1$ & <b>運用</b>   🚀 www")
    assert title.endswith("w…")
    assert not any("\x01" in word for word in told["rows"])


@pytest.mark.slow
def test_nobody_else_pays_for_it() -> None:
    """In a process of its own: others draw in this one."""
    program = "import glasswork.app, glasswork.worker, sys; print('matplotlib' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert told.stdout == "False\n"
