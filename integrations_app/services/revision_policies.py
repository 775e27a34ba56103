"""Revisions that nobody asks for one by one: every night or before a change, by an account's policy; of everything in
an account at once; and where they are missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, models, transaction
from django.db.models import Case, F, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce, Greatest

from console.access import policy
from console.access.models import User
from console.access.permissions import Permission
from console.audit.events import Event
from console.audit.services import record
from integrations_app.models import (
    Integration,
    Job,
    Listing,
    RevisionPolicy,
    VendorAccount,
    VendorWrite,
    WriteBatch,
    WriteState,
)
from integrations_app.services import jobs, schedules, vendor_writes, write_batches
from integrations_app.services.errors import InvalidError, StaleError

OPERATION = "take_revision"
JOB_TYPE = "take_revisions"
LISTING = "revisions"
NIGHTLY_SECONDS = 86_400

_STALE = "Somebody else changed this policy meanwhile. Nothing was saved: look at it again."
_LONG_AGO = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


# --- the policy ----------------------------------------------------------------------------------------------------


def unsupported_reason(account: VendorAccount) -> str:
    """Why the vendor of an account keeps no revisions, "" when it does."""
    return vendor_writes.unsupported_reason(OPERATION, account.vendor)


def find(account: VendorAccount) -> RevisionPolicy | None:
    """The account's policy, None when nobody ever set one."""
    return RevisionPolicy.objects.for_tenant(account.tenant).filter(vendor_account=account).first()


def describe(is_nightly: bool, before_writes: bool) -> str:
    """A policy in words: "every night and before each change"."""
    moments = [words for words, is_on in (("every night", is_nightly), ("before each change", before_writes)) if is_on]
    return " and ".join(moments) or "only when asked"


def change(
    account: VendorAccount, *, by: User, is_nightly: bool, before_writes: bool, version: int | None
) -> RevisionPolicy:
    """Set when the vendor keeps revisions of an account's integrations.

    `version` is the policy's as the form showed it, 0 where there was none, None where nobody looked. Raises
    PermissionDenied, StaleError when it has changed since, InvalidError for a removed account or a vendor that keeps no
    revisions.
    """
    policy.require(by, Permission.VENDOR_ACCOUNT_MANAGE, account.tenant)
    if account.is_removed:
        raise InvalidError({"": "A removed vendor account has no policy."})
    if reason := unsupported_reason(account):
        raise InvalidError({"": reason})
    try:
        with transaction.atomic():
            kept = _find_or_new(account, version)
            kept.is_nightly, kept.before_writes = is_nightly, before_writes
            kept.save()
            _schedule(account, by=by, is_nightly=is_nightly)
            record(
                Event.REVISION_POLICY_CHANGED,
                tenant=account.tenant,
                by=by,
                target=account,
                detail={
                    "policy": describe(is_nightly, before_writes),
                    "is_nightly": is_nightly,
                    "before_writes": before_writes,
                },
            )
    except IntegrityError as error:
        # Two people set an account's first policy at once.
        raise StaleError(_STALE) from error
    return kept


def _find_or_new(account: VendorAccount, version: int | None) -> RevisionPolicy:
    found = RevisionPolicy.objects.select_for_update().filter(vendor_account=account).first()
    if version is not None and version != (found.version if found else 0):
        raise StaleError(_STALE)
    if found is None:
        return RevisionPolicy(tenant=account.tenant, vendor_account=account)
    found.version += 1
    return found


def _schedule(account: VendorAccount, *, by: User, is_nightly: bool) -> None:
    now = schedules.find(account, JOB_TYPE)
    is_on = now is not None and not now.is_paused
    if is_on != is_nightly:
        schedules.set_schedule(
            account=account, every_seconds=NIGHTLY_SECONDS, by=by, is_paused=not is_nightly, job_type=JOB_TYPE
        )


# --- everything in an account --------------------------------------------------------------------------------------


def of_account(account: VendorAccount) -> QuerySet[Integration]:
    """The integrations of an account that are still there, with what asking for a write reads."""
    rows = Integration.objects.for_tenant(account.tenant).filter(vendor_account=account, gone_at=None)
    return write_batches.with_all(rows)


def request_all(account: VendorAccount, *, by: User, note: str, only_if_changed: bool, key: str) -> WriteBatch | Job:
    """Ask for a revision of everything in an account: one batch, or a job that makes several where one is not enough.

    Raises PermissionDenied, InvalidError when there is nothing or the vendor keeps no revisions.
    """
    policy.require(by, Permission.REVISION_CREATE, account.tenant)
    if reason := unsupported_reason(account):
        raise InvalidError({"": reason})
    count = of_account(account).count()
    if not count:
        raise InvalidError({"": "There is no integration in this account."})
    if count <= write_batches.MAX_ROWS:
        return _batch(
            account, list(of_account(account).order_by("id")), by=by, params=_params(note, only_if_changed), key=key
        )
    return jobs.request(
        JOB_TYPE,
        tenant=account.tenant,
        by=by,
        target=account,
        params=_params(note, only_if_changed),
        reason=note,
    )


