from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.urls import reverse
from django.utils import timezone

from console.access.models import Tenant, User
from integrations_app.models.fields import TenantQuerySet
from integrations_app.models.integration import Integration
from integrations_app.models.job import Job


class Snapshot(models.Model):
    """Our stored copy of an integration's document at a moment, whole but sealed, with its redacted copy.

    A sync that finds a changed document keeps the one it replaces; a person may keep the present one with a note.
    `as_of` is when the vendor last showed this state, `taken_at` when the copy was put aside.
    """

    class Cause(models.TextChoices):
        DRIFT = "drift", "Before a change at the vendor"
        MANUAL = "manual", "Taken by a person"
        WRITE = "write", "Before a change made here"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    integration = models.ForeignKey(Integration, on_delete=models.CASCADE, related_name="snapshots")
    cause = models.CharField(max_length=8, choices=Cause)
    note = models.CharField(max_length=300, blank=True)
    by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    job = models.ForeignKey(Job, null=True, on_delete=models.SET_NULL, related_name="snapshots")
    as_of = models.DateTimeField()
    taken_at = models.DateTimeField(default=timezone.now)
    sealed = models.BinaryField()
    redacted = models.BinaryField()
    digest = models.BinaryField(max_length=32)

    objects = TenantQuerySet["Snapshot"].as_manager()

    class Meta:
        ordering: ClassVar = ["-taken_at", "-id"]
        indexes: ClassVar = [
            models.Index(fields=["integration", "-taken_at", "-id"], name="snapshot_by_integration"),
            models.Index(fields=["tenant", "-taken_at", "-id"], name="snapshot_by_tenant"),
        ]

    def __str__(self) -> str:
        return f"snapshot of {self.integration} as of {self.as_of:%Y-%m-%d %H:%M}"

    def get_absolute_url(self) -> str:
        return reverse("integrations:tab", args=[self.integration.tenant.slug, self.integration_id, "history"])

    @property
    def context(self) -> str:
        """What the sealed document is bound to."""
        return f"snapshot|{self.id}"
