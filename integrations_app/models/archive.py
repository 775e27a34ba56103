from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone

from console.access.models import Tenant, User
from integrations_app.models.fields import TenantQuerySet
from integrations_app.models.integration import Integration
from integrations_app.models.job import Job


class TemplateArchive(models.Model):
    """A template archive fetched from the vendor: what it was, and where it is as long as it is kept.

    The file lies sealed under this row's id in DATA_DIR/archives, never in the database. One that the reader refused
    keeps its reason and no file; one past its time keeps its list of entries, and neither file nor contents.
    """

    class State(models.TextChoices):
        KEPT = "kept", "Kept"
        REFUSED = "refused", "Refused"
        EXPIRED = "expired", "Expired"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    integration = models.ForeignKey(Integration, on_delete=models.CASCADE, related_name="archives")
    state = models.CharField(max_length=8, choices=State)
    # The vendor's name for the file, for people: no file here is ever named by it.
    remote_name = models.CharField(max_length=200, blank=True)
    # SHA-256 of the file as the vendor sent it; None when it was refused before its end.
    digest = models.BinaryField(max_length=32, null=True)
    size_bytes = models.BigIntegerField(default=0)
    # Chunks of the sealed file.
    chunk_count = models.PositiveIntegerField(default=0)
    entry_count = models.PositiveIntegerField(default=0)
    unpacked_bytes = models.BigIntegerField(default=0)
    secrets_count = models.PositiveIntegerField(default=0)
    refusal_code = models.CharField(max_length=40, blank=True)
    refusal = models.CharField(max_length=300, blank=True)
    taken_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    job = models.ForeignKey(Job, null=True, on_delete=models.SET_NULL, related_name="archives")
    taken_at = models.DateTimeField(default=timezone.now)
    # When the file goes, or went.
    expires_at = models.DateTimeField(null=True)

    objects = TenantQuerySet["TemplateArchive"].as_manager()

    class Meta:
        ordering: ClassVar = ["-taken_at", "-id"]
        constraints: ClassVar = [
            # A job that runs again finds the archive it made.
            models.UniqueConstraint(fields=["job"], condition=Q(job__isnull=False), name="one_archive_per_job"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["integration", "-taken_at", "-id"], name="archive_by_integration"),
            models.Index(fields=["state", "expires_at"], name="archive_by_expiry"),
        ]

    def __str__(self) -> str:
        return f"template archive of {self.integration} from {self.taken_at:%Y-%m-%d %H:%M}"

    def get_absolute_url(self) -> str:
        return reverse("archives:detail", args=[self.integration.tenant.slug, self.pk])

    @property
    def is_kept(self) -> bool:
        """Whether the file is here."""
        return self.state == self.State.KEPT

    @property
    def was_read(self) -> bool:
        """Whether the reader accepted it, so that its entries are known."""
        return self.state != self.State.REFUSED

    @property
    def sha256(self) -> str:
        """The digest in hex, "" when there is none."""
        return bytes(self.digest).hex() if self.digest else ""


class ArchiveEntry(models.Model):
    """One file inside a template archive. `redacted` is its JSON without secrets, None where there is none to show.

    `secret_paths` are the places of likely secrets in it ("connections[0].password"), the first few; `secrets_count`
    counts all of them. `note` says why a JSON file is not shown.
    """

    class Kind(models.TextChoices):
        JSON = "json", "JSON"
        TEXT = "text", "Text"
        BINARY = "binary", "Binary"
        ARCHIVE = "archive", "Archive, not opened"
        FOLDER = "folder", "Folder"

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="+")
    archive = models.ForeignKey(TemplateArchive, on_delete=models.CASCADE, related_name="entries")
    # Where it stands among the archive's entries: what the page's address names, since a path may hold anything.
    number = models.PositiveIntegerField()
    path = models.CharField(max_length=500)
    # What the document inside calls itself, where it does: vendors name their files by ids.
    title = models.CharField(max_length=200, blank=True)
    kind = models.CharField(max_length=8, choices=Kind)
    size_bytes = models.BigIntegerField()
    packed_bytes = models.BigIntegerField()
    digest = models.BinaryField(max_length=32)
    redacted = models.BinaryField(null=True)
    secrets_count = models.PositiveIntegerField(default=0)
    secret_paths = models.JSONField(default=list)
    note = models.CharField(max_length=200, blank=True)

    objects = TenantQuerySet["ArchiveEntry"].as_manager()

    class Meta:
        ordering: ClassVar = ["archive", "number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["archive", "number"], name="archive_entry_number_once"),
        ]

    def __str__(self) -> str:
        return self.path
