"""Creating, reading, replacing, patching and deleting integrations, and what else is asked of one as a whole.

Source: Celigo help centre, "Integration API endpoints".
"""

from __future__ import annotations

from collections.abc import Iterator

from integrations_app.simulator.celigo import history, paging
from integrations_app.simulator.celigo.call import Call, Operation, nothing
from integrations_app.simulator.celigo.documents import COUNTERS, Document
from integrations_app.simulator.celigo.errors import Problem, failed, problem, refused
from integrations_app.simulator.celigo.fields import problems_of, writable
from integrations_app.simulator.celigo.patches import INTEGRATION_PATHS, patched
from integrations_app.simulator.celigo.shelf import SERVER_OWNED
from integrations_app.simulator.wire import Response


def get(call: Call, identifier: str) -> Response:
    """One integration; include and exclude are ignored here."""
    return Response.of_json(shown(call, call.integration(identifier)))


def shown(call: Call, document: Document) -> Document:
    """An integration as it is sent when it is not in a list."""
    if call.switch("single_has_counters"):
        return document
    return {name: value for name, value in document.items() if name not in COUNTERS}


def create(call: Call) -> Response:
    """A new integration; only `name` is required."""
    sent = _sent(call)
    document = call.shelf.add(_with_grouping_ids(call, sent))
    history.note(call, document["_id"], "create", {}, {})
    call.applied("create", "", document["_id"])
    return Response.of_json(shown(call, document), 201)


def put(call: Call, identifier: str) -> Response:
    """Replace the whole document: what is not sent is erased, but for what the server sets."""
    number, before = call.number(identifier), call.integration(identifier)
    sent = _with_grouping_ids(call, _sent(call))
    if _is_closed(call, before) and sent.get("updateInProgress") and sent.get("settings") != before.get("settings"):
        raise refused([_closed("settings")])
    kept = {name: value for name, value in before.items() if name in SERVER_OWNED}
    call.shelf.replace(number, {**sent, **kept})
    after = call.integration(identifier)
    history.note(call, identifier, "update", before, after)
    call.applied("put", identifier)
    return Response.of_json(shown(call, after))


def patch(call: Call, identifier: str) -> Response:
    """Change the few places that the reference page lists; all of them or none."""
    number, before = call.number(identifier), call.integration(identifier)

    def guard(document: Document, path: str) -> Problem | None:
        is_settings = path.startswith(("/settings", "/flowGroupings/"))
        return _closed(path) if is_settings and _is_closed(call, document) else None

    after = patched(before, call.body(), INTEGRATION_PATHS, guard)
    changed = {name: value for name, value in after.items() if value != before.get(name)}
    if problems := problems_of({"name": "as before", **changed}):
        raise refused(problems)
    call.shelf.replace(number, after)
    history.note(call, identifier, "update", before, after)
    call.applied("patch", identifier)
    return answer_to_patch(call, call.integration(identifier))


def answer_to_patch(call: Call, document: Document) -> Response:
    """204 as two of the vendor's pages say, or 200 with the document as a third has it."""
    return Response.of_json(document) if call.switch("patch_answer") == "document" else nothing()


def delete(call: Call, identifier: str) -> Response:
    """Delete an integration; whether its flows hold it back is an open question."""
    number, document = call.number(identifier), call.integration(identifier)
    if call.switch("delete_with_flows") == "refused" and call.shelf.ids("flow", number):
        raise failed(422, "invalid_field", "The integration still holds flows.")
    history.note(call, identifier, "delete", document, {})
    call.shelf.remove(number)
    call.applied("delete", identifier)
    return nothing()


def children(kind: str) -> Operation:
    """The operation that lists an integration's flows, exports or imports."""

    def operation(call: Call, identifier: str) -> Response:
        found = call.shelf.all_of(kind, call.number(identifier))
        return paging.documents(call, found, is_204_when_empty=True)

    return operation


def of_account(kind: str) -> Operation:
    """The operation that lists the flows, exports, imports or connections of the whole account."""

    def seen(call: Call, each: str) -> Document | None:
        document = call.shelf.get(kind, each)
        is_seen = document is not None and (kind == "connection" or call.may_see(document.get("_integrationId")))
        return document if is_seen else None

    def operation(call: Call) -> Response:
        def places(first: int) -> Iterator[tuple[int, Document | None]]:
            return ((at, seen(call, each)) for at, each in call.shelf.account_ids(kind, first))

        return paging.places(call, places, is_204_when_empty=True)

    return operation


def one(kind: str) -> Operation:
    """The operation that reads one flow, export, import or connection."""

    def operation(call: Call, identifier: str) -> Response:
        return Response.of_json(call.one(kind, identifier))

    return operation


def dependencies(call: Call, identifier: str) -> Response:
    """What uses the integration or is used by it; {} means that nothing does. Assumed: the shape."""
    number, document = call.number(identifier), call.integration(identifier)
    found: dict[str, list[Document]] = {}
    for flow in call.shelf.all_of("flow", number):
        entry = {"id": flow["_id"], "name": flow["name"], "access": True}
        found.setdefault("flows", []).append(entry | {"dependencyIds": {"integrations": [identifier]}})
    for connection in call.shelf.registered(document):
        entry = {"id": connection["_id"], "name": connection["name"], "access": True}
        found.setdefault("connections", []).append(entry)
    if call.switch("dependencies_shape") == "array":
        return Response.of_json([{"resourceType": kind, **each} for kind, entries in found.items() for each in entries])
    return Response.of_json(found)


def shares(call: Call, identifier: str) -> Response:
    """Who may see the integration; the account's owner is not listed."""
    return paging.documents(call, history.shares(call, call.number(identifier)))


def audit(call: Call, identifier: str) -> Response:
    """What happened to the integration, newest first."""
    return paging.documents(call, history.entries(call, call.number(identifier)))


def _sent(call: Call) -> Document:
    """The fields of the body that are taken. Raises RefusedError (422) with everything that is wrong."""
    body = call.object_body()
    found = problems_of(writable(body))
    if found:
        raise refused(found)
    return writable(body)


def _with_grouping_ids(call: Call, document: Document) -> Document:
    """Groupings get an id when they come without one."""
    named: Document = {}
    for name in ("flowGroupings", "apiGroupings"):
        if name in document:
            named[name] = [{"_id": item.get("_id") or call.shelf.new_id("grouping"), **item} for item in document[name]]
    return {**document, **named}


def _is_closed(call: Call, document: Document) -> bool:
    """Whether settings cannot be edited because an update is in progress."""
    return bool(document.get("updateInProgress")) and bool(call.switch("updating_blocks_settings"))


def _closed(path: str) -> Problem:
    return problem("invalid_field", "Settings cannot be edited while an update is in progress.", path)
