"""What Celery is told fits together: the beat's entries, the queues, the caps and the tasks' names."""

from __future__ import annotations

from django.conf import settings

from console.celery import app
from integrations_app import tasks
from integrations_app.models import Job
from integrations_app.services.job_admission import RUN_JOB
from integrations_app.services.job_types import JOB_TYPES


def test_every_entry_of_the_beat_is_a_task_on_a_queue_that_exists_and_expires_before_the_next() -> None:
    queues = {queue.name for queue in app.conf.task_queues}
    assert app.conf.beat_schedule
    for name, entry in app.conf.beat_schedule.items():
        assert entry["task"] in app.tasks, name
        assert entry["options"]["queue"] in queues, name
        assert entry["options"]["expires"] <= entry["schedule"], name


def test_both_queues_are_swept() -> None:
    swept = {e["options"]["queue"] for e in app.conf.beat_schedule.values() if e["task"] == tasks.sweep_jobs.name}
    assert swept == set(Job.Queue.values)


def test_a_job_s_message_names_the_task_that_runs_it_and_survives_its_worker() -> None:
    assert tasks.run_job.name == RUN_JOB
    assert tasks.run_job.acks_late
    assert tasks.run_job.reject_on_worker_lost


def test_every_queue_has_a_cap_and_every_limit_lies_within_celery_s_own() -> None:
    assert set(settings.JOBS_PER_QUEUE) == set(Job.Queue.values) == {queue.name for queue in app.conf.task_queues}
    for job_type in JOB_TYPES.values():
        assert job_type.limit_seconds < app.conf.task_soft_time_limit
