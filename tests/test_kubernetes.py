"""The manifests against Kubernetes' own schemas, and the rules that every pod keeps."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from glasswork.core.settings import Settings
from tests.test_deployment import COMPOSE

FOLDER = Path(__file__).parents[1] / "deploy" / "kubernetes"
VALIDATE = Path(sys.executable).with_name("kubernetes-validate")
OBJECTS: dict[tuple[str, str], dict[str, Any]] = {
    (found["kind"], found["metadata"]["name"]): found
    for file in sorted(FOLDER.glob("*.yaml"))
    for found in yaml.safe_load_all(file.read_text())
}
SETTINGS: dict[str, str] = OBJECTS["ConfigMap", "glasswork"]["data"]
WORKLOADS = {key: found for key, found in OBJECTS.items() if key[0] in {"Deployment", "Job"}}
API, WORKER = ("Deployment", "glasswork-api"), ("Deployment", "glasswork-worker")
MIGRATE = ("Job", "glasswork-migrate")

each_workload = pytest.mark.parametrize("key", WORKLOADS, ids="/".join)
each_server = pytest.mark.parametrize("key", [API, WORKER], ids="/".join)


def pod(key: tuple[str, str]) -> dict[str, Any]:
    found: dict[str, Any] = WORKLOADS[key]["spec"]["template"]["spec"]
    return found


def container(key: tuple[str, str]) -> dict[str, Any]:
    found: list[dict[str, Any]] = pod(key)["containers"]
    assert len(found) == 1
    return found[0]


def validate(file: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [VALIDATE, "--strict", "--quiet", file], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.yaml")), ids=lambda file: file.name)
def test_fits_the_schemas(file: Path) -> None:
    done = validate(file)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_mistake_does_not_fit(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text((FOLDER / "api.yaml").read_text().replace("readinessProbe:", "readynessProbe:"))
    assert validate(wrong).returncode != 0


def test_the_whole_system_is_there() -> None:
    assert OBJECTS.keys() == {
        *(("ConfigMap", "glasswork"), ("ServiceAccount", "glasswork"), ("Ingress", "glasswork")),
        *(API, ("Service", "glasswork-api"), ("HorizontalPodAutoscaler", "glasswork-api")),
        *(WORKER, ("PodDisruptionBudget", "glasswork-api"), ("PodDisruptionBudget", "glasswork-worker")),
        MIGRATE,
    }


@each_workload
def test_pod_can_do_no_more_than_its_work(key: tuple[str, str]) -> None:
    security = pod(key)["securityContext"]
    assert security["runAsNonRoot"] is True
    assert (security["runAsUser"], security["runAsGroup"]) == (10001, 10001)
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod(key)["automountServiceAccountToken"] is False
    assert container(key)["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not pod(key).keys() & {"hostNetwork", "hostPID", "hostIPC", "initContainers"}
    assert all("hostPath" not in volume for volume in pod(key)["volumes"])
    resources = container(key)["resources"]
    assert resources["requests"].keys() == {"cpu", "memory"}
    assert "memory" in resources["limits"]


def test_all_run_the_same_version() -> None:
    (image,) = {container(key)["image"] for key in WORKLOADS}
    assert image.partition(":")[2] not in {"", "latest"}


def test_what_is_set_are_settings() -> None:
    known = {*map(str.upper, Settings.model_fields)}
    assert {name.removesuffix("_FILE") for name in SETTINGS} <= known
    like_compose = COMPOSE["services"]["api-1"]["environment"]
    for name in ("ENVIRONMENT", "METRICS_HOST", "METRICS_PORT", "LOG_FORMAT"):
        assert SETTINGS[name] == like_compose[name]


def test_secrets_come_as_files_and_only_to_those_who_need_them() -> None:
    mounted = {
        key: {
            item["key"]
            for volume in pod(key)["volumes"]
            for item in volume.get("secret", {}).get("items", [])
        }
        for key in (API, WORKER)
    }
    assert mounted[API] == mounted[WORKER] == {"database_url", "jwt_secret", "redis_url"}
    paths = {name: value for name, value in SETTINGS.items() if name.endswith("_FILE")}
    assert {Path(value).name for value in paths.values()} == mounted[API]
    assert not SETTINGS.keys() & {"DATABASE_URL", "JWT_SECRET", "REDIS_URL", "MIGRATION_DATABASE_URL"}
    assert "MIGRATION_DATABASE_URL_FILE" in {each["name"] for each in container(MIGRATE)["env"]}


@each_server
def test_health_is_asked_inside(key: tuple[str, str]) -> None:
    ports = {port["name"]: port["containerPort"] for port in container(key)["ports"]}
    assert str(ports["metrics"]) == SETTINGS["METRICS_PORT"]
    paths = {"startupProbe": "/health", "livenessProbe": "/health", "readinessProbe": "/ready"}
    for probe, path in paths.items():
        assert container(key)[probe]["httpGet"] == {"path": path, "port": "metrics"}


@each_server
def test_who_drains_is_not_killed_before_its_end(key: tuple[str, str]) -> None:
    longest_job = 10
    assert float(SETTINGS["DRAIN_SECONDS"]) + longest_job < pod(key)["terminationGracePeriodSeconds"]


@each_server
def test_one_is_always_left(key: tuple[str, str]) -> None:
    budget = OBJECTS["PodDisruptionBudget", key[1]]["spec"]
    assert budget["minAvailable"] == 1
    assert budget["selector"] == WORKLOADS[key]["spec"]["selector"]
    labels = WORKLOADS[key]["spec"]["template"]["metadata"]["labels"]
    assert budget["selector"]["matchLabels"].items() <= labels.items()


def test_the_number_of_apis_follows_their_cpu() -> None:
    scaler = OBJECTS["HorizontalPodAutoscaler", "glasswork-api"]["spec"]
    assert (scaler["scaleTargetRef"]["kind"], scaler["scaleTargetRef"]["name"]) == API
    assert "replicas" not in WORKLOADS[API]["spec"]
    assert scaler["minReplicas"] >= 2
    assert container(API)["resources"]["requests"]["cpu"]
    assert WORKLOADS[API]["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    for_all = scaler["maxReplicas"] * (1.5 * int(SETTINGS["DATABASE_POOL_SIZE"]) + 2)
    assert for_all < 200, "docs/scale.md tells how many connections that takes"


def test_only_what_is_for_callers_is_reachable() -> None:
    service = OBJECTS["Service", "glasswork-api"]["spec"]
    labels = WORKLOADS[API]["spec"]["template"]["metadata"]["labels"]
    assert service["selector"].items() <= labels.items()
    assert [port["targetPort"] for port in service["ports"]] == ["http"]
    (rule,) = OBJECTS["Ingress", "glasswork"]["spec"]["rules"]
    paths = {path["path"] for path in rule["http"]["paths"]}
    assert paths == {"/api/v1/", "/setup", "/health", "/ready"}
    assert rule["host"] == SETTINGS["TRUSTED_HOSTS"] == SETTINGS["PUBLIC_URL"].removeprefix("https://")
