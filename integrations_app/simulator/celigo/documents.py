"""The integrations a pretend Celigo account holds, made from the account and the integration's number alone.

Nothing is kept in memory: any of 100,000 integrations is made anew when it is asked for, always the same.
Field names and types: Celigo developer reference and help centre ("Integration API endpoints", "Integration Apps").
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from integrations_app.simulator.names import DATA_DATE, Dice, digest, integration_name, number_in, object_id, stamp

Document = dict[str, Any]

# Read-only counters that Celigo computes for its list; a client must live without them.
COUNTERS = ("numFlows", "numError", "numRegisteredConnections", "numOfflineConnections", "lastErrorAt")

NAME_LENGTH = 100


@dataclass(frozen=True)
class Maker:
    """Makes the integrations of one account; `salt` makes them this account's own."""

    salt: str

    def identifier(self, kind: str, number: int) -> str:
        """The ObjectId of the account's `number`th thing of a kind."""
        return object_id(f"{self.salt}:{kind}", number)

    def number_of(self, identifier: str) -> int | None:
        """The number inside an integration's id, or None when this account never made that id."""
        return number_in(f"{self.salt}:integration", identifier) if len(identifier) == 24 else None

    def integration(self, number: int) -> Document:
        """The whole document of integration `number` (from 0), with the counters of the list."""
        dice = Dice(self.salt, "integration", number)
        document = self._plain(number, dice)
        self._shape(number)(self, number, dice, document)
        return document

    def connection_ids(self, number: int) -> list[str]:
        """The connections that were made for integration `number`, registered with it or not."""
        ids: list[str] = self._plain(number, Dice(self.salt, "integration", number))["_registeredConnectionIds"]
        return ids

    def has_offline_connection(self, number: int) -> bool:
        """Whether the first of those connections is offline."""
        return self._shape(number) is _offline

    def is_half_installed(self, number: int) -> bool:
        """Whether integration `number` waits for somebody to go on installing it."""
        return self._shape(number) is _half_installed

    def _shape(self, number: int) -> Shape:
        return _SHAPES[(number + self._offset) % len(_SHAPES)]

    @property
    def user_id(self) -> str:
        """The person the account's token belongs to: all that tokenInfo says."""
        return self.identifier("user", 0)

    @property
    def _offset(self) -> int:
        """Where this account begins in the cycle of shapes, so that two accounts do not look the same."""
        return digest(self.salt, "shapes")[0]

    def _plain(self, number: int, dice: Dice) -> Document:
        """What a healthy integration of flows looks like."""
        name = integration_name(dice, number)[:NAME_LENGTH]
        changed = dice.moment(20, 400)
        connections = [self.identifier("connection", number * 4 + place) for place in range(dice.number(1, 3))]
        return {
            "_id": self.identifier("integration", number),
            "lastModified": stamp(changed + timedelta(milliseconds=dice.number(0, 999))),
            "name": name,
            "description": f"{name}, looked after by the operations team",
            "readme": "# Read me first\nAsk before switching flows off.",
            "install": [],
            "mode": "settings",
            "version": f"1.{dice.number(0, 8)}.{dice.number(0, 19)}",
            "tag": dice.pick(("core", "pilot", "seasonal")),
            "updateInProgress": False,
            "sandbox": False,
            "_registeredConnectionIds": connections,
            "_registeredLookupCacheIds": [],
            "installSteps": [],
            "uninstallSteps": [],
            "changeEditionSteps": [],
            "flowGroupings": self._groupings(number, dice.number(0, 3)),
            "apiGroupings": [],
            "aliases": [{"alias": f"source{number}", "_connectionId": connections[0]}],
            "settings": {"warehouse": dice.pick(("EAST", "WEST", "NORTH")), "batchSize": dice.pick((20, 50, 200))},
            "createdAt": stamp(changed - timedelta(days=dice.number(1, 500))),
            "numFlows": dice.number(1, 13),
            "numError": 0,
            "numRegisteredConnections": len(connections),
            "numOfflineConnections": 0,
        }

    def _groupings(self, number: int, count: int) -> list[Document]:
        return [
            {
                "_id": self.identifier("grouping", number * 3 + place),
                "name": name,
                "settings": {"batch": 50 * (place + 1)},
            }
            for place, name in enumerate(("Inbound", "Outbound", "Nightly")[:count])
        ]


# --- shapes: each changes a plain integration into one an admin has to look at ------------------------------------


def _healthy(maker: Maker, number: int, dice: Dice, document: Document) -> None:
    """Runs without a word."""


def _with_errors(maker: Maker, number: int, dice: Dice, document: Document) -> None:
    """Open errors in its flows."""
    document["numError"] = dice.pick((1, 3, 7, 42, 1250))
    document["lastErrorAt"] = stamp(DATA_DATE - timedelta(minutes=dice.number(5, 20_000)))


def _offline(maker: Maker, number: int, dice: Dice, document: Document) -> None:
    """A registered connection is offline, and what ran into it failed."""
    _with_errors(maker, number, dice, document)
    document["numOfflineConnections"] = 1


