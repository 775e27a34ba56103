"""The integrations a pretend Celigo account holds, made from the account's seed and the integration's number alone.

Nothing is kept in memory: any of 100,000 integrations is made anew when it is asked for, always the same, so that a
listing of a large account costs what one page costs. An id carries its number (the counter of a Mongo ObjectId), which
makes getting one by id as cheap as listing it.

Field names and types: Celigo developer reference and help centre ("Integration API endpoints", "Integration Apps").
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

Document = dict[str, Any]

# Read-only counters that Celigo computes for the list; a client must live with their absence on a single answer.
COUNTERS = ("numFlows", "numError", "numRegisteredConnections", "numOfflineConnections", "lastErrorAt")

_APPS = (
    ("Shopify", "http"),
    ("NetSuite", "netsuite"),
    ("Salesforce", "salesforce"),
    ("Amazon Seller", "http"),
    ("HubSpot", "http"),
    ("BigCommerce", "http"),
    ("Zendesk", "http"),
    ("Snowflake", "jdbc"),
    ("Warehouse FTP", "ftp"),
    ("Workday", "http"),
    ("Stripe", "http"),
    ("QuickBooks", "http"),
)
_TOPICS = ("Orders", "Customers", "Inventory", "Refunds", "Invoices", "Fulfilments", "Payouts", "Products", "Tickets", "Leads")
_REGIONS = ("", "EU", "US", "UK", "Returns desk", "Wholesale", "Outlet", "Night run")


@dataclass(frozen=True)
class Maker:
    """Makes the integrations of one account. `born` is when the account's first integration was created (UTC)."""

    seed: str
    born: datetime

    def identifier(self, kind: str, number: int) -> str:
        """A 24 digit ObjectId: creation second, five bytes that belong to account and kind, and the number."""
        moment = int(self._created(number).timestamp())
        owner = hashlib.sha256(f"{self.seed}:{kind}".encode()).hexdigest()[:10]
        return f"{moment:08x}{owner}{number:06x}"

    def number_of(self, identifier: str) -> int | None:
        """The number inside an integration's id, or None when this account never made that id."""
        try:
            number = int(identifier[18:], 16)
        except ValueError:
            return None
        return number if self.identifier("integration", number) == identifier else None

    def integration(self, number: int) -> Document:
        """The whole document of integration `number` (from 0), with the counters of the list."""
        draw = random.Random(f"{self.seed}:integration:{number}")  # noqa: S311 - repeatable invention, not a secret
        document = self._common(number, draw)
        _SHAPES[(number + self._offset) % len(_SHAPES)](self, number, draw, document)
        return document

    @property
    def user_id(self) -> str:
        """The person the account's token belongs to, all that tokenInfo says."""
        return self.identifier("user", 0)

    @property
    def _offset(self) -> int:
        """Where this account begins in the cycle of shapes, so that two accounts do not look the same."""
        return hashlib.sha256(self.seed.encode()).digest()[0]

    def _created(self, number: int) -> datetime:
        return self.born + timedelta(hours=7 * (number % 2500), seconds=number * 61 % 3600)

    def _common(self, number: int, draw: random.Random) -> Document:
        """What a plain, healthy integration of flows looks like."""
        (source, source_type), (target, _) = draw.sample(_APPS, 2)
        topic, where = draw.choice(_TOPICS), draw.choice(_REGIONS)
        created = self._created(number)
        changed = created + timedelta(days=draw.randrange(1, 40), milliseconds=draw.randrange(86_400_000))
        connections = [self.identifier("connection", number * 4 + place) for place in range(draw.randrange(1, 4))]
        return {
            "_id": self.identifier("integration", number),
            "lastModified": _text(changed),
            "name": f"{source} - {target} {topic}{' ' + where if where else ''}"[:100],
            "description": f"{topic} from {source} into {target}",
            "readme": f"# {topic}\nOwned by the operations team. Ask before switching flows off.",
            "install": [],
            "mode": "settings",
            "version": f"1.{draw.randrange(0, 9)}.{draw.randrange(0, 20)}",
            "tag": draw.choice(("core", "pilot", "seasonal")),
            "updateInProgress": False,
            "sandbox": False,
            "_registeredConnectionIds": connections,
            "_registeredLookupCacheIds": [],
            "installSteps": [],
            "uninstallSteps": [],
            "changeEditionSteps": [],
            "flowGroupings": self._groupings(number, draw),
            "apiGroupings": [],
            "aliases": [{"alias": f"{source_type}{number}", "_connectionId": connections[0]}],
            "settings": {"warehouse": draw.choice(("EAST", "WEST", "NORTH")), "batchSize": draw.choice((20, 50, 200))},
            "createdAt": _text(created),
            "numFlows": draw.randrange(1, 14),
            "numError": 0,
            "numRegisteredConnections": len(connections),
            "numOfflineConnections": 0,
        }

    def _groupings(self, number: int, draw: random.Random) -> list[Document]:
        names = ("Inbound", "Outbound", "Nightly")[: draw.randrange(0, 4)]
        return [
            {"_id": self.identifier("grouping", number * 3 + place), "name": name, "settings": {"batch": 50 * (place + 1)}}
            for place, name in enumerate(names)
        ]


