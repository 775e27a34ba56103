"""A pretend Torq: client-credentials token on its own paths, the list of integrations, and the webhooks.

API under `/torq/v1alpha` and `/torq/public/v1alpha`, token at `/torq/auth/v1/auth/token`, webhooks under
`/torq/hooks/v1/webhooks`. Errors have the shape of a gRPC gateway, where `code` is the gRPC number, not the HTTP one.
"""

from __future__ import annotations

import base64
import binascii
import re
import time
import uuid
from datetime import timedelta
from typing import Any, ClassVar
from urllib.parse import parse_qsl

from integrations_app.simulator import names
from integrations_app.simulator.wire import Account, Request, Response, Switch
from integrations_app.simulator.world import World

TOKEN_SECONDS = 3600
SCHEME = "Bearer"
NO_STORE = [("Cache-Control", "no-store"), ("Pragma", "no-cache")]
TYPES = (
    ("webhook", "Webhook"), ("webhook", "Webhook"), ("webhook", "Webhook"), ("okta", "Okta"), ("slack", "Slack"),
    ("jira_cloud", "Jira"), ("http", "HTTP"), ("microsoft_teams", "Microsoft Teams"), ("aws", "AWS"),
    ("github", "GitHub"), ("servicenow", "ServiceNow"), ("sentinel_one", "SentinelOne"), ("virustotal", "VirusTotal"),
    ("pagerduty", "PagerDuty"), ("google_workspace", "Google Workspace"), ("salesforce", "Salesforce"),
    ("netsuite", "NetSuite"), ("hubspot", "HubSpot"),
)  # fmt: skip
PURPOSES = (
    "alerts (inbound)", "production", "sandbox", "on-call", "read only", "audit export", "phishing inbox", "approvals",
    "joiners & leavers", "finance", "EU", "service account",
)  # fmt: skip
PUBLISHED_ID = "d7639fb8-8037-4ce2-80e9-c50bc3345c5a"
# Accounts whose integrations have mostly lain idle, and the pair of workspaces that share one.
IDLE_ACCOUNT = "kestrel-torq"
PUBLISHED_ACCOUNT = SHARING_ACCOUNT = "nordhavn-torq"
RECEIVING_ACCOUNT = "nordhavn-torq-subsidiary"
SHARED_NUMBER = 5
NEVER_USED = (3, 14)
CODES = {400: 3, 401: 16, 403: 7, 404: 5, 429: 8, 500: 13}


