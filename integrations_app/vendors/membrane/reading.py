"""Reads one integration document of Membrane. Pure: no call, no clock; also used on stored documents.

Strict where the console draws conclusions (id, name, connection, errors), tolerant elsewhere: what is missing or of
another type is unknown, never false, and a field nobody knows stays in `raw`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from integrations_app.vendors.base import (
    Finding,
    FindingCode,
    Lifecycle,
    PartKind,
    Region,
    RemoteIntegration,
    RemotePart,
)
from integrations_app.vendors.errors import VendorResponseError
from integrations_app.vendors.parsing import document as object_of
from integrations_app.vendors.parsing import documents, identifier, moment, number, redacted, text, truth

SLUG = "membrane"
ID_LENGTH = 200
DETAIL_LENGTH = 300
# Errors nest without a documented limit; so many causes, and so many errors of a list, are put into words.
CAUSES = 5
ERRORS = 3
# The databases' whole numbers end here.
LARGEST_COUNT = 2**31 - 1

# What only a stored integration has: an item without id but with one of these has lost its id.
_MARKS_OF_STORED = ("uuid", "key", "revision", "createdAt", "updatedAt", "state")

_STATE_FINDINGS = {
    "CONFIGURATION_ERROR": FindingCode.CONFIGURATION_ERROR,
    "SETUP_FAILED": FindingCode.SETUP_FAILED,
    "CLIENT_ACTION_REQUIRED": FindingCode.ACTION_REQUIRED,
}
_UNSETTLED_STATES = ("BUILDING", "DISCONNECTING")


def read_integration(document: Mapping[str, Any], region: Region) -> RemoteIntegration:
    """Read one integration; raises VendorResponseError when the document is none.

    Source: Membrane API reference, "List all integrations", "Errors"; docs, "Connections".
    Assumed: without `state` nothing is wrong; a READY integration that comes without `connection` was never connected,
    because we always ask as the tenant; an integration is about the app of its own name.
    """
    remote_id = identifier(document.get("id"), ID_LENGTH)
    if not remote_id:
        raise _bad("The integration has no usable id.")
    if not isinstance(document.get("name"), str):
        raise _bad("The integration has no name, or it is not text.")
    connection = _connection(document)
    _check_errors(document)
    name = text(document["name"], 300) or remote_id
    return RemoteIntegration(
        remote_id=remote_id,
        name=name,
        lifecycle=_lifecycle(document),
        raw=document,
        app=text(document["name"], 120),
        vendor_words=_vendor_words(document, connection),
        findings=tuple(_findings(document, connection)),
        parts=(_part(connection),) if connection is not None else (),
        aliases=_aliases(document, connection, remote_id),
        version=text(document.get("connectorVersion"), 60),
        remote_url=_remote_url(remote_id, region),
        remote_created_at=moment(document.get("createdAt")),
        remote_updated_at=moment(document.get("updatedAt")),
        last_used_at=moment((connection or {}).get("lastActiveAt")),
    )


def is_candidate(item: object) -> bool:
    """Whether Membrane made up a list item for a search and does not store it: it has no id, nor marks of one stored.

    Source: API reference: only `name` is required of a list item, and `connectors`, `externalApps` and `websearch`
    generate entries. Assumed: what else such an entry carries.
    """
    candidate = object_of(item)
    has_id = candidate.get("id") not in (None, "")
    return (
        not has_id and isinstance(candidate.get("name"), str) and not any(key in candidate for key in _MARKS_OF_STORED)
    )


def summary(item: Mapping[str, Any]) -> str:
    """One line about a list item for a search's answer, in Membrane's words."""
    connection = object_of(item.get("connection"))
    words = [
        text(item.get("state"), 40),
        text(item.get("key"), 80),
        text(item.get("authType"), 40),
        "connected" if truth(connection.get("connected")) or truth(item.get("isConnected")) else "",
        "archived" if _is_archived(item) else "",
        "deactivated" if truth(item.get("isDeactivated")) else "",
        text(item.get("appUri"), 120),
    ]
    return " · ".join(filter(None, words))


def _bad(reason: str) -> VendorResponseError:
    return VendorResponseError(reason, vendor=SLUG, operation="read an integration")


def _connection(document: Mapping[str, Any]) -> Mapping[str, Any] | None:
    value = document.get("connection")
    if value is not None and not isinstance(value, dict):
        raise _bad("connection is not an object.")
    return value


def _check_errors(document: Mapping[str, Any]) -> None:
    if not isinstance(document.get("errors"), list | None):
        raise _bad("errors is not a list.")


# --- state -------------------------------------------------------------------------------------------------------


def _is_archived(document: Mapping[str, Any]) -> bool:
    """`archivedAt` is there once it is archived, whatever time it names."""
    return bool(text(document.get("archivedAt"), 60))


def _state(document: Mapping[str, Any]) -> str:
    return text(document.get("state"), 40)


def _lifecycle(document: Mapping[str, Any]) -> Lifecycle:
    if _is_archived(document):
        return Lifecycle.ARCHIVED
    state = _state(document)
    if truth(document.get("isDeactivated")) or state == "DISCONNECTING":
        return Lifecycle.INACTIVE
    return Lifecycle.BUILDING if state == "BUILDING" else Lifecycle.ACTIVE


def _vendor_words(document: Mapping[str, Any], connection: Mapping[str, Any] | None) -> str:
    words = [_state(document)]
    words += [name for name in ("isDeactivated", "hasMissingParameters") if truth(document.get(name))]
    words += ["archivedAt"] if _is_archived(document) else []
    if connection is not None and (said := _connection_words(connection)):
        words.append(f"connection {said}")
    return text(" · ".join(filter(None, words)), 200)


def _connection_words(connection: Mapping[str, Any]) -> str:
    words = [_state(connection)]
    connected = _is_connected(connection)
    if connected is not None:
        words.append("connected" if connected else "not connected")
    words += [name for name in ("isDefunct", "isDeactivated") if truth(connection.get(name))]
    words += ["archivedAt"] if _is_archived(connection) else []
    if attempts := _count(connection, "retryAttempts"):
        words.append(f"retryAttempts {attempts}")
    if (following := moment(connection.get("nextRetryTimestamp"))) is not None:
        words.append(f"next try {following:%Y-%m-%d %H:%M} UTC")
    return text(", ".join(filter(None, words)), 150)


def _is_connected(connection: Mapping[str, Any]) -> bool | None:
    """`connected`, or the deprecated `disconnected` the other way round where only that is sent."""
    connected = truth(connection.get("connected"))
    disconnected = truth(connection.get("disconnected"))
    if connected is None and disconnected is not None:
        return not disconnected
    return connected


def _count(document: Mapping[str, Any], name: str) -> int:
    """A number for a finding: 0 when it is unknown, so that nothing is claimed."""
    return min(max(number(document.get(name)) or 0, 0), LARGEST_COUNT)


# --- findings ----------------------------------------------------------------------------------------------------


def _findings(document: Mapping[str, Any], connection: Mapping[str, Any] | None) -> Iterator[Finding]:
    """What a person should know. A missing parameter and the state are told apart: neither implies the other."""
    errors = documents(document.get("errors"))
    detail = _explained(errors)
    code = _STATE_FINDINGS.get(_state(document))
    if truth(document.get("hasMissingParameters")):
        yield Finding(FindingCode.MISSING_PARAMETERS, detail=detail)
    if code is not None:
        yield Finding(code, detail=detail)
    if connection is not None:
        yield from _connection_findings(connection, document)
    elif _was_never_connected(document):
        yield Finding(FindingCode.CONNECTION_MISSING, subject=text(document.get("name"), 200))
    if errors and code is None:
        yield Finding(FindingCode.ERRORS, count=min(len(errors), LARGEST_COUNT), detail=detail)


def _was_never_connected(document: Mapping[str, Any]) -> bool:
    """Whether an integration that comes without a connection waits for one: nobody can sign in before it is set up."""
    is_waiting = _lifecycle(document) is Lifecycle.ACTIVE and not truth(document.get("isConnected"))
    state = _state(document)
    return is_waiting and (state == "READY" or (not state and truth(document.get("isConnected")) is False))


def _connection_findings(connection: Mapping[str, Any], document: Mapping[str, Any]) -> Iterator[Finding]:
    """At most one finding: the one that decides what happens next."""
    code, count, detail = _connection_trouble(connection)
    # A connection is cut with its integration; that one is missing is news only while the integration is on.
    is_news = code is not FindingCode.CONNECTION_MISSING or _lifecycle(document) is Lifecycle.ACTIVE
    if code is not None and is_news:
        subject = text(connection.get("name"), 200) or text(document.get("name"), 200)
        yield Finding(code, subject=subject, count=count, detail=detail)


def _connection_trouble(connection: Mapping[str, Any]) -> tuple[FindingCode | None, int, str]:
    refused = connection.get("requestError") or connection.get("error")
    detail = _explained([refused] if refused else documents(connection.get("errors")))
    state, attempts = _state(connection), _count(connection, "retryAttempts")
    if _is_archived(connection) or truth(connection.get("isDeactivated")):
        return (FindingCode.CONNECTION_MISSING, 0, "the connection was archived or switched off")
    # A defunct connection may still have a retry planned; only a new sign-in helps it for sure.
    if truth(connection.get("isDefunct")):
        return FindingCode.CONNECTION_DEFUNCT, 0, detail
    if state in _STATE_FINDINGS:
        asked = text(object_of(connection.get("clientAction")).get("description"), DETAIL_LENGTH)
        return _STATE_FINDINGS[state], 0, asked or detail
    if state in _UNSETTLED_STATES:
        return None, 0, ""
    if attempts or moment(connection.get("nextRetryTimestamp")) is not None:
        return FindingCode.CONNECTION_RETRYING, attempts, detail
    if _is_connected(connection) is False:
        return (FindingCode.CONNECTION_MISSING, 0, detail or "it is not connected any more")
    return (FindingCode.ERRORS, 1, detail) if refused or detail else (None, 0, "")


def _explained(errors: list[Any] | list[Mapping[str, Any]]) -> str:
    """The vendor's messages of a few errors with their causes, plain text without secrets, cut to length."""
    return text(redacted("; ".join(filter(None, map(_with_causes, errors[:ERRORS])))), DETAIL_LENGTH)


