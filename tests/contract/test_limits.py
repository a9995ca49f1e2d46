"""The document against the running app: every limit, method and way to leave something out."""

from typing import Any

import pytest
import schemathesis
from schemathesis import Case

from .fuzzing import DOCUMENT, each_settings, keeps_contract

schema = schemathesis.openapi.from_dict(DOCUMENT)
schema.config.phases.examples.enabled = schema.config.phases.fuzzing.enabled = False


@pytest.mark.slow
@schema.parametrize()
@each_settings
def test_operation_keeps_its_contract_at_every_limit(
    case: Case[Any], live: str, headers: dict[str, str], ids: dict[str, Any]
) -> None:
    keeps_contract(case, live, headers, ids)
