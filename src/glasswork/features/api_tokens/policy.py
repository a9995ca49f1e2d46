from glasswork.core.actor import Scope

_OF_INSTALLATION = frozenset({Scope.ADMIN_READ, Scope.ADMIN_WRITE})


def can_be_kept_to_workspace(scopes: set[Scope]) -> bool:
    """What concerns the installation is in no workspace."""
    return not scopes & _OF_INSTALLATION
