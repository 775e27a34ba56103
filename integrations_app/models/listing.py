from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone

from console.access.models import Tenant
from integrations_app.models.fields import TenantQuerySet
from integrations_app.models.integration import Integration
from integrations_app.models.vendor_account import VendorAccount


class Listing(models.Model):
    """What a vendor last listed of one kind (flows, people) for one integration, or for the account as a whole.

    `items` is the redacted list as UTF-8 JSON: [{"remote_id", "name", "values", "raw", "at"}]. `scope` is what inside
    the integration it is about, "" for all of it. A reading that failed leaves what was read before, with the reason.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    vendor_account = models.ForeignKey(VendorAccount, on_delete=models.CASCADE, related_name="listings")
    integration = models.ForeignKey(Integration, null=True, on_delete=models.CASCADE, related_name="listings")
    kind = models.CharField(max_length=40)
    scope = models.CharField(max_length=200, blank=True)
    items = models.BinaryField(default=b"[]")
    count = models.PositiveIntegerField(default=0)
    bad_count = models.PositiveIntegerField(default=0)
    is_whole = models.BooleanField(default=True)
    # When the newest of them happened, where the vendor gives such a time.
    newest_at = models.DateTimeField(null=True)
    # When the vendor was last asked with success, and when it last refused since.
    read_at = models.DateTimeField(null=True)
    failed_at = models.DateTimeField(null=True)
    failure = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = TenantQuerySet["Listing"].as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["integration", "kind", "scope"], condition=Q(integration__isnull=False), name="listing_once"
            ),
            models.UniqueConstraint(
                fields=["vendor_account", "kind"], condition=Q(integration__isnull=True), name="listing_of_account_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.integration_id or self.vendor_account_id}"
