from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone

from console.access.models import Tenant, User
from integrations_app.models.fields import TenantQuerySet
from integrations_app.models.vendor_account import VendorAccount


class JobState(models.TextChoices):
    QUEUED = "queued", "Queued"
    WAITING = "waiting", "Waiting"
    RUNNING = "running", "Running"
    SUCCEEDED = "succeeded", "Succeeded"
    PARTIAL = "partial", "Partly done"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"
    UNKNOWN = "unknown", "Unknown"


OPEN_STATES = (JobState.QUEUED, JobState.WAITING, JobState.RUNNING)


_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class JobQuerySet(TenantQuerySet["Job"]):
    def open(self) -> JobQuerySet:
        return self.filter(state__in=OPEN_STATES)

    def running(self) -> JobQuerySet:
        return self.filter(state=JobState.RUNNING)

    def about(self, target: models.Model) -> JobQuerySet:
        """Jobs whose target is `target`."""
        return self.filter(target_type=target._meta.model_name, target_id=str(target.pk))

    def awaiting_admission(self) -> JobQuerySet:
        """Jobs that may be handed to Celery as soon as the caps, and other jobs of their account, let them."""
        return self.filter(
            state__in=(JobState.QUEUED, JobState.WAITING), admitted_at=None, not_before=None, cancel_requested_at=None
        )

    def in_flight(self) -> JobQuerySet:
        """Jobs that Celery has or a worker runs: they count towards the caps."""
        # A range, because SQLite finds no NOT NULL by index and would read the whole backlog.
        return self.filter(Q(state=JobState.RUNNING) | Q(state=JobState.QUEUED, admitted_at__gt=_LONG_AGO))

    def held_by(self, job_id: uuid.UUID, fence: int) -> JobQuerySet:
        """The job, if the worker that claimed it with `fence` still holds it; every write of a worker starts here."""
        return self.filter(pk=job_id, fence=fence, state=JobState.RUNNING)


class Job(models.Model):
    """One background run, the truth about it. Celery carries its id and nothing else.

    A worker that claims it gets a lease and a fencing number (`fence`); every later write of that worker names the
    number, so one that lost its lease cannot overwrite what its successor did. `not_before` is when it may be tried
    again while it waits. `params` says what to do (plain JSON, no secret), `result` what came out.
    """

    class Queue(models.TextChoices):
        INTERACTIVE = "interactive", "Interactive"
        BULK = "bulk", "Bulk"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="jobs")
    type = models.CharField(max_length=40)
    # What people call it ("Sync Celigo, Production"), made when it is asked for.
    title = models.CharField(max_length=300)
    queue = models.CharField(max_length=12, choices=Queue)
    vendor_account = models.ForeignKey(VendorAccount, null=True, on_delete=models.SET_NULL, related_name="jobs")
    # What it is about, as text: it may be gone when somebody reads this.
    target_type = models.CharField(max_length=40, blank=True)
    target_id = models.CharField(max_length=64, blank=True)
    target_label = models.CharField(max_length=300, blank=True)
    params = models.JSONField(default=dict)
    # Asking twice with the same key while the first is open gives the first.
    key = models.CharField(max_length=120, blank=True)
    reason = models.CharField(max_length=300, blank=True)
    # None: the console itself (a schedule), or, where there is a label, a person whose account was deleted since.
    requested_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    requested_by_label = models.CharField(max_length=320, blank=True)

    state = models.CharField(max_length=10, choices=JobState, default=JobState.QUEUED)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    not_before = models.DateTimeField(null=True)
    waiting_for = models.CharField(max_length=200, blank=True)

    # Handed to Celery at this time; None while it waits for its turn here.
    admitted_at = models.DateTimeField(null=True)
    attempt = models.PositiveSmallIntegerField(default=0)
    fence = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    heartbeat_at = models.DateTimeField(null=True)
    worker = models.CharField(max_length=120, blank=True)
    cancel_requested_at = models.DateTimeField(null=True)

    units_done = models.PositiveIntegerField(default=0)
    units_total = models.PositiveIntegerField(null=True)
    unit_name = models.CharField(max_length=40, blank=True)
    units_failed = models.PositiveIntegerField(default=0)
    error_code = models.CharField(max_length=40, blank=True)
    error = models.CharField(max_length=500, blank=True)
    result = models.JSONField(default=dict)

    objects = JobQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-created_at", "-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["tenant", "key"],
                condition=Q(state__in=["queued", "waiting", "running"]) & ~Q(key=""),
                name="one_open_job_per_key",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["tenant", "-created_at", "-id"], name="job_by_tenant"),
            models.Index(fields=["-created_at", "-id"], name="job_by_time"),
            models.Index(fields=["vendor_account", "-created_at"], name="job_by_account"),
            models.Index(fields=["target_type", "target_id", "-created_at"], name="job_by_target"),
            # Not partial: SQLite cannot see that `state = ?` implies a condition over several states.
            models.Index(fields=["state", "admitted_at", "created_at"], name="job_open"),
            # Whose turn it is (the tenant whose last admission is longest ago), and its oldest job not yet admitted.
            models.Index(fields=["tenant", "queue", "admitted_at", "created_at", "id"], name="job_turn"),
        ]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("jobs:detail", args=[self.tenant.slug, self.pk])

    @property
    def is_finished(self) -> bool:
        return self.state not in OPEN_STATES

    @property
    def is_by_console(self) -> bool:
        """Asked for by the console itself (a schedule) rather than by a person."""
        return self.requested_by_id is None and not self.requested_by_label

    @property
    def asked_by(self) -> str:
        """Who asked, for people."""
        return self.requested_by_label or "the console"


class JobLine(models.Model):
    """A line of a job's log, plain words. `subject` names the item it is about, "" for the job as a whole."""

    class Level(models.TextChoices):
        INFO = "info", "Info"
        WARNING = "warning", "Warning"
        ERROR = "error", "Error"

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="lines")
    at = models.DateTimeField(default=timezone.now)
    level = models.CharField(max_length=8, choices=Level, default=Level.INFO)
    subject = models.CharField(max_length=300, blank=True)
    text = models.CharField(max_length=500)

    objects = TenantQuerySet["JobLine"].as_manager()

    class Meta:
        ordering: ClassVar = ["id"]
        indexes: ClassVar = [models.Index(fields=["job", "id"], name="job_line_by_job")]

    def __str__(self) -> str:
        return self.text
