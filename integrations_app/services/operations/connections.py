"""Putting connections of the account on an integration's list, and taking one off it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, cast

from console.access.permissions import Permission
from integrations_app.services import integrations
from integrations_app.services.documents import plain
from integrations_app.services.errors import InvalidError
from integrations_app.services.operations.base import Context, Fact, Finished, Plan, Settled, Verdict, named
from integrations_app.services.operations.flows import CUT, digest_of, is_proof, read_again, shown_name, shown_text
from integrations_app.vendors.capabilities import RemoteItem, RemoteListing, SupportsListings, SupportsRegistration
from integrations_app.vendors.errors import VendorError

MOST_CONNECTIONS = 200
# What an integration's steps are listed as; `values["connection_id"]` says which connection one uses.
STEP_KINDS = ("exports", "imports")


class RegisterConnections:
    """`params`: {"connections": [remote ids]}."""

    name: ClassVar[str] = "register_connections"
    label: ClassVar[str] = "Register"
    permission: ClassVar[Permission] = Permission.CONNECTION_REGISTER
    needs: ClassVar[type] = SupportsRegistration
    effect: ClassVar[str] = "puts connections of the account on the integration's list"
    has_review: ClassVar[bool] = True
    keeps_snapshot: ClassVar[bool] = True
    is_long: ClassVar[bool] = False
    is_undoable: ClassVar[bool] = False

    def title(self, target: str, params: Mapping[str, Any]) -> str:
        return f"Register {_counted(len(params.get('connections', ())))} with {target}"

    def plan(self, context: Context) -> Plan:
        wanted = list(dict.fromkeys(map(str, context.params["connections"])))
        if not 0 < len(wanted) <= MOST_CONNECTIONS:
            raise InvalidError({"": f"Choose between 1 and {MOST_CONNECTIONS} connections."})
        integrations.read_afresh(context.integration, hold=context.progress.hold)
        listed, known = _read(context), _of_account(context)
        registered = _by_id(listed)
        fresh = [known[each] for each in wanted if each in known and each not in registered]
        offline = [each for each in fresh if each.values.get("is_online") is False]
        facts = [Fact("These are registered", _lines(context, fresh))] if fresh else []
        if offline:
            words = f"{_counted(len(offline)).capitalize()} offline: flows that use them fail until they are mended."
            facts.append(Fact(words, _lines(context, offline), tone="warn"))
        if already := [registered[each] for each in wanted if each in registered]:
            facts.append(Fact("Registered already, and left out", _lines(context, already)))
        if lost := tuple(plain(each, 100) for each in wanted if each not in known and each not in registered):
            facts.append(Fact("Not in the account any more, and left out", lost, tone="warn"))
        return Plan(
            guard=digest_of(sorted(each.remote_id for each in fresh)),
            consequence=f"Flows of the integration can use {_these(len(fresh))} from then on. "
            "Whoever manages the integration can see and use them too.",
            facts=tuple(facts),
            evidence={"names": {each.remote_id: _name(context, each) for each in fresh}, "bad": len(listed.bad)},
            nothing="" if fresh else "All of these are registered already, or not in the account any more.",
        )

    def send(self, context: Context) -> Mapping[str, Any]:
        ids = list(context.evidence["names"])
        cast(SupportsRegistration, context.client).register_connections(context.integration.remote_id, ids)
        return {"count": len(ids)}

    def settle(self, context: Context) -> Settled:
        wanted, found = context.evidence["names"], _read(context)
        missing = [name for each, name in wanted.items() if each not in _by_id(found)]
        if not missing:
            return Settled(Verdict.DONE, {"count": len(wanted)})
        if not is_proof(found, context.evidence.get("bad", 0)):
            return Settled(Verdict.UNDECIDED, look_at=(CUT,))
        if len(missing) == len(wanted):
            return Settled(Verdict.NOT_DONE)
        return Settled(Verdict.UNDECIDED, look_at=(f"Some are registered and some are not: {named(missing)}.",))

    def finish(self, context: Context, receipt: Mapping[str, Any]) -> Finished:
        wanted, there = context.evidence["names"], _registered(context).keys()
        missing = tuple(name for each, name in wanted.items() if each not in there)
        _read_back(context)
        rows = [f"{name}: {'registered' if each in there else 'not registered'}" for each, name in wanted.items()]
        done = len(wanted) - len(missing)
        if not missing:
            words = f"{_counted(done).capitalize()} registered."
        else:
            words = f"{done} of {_counted(len(wanted))} registered; the vendor did not take the others."
        return Finished(words, not_taken=missing, result={"rows": rows})


class UnregisterConnection:
    """`params`: {"connection": remote id, "name": what the page calls it}."""

    name: ClassVar[str] = "unregister_connection"
    label: ClassVar[str] = "Unregister"
    permission: ClassVar[Permission] = Permission.CONNECTION_REGISTER
    needs: ClassVar[type] = SupportsRegistration
    effect: ClassVar[str] = "takes a connection off the integration's list; the connection itself stays"
    has_review: ClassVar[bool] = True
    keeps_snapshot: ClassVar[bool] = True
    is_long: ClassVar[bool] = False
    is_undoable: ClassVar[bool] = False

    def title(self, target: str, params: Mapping[str, Any]) -> str:
        return f"Unregister {params.get('name') or 'a connection'} from {target}"

    def plan(self, context: Context) -> Plan:
        integrations.read_afresh(context.integration, hold=context.progress.hold)
        listed = _read(context)
        connection = _by_id(listed).get(str(context.params["connection"]))
        if connection is None:
            return Plan(guard="", consequence="", nothing="It is not registered with the integration (any more).")
        users = _users(context, connection.remote_id)
        name = shown_name(context, connection)
        facts = [Fact("The connection stays in the account, and other integrations can go on using it.")]
        if users:
            words = f"{len(users)} {'step uses' if len(users) == 1 else 'steps use'} it and would go on using it"
            facts.append(Fact(words, tuple(shown_text(context, user.name, 200) for user in users), tone="warn"))
        return Plan(
            guard=digest_of(connection.remote_id, sorted(user.remote_id for user in users)),
            consequence=f"{name} is taken off the integration's list. It can be registered again.",
            facts=tuple(facts),
            evidence={"connection": connection.remote_id, "bad": len(listed.bad)},
        )

    def send(self, context: Context) -> Mapping[str, Any]:
        client, connection_id = cast(SupportsRegistration, context.client), context.evidence["connection"]
        client.unregister_connection(context.integration.remote_id, connection_id)
        return {}

    def settle(self, context: Context) -> Settled:
        found = _read(context)
        if context.evidence["connection"] in _by_id(found):
            return Settled(Verdict.NOT_DONE)
        if not is_proof(found, context.evidence.get("bad", 0)):
            return Settled(Verdict.UNDECIDED, look_at=(CUT,))
        return Settled(Verdict.DONE)

    def finish(self, context: Context, receipt: Mapping[str, Any]) -> Finished:
        is_there = context.evidence["connection"] in _registered(context)
        _read_back(context)
        name = shown_text(context, str(context.params.get("name") or "The connection"), 200)
        if is_there:
            return Finished(f"Done, but read back, {name} is still registered.", not_taken=(name,))
        return Finished(f"{name} is not registered any more.")


# --- reading -----------------------------------------------------------------------------------------------------


def _read(context: Context) -> RemoteListing:
    """The integration's list of connections as it is now."""
    return cast(SupportsListings, context.client).read_listing("connections", context.integration.remote_id)


