"""Having the vendor keep a revision: its own copy of an integration, beside our snapshots."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar

from console.access.permissions import Permission
from integrations_app.services import listings
from integrations_app.services.operations.base import Context, Finished, Plan, Settled, Verdict
from integrations_app.vendors.base import VendorClient
from integrations_app.vendors.capabilities import RemoteItem, SupportsListings, SupportsRevisions
from integrations_app.vendors.errors import VendorError, VendorUnsupportedError

NOTE_LENGTH = 300
# The vendor's clock may differ from ours by so much.
CLOCK_SKEW = timedelta(minutes=5)


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
        known = [item.remote_id for item in _revisions(context.client, context.integration.remote_id)]
        newest = known[0] if known else ""
        return Plan(
            guard=newest[:64],
            consequence=f"{context.client.label} keeps a copy of the integration as it is now; nothing else changes.",
            evidence={"known": known},
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
        known = set(context.evidence["known"])
        note = str(context.params.get("note", ""))[:NOTE_LENGTH]
        fresh = [
            item
            for item in _revisions(context.client, context.integration.remote_id)
            if item.remote_id not in known and (item.at is None or item.at >= context.sent_at - CLOCK_SKEW)
        ]
        ours = [item for item in fresh if str(item.values.get("note") or "") == note]
        if len(ours) == 1:
            return Settled(Verdict.DONE, {"revision": ours[0].remote_id})
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


def _revisions(client: VendorClient, remote_id: str) -> tuple[RemoteItem, ...]:
    if not isinstance(client, SupportsListings):
        raise VendorUnsupportedError("The vendor does not offer this.", vendor=client.slug)
    return client.read_listing("revisions", remote_id).items
