"""Cloning an integration at its vendor: into its own account, or another tenant's that opens the same place there.

The clone's flows go through connections of the target account; which one stands for which is the person's choice.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, cast

from django.db import transaction

from console.access.models import User
from console.access.permissions import Permission
from console.audit.events import Event
from console.audit.models import AuditEvent
from console.audit.services import record
from integrations_app.models import Integration, VendorAccount
from integrations_app.services import clone_targets, vendor_accounts, write_plans
from integrations_app.services.documents import canonical, plain
from integrations_app.services.errors import InvalidError
from integrations_app.services.mirror import Mirror
from integrations_app.services.operations import arrivals
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
from integrations_app.services.redaction import Redactor
from integrations_app.vendors.base import RemoteIntegration, VendorClient
from integrations_app.vendors.capabilities import (
    ClonePart,
    CloneRequest,
    RemoteItem,
    SupportsClone,
    SupportsListings,
)
from integrations_app.vendors.errors import (
    VendorAuthError,
    VendorForbiddenError,
    VendorNotFoundError,
    VendorRejectedError,
)

# A list to choose from that is longer than this is no help; those of the same name come first.
CHOICES_SHOWN = 300
_NAMED_OF_A_KIND = 12
_WORDS_FOR_NAME = {"name": "Name"}


class Clone:
    """`params`: "account" (id of the account to clone into), "name", "environment" (the vendor's id, or ""),
    "is_sandbox" (True, False, or None for as the vendor does by itself).
    """

    name: ClassVar[str] = "clone"
    label: ClassVar[str] = "Clone"
    permission: ClassVar[Permission] = Permission.INTEGRATION_CREATE
    needs: ClassVar[type] = SupportsClone
    effect: ClassVar[str] = "makes a copy of the integration"
    has_review: ClassVar[bool] = True
    keeps_snapshot: ClassVar[bool] = False
    is_long: ClassVar[bool] = True
    is_undoable: ClassVar[bool] = False

    def title(self, target: str, params: Mapping[str, Any]) -> str:
        return f"Clone {plain(target, 120)} as {plain(str(params['name']), 120)}"

    def plan(self, context: Context) -> Plan:
        """Ask the vendor what would be made, and which connections of the target can stand for those used."""
        target = _target(context)
        client = _client(context, target)
        _check_reach(context, target)
        name = str(context.params["name"])
        parts = client.preview_clone(context.integration.remote_id)
        used = _used_connections(context)
        offered = _connections(client, "account_connections", "")
        there = arrivals.namesakes(_reader(context, target), name, context.progress.check)
        words = _Words(context.account)
        lacking = _lacking(used, offered, words)
        return Plan(
            guard=_guard(parts, used, offered, there.ids),
            consequence=f"A copy of the integration is made in {clone_targets.place(target)}.",
            changes=(
                Change("name", "Name", ABSENT, words.of(name)),
                Change("account", "Clone into", ABSENT, clone_targets.place(target)),
            ),
            facts=tuple(_facts(context, target, parts, there, words)),
            questions=tuple(_question(connection, offered, words) for connection in used) if not lacking else (),
            evidence={**there.evidence, "connections": [connection.remote_id for connection in used]},
            nothing=lacking,
            also_tenant=target.tenant if target.tenant_id != context.write.tenant_id else None,
        )

    def send(self, context: Context) -> Mapping[str, Any]:
        """With the answers as the map of connections; the rights in both tenants are looked at once more."""
        chosen = {used: context.answers.get(_asked(used), "") for used in context.evidence["connections"]}
        try:
            target = _target(context)
        except InvalidError as error:
            raise VendorRejectedError(str(error), vendor=context.account.vendor, operation="clone") from error
        wanted = CloneRequest(
            name=str(context.params["name"]),
            connections=chosen,
            environment=str(context.params.get("environment") or ""),
            is_sandbox=context.params.get("is_sandbox"),
        )
        return {"remote_id": _client(context, target).clone_integration(context.integration.remote_id, wanted)}

    def settle(self, context: Context) -> Settled:
        """A new one of that name in the target account whose document names the source."""
        target = _target_as_it_was(context)
        source_id = context.integration.remote_id

        def is_meant(remote: RemoteIntegration) -> bool:
            return any(value == source_id for value in remote.raw.values())

        client = _reader(context, target)
        return arrivals.settle(context, client, str(context.params["name"]), is_meant)

    def finish(self, context: Context, receipt: Mapping[str, Any]) -> Finished:
        target = _target_as_it_was(context)
        remote_id = str(receipt.get("remote_id") or "") or self._found(context)
        try:
            remote = _reader(context, target).get_integration(remote_id) if remote_id else None
        except VendorNotFoundError:
            remote = None
        if remote is None:
            return Finished("The vendor made it, but does not show which it is. The next sync of the account shows it.")
        row = arrivals.mirrored(target, remote, context.progress.hold)
        _tell_target(context, row)
        lost = arrivals.not_taken({"name": context.params["name"]}, _WORDS_FOR_NAME, remote)
        sentence = f"“{row.name}” is there, in {clone_targets.place(target)}."
        return Finished(sentence, not_taken=lost, made=row, result={"rows": _chosen(context)})

    def _found(self, context: Context) -> str:
        """The clone's id where the vendor's answer, though good, did not name it."""
        settled = self.settle(context)
        return str(settled.receipt["remote_id"]) if settled.verdict is Verdict.DONE else ""


# --- where to ------------------------------------------------------------------------------------------------------


def _target(context: Context) -> VendorAccount:
    """The account to clone into, with the rights there of all who answer for the write as they are now."""
    people: list[User] = [
        person for person in (context.write.requested_by, context.write.confirmed_by) if person is not None
    ]
    return clone_targets.find(context.integration, str(context.params["account"]), by=people)


def _target_as_it_was(context: Context) -> VendorAccount:
    """The same once it was sent: whoever lost a right meanwhile, what became of it must be found out.

    Raises VendorAuthError when the account was removed: then nobody can look through it.
    """
    try:
        return clone_targets.find(context.integration, str(context.params["account"]), by=())
    except InvalidError as error:
        raise VendorAuthError(str(error), vendor=context.account.vendor, operation="clone") from error


def _client(context: Context, target: VendorAccount) -> SupportsClone:
    """The client that clones: the target's own secret, so that the vendor too decides whether it may."""
    if target.pk == context.account.pk:
        return cast(SupportsClone, context.client)
    return cast(SupportsClone, vendor_accounts.connect(target, needs=SupportsClone))


def _reader(context: Context, target: VendorAccount) -> VendorClient:
    """The same client for what every vendor can do."""
    return cast(VendorClient, _client(context, target))


def _check_reach(context: Context, target: VendorAccount) -> None:
    """Raises InvalidError when the target's secret does not show the source, VendorError."""
    try:
        _reader(context, target).get_integration(context.integration.remote_id)
    except (VendorNotFoundError, VendorForbiddenError):
        if target.pk == context.account.pk:
            raise
        raise InvalidError({"account": clone_targets.ELSEWHERE}) from None


def _tell_target(context: Context, row: Integration) -> None:
    """The target tenant's own audit log says where the clone came from; once, however often this runs."""
    write = context.write
    if row.tenant_id == write.tenant_id:
        return
    known = AuditEvent.objects.filter(tenant_id=row.tenant_id, event=Event.WRITE_DONE, target_id=row.pk.hex)
    with transaction.atomic():
        context.progress.hold()
        if known.filter(detail__write=write.pk.hex).exists():
            return
        what = f"{write.title}, from {write.tenant.name}"
        detail = {"what": what, "write": write.pk.hex}
        by = write.confirmed_by or write.requested_by
        record(Event.WRITE_DONE, by=by, tenant=row.tenant, target=row, detail=detail, reason=write.reason)


# --- the connections -------------------------------------------------------------------------------------------------


def _connections(client: object, kind: str, remote_id: str) -> Sequence[RemoteItem]:
    """One of the vendor's lists of connections, by name; none where it has no such list."""
    if not isinstance(client, SupportsListings) or not _has_listing(client, kind):
        return ()
    listing = client.read_listing(kind, remote_id)
    return sorted(listing.items, key=lambda item: (item.name.casefold(), item.remote_id))


def _has_listing(client: object, kind: str) -> bool:
    return any(each.slug == kind for each in cast(VendorClient, client).listings)


def _used_connections(context: Context) -> Sequence[RemoteItem]:
    """What the source's steps go through, and what it has on its list, each once."""
    client, remote_id = context.client, context.integration.remote_id
    own = {item.remote_id: item for item in _connections(client, "connections", remote_id)}
    needed: set[str] = set()
    for kind in ("exports", "imports"):
        needed |= {str(step.values.get("connection_id") or "") for step in _connections(client, kind, remote_id)}
    missing = needed - own.keys() - {""}
    if missing:
        known = {item.remote_id: item for item in _connections(client, "account_connections", "")}
        unnamed = {"type": ""}
        own |= {each: known.get(each, RemoteItem(each, each, unnamed, {})) for each in sorted(missing)}
    return sorted(own.values(), key=lambda item: (item.name.casefold(), item.remote_id))


def _type_of(connection: RemoteItem) -> str:
    return str(connection.values.get("type") or "")


def _fitting(connection: RemoteItem, offered: Sequence[RemoteItem]) -> list[RemoteItem]:
    """Those that can stand for a connection: of its type, the very same first, then those of its name."""
    kind = _type_of(connection)
    fitting = [each for each in offered if not kind or _type_of(each) in (kind, "")]
    return sorted(fitting, key=lambda each: (each.remote_id != connection.remote_id, each.name != connection.name))


def _proposed(connection: RemoteItem, fitting: Sequence[RemoteItem]) -> str:
    """The very same connection, else the only one of the same name and type; "" leaves it to the person."""
    if any(each.remote_id == connection.remote_id for each in fitting):
        return connection.remote_id
    alike = [each.remote_id for each in fitting if each.name == connection.name and _type_of(each)]
    return alike[0] if len(alike) == 1 else ""


def _asked(connection_id: str) -> str:
    return f"connection:{connection_id}"


def _question(connection: RemoteItem, offered: Sequence[RemoteItem], words: _Words) -> Question:
    fitting = _fitting(connection, offered)
    kind = _type_of(connection)
    choices = tuple((each.remote_id, words.choice(each, connection)) for each in fitting[:CHOICES_SHOWN])
    return Question(
        name=_asked(connection.remote_id),
        label=f"Instead of {words.of(connection.name)}" + (f" ({words.of(kind)})" if kind else ""),
        kind="choice",
        choices=choices,
        initial=_proposed(connection, fitting),
        help=f"The clone goes through this connection. {len(fitting)} of the account can stand in.",
    )


def _chosen(context: Context) -> list[str]:
    """Which connection was chosen for which, in the words of the questions: kept with the write for good."""
    return [
        f"{question.label}: {dict(question.choices).get(context.answers[question.name], '')}"
        for question in write_plans.questions(context.write.plan)
        if context.answers.get(question.name)
    ]


def _lacking(used: Sequence[RemoteItem], offered: Sequence[RemoteItem], words: _Words) -> str:
    """Why nothing can be cloned, where the target has no connection that could stand for one of those used."""
    without = [f"{words.of(each.name)} ({words.of(_type_of(each))})" for each in used if not _fitting(each, offered)]
    if not without:
        return ""
    return f"The account to clone into has no connection of the type of {named(without)}. Make one at the vendor first."


# --- words -----------------------------------------------------------------------------------------------------------


class _Words:
    """A vendor's texts for people: one line, nothing secret."""

    def __init__(self, account: VendorAccount) -> None:
        self._redactor: Redactor = Mirror(account).redactor

    def of(self, text: str, limit: int = 120) -> str:
        return plain(self._redactor.redact_text(text), limit)

    def choice(self, item: RemoteItem, instead_of: RemoteItem) -> str:
        told = [self.of(item.name), self.of(_type_of(item), 40)]
        if item.remote_id == instead_of.remote_id:
            told.append("the very same")
        if item.values.get("is_online") is False:
            told.append("offline")
        return " · ".join(filter(None, told))


def _guard(
    parts: Sequence[ClonePart], used: Sequence[RemoteItem], offered: Sequence[RemoteItem], namesakes: Sequence[str]
) -> str:
    """What would be made, through what, and who has the name: a change of any of these is shown anew."""
    state = [
        sorted([part.model, part.name] for part in parts),
        sorted([each.remote_id, _type_of(each)] for each in used),
        sorted(each.remote_id for each in offered if any(_fitting(one, (each,)) for one in used)),
        list(namesakes),
    ]
    return hashlib.sha256(canonical(state)).hexdigest()


def _facts(
    context: Context,
    target: VendorAccount,
    parts: Sequence[ClonePart],
    there: arrivals.Namesakes,
    words: _Words,
) -> Iterable[Fact]:
    by_kind: dict[str, list[str]] = defaultdict(list)
    for part in parts:
        by_kind[words.of(part.model, 40)].append(words.of(part.name))
    made = tuple(
        f"{len(names)} × {kind}: {named([name for name in names if name], _NAMED_OF_A_KIND)}"
        for kind, names in by_kind.items()
    )
    yield Fact(f"The clone as the vendor previews it: {len(parts)} thing{'' if len(parts) == 1 else 's'}", items=made)
    if target.pk != context.account.pk:
        where = f"{target.tenant.name}" if target.tenant_id != context.write.tenant_id else "this tenant"
        yield Fact(
            f"Both vendor accounts open the same place at the vendor: the clone is listed for {where}, "
            "and wherever else that place is synced.",
            tone="warn",
        )
    if there.found:
        yield Fact("The target account has an integration of this name already.", tone="warn")
    yield Fact("What does not travel", items=tuple(context.client.clone_notes), tone="warn")
