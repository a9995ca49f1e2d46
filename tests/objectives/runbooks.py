"""The pages that alerts lead to."""

import re
from collections.abc import Mapping
from pathlib import Path

RUNBOOKS = Path(__file__).parents[2] / "docs/runbooks"
SECTIONS = ("Meaning", "Impact", "First three checks", "Mitigation", "Escalation")


def sections(page: Path) -> Mapping[str, str]:
    parts = re.split(r"^## (.+)\n", page.read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def checks(page: Path) -> list[str]:
    """What can be pasted, in the section of checks."""
    return re.findall(r"^```sh\n(.+?)^```", sections(page)["First three checks"], re.MULTILINE | re.DOTALL)
