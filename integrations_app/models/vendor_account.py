from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone

from console.access.models import Tenant, User
from integrations_app.models.credential import Credential
from integrations_app.models.fields import TenantQuerySet


class VendorAccountQuerySet(TenantQuerySet["VendorAccount"]):
    def in_use(self) -> VendorAccountQuerySet:
        return self.filter(removed_at=None)


class VendorAccount(models.Model):
    """One tenant's use of a credential: vendor, region, and what it is bound to there (end user, tenant key).

    A removed account keeps its integrations with their last known state; its credential and schedule are gone.
    """

    class State(models.TextChoices):
        UNTESTED = "untested", "Untested"
        OK = "ok", "OK"
        PARTIAL = "partial", "Partial"
        FAILING = "failing", "Failing"
        PAUSED = "paused", "Paused"
        EXPIRED = "expired", "Expired"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="vendor_accounts")
    credential = models.ForeignKey(Credential, null=True, on_delete=models.PROTECT, related_name="vendor_accounts")
    vendor = models.CharField(max_length=20)
    name = models.CharField(max_length=120)
    region = models.CharField(max_length=40)
    binding = models.JSONField(default=dict)
    owner = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    removed_at = models.DateTimeField(null=True, blank=True)
    version = models.PositiveIntegerField(default=1, editable=False)

    # `state` is what the last answer showed; "paused" and "expired" are worked out from it when shown (services).
    state = models.CharField(max_length=10, choices=State, default=State.UNTESTED)
    state_since = models.DateTimeField(default=timezone.now)
    state_reason = models.CharField(max_length=300, blank=True)
    last_success_at = models.DateTimeField(null=True, blank=True)
    last_failure_at = models.DateTimeField(null=True, blank=True)
    last_failure = models.CharField(max_length=300, blank=True)
    tested_at = models.DateTimeField(null=True, blank=True)
    test_seconds = models.FloatField(null=True, blank=True)
    # The probes of the last test, as they are shown: [{"name", "ok", "answer", "consequence"}].
    test_report = models.JSONField(default=list)
    identity = models.CharField(max_length=200, blank=True)
    # The last whole list, and how many integrations it held.
    listed_at = models.DateTimeField(null=True, blank=True)
    listed_count = models.PositiveIntegerField(null=True, blank=True)
    # What is odd about the list that was read last (far too short, items nobody can read), "" when nothing is.
    list_doubt = models.CharField(max_length=300, blank=True)

    objects = VendorAccountQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["name", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["tenant", "vendor", "name"], condition=Q(removed_at=None), name="vendor_account_name_once"
            ),
        ]
        indexes: ClassVar = [models.Index(fields=["tenant", "removed_at"], name="vendor_account_by_tenant")]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("vendor_accounts:detail", args=[self.tenant.slug, self.pk])

    @property
    def is_removed(self) -> bool:
        return self.removed_at is not None


class VendorGate(models.Model):
    """What every process must know before it calls a vendor for one account: budget, breaker, short-lived token.

    In the database because a RabbitMQ site has no Redis, and two workers must not both find the budget full.
    """

    account = models.OneToOneField(VendorAccount, primary_key=True, on_delete=models.CASCADE, related_name="gate")
    # Token bucket: what was left at `budget_at`.
    budget_left = models.FloatField(default=0)
    budget_at = models.DateTimeField(null=True)
    # The vendor said to wait (429 with Retry-After): nobody calls before.
    refused_until = models.DateTimeField(null=True)
    # Circuit breaker: failures in a row, and until when calls are held back.
    failures = models.PositiveIntegerField(default=0)
    paused_until = models.DateTimeField(null=True)
    # A vendor's short-lived access token, sealed, valid for one credential version; one process at a time renews it.
    token_sealed = models.BinaryField(null=True)
    token_expires_at = models.DateTimeField(null=True)
    token_credential_version = models.PositiveIntegerField(default=0)
    token_lease_until = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"gate of {self.account_id}"
