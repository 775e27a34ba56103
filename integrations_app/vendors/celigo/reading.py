"""Reads one integration document of Celigo. Pure: no call, no clock; also used on stored documents.

Strict where the console draws conclusions (id, name, lists of steps), tolerant elsewhere: a counter that is missing or
of another type is unknown, and a field nobody knows stays in `raw`.
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
from integrations_app.vendors.parsing import documents, identifier, moment, number, text, truth

SLUG = "celigo"
ID_LENGTH = 200
# An integration with more registered connections or aliases than this is read up to here; `raw` keeps all.
LARGEST_LIST = 1000
# The databases' whole numbers end here; no account has that many errors.
LARGEST_COUNT = 2**31 - 1

# Types of connection that name an app; the others (http, rest, ftp, wrapper ...) are ways to reach one.
_APP_TYPES = {
    "netsuite": "NetSuite",
    "salesforce": "Salesforce",
    "s3": "Amazon S3",
    "mongodb": "MongoDB",
    "dynamodb": "Amazon DynamoDB",
}
_ALIAS_TARGETS = ("_connectionId", "_exportId", "_importId", "_flowId", "_scriptId")


def read_integration(document: Mapping[str, Any], region: Region) -> RemoteIntegration:
    """Read one integration; raises VendorResponseError when the document is none.

    Source: Celigo help, "Integration API endpoints" (fields); counters as in the developer reference's list answer.
    Assumed: without `mode` it is a plain integration, which Celigo runs as soon as it exists: active.
    """
    remote_id = _required_id(document)
    if not isinstance(document.get("name"), str):
        raise _bad("The integration has no name, or it is not text.")
    steps = _install_steps(document)
    return RemoteIntegration(
        remote_id=remote_id,
        # A name of nothing but control characters shows as nothing; the id does not.
        name=text(document["name"], 300) or remote_id,
        lifecycle=_lifecycle(document),
        raw=document,
        app=_app(steps),
        vendor_words=_vendor_words(document),
        findings=tuple(_findings(document, steps)),
        parts=_connections(document, steps),
        aliases=_aliases(document, remote_id),
        version=_unmasked(document.get("version"), 60),
        remote_url=_remote_url(remote_id, region),
        remote_created_at=moment(document.get("createdAt")),
        remote_updated_at=moment(document.get("lastModified")),
    )


def is_masked(value: object) -> bool:
    """Whether a value is what Celigo answers in place of a secret it holds ("******"): never a value of its own.

    One or two asterisks are none: people write them for "any".
    """
    return isinstance(value, str) and len(value) > 2 and value.strip("*") == ""


def _required_id(document: Mapping[str, Any]) -> str:
    remote_id = identifier(document.get("_id"), ID_LENGTH)
    if not remote_id:
        raise _bad("The integration has no usable _id.")
    return remote_id


def _bad(reason: str) -> VendorResponseError:
    return VendorResponseError(reason, vendor=SLUG, operation="read an integration")


def _unmasked(value: object, limit: int) -> str:
    return "" if is_masked(value) else text(value, limit)


def _count(document: Mapping[str, Any], name: str) -> int:
    """A counter for a finding: 0 when it is unknown, so that nothing is claimed."""
    return min(max(number(document.get(name)) or 0, 0), LARGEST_COUNT)


# --- state -------------------------------------------------------------------------------------------------------


def _lifecycle(document: Mapping[str, Any]) -> Lifecycle:
    match document.get("mode"):
        case "install":
            return Lifecycle.BUILDING
        case "uninstall":
            return Lifecycle.INACTIVE
    return Lifecycle.ACTIVE


def _vendor_words(document: Mapping[str, Any]) -> str:
    words = [f"mode: {mode}"] if (mode := text(document.get("mode"), 40)) else []
    words += [f"{name}: {count}" for name in ("numError", "numOfflineConnections") if (count := _count(document, name))]
    if truth(document.get("updateInProgress")):
        words.append("updateInProgress: true")
    return " · ".join(words)


def _install_steps(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The steps of the installer; older apps keep theirs under `install`. Raises VendorResponseError for no list."""
    for name in ("installSteps", "install"):
        value = document.get(name)
        if value is not None and not isinstance(value, list):
            raise _bad(f"{name} is not a list.")
    return documents(document.get("installSteps")) or documents(document.get("install"))


