"""What no client means well, for every place of a request."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode

from httpx2 import Response

from .slots import Call, Slot
from .things import Things

TEXTS: Final = {
    "NUL": "a\x00b",
    "half a pair": "\ud800",
    "8 KB": "x" * 8192,
    "right to left": "\u202e\u05e9\u05dc\u05d5\u05dd\u202c, ok",
    "no width": "\u200b\u200d\ufeff\u2060",
    "combining": "e\u0301" + "\u0336" * 20,
    "beyond the plane": "👩\u200d👩\u200d👧 🦉 \U0010ffff",
    "empty": "",
}
"""Tried everywhere."""
TRICKS: Final = (
    # of SQL, of LIKE, of searches by words
    *("'; DROP TABLE users; --", "%", "_%\\", "a & | ! <-> :*", "((((", '"', "\\", "$$;$$", "*" * 500),
    *("a:*|b:*&!" * 200,),
    # of what sorts, pages and filters
    *("-", "-password_hash", "title,title", ",", "title;drop", "eyJhIjoxfQ", "====", "W10", "W251bGxd"),
    *("status:", 'label:"', "-label:", "priority:>=", "assignee:me me me", "created:>9999-99-99"),
    *("due:<0000-00-00", "due:+999999999d", ":", '"" ""'),
    # for patterns that look back, and Markdown that nests
    *("a" * 5000 + "!", "a@" + "a." * 200, "(a+)+$", " " * 5000, "0" * 5000, "1." * 2000, "[" * 3000),
    *("![" * 1500, "*a_" * 1500, ">" * 2000, "- " * 2000, "`" * 3001, "<" * 3000, "[a](" * 1000),
    *("\\" * 3001, "|a" * 1000 + "\n" + "|-" * 1000, "&#x110000;", "<!--" * 500, "a**" * 1500),
    *("http://" * 500, "@" * 3000, "@a" * 1500, "#1 " * 1000, "\n" * 3000, "~~" * 1500, "<a href=" * 500),
    # of other encodings
    *("\r\nA: b", "\x1b[31m", "\x7f\x80\x9f", "\udfff\ud800", "\ufffe\uffff", "\ufdfa" * 500),
    *("\u0130\u0131\u00df", "\u2028\u2029", "\u0661\u0662\u0663", "\uff11\uff12", "\U0001d7d8"),
    *("\u212a\u017f", "\u0344" * 300, "\u1160\u3164", "\U000e0001" * 50, "\ud83d"),
    # of numbers, moments, ids, names of zones and rules
    *("1e309", "-0", "0x10", "1_000", "+5", " 5", "5 ", "NaN", "Infinity", "null", "true", "[]", "{}"),
    *("9" * 400, "-" + "9" * 20, "2026-13-01", "2026-W01", "0000-00-00", "T", "99999-01-01T00:00:00Z"),
    *("2026-01-01T00:00:00+99:99", "P999999999Y", "1e10", "urn:uuid:", "0" * 32),
    *("{00000000-0000-0000-0000-000000000000}", "ffffffff-ffff-ffff-ffff-ffffffffffff", "me", "self"),
    *("../UTC", "Etc/../../etc/passwd", "UTC\x00", "/etc/localtime", "localtime", "posixrules", "GMT+25"),
    *("Factory", "a/" * 200, "FREQ=SECONDLY;INTERVAL=0", "FREQ=DAILY;COUNT=999999999"),
    *("FREQ=YEARLY;BYDAY=+999999MO", "RRULE:", "FREQ=;;=", "FREQ=DAILY;UNTIL=x"),
    # of addresses
    *("http://[", "http://[::1", "http://a:99999999/", "javascript:alert(1)", "//x", "http://a@b@c"),
    *("http://\u3002", "https://" + "a" * 300, "http://0x7f.1", "http://127\u30020\u30020\u30021"),
    *("https://xn--/", "https://a\x00b/", "file:///etc/passwd", "http:/\\a", "gopher://", "a@b..c"),
    *('"a b"@c.d', "a@[::1]", "a" * 65 + "@b.c", "a@" + "b" * 300 + ".c", "a@\u00fc.de", "a@xn--.de"),
    *("a@b.c\nBcc: d@e.f", "@", "a@b.c,d@e.f"),
    # of templates, paths and names of files
    *("{0}{x.__class__}", "%s%n%x", "{{7*7}}${7*7}#{7*7}", "../../../etc/passwd", "..\\..\\", "CON", "a/b"),
    *(".", "..", "~", "a" * 255 + ".b", "a\u202egpj.exe", "=1+1", "@SUM(A1)", "\ufeff", "__proto__"),
    *("constructor", "#", "?", "%00", "%zz", "%25", "a;b=c", "\t"),
)  # fmt: skip
"""Each is tried somewhere, and in the long run everywhere."""
MOMENTS: Final = (
    *("0000-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59"),
    *("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59-23:59", "10000-01-01T00:00:00Z"),
    *("1900-01-01T00:00:00+23:59", "9000-12-31T23:59:59-23:59"),
    *("2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00-24:00", "2026-01-01T00:00:00"),
    *("2016-12-31T23:59:60Z", "2026-02-30T00:00:00Z"),
)
DAYS: Final = (
    "0000-01-01",
    "0001-01-01",
    "9999-12-31",
    "10000-01-01",
    "2026-02-30",
    "2024-02-29",
    "1969-12-31",
    "",
)
NUMBERS: Final = (
    *("-0", "-1", "0.5", "1e400", "-1e400", "NaN", "-Infinity", "1e18"),
    *(str(2**31), str(2**63), str(2**70), f"1{'0' * 100}", f"1{'0' * 400}", f"1{'0' * 5000}"),
)
OTHERS: Final = ("null", "true", "{}", "[]", "[null]", '{"a": 1, "a": 2}', f"{'[' * 5000}{']' * 5000}")
REFUSED: Final = (*OTHERS, "1e400", "NaN", "-Infinity", f"1{'0' * 5000}", '"a\\u0000b"', '"\\ud800"')
"""As JSON; few places take any of them."""
FITTING: Final[Mapping[str, tuple[str, ...]]] = {
    "string": tuple(TEXTS.values()),
    "integer": NUMBERS,
    "boolean": ("null", "2"),
    "date-time": MOMENTS,
    "date": DAYS,
    "object": ('{"\\u0000": "a"}', '{"a": "\\ud800"}', '{"": {}}', "[]"),
}
HEADERS: Final = (
    b"",
    b'"',
    b"\xff\xfe",
    b'"' + b"9" * 8000 + b'"',
    b'"99999999999999999999"',
    b"W/,*,,",
    b"\xed\xa0\x80",
)
_HERE: Final = "@here@"
_PLACED: Final = re.compile(rf'"{_HERE}((?:[^"\\]|\\.)*)"')


def fitting(slot: Slot) -> tuple[str, ...]:
    """Return texts."""
    by_format = FITTING.get(slot.schema.get("format", ""))
    return by_format or FITTING[slot.schema.get("type", "string")]


def as_json(slot: Slot, text: str) -> str:
    return json.dumps(text) if slot.schema.get("type", "string") == "string" else text


def here(written: str) -> str:
    """Put into a slot of a body: JSON that is sent just as it is written, or in a form that text."""
    return _HERE + written


def in_path(text: str) -> str:
    return quote(text.encode(errors="surrogatepass"), safe="")


def request_of(call: Call, things: Things, placed: list[tuple[Slot, Any]]) -> dict[str, Any]:
    """Return what httpx2 needs to send it; nothing of it needs to be encodable."""
    request = call.request(things, *placed)
    if "json" in request:
        request["content"] = _PLACED.sub(
            lambda found: json.loads(f'"{found[1]}"'), json.dumps(request.pop("json"))
        ).encode(errors="surrogatepass")
        request["headers"] = {"Content-Type": "application/json", **request["headers"]}
    elif "data" in request:
        form = {name: str(value).removeprefix(_HERE) for name, value in request.pop("data").items()}
        request["content"] = urlencode(form, errors="surrogatepass")
        request["headers"] = {"Content-Type": "application/x-www-form-urlencoded", **request["headers"]}
    request["url"] += "?" + urlencode(request.pop("params"), errors="surrogatepass")
    return request


def fault(answer: Response) -> str | None:
    if answer.status_code < 400:
        return None
    try:
        is_envelope = answer.json()["error"].keys() >= {"code", "message", "details", "request_id"}
    except (ValueError, LookupError):
        is_envelope = False
    return None if is_envelope and answer.status_code < 500 else f"{answer.status_code} {answer.text[:500]}"
