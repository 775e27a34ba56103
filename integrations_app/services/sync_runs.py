"""One pass over an account's list: read page by page, written as it comes, and only then asked what is missing.

A list that ended early says nothing about what it did not show. A whole list marks what it lacks as missing; what is
missing again in a later whole list is asked for one by one, and gone only when the vendor then has no such thing. A
list that is empty or far shorter than before is believed when the next one says the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from django.db import transaction
from django.utils import timezone

from console.audit.events import Event
from console.audit.services import record
from integrations_app.models import (
    Integration,
    Job,
    QuarantinedItem,
    SyncRun,
    VendorAccount,
)
from integrations_app.services import account_health, bulk_rows, vendor_accounts
from integrations_app.services.documents import plain
from integrations_app.services.mirror import Mirror, mark_gone, usable
from integrations_app.vendors import registry
from integrations_app.vendors.base import (
    BadItem,
    RemoteIntegration,
    RemotePage,
    VendorClient,
)
from integrations_app.vendors.errors import (
    VendorError,
    VendorForbiddenError,
    VendorNotFoundError,
    VendorRejectedError,
    VendorResponseError,
    VendorUnsupportedError,
)

Outcome = SyncRun.Outcome

# Rows of one write: small, because SQLite has one writer and others wait for it.
WRITE_ROWS = 200
# A list that lost more than this and is less than half as long is not believed at first.
SUSPECT_LOST = 5
# Missing ones asked for in one run; the others are asked for in the next.
CONFIRMED_PER_RUN = 50
# Bad items kept with their content, and drifted ones recorded one by one; all are counted.
QUARANTINE_KEPT = 1000
DRIFT_RECORDED = 100


class Watcher(Protocol):
    """What a job's progress offers (`integrations_app.jobs.progress.Progress`)."""

    def start(self, total: int | None, unit: str) -> None: ...

    def advance(self, n: int = 1, failed: int = 0) -> None: ...

    def say(self, text: str, level: str = "info", subject: str = "") -> None: ...

    def fail_item(self, subject: str, reason: str) -> None: ...

    def check(self) -> None: ...

    def hold(self) -> None: ...


def sync(account: VendorAccount, *, job: Job | None, progress: Watcher) -> dict[str, Any]:
    """Mirror the account's whole list. Returns the counts of the run, for the job's page.

    Run again after whatever end, it does the whole pass anew and nothing twice. Raises VendorError as the vendor fails,
    and lets pass what `progress` raises to stop it; what was read until then stays.
    """
    run = _begin(account, job)
    try:
        client = vendor_accounts.connect(account)
        reading = _Reading(account, run, Mirror(account, job=job), progress)
        for page in client.list_integrations():
            progress.check()
            reading.take(page)
        progress.check()
        return _finish(reading, client)
    except VendorError as error:
        _end_early(run, error.message)
        account_health.note_failure(account, error)
        raise
    except BaseException as error:
        _end_early(
            run,
            "The job was stopped." if isinstance(error, Exception) else "The worker was stopped.",
        )
        raise


def _begin(account: VendorAccount, job: Job | None) -> SyncRun:
    left_over = SyncRun.objects.for_tenant(account.tenant).filter(vendor_account=account, outcome=Outcome.RUNNING)
    for run in left_over:
        _end_early(run, "The worker was lost.")
    return SyncRun.objects.create(tenant=account.tenant, vendor_account=account, job=job)


def _end_early(run: SyncRun, note: str) -> None:
    """The run ended before its list did; the bad items of the last whole list stay the ones that are shown."""
    with transaction.atomic():
        QuarantinedItem.objects.filter(sync_run=run).delete()
        SyncRun.objects.filter(pk=run.pk, outcome=Outcome.RUNNING).update(
            outcome=Outcome.FAILED,
            note=plain(note, 300),
            ended_at=timezone.now(),
            **_counts(run),
        )


def _counts(run: SyncRun) -> dict[str, int]:
    names = (
        "pages",
        "seen",
        "added",
        "changed",
        "unchanged",
        "missing",
        "gone",
        "returned",
        "quarantined",
        "duplicates",
    )
    return {name: getattr(run, name) for name in names}


# --- reading the list --------------------------------------------------------------------------------------------


