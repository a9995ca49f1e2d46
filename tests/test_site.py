"""The documentation as a site: it is built, its links lead somewhere, and it needs nobody else."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.slow


def build(root: Path, site: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("mkdocs"), "build", "--site-dir", site],
        cwd=root,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    built = build(ROOT, folder)
    assert built.returncode == 0, built.stderr
    return folder


def test_every_page_is_in_it(site: Path) -> None:
    docs = ROOT / "docs"
    pages = {page.relative_to(docs).with_suffix(".html") for page in docs.rglob("*.md")}
    pages = {page for page in pages if page.parts[0] != "changes"}  # of which releases are made
    assert pages
    assert {page for page in pages if not (site / page).exists()} == set()


def test_it_loads_nothing_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        loaded = re.findall(r'<(?:script|img|link|iframe)[^>]* (?:src|href)="([^"]+)"', page.read_text())
        assert [each for each in loaded if each.startswith(("http:", "https:", "//"))] == [], page


@pytest.mark.parametrize(
    "link", ["[there](there.md)", "[there](start.md#there)", "![there](images/there.png)"]
)
def test_a_link_that_leads_nowhere_is_noticed(tmp_path: Path, link: str) -> None:
    (tmp_path / "docs").mkdir()
    for name in ("mkdocs.yml", "docs/building.py"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    configuration = tmp_path / "mkdocs.yml"
    pages = "nav: [{Index: index.md}, {Start: start.md}]\n"
    configuration.write_text(configuration.read_text().partition("nav:")[0] + pages)
    (tmp_path / "docs/start.md").write_text("# Start\n")
    (tmp_path / "docs/index.md").write_text("# Index\n\n[start](start.md)\n")
    good = build(tmp_path, tmp_path / "site")
    assert good.returncode == 0, good.stderr
    (tmp_path / "docs/index.md").write_text(f"# Index\n\n{link}\n")
    assert build(tmp_path, tmp_path / "site").returncode != 0
