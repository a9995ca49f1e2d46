from glasswork.features.workspaces.models import Role


def can_archive(role: Role) -> bool:
    """Also see the archives: each holds everything, the log and everybody's notifications too."""
    return role is Role.OWNER