@dataclass
class _Reading:
    """The list so far: which ids it held, and how often it was odd."""

    account: VendorAccount
    run: SyncRun
    mirror: Mirror
    progress: Watcher
    listed: set[str] = field(default_factory=set)
    unidentified: int = 0
    drifted: int = 0

    def take(self, page: RemotePage) -> None:
        if not self.run.pages:
            self.progress.start(page.total, "integrations")
        self.run.pages += 1
        unusable = [bad for bad in map(usable, page.items) if bad is not None]
        items = [item for item in page.items if usable(item) is None]
        for chunk in bulk_rows.chunks(list(self._new(items)), WRITE_ROWS):
            self._write(chunk)
        self._set_aside([*page.bad, *unusable])

    def _new(self, items: Iterable[RemoteIntegration]) -> Iterable[RemoteIntegration]:
        """Each integration once: the first time it is listed counts, whether it stands there twice or moved
        meanwhile.
        """
        for item in items:
            if item.remote_id in self.listed:
                self.run.duplicates += 1
                self.progress.say(
                    "Listed twice; the first one counts.",
                    level="warning",
                    subject=plain(self.mirror.redactor.redact_text(item.name), 200),
                )
                continue
            self.listed.add(item.remote_id)
            yield item

    def _write(self, chunk: Sequence[RemoteIntegration]) -> None:
        left = max(0, DRIFT_RECORDED - self.drifted)
        # The list may be one long answer, given as of its beginning: whoever was refreshed since then is newer.
        written = self.mirror.write(chunk, hold=self.progress.hold, record_drift=left, asked_at=self.run.started_at)
        self.drifted += len(written.drifted)
        self.run.seen += len(chunk)
        self.run.added += written.added
        self.run.changed += written.changed - written.returned
        self.run.unchanged += written.unchanged
        self.run.returned += written.returned
        for row in written.drifted[:left]:
            self.progress.say("Changed at the vendor; the former document is kept.", subject=row.name)
        self.progress.advance(len(chunk))

    def _set_aside(self, bad_items: Sequence[BadItem]) -> None:
        rows = []
        for bad in bad_items:
            reason = plain(self.mirror.redactor.redact_text(bad.reason), 300)
            remote_id = plain(bad.remote_id, 200)
            self.run.quarantined += 1
            if bad.remote_id:
                self.listed.add(bad.remote_id)
            else:
                self.unidentified += 1
            self.progress.fail_item(remote_id or "an item without an id", reason)
            if self.run.quarantined <= QUARANTINE_KEPT:
                rows.append(self._quarantined(bad, remote_id, reason))
        if rows:
            with transaction.atomic():
                self.progress.hold()
                bulk_rows.insert(rows)

    def _quarantined(self, bad: BadItem, remote_id: str, reason: str) -> QuarantinedItem:
        return QuarantinedItem(
            tenant_id=self.account.tenant_id,
            vendor_account_id=self.account.pk,
            sync_run_id=self.run.pk,
            remote_id=remote_id,
            reason=reason,
            redacted=self.mirror.redactor.redact(bad.raw),
        )


# --- after the whole list ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Absent:
    """Rows that the list did not hold: for the first time, or missing since an earlier whole list."""

    before: int  # how many rows were there and not missing when the run began
    first: tuple[Any, ...]
    again: tuple[Any, ...]


def _finish(reading: _Reading, client: VendorClient) -> dict[str, Any]:
    run, now = reading.run, timezone.now()
    absent = _absent(reading)
    doubt = _doubt(reading, absent)
    first, gone = absent.first, ()
    if doubt or reading.unidentified:
        first = ()
    else:
        gone = _confirm(reading, client, absent.again)
    run.missing, run.gone = len(first), len(gone)
    run.outcome = Outcome.SUSPECT if doubt else Outcome.PARTIAL if run.quarantined else Outcome.WHOLE
    run.ended_at, run.note = now, doubt or _note(reading)
    with transaction.atomic():
        reading.progress.hold()
        for chunk in bulk_rows.chunks(first, 500):
            Integration.objects.filter(pk__in=chunk, missing_since=None).update(missing_since=now)
        for chunk in bulk_rows.chunks(gone, 500):
            mark_gone(chunk, now)
        run.save()
        _close(reading, now, is_whole=not doubt)
        _record(reading)
    if run.note:
        reading.progress.say(run.note, level="warning")
    return {
        **_counts(run),
        "outcome": run.outcome,
        "note": run.note,
        "drifted": reading.drifted,
    }


