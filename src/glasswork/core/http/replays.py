"""What was received of a request, given once more."""

from starlette.types import Message, Receive


def replaying(received: list[Message], receive: Receive) -> Receive:
    """Give what was received before once more, and then keep what comes."""
    position = 0

    async def receive_again() -> Message:
        nonlocal position
        if position == len(received):
            received.append(await receive())
        position += 1
        return received[position - 1]

    return receive_again
