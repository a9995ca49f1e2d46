import json
from decimal import Decimal
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, ValidationError

from glasswork.core.decimals import Exact


class Price(BaseModel):
    amount: Annotated[Decimal, Exact(5, 2)]


class Count(BaseModel):
    amount: Annotated[Decimal, Exact(3, 0)]


class Share(BaseModel):
    amount: Annotated[Decimal, Exact(2, 2)]


@pytest.mark.parametrize(
    ("model", "value"),
    [
        *((Price, value) for value in (1, 1.5, True, None, "", " 1", "1 ", "+1", "01", ".5", "1.", "1e1")),
        *(
            (Price, value)
            for value in ("1.005", "1000", "-1000.00", "NaN", "Infinity", "1,5", "1_0", "\u0661", "1\n")
        ),
        *((Count, value) for value in ("1.0", "1000", "-01")),
        *((Share, value) for value in ("1", "1.00", "0.001", ".5")),
    ],
)
def test_what_is_no_such_decimal_is_refused(model: Any, value: object) -> None:
    with pytest.raises(ValidationError) as refused:
        model.model_validate({"amount": value})
    (fault,) = refused.value.errors()
    assert (fault["type"], fault["loc"]) == ("decimal", ("amount",))


@pytest.mark.parametrize(
    ("model", "value", "shown"),
    [
        (Price, "0", "0.00"),
        (Price, "-0", "0.00"),
        (Price, "-0.00", "0.00"),
        (Price, "12.5", "12.50"),
        (Price, "-999.99", "-999.99"),
        (Price, Decimal("7.5"), "7.50"),
        (Count, "999", "999"),
        (Share, "0.5", "0.50"),
        (Share, "-0.99", "-0.99"),
    ],
)
def test_what_is_one_has_all_its_digits(model: Any, value: object, shown: str) -> None:
    read = model.model_validate({"amount": value})
    assert str(read.amount) == shown
    assert json.loads(read.model_dump_json()) == {"amount": shown}
    assert isinstance(read.model_dump()["amount"], Decimal)


@pytest.mark.parametrize(
    ("type_", "pattern", "greatest"),
    [
        (Exact(5, 2), r"^-?(0|[1-9][0-9]{0,2})(\.[0-9]{1,2})?$", "999.99"),
        (Exact(3, 0), "^-?(0|[1-9][0-9]{0,2})$", "999"),
        (Exact(2, 2), r"^-?0(\.[0-9]{1,2})?$", "0.99"),
    ],
)
def test_the_document_says_which_are_taken(type_: Exact, pattern: str, greatest: str) -> None:
    assert type_.pattern == pattern
    assert str(type_.greatest) == greatest


@pytest.mark.parametrize("mode", ["validation", "serialization"])
def test_it_is_a_string_in_both_directions(mode: Any) -> None:
    schema = Price.model_json_schema(mode=mode)["properties"]["amount"]
    assert schema == {"title": "Amount", "type": "string", "pattern": Exact(5, 2).pattern}
