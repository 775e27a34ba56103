from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.utils import timezone

from console.access.models import Tenant
from integrations_app.models.fields import TenantQuerySet
from integrations_app.models.job import Job
from integrations_app.models.vendor_account import VendorAccount


class SyncRun(models.Model):
    """One pass over an account's list: what was read, what it changed here, and whether the list was whole."""

    class Outcome(models.TextChoices):
        RUNNING = "running", "Running"
        WHOLE = "whole", "Whole list read"
        PARTIAL = "partial", "Some items could not be read"
        SUSPECT = "suspect", "List far shorter than before; nothing marked missing"
        FAILED = "failed", "Ended early"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    vendor_account = models.ForeignKey(VendorAccount, on_delete=models.CASCADE, related_name="sync_runs")
    job = models.ForeignKey(Job, null=True, on_delete=models.SET_NULL, related_name="sync_runs")
    outcome = models.CharField(max_length=8, choices=Outcome, default=Outcome.RUNNING)
    started_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True)
    pages = models.PositiveIntegerField(default=0)
    seen = models.PositiveIntegerField(default=0)
    added = models.PositiveIntegerField(default=0)
    changed = models.PositiveIntegerField(default=0)
    unchanged = models.PositiveIntegerField(default=0)
    missing = models.PositiveIntegerField(default=0)
    gone = models.PositiveIntegerField(default=0)
    returned = models.PositiveIntegerField(default=0)
    quarantined = models.PositiveIntegerField(default=0)
    duplicates = models.PositiveIntegerField(default=0)
    note = models.CharField(max_length=300, blank=True)

    objects = TenantQuerySet["SyncRun"].as_manager()

    class Meta:
        ordering: ClassVar = ["-started_at", "-id"]
        indexes: ClassVar = [models.Index(fields=["vendor_account", "-started_at"], name="sync_run_by_account")]

    def __str__(self) -> str:
        return f"sync of {self.vendor_account_id} at {self.started_at:%Y-%m-%d %H:%M}"