def _app_steps(maker: Maker, number: int, document: Document, done: int) -> list[Document]:
    """The five steps that install an Integration App, the first `done` of them completed."""
    connection = document["_registeredConnectionIds"][0]
    steps: list[Document] = [
        {
            "name": "Store connection",
            "description": "Sign in to the store",
            "type": "connection",
            "_connectionId": connection,
            "sourceConnection": {"type": "http", "name": "Store connection", "http": {"formType": "rest"}},
            "imageURL": "https://static.integrator.example/store.png",
        },
        {
            "name": "Finance connection",
            "description": "Credentials for the ledger",
            "type": "connection",
            "sourceConnection": {"type": "netsuite", "name": "Finance connection"},
        },
        {
            "name": "Install the bundle",
            "description": "Opens the finance system",
            "type": "url",
            "installURL": "https://install.integrator.example/bundle",
            "installerFunction": "verifyBundleInstallation",
            "uninstallerFunction": "removeBundle",
        },
        {
            "name": "Choose warehouse",
            "type": "form",
            "initFormFunction": "buildWarehouseForm",
            "form": {"fieldMap": {"warehouse": {"id": "warehouse", "name": "warehouse", "type": "select"}}},
        },
        {"name": "Copy resources now from template zip", "type": "template_zip", "templateZip": True},
    ]
    for place, step in enumerate(steps):
        step["completed"] = place < done
    return steps


def _app(maker: Maker, number: int, document: Document, done: int, mode: str) -> None:
    document["_connectorId"] = maker.identifier("connector", number % 9)
    document["mode"] = mode
    document["settings"] = {"sections": [{"id": "general", "title": "General", "flows": []}]}
    document["settingsForm"] = {"form": {"fieldMap": {"currency": {"id": "currency", "type": "text"}}}}
    document["installSteps"] = _app_steps(maker, number, document, done)
    document["uninstallSteps"] = [{"name": "Export settings", "type": "form", "completed": False}]
    document["aliases"] = []


def _installed_app(maker: Maker, number: int, dice: Dice, document: Document) -> None:
    """An Integration App, installed, with an edition to change to."""
    _app(maker, number, document, 5, "settings")
    document["changeEditionSteps"] = [{"name": "Confirm the new edition", "type": "hidden", "completed": False}]


def _half_installed(maker: Maker, number: int, dice: Dice, document: Document) -> None:
    """An Integration App whose installation stopped; the counters are not there yet."""
    _app(maker, number, document, dice.number(1, 4), "install")
    for counter in COUNTERS:
        document.pop(counter, None)


def _uninstalling(maker: Maker, number: int, dice: Dice, document: Document) -> None:
    """An Integration App on its way out."""
    _app(maker, number, document, 5, "uninstall")


def _old_app(maker: Maker, number: int, dice: Dice, document: Document) -> None:
    """An older Integration App: its steps stand under `install` and name functions of the app."""
    _app(maker, number, document, 5, "settings")
    document["install"] = [
        {"name": "Store", "completed": True, "installerFunction": "installStore", "imageURL": "/images/store.png"},
        {"name": "Stack", "completed": True, "type": "stack", "_stackId": maker.identifier("stack", 0)},
    ]
    document["installSteps"] = []
    document["uninstallSteps"] = [
        {"name": "Remove store", "completed": False, "uninstallerFunction": "removeStore", "uninstallURL": "/uninstall"}
    ]


def _updating(maker: Maker, number: int, dice: Dice, document: Document) -> None:
    """The app's publisher is updating it: settings cannot be edited."""
    _app(maker, number, document, 5, "settings")
    document["updateInProgress"] = True


def _clone(maker: Maker, number: int, dice: Dice, document: Document) -> None:
    """A copy of an earlier integration, as the web app makes them."""
    document["_sourceId"] = maker.identifier("integration", max(number - 1, 0))
    document["name"] = f"Clone - {document['name']}"[:NAME_LENGTH]
    document["installSteps"] = [
        {
            "name": "Web shop",
            "type": "connection",
            "completed": True,
            "sourceConnection": {"type": "http", "name": "Web shop", "http": {"formType": "rest"}},
        },
        {
            "name": "Copy resources now from template zip",
            "type": "template_zip",
            "completed": True,
            "templateZip": True,
            "isClone": True,
        },
    ]


def _from_template(maker: Maker, number: int, dice: Dice, document: Document) -> None:
    """Made from a marketplace template, in an environment of its own, under a parent."""
    document["_templateId"] = maker.identifier("template", number % 5)
    document["_parentId"] = maker.identifier("integration", max(number - 2, 0))
    document["_environmentId"] = maker.identifier("environment", 0)
    document["_registeredLookupCacheIds"] = [maker.identifier("lookupcache", number)]
    document["apiGroupings"] = [{"_id": maker.identifier("apigrouping", number), "name": "Public APIs"}]


def _sandbox(maker: Maker, number: int, dice: Dice, document: Document) -> None:
    """Lives in the old sandbox."""
    document["sandbox"] = True
    document["name"] = f"[sandbox] {document['name']}"[:NAME_LENGTH]


def _bare(maker: Maker, number: int, dice: Dice, document: Document) -> None:
    """Only what every integration has: made by a script, never opened in the web app."""
    keep = {"_id", "name", "lastModified", "createdAt"}
    for key in set(document) - keep:
        del document[key]
    document["name"] = "Untitled integration"


def _empty(maker: Maker, number: int, dice: Dice, document: Document) -> None:
    """Created, and nothing put inside."""
    document.update(
        numFlows=0, numRegisteredConnections=0, _registeredConnectionIds=[], aliases=[], flowGroupings=[], settings={}
    )
    del document["description"], document["readme"]


Shape = Callable[[Maker, int, Dice, Document], None]
# Mostly healthy, each of the others once: an account of two dozen shows every one of them.
_SHAPES: tuple[Shape, ...] = (
    _healthy,
    _with_errors,
    _healthy,
    _half_installed,
    _healthy,
    _offline,
    _healthy,
    _installed_app,
    _clone,
    _healthy,
    _with_errors,
    _healthy,
    _updating,
    _healthy,
    _from_template,
    _bare,
    _healthy,
    _sandbox,
    _healthy,
    _old_app,
    _healthy,
    _empty,
    _uninstalling,
    _healthy,
)
