from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.urls import reverse
from django.utils import timezone

from console.access.models import Tenant, User
from integrations_app.models.fields import TenantQuerySet


class Credential(models.Model):
    """The secret of one vendor, owned by one tenant, or shared by the company (`tenant` None).

    `public_fields` are the parts that are no secret (a client id); the secret parts are `CredentialSecret` rows.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, null=True, on_delete=models.CASCADE, related_name="credentials")
    vendor = models.CharField(max_length=20)
    name = models.CharField(max_length=120)
    public_fields = models.JSONField(default=dict)
    expires_on = models.DateField(null=True, blank=True)
    owner = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    # Grows with each change, the secret's included: forms and cached vendor tokens of an older one no longer count.
    version = models.PositiveIntegerField(default=1, editable=False)

    objects = TenantQuerySet["Credential"].as_manager()

    class Meta:
        ordering: ClassVar = ["name", "id"]
        indexes: ClassVar = [models.Index(fields=["tenant", "vendor", "name"], name="credential_by_tenant")]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """The page of a shared credential; a tenant's own is shown on its vendor account's page."""
        return reverse("credentials:detail", args=[self.pk])

    @property
    def is_shared(self) -> bool:
        return self.tenant_id is None


class CredentialSecret(models.Model):
    """One secret field of a credential, sealed for exactly this row; nothing shows it again, only its fingerprint."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    credential = models.ForeignKey(Credential, on_delete=models.CASCADE, related_name="secrets")
    field = models.CharField(max_length=40)
    sealed = models.BinaryField()
    fingerprint = models.CharField(max_length=16)
    set_at = models.DateTimeField(default=timezone.now)
    set_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["credential", "field"], name="credential_field_once")]

    def __str__(self) -> str:
        return f"{self.field} of {self.credential_id}"

    @property
    def context(self) -> str:
        """What the sealed value is bound to."""
        return f"credential|{self.credential_id}|{self.field}"


class SecretChange(models.Model):
    """A new secret on its way in: tested by a worker first, applied only when it works; kept as the secret's history.

    `sealed` is a JSON object of the secret fields, sealed for this row and erased as soon as it is decided. `region`
    and `binding` are what the account changes to together with the secret ("" and {} where they stay).
    """

    class Outcome(models.TextChoices):
        PENDING = "pending", "Being tested"
        APPLIED = "applied", "Applied"
        REFUSED = "refused", "Refused by the vendor"
        ABANDONED = "abandoned", "Given up"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, null=True, on_delete=models.CASCADE, related_name="+")
    credential = models.ForeignKey(Credential, on_delete=models.CASCADE, related_name="changes")
    outcome = models.CharField(max_length=10, choices=Outcome, default=Outcome.PENDING)
    sealed = models.BinaryField(null=True)
    public_fields = models.JSONField(default=dict)
    region = models.CharField(max_length=40, blank=True)
    binding = models.JSONField(default=dict)
    expires_on = models.DateField(null=True, blank=True)
    fingerprint = models.CharField(max_length=16, blank=True)
    previous_fingerprint = models.CharField(max_length=16, blank=True)
    reason = models.CharField(max_length=300, blank=True)
    refusal = models.CharField(max_length=300, blank=True)
    requested_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    requested_at = models.DateTimeField(default=timezone.now, editable=False)
    decided_at = models.DateTimeField(null=True)
    # The version of the credential the form was drawn from; another one meanwhile means somebody else was faster.
    credential_version = models.PositiveIntegerField()

    objects = TenantQuerySet["SecretChange"].as_manager()

    class Meta:
        ordering: ClassVar = ["-requested_at", "-id"]
        indexes: ClassVar = [models.Index(fields=["credential", "-requested_at"], name="secret_change_by_credential")]

    def __str__(self) -> str:
        return f"new secret for {self.credential}"

    @property
    def context(self) -> str:
        """What the sealed fields are bound to."""
        return f"secret_change|{self.id}"
