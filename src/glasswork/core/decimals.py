"""Amounts that no float may touch: decimals, which JSON carries as strings."""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema


@dataclass(frozen=True, slots=True)
class Exact:
    """Makes `Annotated[Decimal, Exact(12, 2)]` of so many digits, of which so many stand behind the point.

    It reads `"12.5"`, which is `Decimal("12.50")` then, as the column `Numeric(12, 2)` has it, and never a
    JSON number, of which some reader on the way makes a float.
    """

    precision: int
    scale: int

    @property
    def pattern(self) -> str:
        whole = self.precision - self.scale
        head = f"(0|[1-9][0-9]{{0,{whole - 1}}})" if whole else "0"
        return f"^-?{head}(\\.[0-9]{{1,{self.scale}}})?$" if self.scale else f"^-?{head}$"

    @property
    def greatest(self) -> Decimal:
        return Decimal(10 ** (self.precision - self.scale)) - Decimal(1).scaleb(-self.scale)

    def read(self, value: Any) -> Decimal:
        if isinstance(value, str) and re.fullmatch(self.pattern[1:-1], value):
            value = Decimal(value)
        elif not isinstance(value, Decimal):
            raise PydanticCustomError(
                "decimal",
                'must be a string such as "{greatest}", with at most as many digits on either side',
                {"greatest": str(self.greatest)},
            )
        return self._rounded(value) + 0  # there is no -0 in the database

    def _rounded(self, value: Decimal) -> Decimal:
        return value.quantize(Decimal(1).scaleb(-self.scale))

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        text = core_schema.str_schema(pattern=self.pattern)
        return core_schema.no_info_plain_validator_function(
            self.read,
            json_schema_input_schema=text,
            serialization=core_schema.plain_serializer_function_ser_schema(
                str, return_schema=text, when_used="json"
            ),
        )
