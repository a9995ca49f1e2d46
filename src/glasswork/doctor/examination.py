"""`glasswork doctor`: looks at everything it can reach, and tells what it could not look at."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from sqlalchemy import make_url

from glasswork.app import create_app
from glasswork.core.errors import StartError
from glasswork.core.settings import Settings
from glasswork.doctor import configuration, contract, database, neighbours, secrecy, source, work
from glasswork.doctor.facts import Facts, ask
from glasswork.doctor.findings import ERROR, Finding, judge, not_looked_at, reason_of
from glasswork.doctor.report import Report
from glasswork.doctor.signals import derive
from glasswork.doctor.source import Seen, Source
from glasswork.installation import migrate, settled

_OF_SETTINGS: Sequence[tuple[str, Callable[[Settings], Finding]]] = (
    *((check.__name__, check) for check in configuration.CHECKS),
    ("jwt_secret", secrecy.secret_strength),
    ("secret_files", secrecy.secret_files),
)


def examine(data_dir: Path | None) -> Report:
    try:
        with settled(data_dir) as (settings, is_embedded):
            return asyncio.run(_examine(settings, is_embedded))
    except StartError as error:
        return _unsettled(" ".join(str(error).split()))


def _unsettled(why: str) -> Report:
    advice = "Mend that first: nothing starts with it. .env.example lists all settings."
    wrong = Finding("settings", ERROR, ok=False, evidence=why, advice=advice)
    tables = (_OF_SETTINGS, database.CHECKS, neighbours.CHECKS, work.CHECKS)
    names = ["database", "app", *(name for table in tables for name, _ in table)]
    findings = [wrong, *(not_looked_at(name, "there are no settings") for name in names)]
    return Report(findings, derive({each.name: each for each in findings}, None, source.look(Source.here())))


async def _examine(settings: Settings, is_embedded: bool) -> Report:
    findings = [guarded(name, partial(check, settings)) for name, check in _OF_SETTINGS]
    findings = [judge("settings", ERROR, True, "They can be read.", ""), *findings]
    found, facts = await _ask_database(settings, is_embedded)
    findings += [found, *_of_database(settings, facts)]
    findings += await _of_neighbours(settings)
    findings += await _of_work(settings, facts)
    declared, app = _of_app(settings)
    findings.append(app)
    told = {**source.look(Source.here()), **declared}
    return Report(findings, derive({each.name: each for each in findings}, settings, told))


async def _ask_database(settings: Settings, is_embedded: bool) -> tuple[Finding, Facts | None]:
    url = settings.database_url.get_secret_value()
    place = f"{make_url(url).database}, at {make_url(url).host or 'a socket'}"
    try:
        facts = await ask(url)
        if is_embedded and facts.revision is None:  # a fresh one, of which `serve` would make the same
            with suppress(StartError):
                await migrate(settings)
            facts = await ask(url)
    except Exception as error:  # noqa: BLE001 (whatever it is, there is no answer)
        evidence = f"{place}, does not answer: {reason_of(error)}."
        advice = "See that it runs, and that DATABASE_URL is its address."
        return Finding("database", ERROR, ok=False, evidence=evidence, advice=advice), None
    return judge("database", ERROR, True, f"{place}, answers.", ""), facts


def _of_database(settings: Settings, facts: Facts | None) -> Sequence[Finding]:
    if facts is None:
        return [not_looked_at(name, "the database does not answer") for name, _ in database.CHECKS]
    return [guarded(name, partial(check, settings, facts)) for name, check in database.CHECKS]


async def _of_neighbours(settings: Settings) -> Sequence[Finding]:
    found = await asyncio.gather(*(check(settings) for _, check in neighbours.CHECKS), return_exceptions=True)
    names = [name for name, _ in neighbours.CHECKS]
    return [
        each if isinstance(each, Finding) else _failed(name, each)
        for name, each in zip(names, found, strict=True)
        if each is not None
    ]


async def _of_work(settings: Settings, facts: Facts | None) -> Sequence[Finding]:
    names = [name for name, _ in work.CHECKS]
    if facts is None or facts.owner is None:
        why = "the database does not answer" if facts is None else "there are no tables"
        return [not_looked_at(name, why) for name in names]
    try:
        return await work.look(settings, facts)
    except Exception as error:  # noqa: BLE001 (an older schema has other tables)
        return [not_looked_at(name, reason_of(error)) for name in names]


def _of_app(settings: Settings) -> tuple[dict[str, Seen], Finding]:
    try:
        declared = dict(
            contract.look(create_app(settings.model_copy(update={"log_level": "error"})), settings)
        )
    except StartError as error:
        advice = "Mend that first: no server starts with it."
        return {}, Finding("app", ERROR, ok=False, evidence=str(error), advice=advice)
    return declared, judge("app", ERROR, True, "It can be made with these settings.", "")


def guarded(name: str, check: Callable[[], Finding]) -> Finding:
    """Return what the check finds; that it fails itself is a finding, too."""
    try:
        return check()
    except Exception as error:  # noqa: BLE001 (the other checks are worth as much)
        return _failed(name, error)


def _failed(name: str, error: BaseException) -> Finding:
    evidence = f"The check itself failed: {reason_of(error)}."
    return Finding(name, ERROR, ok=False, evidence=evidence, advice="This is a mistake of ours: report it.")
