"""What can be put back from a snapshot: field by field, as the vendor lets people write them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from console.access.models import User
from integrations_app.models import Integration, IntegrationDocument, Snapshot, VendorWrite
from integrations_app.services import edits, vendor_writes
from integrations_app.services.differences import Change, Kind
from integrations_app.services.documents import load
from integrations_app.services.errors import InvalidError
from integrations_app.vendors import registry

OPERATION = "edit"


@dataclass(frozen=True)
class Restorable:
    """What differs between a snapshot (`after` of each change) and the integration as we know it now (`before`).

    `changes` may be chosen, by their `path`; `kept` are fields that differ too and that the vendor sets by itself.
    `base` is the digest of the document now, hexadecimal: what the choice was made against.
    """

    changes: tuple[Change, ...]
    kept: tuple[str, ...]
    base: str


def compare(snapshot: Snapshot) -> Restorable:
    """Compare a snapshot with the present, in their redacted copies: secrets by fingerprint.

    Raises InvalidError for a vendor whose documents cannot be changed.
    """
    rules = registry.vendor(snapshot.integration.vendor).edit_rules
    if rules is None:
        raise InvalidError({"": vendor_writes.unsupported_reason(OPERATION, snapshot.integration.vendor)})
    present = IntegrationDocument.objects.filter(tenant_id=snapshot.tenant_id).get(pk=snapshot.integration_id)
    now, then = load(present.redacted), load(snapshot.redacted)
    changes = []
    for key in edits.differing_keys(now, then, rules):
        before, after = edits.value_of(now, key, rules), edits.value_of(then, key, rules)
        kind = Kind.ADDED if edits.is_absent(before) else Kind.REMOVED if edits.is_absent(after) else Kind.CHANGED
        label = edits.label_of(key, now, rules)
        shown = [None if edits.is_absent(value) else value for value in (before, after)]
        changes.append(Change("", key, label, kind, shown[0], shown[1]))
    kept = [
        name for name in dict.fromkeys([*now, *then]) if name in rules.server_owned and now.get(name) != then.get(name)
    ]
    return Restorable(tuple(changes), tuple(kept), bytes(present.digest).hex())


def request(
    snapshot: Snapshot, *, keys: Sequence[str], base: str, by: User, form_key: str, reason: str = ""
) -> VendorWrite:
    """Ask for these fields to be put back; the change then goes the way of every other one.

    Raises InvalidError (by "keys") for no field, or for one that does not differ, PermissionDenied.
    """
    offered = {change.path for change in compare(snapshot).changes}
    if not keys:
        raise InvalidError({"keys": "Choose at least one field."})
    if unknown := [key for key in keys if key not in offered]:
        raise InvalidError({"keys": f"Nothing differs any more in: {', '.join(unknown[:3])}."})
    integration: Integration = snapshot.integration
    return vendor_writes.request(
        OPERATION,
        by=by,
        integration=integration,
        params={"snapshot": snapshot.pk.hex, "keys": list(keys), "base": base},
        key=form_key,
        reason=reason,
    )