def _with_causes(error: Any) -> str:
    messages = []
    for _ in range(CAUSES):
        known = object_of(error)
        messages.append(text(known.get("message"), DETAIL_LENGTH) or text(known.get("key") or known.get("type"), 80))
        error = known.get("causedByError")
    return ", because: ".join(dict.fromkeys(filter(None, messages)))


# --- what is inside ----------------------------------------------------------------------------------------------


def _part(connection: Mapping[str, Any]) -> RemotePart:
    remote_id = identifier(connection.get("id"), ID_LENGTH)
    return RemotePart(
        PartKind.CONNECTION,
        remote_id,
        text(connection.get("name"), 300) or remote_id,
        is_active=False if truth(connection.get("isDefunct")) else _is_connected(connection),
        version=text(connection.get("connectorVersion"), 60),
        words=_connection_words(connection),
    )


def _aliases(document: Mapping[str, Any], connection: Mapping[str, Any] | None, remote_id: str) -> tuple[str, ...]:
    """What a person may paste: key, uuid, and the connection's id, key and user."""
    found = [document.get("key"), document.get("uuid")]
    found += [(connection or {}).get(name) for name in ("id", "key", "userId", "tenantId")]
    known = (identifier(each, ID_LENGTH) for each in found)
    return tuple(dict.fromkeys(alias for alias in known if alias and alias != remote_id))


def _remote_url(remote_id: str, region: Region) -> str:
    """The integration's page in Membrane's console; "" where the region has none.

    Source: addresses in the vendor's public samples; "0" opens the workspace the person used last.
    """
    if not region.app_url:
        return ""
    return f"{region.app_url}/w/0/external-apps/integrations/{quote(remote_id, safe='')}"
