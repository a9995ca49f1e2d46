"""What schemathesis makes of the document for one operation: its examples, every limit, and inventions."""

from typing import Any, Final

from hypothesis import HealthCheck, settings
from schemathesis import Case
from schemathesis.generation.hypothesis.builder import HypothesisTestConfig, HypothesisTestMode, create_test
from schemathesis.schemas import APIOperation

from tests.contract.fuzzing import keeps_contract, without_streams

_SETTINGS: Final = settings(
    max_examples=5, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)


def try_operation(
    operation: APIOperation[Any, Any, Any, Any], base_url: str, token: str, ids: dict[str, Any], seed: int
) -> None:
    """Raise when an answer breaks the contract, with a request that makes it do so."""

    def keeps(case: Case[Any]) -> None:
        keeps_contract(case, base_url, {"Authorization": f"Bearer {token}"}, ids)

    modes = [*HypothesisTestMode]
    config = HypothesisTestConfig(without_streams.config, modes, settings=_SETTINGS, seed=seed)
    create_test(operation=operation, test_func=keeps, config=config)()
