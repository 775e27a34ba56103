"""Writes what a vendor said of its integrations into the mirror: one path for a page of a list and for a single one.

Digests are compared first and only changes are written. The whole document is sealed beside its redacted copy; when a
document changed, the one it replaces is kept as a snapshot.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from console.access.vault import TenantVault
from console.audit.events import Event
from console.audit.services import record
from integrations_app.models import (
    Integration,
    IntegrationAlias,
    IntegrationDocument,
    IntegrationPart,
    Job,
    Snapshot,
    VendorAccount,
    VendorWrite,
    WriteState,
)
from integrations_app.models.fields import sort_key
from integrations_app.services import bulk_rows, regions, states
from integrations_app.services.differences import Kind, diff
from integrations_app.services.documents import Redactor, canonical, digest, load, plain
from integrations_app.vendors import registry
from integrations_app.vendors.base import (
    BadItem,
    Finding,
    FindingCode,
    RemoteIntegration,
    RemotePart,
)

# Grows whenever reading a document gives other columns: the next sync then rewrites rows whose document is unchanged.
READING = b"1"
ALIAS_PURPOSE = "alias"
REMOTE_ID_LENGTH = 200
# A vendor may send any number of them; what nobody can read on a page or would paste need not be rows.
PARTS_KEPT = 1000
STEPS_KEPT = 500
ALIASES_KEPT = 200
# The databases' whole numbers end here.
_LARGEST = 2**31 - 1

# What a change of the vendor's document or of its reading may change in the lean row.
_READ_FIELDS = (
    "name", "name_sort", "app", "state", "state_rank", "state_since", "turn", "finding_code", "finding_subject",
    "finding_count", "findings_count", "vendor_words", "version", "latest_version", "is_behind", "remote_url",
    "remote_created_at", "remote_updated_at", "last_used_at", "seen_at", "changed_at", "missing_since", "gone_at",
    "digest",
)  # fmt: skip


@dataclass
class Written:
    """What one write did. `drifted` are the rows whose document changed at the vendor."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    returned: int = 0
    drifted: list[Integration] = field(default_factory=list)


@dataclass(frozen=True)
class _Item:
    """One integration as it arrived, with what is compared: `digest` of the document, `reading` of all it is read
    as.
    """

    remote: RemoteIntegration
    verdict: states.Verdict
    plain: bytes
    digest: bytes
    reading: bytes


