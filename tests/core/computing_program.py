"""`glasswork` with a job more, which computes what it is told to."""

from glasswork import cli, worker
from glasswork.core.jobs import Job, Work
from tests.core import computations
from tests.core.runners import Note


async def compute(work: Work, note: Note) -> None:
    name, port = note.text.split()
    await work.in_child_process(getattr(computations, name), int(port))


COMPUTE = Job("test.compute", Note, compute)

if __name__ == "__main__":
    worker.JOBS = (*worker.JOBS, COMPUTE)  # type: ignore[assignment]  # it is longer
    cli.main()
