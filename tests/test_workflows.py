"""What GitHub runs, read by the programs that know it, each of which is shown to refuse something."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.workflow_checks import (
    ROOT,
    Check,
    Findings,
    against_schema,
    audits,
    by_actionlint,
    by_rules,
    by_schema,
    by_zizmor,
    in_steps,
    needs_actionlint,
    run_tool,
)

WORKFLOWS = ROOT / ".github/workflows"
ACTIONS = sorted((ROOT / ".github/actions").glob("*/action.yml"))
HASH = "0" * 40

GOOD = f"""\
name: greet
on:
  pull_request:
permissions: {{}}
concurrency:
  group: greet-${{{{ github.ref }}}}
  cancel-in-progress: true
jobs:
  greet:
    runs-on: ubuntu-24.04
    timeout-minutes: 5
    permissions:
      contents: read # the code
    steps:
      - uses: actions/checkout@{HASH} # v5.0.0
        with:
          persist-credentials: false
      - run: echo "$TITLE"
        env:
          TITLE: ${{{{ github.event.pull_request.title }}}}
"""
INJECTED = 'echo "${{ github.event.pull_request.title }}"'
BAD: list[tuple[Check, str, str, str]] = [
    (by_schema, "timeout-minutes", "timeout-minuts", "timeout-minuts"),
    (by_schema, "contents: read", "contents: reed", "reed"),
    (by_schema, "    runs-on: ubuntu-24.04\n", "", "runs-on"),
    (by_rules, "    timeout-minutes: 5\n", "", "greet: may take too long"),
    (by_rules, "timeout-minutes: 5", "timeout-minutes: 360", "greet: may take too long"),
    (by_rules, "permissions: {}", "permissions: {contents: write}", "permissions at the top"),
    (by_rules, "    permissions:\n      contents: read # the code\n", "", "greet: permissions"),
    (by_rules, "pull_request:", "pull_request_target:", "pull_request_target"),
    (by_rules, f"@{HASH} # v5.0.0", "@v5", "greet: actions/checkout@v5 is not pinned"),
    (by_rules, "persist-credentials: false", "fetch-depth: 0", "greet: keeps the token"),
    (by_rules, 'echo "$TITLE"', INJECTED, "greet: an expression in run"),
    (by_rules, "concurrency:", "env:", "no concurrency"),
    (by_zizmor, 'echo "$TITLE"', INJECTED, "template-injection"),
    (by_zizmor, f"@{HASH} # v5.0.0", "@v5", "unpinned-uses"),
    (by_zizmor, "permissions: {}", "permissions: write-all", "excessive-permissions"),
    (by_zizmor, "persist-credentials: false", "fetch-depth: 0", "artipacked"),
    (by_zizmor, "pull_request:", "pull_request_target:", "dangerous-triggers"),
    (by_actionlint, "timeout-minutes", "timeout-minuts", 'unexpected key "timeout-minuts"'),
    (by_actionlint, "github.ref }}", "github.reff }}", '"reff" is not defined'),
    (by_actionlint, 'echo "$TITLE"', INJECTED, "potentially untrusted"),
    (by_actionlint, "ubuntu-24.04", "ubuntu-44.04", '"ubuntu-44.04" is unknown'),
]


def workflow(name: str) -> dict[str, Any]:
    jobs: dict[str, Any] = yaml.safe_load((WORKFLOWS / f"{name}.yml").read_text())["jobs"]
    return jobs


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Check], Findings]:
    """Find the mistakes that a check must find, each of them in a file of its own, beside one without any."""

    @cache
    def find(check: Check) -> Findings:
        folder = tmp_path_factory.mktemp("samples") / ".github/workflows"
        folder.mkdir(parents=True)
        (folder / "good.yml").write_text(GOOD)
        for number, (meant, right, wrong, _) in enumerate(BAD):
            assert right in GOOD
            if meant is check:
                (folder / f"{number}.yml").write_text(GOOD.replace(right, wrong))
        return check(folder)

    return find


@pytest.mark.parametrize(
    "check", [by_schema, by_rules, by_zizmor, pytest.param(by_actionlint, marks=needs_actionlint)]
)
@pytest.mark.slow
def test_nothing_is_found(check: Check, found: Callable[[Check], Findings]) -> None:
    assert found(check)["good.yml"] == []
    assert check(WORKFLOWS) == {"ci.yml": [], "release.yml": [], "weekly.yml": []}


@pytest.mark.parametrize(
    ("number", "check", "finding"),
    [
        pytest.param(number, check, finding, marks=needs_actionlint if check is by_actionlint else [])
        for number, (check, _, _, finding) in enumerate(BAD)
    ],
)
def test_a_mistake_is_found(
    number: int, check: Check, finding: str, found: Callable[[Check], Findings]
) -> None:
    findings = found(check)[f"{number}.yml"]
    assert any(finding in each for each in findings), findings


@pytest.mark.parametrize("path", ACTIONS, ids=lambda path: path.parent.name)
def test_nothing_is_found_in_our_actions(path: Path) -> None:
    assert against_schema("vendor.github-actions", path) == {path.name: []}
    assert audits(path) == {path.name: []}
    assert in_steps(yaml.safe_load(path.read_text())["runs"]["steps"]) == []


def test_nothing_is_found_in_what_updates() -> None:
    path = ROOT / ".github/dependabot.yml"
    assert against_schema("vendor.dependabot", path) == {path.name: []}
    assert audits(path) == {path.name: []}
    watched = {each["package-ecosystem"] for each in yaml.safe_load(path.read_text())["updates"]}
    assert watched == {"uv", "npm", "github-actions", "docker", "docker-compose"}


def test_a_release_passes_the_gates_and_is_published_when_all_is_built() -> None:
    jobs = workflow("release")
    assert jobs["gates"]["uses"] == "./.github/workflows/ci.yml"
    assert jobs["gates"]["needs"] == "notes"
    assert {name for name, job in jobs.items() if job.get("needs") == "gates"} == {"packages", "image"}
    assert jobs["publish"]["needs"] == ["packages", "image"]


def test_each_job_of_a_release_may_write_what_it_makes_and_nothing_else() -> None:
    signs = {"id-token", "attestations"}
    writes = {"notes": set(), "gates": set(), "packages": signs, "image": signs | {"packages"}}
    assert writes | {"publish": {"contents"}} == {
        name: {scope for scope, access in job["permissions"].items() if access == "write"}
        for name, job in workflow("release").items()
    }


@pytest.mark.parametrize("name", ["ci", "weekly"])
def test_what_is_no_release_only_reads(name: str) -> None:
    assert all(job["permissions"] == {"contents": "read"} for job in workflow(name).values())


def test_every_python_and_every_database_is_tried() -> None:
    tried = {
        (one["python"], one["postgres"]) for one in workflow("ci")["test"]["strategy"]["matrix"]["include"]
    }
    assert tried >= {(python, "18") for python in ("3.11", "3.12", "3.13", "3.14")}
    assert tried >= {("3.13", postgres) for postgres in ("15", "16", "17", "18")}


def hadolint(path: Path) -> set[str]:
    """Return the codes of what it finds."""
    return {finding["code"] for finding in json.loads(run_tool("hadolint", "--format", "json", path))}


def test_nothing_is_found_in_the_dockerfile(tmp_path: Path) -> None:
    assert hadolint(ROOT / "Dockerfile") == set()
    bad = tmp_path / "Dockerfile"
    bad.write_text("FROM debian\nRUN cd /tmp && apt-get install curl\n")
    assert hadolint(bad) >= {"DL3003", "DL3006", "DL3008"}