def _text(moment: datetime) -> str:
    """Celigo's spelling of a time: UTC with milliseconds and a Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


# --- shapes: each changes a plain integration into one an admin has to look at ------------------------------------


def _healthy(maker: Maker, number: int, draw: random.Random, document: Document) -> None:
    """Runs without a word."""


def _with_errors(maker: Maker, number: int, draw: random.Random, document: Document) -> None:
    """Open errors in its flows."""
    changed = datetime.fromisoformat(document["lastModified"])
    document["numError"] = draw.choice((1, 3, 7, 42, 1250))
    document["lastErrorAt"] = _text(changed + timedelta(hours=draw.randrange(1, 400)))


def _offline(maker: Maker, number: int, draw: random.Random, document: Document) -> None:
    """A registered connection is offline, and what ran into it failed."""
    _with_errors(maker, number, draw, document)
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
    document["name"] = f"{document['name'].split(' - ')[0]} connector app"
    document["settings"] = {"sections": [{"id": "general", "title": "General", "flows": []}]}
    document["settingsForm"] = {"form": {"fieldMap": {"currency": {"id": "currency", "type": "text"}}}}
    document["installSteps"] = _app_steps(maker, number, document, done)
    document["uninstallSteps"] = [{"name": "Export settings", "type": "form", "completed": False}]
    document["aliases"] = []


def _installed_app(maker: Maker, number: int, draw: random.Random, document: Document) -> None:
    """An Integration App, installed, with an edition to change to."""
    _app(maker, number, document, 5, "settings")
    document["changeEditionSteps"] = [{"name": "Confirm the new edition", "type": "hidden", "completed": False}]


def _half_installed(maker: Maker, number: int, draw: random.Random, document: Document) -> None:
    """An Integration App whose installation stopped; the counters are not there yet."""
    _app(maker, number, document, draw.randrange(1, 5), "install")
    for counter in COUNTERS:
        document.pop(counter, None)


def _uninstalling(maker: Maker, number: int, draw: random.Random, document: Document) -> None:
    """An Integration App on its way out."""
    _app(maker, number, document, 5, "uninstall")


def _old_app(maker: Maker, number: int, draw: random.Random, document: Document) -> None:
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


def _updating(maker: Maker, number: int, draw: random.Random, document: Document) -> None:
    """The app's publisher is updating it: settings cannot be edited."""
    _app(maker, number, document, 5, "settings")
    document["updateInProgress"] = True


def _clone(maker: Maker, number: int, draw: random.Random, document: Document) -> None:
    """A copy of an earlier integration, as the web app makes them."""
    document["_sourceId"] = maker.identifier("integration", max(number - 1, 0))
    document["name"] = f"Clone - {document['name']}"[:100]
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


def _from_template(maker: Maker, number: int, draw: random.Random, document: Document) -> None:
    """Made from a marketplace template, in an environment of its own, under a parent."""
    document["_templateId"] = maker.identifier("template", number % 5)
    document["_parentId"] = maker.identifier("integration", max(number - 2, 0))
    document["_environmentId"] = maker.identifier("environment", 0)
    document["_registeredLookupCacheIds"] = [maker.identifier("lookupcache", number)]
    document["apiGroupings"] = [{"_id": maker.identifier("apigrouping", number), "name": "Public APIs"}]


def _sandbox(maker: Maker, number: int, draw: random.Random, document: Document) -> None:
    """Lives in the old sandbox."""
    document["sandbox"] = True
    document["name"] = f"[sandbox] {document['name']}"[:100]


def _bare(maker: Maker, number: int, draw: random.Random, document: Document) -> None:
    """Only what every integration has: made by a script, never opened in the web app."""
    keep = {"_id", "name", "lastModified", "createdAt"}
    for key in set(document) - keep:
        del document[key]
    document["name"] = "Untitled integration"


def _empty(maker: Maker, number: int, draw: random.Random, document: Document) -> None:
    """Created, and nothing put inside."""
    document.update(
        numFlows=0, numRegisteredConnections=0, _registeredConnectionIds=[], aliases=[], flowGroupings=[], settings={}
    )
    del document["description"], document["readme"]


Shape = Callable[[Maker, int, random.Random, Document], None]
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
