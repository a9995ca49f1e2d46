import logging
from collections.abc import Mapping
from typing import Any

from opentelemetry.trace import SpanContext


class RequestLine(logging.LogRecord):
    """The line of a request, which costs less than others: it is written for every one.

    Its fields are numbers, names of ours, ids, templates of paths and what callers.py tells of a caller:
    there is nothing to be taken out. It is made by one function, so nobody asks where it comes from.
    """

    _logger = None
    """Its message is a mapping, as structlog's."""

    def __init__(
        self,
        name: str,
        level: int,
        fields: Mapping[str, Any],
        error: BaseException | None,
        request_id: str,
        ids: SpanContext,
    ) -> None:
        message = {"event": "http.request", **fields, "exc_info": error}
        super().__init__(name, level, __file__, 0, message, None, None)
        self.error = error
        self.request_id = request_id
        self.ids = ids
        self.fields = fields
