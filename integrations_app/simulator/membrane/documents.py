"""The integrations of a pretend Membrane workspace, made from its salt and their numbers alone.

Id, key and uuid of an integration all carry its number: any of 100,000 is found as quickly as it is made, and nothing
is kept in memory.

Field names, states and error shapes: Membrane API reference ("List all integrations", "Errors", "Connections").
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from integrations_app.simulator.names import AWKWARD_NAMES, Dice, digest, number_in, object_id, stamp, uuid

Document = dict[str, Any]

# Name and auth type of the apps the workspace may hold integrations of.
APPS: tuple[tuple[str, str], ...] = (
    ("Brightdesk", "oauth2"),
    ("Quillbooks", "oauth2"),
    ("Tundra CRM", "client-credentials"),
    ("Oldpost Mail", "proxy"),
    ("Meadow Chat", "membrane-token"),
    ("Copperpay", "oauth1"),
    ("Fernmail", "oauth2"),
    ("HubSpot", "oauth2"),
    ("Salesforce", "oauth2"),
    ("Slack", "oauth2"),
    ("Zendesk", "client-credentials"),
    ("Jira", "oauth2"),
    ("Notion", "oauth2"),
    ("Airtable", "oauth2"),
    ("Stripe", "client-credentials"),
    ("Xero", "oauth2"),
    ("Pipedrive", "oauth2"),
    ("Intercom", "oauth2"),
    ("Asana", "oauth2"),
    ("Mailchimp", "oauth2"),
    ("Google Calendar", "oauth2"),
    ("Microsoft Teams", "oauth2"),
    ("Harbour ERP", "integration-app-token"),
    ("Greenhouse", "client-credentials"),
)
# The integration that is the vendor's published sample, every field present, with its placeholders filled in.
PUBLISHED_NUMBER = 4


@dataclass(frozen=True)
class Workspace:
    """Makes the integrations of one workspace; `salt` makes them its own."""

    salt: str

    def identifier(self, kind: str, number: int) -> str:
        """The opaque id of the workspace's `number`th thing of a kind."""
        return object_id(f"{self.salt}:{kind}", number)

    def name(self, number: int) -> str:
        """The display name: the app's, numbered from the second on; now and then one that breaks layouts."""
        if number % 29 == 11:
            return AWKWARD_NAMES[number // 29 % len(AWKWARD_NAMES)]
        return self._numbered_app(number)

    def key(self, number: int) -> str:
        """The human key, made from the app's name at creation and kept from then on."""
        return slug(self._numbered_app(number))

    def app_of(self, number: int) -> int:
        """Which of APPS integration `number` is about."""
        return self._app_at(number % len(APPS))

    def connector_id(self, app: int) -> str:
        """The id of the connector to one of APPS."""
        return self.identifier("connector", app)

    def app_uuid(self, app: int) -> str:
        """The uuid of the external app behind one of APPS."""
        return uuid(f"{self.salt}:app", app)

    def shape(self, number: int) -> Shape:
        """What is particular about integration `number`."""
        if number == PUBLISHED_NUMBER:
            return _published
        return SHAPES[(number + self._offset) % len(SHAPES)]

    def number_of(self, identifier: str) -> int | None:
        """The number inside an integration's id, None when it is none of this workspace's."""
        return number_in(f"{self.salt}:integration", identifier) if len(identifier) == 24 else None

    def numbers_of(self, selector: str) -> list[int]:
        """The numbers a uuid or key may stand for, best first; empty when it is none of this workspace's."""
        made = number_in(f"{self.salt}:integration", selector) if len(selector) == 36 else None
        found = [] if made is None else [made]
        found.extend(number for number in self._numbers_of_key(selector) if self.key(number) == selector)
        return found

    def integration(self, number: int) -> Document:
        """The workspace's part of integration `number`: everything but the tenant's connection."""
        document = self._plain(number, Dice(self.salt, "integration", number))
        self.shape(number)(self, number, document)
        return document

    @property
    def _offset(self) -> int:
        return digest(self.salt, "shapes")[0]

    def _numbered_app(self, number: int) -> str:
        round_, place = divmod(number, len(APPS))
        name = APPS[self._app_at(place)][0]
        return f"{name} {round_ + 1}" if round_ else name

    def _app_at(self, place: int) -> int:
        return (place + self._offset) % len(APPS)

    def _numbers_of_key(self, key: str) -> list[int]:
        """A key is an app's slug, with the round behind it from the second on."""
        head, _, tail = key.rpartition("-")
        candidates = [(key, 1)]
        if tail.isascii() and tail.isdigit() and len(tail) < 8:
            candidates.append((head, int(tail)))
        places = {slug(APPS[self._app_at(place)][0]): place for place in range(len(APPS))}
        return [(round_ - 1) * len(APPS) + places[app] for app, round_ in candidates if app in places and round_ > 0]

    def _plain(self, number: int, dice: Dice) -> Document:
        app = self.app_of(number)
        name, auth_type = APPS[app]
        changed = dice.moment(20, 400)
        operations, collections, events = dice.number(1, 29), dice.number(1, 8), dice.number(0, 4)
        host = slug(name)
        return {
            "id": self.identifier("integration", number),
            "uuid": uuid(f"{self.salt}:integration", number),
            "key": self.key(number),
            "name": self.name(number),
            "description": f"{name} for the customers of this workspace",
            "meta": {"tier": dice.pick(("core", "extra")), "owner": dice.pick(("growth", "platform", "support"))},
            "state": "READY",
            "errors": [],
            "revision": digest(self.salt, number, "revision").hex()[:12],
            "createdAt": stamp(changed - timedelta(days=dice.number(1, 500))),
            "updatedAt": stamp(changed),
            "isDeactivated": False,
            "isReadOnly": False,
            "logoUri": f"https://static.membrane.example/logos/{host}.png",
            "connectorId": self.connector_id(app),
            "connectorVersion": f"1.{dice.number(0, 11)}.{dice.number(0, 5)}",
            "oAuthCallbackUri": "https://api.membrane.example/oauth-callback" if auth_type.startswith("oauth") else "",
            "parameters": {
                "clientId": f"{host}-client-{dice.number(100, 999)}",
                "clientSecret": f"fake-{digest(self.salt, number, 'secret').hex()[:20]}",
                "scopes": ["records.read", "records.write"],
            },
            "hasMissingParameters": False,
            "hasDocumentation": dice.chance(80),
            "hasOperations": True,
            "operationsCount": operations,
            "hasData": True,
            "dataCollectionsCount": collections,
            "hasEvents": events > 0,
            "eventsCount": events,
            "hasGlobalWebhooks": dice.chance(30),
            "hasUdm": dice.chance(50),
            "isTest": False,
            "externalAppId": self.identifier("app", app),
            "authType": auth_type,
            "optionsConfig": {
                "default": {"disabled": False, "parameters": {"region": dice.pick(("eu", "us"))}},
                "api-key": {"disabled": True},
            },
            "spec": {"auth": {"type": auth_type}},
            "appUri": f"https://{host}.example",
        }


def slug(name: str) -> str:
    """The key Membrane makes of a name when none is given (Assumed: lower case with dashes)."""
    return "-".join("".join(letter if letter.isalnum() else " " for letter in name.lower()).split())


# --- shapes of integrations ---------------------------------------------------------------------------------------


def _ready(workspace: Workspace, number: int, document: Document) -> None:
    """Set up and in use."""


def _missing_parameters(workspace: Workspace, number: int, document: Document) -> None:
    """Required connector parameters were never set."""
    document["parameters"] = {}
    document["hasMissingParameters"] = True
    document["state"] = "CONFIGURATION_ERROR"
    document["errors"] = [
        {
            "type": "configuration",
            "key": "missing_parameters",
            "message": "Required connector parameters are not set",
            "data": {"missing": ["clientId", "clientSecret"]},
        }
    ]


def _missing_but_ready(workspace: Workspace, number: int, document: Document) -> None:
    """A parameter is missing and the state says nothing of it: the two are separate."""
    document["parameters"] = {"clientId": document["parameters"]["clientId"]}
    document["hasMissingParameters"] = True


def _setup_failed(workspace: Workspace, number: int, document: Document) -> None:
    """Setting it up failed, for a reason with a reason."""
    document["state"] = "SETUP_FAILED"
    document["hasOperations"], document["operationsCount"] = False, 0
    document["errors"] = [
        {
            "type": "configuration",
            "message": "Connector method could not be loaded",
            "data": {"method": "makeApiClient"},
            "causedByError": {
                "type": "custom_code",
                "message": "Unexpected token in connector code",
                "data": {"lineNumber": 14, "columnNumber": 7},
                "stack": "SyntaxError: Unexpected token\n    at makeApiClient (connector.js:14:7)",
                "logs": [{"type": "message", "data": {"level": "error", "text": "parse failure"}}],
            },
        },
        {
            "type": "dependency_error",
            "message": "A referenced data collection does not exist",
            "data": {"collectionKey": "deals"},
        },
    ]


def _building(workspace: Workspace, number: int, document: Document) -> None:
    """An agent is still building it."""
    document["state"] = "BUILDING"
    for count, has in (
        ("operationsCount", "hasOperations"),
        ("dataCollectionsCount", "hasData"),
        ("eventsCount", "hasEvents"),
    ):
        document[count], document[has] = 0, False


def _archived(workspace: Workspace, number: int, document: Document) -> None:
    """Archived: only listed with includeArchived, still there by id; an archived one is deactivated as well."""
    document["isDeactivated"] = True
    document["archivedAt"] = document["updatedAt"]


def _deactivated(workspace: Workspace, number: int, document: Document) -> None:
    """Switched off; its setup is skipped."""
    document["isDeactivated"] = True


def _read_only(workspace: Workspace, number: int, document: Document) -> None:
    """Comes from a published package, as a test element: cannot be changed here."""
    document["isReadOnly"] = True
    document["isTest"] = True


def _waiting(workspace: Workspace, number: int, document: Document) -> None:
    """Somebody has to do something outside before the setup goes on."""
    document["state"] = "CLIENT_ACTION_REQUIRED"


def _disconnecting(workspace: Workspace, number: int, document: Document) -> None:
    """Being taken apart."""
    document["state"] = "DISCONNECTING"


def _sparse(workspace: Workspace, number: int, document: Document) -> None:
    """Only what the single answer promises: optional fields are absent, the state among them."""
    keep = {"id", "name", "logoUri", "key", "uuid", "connectorId", "externalAppId", "connectorVersion", "createdAt"}
    for field in set(document) - keep:
        del document[field]


def placeholder_error(about: str) -> Document:
    """An error with every field, as the reference page shows it."""
    return {
        "message": f"Sample error of {about}",
        "type": "bad_request",
        "key": "sample",
        "data": {},
        "stack": {},
        "causedByError": {"message": "What was behind it"},
        "logs": [{}],
    }


def _published(workspace: Workspace, number: int, document: Document) -> None:
    """The sample of the reference page: all 36 fields at once, the enumerations at their first value."""
    document.update(
        meta={},
        state="BUILDING",
        errors=[placeholder_error("an integration")],
        archivedAt=document["updatedAt"],
        isDeactivated=True,
        isReadOnly=True,
        parameters={},
        hasMissingParameters=True,
        oAuthCallbackUri="https://api.membrane.example/oauth-callback",
        isTest=True,
        authType="integration-app-token",
        optionsConfig={},
        spec={},
    )
    for name in document:
        if name.startswith("has"):
            document[name] = True
        elif name.endswith("Count"):
            document[name] = 123


Shape = Callable[[Workspace, int, Document], None]
SHAPES: tuple[Shape, ...] = (
    _ready,
    _ready,
    _missing_parameters,
    _ready,
    _ready,
    _setup_failed,
    _ready,
    _ready,
    _archived,
    _ready,
    _deactivated,
    _ready,
    _missing_but_ready,
    _ready,
    _building,
    _ready,
    _read_only,
    _ready,
    _waiting,
    _ready,
    _sparse,
    _ready,
    _ready,
    _disconnecting,
    _ready,
)
