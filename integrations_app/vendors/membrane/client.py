"""The calls to Membrane (formerly Integration App).

Source: Membrane API reference, "List all integrations", "Errors"; docs, "Authentication"; the vendor's SDK for paging.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

from integrations_app.vendors import probes
from integrations_app.vendors.base import (
    AccountReport,
    BadItem,
    BindingField,
    Connection,
    CredentialField,
    DocumentField,
    Region,
    RemoteIntegration,
    RemotePage,
    SearchAnswer,
    SearchField,
    SearchHit,
)
from integrations_app.vendors.capabilities import EditRules, ListingKind
from integrations_app.vendors.errors import VendorAuthError, VendorResponseError
from integrations_app.vendors.http import Answer, VendorHTTP
from integrations_app.vendors.listing import ListGuard, read_page
from integrations_app.vendors.membrane import reading, search, tokens
from integrations_app.vendors.membrane.fields import DOCUMENT_FIELDS
from integrations_app.vendors.parsing import document as object_of
from integrations_app.vendors.parsing import text

# The largest page Membrane allows, and what its SDK asks for when it wants everything.
PAGE_SIZE = 1000
# An account test reads one small page.
PROBE_SIZE = 100
CURSOR_LENGTH = 4000
CAUSES = 5


class MembraneClient:
    """A VendorClient for one tenant of a Membrane workspace; also SupportsLookup and SupportsLiveSearch."""

    slug: ClassVar[str] = reading.SLUG
    label: ClassVar[str] = "Membrane"
    mark: ClassVar[str] = "Me"
    credential_fields: ClassVar[tuple[CredentialField, ...]] = (
        CredentialField(
            "workspace_key", "Workspace key", help="In Membrane: Settings, Workspace key.", is_secret=False
        ),
        CredentialField(
            "workspace_secret",
            "Workspace secret",
            help="In Membrane: Settings, Workspace secret. It opens every tenant of the workspace.",
        ),
    )
    binding_fields: ClassVar[tuple[BindingField, ...]] = (
        BindingField("tenant_key", "Tenant key", help="Your own key of this customer, as your product sends it."),
    )
    document_fields: ClassVar[tuple[DocumentField, ...]] = DOCUMENT_FIELDS
    search_fields: ClassVar[tuple[SearchField, ...]] = search.SEARCH_FIELDS
    edit_rules: ClassVar[EditRules | None] = None
    listings: ClassVar[tuple[ListingKind, ...]] = ()
    clone_notes: ClassVar[tuple[str, ...]] = ()
    regions: ClassVar[tuple[Region, ...]] = (
        Region(
            "membrane",
            "Membrane (getmembrane.com)",
            {"api": "https://api.getmembrane.com"},
            app_url="https://console.getmembrane.com",
        ),
        Region(
            "integration-app",
            "Integration App (integration.app, the older address)",
            {"api": "https://api.integration.app"},
            app_url="https://console.integration.app",
        ),
    )
    # What Membrane offers and this console does not yet (creating, changing, copying ...) is not among them.
    unsupported_reasons: ClassVar[Mapping[str, str]] = {
        "SupportsRevisions": "Membrane's API keeps no copies of an integration on request.",
        "SupportsRegistration": "Membrane integrations have no list of connections to register on.",
        "SupportsSteps": "Membrane integrations are not installed step by step.",
    }

    def __init__(self, connection: Connection) -> None:
        self._region = connection.region
        self._workspace_key = connection.credential.get("workspace_key", "").strip()
        self._workspace_secret = connection.credential.get("workspace_secret", "").strip()
        self._tenant_key = connection.binding.get("tenant_key", "")
        # Neither of the two version headers the vendor's pages name is sent: they contradict each other.
        self._http = VendorHTTP(self.slug, connection, reasons=read_reasons, authorize=self._authorization)

    @classmethod
    def simulator_region(cls, simulator_url: str) -> tuple[Region, ...]:
        """The one region of a simulator."""
        return (Region("simulator", "Simulator", {"api": f"{simulator_url.rstrip('/')}/membrane"}),)

    @classmethod
    def read_integration(cls, document: Mapping[str, Any], region: Region) -> RemoteIntegration:
        """Read one raw document; raises VendorResponseError when it is not one."""
        return reading.read_integration(document, region)

    # --- integrations --------------------------------------------------------------------------------------------

    def list_integrations(self) -> Iterator[RemotePage]:
        """Every stored integration of the workspace as the tenant sees it, archived ones too, page by page.

        Generated candidates are switched off, and left out if one comes all the same: they are offers, not
        integrations, and have no id to keep them under. An item that lacks its id but carries other marks of a stored
        one (key, uuid, state ...) is a BadItem with that reason. Raises VendorResponseError for a list that never ends.
        Source: API reference (limit 1 to 1000, cursor). Assumed: any falsy cursor ends the list, as in the vendor's
        SDK.
        """
        operation = "list integrations"
        guard = ListGuard(self.slug, operation)
        cursor = ""
        while True:
            answer = self._list(operation, {**search.MIRROR_PARAMS, "limit": str(PAGE_SIZE)}, cursor)
            items, following = self._items(operation, answer)
            guard.page(cursor, len(items))
            yield self._page(items)
            if not following:
                return
            cursor = following

    def get_integration(self, remote_id: str) -> RemoteIntegration:
        """One integration by its id, an archived one as well. Raises VendorNotFoundError.

        Source: API reference, GET /integrations/{id}.
        """
        operation = "get an integration"
        integration = self._get(operation, remote_id)
        if integration.remote_id != remote_id:
            raise self._http.bad_answer(operation, "The answer is another integration.")
        return integration

    def find_integration(self, reference: str) -> RemoteIntegration:
        """One integration by its id, key or uuid. Raises VendorNotFoundError.

        Source: API reference, GET /integrations/{selector}. A key with a slash in it is sent as one segment.
        """
        integration = self._get("find an integration", reference)
        if reference not in (integration.remote_id, integration.raw.get("key"), integration.raw.get("uuid")):
            raise self._http.bad_answer("find an integration", "The answer is another integration.")
        return integration

    def search_integrations(self, filters: Mapping[str, str], cursor: str = "") -> SearchAnswer:
        """Ask Membrane with its own filters (`search_fields`); generated candidates come as hits without an id.

        Raises VendorRejectedError, ours before anything is sent or the vendor's, for a filter it does not take.
        Source: API reference, "List all integrations"; what `connectors`, `externalApps` and `websearch` generate is
        from the vendor's SDK.
        """
        operation = "search integrations"
        items, following = self._items(operation, self._list(operation, search.params(filters), cursor))
        hits: list[SearchHit] = []
        bad: list[BadItem] = []
        for item in items:
            try:
                hits.append(self._hit(item))
            except VendorResponseError as error:
                bad.append(BadItem("", error.message, item))
        # A cursor that leads back to this page would make "more" go round in circles.
        return SearchAnswer(tuple(hits), next_cursor="" if following == cursor else following, bad=tuple(bad))

    def _hit(self, item: Any) -> SearchHit:
        if reading.is_candidate(item):
            name = text(item["name"], 300) or "(no name)"
            return SearchHit("", name, summary=reading.summary(item), is_candidate=True)
        if not isinstance(item, dict):
            raise VendorResponseError("The item is not an object.", vendor=self.slug)
        found = self.read_integration(item, self._region)
        return SearchHit(found.remote_id, found.name, summary=reading.summary(item))

    def _list(self, operation: str, params: Mapping[str, str], cursor: str) -> Answer:
        return self._http.get(operation, ("integrations",), params={**params, **({"cursor": cursor} if cursor else {})})

    def _items(self, operation: str, answer: Answer) -> tuple[list[Any], str]:
        """The items of a list's answer and the cursor of its next page, "" on the last."""
        body = answer.document
        if not isinstance(body, dict) or not isinstance(body.get("items"), list):
            raise self._http.bad_answer(operation, "The answer has no list of items.", answer)
        cursor = body.get("cursor")
        if not cursor:
            return body["items"], ""
        # A sibling list of the API types its cursor as a number.
        if isinstance(cursor, bool) or not isinstance(cursor, str | int) or len(str(cursor)) > CURSOR_LENGTH:
            raise self._http.bad_answer(operation, "The list's cursor is none.", answer)
        return body["items"], str(cursor)

    def _page(self, items: list[Any]) -> RemotePage:
        stored = [item for item in items if not reading.is_candidate(item)]
        return read_page(stored, lambda item: self.read_integration(item, self._region), id_field="id")

    def _get(self, operation: str, selector: str) -> RemoteIntegration:
        # One description of the API calls includeSecrets required, another never sends it; false is right for both.
        answer = self._http.get(operation, ("integrations", selector), params={"includeSecrets": "false"})
        if not isinstance(answer.document, dict):
            raise self._http.bad_answer(operation, "The answer is not an integration.", answer)
        return self.read_integration(answer.document, self._region)

    # --- the account ---------------------------------------------------------------------------------------------

    def test_account(self) -> AccountReport:
        """Whether the token we sign is taken, lists, and reads one. Membrane does not say whom it belongs to.

        Assumed: a tenant key that Membrane has never seen is a new tenant without connections, not an error.
        """
        first: list[str] = []
        asked = [
            probes.ask("list integrations", lambda: self._ask_list(first), works="sync works", fails="sync cannot work")
        ]
        if first:
            asked.append(
                probes.ask(
                    "read one integration",
                    lambda: f"Yes, “{self.get_integration(first[0]).name}”",
                    works="refreshing one integration works",
                    fails="one integration cannot be refreshed by itself",
                )
            )
        return AccountReport(tuple(asked))

    def _ask_list(self, first: list[str]) -> str:
        operation = "list integrations"
        answer = self._list(operation, {**search.MIRROR_PARAMS, "limit": str(PROBE_SIZE)}, "")
        items, following = self._items(operation, answer)
        page = self._page(items)
        first.extend(integration.remote_id for integration in page.items[:1])
        return _counted(len(page.items) + len(page.bad), has_more=bool(following))

    def _authorization(self) -> str:
        """The header's value, a token signed for each call. Raises VendorAuthError with nothing to sign with."""
        if not (self._workspace_key and self._workspace_secret and self._tenant_key):
            # Without a tenant the token would be the whole workspace's.
            raise VendorAuthError(
                "Workspace key, workspace secret and tenant key are all needed.", vendor=self.slug, operation="sign in"
            )
        token = tokens.sign_tenant_token(
            workspace_key=self._workspace_key,
            workspace_secret=self._workspace_secret,
            tenant_key=self._tenant_key,
            now=time.time(),
        )
        return f"Bearer {token}"


def _counted(count: int, *, has_more: bool) -> str:
    return f"Yes, more than {count}" if has_more else f"Yes, {count}"


def read_reasons(status: int, body: Any) -> Iterable[tuple[str, str, str]]:
    """What an error body says, as (code, field, text), and what its causes say. `key` is more precise than `type`.

    Source: Membrane API reference, "Errors": {type, key?, message, data?, causedByError?}.
    """
    error: Any = body
    for _ in range(CAUSES):
        known = object_of(error)
        if not known:
            return
        data = object_of(known.get("data"))
        code = text(known.get("key"), 80) or text(known.get("type"), 80)
        yield (code, text(data.get("missingField") or data.get("parameter"), 200), text(known.get("message")))
        error = known.get("causedByError")
