"""A pretend Alloy Embedded: list and get of integrations, in both generations, from one data set.

Legacy (`/alloy/2024-03/...`, version in the path) answers with `blocks`; current (`/alloy/...` and `x-api-version`)
with `connectors`. As at the vendor, one API key has one catalogue of integrations and each end user their own install
state; here an end user sees the first N of it.
"""

from __future__ import annotations

from typing import Any, ClassVar

from integrations_app.simulator import names
from integrations_app.simulator.accounts import end_user_name
from integrations_app.simulator.items import Items
from integrations_app.simulator.wire import Account, Request, Response, Switch
from integrations_app.simulator.world import World

LEGACY_VERSIONS = ("2023-01", "2023-06", "2023-12", "2024-03")
CURRENT_VERSIONS = ("2025-09",)
ICONS = "https://cdn.runalloy.com/icons"
TRIGGERS = (
    ("customEvent", "Custom Event"),
    ("cron", "Schedule Workflow"),
    ("onInstallationTrigger", "On Installation Trigger"),
)
VERBS = ("Gets a list of all", "Create", "Update", "Search", "Delete", "Listen for new")

# What is wrong with the items of these numbers, whoever looks; the others fall as the dice do.
SCRIPTED = {4: "behind", 5: "partly off", 6: "not installed", 7: "active unknown", 8: "no workflows", 9: "all off"}
FATES = ("fine",) * 14 + ("behind", "behind", "partly off", "not installed", "not installed", "all off")

# The payloads the vendor publishes, in the current generation's form.
PUBLISHED: tuple[dict[str, Any], ...] = (
    {
        "integrationId": "63ea758e82c3074141968bb9",
        "app": "Magento",
        "installed": False,
        "icon": f"{ICONS}/magento.png",
        "workflows": [
            {
                "workflowId": "63ea75a2fcf2e2c72e805ddc",
                "name": "Magento Order Sync",
                "installed": True,
                "version": 1,
                "installedVersion": 1,
                "active": True,
                "connectors": [
                    {
                        "name": "Custom Event",
                        "id": "bc9202b2-8e7e-47d4-9416-5ba6b319fa2a",
                        "connector": "customEvent",
                        "icon": f"{ICONS}/app-event.svg",
                        "subtitle": "Custom Event",
                    },
                    {
                        "name": "Magento",
                        "id": "3363c9da-1f96-403a-bdfd-856fa5e76dad",
                        "connector": "magento",
                        "icon": f"{ICONS}/magento.png",
                        "subtitle": "Magento",
                    },
                ],
            }
        ],
        "credentials": ["magento"],
        "description": "Orders of the Magento shop, as they come",
        "primaryConnector": "Magento",
    },
    {
        "integrationId": "63ea7595ddf9f00a17f9d2cc",
        "app": "Xero",
        "installed": False,
        "icon": f"{ICONS}/xero.png",
        "workflows": [
            {
                "workflowId": "63ea759e28fa3c9ff514c2ca",
                "name": "Sync Xero Transactions every hour",
                "installed": False,
                "active": False,
                "version": 1,
                "connectors": [
                    {
                        "name": "Schedule Workflow",
                        "id": "2c5d9d2a-d38e-44d2-8d0b-8f006c588937",
                        "connector": "cron",
                        "icon": f"{ICONS}/cron.png",
                        "subtitle": "Every hour",
                    },
                    {
                        "name": "Xero",
                        "id": "0f2bf1ef-109b-4a0d-ace3-24bf329efcdf",
                        "connector": "xero",
                        "icon": f"{ICONS}/xero.png",
                        "subtitle": "Get a list of Transactions",
                    },
                ],
            }
        ],
        "credentials": ["xero"],
        "description": "",
        "primaryConnector": "Xero",
    },
    {
        "integrationId": "66326843cc9cdb107221f222",
        "app": "Shopify",
        "installed": False,
        "icon": f"{ICONS}/shopify.png",
        "workflows": [
            {
                "workflowId": "66326849cc9cdb107221f342",
                "name": "Untitled Workflow #346",
                "installed": False,
                "active": False,
                "version": 1,
                "connectors": [
                    {
                        "name": "On Installation Trigger",
                        "id": "4762a899-8f38-44d9-a091-f4b6eaba386e",
                        "connector": "onInstallationTrigger",
                        "icon": f"{ICONS}/OnIntegrationInstallation.svg",
                        "subtitle": "On Installation Trigger",
                    },
                    {
                        "name": "Shopify",
                        "id": "0679a48c-e0f9-455a-91f2-48a739bac9d7",
                        "connector": "shopify",
                        "icon": f"{ICONS}/shopify.png",
                        "subtitle": "Gets a list of all Products",
                    },
                    {
                        "name": "Shopify",
                        "id": "24ed5879-4aa9-4a2c-b8dc-afe6413c1ca7",
                        "connector": "shopify",
                        "icon": f"{ICONS}/shopify.png",
                        "subtitle": "Shopify",
                    },
                ],
            }
        ],
        "credentials": ["shopify"],
        "description": "Keeps catalogues level",
        "primaryConnector": "Shopify",
    },
)


