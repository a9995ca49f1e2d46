"""Whether secrets are worth their name, and whether others can read them."""

import math
import os
import stat
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from glasswork.core.settings import MIN_SECRET_BYTES, Settings
from glasswork.doctor.findings import ERROR, WARNING, Finding, in_production, judge, listed

MIN_BITS = 128

_TOLD_EVERYWHERE = (
    *("secret", "changeme", "change-me", "change_me", "changethis", "change this", "replace", "example"),
    *("password", "default", "testing", "glasswork", "your-", "your_", "qwerty", "openssl rand", "known to"),
)
_MOUNTED = (Path("/run/secrets"), Path("/var/run/secrets"))
"""Where who runs a container puts its secrets; nobody else lives in there."""
_READ_BY_OTHERS = stat.S_IROTH
_ENTERED_BY_OTHERS = stat.S_IXOTH


def weakness_of(secret: str) -> str | None:
    """Say what speaks against it, None where it looks like made by a generator.

    The entropy is that of its own characters, and so an estimate: it finds what people type, not what a
    bad generator makes.
    """
    if len(secret.encode()) < MIN_SECRET_BYTES:
        return f"has fewer than {MIN_SECRET_BYTES} bytes"
    lower = secret.lower()
    if any(word in lower for word in _TOLD_EVERYWHERE):
        return "has a word that examples have"
    if (secret + secret).find(secret, 1) < len(secret):
        return "repeats itself"
    steps = [abs(ord(a) - ord(b)) <= 1 for a, b in pairwise(secret)]
    if sum(steps) > len(steps) / 2:
        return "counts up or down"
    bits = -sum(n * math.log2(n / len(secret)) for n in Counter(secret).values())
    return f"has about {bits:.0f} bits of entropy" if bits < MIN_BITS else None


def secret_strength(settings: Settings) -> Finding:
    secrets = {"JWT_SECRET": settings.jwt_secret}
    secrets |= {
        f"JWT_ACCEPTED_SECRETS, number {place}": each
        for place, each in enumerate(settings.jwt_accepted_secrets, 1)
    }
    weak = [
        f"{name} {weakness}"
        for name, secret in secrets.items()
        if (weakness := weakness_of(secret.get_secret_value()))
    ]
    size = len(settings.jwt_secret.get_secret_value().encode())
    return judge(
        "jwt_secret",
        in_production(settings, ERROR, WARNING),
        not weak,
        f"{listed(weak)}." if weak else f"JWT_SECRET has {size} bytes, and looks random.",
        "Make one: openssl rand -base64 48. docs/upgrade.md says how nobody is logged out by that.",
    )


def secret_files(settings: Settings) -> Finding:
    files = sorted(_files_in_use(settings))
    open_ones = [str(path) for path in files if _is_open(path)]
    seen = f"Files with secrets: {len(files)}, closed to others." if files else "No file holds a secret."
    return judge(
        "secret_files",
        in_production(settings, ERROR),
        not open_ones,
        f"Everybody on this machine can read {listed(open_ones)}." if open_ones else seen,
        "chmod o-r them, or close the folder that they are in; then change the secrets.",
    )


def origin_of_secret(settings: Settings) -> str:
    """Say where JWT_SECRET comes from."""
    if os.environ.get("JWT_SECRET_FILE"):
        return "a file"
    kept = _kept(settings)
    if kept.exists() and os.environ.get("JWT_SECRET") == _read(kept):
        return "DATA_DIR"
    return "the environment" if os.environ.get("JWT_SECRET") else ".env"


def _files_in_use(settings: Settings) -> Iterator[Path]:
    for name in type(settings).model_fields:
        if told := os.environ.get(f"{name.upper()}_FILE"):
            yield Path(told)
    for path in (_kept(settings), Path(".env")):
        if path.is_file():
            yield path.resolve()


def _kept(settings: Settings) -> Path:
    return settings.data_dir / "jwt_secret"


def _read(path: Path) -> str | None:
    try:
        return path.read_text()
    except OSError:
        return None


def _is_open(path: Path) -> bool:
    """Whether others get as far as the file, and may read it."""
    absolute = path.absolute()
    if any(absolute.is_relative_to(folder) for folder in _MOUNTED):
        return False
    real = absolute.resolve()
    return bool(real.stat().st_mode & _READ_BY_OTHERS) and all(
        folder.stat().st_mode & _ENTERED_BY_OTHERS for folder in real.parents
    )
