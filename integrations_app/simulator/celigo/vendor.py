"""Who asks, and how often: authentication and rate limit of a pretend Celigo; `routes` has its operations."""

from __future__ import annotations

from typing import Any, ClassVar

from integrations_app.simulator.celigo import paging
from integrations_app.simulator.celigo.bucket import LeakyBuckets
from integrations_app.simulator.celigo.call import SCOPED_SUFFIX, Call
from integrations_app.simulator.celigo.documents import NAME_LENGTH, Document, Maker
from integrations_app.simulator.celigo.errors import RefusedError, denied, failed
from integrations_app.simulator.celigo.routes import find
from integrations_app.simulator.celigo.shelf import GoneError, Shelf
from integrations_app.simulator.celigo.switches import SWITCHES
from integrations_app.simulator.celigo.template import TemplateArchives
from integrations_app.simulator.wire import Account, Request, Response, Switch
from integrations_app.simulator.world import World

EU_REGION = "simulator-eu"


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
        call = Call(request, account, self._world, Shelf(self._world, self, account))
        match (request.method, *segments):
            case ("GET", "v1", "tokenInfo"):
                return self._token_info(call)
            case ("GET" | "POST" as method, "v1", "integrations", identifier, "template"):
                return self._template(call, method, identifier)
        route = find(request.method, segments[1:]) if segments[:1] == ("v1",) else None
        if route is None:
            raise call.not_found("Endpoint")
        operation, ids = route
        if operation is paging.integrations:  # long, and takes the lock for each of its items
            return operation(call)
        # One change at a time, written to disk with its line in the ledger; nobody reads half of one.
        with self._world.lock if request.method == "GET" else self._world.batch():
            try:
                return operation(call, *ids)
            except GoneError:
                raise call.not_found("Integration") from None

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

    # --- what needs more than the account's things -----------------------------------------------------------------

    def _token_info(self, call: Call) -> Response:
        """Whose token it is: a user id, never a name or an e-mail address."""
        if call.account.script == "partial":
            raise denied(403, "Forbidden")
        answer = {"_userId": call.shelf.maker.user_id}
        if call.switch("token_info_has_scope"):
            answer["scope"] = "limited" if call.is_scoped else "fullaccess"
        return Response.of_json(answer)

    def _template(self, call: Call, method: str, identifier: str) -> Response:
        """The vendor's table says GET, its sample says POST: both are in use."""
        if call.switch("template_method") not in ("both", method.lower()):
            raise call.not_found("Endpoint")
        if "_connectorId" in call.integration(identifier):
            raise failed(422, "invalid_field", "An Integration App cannot be downloaded.", "_connectorId")
        return Response.of_json(self._archives.sign(call.request, call.account, identifier))
