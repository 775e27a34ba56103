"""Having the vendor keep a revision: its own copy of an integration, beside our snapshots."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar

from django.db.models import QuerySet

from console.access.permissions import Permission
from integrations_app.models import VendorWrite, WriteState
from integrations_app.services import listings
from integrations_app.services.operations.base import Context, Finished, Plan, Settled, Verdict
from integrations_app.services.operations.flows import CUT, is_proof
from integrations_app.vendors.base import VendorClient
from integrations_app.vendors.capabilities import RemoteListing, SupportsListings, SupportsRevisions
from integrations_app.vendors.errors import VendorError, VendorUnsupportedError

NOTE_LENGTH = 300
# The vendor's clock may differ from ours by so much.
CLOCK_SKEW = timedelta(minutes=5)
# Two that were sent further apart than this are told apart by when they were made.
_RIVALS_FOR = timedelta(hours=1)


class TakeRevision:
    """`params`: {"note": text, "only_if_changed": bool}."""

    name: ClassVar[str] = "take_revision"
    label: ClassVar[str] = "Take a revision"
    permission: ClassVar[Permission] = Permission.REVISION_CREATE
    needs: ClassVar[type] = SupportsRevisions
    effect: ClassVar[str] = "has the vendor keep a copy; the integration itself stays as it is"
    has_review: ClassVar[bool] = False
    keeps_snapshot: ClassVar[bool] = False
    is_long: ClassVar[bool] = False
    is_undoable: ClassVar[bool] = False

    def title(self, target: str, params: Mapping[str, Any]) -> str:
        return f"Revision of {target}"

    def plan(self, context: Context) -> Plan:
        listed = _revisions(context.client, context.integration.remote_id)
        known = [item.remote_id for item in listed.items]
        newest = known[0] if known else ""
        return Plan(
            guard=newest[:64],
            consequence=f"{context.client.label} keeps a copy of the integration as it is now; nothing else changes.",
            evidence={"known": known, "bad": len(listed.bad)},
        )

    def send(self, context: Context) -> Mapping[str, Any]:
        client = context.client
        if not isinstance(client, SupportsRevisions):
            raise VendorUnsupportedError("The vendor does not offer this.", vendor=client.slug)
        made = client.create_revision(
            context.integration.remote_id,
            note=str(context.params.get("note", ""))[:NOTE_LENGTH],
            only_if_changed=bool(context.params["only_if_changed"]) if "only_if_changed" in context.params else None,
        )
        return {"revision": made.remote_id if made is not None else None}

    def settle(self, context: Context) -> Settled:
        known = set(context.evidence["known"]) | _taken_by_others(context.write)
        listed = _revisions(context.client, context.integration.remote_id)
        note = str(context.params.get("note", ""))[:NOTE_LENGTH]
        fresh = [
            item
            for item in listed.items
            if item.remote_id not in known and (item.at is None or item.at >= context.sent_at - CLOCK_SKEW)
        ]
        ours = [item for item in fresh if str(item.values.get("note") or "") == note]
        if len(ours) == 1 and not _has_rival(context.write):
            return Settled(Verdict.DONE, {"revision": ours[0].remote_id})
        if not fresh and not is_proof(listed, context.evidence.get("bad", 0)):
            return Settled(Verdict.UNDECIDED, look_at=(CUT,))
        if not fresh:
            # It never arrived, or the vendor found nothing new: there is no new revision either way.
            return Settled(Verdict.NOT_DONE)
        words = f"{len(fresh)} new revisions were made since: look which of them carries your note."
        return Settled(Verdict.UNDECIDED, look_at=(words,))

    def finish(self, context: Context, receipt: Mapping[str, Any]) -> Finished:
        result = {"revision": receipt.get("revision")}
        if receipt.get("revision") is None:
            return Finished("Nothing new since the last revision, so none was taken.", result=result)
        try:
            listings.read(context.account, context.integration, "revisions", hold=context.progress.hold)
        except VendorError as error:
            return Finished(
                f"The revision was taken; the list of them could not be read: {error.message}", result=result
            )
        return Finished("The revision was taken.", result=result)


def _taken_by_others(write: VendorWrite) -> set[str]:
    """Revisions that are known to have come of other writes: one with the same note is not this one's."""
    ids = _others(write).values_list("result__revision", flat=True)
    return {each for each in ids if isinstance(each, str)}


def _has_rival(write: VendorWrite) -> bool:
    """Whether another write may have made what is found: one of which nobody knows yet what it did."""
    return _others(write).filter(state__in=(WriteState.SENT, WriteState.UNKNOWN)).exists()


def _others(write: VendorWrite) -> QuerySet[VendorWrite]:
    """The other revisions of the same integration that were asked for here at about the same time."""
    rows = VendorWrite.objects.for_tenant(write.tenant).exclude(pk=write.pk)
    since = (write.sent_at or write.created_at) - _RIVALS_FOR
    return rows.filter(integration=write.integration, operation=TakeRevision.name, sent_at__gte=since)


def _revisions(client: VendorClient, remote_id: str) -> RemoteListing:
    if not isinstance(client, SupportsListings):
        raise VendorUnsupportedError("The vendor does not offer this.", vendor=client.slug)
    return client.read_listing("revisions", remote_id)
