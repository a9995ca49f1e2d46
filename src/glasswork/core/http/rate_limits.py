"""Which rates a request is bound by, and what its answer says of them."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.types import Scope

from glasswork.core.counters import Counters
from glasswork.core.errors import EXIT_CONFIGURATION, RateLimitError, StartError
from glasswork.core.rates import Count, Hit, Quota, parse_rates
from glasswork.core.settings import Settings
from glasswork.core.telemetry.metrics import Metrics
from glasswork.core.telemetry.routes import PROBES, Routes

from .callers import Caller, Callers

_RATES: Final = "x-default-rate-limit"

Operation = tuple[str, str]
"""The method, and the template of the path."""


def rated(rates: str) -> dict[str, Any]:
    """The `openapi_extra` of an operation with rates of its own, which hold for each caller."""
    return {_RATES: rates}


@dataclass(frozen=True, slots=True)
class Counted:
    """What is to be said of a request that was counted."""

    headers: Sequence[tuple[bytes, bytes]]
    refusal: RateLimitError | None


class _Plan:
    """The quotas of an operation: those of the caller, and for who brings a token those of the token."""

    def __init__(self, of_caller: Sequence[Quota], of_token: Sequence[Quota]) -> None:
        self._of_caller = of_caller
        self._of_token = of_token
        self.quotas = [*of_caller, *of_token]
        self._policies = [_policies(of_caller), _policies(self.quotas)]

    def hits(self, caller: Caller) -> tuple[Sequence[Hit], bytes]:
        """Return what counts, and the policies that this follows from."""
        hits = [(quota, caller.key) for quota in self._of_caller]
        if caller.token is not None:
            hits += [(quota, caller.token) for quota in self._of_token]
        return hits, self._policies[caller.token is not None]


class RateLimits:
    """Made once in a process that answers requests."""

    def __init__(
        self,
        rates: Mapping[Operation, Sequence[Quota]],
        settings: Settings,
        routes: Routes,
        callers: Callers,
        counters: Counters,
        metrics: Metrics,
    ) -> None:
        self._routes = routes
        self._callers = callers
        self._counters = counters
        self._refusals = metrics.requests_limited
        everywhere = parse_rates("global", settings.rate_limit_global)
        of_token = parse_rates("token", settings.rate_limit_token)
        self._everywhere = _Plan(everywhere, of_token)
        self._plans = {
            operation: _Plan([*everywhere, *quotas], of_token) for operation, quotas in rates.items()
        }

    @property
    def policies(self) -> set[str]:
        return {quota.policy for plan in (self._everywhere, *self._plans.values()) for quota in plan.quotas}

    async def count(self, scope: Scope) -> Counted:
        operation = scope.get("method", "GET"), self._routes.place(scope).template or ""
        plan = self._plans.get(operation, self._everywhere)
        hits, policies = plan.hits(self._callers.identify(scope))
        counts = await self._counters.hit(hits)
        counted = [(quota, count) for (quota, _), count in zip(hits, counts, strict=True)]
        headers = [(b"ratelimit-policy", policies), (b"ratelimit", _left(counted))]
        exceeded = [(quota, count) for quota, count in counted if count.number > quota.amount]
        if not exceeded:
            return Counted(headers, None)
        for policy in {quota.policy for quota, _ in exceeded}:
            self._refusals.labels(policy).inc()
        return Counted(headers, RateLimitError(max(_seconds(count) for _, count in exceeded)))


def rates_of(app: FastAPI, settings: Settings) -> Mapping[Operation, Sequence[Quota]]:
    """Return the rates of the operations that have some: the operator's, or else those declared with it.

    Raise StartError when RATE_LIMIT_ROUTES names an operation that does not exist.
    """
    told, names = settings.rate_limit_routes, set()
    found: dict[Operation, Sequence[Quota]] = {}
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if not isinstance(route, APIRoute) or route.path in PROBES:
            continue
        names.add(route.name)
        if rates := told.get(route.name) or (route.openapi_extra or {}).get(_RATES):
            quotas = parse_rates(route.name, rates)
            found |= {(method, context.path or ""): quotas for method in context.methods or ()}
    if unknown := told.keys() - names:
        message = f"RATE_LIMIT_ROUTES names operations that do not exist: {', '.join(sorted(unknown))}"
        raise StartError(message, EXIT_CONFIGURATION)
    return found


def _policies(quotas: Iterable[Quota]) -> bytes:
    return ", ".join(f'"{quota.name}";q={quota.amount};w={quota.seconds}' for quota in quotas).encode()


def _left(counted: Iterable[tuple[Quota, Count]]) -> bytes:
    return ", ".join(
        f'"{quota.name}";r={max(0, quota.amount - count.number)};t={_seconds(count)}'
        for quota, count in counted
    ).encode()


def _seconds(count: Count) -> int:
    return max(1, math.ceil(count.seconds_left))
