"""What a creation made: who had its name before, which new one it is when the answer was lost, and its row here.

No vendor takes an idempotency key, so what was there before is remembered by id, and what is new is looked for in the
vendor's own list.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q

from integrations_app.models import Integration, VendorAccount, VendorWrite
from integrations_app.models.vendor_write import WriteState
from integrations_app.services.documents import load, plain
from integrations_app.services.mirror import Mirror
from integrations_app.services.operations.base import ABSENT, Change, Context, Settled, Verdict
from integrations_app.services.redaction import Redactor
from integrations_app.vendors.base import RemoteIntegration, VendorClient

# By how much a vendor's clock may differ from ours.
CLOCK_SKEW = timedelta(minutes=10)
# Two that were sent further apart than this are told apart by when they were created.
_RIVALS_FOR = timedelta(days=2)
_SHOWN = 10


@dataclass(frozen=True)
class Namesakes:
    """The integrations of an account that carry one name, and the list's items that could not be read."""

    found: tuple[RemoteIntegration, ...]
    bad: int

    @property
    def ids(self) -> list[str]:
        return sorted(remote.remote_id for remote in self.found)

    @property
    def evidence(self) -> dict[str, Any]:
        """What `settle` needs of the state before."""
        return {"ids": self.ids, "bad": self.bad}


def namesakes(client: VendorClient, name: str, check: Callable[[], None]) -> Namesakes:
    """Read the account's whole list; `check` is called between two pages. Raises VendorError."""
    found, bad, wanted = [], 0, _folded(name)
    for page in client.list_integrations():
        check()
        found += [remote for remote in page.items if _folded(remote.name) == wanted]
        bad += len(page.bad)
    return Namesakes(tuple(found), bad)


def mirrored_namesakes(account: VendorAccount, name: str) -> list[str]:
    """Names, as they are written here, of the account's integrations of that name: for a form, which asks no vendor."""
    rows = Integration.objects.for_tenant(account.tenant).filter(vendor_account=account, gone_at=None)
    return list(rows.filter(name__iexact=name.strip()).values_list("name", flat=True)[:_SHOWN])


def _folded(name: str) -> str:
    return name.strip().casefold()


# --- an answer that was lost --------------------------------------------------------------------------------------


def settle(context: Context, client: VendorClient, name: str, is_meant: Callable[[RemoteIntegration], bool]) -> Settled:
    """Look in the vendor's list for the one that came of the write.

    Exactly one new of that name that `is_meant` agrees to is it. None is none. Anything else a person must look at:
    several, another content, or another write of that name whose outcome is open too.
    """
    now = namesakes(client, name, context.progress.check)
    before = set(context.evidence.get("ids", ()))
    new = [
        remote
        for remote in now.found
        if remote.remote_id not in before and not _is_older(remote.remote_created_at, context.sent_at)
    ]
    taken = _made_by_others(context.write, new)
    new = [remote for remote in new if remote.remote_id not in taken]
    if not new:
        if now.bad > int(context.evidence.get("bad", 0)):
            return Settled(Verdict.UNDECIDED, look_at=("The vendor's list has a new item that cannot be read.",))
        return Settled(Verdict.NOT_DONE)
    if len(new) == 1 and is_meant(new[0]) and not _has_rival(context.write, name):
        return Settled(Verdict.DONE, receipt={"remote_id": new[0].remote_id})
    return Settled(Verdict.UNDECIDED, look_at=tuple(_described(remote) for remote in new[:_SHOWN]))


def _is_older(created_at: datetime | None, sent_at: datetime) -> bool:
    return created_at is not None and created_at < sent_at - CLOCK_SKEW


def _made_by_others(write: VendorWrite, remotes: Iterable[RemoteIntegration]) -> set[str]:
    """Those that are known to have come of another write, whichever account that went through."""
    ids = [remote.remote_id for remote in remotes]
    others = VendorWrite.objects.filter(made__remote_id__in=ids).exclude(pk=write.pk)
    return set(others.values_list("made__remote_id", flat=True))


def _has_rival(write: VendorWrite, name: str) -> bool:
    """Whether another write may have made what is found: one of that name of which nobody knows what it made."""
    is_open = Q(state__in=(WriteState.SENT, WriteState.UNKNOWN)) | Q(state=WriteState.DONE, made=None)
    others = VendorWrite.objects.filter(is_open, sent_at__isnull=False, vendor_account__isnull=False)
    if write.sent_at is not None:
        others = others.filter(sent_at__gt=write.sent_at - _RIVALS_FOR)
    vendor = write.vendor_account.vendor if write.vendor_account else ""
    others = others.filter(vendor_account__vendor=vendor, operation__in=("create", "clone")).exclude(pk=write.pk)
    return any(_folded(_name_in(other.changes)) == _folded(name) for other in others)


def _name_in(changes: Iterable[Mapping[str, Any]]) -> str:
    return next((str(change["after"]) for change in changes if change.get("key") == "name"), "")


def _described(remote: RemoteIntegration) -> str:
    made = f", created {remote.remote_created_at:%-d %b %Y %H:%M} UTC" if remote.remote_created_at else ""
    return f"“{plain(remote.name, 120)}” ({plain(remote.remote_id, 60)}){made}"


# --- what is shown and kept of it ----------------------------------------------------------------------------------


def planned(document: Mapping[str, Any], labels: Mapping[str, str], redactor: Redactor) -> tuple[Change, ...]:
    """Each field of a document that is to be made, as a change from nothing: redacted, in the order of `labels`."""
    shown = load(redactor.redact(document))
    return tuple(Change(name, label, ABSENT, shown[name]) for name, label in labels.items() if name in document)


def mirrored(account: VendorAccount, remote: RemoteIntegration, hold: Callable[[], None]) -> Integration:
    """Write what was made into the mirror, as a refresh would, and return its row."""
    Mirror(account).write([remote], is_single=True, hold=hold)
    rows = Integration.objects.for_tenant(account.tenant).select_related("tenant")
    return rows.get(vendor_account=account, remote_id=remote.remote_id)


def not_taken(meant: Mapping[str, Any], labels: Mapping[str, str], remote: RemoteIntegration) -> tuple[str, ...]:
    """Labels of the fields that the vendor holds otherwise than they were sent."""
    return tuple(labels.get(name, name) for name, value in meant.items() if remote.raw.get(name) != value)
