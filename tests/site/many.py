"""Many rows of everything a page can list, made in few statements."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import F
from django.utils import timezone

from console.access.models import Grant, Invitation, Role, Tenant, TenantLabel, User
from console.audit.events import Event
from console.audit.models import AuditEvent
from integrations_app.models import (
    ArchiveEntry,
    Credential,
    CredentialSecret,
    Integration,
    IntegrationDocument,
    IntegrationPart,
    Job,
    JobLine,
    JobState,
    Listing,
    QuarantinedItem,
    Schedule,
    SecretChange,
    Snapshot,
    SyncRun,
    TemplateArchive,
    VendorAccount,
    VendorGate,
    VendorWrite,
    WriteBatch,
)
from integrations_app.services import states
from tests.people import People
from tests.things import make_archive, make_listing

START = timezone.now() - timedelta(days=30)


@dataclass
class Many:
    """The things that pages are opened for; each has as many rows below it as were made."""

    people: People
    account: VendorAccount
    integration: Integration
    searchable: VendorAccount
    job: Job
    shared: Credential

    @property
    def tenant(self) -> Tenant:
        return self.people.tenant

    def ids(self, takes: str) -> list[uuid.UUID]:
        """The id for an address of the access table."""
        if not takes:
            return []
        chosen: dict[str, Any] = {
            "integration": self.integration,
            "account": self.account,
            "searchable_account": self.searchable,
            "snapshot": self.integration.snapshots.first(),
            "write": self.integration.writes.filter(batch=None).first(),
            "batch": WriteBatch.objects.for_tenant(self.tenant).first(),
            "archive": TemplateArchive.objects.filter(integration=self.integration).order_by("taken_at").first(),
        }
        return [chosen.get(takes, self.job).pk]


def start(people: People) -> Many:
    """One of each, with nothing below it yet."""
    shared = Credential.objects.create(tenant=None, vendor="torq", name="Shared")
    account = make_accounts(people.tenant, 1, people.members["owner"], prefix="First", vendor="celigo")[0]
    searchable = make_accounts(people.tenant, 1, people.members["owner"], prefix="Searchable")[0]
    integration = make_integrations(account, 1, prefix="First")[0]
    job = make_jobs(account, 1, people.members["owner"])[0]
    return Many(people, account, integration, searchable, job, shared)


def grow(many: Many, first: int, last: int) -> None:
    """Make the rows number `first` to `last` (not included) of everything."""
    owner, tenant, count = many.people.members["owner"], many.tenant, last - first
    make_integrations(many.account, count, prefix=f"Orders {first}")
    accounts = make_accounts(tenant, count, owner, prefix=f"Account {first}")
    make_jobs(many.account, count, owner)
    _below_account(many, count, owner)
    _below_integration(many, count, owner)
    _batch(many, count)
    JobLine.objects.bulk_create(
        [
            JobLine(tenant=tenant, job=many.job, subject=f"item {n}", text="It is broken.", level="error")
            for n in range(count)
        ]
    )
    _people(many, first, last)
    _audit(tenant, owner, count)
    _tenants(many, first, last)
    for number, account in enumerate(accounts[: count // 2]):
        VendorAccount.objects.filter(pk=account.pk).update(state="failing", state_reason=f"Refused {number}")
    bound = make_accounts(tenant, count, owner, prefix=f"Bound {first}")
    VendorAccount.objects.filter(pk__in=[account.pk for account in bound]).update(credential=many.shared)
    Credential.objects.bulk_create(
        [Credential(vendor="alloy", name=f"Key {n}", owner=owner) for n in range(first, last)]
    )


def make_accounts(
    tenant: Tenant, count: int, owner: User, prefix: str = "Account", vendor: str = "torq"
) -> list[VendorAccount]:
    credentials = [Credential(tenant=tenant, vendor=vendor, name=f"{prefix} {n}", owner=owner) for n in range(count)]
    Credential.objects.bulk_create(credentials)
    CredentialSecret.objects.bulk_create(
        [
            CredentialSecret(credential=c, field="client_secret", fingerprint="7f3a0c21", sealed=b"-")
            for c in credentials
        ]
    )
    accounts = [
        VendorAccount(tenant=tenant, credential=credential, vendor=vendor, name=credential.name, region="us",
                      owner=owner, listed_at=timezone.now(), listed_count=1, state="ok")
        for credential in credentials
    ]  # fmt: skip
    VendorAccount.objects.bulk_create(accounts)
    VendorGate.objects.bulk_create([VendorGate(account=account) for account in accounts])
    return accounts


def make_integrations(account: VendorAccount, count: int, prefix: str = "Orders") -> list[Integration]:
    """A third of them needs somebody; each has its document."""
    rows = []
    for number in range(count):
        name = f"{prefix} {number:06}"
        state = Integration.State.ATTENTION if number % 3 == 0 else Integration.State.ACTIVE
        rows.append(
            Integration(
                tenant_id=account.tenant_id, vendor_account=account, vendor=account.vendor, name=name,
                name_sort=name.lower(), remote_id=str(uuid.uuid4()), digest=b"-", state=state,
                state_rank=states.RANKS[state], changed_at=START + timedelta(seconds=number),
                finding_code="errors" if state == Integration.State.ATTENTION else "", finding_count=number,
                turn="us" if state == Integration.State.ATTENTION else "",
            )
        )  # fmt: skip
    Integration.objects.bulk_create(rows)
    IntegrationDocument.objects.bulk_create(
        [IntegrationDocument(integration=row, tenant_id=row.tenant_id, sealed=b"-", redacted=b'{"name": "Orders"}',
                             digest=b"-") for row in rows]
    )  # fmt: skip
    return rows


def make_jobs(account: VendorAccount, count: int, by: User) -> list[Job]:
    """Every other one runs."""
    rows = [
        Job(tenant_id=account.tenant_id, type="sync_account", title=f"Sync {n}", queue="bulk", vendor_account=account,
            requested_by=by, requested_by_label=str(by), state=JobState.RUNNING if n % 2 else JobState.SUCCEEDED,
            created_at=START + timedelta(seconds=n), target_type="vendoraccount", target_id=str(account.pk))
        for n in range(count)
    ]  # fmt: skip
    return Job.objects.bulk_create(rows)


def _below_account(many: Many, count: int, by: User) -> None:
    account, tenant = many.account, many.tenant
    runs = [SyncRun(tenant=tenant, vendor_account=account, job=many.job, outcome="whole") for _ in range(count)]
    SyncRun.objects.bulk_create(runs)
    QuarantinedItem.objects.bulk_create(
        [QuarantinedItem(tenant=tenant, vendor_account=account, sync_run=run, reason="No id.", redacted=b"{}")
         for run in runs]
    )  # fmt: skip
    assert account.credential is not None
    for credential in (account.credential, many.shared):
        SecretChange.objects.bulk_create(
            [SecretChange(tenant_id=credential.tenant_id, credential=credential, requested_by=by, credential_version=1,
                          outcome="applied") for _ in range(count)]
        )  # fmt: skip
    Schedule.objects.get_or_create(
        tenant=tenant, vendor_account=account, job_type="sync_account",
        defaults={"every_seconds": 3600, "next_at": timezone.now()},
    )  # fmt: skip


def _below_integration(many: Many, count: int, by: User) -> None:
    place: dict[str, Any] = {"tenant": many.tenant, "integration": many.integration}
    kinds = ("workflow", "connection", "share")
    IntegrationPart.objects.bulk_create(
        [IntegrationPart(**place, position=n, kind=kinds[n % 3], name=f"Part {n}", steps=[{"name": "Step"}])
         for n in range(count)]
    )  # fmt: skip
    Snapshot.objects.bulk_create(
        [Snapshot(**place, cause="manual", by=by, job=many.job, as_of=START, sealed=b"-", digest=b"-",
                  taken_at=START + timedelta(seconds=n), redacted=b'{"name": "Orders %d"}' % n) for n in range(count)]
    )  # fmt: skip
    make_writes(many.integration, count)
    _archives(many.integration, count)
    Listing.objects.filter(integration=many.integration, kind="audit").delete()
    said = {"who": "Ines", "event": "update", "what": "integration", "field": "name", "before": "A", "after": "B"}
    times = [(START + timedelta(seconds=n)).isoformat() for n in range(count)]
    entries = ({"remote_id": f"{at}/0", "name": "update", "at": at, "values": said} for at in times)
    make_listing(many.integration, "audit", *entries)
    for kind in ("flows", "connections", "errors"):
        Listing.objects.filter(integration=many.integration, kind=kind).delete()
        make_listing(many.integration, kind, *({"remote_id": f"{n}/1", "name": f"{kind} {n}"} for n in range(count)))


def _archives(integration: Integration, count: int) -> None:
    """Each with as many entries; those of the oldest grow."""
    first = TemplateArchive.objects.filter(integration=integration).order_by("taken_at").first()
    made = [make_archive(integration, *(f"flows/{n}.json" for n in range(count))) for _ in range(count)]
    if first is not None:
        ArchiveEntry.objects.filter(archive=made[0]).update(archive=first, number=F("number") + 1000)


def make_snapshots(integrations: Sequence[Integration], by: User | None = None) -> None:
    """One of each; every third was kept because of drift."""
    Snapshot.objects.bulk_create(
        [Snapshot(tenant_id=row.tenant_id, integration=row, cause="drift" if n % 3 == 0 else "manual",
                  by=None if n % 3 == 0 else by, as_of=START, sealed=b"-", digest=b"-", redacted=b"{}",
                  taken_at=START + timedelta(seconds=n)) for n, row in enumerate(integrations)]
    )  # fmt: skip


def make_writes(integration: Integration, count: int) -> None:
    """Edits that were done, each with a snapshot from before."""
    kept = list(integration.snapshots.all()[:count])
    VendorWrite.objects.bulk_create(
        [VendorWrite(tenant_id=integration.tenant_id, integration=integration, operation="edit", title=f"Edit {n}",
                     vendor_account_id=integration.vendor_account_id, state="done", key=uuid.uuid4().hex,
                     requested_by_label="Ana", created_at=START + timedelta(seconds=n),
                     sent_at=START + timedelta(seconds=n), snapshot=kept[n] if n < len(kept) else None,
                     plan={"changes": [{"key": "name", "label": "Name", "before": "A", "after": "B"}]})
         for n in range(count)]
    )  # fmt: skip


def _batch(many: Many, count: int) -> None:
    """Rows of one batch over the account's integrations, with a word to each."""
    batch, _ = WriteBatch.objects.get_or_create(
        tenant=many.tenant, key="many", defaults={"operation": "edit", "title": "Set the tag", "state": "over"}
    )
    change = {"key": "tag", "label": "Tag", "before": "winter", "after": "spring", "base": None, "is_conflict": False}
    rows = many.account.integrations.order_by("-name_sort")[:count]
    VendorWrite.objects.bulk_create(
        [VendorWrite(tenant=many.tenant, batch=batch, integration=row, vendor_account=many.account, operation="edit",
                     title=f"Edit {row.name}", state="not_done", key=uuid.uuid4().hex, sentence="It is broken.",
                     plan={"changes": [change], "questions": []}) for row in rows]
    )  # fmt: skip


