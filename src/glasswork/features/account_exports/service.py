from collections.abc import AsyncIterator
from typing import Any, Final, get_origin, get_type_hints

from pydantic import TypeAdapter

from glasswork.core.actor import Actor
from glasswork.core.db import Database
from glasswork.features.accounts.schemas import UserRead
from glasswork.features.accounts.service import UserLookup

from .repository import ExportRepository
from .schemas import AccountExport

_LISTS: Final[dict[str, TypeAdapter[Any]]] = {
    name: TypeAdapter(type_)
    for name, type_ in get_type_hints(AccountExport).items()
    if get_origin(type_) is list
}
"""The fields of the document that are lists, in their order; nothing else of it grows."""


class ExportService:
    """Everything about me, as one JSON document that is never in memory as a whole."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open(self, actor: Actor) -> AsyncIterator[bytes]:
        """Refuse now, or return the document's parts."""
        async with self._database.reading() as session:
            me = await UserLookup(session).me(actor)
        data = ExportRepository(self._database, me.id, me.email)
        profile = UserRead.model_validate(me).model_dump_json()
        exported_at = TypeAdapter(Any).dump_json(await data.now()).decode()
        return self._write(f'{{"exported_at":{exported_at},"profile":{profile}', data)

    async def _write(self, beginning: str, data: ExportRepository) -> AsyncIterator[bytes]:
        yield beginning.encode()
        for name, items in _LISTS.items():
            yield f',"{name}":['.encode()
            separator = b""
            async for rows in data.batches(name):
                if rows:
                    whole = items.dump_json(items.validate_python(rows, from_attributes=True))
                    yield separator + whole[1:-1]
                    separator = b","
            yield b"]"
        yield b"}"