class PretendAlloy:
    """Alloy, mounted at `/alloy`."""

    slug: ClassVar[str] = "alloy"
    id_field: ClassVar[str] = "integrationId"
    switches: ClassVar[tuple[Switch, ...]] = (
        Switch(
            "alloy.missing_version", "refuse",
            "What a current call without a known x-api-version gets: refuse (400), or the legacy generation.",
            ("refuse", "legacy"),
        ),
        Switch(
            "alloy.bad_request_body", "object",
            'Body of a 400 on integrations: {} (documented), the string "{}" (as one page shows), a message, or none.',
            ("object", "string", "message", "none"),
        ),
        Switch(
            "alloy.unknown_status", 400,
            "Status for an end user or an integration that is not there.",
            (400, 404),
        ),
        Switch(
            "alloy.list_app", "mixed",
            "Whether list items of the current generation carry `app`; mixed leaves it out of every fourth.",
            ("mixed", "always", "never"),
        ),
        Switch(
            "alloy.omit_active", True,
            "Leave `active` out of one workflow (a missing field is unknown, never true).",
            (True, False),
        ),
        Switch(
            "alloy.bare_key", False,
            "Accept the API key without the word bearer before it, as one guide sends it.",
            (True, False),
        ),
        Switch(
            "alloy.installed_version", "when_installed",
            "Whether installedVersion is sent for workflows that are not installed (as 0).",
            ("when_installed", "always"),
        ),
    )  # fmt: skip

    def __init__(self, world: World) -> None:
        self._world = world

    # --- requests ------------------------------------------------------------------------------------------------

    def account_of(self, request: Request) -> str | None:
        """By the end user of the query, else nobody: the key is shared by all."""
        account = self._end_user(self._key(request), request.param("userId", "") or "")
        return account.name if account else None

    def handle(self, request: Request) -> Response:
        """Answer one request."""
        segments = request.segments
        is_legacy = bool(segments) and segments[0] in LEGACY_VERSIONS
        key = self._key(request)
        if not any(account.credential["api_key"] == key for account in self._world.accounts(self.slug)):
            return Response.of_json({"message": "Unauthorized"}, 401)
        if is_legacy:
            segments = segments[1:]
        elif request.headers.get("x-api-version") not in CURRENT_VERSIONS:
            if self._world.switch("alloy.missing_version") == "refuse":
                return Response.of_json({"message": "x-api-version is missing or unknown"}, 400)
            is_legacy = True
        if request.method not in ("GET", "HEAD") or segments[:1] != ("integrations",) or len(segments) > 2:
            return Response.of_json({"message": "Not found"}, 404)
        return self._integrations(request, key, segments[1:], is_legacy)

    def _integrations(self, request: Request, key: str, selector: tuple[str, ...], is_legacy: bool) -> Response:
        user = request.param("userId")
        if not user:
            return self._bad_request(400, "userId is required")
        account = self._end_user(key, user)
        if account is None:
            return self._bad_request(self._world.switch("alloy.unknown_status"), "User not found")
        if account.script == "failing":
            return Response.of_json({"message": "Unauthorized"}, 401)
        items = self._world.items(self, account)
        if not selector:
            render = self._as_blocks if is_legacy else self._as_list_item
            return Response.of_json_list(items.every(render=render), "data")
        document = items.get(selector[0]) or self._by_name(items, selector[0])
        if document is None:
            return self._bad_request(self._world.switch("alloy.unknown_status"), "Integration not found")
        return Response.of_json({"data": self._as_blocks(document) if is_legacy else self._as_connectors(document)})

    def _key(self, request: Request) -> str:
        bare = request.headers.get("authorization", "").strip()
        if " " not in bare and self._world.switch("alloy.bare_key"):
            return bare
        return request.bearer()

    def _end_user(self, key: str, user: str) -> Account | None:
        """The account of an end user, by id or username, under this key."""
        for account in self._world.accounts(self.slug):
            is_named = user in (account.binding["end_user_id"], end_user_name(account))
            if is_named and account.credential["api_key"] == key:
                return account
        return None

    @staticmethod
    def _by_name(items: Items, name: str) -> dict[str, Any] | None:
        """The first integration of that name; one that ends in its number is found without reading all before it."""
        _, hash_mark, tail = name.rpartition(" #")
        if hash_mark and tail.isascii() and tail.isdigit():
            document = items.document(int(tail))
            if document["app"] == name and items.number_of(document["integrationId"]) is not None:
                return document
        return items.find(lambda document: document.get("app") == name)

    def _bad_request(self, status: int, message: str) -> Response:
        """An error of the integrations calls, with the body that the switch picks."""
        match self._world.switch("alloy.bad_request_body"):
            case "object":
                return Response.of_json({}, status)
            case "string":
                return Response.of_json("{}", status)
            case "message":
                return Response.of_json({"message": message}, status)
            case _:
                return Response(status)

    # --- the three renderings ------------------------------------------------------------------------------------

    def _as_connectors(self, document: dict[str, Any]) -> dict[str, Any]:
        """As the current generation answers a get: the list item's extra fields are not there, `app` is."""
        shown = {name: value for name, value in document.items() if name not in ("description", "primaryConnector")}
        return {**shown, "workflows": [self._workflow(each) for each in document["workflows"]]}

    def _as_list_item(self, document: dict[str, Any]) -> dict[str, Any]:
        shown = {**document, "workflows": [self._workflow(each) for each in document["workflows"]]}
        wish = self._world.switch("alloy.list_app")
        if wish == "never" or (wish == "mixed" and int(document["integrationId"][:2], 16) % 4 == 3):
            shown.pop("app", None)
        return shown

    def _as_blocks(self, document: dict[str, Any]) -> dict[str, Any]:
        workflows = []
        for workflow in document["workflows"]:
            shown = self._workflow(workflow)
            steps = shown.pop("connectors", [])
            shown["blocks"] = [
                {"name": step["name"], "id": step["id"], "type": step["connector"], "icon": step["icon"]}
                for step in steps
            ]
            workflows.append(shown)
        new = ("description", "primaryConnector", "credentials")
        return {**{name: value for name, value in document.items() if name not in new}, "workflows": workflows}

    def _workflow(self, workflow: dict[str, Any]) -> dict[str, Any]:
        shown = dict(workflow)
        if shown.get("active") is None:
            shown.pop("active", None)
            if not self._world.switch("alloy.omit_active"):
                shown["active"] = False
        if "installedVersion" not in shown and self._world.switch("alloy.installed_version") == "always":
            shown["installedVersion"] = 0
        return shown

    # --- data ----------------------------------------------------------------------------------------------------

    def make(self, account: Account, number: int) -> dict[str, Any]:
        """The full document in the current generation's form; `active` None where it will be missing."""
        if number < len(PUBLISHED):
            return {**PUBLISHED[number]}
        salt = _catalogue(account)
        dice = names.Dice(salt, number)
        fate = SCRIPTED.get(number) or names.Dice(account.salt, "fate", number).pick(FATES)
        app = dice.pick(names.APPS)
        other = dice.pick([each for each in names.APPS if each != app])
        count = 0 if fate == "no workflows" else dice.number(2, 5)
        workflows = [
            _make_workflow(account, number, index, fate, app, other) for index in range(count)
        ]  # fmt: skip
        credentials = sorted({app[0], other[0]})
        if dice.chance(20):
            credentials.insert(0, "PA_" + names.digest(salt, number, "private").hex()[:17])
        return {
            "integrationId": names.object_id(salt, number),
            "app": names.integration_name(dice, number, app[1], other[1]),
            "installed": any(workflow["installed"] for workflow in workflows),
            "icon": f"{ICONS}/{app[0]}.png",
            "workflows": workflows,
            "credentials": credentials,
            "description": f"{app[1]} and {other[1]}, kept level" if dice.chance(70) else "",
            "primaryConnector": app[1],
        }

    def number_of(self, account: Account, remote_id: str) -> int | None:
        """Published ids stand for the first numbers, the others carry theirs."""
        for number, published in enumerate(PUBLISHED):
            if published["integrationId"] == remote_id:
                return number
        return names.number_in(_catalogue(account), remote_id)

    def renamed(self, account: Account, number: int, name: str) -> dict[str, Any]:
        """At Alloy the name is `app`."""
        return {"app": name}


