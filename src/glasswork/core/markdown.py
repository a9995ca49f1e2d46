"""What people write to each other: Markdown, as HTML that harms nobody, and whom it names."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token

MOST_MARKS: Final = 5_000
"""What has more of them is not read: each takes some ten microseconds, and others wait meanwhile."""
_MARK = re.compile(r"[\n!-/:-@\[-`{-~]")
_NAME = re.compile(r"(?<![\w.@/+-])@([A-Za-z0-9_]{3,20})(?![\w@-])")

_PARSER = MarkdownIt("commonmark", {"html": False, "linkify": True}).enable(
    ["table", "strikethrough", "linkify"]
)
if _PARSER.linkify is not None:  # only what begins as a URL does
    _PARSER.linkify.set({"fuzzy_link": False, "fuzzy_email": False, "fuzzy_ip": False})
_SANITIZER = nh3.Cleaner(
    tags={
        *("p", "br", "hr", "blockquote", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li"),
        *("em", "strong", "s", "code", "pre", "a", "img", "table", "thead", "tbody", "tr", "th", "td"),
    },
    attributes={
        "a": {"href", "title"},
        "img": {"src", "alt", "title"},
        "ol": {"start"},
        "code": {"class"},  # the parser's `language-...`
        "th": {"style"},
        "td": {"style"},
    },
    filter_style_properties={"text-align"},
    url_schemes={"http", "https", "mailto"},
    link_rel="nofollow noopener noreferrer",
)


@dataclass(frozen=True, slots=True)
class Document:
    html: str
    names: Sequence[str]
    """Those behind an `@` that is neither code nor part of an address, in their order, in small letters."""


def read(text: str) -> Document:
    if _marks(text) > MOST_MARKS:
        return Document(f"<pre>{escape(text, quote=False)}</pre>", [])
    tokens = _PARSER.parse(text)
    html = _PARSER.renderer.render(tokens, _PARSER.options, {})
    return Document(_SANITIZER.clean(html), list(dict.fromkeys(_names(tokens))))


def _marks(text: str) -> int:
    """Count also the cells that a table might have: a line has as many as the head, written or not."""
    lines = text.split("\n")
    return len(_MARK.findall(text)) + len(lines) * max(line.count("|") for line in lines)


def _names(tokens: Sequence[Token]) -> Sequence[str]:
    words = (token for block in tokens for token in block.children or () if token.type == "text")
    return [name.lower() for token in words for name in _NAME.findall(token.content)]
