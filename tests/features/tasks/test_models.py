from datetime import UTC, datetime

import pytest
from uuid_utils.compat import uuid7

from glasswork.features.projects.models import Category, Status
from glasswork.features.tasks.models import Task

NOW, BEFORE = datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("category", "completed_at", "then"),
    [
        (Category.TODO, None, None),
        (Category.TODO, BEFORE, None),
        (Category.IN_PROGRESS, BEFORE, None),
        (Category.DONE, None, NOW),
        (Category.DONE, BEFORE, BEFORE),
    ],
)
def test_completion_follows_the_category(
    category: Category, completed_at: datetime | None, then: datetime | None
) -> None:
    task, status = Task(status_id=uuid7(), completed_at=completed_at), Status(id=uuid7(), category=category)
    task.move_to(status, NOW)
    assert (task.status_id, task.completed_at) == (status.id, then)
