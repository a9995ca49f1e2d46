"""A socket that nobody new may come in by, while those who are in the door still do."""

import select
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from subprocess import PIPE, Popen

import pytest

from glasswork.core.listeners import join, leave, listen

A_MOMENT = 0.2
PATIENCE = 20

pytestmark = pytest.mark.skipif(
    sys.platform != "linux",
    reason="needs Linux: other kernels have no filter that turns callers away before a socket is closed",
)


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


@contextmanager
def joined(listener: socket.socket) -> Iterator[None]:
    """Another process listens, too."""
    code = """if True:
        import socket, sys
        from glasswork.core.listeners import join
        listener = socket.socket(fileno=int(sys.argv[1]))
        join(listener)
        print("joined", flush=True)
        sys.stdin.read()
    """
    number = listener.fileno()
    command = [sys.executable, "-c", code, str(number)]
    with Popen(command, pass_fds=(number,), stdin=PIPE, stdout=PIPE) as other:
        assert other.stdout
        assert other.stdin
        assert other.stdout.readline() == b"joined\n"
        yield
        other.stdin.close()


def test_the_last_one_turns_away_who_is_refused_once_it_is_closed(listener: socket.socket) -> None:
    join(listener)
    assert leave(listener)
    with begin(listener) as caller:
        assert not has_come(caller, A_MOMENT)
        listener.close()
        assert has_come(caller, PATIENCE)
        with pytest.raises(ConnectionRefusedError):
            caller.send(b"x")


def test_where_another_listens_nobody_is_turned_away(listener: socket.socket) -> None:
    with joined(listener):
        join(listener)
        assert not leave(listener)
        with begin(listener) as caller:
            assert has_come(caller, PATIENCE)
        assert not leave(listener)
    assert leave(listener)


def test_who_has_begun_is_let_in_and_heard(listener: socket.socket) -> None:
    with begin(listener) as caller:
        assert leave(listener)
        assert has_come(caller, PATIENCE)
        caller.send(b"before")
        taken, _ = listener.accept()
        with taken:
            assert taken.recv(100) == b"before"
            taken.send(b"answer")
            caller.settimeout(PATIENCE)
            assert caller.recv(100) == b"answer"


def test_who_joins_lets_in_those_who_were_turned_away(listener: socket.socket) -> None:
    assert leave(listener)
    with begin(listener) as caller:
        assert not has_come(caller, A_MOMENT)
        with joined(listener):
            assert has_come(caller, PATIENCE)
            caller.send(b"after")
            taken, _ = listener.accept()
            with taken:
                assert taken.recv(100) == b"after"
