"""Connections: on an integration's list, off it again, and whether they answer."""

from __future__ import annotations

from typing import Any

from integrations_app.simulator.celigo import history, paging
from integrations_app.simulator.celigo.call import Call, nothing
from integrations_app.simulator.celigo.documents import Document
from integrations_app.simulator.celigo.errors import Problem, problem, refused
from integrations_app.simulator.celigo.fields import OBJECT_ID
from integrations_app.simulator.celigo.resources import MASK
from integrations_app.simulator.wire import Response

TYPES = frozenset(
    {"http", "rest", "netsuite", "salesforce", "ftp", "s3", "rdbms", "mongodb", "as2", "filesystem", "mcp", "dynamodb",
     "jdbc", "van", "wrapper"}
)  # fmt: skip
# Leaves of a connection that come back as the mask.
_SECRETS = ("token", "password", "secret", "privatekey", "passphrase", "encrypted", "apikey", "accesskey")


def registered(call: Call, identifier: str) -> Response:
    """The connections on an integration's list."""
    return paging.documents(call, call.shelf.registered(call.integration(identifier)), is_204_when_empty=True)


def register_many(call: Call, identifier: str) -> Response:
    """Put several on the list; the body is a bare array of ids, and all are put there or none."""
    document = call.integration(identifier)
    ids = call.body()
    if not isinstance(ids, list) or not ids:
        raise refused([problem("invalid_field", "The body must be a list of connection ids.")])
    unknown = [_unknown(str(each)) for each in ids if call.shelf.get("connection", str(each)) is None]
    if unknown:
        raise refused(unknown)
    return _register(call, document, [str(each) for each in ids])


def register_one(call: Call, identifier: str, connection_id: str) -> Response:
    """Put one on the list."""
    document = call.integration(identifier)
    call.one("connection", connection_id)
    return _register(call, document, [connection_id])


def _unknown(identifier: str) -> Problem:
    return problem("invalid_ref", f"There is no connection {identifier[:40]}.", "_connectionId")


def _register(call: Call, document: Document, ids: list[str]) -> Response:
    listed = list(dict.fromkeys([*document.get("_registeredConnectionIds", []), *ids]))
    set_registered(call, document, listed)
    call.applied("register", document["_id"], ids[0] if len(ids) == 1 else "")
    reply = call.switch("register_reply")
    if reply == "none":
        return nothing(200)
    if reply == "integration":
        return Response.of_json(call.integration(document["_id"]))
    return Response.of_json(listed if reply == "ids" else [])


def set_registered(call: Call, document: Document, ids: list[str]) -> None:
    """Make these the connections on an integration's list."""
    number = call.shelf.number(document["_id"])
    after = {**document, "_registeredConnectionIds": ids}
    call.shelf.replace(number, after)
    call.shelf.recount(number)
    history.note(call, document["_id"], "update", document, after)


def unregister(call: Call, identifier: str, connection_id: str) -> Response:
    """Take one off the list. Steps that use it go on using it. Assumed: 204 also when it was not there."""
    document = call.integration(identifier)
    call.one("connection", connection_id)
    listed = document.get("_registeredConnectionIds", [])
    set_registered(call, document, [each for each in listed if each != connection_id])
    call.applied("unregister", identifier, connection_id)
    return nothing()


def ping(call: Call, identifier: str) -> Response:
    """Try a connection. Assumed: `{code, errors?}`, with status 200 also when the other side refuses."""
    connection = call.one("connection", identifier)
    if not connection.get("offline"):
        return Response.of_json({"code": 200})
    errors = [problem("401", "Invalid credentials")]
    if call.switch("refused_ping_status") == 422:
        raise refused(errors)
    return Response.of_json({"code": 422, "errors": errors})


# --- new ones -----------------------------------------------------------------------------------------------------


def problems_of_new(document: Any) -> list[Problem]:
    """What is wrong with a connection that was sent whole."""
    if not isinstance(document, dict):
        return [problem("invalid_field", "connection must be an object", "connection")]
    found = []
    name, kind = document.get("name"), document.get("type")
    if not isinstance(name, str) or not 0 < len(name) <= 100:
        found.append(problem("missing_required_field", "a connection needs a name", "connection.name"))
    if kind not in TYPES:
        found.append(problem("invalid_field", "type is not allowed", "connection.type"))
    return found


def make_new(call: Call, document: Document) -> str:
    """Keep a connection that was sent whole, its secrets masked; returns its id."""
    kept = {name: value for name, value in document.items() if name not in ("_id", "createdAt", "lastModified")}
    made = call.shelf.add_below("connection", None, {"offline": False, **masked(kept)})
    identifier: str = made["_id"]
    return identifier


def masked(value: Any) -> Any:
    """A document with every secret in it masked."""
    if isinstance(value, list):
        return [masked(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {name: MASK if _is_secret(name, inner) else masked(inner) for name, inner in value.items()}


def _is_secret(name: str, value: Any) -> bool:
    return isinstance(value, str) and any(word in name.lower() for word in _SECRETS) and not OBJECT_ID.fullmatch(value)
