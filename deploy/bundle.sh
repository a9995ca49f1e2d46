#!/bin/sh
# Writes a bundle for runc that runs an unpacked image as hardened as docker-compose.yml does:
#   sh deploy/bundle.sh ROOTFS BUNDLE
# Settings are taken from the environment: ENVIRONMENT, DATABASE_URL, JWT_SECRET, STORAGE_URL, PUBLIC_URL.
set -eu

rootfs=$1 bundle=$2
mkdir -p "$bundle"
rm -f "$bundle/config.json"
runc spec --bundle "$bundle"
ROOTFS=$rootfs python3 - "$bundle/config.json" <<'PYTHON'
import json
import os
import sys

path = sys.argv[1]
with open(path) as file:
    config = json.load(file)
config["root"] = {"path": os.environ["ROOTFS"], "readonly": True}
settings = ("ENVIRONMENT", "DATABASE_URL", "JWT_SECRET", "STORAGE_URL", "PUBLIC_URL")
config["process"] |= {
    "terminal": False,
    "user": {"uid": 10001, "gid": 10001},
    "cwd": "/app",
    "args": ["glasswork", "serve"],
    "env": ["PATH=/opt/glasswork/bin:/usr/local/bin:/usr/bin:/bin", "PYTHONDONTWRITEBYTECODE=1"]
    + [f"{name}={os.environ[name]}" for name in settings if name in os.environ],
    "capabilities": {name: [] for name in config["process"]["capabilities"]},
    "noNewPrivileges": True,
    "rlimits": [],
}
config["mounts"] = [mount for mount in config["mounts"] if mount["type"] != "cgroup"]
config["mounts"].append(
    {"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "nodev", "size=64m"]}
)
# the host's network; without cgroups, which not every machine lets others have
config["linux"]["namespaces"] = [
    each for each in config["linux"]["namespaces"] if each["type"] not in {"network", "cgroup"}
]
config["linux"].pop("resources", None)
with open(path, "w") as file:
    json.dump(config, file)
PYTHON