def _findings(document: Mapping[str, Any], steps: list[Mapping[str, Any]]) -> Iterator[Finding]:
    """What a person should know, most important first."""
    if offline := _count(document, "numOfflineConnections"):
        yield Finding(FindingCode.CONNECTION_OFFLINE, count=offline)
    if errors := _count(document, "numError"):
        # Not `since`: Celigo tells the last error, not the first.
        last = moment(document.get("lastErrorAt"))
        detail = f"last error {last:%Y-%m-%d %H:%M} UTC" if last else ""
        yield Finding(FindingCode.ERRORS, count=errors, detail=detail)
    if document.get("mode") == "install" or ("mode" not in document and any(_is_open(step) for step in steps)):
        yield _half_installed(document, steps)
    if truth(document.get("updateInProgress")):
        yield Finding(FindingCode.UPDATE_IN_PROGRESS)


def _is_open(step: Mapping[str, Any]) -> bool:
    return truth(step.get("completed")) is False


def _half_installed(document: Mapping[str, Any], steps: list[Mapping[str, Any]]) -> Finding:
    """How many steps are left and which is next: the first not completed, as Celigo's own installer does it."""
    left = [step for step in steps if truth(step.get("completed")) is not True]
    following = text(left[0].get("name"), 200) if left else ""
    detail = f"next step: {following}" if following else ""
    return Finding(FindingCode.HALF_INSTALLED, count=min(len(left), LARGEST_COUNT), detail=detail)


# --- what is inside ----------------------------------------------------------------------------------------------


def _app(steps: list[Mapping[str, Any]]) -> str:
    """A best guess at the app it is about: the assistant of the first connection the installer asks for, or its type.

    "" when the document names none; plain integrations never do.
    """
    for step in steps:
        connection = object_of(step.get("sourceConnection"))
        assistant = _unmasked(connection.get("assistant"), 120)
        if assistant:
            return assistant
        kind = text(connection.get("type"), 40)
        if kind in _APP_TYPES:
            return _APP_TYPES[kind]
    return ""


def _connections(document: Mapping[str, Any], steps: list[Mapping[str, Any]]) -> tuple[RemotePart, ...]:
    """The registered connections, named by the installer's step or the alias that points at each, else by their id."""
    names: dict[str, str] = {}
    for alias in documents(document.get("aliases"))[:LARGEST_LIST]:
        names[identifier(alias.get("_connectionId"), ID_LENGTH)] = _unmasked(alias.get("alias"), 200)
    for step in steps[:LARGEST_LIST]:
        shown = text(object_of(step.get("sourceConnection")).get("name"), 200)
        names[identifier(step.get("_connectionId"), ID_LENGTH)] = shown or text(step.get("name"), 200)
    return tuple(
        RemotePart(PartKind.CONNECTION, connection_id, names.get(connection_id) or connection_id, words="registered")
        for connection_id in _ids(document, "_registeredConnectionIds")
    )


def _ids(document: Mapping[str, Any], name: str) -> list[str]:
    value = document.get(name)
    found = (identifier(each, ID_LENGTH) for each in value[:LARGEST_LIST]) if isinstance(value, list) else ()
    return list(dict.fromkeys(filter(None, found)))


def _aliases(document: Mapping[str, Any], remote_id: str) -> tuple[str, ...]:
    """What a person may paste: aliases given at Celigo, what they point at, connections, groups and lookup caches.

    Not the lineage (`_sourceId`, `_connectorId` ...): those ids belong to another thing.
    """
    found = _ids(document, "_registeredConnectionIds") + _ids(document, "_registeredLookupCacheIds")
    for alias in documents(document.get("aliases"))[:LARGEST_LIST]:
        found.append(_unmasked(alias.get("alias"), ID_LENGTH))
        found += [identifier(alias.get(target), ID_LENGTH) for target in _ALIAS_TARGETS]
    for groupings in ("flowGroupings", "apiGroupings"):
        found += [identifier(each.get("_id"), ID_LENGTH) for each in documents(document.get(groupings))[:LARGEST_LIST]]
    return tuple(dict.fromkeys(alias for alias in found if alias and alias != remote_id))


def _remote_url(remote_id: str, region: Region) -> str:
    """The integration's page in Celigo's web app; "" where the region has none.

    Source: addresses in public clients of Celigo. Assumed: Integration Apps open under the same address.
    """
    return f"{region.app_url}/integrations/{quote(remote_id, safe='')}/flows" if region.app_url else ""
