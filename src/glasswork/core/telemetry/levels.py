"""More lines from one logger for a while, without a new start."""

import asyncio
import logging
from time import time

SECONDS = 600
ROOT = "root"


class Levels:
    """Of this process. What is set here goes back by itself to what it was."""

    def __init__(self) -> None:
        self._until: dict[str, tuple[float, int, asyncio.TimerHandle]] = {}

    def set(self, name: str, level: str) -> None:
        """Level is debug, info, warning or error; `root` is the logger of everything."""
        logger = _logger(name)
        _, before, timer = self._until.pop(name, (0, logger.level, None))
        if timer is not None:
            timer.cancel()
        logger.setLevel(level.upper())
        timer = asyncio.get_running_loop().call_later(SECONDS, self._restore, name)
        self._until[name] = (time() + SECONDS, before, timer)

    def show(self) -> list[dict[str, str | float | None]]:
        """Loggers whose level somebody has chosen, and ours."""
        chosen = {
            name
            for name, logger in logging.root.manager.loggerDict.items()
            if isinstance(logger, logging.Logger) and (logger.level or name.startswith("glasswork"))
        }
        return [
            {
                "name": name,
                "level": logging.getLevelName(_logger(name).getEffectiveLevel()),
                "until": self._until[name][0] if name in self._until else None,
            }
            for name in [ROOT, *sorted(chosen)]
        ]

    def knows(self, name: str) -> bool:
        return name == ROOT or name in logging.root.manager.loggerDict

    def _restore(self, name: str) -> None:
        _, before, _ = self._until.pop(name)
        _logger(name).setLevel(before)


def _logger(name: str) -> logging.Logger:
    return logging.getLogger(None if name == ROOT else name)
