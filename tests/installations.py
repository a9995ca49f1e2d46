"""What the acceptance suite runs against: one process, or with INSTALLATION=cluster all that is deployed.

That is two APIs and two workers on one PostgreSQL and one Redis, behind Traefik and its TLS.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx2

from tests.processes import Serving, Working
from tests.redis_server import RedisServer
from tests.traefik import Traefik

IS_CLUSTER = os.environ.get("INSTALLATION") == "cluster"
NODES = 2
ONE_PROXY = {"TRUSTED_PROXIES": "127.0.0.1/32", "TRUSTED_HOSTS": "localhost,127.0.0.1"}


@dataclass(frozen=True)
class Installation:
    base_url: str
    client: httpx2.Client


@dataclass(frozen=True)
class Cluster(Installation):
    traefik: Traefik
    apis: list[Serving]


@contextmanager
def installed(data_dir: Path, **environment: str) -> Iterator[Installation]:
    with ExitStack() as stack:
        if IS_CLUSTER:
            yield stack.enter_context(cluster(data_dir, **environment))
        else:
            serving = stack.enter_context(Serving(data_dir, **environment))
            yield Installation(serving.base_url, serving.client)


@contextmanager
def cluster(data_dir: Path, **environment: str) -> Iterator[Cluster]:
    """Clients of this process trust the certificate, and so do those that it starts."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        redis = stack.enter_context(RedisServer(folder))
        traefik = stack.enter_context(Traefik(folder))
        environment |= ONE_PROXY | {"REDIS_URL": redis.url, "PUBLIC_URL": traefik.url}
        apis = [stack.enter_context(Serving(data_dir, "--no-worker", **environment)) for _ in range(NODES)]
        for _ in range(NODES):
            stack.enter_context(Working(data_dir, **environment))
        traefik.start([api.base_url for api in apis])
        stack.enter_context(trusting(traefik.certificate))
        client = stack.enter_context(httpx2.Client(base_url=traefik.url, timeout=30))
        yield Cluster(traefik.url, client, traefik, apis)
        assert not traefik.errors()


@contextmanager
def trusting(certificate: Path) -> Iterator[None]:
    names = ("SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, str(certificate)))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