class PretendTorq:
    """Torq, mounted at `/torq`."""

    slug: ClassVar[str] = "torq"
    id_field: ClassVar[str] = "id"
    switches: ClassVar[tuple[Switch, ...]] = (
        Switch(
            "torq.omit_defaults", True,
            "Leave unset fields and empty lists out, as proto JSON does; off sends null and empty ones.",
            (True, False),
        ),
        Switch(
            "torq.last_page_token", "absent",
            "How the last page of a paged list says so: next_page_token absent or an empty string.",
            ("absent", "empty"),
        ),
        Switch(
            "torq.page_size", 0,
            "Integrations per page with a next_page_token; 0 answers the whole list at once, as documented.",
        ),
        Switch(
            "torq.name_rule", "each",
            "How a name is made of display_name: each special character becomes an underscore, or each run of them.",
            ("each", "runs"),
        ),
        Switch(
            "torq.prefix", "both",
            "Which path the API answers on: /v1alpha as documented, /public/v1alpha as clients call it, or both.",
            ("both", "documented", "public"),
        ),
        Switch(
            "torq.new_token_ends_old", False,
            "Whether taking a new token ends the ones taken before with the same key.",
            (True, False),
        ),
        Switch(
            "torq.requests_per_second", 50,
            "Calls per second and workspace before a 429 (documented: 50; no body or header is); 0 for no limit.",
        ),
        Switch(
            "torq.retry_after", True,
            "Whether that 429 carries Retry-After.",
            (True, False),
        ),
    )  # fmt: skip

    def __init__(self, world: World) -> None:
        self._world = world
        self._seconds: dict[str, tuple[int, int]] = {}

    # --- requests ------------------------------------------------------------------------------------------------

    def account_of(self, request: Request) -> str | None:
        """By the token, the client id, or the webhook's id."""
        if request.segments[:1] == ("hooks",):
            found = self._of_webhook(request.segments[3]) if len(request.segments) > 3 else None
            return found.name if found else None
        if request.segments[:1] == ("auth",):
            client_id = self._basic(request)[0]
            known = self._world.find_account(self.slug, client_id=client_id) if client_id else None
            return known.name if known else None
        grant = self._world.store("torq tokens").get(request.bearer())
        return str(grant["account"]) if grant else None

    def handle(self, request: Request) -> Response:
        """Answer one request."""
        segments = request.segments
        if segments == ("auth", "v1", "auth", "token") and request.method == "POST":
            return self._token(request)
        if segments[:3] == ("hooks", "v1", "webhooks") and request.method == "POST":
            return self._webhook(segments[3:])
        is_public = segments[:1] == ("public",)
        if segments[is_public:][:1] != ("v1alpha",) or not self._serves(is_public):
            return problem(404, "Not Found")
        account = self._let_in(request)
        if account is None:
            return problem(401, "invalid bearer token")
        if account.script == "forbidden":
            return problem(403, "permission denied")
        if self._is_too_fast(account):
            wait = [("Retry-After", "1")] if self._world.switch("torq.retry_after") else []
            return problem(429, "too many requests", wait)
        if segments[is_public + 1 :] == ("integrations",) and request.method in ("GET", "HEAD"):
            return self._list(account, request)
        return problem(404, "Not Found")

    def _serves(self, is_public: bool) -> bool:
        wish = self._world.switch("torq.prefix")
        return bool(wish == "both" or (wish == "public") == is_public)

    def _is_too_fast(self, account: Account) -> bool:
        limit = self._world.switch("torq.requests_per_second")
        second = int(time.monotonic())
        with self._world.lock:
            last, count = self._seconds.get(account.name, (second, 0))
            count = count + 1 if last == second else 1
            self._seconds[account.name] = (second, count)
        return bool(limit and count > limit)

    # --- tokens --------------------------------------------------------------------------------------------------

    def _token(self, request: Request) -> Response:
        client_id, secret = self._basic(request)
        account = self._world.find_account(self.slug, client_id=client_id, client_secret=secret) if secret else None
        if account is None or account.script == "failing":
            refusal = {"error": "invalid_client", "error_description": "Client authentication failed"}
            return Response.of_json(refusal, 401, [*NO_STORE, ("WWW-Authenticate", "Basic")])
        form = dict(parse_qsl(request.body.decode("utf-8", "replace")))
        if form.get("grant_type") != "client_credentials":
            error = "unsupported_grant_type" if form.get("grant_type") else "invalid_request"
            return Response.of_json({"error": error}, 400, NO_STORE)
        answer = Response.of_json({
            "access_token": self._new_token(account), "expires_in": TOKEN_SECONDS, "token_type": SCHEME,
        })  # fmt: skip
        answer.headers = [("Content-Type", "application/json;charset=UTF-8"), *NO_STORE]
        return answer

    def _new_token(self, account: Account) -> str:
        """A token for the account; expired ones are swept away at the same time."""
        token = str(uuid.uuid4())
        now = self._world.timestamp()
        with self._world.lock:
            tokens = self._world.store("torq tokens")
            ends_old = self._world.switch("torq.new_token_ends_old")
            for known, grant in list(tokens.items()):
                # Kept a day past their end, so that the hits of a late caller still name their account.
                is_old = grant["expires"] < now - 86400
                if is_old or (ends_old and grant["account"] == account.name):
                    del tokens[known]
            tokens[token] = {"account": account.name, "expires": now + TOKEN_SECONDS}
            self._world.save()
        return token

    def _let_in(self, request: Request) -> Account | None:
        grant = self._world.store("torq tokens").get(request.bearer())
        if grant is None or grant["expires"] <= self._world.timestamp():
            return None
        return self._world.account(grant["account"])

    @staticmethod
    def _basic(request: Request) -> tuple[str, str]:
        """Client id and secret of HTTP Basic; two empty strings when there are none."""
        scheme, _, coded = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return "", ""
        try:
            client_id, _, secret = base64.b64decode(coded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return "", ""
        return client_id, secret

    # --- the list ------------------------------------------------------------------------------------------------

    def _list(self, account: Account, request: Request) -> Response:
        type_id = request.param("type_id")
        items = self._world.items(self, account)

        def keep(document: dict[str, Any]) -> bool:
            return not type_id or document["type_id"] == type_id

        def render(document: dict[str, Any]) -> dict[str, Any]:
            return self._rendered(document, request.base_url)

        size = self._world.switch("torq.page_size")
        if self._world.list_mode(account) in ("loop", "endless"):
            size = size or 100  # a list of one page can neither loop nor go on for ever
        if not size:
            return Response.of_json_list(items.every(render=render, keep=keep), "integrations", self._last_page())
        offset = _offset(request.param("page_token", "") or "")
        if offset is None:
            return problem(400, "invalid page token")
        page = items.page(offset, size, render=render, keep=keep)
        more = self._last_page() if page.next_offset is None else {"next_page_token": _page_token(page.next_offset)}
        return Response.of_json({"integrations": page.items, **more})

    def _last_page(self) -> dict[str, str]:
        """What a last page carries beside its items."""
        mark = {"absent": None, "empty": ""}[self._world.switch("torq.last_page_token")]
        return {} if mark is None else {"next_page_token": mark}

    def _rendered(self, document: dict[str, Any], base_url: str) -> dict[str, Any]:
        name = document.get("name") or self._name(document["display_name"])
        shown = {"id": document["id"], "name": name, **document}
        shown = {name: value for name, value in shown.items() if not name.startswith("_sim")}
        trigger = shown["details"].get("trigger")
        if trigger and not trigger["webhook_url"].startswith("http"):
            shown["details"] = {"trigger": {"webhook_url": base_url + trigger["webhook_url"]}}
        if not self._world.switch("torq.omit_defaults") or document.get("_sim_whole"):
            return shown
        sharing = {name: value for name, value in shown["sharing_data"].items() if value}
        shown["sharing_data"] = sharing
        if shown["last_used_at"] is None:
            del shown["last_used_at"]
        if document.get("_sim_bare"):
            del shown["details"], shown["sharing_data"]
        return shown

    def _name(self, display_name: str) -> str:
        pattern = "[^a-z0-9]" if self._world.switch("torq.name_rule") == "each" else "[^a-z0-9]+"
        return re.sub(pattern, "_", display_name.lower())

    # --- webhooks ------------------------------------------------------------------------------------------------

    def _of_webhook(self, webhook_id: str) -> Account | None:
        for account in self._world.accounts(self.slug):
            document = self._world.items(self, account).get(webhook_id)
            if document is not None and document["details"]:
                return account
        return None

    def _webhook(self, rest: tuple[str, ...]) -> Response:
        if not rest or self._of_webhook(rest[0]) is None:
            return problem(404, "webhook not found")
        if len(rest) == 1:
            return Response.of_json({})
        if rest[1] != "workflows" or len(rest) not in (3, 4) or rest[3:] not in ((), ("sync",)):
            return problem(404, "Not Found")
        if len(rest) == 4:
            return Response.of_json({"workflow_id": rest[2], "done": True})
        return Response.of_json({"execution_id": str(uuid.uuid4()), "status": "ok"})

    # --- data ----------------------------------------------------------------------------------------------------

    def make(self, account: Account, number: int) -> dict[str, Any]:
        """The full document; `name` is derived when it is sent, a webhook URL that starts with / is completed then."""
        if account.name == PUBLISHED_ACCOUNT and number == 0:
            return _published()
        if account.name == RECEIVING_ACCOUNT and number == SHARED_NUMBER:
            return self._received(account)
        dice = names.Dice(account.salt, number)
        type_id, label = dice.pick(TYPES)
        remote_id = names.uuid(account.salt, number)
        display_name = f"{label} {dice.pick(PURPOSES)}"
        if number % 17 == 9:
            display_name = names.AWKWARD_NAMES[(number // 17) % len(names.AWKWARD_NAMES)]
        elif number >= 60:
            display_name += f" {number}"
        details = {"trigger": {"webhook_url": f"/hooks/v1/webhooks/{remote_id}"}} if type_id == "webhook" else {}
        sharing = self._sharing(account, number, dice)
        domain = f"{account.customer}.example"
        return {
            "id": remote_id,
            "display_name": display_name,
            "type_id": type_id,
            "created_at": _created_at(number),
            "created_by": f"{dice.pick(names.PEOPLE)}@{domain}",
            "last_used_at": _last_used_at(account, number, dice),
            "details": details,
            "sharing_data": sharing,
            "_sim_bare": not details and sharing["direction"] == "not_shared" and number % 5 == 4,
        }

    def _sharing(self, account: Account, number: int, dice: names.Dice) -> dict[str, Any]:
        if account.name == SHARING_ACCOUNT and number == SHARED_NUMBER:
            return {"direction": "outgoing", "workspace_ids": [self.workspace_id(RECEIVING_ACCOUNT)]}
        chance = dice.number(0, 99)
        if chance < 84 and number != 6:
            return {"direction": "not_shared", "workspace_ids": []}
        direction = "incoming" if chance % 2 else "outgoing"
        count = 1 if direction == "incoming" else dice.number(1, 3)
        return {
            "direction": direction,
            "workspace_ids": [names.uuid(f"{account.salt}:workspace", number * 4 + each) for each in range(count)],
        }

    def _received(self, account: Account) -> dict[str, Any]:
        """The receiving end of the pair: the same integration (and id), seen from the other workspace."""
        sharer = next(each for each in self._world.accounts(self.slug) if each.name == SHARING_ACCOUNT)
        given = self.make(sharer, SHARED_NUMBER)
        return {**given, "sharing_data": {"direction": "incoming", "workspace_ids": [self.workspace_id(sharer.name)]}}

    def workspace_id(self, account_name: str) -> str:
        """The id of an account's workspace, by which others name it in sharing_data."""
        return names.uuid(f"torq workspace:{self._world.seed}:{account_name}", 1)

    def number_of(self, account: Account, remote_id: str) -> int | None:
        """Published and shared ids first, the others carry their number."""
        if account.name == PUBLISHED_ACCOUNT and remote_id == PUBLISHED_ID:
            return 0
        if account.name == RECEIVING_ACCOUNT and remote_id == self._received(account)["id"]:
            return SHARED_NUMBER
        return names.number_in(account.salt, remote_id)

    def renamed(self, account: Account, number: int, name: str) -> dict[str, Any]:
        """At Torq the name people give is display_name; `name` follows from it."""
        fields = {"display_name": name}
        return {**fields, "name": self._name(name)} if "name" in self.make(account, number) else fields


def problem(status: int, message: str, headers: list[tuple[str, str]] | None = None) -> Response:
    """An error as a gRPC gateway answers it."""
    return Response.of_json({"code": CODES[status], "message": message, "details": []}, status, headers)


def _page_token(offset: int) -> str:
    return base64.urlsafe_b64encode(f"o:{offset}".encode()).decode()


def _offset(token: str) -> int | None:
    """The offset in a page token; 0 for none, None for one that is not ours."""
    if not token:
        return 0
    try:
        text = base64.urlsafe_b64decode(token).decode()
        return int(text.removeprefix("o:")) if text.startswith("o:") else None
    except ValueError:
        return None


def _created_at(number: int) -> str:
    """Later for later numbers, so that the list stands in the order of creation."""
    moment = names.DATA_DATE - timedelta(days=1400 / (1 + number / 20))
    return names.stamp(moment, digits=(0, 1, 3, 6)[number % 4])


def _last_used_at(account: Account, number: int, dice: names.Dice) -> str | None:
    """None for never; otherwise with none to nine digits of fraction, as the vendor writes them."""
    if number in NEVER_USED or dice.chance(6):
        return None
    created_ago = int(1400 * 86400 / (1 + number / 20))
    is_idle = dice.chance(60 if account.name == IDLE_ACCOUNT else 10)
    least, most = (200 * 86400, 600 * 86400) if is_idle else (60, 20 * 86400)
    seconds_ago = dice.number(min(least, created_ago // 2), min(most, created_ago))
    moment = names.DATA_DATE - timedelta(seconds=seconds_ago)
    nanoseconds = f"{dice.number(0, 999_999_999):09d}"
    digits = (0, 9, 3, 6, 1, 9)[dice.number(0, 5)]
    return names.stamp(moment, 0).removesuffix("Z") + (f".{nanoseconds[:digits]}Z" if digits else "Z")


def _published() -> dict[str, Any]:
    """The vendor's own sample, as it stands."""
    return {
        "id": PUBLISHED_ID,
        "name": "my_integration",
        "display_name": "My Integration",
        "type_id": "webhook",
        "created_at": "2022-03-09T08:40:18Z",
        "created_by": "user@torq.io",
        "last_used_at": "2022-03-09T08:40:18Z",
        "details": {"trigger": {"webhook_url": f"https://hooks.torq.io/v1/webhooks/{PUBLISHED_ID}"}},
        "sharing_data": {"direction": "not_shared", "workspace_ids": []},
        "_sim_whole": True,
    }
