"""Who asks, how often, and for what: authentication, rate limit and the operations of a pretend Celigo."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any, ClassVar
from urllib.parse import urlencode

from integrations_app.simulator.celigo.bucket import LeakyBuckets
from integrations_app.simulator.celigo.documents import COUNTERS, NAME_LENGTH, Document, Maker
from integrations_app.simulator.celigo.errors import RefusedError, denied, failed
from integrations_app.simulator.celigo.projection import Projection
from integrations_app.simulator.celigo.switches import SWITCHES
from integrations_app.simulator.celigo.template import TemplateArchives
from integrations_app.simulator.wire import Account, Request, Response, Switch
from integrations_app.simulator.world import World

EU_REGION = "simulator-eu"
# The account's token with this behind it is one whose allow-list leaves out about half of the integrations.
SCOPED_SUFFIX = "-scoped"
LARGEST_PAGE = 1000


class PretendCeligo:
    """Answers for every Celigo account of the world."""

    slug: ClassVar[str] = "celigo"
    id_field: ClassVar[str] = "_id"
    switches: ClassVar[tuple[Switch, ...]] = SWITCHES

    def __init__(self, world: World) -> None:
        self._world = world
        self._buckets = LeakyBuckets()
        self._archives = TemplateArchives(world, self)

    # --- what the world asks -------------------------------------------------------------------------------------

    def account_of(self, request: Request) -> str | None:
        """The account whose token the request carries, judged or not."""
        account = self._account(request)
        return account.name if account else None

    def make(self, account: Account, number: int) -> Document:
        """The document of integration `number`."""
        return Maker(account.salt).integration(number)

    def number_of(self, account: Account, remote_id: str) -> int | None:
        """The number of the integration with this id."""
        return Maker(account.salt).number_of(remote_id)

    def renamed(self, account: Account, number: int, name: str) -> dict[str, Any]:
        """A rename also moves `lastModified`."""
        moment = self._world.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return {"name": name[:NAME_LENGTH], "lastModified": moment}

    # --- requests ------------------------------------------------------------------------------------------------

    def handle(self, request: Request) -> Response:
        """Answer one request."""
        try:
            if request.segments[:1] == ("files",):
                return self._archives.download(request)
            return self._answer(request)
        except RefusedError as refusal:
            return refusal.response

    def _answer(self, request: Request) -> Response:
        in_eu = request.segments[:1] == ("eu",)
        segments = request.segments[1:] if in_eu else request.segments
        account = self._let_in(request, in_eu=in_eu)
        self._spend_token(account)
        match (request.method, *segments):
            case ("GET", "v1", "tokenInfo"):
                return self._token_info(request, account)
            case ("GET", "v1", "integrations"):
                return self._list(request, account)
            case ("GET", "v1", "integrations", identifier):
                return self._get(request, account, identifier)
            # The vendor's table says GET, its sample says POST: both are in use.
            case ("GET" | "POST", "v1", "integrations", identifier, "template"):
                return self._template(request, account, identifier)
        raise failed(404, self._world.switch("celigo.not_found_code"), "No such endpoint.")

    def _account(self, request: Request) -> Account | None:
        token = request.bearer().removesuffix(SCOPED_SUFFIX)
        return self._world.find_account(self.slug, api_token=token) if token else None

    def _let_in(self, request: Request, *, in_eu: bool) -> Account:
        """The account of the token. A token of one region is no token at all in the other."""
        account = self._account(request)
        if account is None or account.script == "failing" or (account.region == EU_REGION) != in_eu:
            raise denied(401, "Unauthorized")
        if account.script == "forbidden":
            raise denied(403, "Forbidden")
        return account

    def _spend_token(self, account: Account) -> None:
        wait = self._buckets.take(
            account.name,
            at=self._world.timestamp(),
            size=self._world.switch("celigo.bucket_size"),
            refill_per_second=self._world.switch("celigo.bucket_refill_per_second"),
        )
        if wait:
            headers = [("Retry-After", str(wait))] if self._world.switch("celigo.retry_after_is_sent") else []
            raise failed(429, "rate_limited", f"Throttled; wait {wait} s.", headers=headers)

    # --- operations ----------------------------------------------------------------------------------------------

    def _token_info(self, request: Request, account: Account) -> Response:
        """Whose token it is: a user id, never a name or an e-mail address."""
        if account.script == "partial":
            raise denied(403, "Forbidden")
        answer = {"_userId": Maker(account.salt).user_id}
        if self._world.switch("celigo.token_info_has_scope"):
            answer["scope"] = "limited" if _is_scoped(request) else "fullaccess"
        return Response.of_json(answer)

    def _list(self, request: Request, account: Account) -> Response:
        if self._world.switch("celigo.include_brackets_fail") and request.param("include[]") is not None:
            raise failed(500, "internal_error", "Unexpected error.")
        projection = Projection(request)
        limit = self._whole_number(request, "limit", self._world.switch("celigo.default_page_size"), 1, LARGEST_PAGE)
        offset = self._offset(request)
        items = self._world.items(self, account)
        page = items.page(offset, limit, render=projection.apply, keep=self._visible(request))
        links = [
            (rel, at) for rel, at in (("next", page.next_offset), ("prev", _before(offset, limit))) if at is not None
        ]
        headers = [("Link", ", ".join(self._link(request, rel, at, limit) for rel, at in links))] if links else []
        if not page.items and self._world.switch("celigo.empty_list_is_204"):
            return Response(204, headers=headers)
        return Response.of_json(page.items, headers=headers)

    def _get(self, request: Request, account: Account, identifier: str) -> Response:
        """One integration; include and exclude are ignored here."""
        document = self._one(request, account, identifier)
        if not self._world.switch("celigo.single_has_counters"):
            document = {name: value for name, value in document.items() if name not in COUNTERS}
        return Response.of_json(document)

    def _template(self, request: Request, account: Account, identifier: str) -> Response:
        document = self._one(request, account, identifier)
        if "_connectorId" in document:
            raise failed(422, "invalid_field", "An Integration App cannot be downloaded.", "_connectorId")
        return Response.of_json(self._archives.sign(request, account, identifier))

    def _one(self, request: Request, account: Account, identifier: str) -> Document:
        document = self._world.items(self, account).get(identifier)
        if document is None or (_is_scoped(request) and not _in_scope(document)):
            raise failed(404, self._world.switch("celigo.not_found_code"), "Integration not found.")
        return document

    # --- paging and filters --------------------------------------------------------------------------------------

    def _visible(self, request: Request) -> Callable[[Document], bool]:
        """What the token may see and the query asks for. A scoped token sees less, it is not refused."""
        scoped = _is_scoped(request)
        sandbox = request.param("sandbox") or ""
        if sandbox not in ("", "true", "false"):
            raise failed(400, "invalid_query_params", "sandbox is true or false.", "sandbox")

        def keep(document: Document) -> bool:
            if sandbox and bool(document.get("sandbox")) != (sandbox == "true"):
                return False
            return not scoped or _in_scope(document)

        return keep

    def _whole_number(self, request: Request, name: str, default: int, least: int, most: int) -> int:
        text = request.param(name) or ""
        if not text:
            return default
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1
        if not least <= number <= most:
            raise failed(400, "invalid_query_params", f"{name} must be a whole number from {least} to {most}.", name)
        return number

    def _offset(self, request: Request) -> int:
        after = request.param("after")
        if not after:
            return self._whole_number(request, "skip", 0, 0, 10**9)
        try:
            return int(base64.urlsafe_b64decode(after.encode()).decode().removeprefix("after:"))
        except (ValueError, binascii.Error):
            raise failed(400, "invalid_query_params", "after is not one of ours.", "after") from None

    def _link(self, request: Request, rel: str, offset: int, limit: int) -> str:
        """An absolute address of another page of the same list, every other parameter kept."""
        kept = [(name, value) for name, value in request.query if name not in ("skip", "after", "limit")]
        if self._world.switch("celigo.link_style") == "after":
            place = ("after", base64.urlsafe_b64encode(f"after:{offset}".encode()).decode())
        else:
            place = ("skip", str(offset))
        query = urlencode([*kept, place, ("limit", str(limit))])
        return f'<{request.base_url}{request.path.rstrip("/")}?{query}>; rel="{rel}"'


def _before(offset: int, limit: int) -> int | None:
    return max(0, offset - limit) if offset else None


def _is_scoped(request: Request) -> bool:
    return request.bearer().endswith(SCOPED_SUFFIX)


def _in_scope(document: Document) -> bool:
    """Whether the allow-list of a scoped token holds this integration: about every second one, never changing."""
    return str(document.get("_id", ""))[:1] in tuple("02468ace")
