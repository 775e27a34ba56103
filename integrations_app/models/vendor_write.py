from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone

from console.access.models import Tenant, User
from integrations_app.models.fields import TenantQuerySet
from integrations_app.models.integration import Integration
from integrations_app.models.job import Job
from integrations_app.models.snapshot import Snapshot
from integrations_app.models.vendor_account import VendorAccount


class WriteBatch(models.Model):
    """One operation over a selection: every row is a `VendorWrite` of its own, planned together and sent one by one."""

    class State(models.TextChoices):
        CHECKING = "checking", "Dry run"
        READY = "ready", "Waiting for confirmation"
        RUNNING = "running", "Running"
        OVER = "over", "Over"
        ABANDONED = "abandoned", "Given up"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    operation = models.CharField(max_length=40)
    title = models.CharField(max_length=300)
    # One form, one batch: the second click finds the first's.
    key = models.CharField(max_length=64)
    state = models.CharField(max_length=10, choices=State, default=State.CHECKING)
    # What is asked of every row (JSON), with its secrets: for doing those that failed once more.
    sealed = models.BinaryField(null=True)
    reason = models.CharField(max_length=300, blank=True)
    requested_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    requested_by_label = models.CharField(max_length=320, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    job = models.ForeignKey(Job, null=True, on_delete=models.SET_NULL, related_name="+")

    objects = TenantQuerySet["WriteBatch"].as_manager()

    class Meta:
        ordering: ClassVar = ["-created_at", "-id"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["tenant", "key"], name="batch_once_per_form")]
        indexes: ClassVar = [models.Index(fields=["tenant", "-created_at", "-id"], name="batch_by_tenant")]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("changes:batch", args=[self.tenant.slug, self.pk])

    @property
    def context(self) -> str:
        """What the sealed request is bound to."""
        return f"write_batch|{self.id}"


class WriteState(models.TextChoices):
    """Where a vendor write stands. Sent and unknown are the two in which nobody may send it again."""

    CHECKING = "checking", "Being checked"
    READY = "ready", "Waiting for confirmation"
    QUEUED = "queued", "Confirmed"
    SENT = "sent", "Sent, no answer yet"
    DONE = "done", "Done"
    NOT_DONE = "not_done", "Not done"
    UNKNOWN = "unknown", "Unknown, needs a person"
    ABANDONED = "abandoned", "Given up"


OVER_STATES = (WriteState.DONE, WriteState.NOT_DONE, WriteState.ABANDONED)


class VendorWriteQuerySet(TenantQuerySet["VendorWrite"]):
    def open(self) -> VendorWriteQuerySet:
        return self.exclude(state__in=OVER_STATES)


class VendorWrite(models.Model):
    """The ledger of what this console asked a vendor to change: one row from the form to what became of it.

    `sealed` is what was asked for, with its secrets (JSON); `sealed_plan` what the last check found and what the state
    before looked like (JSON). Both are erased when the write is over. `plan` and `result` are what pages show: plain
    JSON, redacted. `guard` tells two states of the vendor apart: what was confirmed is sent only while it still holds.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    vendor_account = models.ForeignKey(VendorAccount, null=True, on_delete=models.SET_NULL, related_name="writes")
    integration = models.ForeignKey(Integration, null=True, on_delete=models.SET_NULL, related_name="writes")
    batch = models.ForeignKey(WriteBatch, null=True, on_delete=models.CASCADE, related_name="writes")
    operation = models.CharField(max_length=40)
    title = models.CharField(max_length=300)
    # One form, one write: the second click finds the first's.
    key = models.CharField(max_length=64)
    state = models.CharField(max_length=10, choices=WriteState, default=WriteState.CHECKING)
    sealed = models.BinaryField(null=True)
    sealed_plan = models.BinaryField(null=True)
    plan = models.JSONField(default=dict)
    guard = models.CharField(max_length=64, blank=True)
    result = models.JSONField(default=dict)
    sentence = models.CharField(max_length=500, blank=True)
    error_code = models.CharField(max_length=40, blank=True)
    vendor_status = models.PositiveSmallIntegerField(null=True)
    vendor_request_id = models.CharField(max_length=100, blank=True)
    reason = models.CharField(max_length=300, blank=True)
    requested_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    requested_by_label = models.CharField(max_length=320, blank=True)
    confirmed_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    confirmed_by_label = models.CharField(max_length=320, blank=True)
    # Who said what became of it, where no reading back could tell.
    settled_by_label = models.CharField(max_length=320, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    checked_at = models.DateTimeField(null=True)
    confirmed_at = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)
    over_at = models.DateTimeField(null=True)
    job = models.ForeignKey(Job, null=True, on_delete=models.SET_NULL, related_name="writes")
    # Our copy of the integration as it was just before.
    snapshot = models.ForeignKey(Snapshot, null=True, on_delete=models.SET_NULL, related_name="writes")
    # Digest of the document as read back just after.
    after_digest = models.BinaryField(max_length=32, null=True)
    # Another tenant that it concerns as well: what it does there is shown to people who see both.
    also_tenant = models.ForeignKey(Tenant, null=True, on_delete=models.SET_NULL, related_name="+")
    made = models.ForeignKey(Integration, null=True, on_delete=models.SET_NULL, related_name="made_by")

    objects = VendorWriteQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-created_at", "-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tenant", "key"], name="write_once_per_form"),
            # Two that were sent at once could each overwrite the other unseen.
            models.UniqueConstraint(fields=["integration"], condition=Q(state="sent"), name="one_write_in_flight"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["tenant", "-created_at", "-id"], name="write_by_tenant"),
            models.Index(fields=["integration", "-created_at", "-id"], name="write_by_integration"),
            models.Index(fields=["state", "sent_at"], name="write_in_flight"),
            models.Index(fields=["batch", "created_at", "id"], name="write_by_batch"),
        ]

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        return reverse("changes:detail", args=[self.tenant.slug, self.pk])

    @property
    def is_over(self) -> bool:
        return self.state in OVER_STATES

    @property
    def is_moving(self) -> bool:
        """Whether a worker is about to do something with it, so that a page that shows it should look again."""
        return self.state in (WriteState.CHECKING, WriteState.QUEUED, WriteState.SENT)

    @property
    def context(self) -> str:
        """What the sealed request is bound to."""
        return f"vendor_write|{self.id}"

    @property
    def plan_context(self) -> str:
        """What the sealed plan is bound to."""
        return f"vendor_write_plan|{self.id}"

    @property
    def changes(self) -> list[dict[str, Any]]:
        """The changes as planned, redacted: {"key", "label", "before", "after", ...} each."""
        found: list[dict[str, Any]] = self.plan.get("changes", [])
        return found
