"""Mistakes that nobody could tell from what is right, and why: none of them is made."""

from collections.abc import Mapping
from typing import Final

_FEATURES = "glasswork/features"
_TRUE = '__import__("sqlalchemy").true()'

HARMLESS: Final[Mapping[str, str]] = {
    f"{_FEATURES}/notifications/repository.py: forgotten in PreferenceRepository.workspaces_of.statement: "
    f"access.c.project_id.in_(project_ids) -> {_TRUE}": (
        "each project is looked up in what is found; that others are found too is only slow"
    ),
    f"{_FEATURES}/notifying/repository.py: forgotten in NotifyingRepository.preferences.statement: "
    f"Preference.user_id.in_(user_ids) -> {_TRUE}": (
        "each person is looked up in what is found; that others are found too is only slow"
    ),
    f"{_FEATURES}/letters/repository.py: forgotten in _WAITS: Notification.read_at.is_(None) -> {_TRUE}": (
        "what has been read is in no letter either way; who has read all is looked at in vain, once"
    ),
    f"{_FEATURES}/accounts/access.py: turned in _session_of: UserSession.rotated_at > func.now() - "
    "REFRESH_LIFETIME -> UserSession.rotated_at >= func.now() - REFRESH_LIFETIME": (
        "a session ends after seven days or a microsecond later"
    ),
    f"{_FEATURES}/accounts/access.py: forgotten in _token_of: ApiToken.user_id == who.user_id -> {_TRUE}": (
        "the user is read of the token's text, whose hash must be the right one"
    ),
    f"{_FEATURES}/activity/repository.py: forgotten in _TASK: Task.workspace_id == "
    f"WorkspaceEvent.workspace_id -> {_TRUE}": "the id of the task comes from what happened to it, there",
    f"{_FEATURES}/delivering/repository.py: forgotten in DeliveringRepository.begin.is_it: "
    f"Delivery.workspace_id == lease.workspace_id -> {_TRUE}": "the ids were found by the same lease",
    f"{_FEATURES}/invitations/repository.py: forgotten in InvitationRepository.find_letter.statement: "
    f"Invitation.workspace_id == workspace_id -> {_TRUE}": "a job asks, with both ids of one event",
    f"{_FEATURES}/privacy/repository.py: forgotten in PersonalDataRepository.blank_events: "
    f"WorkspaceEvent.workspace_id.in_(joined) -> {_TRUE}": (
        "what happens to a member happens in a workspace that they have joined"
    ),
    f"{_FEATURES}/tasks/repository.py: forgotten in TaskRepository.copy_watchers.watching: "
    f"Watcher.workspace_id == to.workspace_id -> {_TRUE}": "a task and its next one lie together",
    f"{_FEATURES}/workflow/repository.py: forgotten in StatusRepository.set_next: "
    f"Transition.project_id == status.project_id -> {_TRUE}": "the id beside it is that of one status",
    f"{_FEATURES}/notifying/repository.py: forgotten in NotifyingRepository.find_invited.statement: "
    f"Invitation.workspace_id == workspace_id -> {_TRUE}": "a job asks, with both ids of one event",
    f"{_FEATURES}/privacy/repository.py: forgotten in PersonalDataRepository.blank_events.is_mine: "
    f"event.actor_id == user_id -> {_TRUE}": "nobody else has to do with what is their own",
    f"{_FEATURES}/delivering/repository.py: forgotten in DeliveringRepository.end_attempt: "
    f"DeliveryAttempt.workspace_id == lease.workspace_id -> {_TRUE}": "the delivery was found by the lease",
    f"{_FEATURES}/following/repository.py: forgotten in FollowingRepository.give_up.dead: "
    f"Delivery.workspace_id == lease.workspace_id -> {_TRUE}": "the ids were found by the same lease",
    f"{_FEATURES}/reports/repository.py: forgotten in ReportJobRepository.name_of_place.statement: "
    f"Project.workspace_id == Workspace.id -> {_TRUE}": "the report's project lies in the report's workspace",
    f"{_FEATURES}/letters/repository.py: forgotten in LetterRepository.waiting.statement: "
    f"Notification.created_at < _LAST_MORNING -> {_TRUE}": (
        "whose news is younger is looked at in vain: the letter asks again"
    ),
    f"{_FEATURES}/invitations/repository.py: forgotten in InvitationRepository.withdraw.statement: "
    f"Invitation.workspace_id == workspace_id -> {_TRUE}": "it was found in the workspace just before",
    f"{_FEATURES}/workflow/repository.py: forgotten in StatusRepository.next_ids.statement: "
    f"Transition.project_id == status.project_id -> {_TRUE}": "the id beside it is that of one status",
    f"{_FEATURES}/deliveries/repository.py: forgotten in DeliveryRepository._hurry: "
    f"WebhookProgress.workspace_id == workspace_id -> {_TRUE}": "the id beside it is that of one webhook",
    f"{_FEATURES}/accounts/repository.py: true for false in UserRepository.find_active: False -> True": (
        "who locks more waits more, and sees the same"
    ),
    f"{_FEATURES}/idempotency/repository.py: forgotten in _new: IS_SIGNED_IN -> {_TRUE}": (
        "the work itself asks in the same transaction, and a key that was used is refused"
    ),
}
"""By `Mutant.name`."""
