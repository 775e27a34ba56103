"""Celery, the engine that runs jobs. The job row is the truth; Celery moves its id to a worker.

Every option has a comment saying what went wrong, or would, without it.
"""

from __future__ import annotations

import os
from typing import Any

import structlog
from celery import Celery, signals
from kombu import Queue

from console import env, logs, processes

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")

# Short calls that a person waits for (test an account, refresh one integration) and everything else. They have workers
# of their own, so a page never waits behind a sync of 100,000 integrations.
INTERACTIVE = "interactive"
BULK = "bulk"

_TASK_SECONDS = 4 * 3600


def transport_options(broker_url: str, key_prefix: str) -> dict[str, Any]:
    """Options for the broker's transport; RabbitMQ needs none of Redis'."""
    if broker_url.startswith("amqp"):
        # A dead RabbitMQ must make a dispatch fail in seconds: the job row waits and the sweep sends it again.
        return {"max_retries": 2, "interval_start": 0, "interval_step": 0.2, "interval_max": 0.5}
    return {
        # How long an unacknowledged message waits before Redis hands it to a second worker. Shorter than the longest
        # job means every long job runs twice; the job's lease notices a dead worker far sooner than this.
        "visibility_timeout": 3600,
        # Two consoles on one Redis would otherwise take each other's jobs.
        "global_keyprefix": key_prefix,
        # A worker whose Redis went away silently would wait for messages for ever.
        "health_check_interval": 25,
        "socket_keepalive": True,
        # A dead Redis must make a dispatch fail in seconds: the job row waits and the sweep sends it again.
        "socket_connect_timeout": 3,
        "socket_timeout": 30,
        "retry_on_timeout": True,
        "max_retries": 2,
        "interval_start": 0,
        "interval_step": 0.2,
        "interval_max": 0.5,
    }


def _beat() -> dict[str, Any]:
    """What the scheduler asks for. A message nobody took before the next one is due is dropped (`expires`): workers
    that come back after an hour would otherwise begin with 700 sweeps."""
    sweep, look, tidy = 5, 15, 3600
    return {
        # Through both queues: where all workers of one are busy, those of the other still sweep.
        "sweep jobs (interactive)": {
            "task": "integrations_app.tasks.sweep_jobs",
            "schedule": sweep,
            "options": {"queue": INTERACTIVE, "expires": sweep},
        },
        "sweep jobs (bulk)": {
            "task": "integrations_app.tasks.sweep_jobs",
            "schedule": sweep,
            "options": {"queue": BULK, "expires": sweep},
        },
        "ask for due jobs": {
            "task": "integrations_app.tasks.ask_for_due_jobs",
            "schedule": look,
            "options": {"queue": BULK, "expires": look},
        },
        "tidy archives": {
            "task": "integrations_app.tasks.tidy_archives",
            "schedule": tidy,
            "options": {"queue": BULK, "expires": tidy},
        },
    }


def configuration() -> dict[str, Any]:
    """Every Celery option that is not Celery's default."""
    environment = env.loaded()
    return dict(
        broker_url=environment.broker(),
        broker_transport_options=transport_options(environment.broker(), environment.broker_key_prefix),
        # A worker that starts before its broker, or outlives it, waits for it instead of dying.
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        # When the connection breaks, the task that runs then would be delivered to a second worker while the first goes
        # on; the lease keeps them apart, so cancelling the first one's work would only waste it.
        worker_cancel_long_running_tasks_on_connection_loss=False,
        # Only JSON: a message that carried pickle would be code for whoever reaches the broker.
        accept_content=["json"],
        task_serializer="json",
        # Early acknowledgement loses the job of a worker that is killed.
        task_acks_late=True,
        # Without it a late-acknowledged task whose process was killed (-9, out of memory) is acknowledged all the same.
        task_reject_on_worker_lost=True,
        # A failing task is acknowledged: its job row says what happened and whether to try again.
        task_acks_on_failure_or_timeout=True,
        # The job row holds the result; a result backend would be a second, unread truth that fills up.
        task_ignore_result=True,
        task_store_errors_even_if_ignored=False,
        # A worker that hoards messages keeps them from idle ones, and keeps short jobs behind a long one.
        worker_prefetch_multiplier=1,
        # Whatever does not name its queue must not push in among the short calls.
        task_default_queue=BULK,
        task_queues=[Queue(INTERACTIVE), Queue(BULK)],
        # Only the two queues above exist: a typing error in a queue's name must not park jobs where nobody looks.
        task_create_missing_queues=False,
        # The runner ends a job at its own limit; these end a task whose code no longer comes back to the runner.
        task_soft_time_limit=_TASK_SECONDS,
        task_time_limit=_TASK_SECONDS + 60,
        # Python seldom gives memory back after a large sync; a fresh process does.
        worker_max_tasks_per_child=1000,
        worker_max_memory_per_child=400_000,
        # Celery closes the database connection around every task; kept for this many, one-row tasks ran four times as
        # fast.
        CELERY_DB_REUSE_MAX=500,
        # Our logging configuration stands; Celery would replace the root logger's handlers.
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        # Workers on one broker would otherwise send each other heartbeats and events that nobody reads.
        worker_send_task_events=False,
        task_send_sent_event=False,
        # The scheduler's own file lies with the other data, not in whatever folder it was started from.
        beat_schedule_filename=str(environment.data_dir / "scheduler"),
        beat_schedule=_beat(),
        # The beat looks at its schedule at least this often, so a clock that jumps is noticed soon.
        beat_max_loop_interval=30,
        timezone="UTC",
        enable_utc=True,
    )


app = Celery("console")
# Called when the configuration is first needed: importing `console` alone must not read the environment.
app.add_defaults(configuration)
app.autodiscover_tasks()


@signals.setup_logging.connect
def _use_our_logging(**_: Any) -> None:
    logs.configure(env.loaded())


@signals.task_prerun.connect
def _bind_task(task_id: str, **_: Any) -> None:
    structlog.contextvars.bind_contextvars(task_id=task_id)


@signals.task_prerun.connect
def _drop_broken_connections(**_: Any) -> None:
    # Celery would use its kept connection (CELERY_DB_REUSE_MAX) for hundreds of tasks after PostgreSQL was restarted,
    # and each of them would fail. This is what Django does before a request: it asks the server first, and connects
    # anew. A file does not go away, and SQLite's connection is not kept for any time that Django knows of.
    from django.db import connections

    for connection in connections.all(initialized_only=True):
        if connection.vendor == "postgresql" and not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()


@signals.task_postrun.connect
def _forget_task(**_: Any) -> None:
    structlog.contextvars.clear_contextvars()


@signals.worker_process_init.connect
def _die_with_worker(**_: Any) -> None:
    # A killed worker leaves no pool process behind that goes on with a job which somebody else has claimed since.
    processes.die_with_parent()
