"""What mkdocs does not do by itself: folders in `nav`, links to folders, and links to files around `docs`."""

import re
from pathlib import Path
from typing import Any

_DOCS = Path(__file__).parent
_LINK = re.compile(r"\[([^\]]+)\]\((?!https?:)([^)#\s]+)\)")


def on_config(config: Any) -> None:
    for section in config["nav"]:
        for title, entries in section.items():
            if isinstance(entries, list):
                section[title] = [_expanded(entry) for entry in entries]


def on_page_markdown(markdown: str, page: Any, **_: object) -> str:
    folder = (_DOCS / page.file.src_uri).parent
    return _LINK.sub(lambda link: _mended(link, folder), markdown)


def _expanded(entry: Any) -> Any:
    """A folder stands for all its pages."""
    if isinstance(entry, dict):
        [(title, place)] = entry.items()
        if (_DOCS / place).is_dir():
            return {title: _pages(place)}
    return entry


def _pages(folder: str) -> list[str]:
    return [f"{folder}/{page.name}" for page in sorted((_DOCS / folder).glob("*.md"))]


def _mended(link: re.Match[str], folder: Path) -> str:
    words, target = link[1], (folder / link[2]).resolve()
    if not target.is_relative_to(_DOCS):  # the site has no page for it
        return f"`{link[2]}`" if words.strip("`") in link[2] else f"{words} (`{link[2].lstrip('./')}`)"
    if target.is_dir():
        first = min(target.glob("*.md")).name
        return f"[{words}]({link[2]}/{first})"
    return link[0]
