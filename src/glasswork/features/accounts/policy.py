from .models import SystemRole


def can_administer(role: SystemRole) -> bool:
    return role is SystemRole.ADMIN
