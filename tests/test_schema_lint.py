r"""No revision holds up who is served: Squawk reads the SQL that each one sends.

A statement that is right all the same says so itself, in the revision, with a reason beside it:
`op.execute("-- squawk-ignore ban-drop-column\nALTER TABLE ...")`.
"""

import json
import shutil
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from glasswork.core import migrations, revisions

SQUAWK = Path(sys.executable).with_name("squawk")
OLDEST_SERVER = "15"
"""That of Debian 12; squawk judges by what a version can do."""
BASELINE = "0026"
"""Up to here no revision met a table that had rows."""
NOT_OURS = {
    "prefer-bigint-over-int": "versions, numbers and minutes end far below two billion",
    "prefer-text-field": "a column of choices has a CHECK, and the length with it",
}
OF_A_DOWNGRADE = {
    "ban-drop-column": "it takes away what the upgrade has added",
    "ban-drop-table": "likewise",
    "ban-drop-not-null": "likewise",
}
BAD = [
    ("CREATE INDEX mine ON tasks (title)", "require-concurrent-index-creation"),
    ("CREATE INDEX CONCURRENTLY mine ON tasks (title)", "ban-concurrent-index-creation-in-transaction"),
    ("DROP INDEX ix_tasks_board", "require-concurrent-index-deletion"),
    ("REINDEX INDEX ix_tasks_board", "require-concurrent-reindex"),
    ("ALTER TABLE tasks ADD COLUMN mine text NOT NULL", "adding-required-field"),
    ("ALTER TABLE tasks ADD COLUMN mine uuid DEFAULT gen_random_uuid()", "adding-field-with-default"),
    (
        "ALTER TABLE tasks ADD COLUMN mine int GENERATED ALWAYS AS (number) STORED",
        "adding-field-with-default",
    ),
    ("ALTER TABLE tasks ALTER COLUMN description SET NOT NULL", "adding-not-nullable-field"),
    ("ALTER TABLE tasks ALTER COLUMN number TYPE bigint", "changing-column-type"),
    ("ALTER TABLE tasks RENAME COLUMN title TO name", "renaming-column"),
    ("ALTER TABLE tasks RENAME TO issues", "renaming-table"),
    ("ALTER TABLE tasks DROP COLUMN title", "ban-drop-column"),
    ("DROP TABLE tasks", "ban-drop-table"),
    ("TRUNCATE tasks CASCADE", "ban-truncate-cascade"),
    ("ALTER TABLE tasks ADD CONSTRAINT mine CHECK (number > 0)", "constraint-missing-not-valid"),
    ("ALTER TABLE tasks ADD CONSTRAINT mine UNIQUE (id)", "disallowed-unique-constraint"),
    (
        "ALTER TABLE tasks ADD CONSTRAINT mine FOREIGN KEY (created_by) REFERENCES users",
        "adding-foreign-key-constraint",
    ),
]
GOOD = [
    "ALTER TABLE tasks ADD COLUMN mine text",
    "ALTER TABLE tasks ADD COLUMN mine integer NOT NULL DEFAULT 0",
    "ALTER TABLE tasks ADD CONSTRAINT mine CHECK (number > 0) NOT VALID",
    "-- squawk-ignore ban-drop-column\nALTER TABLE tasks DROP COLUMN mine",
]


def later_revisions() -> list[str]:
    scripts = ScriptDirectory.from_config(migrations.alembic_config())
    return [script.revision for script in scripts.iterate_revisions("head", BASELINE)]


def rendered(action: str, between: str, config: Config | None = None) -> str:
    config = config or migrations.alembic_config()
    config.output_buffer = StringIO()
    getattr(command, action)(config, between, sql=True)
    return config.output_buffer.getvalue()


def faults(sql: str, *excluded: str) -> list[str]:
    """Return what Squawk finds, as `rule: statement`."""
    options = ["--pg-version", OLDEST_SERVER, "--reporter", "json"]
    found = subprocess.run(
        [
            SQUAWK,
            *options,
            *(f"--exclude={rule}" for rule in (*NOT_OURS, *excluded)),
            "--stdin-filepath",
            "it",
        ],
        input=sql,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    lines = sql.splitlines()
    return [f"{fault['rule_name']}: {lines[fault['line']]}" for fault in json.loads(found.stdout)]


@pytest.fixture
def bad_place(tmp_path: Path) -> tuple[Config, Any]:
    """A copy of all revisions, and what adds one more to it."""
    place = tmp_path / "migrations"
    shutil.copytree(revisions.script_location(), place, ignore=shutil.ignore_patterns("__pycache__"))
    config = Config()
    config.set_main_option("script_location", str(place))

    def add(statement: str) -> None:
        (place / "versions/one_more.py").write_text(
            f"from alembic import op\nrevision = '9999'\ndown_revision = {revisions.head()!r}\n"
            f"def upgrade():\n    op.execute({statement!r})\n"
        )

    return config, add


@pytest.mark.parametrize(("statement", "rule"), BAD)
def test_a_revision_that_would_hold_others_up_is_found(
    bad_place: tuple[Config, Any], statement: str, rule: str
) -> None:
    config, add = bad_place
    add(statement)
    found = faults(rendered("upgrade", f"{revisions.head()}:9999", config))
    assert rule in [fault.partition(":")[0] for fault in found], found


@pytest.mark.parametrize("statement", GOOD)
def test_one_that_holds_up_nobody_is_not(bad_place: tuple[Config, Any], statement: str) -> None:
    config, add = bad_place
    add(statement)
    assert faults(rendered("upgrade", f"{revisions.head()}:9999", config)) == []


@pytest.mark.parametrize("revision", later_revisions())
def test_no_revision_holds_others_up(revision: str) -> None:
    assert faults(rendered("upgrade", f"{before(revision)}:{revision}")) == []
    assert faults(rendered("downgrade", f"{revision}:{before(revision)}"), *OF_A_DOWNGRADE) == []


def before(revision: str) -> str:
    scripts = ScriptDirectory.from_config(migrations.alembic_config())
    return str(scripts.get_revision(revision).down_revision)
