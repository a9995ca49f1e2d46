"""The last release, for tests that try it with this schema."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from last_release import NoHistoryError, Release, last_release

from glasswork.core import revisions


@contextmanager
def released() -> Iterator[Release]:
    """Yield it; skip where the clone is shallow, as many a CI's is by default."""
    try:
        with last_release() as release:
            yield release
    except NoHistoryError as error:
        pytest.skip(f"needs the last release, from git's history: git fetch --unshallow --tags ({error})")


def skip_without_migration(release: Release) -> None:
    if release.revision == revisions.head():
        pytest.skip(
            f"there is nothing to migrate: {release.name} has the newest revision, {release.revision}"
        )
