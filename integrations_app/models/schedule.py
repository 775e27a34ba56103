from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models

from console.access.models import Tenant
from integrations_app.models.fields import TenantQuerySet
from integrations_app.models.vendor_account import VendorAccount


class Schedule(models.Model):
    """Asks for a job again and again: every `every_seconds`, moved by up to `jitter_seconds` to spread accounts."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    vendor_account = models.ForeignKey(VendorAccount, on_delete=models.CASCADE, related_name="schedules")
    job_type = models.CharField(max_length=40)
    every_seconds = models.PositiveIntegerField()
    jitter_seconds = models.PositiveIntegerField(default=0)
    is_paused = models.BooleanField(default=False)
    next_at = models.DateTimeField()
    last_at = models.DateTimeField(null=True)
    version = models.PositiveIntegerField(default=1, editable=False)

    objects = TenantQuerySet["Schedule"].as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["vendor_account", "job_type"], name="schedule_once_per_account"),
        ]
        indexes: ClassVar = [models.Index(fields=["is_paused", "next_at"], name="schedule_due")]

    def __str__(self) -> str:
        return f"{self.job_type} every {self.every_seconds} s"
