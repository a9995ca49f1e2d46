"""Bytes that are made up: what is written down, bent, and what is put together from parts of any."""

import json
from itertools import pairwise
from typing import Final

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from .bodies import CHUNKS, CODINGS, LENGTHS, with_bodies
from .exchange import End, Exchange
from .frames import FRAMES, TEXT, Talk, frame
from .handshakes import KEY, UPGRADE, VERSION, handshakes
from .heads import AUTHORIZATION, HOST, LINES, METHODS, TARGETS, VERSIONS, with_lines
from .messages import wrong
from .smuggling import AMBIGUOUS, ENDS, hidden

briefly: Final = settings(
    max_examples=10, deadline=None, database=None, suppress_health_check=list(HealthCheck), print_blob=False
)

_WRITTEN: Final = (*with_lines(), *with_bodies(), *handshakes())
_FRAMING: Final = (
    b"",
    *(b"Content-Length: " + length for length in LENGTHS),
    *(b"Transfer-Encoding: " + coding for coding in CODINGS),
)

_places = st.integers(0, 40_000)
_edits = st.lists(
    st.tuples(st.sampled_from(("cut", "put", "repeat")), _places, st.binary(max_size=6)),
    min_size=1,
    max_size=4,
)
_lines = st.lists(
    st.sampled_from((HOST[:-2], AUTHORIZATION[:-2], UPGRADE[:-2], KEY[:-2], VERSION[:-2], *LINES)), max_size=4
)
_ends = st.sampled_from((*[End.ASK] * 30, *[End.LEAVE] * 10, *[End.BREAK] * 5, End.WAIT))
_cuts = st.lists(_places, max_size=3)


def _bent(data: bytes, edits: list[tuple[str, int, bytes]]) -> bytes:
    for kind, place, other in edits:
        at = place % (len(data) + 1)
        begin, end = data[:at], data[at:]
        data = (
            begin
            + {"cut": end[len(other) :], "put": other + end, "repeat": end[: len(other)] * 2 + end}[kind]
        )
    return data


def _assembled(
    method: bytes, target: bytes, version: bytes, lines: list[bytes], framing: bytes, body: bytes
) -> bytes:
    head = (method + b" " + target + version, HOST[:-2], *lines, framing)
    return b"\r\n".join(line for line in head if line) + b"\r\n\r\n" + body


def _smuggling(target: bytes, lines: list[bytes], framing: bytes, end: bytes) -> bytes:
    body = end + hidden()
    return _assembled(b"POST", target, b" HTTP/1.1", lines, framing.replace(b"%d", b"%d" % len(body)), body)


def _cut(data: bytes, places: list[int]) -> tuple[bytes, ...]:
    at = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return tuple(data[begin:end] for begin, end in pairwise(at)) or (data,)


_requests = st.one_of(
    st.builds(_bent, st.sampled_from(_WRITTEN), _edits),
    st.builds(
        _assembled,
        st.sampled_from(METHODS),
        st.sampled_from((b"/health", b"/api/v1/users/me", b"/api/v1/auth/token", b"/api/v1/ws", *TARGETS)),
        st.sampled_from((b" HTTP/1.1",) * 5 + VERSIONS),
        _lines,
        st.sampled_from(_FRAMING),
        st.one_of(st.binary(max_size=50), st.sampled_from(CHUNKS)),
    ),
    st.builds(
        _smuggling,
        st.sampled_from((b"/api/v1/auth/register", b"/api/v1/workspaces", b"/health")),
        st.lists(st.sampled_from([line for line in LINES if b"\r\n" not in line]), max_size=2),
        st.sampled_from(AMBIGUOUS),
        st.sampled_from(ENDS),
    ),
    st.binary(max_size=200),
)
exchanges = st.lists(st.builds(Exchange, st.builds(_cut, _requests, _cuts), _ends), min_size=10, max_size=40)
"""To be held at the same time."""

_json = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=5,
)
_said = st.fixed_dictionaries(
    {"type": st.one_of(st.sampled_from(("authenticate", "subscribe", "unsubscribe", "ping")), _json)},
    optional={
        name: st.one_of(_json, st.uuids().map(str))
        for name in ("token", "workspace_id", "project_id", "task_id", "after", "subscription")
    },
)
_lengths = st.one_of(
    st.none(),
    st.binary(min_size=1, max_size=1),
    st.binary(min_size=8, max_size=8).map(lambda size: b"\x7f" + size),
)
_frames = st.one_of(
    st.sampled_from([*FRAMES.values()]),
    st.builds(_bent, st.sampled_from([*FRAMES.values()]), _edits),
    st.sampled_from([*wrong()]).map(lambda said: frame(TEXT, said.encode())),
    _said.map(lambda said: frame(TEXT, json.dumps(said).encode())),
    st.builds(
        frame,
        st.integers(0, 15),
        st.binary(max_size=200),
        fin=st.booleans(),
        mask=st.sampled_from((b"\x01\x02\x03\x04",) * 5 + (None,)),
        reserved=st.sampled_from((0,) * 9 + (1, 2, 4, 7)),
        length=st.one_of(*[st.none()] * 5, _lengths),
    ),
)
talks = st.lists(
    st.builds(
        Talk,
        st.lists(_frames, max_size=6).map(tuple),
        st.sampled_from((End.ASK, End.LEAVE, End.BREAK)),
        st.booleans(),
    ),
    min_size=10,
    max_size=40,
)
"""To be held at the same time."""
