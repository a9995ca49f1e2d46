from uuid import UUID

from glasswork.core.errors import ConflictError


class WorkspaceThereError(ConflictError):
    code = "WORKSPACE_THERE"

    def __init__(self, workspace_id: UUID, *, is_deleted: bool) -> None:
        state = "here, deleted but not purged yet" if is_deleted else "here already"
        super().__init__(f"The workspace {workspace_id} is {state}: an archive is not loaded over it.")


class SlugInUseError(ConflictError):
    code = "SLUG_IN_USE"

    def __init__(self, slug: str) -> None:
        super().__init__(f"Another workspace here is called {slug!r}: rename one of them.")


class RowThereError(ConflictError):
    code = "ROW_THERE"

    def __init__(self, place: str) -> None:
        super().__init__(f"{place}: what it names is there already, in another workspace or twice.")