def _absent(reading: _Reading) -> _Absent:
    rows = Integration.objects.for_tenant(reading.account.tenant).filter(vendor_account=reading.account, gone_at=None)
    before = 0
    first: list[Any] = []
    again: list[Any] = []
    for row_id, remote_id, missing_since, first_seen_at in rows.values_list(
        "pk", "remote_id", "missing_since", "first_seen_at"
    ).iterator(chunk_size=2000):
        before += missing_since is None and first_seen_at < reading.run.started_at
        if remote_id not in reading.listed:
            (first if missing_since is None else again).append(row_id)
    return _Absent(before, tuple(first), tuple(again))


def _doubt(reading: _Reading, absent: _Absent) -> str:
    """Why this list is not believed yet, "" when it is."""
    listed, before = len(reading.listed), absent.before
    is_short = listed * 2 < before and len(absent.first) > SUSPECT_LOST
    if not before or (listed and not is_short) or (not listed and not absent.first):
        return ""
    if _last_seen_if_suspect(reading) == reading.run.seen:
        return ""
    vendor = registry.vendor(reading.account.vendor).label
    held = "was empty" if not listed else f"held {listed}"
    doubt = f"{vendor}'s list {held} where {before} were known."
    return f"{doubt} Nothing is marked missing until a second list says the same."


def _last_seen_if_suspect(reading: _Reading) -> int | None:
    """How many items the last list held that was read to its end, if it was not believed."""
    ended = SyncRun.objects.for_tenant(reading.account.tenant).filter(vendor_account=reading.account)
    ended = ended.filter(outcome__in=[Outcome.WHOLE, Outcome.PARTIAL, Outcome.SUSPECT])
    last = ended.order_by("-started_at", "-id").values_list("outcome", "seen").first()
    return last[1] if last and last[0] == Outcome.SUSPECT else None


def _confirm(reading: _Reading, client: VendorClient, row_ids: Sequence[Any]) -> tuple[Any, ...]:
    """Ask the vendor for what two whole lists lacked; returns what it has no more. What it still shows is written."""
    if getattr(client, "gets_from_list", False):
        return tuple(row_ids)  # asking for one would read the same list again; two whole ones lacked it already
    gone = []
    rows = Integration.objects.filter(pk__in=row_ids[:CONFIRMED_PER_RUN]).only("pk", "remote_id", "name")
    for row in rows.order_by("missing_since", "pk"):
        reading.progress.check()
        try:
            remote = client.get_integration(row.remote_id)
        except VendorNotFoundError:
            gone.append(row.pk)
        except (VendorRejectedError, VendorUnsupportedError):
            # No plain "not found" is to be had here, so the second list that lacks it is the confirming read.
            gone.append(row.pk)
        except VendorResponseError:
            reading.progress.say(
                "Not listed, and what the vendor answers is unreadable.",
                "warning",
                row.name,
            )
        except VendorForbiddenError:
            # The list was allowed: one that may not be asked for must not end every sync from now on.
            reading.progress.say("Not listed, and this secret may not ask for it.", "warning", row.name)
        else:
            if remote.remote_id == row.remote_id:
                reading.mirror.write([remote], is_single=True, hold=reading.progress.hold, record_drift=DRIFT_RECORDED)
                reading.progress.say("Not listed, but still at the vendor.", subject=row.name)
    return tuple(gone)


def _note(reading: _Reading) -> str:
    if reading.unidentified:
        return f"{reading.unidentified} items came without a usable id, so nothing can be said about what is missing."
    return ""


def _close(reading: _Reading, now: datetime, *, is_whole: bool) -> None:
    """Replace the bad items of the former list by this one's, and write down how the account is."""
    account, run = reading.account, reading.run
    QuarantinedItem.objects.for_tenant(account.tenant).filter(vendor_account=account).exclude(sync_run=run).delete()
    if is_whole:
        VendorAccount.objects.filter(pk=account.pk).update(listed_at=now, listed_count=len(reading.listed))
    account_health.note_success(account, list_doubt="" if is_whole else run.note)


def _record(reading: _Reading) -> None:
    run, account = reading.run, reading.account
    detail = {**_counts(run), "outcome": run.outcome, "drifted": reading.drifted}
    by = run.job.requested_by if run.job else None
    record(
        Event.INTEGRATIONS_SYNCED,
        by=by,
        tenant=account.tenant,
        target=account,
        detail=detail,
    )
