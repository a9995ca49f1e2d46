"""A socket that nobody new may come in by, while those who are in the door still do."""

import select
import socket
import sys
from collections.abc import Iterator

import pytest

from glasswork.core.listeners import let_in, listen, turn_away

A_MOMENT = 0.2
PATIENCE = 20

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has such filters")


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with listen("127.0.0.1", 0, "--port") as listener:
        listener.listen()
        listener.settimeout(PATIENCE)
        yield listener


def begin(listener: socket.socket) -> socket.socket:
    caller = socket.socket()
    caller.setblocking(False)
    caller.connect_ex(listener.getsockname())
    return caller


def has_come(caller: socket.socket, seconds: float) -> bool:
    return bool(select.select([], [caller], [], seconds)[1])


def test_who_is_turned_away_is_refused_once_it_is_closed(listener: socket.socket) -> None:
    turn_away(listener)
    with begin(listener) as caller:
        assert not has_come(caller, A_MOMENT)
        listener.close()
        assert has_come(caller, PATIENCE)
        with pytest.raises(ConnectionRefusedError):
            caller.send(b"x")


def test_who_has_begun_is_let_in_and_heard(listener: socket.socket) -> None:
    with begin(listener) as caller:
        turn_away(listener)
        assert has_come(caller, PATIENCE)
        caller.send(b"before")
        taken, _ = listener.accept()
        with taken:
            assert taken.recv(100) == b"before"
            taken.send(b"answer")
            caller.settimeout(PATIENCE)
            assert caller.recv(100) == b"answer"


def test_who_is_let_in_again_did_not_wait_for_nothing(listener: socket.socket) -> None:
    turn_away(listener)
    with begin(listener) as caller:
        assert not has_come(caller, A_MOMENT)
        let_in(listener)
        assert has_come(caller, PATIENCE)
        caller.send(b"after")
        taken, _ = listener.accept()
        with taken:
            assert taken.recv(100) == b"after"


def test_who_was_never_turned_away_comes_at_once(listener: socket.socket) -> None:
    let_in(listener)
    with begin(listener) as caller:
        assert has_come(caller, PATIENCE)
