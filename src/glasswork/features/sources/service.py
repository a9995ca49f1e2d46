from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from functools import partial
from uuid import UUID

from glasswork.core.outgoing import Outgoing
from glasswork.core.storage import Storage
from glasswork.core.tokens import Keys
from glasswork.features.csv_files.schemas import CsvOptions
from glasswork.features.csv_files.service import CsvFile
from glasswork.features.github_archives.service import GithubArchive
from glasswork.features.github_issues.schemas import GithubOptions
from glasswork.features.github_issues.service import GithubIssues
from glasswork.features.imports.models import Import, ImportFormat
from glasswork.features.imports.policy import unseal_token
from glasswork.features.intake.schemas import Source
from glasswork.features.todoist_exports.schemas import TodoistOptions
from glasswork.features.todoist_exports.service import TodoistExport
from glasswork.features.trello_boards.schemas import TrelloOptions
from glasswork.features.trello_boards.service import TrelloBoard


@dataclass(frozen=True, slots=True)
class Sources:
    """What imports are read from."""

    keys: Keys
    storage: Storage
    outgoing: Outgoing
    github_api_url: str

    def of(self, import_: Import) -> Source:
        """Raise TokenLostError."""
        if import_.format is ImportFormat.GITHUB:
            token = unseal_token(self.keys, import_.id, import_.secret) if import_.secret else None
            options = GithubOptions.model_validate(import_.options)
            return GithubIssues(self.outgoing, self.github_api_url, token, options)
        assert import_.object_id is not None and import_.size is not None  # noqa: S101, PT018 (else nothing begins)
        open_at = partial(_open, self.storage, import_.object_id, import_.size)
        sha256 = import_.sha256 or ""
        match import_.format:
            case ImportFormat.CSV:
                return CsvFile(open_at, sha256, CsvOptions.model_validate(import_.options))
            case ImportFormat.TODOIST:
                return TodoistExport(open_at, sha256, TodoistOptions.model_validate(import_.options))
            case ImportFormat.TRELLO:
                return TrelloBoard(open_at, TrelloOptions.model_validate(import_.options))
            case ImportFormat.GITHUB_ARCHIVE:
                return GithubArchive(open_at)


async def _open(storage: Storage, object_id: UUID, size: int, start: int) -> AsyncGenerator[bytes]:
    return _all(await storage.open(object_id, start, size))


async def _all(chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    async for chunk in chunks:
        yield chunk
