from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models

from console.access.models import Tenant
from integrations_app.models.fields import TenantQuerySet
from integrations_app.models.vendor_account import VendorAccount


class RevisionPolicy(models.Model):
    """When the vendor is to keep a revision of an account's integrations without anybody asking.

    `is_nightly` comes with a `Schedule` of the job type "take_revisions"; `before_writes` has the vendor keep one
    before each change made here, only where something changed since the last.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    vendor_account = models.OneToOneField(VendorAccount, on_delete=models.CASCADE, related_name="revision_policy")
    is_nightly = models.BooleanField(default=False)
    before_writes = models.BooleanField(default=False)
    version = models.PositiveIntegerField(default=1, editable=False)

    objects = TenantQuerySet["RevisionPolicy"].as_manager()

    class Meta:
        ordering: ClassVar = ["id"]

    def __str__(self) -> str:
        return f"revision policy of {self.vendor_account_id}"