class Mirror:
    """Writes for one account; keep one for a job."""

    def __init__(self, account: VendorAccount, *, job: Job | None = None) -> None:
        self._account = account
        self._job = job
        self._vault = TenantVault(account.tenant_id)
        self._client = registry.vendor(account.vendor)
        # Top-level fields that only some answers of this vendor carry: missing in one, they are kept from the last that
        # had them, and no difference.
        self._varying: frozenset[str] = getattr(self._client, "varying_fields", frozenset())
        self.redactor = Redactor(self._client.document_fields, self._vault.fingerprint)

    def write(
        self,
        remotes: Sequence[RemoteIntegration],
        *,
        is_single: bool = False,
        hold: Callable[[], None] = lambda: None,
        record_drift: int = _LARGEST,
        asked_at: datetime | None = None,
    ) -> Written:
        """Write a page of integrations, no id twice, in one short transaction; `hold` is called inside it first.

        `is_single`: they come from asking for one, not from a list. At most `record_drift` drifted ones get an audit
        event each. `asked_at` is when the vendor was asked: what somebody else asked for later and wrote already is
        newer, and stays.
        """
        now = timezone.now()
        asked_at = asked_at or now
        items = [self._item(remote, now) for remote in remotes]
        rows = self._rows(items)
        fresh = [item for item in items if item.remote.remote_id not in rows]
        known = [
            item for item in items if (row := rows.get(item.remote.remote_id)) is not None and row.seen_at <= asked_at
        ]
        doubtful = [item for item in known if (is_single and self._varying) or _differs(item, rows)]
        formers = self._documents([rows[item.remote.remote_id] for item in doubtful])
        batch = _Batch(
            seen={rows[item.remote.remote_id].pk for item in known},
            being_written=self._being_written([rows[item.remote.remote_id] for item in doubtful]),
        )
        for item in fresh:
            self._add(item, now, batch)
        for item in doubtful:
            row = rows[item.remote.remote_id]
            former = formers.get(row.pk)
            completed = self._completed(item, former, now)
            if _differs(completed, rows) or former is None or bytes(former.digest) != completed.digest:
                batch.returned += row.gone_at is not None
                self._change(completed, row, former, now, batch)
        self._save(batch, asked_at, hold, record_drift)
        return Written(len(fresh), len(batch.changed), len(batch.seen), batch.returned, batch.drifted)

    def _save(self, batch: _Batch, asked_at: datetime, hold: Callable[[], None], record_drift: int) -> None:
        tenant = self._account.tenant
        with transaction.atomic():
            hold()
            batch.save()
            seen = Integration.objects.for_tenant(tenant).filter(pk__in=batch.seen)
            seen.update(seen_at=asked_at, missing_since=None)
            for row in batch.drifted[:record_drift]:
                record(Event.INTEGRATION_DRIFTED, by=None, tenant=tenant, target=row)

    def _item(self, remote: RemoteIntegration, now: datetime) -> _Item:
        whole = canonical(remote.raw)
        document_digest = compared = digest(whole)
        if self._varying:
            compared = digest(canonical({k: v for k, v in remote.raw.items() if k not in self._varying}))
        context = canonical([self._account.region, states.is_unused(remote, now)])
        reading = hashlib.sha256(READING + compared + context).digest()
        return _Item(remote, states.judge(remote, now), whole, document_digest, reading)

    def _completed(self, item: _Item, former: IntegrationDocument | None, now: datetime) -> _Item:
        """The item with those varying fields that its answer left out and the stored document has."""
        missing = self._varying - item.remote.raw.keys()
        if not missing or former is None:
            return item
        stored = load(self._vault.unseal(former.context, former.sealed))
        kept = {name: stored[name] for name in missing if name in stored}
        if not kept:
            return item
        region = regions.region(self._account.vendor, self._account.region)
        return self._item(self._client.read_integration({**item.remote.raw, **kept}, region), now)

    def _rows(self, items: Sequence[_Item]) -> dict[str, Integration]:
        wanted = [item.remote.remote_id for item in items]
        rows = Integration.objects.for_tenant(self._account.tenant).filter(vendor_account=self._account)
        return {row.remote_id: row for row in rows.filter(remote_id__in=wanted)}

    def _documents(self, rows: Sequence[Integration]) -> dict[Any, IntegrationDocument]:
        if not rows:
            return {}
        documents = IntegrationDocument.objects.for_tenant(self._account.tenant)
        return {document.pk: document for document in documents.filter(pk__in=[row.pk for row in rows])}

    def _being_written(self, rows: Sequence[Integration]) -> frozenset[Any]:
        """Those that a write of ours is under way to: what changed there is ours, and its snapshot was taken before."""
        if not rows:
            return frozenset()
        sent = VendorWrite.objects.for_tenant(self._account.tenant).filter(state=WriteState.SENT)
        return frozenset(sent.filter(integration__in=[row.pk for row in rows]).values_list("integration_id", flat=True))

    # --- one row with all that belongs to it ---------------------------------------------------------------------

    def _add(self, item: _Item, now: datetime, batch: _Batch) -> None:
        row = Integration(
            tenant_id=self._account.tenant_id,
            vendor_account_id=self._account.pk,
            vendor=self._account.vendor,
            remote_id=item.remote.remote_id,
            first_seen_at=now,
            changed_at=_past(item.remote.remote_updated_at or item.remote.remote_created_at, now) or now,
            state_since=_since(item.verdict.main, now),
        )
        self._read(item, row, now)
        batch.added.append(row)
        self._attach(item, row, self.redactor.redact(item.remote.raw), now, batch)

    def _change(
        self,
        item: _Item,
        row: Integration,
        former: IntegrationDocument | None,
        now: datetime,
        batch: _Batch,
    ) -> None:
        redacted = self.redactor.redact(item.remote.raw)
        if former is not None and bytes(former.digest) != item.digest:
            if row.pk not in batch.being_written and self._has_drifted(former, redacted):
                batch.snapshots.append(self._snapshot(former, row, now))
                batch.drifted.append(row)
            row.changed_at = _past(item.remote.remote_updated_at, now) or now
        main = item.verdict.main
        if (row.state, row.finding_code) != (
            item.verdict.state,
            main.code if main else "",
        ):
            row.state_since = _since(main, now)
        self._read(item, row, now)
        batch.changed.append(row)
        batch.seen.discard(row.pk)
        self._attach(item, row, redacted, now, batch)

    def _has_drifted(self, former: IntegrationDocument, redacted: bytes) -> bool:
        """Whether somebody changed something: more than the vendor's own noise, or a field its last answer left out."""
        changes = diff(former.redacted, redacted).changes
        return any(not (change.kind is Kind.ADDED and change.path in self._varying) for change in changes)

    def _read(self, item: _Item, row: Integration, now: datetime) -> None:
        """Set the columns that follow from the vendor's answer."""
        remote, verdict, main = item.remote, item.verdict, item.verdict.main
        row.name = self._text(remote.name, 300) or remote.remote_id
        row.name_sort = sort_key(row.name)
        row.app = self._text(remote.app, 120)
        row.state, row.state_rank, row.turn = verdict.state, verdict.rank, verdict.turn
        row.finding_code = main.code if main else ""
        row.finding_subject = self._text(main.subject, 200) if main else ""
        row.finding_count = _count(main.count) if main else 0
        row.findings_count = min(len(verdict.findings), 32_767)
        row.vendor_words = self._text(remote.vendor_words, 200)
        row.version, row.latest_version = (
            self._text(remote.version, 60),
            self._text(remote.latest_version, 60),
        )
        row.is_behind = any(finding.code is FindingCode.VERSION_BEHIND for finding in verdict.findings)
        address = plain(remote.remote_url, 500)
        row.remote_url = address if self.redactor.redact_text(address) == address else ""
        row.remote_created_at, row.remote_updated_at = (
            remote.remote_created_at,
            remote.remote_updated_at,
        )
        row.last_used_at = remote.last_used_at
        row.seen_at, row.missing_since, row.gone_at = now, None, None
        row.digest = item.reading

    def _attach(
        self,
        item: _Item,
        row: Integration,
        redacted: bytes,
        now: datetime,
        batch: _Batch,
    ) -> None:
        document = IntegrationDocument(
            integration_id=row.pk,
            tenant_id=row.tenant_id,
            redacted=redacted,
            digest=item.digest,
            findings=[self._finding(finding) for finding in item.verdict.findings],
            fetched_at=now,
        )
        document.sealed = self._vault.seal(document.context, item.plain)
        batch.documents.append(document)
        for position, part in enumerate(item.remote.parts[:PARTS_KEPT]):
            batch.parts.append(self._part(part, row, position))
        batch.aliases.extend(self._aliases(item.remote, row))

    def _finding(self, finding: Finding) -> dict[str, Any]:
        return {
            "code": finding.code.value,
            "subject": self._text(finding.subject, 200),
            "count": _count(finding.count),
            "detail": self._text(finding.detail, 500),
            "since": finding.since.isoformat() if finding.since else None,
        }

    def _part(self, part: RemotePart, row: Integration, position: int) -> IntegrationPart:
        return IntegrationPart(
            tenant_id=row.tenant_id,
            integration_id=row.pk,
            position=position,
            kind=part.kind.value,
            remote_id=plain(part.remote_id, 200),
            name=self._text(part.name, 300) or plain(part.remote_id, 300),
            is_active=part.is_active,
            is_installed=part.is_installed,
            version=self._text(part.version, 60),
            installed_version=self._text(part.installed_version, 60),
            words=self._text(part.words, 300),
            steps=[
                {
                    "remote_id": plain(step.remote_id, 200),
                    "name": self._text(step.name, 300),
                    "app": self._text(step.app, 120),
                    "subtitle": self._text(step.subtitle, 300),
                }
                for step in part.steps[:STEPS_KEPT]
            ],
        )

    def _aliases(self, remote: RemoteIntegration, row: Integration) -> Iterable[IntegrationAlias]:
        texts = dict.fromkeys(filter(None, map(normal_alias, remote.aliases)))
        for text in list(texts)[:ALIASES_KEPT]:
            alias_digest = self._vault.digest(ALIAS_PURPOSE, text)
            yield IntegrationAlias(tenant_id=row.tenant_id, integration_id=row.pk, digest=alias_digest)

    def _snapshot(self, former: IntegrationDocument, row: Integration, now: datetime) -> Snapshot:
        """The document that is about to be replaced; `row` still says when the vendor last showed it."""
        snapshot = Snapshot(
            tenant_id=row.tenant_id,
            integration_id=row.pk,
            cause=Snapshot.Cause.DRIFT,
            job=self._job,
            as_of=row.seen_at,
            taken_at=now,
            redacted=bytes(former.redacted),
            digest=bytes(former.digest),
        )
        snapshot.sealed = self._vault.seal(snapshot.context, self._vault.unseal(former.context, former.sealed))
        return snapshot

    def _text(self, text: str, limit: int) -> str:
        return plain(self.redactor.redact_text(text), limit) if text else ""


