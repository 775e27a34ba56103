"""The calls to Celigo integrator.io.

Source: Celigo help, "Integration API endpoints"; developer.celigo.com, "Authentication", "Pagination", "Errors".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from integrations_app.vendors import probes
from integrations_app.vendors.base import (
    AccountReport,
    BindingField,
    CredentialField,
    DocumentField,
    Probe,
    Region,
    RemoteIntegration,
    RemotePage,
    SearchField,
)
from integrations_app.vendors.celigo import reading
from integrations_app.vendors.celigo.archives import Archives
from integrations_app.vendors.celigo.calls import PAGE_SIZE, next_url
from integrations_app.vendors.celigo.connections import Connections
from integrations_app.vendors.celigo.copies import Copies
from integrations_app.vendors.celigo.fields import DOCUMENT_FIELDS
from integrations_app.vendors.celigo.flows import Flows
from integrations_app.vendors.celigo.listings import Listings
from integrations_app.vendors.celigo.steps import Steps
from integrations_app.vendors.celigo.writing import Writing
from integrations_app.vendors.errors import VendorAuthError
from integrations_app.vendors.listing import read_page
from integrations_app.vendors.parsing import document as object_of
from integrations_app.vendors.parsing import identifier, text

# An account test reads one small page.
PROBE_SIZE = 100


class CeligoClient(Writing, Copies, Listings, Connections, Steps, Flows, Archives):
    """A VendorClient for one Celigo account, with every capability the bases name."""

    label: ClassVar[str] = "Celigo"
    mark: ClassVar[str] = "Ce"
    credential_fields: ClassVar[tuple[CredentialField, ...]] = (
        CredentialField(
            "api_token",
            "API token",
            help="In Celigo: Resources, API tokens. It is shown in full only when it is created.",
        ),
    )
    binding_fields: ClassVar[tuple[BindingField, ...]] = ()
    document_fields: ClassVar[tuple[DocumentField, ...]] = DOCUMENT_FIELDS
    search_fields: ClassVar[tuple[SearchField, ...]] = ()
    # Template archives are fetched from "files" with a signed address. Assumed: both regions keep them in one place.
    regions: ClassVar[tuple[Region, ...]] = (
        Region(
            "us",
            "United States (integrator.io)",
            {"api": "https://api.integrator.io/v1", "files": "https://integrator-templates.s3.amazonaws.com"},
            app_url="https://integrator.io",
        ),
        Region(
            "eu",
            "Europe (eu.integrator.io)",
            {"api": "https://api.eu.integrator.io/v1", "files": "https://integrator-templates.s3.amazonaws.com"},
            app_url="https://eu.integrator.io",
        ),
    )
    unsupported_reasons: ClassVar[Mapping[str, str]] = {
        "SupportsLiveSearch": "Celigo has no search in its API; the list here is its whole list.",
        "SupportsLookup": "Celigo finds an integration by its id only.",
    }

    @classmethod
    def simulator_region(cls, simulator_url: str) -> tuple[Region, ...]:
        """One region for each of Celigo's own: a token of one is refused by the other there too."""
        base = f"{simulator_url.rstrip('/')}/celigo"
        files = f"{base}/files"
        return (
            Region("simulator", "Simulator", {"api": f"{base}/v1", "files": files}),
            Region("simulator-eu", "Simulator (Europe)", {"api": f"{base}/eu/v1", "files": files}),
        )

    @classmethod
    def read_integration(cls, document: Mapping[str, Any], region: Region) -> RemoteIntegration:
        """Read one raw document; raises VendorResponseError when it is not one."""
        return reading.read_integration(document, region)

    # --- integrations --------------------------------------------------------------------------------------------

    def list_integrations(self) -> Iterator[RemotePage]:
        """Every integration the token may see, page by page; an account without any gives one empty page.

        The next page's address is followed as Celigo gives it. Raises VendorResponseError for a list that never ends or
        points at itself, VendorAddressError when the next page is elsewhere.
        Source: developer.celigo.com, "Pagination" (Link header, rel="next"). Assumed: 204 is an empty list here too, as
        documented for flows and connections.
        """
        for items, _ in self._pages("list integrations", ("integrations",), {"limit": str(PAGE_SIZE)}):
            yield self._page(items)

    def get_integration(self, remote_id: str) -> RemoteIntegration:
        """One integration by its `_id`. Raises VendorNotFoundError, also when the token may not see it.

        Source: Celigo help, "Integration API endpoints", GET /integrations/<_id>.
        """
        operation = "get an integration"
        answer = self._http.get(operation, ("integrations", remote_id))
        if not isinstance(answer.document, dict):
            raise self._http.bad_answer(operation, "The answer is not an integration.", answer)
        integration = self.read_integration(answer.document, self._region)
        if integration.remote_id != remote_id:
            raise self._http.bad_answer(operation, "The answer is another integration.", answer)
        return integration

    def _page(self, items: list[Any]) -> RemotePage:
        return read_page(items, lambda item: self.read_integration(item, self._region), id_field="_id")

    # --- the account ---------------------------------------------------------------------------------------------

    def test_account(self) -> AccountReport:
        """Who the token is, whether it lists and whether it reads one; stops when the token itself is refused.

        The identity is Celigo's user id: tokenInfo never tells a name or an e-mail address.
        Source: Celigo API docs, GET /v1/tokenInfo.
        """
        identity: list[str] = []
        first: list[str] = []
        asked = [
            probes.ask(
                "who am I",
                lambda: self._ask_identity(identity),
                works="the token is good",
                fails="whose token it is stays unknown; the rest may still work",
            )
        ]
        if not _is_refused(asked[0]):
            asked.append(
                probes.ask(
                    "list integrations", lambda: self._ask_list(first), works="sync works", fails="sync cannot work"
                )
            )
        if first:
            asked.append(
                probes.ask(
                    "read one integration",
                    lambda: f"Yes, “{self.get_integration(first[0]).name}”",
                    works="refreshing one integration works",
                    fails="one integration cannot be refreshed by itself",
                )
            )
        return AccountReport(tuple(asked), identity="".join(identity))

    def _ask_identity(self, identity: list[str]) -> str:
        operation = "who am I"
        answer = self._http.get(operation, ("tokenInfo",))
        info = object_of(answer.document)
        user_id = identifier(info.get("_userId"), reading.ID_LENGTH)
        if not user_id:
            raise self._http.bad_answer(operation, "The answer names no user.", answer)
        identity.append(user_id)
        scope = text(info.get("scope"), 60)
        return f"Yes, user {user_id}" + (f", scope {scope}" if scope else "")

    def _ask_list(self, first: list[str]) -> str:
        operation = "list integrations"
        params = {"limit": str(PROBE_SIZE)}
        answer = self._http.get(operation, ("integrations",), params=params, expect=(200, 204))
        page = self._page(self._items(operation, answer))
        first.extend(integration.remote_id for integration in page.items[:1])
        return _counted(len(page.items) + len(page.bad), has_more=bool(next_url(answer)))


def _counted(count: int, *, has_more: bool) -> str:
    return f"Yes, more than {count}" if has_more else f"Yes, {count}"


def _is_refused(probe: Probe) -> bool:
    """Whether the secret itself is refused (401), not only this question (403)."""
    return type(probe.error) is VendorAuthError
