"""The document against the running app: every operation, with good and bad input."""

from typing import Any

import pytest
from schemathesis import Case

from .fuzzing import each_settings, keeps_contract, schema


@pytest.mark.acceptance
@schema.parametrize()
@each_settings
def test_operation_keeps_its_contract(
    case: Case[Any], live: str, headers: dict[str, str], ids: dict[str, Any]
) -> None:
    keeps_contract(case, live, headers, ids)