def _catalogue(account: Account) -> str:
    """The salt of what all end users of one key have in common."""
    return f"alloy:{account.seed}"


def _make_workflow(
    account: Account, number: int, index: int, fate: str, app: tuple[str, str], other: tuple[str, str]
) -> dict[str, Any]:
    salt = _catalogue(account)
    dice = names.Dice(salt, number, "workflow", index)
    version = dice.number(2, 9)
    is_installed = fate != "not installed"
    active: bool | None = is_installed and not (fate == "all off" or (fate == "partly off" and index > 0))
    if fate == "active unknown" and index == 0:
        active = None
    workflow: dict[str, Any] = {
        "workflowId": names.object_id(f"{salt}:workflow", number * 8 + index),
        "name": f"{dice.pick(('Push', 'Pull', 'Mirror', 'Reconcile'))} {dice.pick(names.OBJECTS)}",
        "installed": is_installed,
        "active": active,
        "version": version,
        "connectors": _steps(salt, number, index, dice, app, other),
    }
    if is_installed:
        is_behind = fate == "behind" and index % 2 == 0
        behind_by = names.Dice(account.salt, number, index).number(1, version - 1) if is_behind else 0
        workflow["installedVersion"] = version - behind_by
    return workflow


def _steps(
    salt: str, number: int, index: int, dice: names.Dice, app: tuple[str, str], other: tuple[str, str]
) -> list[dict[str, Any]]:
    trigger = dice.pick(TRIGGERS)
    picked = [trigger, app, *([other] if dice.chance(70) else [])]
    steps = []
    for position, (slug, name) in enumerate(picked):
        subtitle = name if position == 0 or dice.chance(20) else f"{dice.pick(VERBS)} {dice.pick(names.OBJECTS)}"
        steps.append({
            "name": name,
            "id": names.uuid(f"{salt}:step", (number * 8 + index) * 4 + position),
            "connector": slug,
            "icon": f"{ICONS}/{slug}.png",
            "subtitle": subtitle,
        })  # fmt: skip
    return steps
