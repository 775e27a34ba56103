"""Who may see an integration, and the audit entries of what happened to it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from integrations_app.simulator.celigo.call import Call
from integrations_app.simulator.celigo.documents import COUNTERS, Document
from integrations_app.simulator.names import DATA_DATE, PEOPLE, Dice, stamp

ENTRIES_KEPT = 200  # of those made by requests, for each integration
_UNTOLD = frozenset({"lastModified", *COUNTERS})


# --- people -------------------------------------------------------------------------------------------------------


def _person(call: Call, number: int) -> Document:
    """Somebody of the account; 0 is the owner, whose token it is."""
    handle = PEOPLE[number % len(PEOPLE)]
    name = " ".join(part.capitalize() for part in handle.split("."))
    identifier = call.shelf.maker.identifier("user", number)
    return {"_id": identifier, "name": name, "email": f"{handle}@{call.account.customer}.example"}


def shares(call: Call, number: int) -> list[Document]:
    """Three people with access to the account, and up to three with access to this integration only."""
    dice = Dice(call.shelf.maker.salt, "shares", number)
    identifier = call.shelf.maker.identifier("integration", number)
    account = [_share(call, place) | {"accessLevel": level}
               for place, level in enumerate(("administrator", "manage", "monitor"), 1)]  # fmt: skip
    own = []
    for place in range(dice.number(0, 3)):
        share = _share(call, 10 + number * 3 + place)
        share["integrationAccessLevel"] = [
            {"_integrationId": identifier, "accessLevel": ("manage", "monitor")[place % 2]}
        ]
        # Old accounts say "tile" where others leave the level out.
        own.append(share | ({"accessLevel": "tile"} if place == 2 else {}))
    return [*account, *own]


def _share(call: Call, number: int) -> Document:
    """A grant; its id is not the person's."""
    dice = Dice(call.shelf.maker.salt, "share", number)
    given, seen = dice.moment(60, 400), stamp(dice.moment(0, 50))
    person = _person(call, number)
    return {
        "_id": call.shelf.maker.identifier("ashare", number),
        "createdAt": stamp(given),
        "lastModified": stamp(given + timedelta(days=1)),
        "accepted": True,
        "disabled": False,
        "accountMFARequired": False,
        "accountSSORequired": False,
        "lastSignIn": seen,
        "createdVia": "existing_account_invite",
        "sharedWithUser": {**person, "lastSignIn": seen, "allowedToResetMFA": True, "accountSSOLinked": "not_linked"},
    }


# --- audit --------------------------------------------------------------------------------------------------------


def note(call: Call, integration_id: str, event: str, before: Document, after: Document, **about: str) -> None:
    """Keep an audit entry of what was just done; the changed fields are told at the top level."""
    number = call.shelf.items.number_of(integration_id)
    if number is None:  # a flow that was left behind has no integration to be told of
        return
    changes = [
        {"fieldPath": name} | _side("oldValue", before, name) | _side("newValue", after, name)
        for name in sorted({*before, *after} - _UNTOLD)
        if event == "update" and before.get(name) != after.get(name)
    ]
    entry = {
        "_id": call.shelf.new_id("audit"),
        "time": call.shelf.now(),
        "source": "api",
        "event": event,
        "resourceType": about.get("kind", "integration"),
        "_resourceId": about.get("identifier", integration_id),
        "byUser": _person(call, 0),
        "fieldChanges": changes,
    }
    kept = call.shelf.kept("audit", {})
    kept[str(number)] = [*kept.get(str(number), [])[1 - ENTRIES_KEPT :], entry]


def _side(name: str, document: Document, field: str) -> Document:
    return {name: document[field]} if field in document else {}


def entries(call: Call, number: int) -> list[Document]:
    """What happened to an integration, newest first."""
    kept: list[Document] = call.shelf.kept("audit", {}).get(str(number), [])
    return [*reversed(kept), *_generated(call, number)]


def _generated(call: Call, number: int) -> list[Document]:
    if number in call.shelf.kept("blank", []):
        return []
    document = call.shelf.maker.integration(number)
    dice = Dice(call.shelf.maker.salt, "audit", number)
    created = datetime.fromisoformat(document["createdAt"])
    span = max(1, int((DATA_DATE - created).total_seconds()))
    times = sorted((created + timedelta(seconds=dice.number(1, span)) for _ in range(dice.number(1, 6))), reverse=True)
    changes: list[list[dict[str, Any]]] = [
        [{"fieldPath": "settings.warehouse", "oldValue": "WEST", "newValue": "EAST"}],
        [{"fieldPath": "name", "oldValue": f"{document['name']} (draft)", "newValue": document["name"]}],
        [{"fieldPath": "tag", "oldValue": "pilot", "newValue": "core"}, {"fieldPath": "version", "newValue": "1.1.0"}],
    ]
    told = [(moment, "update", dice.pick(changes)) for moment in times] + [(created, "create", [])]
    return [
        {
            "_id": call.shelf.maker.identifier("audit", number * 8 + place),
            "time": stamp(moment),
            "source": dice.pick(("ui", "ui", "api")),
            "event": event,
            "resourceType": "integration",
            "_resourceId": document["_id"],
            "byUser": _person(call, dice.number(0, 3)),
            "fieldChanges": fields,
        }
        for place, (moment, event, fields) in enumerate(told)
    ]