def _by_id(found: RemoteListing) -> dict[str, RemoteItem]:
    return {each.remote_id: each for each in found.items}


def _registered(context: Context) -> dict[str, RemoteItem]:
    """The connections on the integration's list now, by id."""
    return _by_id(_read(context))


def _of_account(context: Context) -> dict[str, RemoteItem]:
    client = cast(SupportsListings, context.client)
    return {each.remote_id: each for each in client.read_listing("account_connections", "").items}


def _users(context: Context, connection_id: str) -> list[RemoteItem]:
    """The integration's steps that use a connection."""
    client = cast(SupportsListings, context.client)
    found = [client.read_listing(kind, context.integration.remote_id) for kind in STEP_KINDS]
    return [step for each in found for step in each.items if step.values.get("connection_id") == connection_id]


def _read_back(context: Context) -> None:
    read_again(context, "connections")
    try:
        integrations.refresh(context.integration, hold=context.progress.hold)
    except VendorError as error:
        context.progress.say(f"The integration could not be read anew: {error.message}", "warning")


def _name(context: Context, connection: RemoteItem) -> str:
    return shown_text(context, connection.name or connection.remote_id, 200)


def _lines(context: Context, connections: Iterable[RemoteItem]) -> tuple[str, ...]:
    """A line for each: its name, its type, whether it is online."""
    lines = []
    for each in connections:
        is_online = each.values.get("is_online")
        online = "not said whether it is online" if is_online is None else "online" if is_online else "offline"
        kind = plain(str(each.values.get("type") or ""), 60)
        lines.append(" · ".join(filter(None, (_name(context, each), kind, online))))
    return tuple(lines)


def _counted(number: int) -> str:
    return "1 connection" if number == 1 else f"{number} connections"


def _these(number: int) -> str:
    return "this connection" if number == 1 else f"these {number} connections"