@dataclass
class _Batch:
    """The rows of one transaction; `seen` are those that need no more than that, what changes in those
    `being_written` is our own doing.
    """

    seen: set[Any] = field(default_factory=set)
    being_written: frozenset[Any] = frozenset()
    returned: int = 0
    added: list[Integration] = field(default_factory=list)
    changed: list[Integration] = field(default_factory=list)
    documents: list[IntegrationDocument] = field(default_factory=list)
    parts: list[IntegrationPart] = field(default_factory=list)
    aliases: list[IntegrationAlias] = field(default_factory=list)
    snapshots: list[Snapshot] = field(default_factory=list)
    drifted: list[Integration] = field(default_factory=list)

    def save(self) -> None:
        """Parents first; what belongs to changed rows is replaced whole."""
        bulk_rows.insert(self.snapshots)
        bulk_rows.insert(self.added)
        bulk_rows.update(self.changed, _READ_FIELDS)
        bulk_rows.upsert(self.documents, key="integration_id")
        if self.changed:
            owners = [row.pk for row in self.changed]
            IntegrationPart.objects.filter(integration_id__in=owners).delete()
            IntegrationAlias.objects.filter(integration_id__in=owners).delete()
        bulk_rows.insert(self.parts)
        bulk_rows.insert(self.aliases)


