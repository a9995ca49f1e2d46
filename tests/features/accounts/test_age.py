from collections.abc import Callable
from datetime import date

import pytest
from httpx2 import AsyncClient

from glasswork.core.errors import AppError
from glasswork.features.accounts.policy import refuse_young

from .sign_in import error_of, register

TODAY = date(2026, 2, 28)


@pytest.mark.parametrize(
    ("born", "code"),
    [
        (None, "VALIDATION_ERROR"),
        (date(2026, 3, 1), "VALIDATION_ERROR"),
        (date(1895, 2, 28), "VALIDATION_ERROR"),
        (date(2026, 2, 28), "TOO_YOUNG"),
        (date(2010, 3, 1), "TOO_YOUNG"),
        (date(2010, 2, 28), None),
        (date(2008, 2, 29), None),
        (date(1896, 2, 29), None),
    ],
)
def test_sixteen_years(born: date | None, code: str | None) -> None:
    if code is None:
        refuse_young(born, 16, TODAY)
        return
    with pytest.raises(AppError) as refused:
        refuse_young(born, 16, TODAY)
    assert refused.value.code == code


def test_somebody_born_on_a_leap_day_is_older_from_march_on() -> None:
    with pytest.raises(AppError):
        refuse_young(date(2012, 2, 29), 14, TODAY)
    refuse_young(date(2012, 2, 29), 14, date(2026, 3, 1))


def test_without_a_minimum_nothing_is_asked() -> None:
    refuse_young(None, None, TODAY)


@pytest.mark.anyio
async def test_registration_asks_where_there_is_a_minimum(
    client: AsyncClient, change_settings: Callable[..., None]
) -> None:
    change_settings(registration_min_age=16)
    missing = error_of(await register(client))
    assert missing["details"]["errors"][0]["loc"] == ["body", "date_of_birth"]
    young = await register(client, date_of_birth=f"{date.today().year - 1}-01-01")  # noqa: DTZ011
    assert (young.status_code, error_of(young)["details"]) == (403, {"min_age": 16})
    assert (await register(client, date_of_birth="1990-05-01")).status_code == 201


@pytest.mark.anyio
@pytest.mark.parametrize("born", [0, 20_000_101, "0", "2000-01-01T00:00:00", "20000101", "0001-01-01"])
async def test_a_date_of_birth_that_is_no_day_is_refused(client: AsyncClient, born: object) -> None:
    refused = error_of(await register(client, date_of_birth=born))
    assert refused["details"]["errors"][0]["loc"] == ["body", "date_of_birth"]