def _params(note: str, only_if_changed: bool) -> dict[str, Any]:
    return {"note": note, "only_if_changed": only_if_changed}


def take_all(account: VendorAccount, *, job: Job) -> list[WriteBatch]:
    """Begin the batches of a revision of everything in an account; run again, they are the same ones.

    A policy's job (nobody asked) takes one only where something changed since the last, and none at all while its
    last night's are still under way: then the list is empty, as it is where there is nothing to take one of.
    """
    params = {"note": "", "only_if_changed": True, **job.params}
    key = f"revisions:{job.pk.hex}"
    if job.is_by_console and _is_under_way(account, without=key):
        return []
    return [
        _batch(account, rows, by=job.requested_by, params=params, key=f"{key}:{number}")
        for number, rows in enumerate(_chunks(account))
    ]


def _is_under_way(account: VendorAccount, *, without: str) -> bool:
    rows = VendorWrite.objects.for_tenant(account.tenant).filter(
        vendor_account=account,
        operation=OPERATION,
        state__in=(WriteState.QUEUED, WriteState.SENT),
        batch__state=WriteBatch.State.RUNNING,
        batch__requested_by_label="",
    )
    return rows.exclude(batch__key__startswith=without).exists()


def _chunks(account: VendorAccount) -> Iterator[list[Integration]]:
    """All of them, as many at a time as one batch takes, in an order that a second run finds again."""
    last = None
    while True:
        rows = of_account(account).order_by("id")
        chunk = list((rows.filter(pk__gt=last) if last else rows)[: write_batches.MAX_ROWS])
        if not chunk:
            return
        yield chunk
        last = chunk[-1].pk


def _batch(
    account: VendorAccount, rows: Sequence[Integration], *, by: User | None, params: dict[str, Any], key: str
) -> WriteBatch:
    return write_batches.request(
        OPERATION,
        tenant=account.tenant,
        by=by,
        integrations=rows,
        params=params,
        key=key,
        title=f"Revisions of {len(rows):,} integration{'' if len(rows) == 1 else 's'} in {account.name}",
        reason="" if by else "Policy: every night",
    )


# --- where they are missing ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Gap:
    """Why what an integration is now stands in no revision, in words; "" when it does."""

    text: str
    tone: str = "warn"


def with_last(account: VendorAccount) -> QuerySet[Integration]:
    """The integrations of an account that are still there, each with `covered_at` (when the vendor last kept, or
    needed not keep, a revision of it: by our ledger or by its own list; None for never) and, of the last attempt made
    here, `tried_at`, `tried_state`, `tried_sentence` and `tried_id` (None for none).
    """
    tries = VendorWrite.objects.filter(integration=OuterRef("pk"), operation=OPERATION).order_by("-created_at", "-id")
    done = tries.filter(state=WriteState.DONE)
    listed = Listing.objects.filter(integration=OuterRef("pk"), kind=LISTING, scope="")
    last_tries = {
        f"tried_{name}": Subquery(tries.values(field)[:1])
        for name, field in (("at", "created_at"), ("state", "state"), ("sentence", "sentence"), ("id", "pk"))
    }
    rows = Integration.objects.for_tenant(account.tenant).filter(vendor_account=account, gone_at=None)
    known = rows.annotate(
        done_at=Subquery(done.values("sent_at")[:1]), listed_at=Subquery(listed.values("newest_at")[:1]), **last_tries
    )
    both = Greatest(Coalesce(F("done_at"), Value(_LONG_AGO)), Coalesce(F("listed_at"), Value(_LONG_AGO)))
    covered = Case(
        When(done_at=None, listed_at=None, then=Value(None)), default=both, output_field=models.DateTimeField()
    )
    return known.annotate(covered_at=covered)


def gaps(account: VendorAccount) -> QuerySet[Integration]:
    """Those of `with_last` that no revision holds as they are now: none ever, or changed since, or tried in vain."""
    failed = Q(tried_state__in=(WriteState.NOT_DONE, WriteState.UNKNOWN)) & (
        Q(covered_at=None) | Q(tried_at__gt=F("covered_at"))
    )
    return with_last(account).filter(Q(covered_at=None) | Q(changed_at__gt=F("covered_at")) | failed)


def count_gaps(account: VendorAccount) -> int:
    """How many integrations of an account `gaps` finds."""
    return gaps(account).count()


def gap_of(row: Any) -> Gap:
    """What is missing of a row of `with_last`."""
    if row.tried_state in (WriteState.NOT_DONE, WriteState.UNKNOWN) and (
        row.covered_at is None or row.tried_at > row.covered_at
    ):
        return Gap(f"The last one failed: {row.tried_sentence}", "bad")
    if row.covered_at is None:
        return Gap("There never was one.", "bad")
    return Gap("It changed since." if row.changed_at > row.covered_at else "")


__all__ = [
    "JOB_TYPE",
    "OPERATION",
    "Gap",
    "change",
    "count_gaps",
    "describe",
    "find",
    "gap_of",
    "gaps",
    "of_account",
    "request_all",
    "take_all",
    "unsupported_reason",
    "with_last",
]
