"""Changing, creating and deleting an integration.

Source: Celigo help, "Integration API endpoints": PUT replaces the whole document, PATCH is a JSON Patch of six paths.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

from integrations_app.vendors.base import FieldKind, RemoteIntegration
from integrations_app.vendors.capabilities import MISSING, EditableField, EditRules
from integrations_app.vendors.celigo.calls import Calls
from integrations_app.vendors.celigo.fields import DOCUMENT_FIELDS
from integrations_app.vendors.celigo.reading import ID_LENGTH, is_masked
from integrations_app.vendors.parsing import document as object_of
from integrations_app.vendors.parsing import identifier

# Set by Celigo on each save or counted for each answer: a PUT leaves them out, and they come back by themselves.
_RECOMPUTED = frozenset(
    {
        "_id",
        "createdAt",
        "lastModified",
        "lastExecutedAt",
        "lastErrorAt",
        "numFlows",
        "numError",
        "numRegisteredConnections",
        "numOfflineConnections",
    }
)
# Where an integration comes from, where it is and what is registered on it (by calls of its own): not to be changed
# here, but a PUT erases what it does not carry, so these go along exactly as they were read.
_CARRIED_ALONG = frozenset(
    {
        "_connectorId",
        "_environmentId",
        "_parentId",
        "_registeredConnectionIds",
        "_registeredLookupCacheIds",
        "_sourceId",
        "_templateId",
        "sandbox",
    }
)
# Said once, when an integration is made.
_SAID_AT_BIRTH = frozenset({"_environmentId", "sandbox"})
_KNOWN = frozenset(field.path.partition("[")[0].partition(".")[0] for field in DOCUMENT_FIELDS)
_GROUPINGS = "flowGroupings"
_PATCHED = frozenset({"settings", "version", "tag", "updateInProgress", "aliases"})

EDIT_RULES = EditRules(
    fields=(
        EditableField("name", "Name", max_length=100, is_required=True),
        EditableField("description", "Description", max_length=5120, is_long=True),
        EditableField("readme", "Read me", is_long=True),
        EditableField("version", "Version"),
        EditableField("tag", "Tag"),
        EditableField(
            "updateInProgress",
            "Update in progress",
            FieldKind.TRUTH,
            help="While this is on, Celigo blocks changes to the settings.",
        ),
        EditableField("settings", "Settings", FieldKind.DOCUMENT, help="Any JSON; the integration's own values."),
        EditableField(
            "aliases",
            "Aliases",
            FieldKind.DOCUMENT,
            help="A list; each has an alias and the id of one connection, export, import, flow or script.",
        ),
        EditableField("settings", "Settings", FieldKind.DOCUMENT, help="Any JSON.", per=_GROUPINGS),
    ),
    server_owned=_RECOMPUTED | _CARRIED_ALONG,
)


class Writing(Calls):
    """SupportsEdit, SupportsCreate, SupportsDelete."""

    edit_rules: ClassVar[EditRules | None] = EDIT_RULES

    def edit_integration(self, current: RemoteIntegration, changes: Mapping[str, Any]) -> None:
        """Change an integration with one request: a PATCH where its six paths suffice, else a PUT of the whole.

        A flow group is patched by its position; the integration is read once more right before, and where the position
        holds another group by then, VendorRejectedError is raised and nothing sent. What Celigo answers is not read: it
        drops unknown fields silently, so the caller reads back and compares.
        Source: Celigo help, "Integration API endpoints" (PATCH paths and 204, PUT 200); developer.celigo.com, "Errors"
        (200 for a PATCH). Assumed: only `replace`, the one operation of the vendor's samples.
        """
        operation = "change an integration"
        self._check_keys(operation, changes, current.raw)
        if not changes:
            raise self._refused(operation, "There is nothing to change.")
        if all(_is_patched(key) for key in changes):
            self._patch(operation, current, changes)
        else:
            document = self._replaced(operation, current.raw, changes)
            self._check_masks(operation, document)
            self._send(operation, "PUT", current.remote_id, document)

    def create_integration(self, document: Mapping[str, Any]) -> str:
        """Create an integration; returns its id. VendorOutcomeUnknownError when the answer does not name it.

        Source: Celigo help, "Integration API endpoints", POST /integrations (201; `name` alone is required).
        """
        operation = "create an integration"
        wanted = {key: value for key, value in document.items() if value is not MISSING}
        self._check_keys(operation, wanted.keys() - _SAID_AT_BIRTH, {})
        if not _is_name(wanted.get("name")):
            raise self._refused(operation, "A name is required.", "name")
        self._check_masks(operation, wanted)
        answer = self._http.write(operation, "POST", ("integrations",), document=wanted, expect=(200, 201))
        remote_id = identifier(object_of(answer.document).get("_id"), ID_LENGTH)
        if not remote_id:
            raise self._http.unknown_outcome(operation, "The answer does not name the new integration.", answer)
        return remote_id

    def delete_integration(self, remote_id: str) -> None:
        """Delete an integration. Raises VendorRejectedError where Celigo refuses while something is still in it.

        Source: Celigo help, "Integration API endpoints", DELETE /integrations/<_id> (204). No source says what becomes
        of the flows inside, so the caller warns of them.
        """
        operation = "delete an integration"
        segments = ("integrations", remote_id)
        self._http.write(operation, "DELETE", segments, expect=(200, 204), needs_answer=False)

    # --- patching ------------------------------------------------------------------------------------------------

    def _patch(self, operation: str, current: RemoteIntegration, changes: Mapping[str, Any]) -> None:
        for key, value in changes.items():
            if value is MISSING:
                raise self._refused(operation, "It can be given another value, but not be taken away.", key)
        self._check_masks(operation, changes)
        paths = {key: self._path(operation, key, current.raw) for key in changes}
        if any(_group_of(key) for key in changes):
            self._check_positions(operation, current.remote_id, paths)
        patch = [{"op": "replace", "path": paths[key], "value": value} for key, value in changes.items()]
        self._send(operation, "PATCH", current.remote_id, patch)

    def _path(self, operation: str, key: str, document: Mapping[str, Any]) -> str:
        group = _group_of(key)
        if not group:
            return f"/{key}"
        position = _position(document, group)
        if position is None:
            raise self._refused(operation, "The integration has no such flow group.", key)
        return f"/{_GROUPINGS}/{position}/settings"

    def _check_positions(self, operation: str, remote_id: str, paths: Mapping[str, str]) -> None:
        answer = self._http.get(operation, ("integrations", remote_id))
        for key, path in paths.items():
            if _group_of(key) and self._path(operation, key, object_of(answer.document)) != path:
                raise self._refused(operation, "The flow group is not where it was: it was moved meanwhile.", key)

    def _send(self, operation: str, method: str, remote_id: str, document: Any) -> None:
        segments = ("integrations", remote_id)
        self._http.write(operation, method, segments, document=document, expect=(200, 204), needs_answer=False)

    # --- replacing -----------------------------------------------------------------------------------------------

    def _replaced(self, operation: str, raw: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
        """The whole document with the changes in it, without what Celigo computes anew."""
        document = {key: copy.deepcopy(value) for key, value in raw.items() if key not in _RECOMPUTED}
        # Whole values first, so that a change of one group is not lost under a new list of groups.
        for key in sorted(changes, key=lambda key: bool(_group_of(key))):
            group = _group_of(key)
            _put(self._group(operation, document, key, group) if group else document, key, group, changes[key])
        if not _is_name(document.get("name")):
            raise self._refused(operation, "A name is required.", "name")
        return document

    def _group(self, operation: str, document: dict[str, Any], key: str, group: str) -> dict[str, Any]:
        position = _position(document, group)
        if position is None:
            raise self._refused(operation, "The integration has no such flow group.", key)
        found: dict[str, Any] = document[_GROUPINGS][position]
        return found

    # --- what is never sent --------------------------------------------------------------------------------------

    def _check_keys(self, operation: str, keys: Iterable[str], raw: Mapping[str, Any]) -> None:
        """Only documented fields, and those that the integration has already: Celigo drops others without a word."""
        for key in keys:
            if key in EDIT_RULES.server_owned:
                raise self._refused(operation, "Celigo sets this field itself.", key)
            if not (key in _KNOWN or key in raw or (raw and _group_of(key))):
                raise self._refused(operation, "Celigo has no such field.", key)

    def _check_masks(self, operation: str, body: Any) -> None:
        """Writing the mask back would store it in place of the secret."""
        for place, value in _leaves(body, ""):
            if is_masked(value):
                raise self._refused(operation, "It holds Celigo's mask (asterisks), not the value behind it.", place)


def _is_patched(key: str) -> bool:
    return key in _PATCHED or bool(_group_of(key))


def _group_of(key: str) -> str:
    """The flow group's id of a key like "flowGroupings/<id>/settings", "" for every other key."""
    parts = key.split("/")
    return parts[1] if len(parts) == 3 and parts[0] == _GROUPINGS and parts[2] == "settings" else ""


def _position(document: Mapping[str, Any], group: str) -> int | None:
    """Where in the list the flow group with this id stands."""
    groups = document.get(_GROUPINGS)
    for position, each in enumerate(groups if isinstance(groups, list) else ()):
        if object_of(each).get("_id") == group:
            return position
    return None


def _put(target: dict[str, Any], key: str, group: str, value: Any) -> None:
    name = "settings" if group else key
    if value is MISSING:
        target.pop(name, None)
    else:
        target[name] = copy.deepcopy(value)


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _leaves(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    """Every single value of a document with its dotted place; documents are no deeper than what parsing lets in."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, f"{place}.{key}" if place else str(key))
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            yield from _leaves(inner, f"{place}[{number}]")
    else:
        yield place, value
