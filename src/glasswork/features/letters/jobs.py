"""Letters of what people are told: at once, or each morning."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from pydantic import BaseModel

from glasswork.core.jobs import Job, Nothing, Work
from glasswork.core.mail import Letter
from glasswork.core.outbox import Outbox
from glasswork.core.statements import AnyRow
from glasswork.features.credentials.jobs import A_DAY
from glasswork.features.notifications.models import Kind
from glasswork.features.notifications.service import unsubscribe_url

from .service import MOST_IN_A_LETTER, LetterService

WORDS = {
    Kind.MENTIONED: "mentioned you",
    Kind.ASSIGNED: "assigned a task to you",
    Kind.REPLIED: "replied to you",
    Kind.DUE_SOON: "is due soon",
    Kind.INVITED: "invited you",
    Kind.WATCHED: "changed a task that you watch",
}


class NotificationRef(BaseModel):
    id: UUID


class Morning(BaseModel):
    user_id: UUID
    until: datetime


async def send(work: Work, notification: NotificationRef) -> None:
    async with work.resources.database.reading() as session:
        told = await LetterService(session).find(notification.id)
    if told is None:
        return
    words = {"api": work.resources.api_url, "name": told.name, "news": _news(told)}
    subject = " ".join(f"[{told.key}] {told.title}".split())  # a title may have lines, a header may not
    stop = unsubscribe_url(work.resources.keys, work.resources.api_url, told.user_id, Kind(told.kind))
    letter = Letter(notification.id, told.email, subject, "letters/emails/notification", words, stop)
    await work.resources.mailer.send(work, letter)


async def order_daily(work: Work, _: Nothing) -> None:
    async with work.resources.database.transaction() as session:
        outbox = Outbox(session)
        for user_id, morning in await LetterService(session).waiting():
            payload = Morning(user_id=user_id, until=morning)
            outbox.order(SEND_DAILY, payload, dedupe_key=f"daily {user_id} {morning.isoformat()}")


async def send_daily(work: Work, morning: Morning) -> None:
    database = work.resources.database
    async with database.reading() as session:
        news = await LetterService(session).daily(morning.user_id, morning.until)
    if news:
        is_more = len(news) > MOST_IN_A_LETTER
        news = news[:MOST_IN_A_LETTER]
        letter_id = uuid5(morning.user_id, morning.until.isoformat())
        words = {
            "api": work.resources.api_url,
            "name": news[0].name,
            "news": [_news(told) for told in news],
            "is_more": is_more,
        }
        subject = f"{'More than ' if is_more else ''}{len(news)} news of your tasks"
        stop = unsubscribe_url(work.resources.keys, work.resources.api_url, morning.user_id, None)
        letter = Letter(letter_id, news[0].email, subject, "letters/emails/daily", words, stop)
        await work.resources.mailer.send(work, letter)
    async with database.system_transaction() as session:
        await LetterService(session).mark_mailed(morning.user_id, morning.until)


def _news(told: AnyRow) -> dict[str, Any]:
    return {
        "what": f"{told.actor_name or told.key} {WORDS[Kind(told.kind)]}",
        "key": told.key,
        "title": told.title,
        "workspace": told.workspace_name,
        "task_id": told.task_id,
        "quote": (told.body or "")[:500],
    }


SEND = Job("letters.send", NotificationRef, send, max_attempts=A_DAY)
ORDER_DAILY = Job("letters.order_daily", Nothing, order_daily)
SEND_DAILY = Job("letters.send_daily", Morning, send_daily, max_attempts=A_DAY)
