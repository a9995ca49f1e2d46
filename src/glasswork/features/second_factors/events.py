from glasswork.core.events import Event
from glasswork.features.credentials.schemas import Unchanged


class _OfSecondFactor(Event):
    """The subject is the user; what is secret is in no event."""

    schema = Unchanged


class TotpEnabled(_OfSecondFactor):
    type = "user.totp_enabled"


class TotpDisabled(_OfSecondFactor):
    """By the user, or by an admin of the installation."""

    type = "user.totp_disabled"


class RecoveryCodesRenewed(_OfSecondFactor):
    type = "user.recovery_codes_renewed"


class RecoveryCodeUsed(_OfSecondFactor):
    type = "user.recovery_code_used"
