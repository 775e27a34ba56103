"""Changing fields of an integration's document: by a form, by the JSON editor, by restoring a snapshot, by undoing.

All four say the same thing, new values by key; `edits.py` knows keys and values.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from console.access.permissions import Permission
from console.access.vault import TenantVault
from integrations_app.models import IntegrationDocument, Snapshot, VendorWrite
from integrations_app.services import edits, integrations
from integrations_app.services.documents import Redactor, canonical, digest, load
from integrations_app.services.errors import InvalidError
from integrations_app.services.operations.base import (
    ABSENT,
    Change,
    Context,
    Fact,
    Finished,
    Plan,
    Question,
    Settled,
    Verdict,
    named,
)
from integrations_app.vendors.capabilities import MISSING, EditRules, SupportsEdit
from integrations_app.vendors.errors import VendorNotFoundError, VendorUnsupportedError

CHOICE = "choice:"
_WHOSE = (("yours", "Yours"), ("theirs", "Theirs"))


@dataclass(frozen=True)
class _Wanted:
    """What the form asked for: new values by key, and the document it was drawn from (None: not known any more)."""

    changes: dict[str, Any]
    base: dict[str, Any] | None


class Edit:
    """`params`: {"changes": {key: value}, "base": digest in hex} from a form, where a value may hold secret marks;
    {"snapshot": id in hex, "keys": [...], "base": ...} restores these keys; {"undo": id in hex} undoes a done edit.
    """

    name: ClassVar[str] = "edit"
    label: ClassVar[str] = "Edit"
    permission: ClassVar[Permission] = Permission.INTEGRATION_EDIT
    needs: ClassVar[type] = SupportsEdit
    effect: ClassVar[str] = "changes the integration at the vendor"
    has_review: ClassVar[bool] = True
    keeps_snapshot: ClassVar[bool] = True
    is_long: ClassVar[bool] = False
    is_undoable: ClassVar[bool] = True

    def title(self, target: str, params: Mapping[str, Any]) -> str:
        if "undo" in params:
            return f"Undo an edit of {target}"
        return f"Restore {target}" if "snapshot" in params else f"Edit {target}"

    def plan(self, context: Context) -> Plan:
        rules = _rules(context)
        remote = integrations.read_afresh(context.integration, hold=context.progress.hold)
        context.current = remote
        wanted = _wanted(context, remote.raw, rules)
        edits.check_writable(wanted.changes, rules)
        decided, conflicts = _decided(context, wanted, remote.raw, rules)
        redactor = _redactor(context)
        before, after = (
            load(redactor.redact(remote.raw)),
            load(redactor.redact(edits.applied(remote.raw, decided, rules))),
        )
        base = load(redactor.redact(wanted.base)) if wanted.base is not None else None
        changes = tuple(
            Change(
                key,
                edits.label_of(key, before, rules),
                edits.value_of(before, key, rules),
                edits.value_of(after, key, rules),
                base=edits.value_of(base, key, rules) if base is not None and key in conflicts else None,
                is_conflict=key in conflicts,
            )
            for key in decided
        )
        return Plan(
            guard=guard_of(remote.raw, rules),
            consequence=_consequence(changes, context.client.label),
            changes=changes,
            facts=_facts(wanted, remote.raw, before, rules),
            questions=tuple(_question(change) for change in changes if change.is_conflict),
            evidence={
                "before": {key: edits.value_of(remote.raw, key, rules) for key in decided},
                "after": decided,
            },
            nothing="" if decided else "The vendor holds these values already: there is nothing to change.",
        )

    def send(self, context: Context) -> Mapping[str, Any]:
        client = context.client
        if not isinstance(client, SupportsEdit) or context.current is None:
            raise VendorUnsupportedError("The vendor does not offer this.", vendor=client.slug)
        changes = {key: MISSING if edits.is_absent(value) else value for key, value in _after(context).items()}
        client.edit_integration(context.current, changes)
        return {}

    def settle(self, context: Context) -> Settled:
        rules = _rules(context)
        try:
            held = context.client.get_integration(context.integration.remote_id).raw
        except VendorNotFoundError:
            return Settled(Verdict.UNDECIDED, look_at=("The vendor has no such integration any more.",))
        now = {key: edits.value_of(held, key, rules) for key in _after(context)}
        if all(edits.same(now[key], value) for key, value in _after(context).items()):
            return Settled(Verdict.DONE)
        if all(edits.same(now[key], value) for key, value in context.evidence["before"].items()):
            return Settled(Verdict.NOT_DONE)
        labels = [edits.label_of(key, held, rules) for key in now]
        return Settled(
            Verdict.UNDECIDED,
            look_at=(f"The vendor holds neither the old nor the new values of {named(labels)}: compare them there.",),
        )

    def finish(self, context: Context, receipt: Mapping[str, Any]) -> Finished:
        rules = _rules(context)
        held = integrations.read_afresh(context.integration, hold=context.progress.hold).raw
        not_taken = tuple(
            edits.label_of(key, held, rules)
            for key, value in _after(context).items()
            if not edits.same(edits.value_of(held, key, rules), value)
        )
        sentence = "Done. Read back, the vendor holds what was meant."
        if not_taken:
            sentence = f"Done, but the vendor did not take {named(not_taken)} as meant: compare what it holds now."
        return Finished(sentence, not_taken=not_taken, after_digest=digest(canonical(held)))


def guard_of(document: Mapping[str, Any], rules: EditRules) -> str:
    """Tells two states of a document apart by what people may write in it; counters and times come and go."""
    return digest(canonical({k: v for k, v in document.items() if k not in rules.server_owned})).hex()


def _rules(context: Context) -> EditRules:
    rules = context.client.edit_rules
    if rules is None:
        raise VendorUnsupportedError("The vendor does not offer this.", vendor=context.client.slug)
    return rules


def _redactor(context: Context) -> Redactor:
    return Redactor(context.client.document_fields, TenantVault(context.account.tenant_id).fingerprint)


def _after(context: Context) -> dict[str, Any]:
    after: dict[str, Any] = context.evidence["after"]
    return after


# --- what was asked for --------------------------------------------------------------------------------------------


def _wanted(context: Context, fresh: Mapping[str, Any], rules: EditRules) -> _Wanted:
    params = context.params
    if "undo" in params:
        return _undone(context, str(params["undo"]), rules)
    base = _document(context, str(params.get("base", "")))
    if "snapshot" in params:
        kept = _snapshot(context, str(params["snapshot"]))
        keys = [str(key) for key in params.get("keys", ())]
        return _Wanted({key: edits.value_of(kept, key, rules) for key in keys}, base)
    known = edits.Secrets(_redactor(context), fresh, base or {})
    return _Wanted({key: known.put_back(value) for key, value in params["changes"].items()}, base)


def _undone(context: Context, write_id: str, rules: EditRules) -> _Wanted:
    """The values from before a done edit; they stand against what that edit left, so that anything that moved since
    is a conflict.
    """
    writes = VendorWrite.objects.for_tenant(context.write.tenant).filter(integration=context.integration)
    undone = writes.select_related("snapshot").filter(pk=_uuid(write_id)).first()
    if undone is None or undone.snapshot is None:
        raise InvalidError({"": "The snapshot from before that edit is not here any more."})
    before = _unsealed(context, undone.snapshot)
    keys = [str(change["key"]) for change in undone.changes]
    base = _document(context, bytes(undone.after_digest).hex()) if undone.after_digest is not None else None
    return _Wanted({key: edits.value_of(before, key, rules) for key in keys}, base)


def _document(context: Context, wanted: str) -> dict[str, Any] | None:
    """The document of this digest: as it is now, or as a snapshot kept it; None when it is not known any more."""
    try:
        wanted_digest = bytes.fromhex(wanted)
    except ValueError:
        return None
    tenant, integration = context.write.tenant, context.integration
    documents = IntegrationDocument.objects.for_tenant(tenant).filter(pk=integration.pk, digest=wanted_digest)
    kept = Snapshot.objects.for_tenant(tenant).filter(integration=integration, digest=wanted_digest)
    found = documents.first() or kept.first()
    return _unsealed(context, found) if found is not None else None


def _snapshot(context: Context, wanted: str) -> dict[str, Any]:
    kept = Snapshot.objects.for_tenant(context.write.tenant).filter(integration=context.integration)
    found = kept.filter(pk=_uuid(wanted)).first()
    if found is None:
        raise InvalidError({"": "This snapshot is not here any more."})
    return _unsealed(context, found)


def _unsealed(context: Context, found: Snapshot | IntegrationDocument) -> dict[str, Any]:
    opened: dict[str, Any] = load(TenantVault(context.account.tenant_id).unseal(found.context, found.sealed))
    return opened


def _uuid(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError as error:
        raise InvalidError({"": "What was asked for is not here any more."}) from error


# --- base, yours, theirs -------------------------------------------------------------------------------------------


def _decided(
    context: Context, wanted: _Wanted, fresh: Mapping[str, Any], rules: EditRules
) -> tuple[dict[str, Any], frozenset[str]]:
    """The changes still to be made, and the keys among them that somebody else changed too and nobody decided yet."""
    decided: dict[str, Any] = {}
    conflicts = set()
    for key, yours in wanted.changes.items():
        theirs = edits.value_of(fresh, key, rules)
        if edits.same(yours, theirs):
            continue
        moved = wanted.base is None or not edits.same(edits.value_of(wanted.base, key, rules), theirs)
        answer = context.answers.get(f"{CHOICE}{key}", "")
        if moved and answer == "theirs":
            continue
        decided[key] = yours
        if moved:
            conflicts.add(key)
    return decided, frozenset(conflicts)


def _question(change: Change) -> Question:
    return Question(f"{CHOICE}{change.key}", change.label, "conflict", choices=_WHOSE)


def _consequence(changes: tuple[Change, ...], vendor: str) -> str:
    if not changes:
        return ""
    labels = [change.label for change in changes]
    return f"{vendor} holds the new {named(labels)} from then on; everything else stays as it is there now."


def _facts(wanted: _Wanted, fresh: Mapping[str, Any], shown: Mapping[str, Any], rules: EditRules) -> tuple[Fact, ...]:
    """What else moved at the vendor since the form was drawn."""
    if wanted.base is None:
        text = "What the form was drawn from is not known any more, so it cannot be told what others changed since."
        return (Fact(text, tone="warn"),)
    moved = [key for key in edits.differing_keys(wanted.base, fresh, rules) if key not in wanted.changes]
    if not moved:
        return ()
    labels = tuple(edits.label_of(key, shown, rules) for key in moved)
    return (Fact("Changed at the vendor meanwhile, and left as it is there:", labels),)


__all__ = ["ABSENT", "CHOICE", "Edit", "guard_of"]
