"""Copies Celigo makes of an integration: clones and revisions.

Source: Celigo help, "Integration API endpoints"; a clone's bodies and answers as Celigo's web app has them.
"""

from __future__ import annotations

from typing import Any, ClassVar

from integrations_app.vendors.capabilities import ClonePart, CloneRequest, RemoteItem
from integrations_app.vendors.celigo import items
from integrations_app.vendors.celigo.calls import LONG_SECONDS, Calls
from integrations_app.vendors.celigo.reading import ID_LENGTH
from integrations_app.vendors.errors import VendorResponseError
from integrations_app.vendors.parsing import document as object_of
from integrations_app.vendors.parsing import documents, identifier, text

_PARTS_SHOWN = 5000


class Copies(Calls):
    """SupportsClone, SupportsRevisions."""

    clone_notes: ClassVar[tuple[str, ...]] = (
        "Connections are not copied: each one used is mapped to a connection of the target account.",
        "Secrets do not travel: the mapped connections keep their own.",
        "Cloning cancels the jobs that are running on the source's connections.",
        "A clone made over the API stands alone: Celigo refuses revisions of it, and a pull finds nothing to pull.",
        "An integration that uses Tools cannot be cloned.",
    )

    def preview_clone(self, remote_id: str) -> tuple[ClonePart, ...]:
        """What a clone would make, in Celigo's order.

        Source: Celigo's web app, GET /integrations/<_id>/clone/preview, `{objects: [{model, doc}]}`.
        """
        operation = "preview a clone"
        answer = self._http.get(operation, ("integrations", remote_id, "clone", "preview"))
        objects = object_of(answer.document).get("objects")
        if not isinstance(objects, list):
            raise self._http.bad_answer(operation, "The answer names no objects.", answer)
        return tuple(_part(each) for each in documents(objects)[:_PARTS_SHOWN])

    def clone_integration(self, remote_id: str, wanted: CloneRequest) -> str:
        """Clone an integration; returns the clone's id, "" where the answer, though good, does not name it.

        The answer may be the new integration or a list of all that was made. Takes up to five minutes.
        Source: Celigo help (201); both answers by the vendor's schema of a flow's clone. Assumed: the same for an
        integration, and `_environmentId` as the name of the target environment.
        """
        operation = "clone an integration"
        body: dict[str, Any] = {"name": wanted.name, "connectionMap": dict(wanted.connections)}
        if wanted.environment:
            body["_environmentId"] = wanted.environment
        if wanted.is_sandbox is not None:
            body["sandbox"] = wanted.is_sandbox
        segments = ("integrations", remote_id, "clone")
        answer = self._http.write(operation, "POST", segments, document=body, expect=(200, 201), seconds=LONG_SECONDS)
        clone_id = _clone_id(answer.document)
        return "" if clone_id == remote_id else clone_id

    def create_revision(self, remote_id: str, *, note: str, only_if_changed: bool | None = None) -> RemoteItem | None:
        """Have Celigo keep a snapshot; None when it says (204) that nothing changed since the last revision.

        Source: Celigo help, POST /integrations/<_id>/revisions/create, `ignoreIfNoChanges`: without it or with false
        always 201. The note is the body's `description`, as Celigo's web app sends it.
        """
        operation = "create a revision"
        asked = {} if only_if_changed is None else {"ignoreIfNoChanges": "true" if only_if_changed else "false"}
        answer = self._http.write(
            operation,
            "POST",
            ("integrations", remote_id, "revisions", "create"),
            document={"description": note} if note else {},
            params=asked,
            expect=(200, 201, 204),
            seconds=LONG_SECONDS,
        )
        if answer.status == 204:
            return None
        try:
            return items.revision(object_of(answer.document))
        except VendorResponseError:
            raise self._http.unknown_outcome(operation, "The answer is not a revision.", answer) from None


def _part(each: Any) -> ClonePart:
    found = object_of(each.get("doc"))
    return ClonePart(text(each.get("model"), 60), text(found.get("name"), 300), found)


def _clone_id(body: Any) -> str:
    """The id of the integration in either answer to a clone."""
    if isinstance(body, dict):
        return identifier(body.get("_id"), ID_LENGTH)
    for made in documents(body):
        if text(made.get("model"), 60).lower() == "integration":
            return identifier(made.get("_id"), ID_LENGTH)
    return ""
