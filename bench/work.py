"""What a piece of background work costs, of which there are many."""

import msgspec


class Work(msgspec.Struct):
    items: int
    per_second: float
    app_us: float
    """CPU per item, in microseconds."""
    database_us: float
