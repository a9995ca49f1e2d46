"""The README's walk, pasted into a shell as it is printed."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.installations import installed

README = Path(__file__).parents[1] / "README.md"


@pytest.mark.slow
@pytest.mark.acceptance
def test_the_walk_works_as_printed(data_dir: Path) -> None:
    walk = README.read_text().partition("## Walk through it")[2].partition("## See its workings")[0]
    blocks = re.findall(r"```sh\n(.*?)```", walk, re.DOTALL)
    assert len(blocks) == 14
    with installed(data_dir) as installation:
        script = "\necho\n".join(blocks).replace("http://127.0.0.1:8000", installation.base_url)
        ended = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            capture_output=True,
            text=True,
            timeout=60,
            cwd=README.parent,
            check=False,
        )
    assert ended.returncode == 0, ended.stderr
    for said in (
        '"key":"OPS-3"',
        "STALE_VERSION",
        '"total":1',
        '"status":"done"',
        "Glasswork",
        "extra_forbidden",
        "<em>for good</em>",
        "label.created",
        "WEBHOOK_ALLOW_CIDRS",
        '"token"',
    ):
        assert said in ended.stdout, said
    assert ended.stdout.count('"key":"OPS-4"') > 1, "the second try was answered as the first"
    assert '"key":"OPS-5"' not in ended.stdout
    assert ended.stdout.count('"error"') == 3
