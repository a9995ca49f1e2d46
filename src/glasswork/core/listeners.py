"""The sockets that the process listens on, taken before there is anything that a taken port could stop."""

import socket

from glasswork.core.errors import EXIT_CONFIGURATION, StartError


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
