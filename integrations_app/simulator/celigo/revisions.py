"""The copies of an integration that Celigo keeps.

Source: Celigo help centre, "Integration API endpoints", revisions/create with and without `ignoreIfNoChanges`; the
fields as the vendor's web app reads them. Assumed: the shape of a diff, and how "in progress" is spelt.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from integrations_app.simulator.celigo import history, paging
from integrations_app.simulator.celigo.call import Call, nothing
from integrations_app.simulator.celigo.clones import BELOW
from integrations_app.simulator.celigo.documents import COUNTERS, Document
from integrations_app.simulator.celigo.errors import failed
from integrations_app.simulator.names import Dice, digest, stamp
from integrations_app.simulator.wire import Response, digest_of

# These change without anybody having changed the integration.
_NOT_CONTENT = frozenset({"lastModified", "lastExecutedAt", "resolvedAt", *COUNTERS})


def create(call: Call, identifier: str) -> Response:
    """Keep a copy; 204 when that should be left out and nothing has changed since the last."""
    only_if_changed = call.flag("ignoreIfNoChanges")
    document, number = call.integration(identifier), call.number(identifier)
    description = call.object_body().get("description", "")
    if not isinstance(description, str):
        raise failed(422, "invalid_field", "description must be text", "description")
    if number in call.shelf.kept("standalone", []) and call.switch("standalone_clones_refuse_revisions"):
        raise failed(422, "invalid_field", "A standalone clone keeps no revisions.")
    kept: list[Document] = call.shelf.kept("revisions", {}).setdefault(str(number), [])
    if call.switch("one_revision_at_a_time") and any(_is_running(call, each) for each in kept):
        raise failed(422, "invalid_field", "Another revision of this integration is in progress.")
    content = _content_hash(call, document, number)
    if only_if_changed and kept and kept[-1]["document"]["beforeRevisionHash"] == content:
        return nothing()
    made = _kept(call, number, identifier, description, content)
    call.applied("revision", identifier, made["document"]["_id"])
    return Response.of_json(_shown(call, made), 201)


def _kept(call: Call, number: int, identifier: str, description: str, content: str) -> Document:
    moment = call.shelf.now()
    document: Document = {
        "_id": call.shelf.new_id("revision"),
        "type": "snapshot",
        "description": description,
        "_integrationId": identifier,
        "_createdByUserId": call.shelf.maker.user_id,
        "createdAt": moment,
        "lastModified": moment,
        "beforeRevisionHash": content,
        "installSteps": [],
    }
    made = {"document": document, "until": call.world.timestamp() + call.switch("revision_seconds")}
    call.shelf.kept("revisions", {})[str(number)].append(made)
    history.note(call, identifier, "create", {}, {}, kind="revision", identifier=document["_id"])
    return made


def _content_hash(call: Call, document: Document, number: int) -> str:
    parts = [document, *(each for kind in BELOW for each in call.shelf.all_of(kind, number))]
    content = [{name: value for name, value in part.items() if name not in _NOT_CONTENT} for part in parts]
    return digest_of(content)[:32]


def _is_running(call: Call, kept: Document) -> bool:
    until: float = kept["until"]
    return call.world.timestamp() < until


def _shown(call: Call, kept: Document) -> Document:
    status = call.switch("in_progress_spelling") if _is_running(call, kept) else "completed"
    return {**kept["document"], "status": status}


def _every(call: Call, identifier: str) -> list[Document]:
    """All revisions of an integration, newest first."""
    number = call.number(identifier)
    kept = [_shown(call, each) for each in call.shelf.kept("revisions", {}).get(str(number), [])]
    return [*reversed(kept), *_generated(call, number, identifier)]


def _generated(call: Call, number: int, identifier: str) -> list[Document]:
    """Up to two snapshots from before, and for every third integration a pull from another one."""
    if number in call.shelf.kept("blank", []):
        return []
    maker = call.shelf.maker
    dice = Dice(maker.salt, "revisions", number)
    newest = dice.moment(20, 60)
    found: list[Document] = []
    for place in range(dice.number(0, 2) + (number % 3 == 0)):
        moment = stamp(newest - timedelta(days=9 * place))
        is_pull = place == 0 and number % 3 == 0
        revision: Document = {
            "_id": maker.identifier("revision", number * 4 + place),
            "type": "pull" if is_pull else "snapshot",
            "status": "completed",
            "description": "promote spring changes" if is_pull else dice.pick(("before holiday freeze", "weekly copy")),
            "_integrationId": identifier,
            "_createdByUserId": maker.user_id,
            "createdAt": moment,
            "lastModified": moment,
            "beforeRevisionHash": digest(maker.salt, "revision", number, place).hex()[:32],
            "installSteps": [],
        }
        if is_pull:
            source = maker.integration(number + 1)
            revision |= {"_fromIntegrationId": source["_id"], "fromIntegrationName": source["name"],
                         "fromIntegrationIsSandbox": bool(source.get("sandbox"))}  # fmt: skip
        found.append(revision)
    return found


def listed(call: Call, identifier: str) -> Response:
    """All of them, newest first."""
    return paging.documents(call, _every(call, identifier))


def get(call: Call, identifier: str, revision_id: str) -> Response:
    """One of them."""
    return Response.of_json(_one(call, identifier, revision_id))


def _one(call: Call, identifier: str, revision_id: str) -> Document:
    found = next((each for each in _every(call, identifier) if each["_id"] == revision_id), None)
    if found is None:
        raise call.not_found("Revision")
    return found


def diff(call: Call, identifier: str, revision_id: str) -> Response:
    """What a pull changed; a snapshot has no such thing."""
    revision = _one(call, identifier, revision_id)
    if revision["type"] == "snapshot":
        raise call.not_found("Diff")
    names = ("before", "after") if call.switch("revision_diff") == "before_after" else ("current", "merged")
    flow_id = call.shelf.made.flow_id(call.number(identifier), 0)
    sides: list[Any] = [{"flow": {flow_id: {"name": name}}} for name in ("Orders", "Orders (spring)")]
    return Response.of_json({"numConflicts": 0, **dict(zip(names, sides, strict=True))})


def errors(call: Call, identifier: str, revision_id: str) -> Response:
    """What went wrong with it: nothing, here."""
    _one(call, identifier, revision_id)
    return Response.of_json([])
