from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.urls import reverse
from django.utils import timezone

from console.access.models import Tenant
from integrations_app.models.fields import SortKeyField, TenantQuerySet
from integrations_app.models.sync_run import SyncRun
from integrations_app.models.vendor_account import VendorAccount


class Integration(models.Model):
    """One mirrored integration: the lean row that lists read. Its document is `IntegrationDocument`.

    `state` is ours, computed by `services/states.py` from what the vendor says; the `finding_*` columns hold what the
    state's sentence is made of (the most important finding), `findings_count` how many there are in all.
    """

    class State(models.TextChoices):
        ACTIVE = "active", "Active"
        INACTIVE = "inactive", "Inactive"
        BUILDING = "building", "Building"
        ATTENTION = "attention", "Attention"
        ARCHIVED = "archived", "Archived"
        GONE = "gone", "Gone"

    class Turn(models.TextChoices):
        OURS = "us", "Our turn"
        TENANT = "tenant", "Tenant"
        VENDOR = "vendor", "Vendor"
        NOBODY = "", "Nobody"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="integrations")
    vendor_account = models.ForeignKey(VendorAccount, on_delete=models.CASCADE, related_name="integrations")
    vendor = models.CharField(max_length=20)
    remote_id = models.CharField(max_length=200)
    name = models.CharField(max_length=300)
    name_sort = SortKeyField(max_length=200)
    app = models.CharField(max_length=120, blank=True)

    state = models.CharField(max_length=10, choices=State)
    # The order in which lists sort states, what needs a person first; always set together with `state`.
    state_rank = models.PositiveSmallIntegerField()
    state_since = models.DateTimeField(default=timezone.now)
    turn = models.CharField(max_length=8, choices=Turn, default=Turn.NOBODY, blank=True)
    finding_code = models.CharField(max_length=30, blank=True)
    finding_subject = models.CharField(max_length=200, blank=True)
    finding_count = models.PositiveIntegerField(default=0)
    findings_count = models.PositiveSmallIntegerField(default=0)
    vendor_words = models.CharField(max_length=200, blank=True)

    version = models.CharField(max_length=60, blank=True)
    latest_version = models.CharField(max_length=60, blank=True)
    is_behind = models.BooleanField(default=False)
    remote_url = models.CharField(max_length=500, blank=True)
    remote_created_at = models.DateTimeField(null=True)
    remote_updated_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)

    first_seen_at = models.DateTimeField(default=timezone.now)
    # When the vendor last showed it to us: the age of the row.
    seen_at = models.DateTimeField(default=timezone.now)
    # When it last changed: the vendor's own time where it gives one, else when we noticed. Lists sort by it.
    changed_at = models.DateTimeField(default=timezone.now)
    # Missing from the last whole list; gone once a second read confirms it.
    missing_since = models.DateTimeField(null=True)
    gone_at = models.DateTimeField(null=True)
    # SHA-256 of the canonical document, compared before anything is written.
    digest = models.BinaryField(max_length=32)

    objects = TenantQuerySet["Integration"].as_manager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["vendor_account", "remote_id"], name="integration_remote_id_once"),
        ]
        # One index per order a list offers, tenant first where the list is a tenant's, id last to break ties.
        indexes: ClassVar = [
            models.Index(fields=["tenant", "name_sort", "id"], name="integration_tenant_name"),
            models.Index(fields=["tenant", "changed_at", "id"], name="integration_tenant_changed"),
            models.Index(fields=["tenant", "state_rank", "changed_at", "id"], name="integration_tenant_state"),
            models.Index(fields=["name_sort", "id"], name="integration_name"),
            models.Index(fields=["changed_at", "id"], name="integration_changed"),
            models.Index(fields=["state_rank", "changed_at", "id"], name="integration_state"),
            models.Index(fields=["tenant", "remote_id"], name="integration_tenant_remote"),
        ]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        return reverse("integrations:detail", args=[self.tenant.slug, self.pk])


class IntegrationDocument(models.Model):
    """The vendor's document of an integration: whole but sealed, beside the redacted copy that everything else reads.

    Both are UTF-8 JSON. `redacted` is bytes because PostgreSQL's text and jsonb refuse what vendors may send.
    `findings` are all findings in order of importance: [{"code", "subject", "count", "detail", "since"}].
    """

    integration = models.OneToOneField(Integration, primary_key=True, on_delete=models.CASCADE, related_name="document")
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    sealed = models.BinaryField()
    redacted = models.BinaryField()
    digest = models.BinaryField(max_length=32)
    findings = models.JSONField(default=list)
    fetched_at = models.DateTimeField(default=timezone.now)

    objects = TenantQuerySet["IntegrationDocument"].as_manager()

    def __str__(self) -> str:
        return f"document of {self.integration_id}"

    @property
    def context(self) -> str:
        """What the sealed document is bound to."""
        return f"integration_document|{self.integration_id}"


class IntegrationPart(models.Model):
    """A child resource that came with the list: a workflow with its steps, a connection, a share."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    integration = models.ForeignKey(Integration, on_delete=models.CASCADE, related_name="parts")
    position = models.PositiveIntegerField()
    kind = models.CharField(max_length=12)
    remote_id = models.CharField(max_length=200, blank=True)
    name = models.CharField(max_length=300)
    is_active = models.BooleanField(null=True)
    is_installed = models.BooleanField(null=True)
    version = models.CharField(max_length=60, blank=True)
    installed_version = models.CharField(max_length=60, blank=True)
    words = models.CharField(max_length=300, blank=True)
    # A list of objects with remote_id, name, app and subtitle.
    steps = models.JSONField(default=list)

    objects = TenantQuerySet["IntegrationPart"].as_manager()

    class Meta:
        ordering: ClassVar = ["position"]
        indexes: ClassVar = [models.Index(fields=["integration", "position"], name="part_by_integration")]

    def __str__(self) -> str:
        return self.name


class IntegrationAlias(models.Model):
    """An exact text by which a person may look for an integration, as a keyed digest: it may be a webhook address."""

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    integration = models.ForeignKey(Integration, on_delete=models.CASCADE, related_name="aliases")
    digest = models.BinaryField(max_length=32)

    objects = TenantQuerySet["IntegrationAlias"].as_manager()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["digest", "integration"], name="alias_once")]

    def __str__(self) -> str:
        return f"alias of {self.integration_id}"


class QuarantinedItem(models.Model):
    """An item of a list that could not be read, with the reason; replaced by the next whole list of its account."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    vendor_account = models.ForeignKey(VendorAccount, on_delete=models.CASCADE, related_name="quarantined_items")
    sync_run = models.ForeignKey(SyncRun, on_delete=models.CASCADE, related_name="quarantined_items")
    remote_id = models.CharField(max_length=200, blank=True)
    reason = models.CharField(max_length=300)
    redacted = models.BinaryField()
    seen_at = models.DateTimeField(default=timezone.now)

    objects = TenantQuerySet["QuarantinedItem"].as_manager()

    class Meta:
        ordering: ClassVar = ["seen_at", "id"]

    def __str__(self) -> str:
        return self.remote_id or "item without an id"