def normal_alias(text: str) -> bytes:
    """The form of an alias that is looked up: what people paste differs in case and in spaces around it."""
    return unicodedata.normalize("NFKC", text).strip().casefold().encode("utf-8", "replace")


def usable(remote: RemoteIntegration) -> BadItem | None:
    """Why a list's item cannot be kept, None when it can."""
    if not remote.remote_id or len(remote.remote_id) > REMOTE_ID_LENGTH or not remote.remote_id.isprintable():
        return BadItem("", "The item's id is empty, too long or not printable.", remote.raw)
    return None


def mark_gone(row_ids: Sequence[Any], now: datetime) -> int:
    """Mark integrations gone: confirmed absent at the vendor. Inside a transaction; returns how many."""
    return Integration.objects.filter(pk__in=row_ids, gone_at=None).update(
        gone_at=now,
        state=Integration.State.GONE,
        state_rank=states.RANKS[Integration.State.GONE],
        state_since=now,
        turn=Integration.Turn.NOBODY,
    )


def _differs(item: _Item, rows: Mapping[str, Integration]) -> bool:
    row = rows[item.remote.remote_id]
    return row.gone_at is not None or bytes(row.digest) != item.reading


def _past(moment: datetime | None, now: datetime) -> datetime | None:
    """A vendor's time, unless it lies ahead: a list sorted by it would show that row first for years."""
    return moment if moment is not None and moment <= now else None


def _since(main: Finding | None, now: datetime) -> datetime:
    return (_past(main.since, now) if main else None) or now


def _count(number: int) -> int:
    return min(max(number, 0), _LARGEST)
