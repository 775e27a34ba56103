"""Cloning an integration with its flows, exports and imports. Source: Celigo help, "Integration API endpoints".

Assumed, for the reference page shows no body: `name`, `connectionMap`, `sandbox`, `_stackId`, an environment. For the
clone of a flow the vendor documents `invalid_connectionMap` when the map is missing or partial; here it holds for
integrations as well.
"""

from __future__ import annotations

from typing import Any

from integrations_app.simulator.celigo import history
from integrations_app.simulator.celigo.call import Call
from integrations_app.simulator.celigo.documents import NAME_LENGTH, Document
from integrations_app.simulator.celigo.errors import failed, refused
from integrations_app.simulator.celigo.fields import problems_of
from integrations_app.simulator.celigo.integrations import shown
from integrations_app.simulator.celigo.shelf import SERVER_OWNED
from integrations_app.simulator.wire import Response

BELOW = ("flow", "export", "import")
_NOT_COPIED = frozenset({"lastExecutedAt", "resolvedAt", "createdAt", "lastModified"})


def preview(call: Call, identifier: str) -> Response:
    """What a clone would make, and the connections it would need."""
    document, number = call.integration(identifier), call.number(identifier)
    objects = [{"model": "Integration", "doc": _plain(document)}]
    objects += [{"model": "Connection", "doc": each} for each in _connections(call, document, number)]
    for kind in BELOW:
        objects += [{"model": kind.capitalize(), "doc": each} for each in call.shelf.all_of(kind, number)]
    return Response.of_json({"objects": objects, "stackRequired": False})


def clone(call: Call, identifier: str) -> Response:
    """Clone one: the new integration, or a list of everything that was made."""
    source, number = call.integration(identifier), call.number(identifier)
    body = call.object_body()
    name = body.get("name", f"Clone - {source['name']}"[:NAME_LENGTH])
    placed = _placed(call, body)
    if problems := problems_of({"name": name, **placed}):
        raise refused(problems)
    renamed = _mapped_connections(call, body.get("connectionMap"), _connections(call, source, number))
    made = _copy(call, source, number, {"name": name, **placed}, renamed)
    history.note(call, made[0][1]["_id"], "create", {}, {})
    call.applied("clone", identifier, made[0][1]["_id"])
    if call.switch("clone_reply") == "manifest":
        entries = [{"model": model, "_id": each["_id"], "name": each["name"]} for model, each in made]
        return Response.of_json(entries, 201)
    return Response.of_json(shown(call, call.integration(made[0][1]["_id"])), 201)


def _placed(call: Call, body: Document) -> Document:
    """Where the clone goes: the old sandbox, or an environment. Assumed: the name of that field."""
    placed = {"sandbox": body["sandbox"]} if "sandbox" in body else {}
    environment = body.get(call.switch("clone_environment_field"))
    return placed | ({"_environmentId": environment} if environment else {})


def _connections(call: Call, document: Document, number: int) -> list[Document]:
    """The connections that the integration lists or its steps use."""
    ids = list(document.get("_registeredConnectionIds", []))
    ids += [step.get("_connectionId") for kind in BELOW[1:] for step in call.shelf.all_of(kind, number)]
    unique = dict.fromkeys(each for each in ids if each)
    return [found for each in unique if (found := call.shelf.get("connection", each)) is not None]


def _mapped_connections(call: Call, sent: Any, needed: list[Document]) -> dict[str, str]:
    """The map that was sent. Raises RefusedError (400) when a connection has no entry or leads nowhere."""
    if sent is None and not call.switch("clone_needs_map"):
        sent = {each["_id"]: each["_id"] for each in needed}
    if not isinstance(sent, dict) and (sent is not None or needed):
        raise failed(400, "invalid_connectionMap", "connectionMap is missing.", "connectionMap")
    given = sent or {}
    lacking = [each["_id"] for each in needed if each["_id"] not in given]
    if lacking:
        raise failed(400, "invalid_connectionMap", f"connectionMap is missing an entry: {lacking[0]}.", "connectionMap")
    for target in given.values():
        if not isinstance(target, str) or call.shelf.get("connection", target) is None:
            raise failed(400, "invalid_connectionMap", "connectionMap leads to no connection.", "connectionMap")
    return given


def _copy(
    call: Call, source: Document, number: int, given: Document, renamed: dict[str, str]
) -> list[tuple[str, Document]]:
    """Make the clone and all below it; returns them with their models, the integration first."""
    ids = dict(renamed)
    for grouping in (*source.get("flowGroupings", []), *source.get("apiGroupings", [])):
        ids[grouping["_id"]] = call.shelf.new_id("grouping")
    below = [(kind, each) for kind in BELOW for each in call.shelf.all_of(kind, number)]
    ids |= {each["_id"]: call.shelf.new_id(kind) for kind, each in below}
    registered = list(dict.fromkeys(ids.get(each, each) for each in source.get("_registeredConnectionIds", [])))
    plain = {name: value for name, value in source.items() if name not in SERVER_OWNED}
    document = call.shelf.add(
        {**_with_ids(plain, ids), **given, "_sourceId": source["_id"], "_registeredConnectionIds": registered}
    )
    new_number = call.shelf.number(document["_id"])
    ids[source["_id"]] = document["_id"]
    made = [("Integration", document)]
    for kind, each in below:
        kept = {name: value for name, value in each.items() if name not in _NOT_COPIED}
        copied = {**_with_ids(kept, ids), "_sourceId": each["_id"]}
        made.append((kind.capitalize(), call.shelf.add_below(kind, new_number, copied)))
    call.shelf.kept("standalone", []).append(new_number)
    call.shelf.recount(new_number)
    return made


def _with_ids(value: Any, ids: dict[str, str]) -> Any:
    """A document in which every id that has a new one is that."""
    if isinstance(value, list):
        return [_with_ids(item, ids) for item in value]
    if isinstance(value, dict):
        return {name: _with_ids(inner, ids) for name, inner in value.items()}
    return ids.get(value, value) if isinstance(value, str) else value


def _plain(document: Document) -> Document:
    return {name: value for name, value in document.items() if name == "_id" or name not in SERVER_OWNED}
