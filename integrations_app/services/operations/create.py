"""Making a new integration in a vendor account, from the fields of the vendor's own form."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, ClassVar, cast

from console.access.permissions import Permission
from integrations_app.models import VendorAccount
from integrations_app.services.clone_targets import place
from integrations_app.services.documents import canonical, plain
from integrations_app.services.errors import InvalidError
from integrations_app.services.mirror import Mirror
from integrations_app.services.operations import arrivals
from integrations_app.services.operations.base import Context, Fact, Finished, Plan, Settled
from integrations_app.vendors import registry
from integrations_app.vendors.base import RemoteIntegration
from integrations_app.vendors.capabilities import EditableField, SupportsCreate
from integrations_app.vendors.errors import VendorNotFoundError


def fields_of(vendor: str) -> tuple[EditableField, ...]:
    """What a creation accepts: the fields of the vendor's form that stand at the top of its document."""
    rules = registry.vendor(vendor).edit_rules
    return tuple(field for field in rules.fields if not field.per) if rules else ()


class Create:
    """`params["document"]` are the new integration's top-level fields; the write's account is where it is made."""

    name: ClassVar[str] = "create"
    label: ClassVar[str] = "Create"
    permission: ClassVar[Permission] = Permission.INTEGRATION_CREATE
    needs: ClassVar[type] = SupportsCreate
    effect: ClassVar[str] = "makes a new integration"
    has_review: ClassVar[bool] = True
    keeps_snapshot: ClassVar[bool] = False
    is_long: ClassVar[bool] = False
    is_undoable: ClassVar[bool] = False

    def title(self, target: str, params: Mapping[str, Any]) -> str:
        return f"Create {plain(_document(params)['name'], 120)}"

    def plan(self, context: Context) -> Plan:
        """Check the fields, and look in the vendor's list who has this name already."""
        document = _checked(context)
        name = str(document["name"])
        there = arrivals.namesakes(context.client, name, context.progress.check)
        return Plan(
            guard=hashlib.sha256(canonical([there.ids, context.account.region])).hexdigest(),
            consequence=f"A new integration is made in {place(context.account)}. It is empty and runs nothing.",
            changes=arrivals.planned(document, _labels(context), Mirror(context.account).redactor),
            facts=_facts(context.account, name, len(there.found)),
            evidence=there.evidence,
        )

    def send(self, context: Context) -> Mapping[str, Any]:
        client = cast(SupportsCreate, context.client)
        return {"remote_id": client.create_integration(_document(context.params))}

    def settle(self, context: Context) -> Settled:
        """A new one of that name, with nothing in it that was not meant."""
        document = _document(context.params)

        def is_meant(remote: RemoteIntegration) -> bool:
            return not arrivals.not_taken(document, {}, remote)

        return arrivals.settle(context, context.client, str(document["name"]), is_meant)

    def finish(self, context: Context, receipt: Mapping[str, Any]) -> Finished:
        remote_id, document = str(receipt["remote_id"]), _document(context.params)
        try:
            remote = context.client.get_integration(remote_id)
        except VendorNotFoundError:
            return Finished("The vendor made it, but does not show it. The next sync looks again.")
        row = arrivals.mirrored(context.account, remote, context.progress.hold)
        lost = arrivals.not_taken(document, _labels(context), remote)
        return Finished(f"“{row.name}” is there.", not_taken=lost, made=row)


def _document(params: Mapping[str, Any]) -> dict[str, Any]:
    return dict(params["document"])


def _labels(context: Context) -> dict[str, str]:
    return {field.name: field.label for field in fields_of(context.account.vendor)}


def _checked(context: Context) -> dict[str, Any]:
    document, errors = _document(context.params), {}
    fields = {field.name: field for field in fields_of(context.account.vendor)}
    for name in document.keys() - fields.keys():
        errors[name] = f"A new integration cannot have “{plain(name, 60)}”."
    for field in fields.values():
        value = document.get(field.name)
        if field.is_required and not str(value or "").strip():
            errors[field.name] = f"{field.label}: fill this in."
        elif field.max_length and isinstance(value, str) and len(value) > field.max_length:
            errors[field.name] = f"{field.label}: at most {field.max_length} characters."
    if errors:
        raise InvalidError(errors)
    return document


def _facts(account: VendorAccount, name: str, at_vendor: int) -> tuple[Fact, ...]:
    here = len(arrivals.mirrored_namesakes(account, name))
    count = max(at_vendor, here)
    if not count:
        return (Fact("No other integration of this account has this name."),)
    words = "An integration has" if count == 1 else f"{count} integrations have"
    return (Fact(f"{words} this name already in this account. The vendor allows it; people mix them up.", tone="warn"),)
