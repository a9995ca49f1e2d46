import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glasswork.core import markdown
from glasswork.core.markdown import MOST_MARKS

LENGTH = 65_536
REL = 'rel="nofollow noopener noreferrer"'
TABLE = """<table>
<thead>
<tr>
<th style="text-align:right">a</th>
</tr>
</thead>
<tbody>
<tr>
<td style="text-align:right">b</td>
</tr>
</tbody>
</table>
"""
TAG = re.compile(r"<[^>]*>")


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "a <b onmouseover=alert(1)>b</b> <svg/onload=alert(1)>",
        "<iframe src=https://example.com></iframe>",
        "<style>*{display:none}</style>",
        "<!-- <script>alert(1)</script> -->",
        "<a href='javascript:alert(1)'>x</a>",
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](<java\tscript:alert(1)>)",
        "[x](&#106;avascript:alert(1))",
        "[x](&#x6A;avascript&colon;alert(1))",
        "[x](java&Tab;script:alert(1))",
        "[x](\x01javascript:alert(1))",
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
        "[x](vbscript:msgbox(1))",
        "[x](file:///etc/passwd)",
        "![x](javascript:alert(1))",
        "![x](data:image/svg+xml;base64,PHN2Zz4=)",
        "![x](data:image/png;base64,AAAA)",
        "<javascript:alert(1)>",
        "<data:text/html,x>",
        "[x]\n\n[x]: javascript:alert(1)",
        '[x](https://example.com "\\" onclick=alert(1)")',
        "[x](https://example.com/\" onclick='alert(1)')",
        '![x" onerror="alert(1)](https://example.com/a.png)',
        '```js" onclick=alert(1)\n<script>\n```',
        "```<script>\n```",
        "|<script>|\n|:-:|\n|<img src=x onerror=alert(1)>|",
        "javascript:alert(1) data:text/html,x",
        "[x](https://example.com){onclick=alert(1)}",
    ],
)
def test_nothing_of_it_runs(text: str) -> None:
    tags = TAG.findall(markdown.read(text).html)
    assert not [tag for tag in tags if re.search(r"<(script|svg|iframe|style|b|!)", tag)]
    attributes = re.findall(r'([\w-]+)="([^"]*)"', " ".join(tags))
    assert {name for name, _ in attributes} <= {"href", "src", "rel", "title", "alt", "class", "style"}
    for name, value in attributes:
        scheme = re.match(r"\s*([a-z][\w+.\s-]*):", value, re.IGNORECASE)
        assert name not in {"href", "src"} or scheme is None or scheme[1] == "https"


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("*a* **b** `c` ~~d~~", "<p><em>a</em> <strong>b</strong> <code>c</code> <s>d</s></p>\n"),
        ("# A", "<h1>A</h1>\n"),
        ("> a", "<blockquote>\n<p>a</p>\n</blockquote>\n"),
        ("3. a", '<ol start="3">\n<li>a</li>\n</ol>\n'),
        ("1 < 2 & 3", "<p>1 &lt; 2 &amp; 3</p>\n"),
        ("<b>a</b>", "<p>&lt;b&gt;a&lt;/b&gt;</p>\n"),
        ("```py\na < b\n```", '<pre><code class="language-py">a &lt; b\n</code></pre>\n'),
        (
            "[a](/x)",
            f'<p><a href="/x" {REL}>a</a></p>\n',
        ),
        (
            "see https://example.com/a.",
            f'<p>see <a href="https://example.com/a" {REL}>https://example.com/a</a>.</p>\n',
        ),
        ("example.com a@example.com", "<p>example.com a@example.com</p>\n"),
        ("![a](https://example.com/a.png)", '<p><img src="https://example.com/a.png" alt="a"></p>\n'),
        ("|a|\n|-:|\n|b|", TABLE),
        ("a\nb  \nc", "<p>a\nb<br>\nc</p>\n"),
    ],
)
def test_shows(text: str, html: str) -> None:
    assert markdown.read(text).html == html


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("@ada", ["ada"]),
        ("Hi @Ada, and @bob_2!", ["ada", "bob_2"]),
        ("@ada @ADA @ada", ["ada"]),
        ("(@ada) **@bob** [@eve](/x) > @dan", ["ada", "bob", "eve", "dan"]),
        ("# @ada\n\n- @bob\n\n|@eve|\n|-|\n|@dan|", ["ada", "bob", "eve", "dan"]),
        ("@ada: @bob. @eve's", ["ada", "bob", "eve"]),
        ("a@bob.com a.@bob a+@bob _@bob", []),
        ("https://example.com/@bob [x](/@bob) <https://example.com/@bob>", []),
        ("@ab @abcdefghijklmnopqrstu @ada-b @ada@example.com @@ada", []),
        ("`@ada` ``@bob``", []),
        ("```\n@ada\n```\n\n    @bob\n\n~~~\n@eve", []),
        ("@ ada @\nada", []),
        ("![@ada](/x)", []),
    ],
)
def test_knows_whom_it_names(text: str, names: list[str]) -> None:
    assert markdown.read(text).names == names


@pytest.mark.parametrize(
    "text",
    [
        "[" * LENGTH,
        "![" * (LENGTH // 2),
        ">" * LENGTH,
        "- a\n" * (LENGTH // 4),
        "*_" * (LENGTH // 2),
        "`a``b" * (LENGTH // 5),
        "http://a.b/ " * (LENGTH // 12),
        "|a" * 100 + "|\n" + "|-" * 100 + "|\n" + "|\n" * 5_000,  # half a million cells
        "<b> @ada " * (LENGTH // 9),
    ],
    ids=lambda text: text[:8],
)
def test_what_is_too_intricate_is_shown_as_it_is(text: str) -> None:
    document = markdown.read(text)
    shown = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert (document.html, document.names) == (f"<pre>{shown}</pre>", [])


def test_much_is_read_where_there_is_little_to_it() -> None:
    text = "A long, long story of @ada without an end\n" * (LENGTH // 42)
    assert markdown.read(text).names == ["ada"]
    assert markdown.read("*" * MOST_MARKS).html != markdown.read("*" * (MOST_MARKS + 1)).html


@given(st.text(max_size=200) | st.text("<>&\"'`*_[]()!|\n -#@:/=ajs", max_size=200))
def test_every_text_becomes_harmless_html(text: str) -> None:
    html = markdown.read(text).html
    known = r"</?(p|br|hr|blockquote|h[1-6]|[uo]l|li|em|strong|s|code|pre|a|img|table|thead|tbody|t[rhd])\b"
    assert all(re.match(known, tag) for tag in TAG.findall(html))
    assert re.search(r"<[^>]* on\w+=", html) is None
