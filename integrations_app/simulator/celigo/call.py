"""One request to a pretend Celigo that was let in: what an operation needs to answer it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from integrations_app.simulator.celigo.documents import Document
from integrations_app.simulator.celigo.errors import RefusedError, failed
from integrations_app.simulator.celigo.shelf import Shelf
from integrations_app.simulator.wire import Account, Request, Response
from integrations_app.simulator.world import World

# The account's token with this behind it is one whose allow-list leaves out about half of the integrations.
SCOPED_SUFFIX = "-scoped"

Operation = Callable[..., Response]  # takes the call, then the ids of the path


@dataclass(frozen=True)
class Call:
    """A request of an account, with the world and what the account holds."""

    request: Request
    account: Account
    world: World
    shelf: Shelf

    def switch(self, name: str) -> Any:
        """The value of one of Celigo's switches."""
        return self.world.switch(f"celigo.{name}")

    def not_found(self, what: str) -> RefusedError:
        """A 404 for something that is not there, or not visible to this token."""
        return failed(404, self.switch("not_found_code"), f"{what} not found.")

    @property
    def is_scoped(self) -> bool:
        """Whether the token sees only some integrations."""
        return self.request.bearer().endswith(SCOPED_SUFFIX)

    def may_see(self, integration_id: Any) -> bool:
        """Whether the token's allow-list holds this integration: about every second one, never changing."""
        return not self.is_scoped or str(integration_id or "")[:1] in tuple("02468ace")

    def integration(self, identifier: str) -> Document:
        """An integration by id. Raises RefusedError (404)."""
        document = self.shelf.items.get(identifier)
        if document is None or not self.may_see(identifier):
            raise self.not_found("Integration")
        # The world's own changes are inside: whoever changes this must not change them before it is applied.
        return copy.deepcopy(document)

    def number(self, identifier: str) -> int:
        """The number of an integration that the token may see. Raises RefusedError (404)."""
        self.integration(identifier)
        return self.shelf.number(identifier)

    def one(self, kind: str, identifier: str) -> Document:
        """A flow, export, import or connection by id. Raises RefusedError (404)."""
        document = self.shelf.get(kind, identifier)
        if document is None or (kind != "connection" and not self.may_see(document.get("_integrationId"))):
            raise self.not_found(kind.capitalize())
        return document

    def body(self) -> Any:
        """The JSON of the body, {} without one. Raises RefusedError (400) for anything else."""
        if not self.request.body:
            return {}
        if "json" not in self.request.headers.get("content-type", ""):
            raise failed(400, "invalid_request", "Content-Type must be application/json.")
        try:
            return self.request.json()
        except ValueError:
            raise failed(400, "invalid_request", "The body is not valid JSON.") from None

    def object_body(self) -> Document:
        """The body as an object. Raises RefusedError (400)."""
        body = self.body()
        if not isinstance(body, dict):
            raise failed(400, "invalid_request", "The body must be an object.")
        return body

    def flag(self, name: str) -> bool | None:
        """A truth in the query, None without it. Raises RefusedError (400)."""
        text = self.request.param(name)
        if text in (None, ""):
            return None
        if text not in ("true", "false"):
            raise failed(400, "invalid_query_params", f"{name} is true or false.", name)
        return text == "true"

    def applied(self, operation: str, target: str, result: str = "") -> None:
        """Write into the ledger that this request was carried out."""
        self.world.record_applied(self.account, operation, target, self.request.body_digest(), result)


def nothing(status: int = 204) -> Response:
    """An answer without a body."""
    return Response(status)
