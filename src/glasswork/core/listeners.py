"""The sockets that the process listens on, taken before there is anything that a taken port could stop."""

import ctypes
import fcntl
import socket
import struct
import sys
from contextlib import suppress

from glasswork.core.errors import EXIT_CONFIGURATION, StartError

# Of Linux alone, and not in `socket`: socket(7).
_SO_ATTACH_FILTER, _SO_DETACH_FILTER = 26, 27
_FILTER = (  # instructions (code, jump if true, jump if false, operand) of the kernel's packet filter
    (0x30, 0, 0, 13),  # load the flags of the TCP header
    (0x54, 0, 0, 0x12),  # of these SYN and ACK
    (0x15, 0, 1, 0x02),  # SYN alone begins a connection
    (0x06, 0, 0, 0),  # drop it
    (0x06, 0, 0, 0xFFFF_FFFF),  # keep all others
)


def listen(host: str, port: int, option: str) -> socket.socket:
    """Take the address; raise StartError, which names the option that chooses another port."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        message = f"Cannot listen on {host}, port {port}: {error.strerror}. Choose another one with {option}."
        raise StartError(message, EXIT_CONFIGURATION) from error
    listener.set_inheritable(True)
    return listener


def join(listener: socket.socket) -> None:
    """Count this process among those that listen on the socket, which they share; all are let in again."""
    with suppress(OSError):
        fcntl.lockf(listener, fcntl.LOCK_SH)
        listener.setsockopt(socket.SOL_SOCKET, _SO_DETACH_FILTER, bytes(4))


def leave(listener: socket.socket) -> bool:
    """Return whether no other process is left that listens; then nobody can begin a connection any more.

    Who has begun one is still let in. A close alone resets those whom the kernel takes in just before it;
    whoever is turned away asks the kernel again, a second later, and is refused if the socket is closed by
    then. Elsewhere than on Linux nobody is turned away.
    """
    try:
        fcntl.lockf(listener, fcntl.LOCK_UN)  # two that leave at once must not hold up each other
        fcntl.lockf(listener, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fcntl.lockf(listener, fcntl.LOCK_UN)  # whoever takes over need not wait for the close
    except BlockingIOError:
        return False
    except OSError:
        return True
    if sys.platform == "linux":
        instructions = b"".join(struct.pack("HBBI", *each) for each in _FILTER)
        kept = ctypes.create_string_buffer(instructions)
        program = struct.pack("HL", len(_FILTER), ctypes.addressof(kept))
        with suppress(OSError):
            listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
    return True
