from typing import Final

from glasswork.core.guessing import Guess, Limit

from .errors import InvalidOneTimeTokenError, WrongPasswordError

ONE_TIME_TOKEN: Final = Guess("one_time_token", address=Limit(50), wrong=(InvalidOneTimeTokenError,))
OWN_PASSWORD: Final = Guess("own_password", account=Limit(5), wrong=(WrongPasswordError,))
"""Of who is signed in, and need not be the owner."""
RESET_LETTER: Final = Guess(
    "reset_letter", account=Limit(1, pause=60, longest=60), address=Limit(50), is_spent=True
)
