"""A real Traefik with the configuration that is deployed; only its ports and the API's addresses differ."""

import ipaddress
import json
import os
import shutil
import ssl
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx2
import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.processes import free_port, until
from tests.scrapes import total

PROGRAM = Path(sys.executable).with_name("traefik")
DEPLOYED = Path(__file__).parents[1] / "deploy" / "traefik"
HOST = "localhost"

needs_traefik = pytest.mark.skipif(
    not PROGRAM.exists(), reason="needs Traefik, which `uv sync` installs on Linux alone"
)


class Traefik:
    """It listens on free ports of 127.0.0.1; `certificate` is what its clients must trust."""

    def __init__(self, folder: Path) -> None:
        self._log = folder / "traefik.log"
        self._static = folder / "traefik.yml"
        self.dynamic = folder / "dynamic"
        shutil.copytree(DEPLOYED / "dynamic", self.dynamic)
        self.certificate = _make_certificate(folder, self.dynamic)
        static: dict[str, Any] = yaml.safe_load((DEPLOYED / "traefik.yml").read_text())
        self.ports = {name: free_port() for name in static["entryPoints"]}
        for name, port in self.ports.items():
            static["entryPoints"][name]["address"] = f"127.0.0.1:{port}"
        static["certificatesResolvers"]["letsencrypt"]["acme"]["storage"] = str(folder / "acme.json")
        static["providers"]["file"]["directory"] = str(self.dynamic)
        self._static.write_text(yaml.safe_dump(static))
        self.url = f"https://{HOST}:{self.ports['websecure']}"
        self.plain_url = f"http://{HOST}:{self.ports['web']}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, servers: Sequence[str]) -> None:
        """`servers` are URLs of the API, as http://127.0.0.1:8000."""
        addresses = " ".join(url.removeprefix("http://") for url in servers)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [PROGRAM, "--configFile", self._static],
                env=os.environ | {"PUBLIC_HOST": HOST, "API_SERVERS": addresses, "CERT_RESOLVER": ""},
                stdout=log,
                stderr=log,
            )
        until(self._answers)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=20)

    @cached_property
    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.certificate)

    def client(self) -> httpx2.Client:
        return httpx2.Client(base_url=self.url, verify=self.trust, timeout=30, trust_env=False)

    def servers_up(self) -> float:
        """How many of the servers it takes for well."""
        scrape = httpx2.get(f"http://127.0.0.1:{self.ports['metrics']}/metrics").text
        return total(scrape, "traefik_service_server_up", service="api@file")

    def lines(self) -> list[dict[str, Any]]:
        """What it has logged, of itself and of requests."""
        return [json.loads(line) for line in self._log.read_text().splitlines() if line.startswith("{")]

    def errors(self) -> list[str]:
        """What was wrong with it; that a body was too long is a caller's mistake."""
        told = [str(line) for line in self.lines() if line.get("level") in {"error", "fatal"}]
        return [line for line in told if "request body over limit" not in line]

    def requests(self) -> list[dict[str, Any]]:
        return [line for line in self.lines() if "RequestMethod" in line]

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self._log.read_text()
        try:
            return httpx2.get(f"http://127.0.0.1:{self.ports['ping']}/ping").is_success
        except httpx2.TransportError:
            return False


def _make_certificate(folder: Path, dynamic: Path) -> Path:
    """Put one of our own in, as an operator would who has one."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    names: list[x509.GeneralName] = [
        x509.DNSName(HOST),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    ]
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    own, secret = folder / "certificate.pem", folder / "key.pem"
    own.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    files = {"certFile": str(own), "keyFile": str(secret)}
    tls = {"tls": {"stores": {"default": {"defaultCertificate": files}}}}
    (dynamic / "certificate.yml").write_text(yaml.safe_dump(tls))
    return own
