from glasswork.core.jobs import EventRef, Job, Work

from .service import LONGEST_SECONDS, ReportMaker


async def make_report(work: Work, ordered: EventRef) -> None:
    await ReportMaker(work.resources.database, work.in_child_process).make(ordered.subject_id)


async def give_up(work: Work, ordered: EventRef) -> None:
    await ReportMaker(work.resources.database, work.in_child_process).give_up(ordered.subject_id)


MAKE_REPORT = Job("reports.make", EventRef, make_report, seconds=LONGEST_SECONDS + 60, on_dead=give_up)