def _people(many: Many, first: int, last: int) -> None:
    role = Role.objects.get(slug="viewer")
    users = [User(email=f"person{n}@many.example", name=f"Person {n}", password="!") for n in range(first, last)]
    User.objects.bulk_create(users)
    owner = many.people.members["owner"]
    Grant.objects.bulk_create([Grant(user=user, role=role, tenant=many.tenant, granted_by=owner) for user in users])
    Invitation.objects.bulk_create(
        [Invitation(email=f"new{n}@many.example", tenant=many.tenant, role=role, invited_by=owner,
                    digest=hashlib.sha256(b"%d" % n).digest(), expires_at=timezone.now() + timedelta(days=7))
         for n in range(first, last)]
    )  # fmt: skip


def _audit(tenant: Tenant, by: User, count: int) -> None:
    AuditEvent.objects.bulk_create(
        [AuditEvent(event=Event.JOB_REQUESTED, tenant_id=tenant.id, tenant_label=tenant.name, by_id=by.id,
                    by_label=str(by), target_label=f"Sync {n}") for n in range(count)]
    )  # fmt: skip


def _tenants(many: Many, first: int, last: int) -> None:
    """Other tenants of the same owner and of the platform admin, each with something that needs somebody."""
    owner = many.people.members["owner"]
    role = Role.objects.get(slug="owner")
    for number in range(first, last):
        tenant = Tenant.objects.create(slug=f"tenant-{number}", name=f"Tenant {number:03}", owner=owner)
        TenantLabel.objects.create(tenant=tenant, name=f"label-{number}")
        TenantLabel.objects.create(tenant=many.tenant, name=f"label-{number}")
        for user in (owner, many.people.platform):
            Grant.objects.create(user=user, role=role, tenant=tenant)
        account = make_accounts(tenant, 1, owner)[0]
        make_integrations(account, 1)
        make_jobs(account, 1, owner)
