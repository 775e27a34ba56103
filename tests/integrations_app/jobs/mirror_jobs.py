"""Asks for a job of the mirror as a person does and runs it in this process, as a worker would on its message."""

from __future__ import annotations

from integrations_app.jobs import runner
from integrations_app.models import Job
from integrations_app.services import jobs


def run(job: Job) -> Job:
    jobs.dispatch()
    Job.objects.filter(pk=job.pk, admitted_at=None).update(admitted_at=job.created_at)
    runner.run(str(job.pk))
    job.refresh_from_db()
    return job


def run_again(job: Job) -> Job:
    """The same job delivered once more after its worker was lost: queued and admitted, as the sweep leaves it."""
    Job.objects.filter(pk=job.pk).update(state="queued", finished_at=None, admitted_at=job.created_at)
    runner.run(str(job.pk))
    job.refresh_from_db()
    return job
