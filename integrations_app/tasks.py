"""How Celery is told: run a job, and the beat's entries. Nothing else happens here."""

from __future__ import annotations

from celery import shared_task

from integrations_app.jobs import runner
from integrations_app.services import archives, jobs, schedules, secret_changes, write_batches, write_sweeps


@shared_task(acks_late=True, reject_on_worker_lost=True, ignore_result=True)
def run_job(job_id: str) -> None:
    runner.run(job_id)


@shared_task(ignore_result=True)
def sweep_jobs() -> None:
    jobs.sweep()
    secret_changes.give_up_orphans()
    write_sweeps.resume_lost()
    write_batches.resume_lost()
    write_sweeps.give_up_forgotten()
    write_batches.forget_requests()


@shared_task(ignore_result=True)
def ask_for_due_jobs() -> None:
    schedules.enqueue_due()


@shared_task(ignore_result=True)
def tidy_archives() -> None:
    archives.tidy()
