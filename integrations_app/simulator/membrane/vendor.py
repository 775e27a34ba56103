"""Who asks and for what: authentication and the operations of a pretend Membrane."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Any, ClassVar

from integrations_app.simulator.membrane import candidates, tokens
from integrations_app.simulator.membrane.connections import Tenant
from integrations_app.simulator.membrane.documents import APPS, Document, Workspace
from integrations_app.simulator.membrane.errors import (
    RefusedError,
    access_denied,
    not_authenticated,
    not_found,
    refused,
)
from integrations_app.simulator.membrane.query import ListQuery, cursor_for, read_list_query, truth
from integrations_app.simulator.membrane.switches import SWITCHES
from integrations_app.simulator.membrane.tokens import Claims
from integrations_app.simulator.names import stamp
from integrations_app.simulator.wire import Account, Request, Response, Switch
from integrations_app.simulator.world import World

_SECRET_WORDS = ("secret", "token", "password", "apikey", "privatekey")
WINDOW_SECONDS = 60


class PretendMembrane:
    """Answers for every Membrane account (tenant of a workspace) of the world."""

    slug: ClassVar[str] = "membrane"
    id_field: ClassVar[str] = "id"
    switches: ClassVar[tuple[Switch, ...]] = SWITCHES

    def __init__(self, world: World) -> None:
        self._world = world
        self._lock = threading.Lock()
        self._calls: dict[str, deque[float]] = {}  # workspace key: when it was called in the last minute

    # --- what the world asks -------------------------------------------------------------------------------------

    def account_of(self, request: Request) -> str | None:
        """The account a request is for by what its token claims, judged or not."""
        claims = tokens.read(request.bearer())
        account = self._account(claims) if claims else None
        return account.name if account else None

    def make(self, account: Account, number: int) -> Document:
        """The document of integration `number`, with the tenant's connection."""
        workspace = Workspace(account.salt)
        document = workspace.integration(number)
        connection = Tenant(workspace, account.binding["tenant_key"]).connection(number, document)
        if connection is not None:
            document["connection"] = connection
        return document

    def number_of(self, account: Account, remote_id: str) -> int | None:
        """The number of the integration with this id."""
        return Workspace(account.salt).number_of(remote_id)

    def renamed(self, account: Account, number: int, name: str) -> dict[str, Any]:
        """A rename moves `updatedAt` and the revision; the key stays."""
        moment = self._world.now()
        return {"name": name, "updatedAt": stamp(moment), "revision": f"r-{int(moment.timestamp() * 1000):x}"}

    # --- requests ------------------------------------------------------------------------------------------------

    def handle(self, request: Request) -> Response:
        """Answer one request."""
        try:
            return self._answer(request)
        except RefusedError as refusal:
            return refusal.response

    def _answer(self, request: Request) -> Response:
        claims = self._let_in(request)
        self._count_call(claims.workspace_key)
        match (request.method, *request.segments):
            case ("GET", "integrations"):
                return self._list(request, claims)
            case ("GET", "integrations", selector):
                return self._get(request, claims, selector)
        raise not_found(f"Cannot {request.method} {request.path}")

    def _let_in(self, request: Request) -> Claims:
        claims = tokens.verify(request.bearer(), secret_of=self._secret_of, now=self._world.timestamp())
        is_new = bool(claims.tenant_key) and self._tenant_account(claims) is None
        if is_new and self._world.switch("membrane.unknown_tenant") == "refused":
            raise not_authenticated("Token is missing or invalid")
        if not claims.is_admin and self._world.switch("membrane.reads_need_admin"):
            raise access_denied("This operation needs a workspace management token")
        return claims

    def _secret_of(self, workspace_key: str) -> str | None:
        account = self._world.find_account(self.slug, workspace_key=workspace_key)
        return account.credential["workspace_secret"] if account else None

    def _tenant_account(self, claims: Claims) -> Account | None:
        return self._world.find_account(self.slug, workspace_key=claims.workspace_key, tenant_key=claims.tenant_key)

    def _account(self, claims: Claims) -> Account | None:
        """The tenant's account; the workspace's first one for a token without tenant, and for a tenant never seen."""
        if claims.tenant_key and (account := self._tenant_account(claims)):
            return account
        return self._world.find_account(self.slug, workspace_key=claims.workspace_key)

    def _count_call(self, workspace_key: str) -> None:
        """A rolling window, as the vendor says its limits are; the numbers are unpublished."""
        allowed = self._world.switch("membrane.requests_per_minute")
        if not allowed:
            return
        now = self._world.timestamp()
        with self._lock:
            calls = self._calls.setdefault(workspace_key, deque())
            while calls and not 0 <= now - calls[0] < WINDOW_SECONDS:
                calls.popleft()
            if len(calls) < allowed:
                calls.append(now)
                return
            wait = max(1, int(WINDOW_SECONDS - (now - calls[0])) + 1)
        headers = [("Retry-After", str(wait))] if self._world.switch("membrane.retry_after_is_sent") else []
        raise refused(429, "Request limit reached for this workspace", key="rate_limit_exceeded", headers=headers)

    # --- operations ----------------------------------------------------------------------------------------------

    def _list(self, request: Request, claims: Claims) -> Response:
        query = read_list_query(request, self._world)
        account = self._existing_account(claims)
        workspace = Workspace(account.salt)
        items = self._world.items(self, account)
        page = items.page(
            query.offset,
            query.limit,
            render=self._render(claims, with_secrets=False),
            keep=_matcher(query, workspace),
            newest_first=self._world.switch("membrane.order") == "newest",
        )
        found, following = page.items, page.next_offset
        if following is None:
            # Generated candidates follow the stored ones; their positions follow theirs in the cursor.
            generated, stored = candidates.generate(workspace, query), items.count()
            start = max(0, query.offset - stored)
            end = start + query.limit - len(found)
            found = found + generated[start:end]
            following = stored + end if end < len(generated) else None
        return Response.of_json({"items": found} | self._cursor(following))

    def _cursor(self, following: int | None) -> dict[str, Any]:
        if following is not None:
            return {"cursor": cursor_for(following, self._world)}
        shown: dict[str, dict[str, Any]] = {"absent": {}, "null": {"cursor": None}, "empty": {"cursor": ""}}
        return shown[self._world.switch("membrane.last_cursor")]

    def _get(self, request: Request, claims: Claims, selector: str) -> Response:
        """One integration by id, uuid or key, an archived one as well."""
        document = self._selected(self._existing_account(claims), selector)
        if document is None:
            raise not_found(f"Integration '{selector}' not found")
        with_secrets = truth(request.param("includeSecrets"))
        return Response.of_json(self._render(claims, with_secrets=with_secrets)(document))

    def _existing_account(self, claims: Claims) -> Account:
        account = self._account(claims)
        if account is None or account.script == "failing":
            raise not_authenticated("Token is missing or invalid")
        if account.script == "forbidden":
            raise access_denied("This tenant may not use the workspace")
        return account

    def _selected(self, account: Account, selector: str) -> Document | None:
        items = self._world.items(self, account)
        document = items.get(selector)
        if document is not None:
            return document
        workspace = Workspace(account.salt)
        for number in [*workspace.numbers_of(selector), *items.changed_numbers()]:
            found = items.get(workspace.identifier("integration", number))
            if found is not None and selector in (found.get("key"), found.get("uuid")):
                return found
        return None

    # --- what a caller sees --------------------------------------------------------------------------------------

    def _render(self, claims: Claims, *, with_secrets: bool) -> Callable[[Document], Document]:
        """How this token sees a document: a connection is shown to its tenant only."""
        world = self._world
        is_tenant = bool(claims.tenant_key) and self._tenant_account(claims) is not None
        says_connected = is_tenant and world.switch("membrane.is_connected_is_sent")
        with_secrets = with_secrets or world.switch("membrane.parameters_hold_secrets")
        hidden = ([] if is_tenant else ["connection"]) + (["spec"] if world.switch("membrane.spec") == "absent" else [])

        def render(document: Document) -> Document:
            shown = {name: value for name, value in document.items() if name not in hidden}
            if says_connected and "state" in shown:
                shown["isConnected"] = bool((shown.get("connection") or {}).get("connected"))
            if not with_secrets and isinstance(shown.get("parameters"), dict):
                shown["parameters"] = {
                    name: value for name, value in shown["parameters"].items() if not _looks_secret(name)
                }
            return shown

        return render


def _looks_secret(name: str) -> bool:
    return any(word in name.lower() for word in _SECRET_WORDS)


def _matcher(query: ListQuery, workspace: Workspace) -> Callable[[Document], bool]:
    """What a list's query lets through of the stored integrations."""
    app_ids = {workspace.app_uuid(app): workspace.identifier("app", app) for app in range(len(APPS))}
    wanted = {"connectorId": query.connector_id}
    wanted["externalAppId"] = app_ids.get(query.app_uuid, "no such app") if query.app_uuid is not None else None

    def keep(document: Document) -> bool:
        if "archivedAt" in document and not query.with_archived:
            return False
        if any(value is not None and document.get(name) != value for name, value in wanted.items()):
            return False
        return any(query.search in str(document.get(name, "")).lower() for name in ("name", "key"))

    return keep
