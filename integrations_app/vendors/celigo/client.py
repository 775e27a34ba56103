"""The calls to Celigo integrator.io.

Source: Celigo help, "Integration API endpoints"; developer.celigo.com, "Authentication", "Pagination", "Errors".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar
from urllib.parse import urljoin

from requests.utils import parse_header_links

from integrations_app.vendors import probes
from integrations_app.vendors.base import (
    AccountReport,
    BindingField,
    Connection,
    CredentialField,
    DocumentField,
    Probe,
    Region,
    RemoteIntegration,
    RemotePage,
    SearchField,
)
from integrations_app.vendors.capabilities import EditRules, ListingKind
from integrations_app.vendors.celigo import reading
from integrations_app.vendors.celigo.fields import DOCUMENT_FIELDS
from integrations_app.vendors.errors import VendorAuthError
from integrations_app.vendors.http import Answer, VendorHTTP
from integrations_app.vendors.listing import ListGuard, read_page
from integrations_app.vendors.parsing import document as object_of
from integrations_app.vendors.parsing import documents, identifier, text

# Celigo allows 1 to 1000 and contradicts itself about its default. A page of 200 is some two megabytes at most.
PAGE_SIZE = 200
# An account test reads one small page.
PROBE_SIZE = 100


class CeligoClient:
    """A VendorClient for one Celigo account."""

    slug: ClassVar[str] = reading.SLUG
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
    edit_rules: ClassVar[EditRules | None] = None
    listings: ClassVar[tuple[ListingKind, ...]] = ()
    clone_notes: ClassVar[tuple[str, ...]] = ()
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

    def __init__(self, connection: Connection) -> None:
        self._region = connection.region
        self._token = connection.credential.get("api_token", "").strip()
        self._http = VendorHTTP(self.slug, connection, reasons=read_reasons, authorize=self._authorization)

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
        operation = "list integrations"
        guard = ListGuard(self.slug, operation)
        answer = self._first_page(operation, PAGE_SIZE)
        while True:
            items = self._items(operation, answer)
            guard.page(answer.url, len(items))
            yield self._page(items)
            following = _next_url(answer)
            if not following:
                return
            if following == answer.url:
                raise self._http.bad_answer(operation, "The list's next page is the same page again.", answer)
            answer = self._http.follow(operation, following, after=answer, expect=(200, 204))

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

    def _first_page(self, operation: str, size: int) -> Answer:
        return self._http.get(operation, ("integrations",), params={"limit": str(size)}, expect=(200, 204))

    def _items(self, operation: str, answer: Answer) -> list[Any]:
        if answer.status == 204:
            return []
        if not isinstance(answer.document, list):
            raise self._http.bad_answer(operation, "The answer is not a list.", answer)
        return answer.document

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
        answer = self._first_page(operation, PROBE_SIZE)
        page = self._page(self._items(operation, answer))
        first.extend(integration.remote_id for integration in page.items[:1])
        return _counted(len(page.items) + len(page.bad), has_more=bool(_next_url(answer)))

    def _authorization(self) -> str:
        """The header's value. Raises VendorAuthError for what Celigo shows in place of a token once it is made."""
        if reading.is_masked(self._token):
            raise VendorAuthError(
                "The API token is Celigo's mask (asterisks), not the token itself.",
                vendor=self.slug,
                operation="sign in",
            )
        if not self._token or not self._token.isascii() or not self._token.isprintable():
            raise VendorAuthError("The API token is empty or no token.", vendor=self.slug, operation="sign in")
        return f"Bearer {self._token}"


def _counted(count: int, *, has_more: bool) -> str:
    return f"Yes, more than {count}" if has_more else f"Yes, {count}"


def read_reasons(status: int, body: Any) -> Iterable[tuple[str, str, str]]:
    """What an error body says, as (code, field, text): `{errors: [...]}` in general, `{message}` for 401 and 403.

    Source: developer.celigo.com, "Errors"; the second shape was seen in a client's live probes.
    """
    answer = object_of(body)
    errors = documents(answer.get("errors"))
    for error in errors:
        yield (text(error.get("code"), 80), text(error.get("field"), 200), text(error.get("message")))
    message = text(answer.get("message"))
    if message and not errors:
        yield "", "", message


def _next_url(answer: Answer) -> str:
    """The address of the next page, absolute; "" on the last page, with or without other links."""
    for link in parse_header_links(answer.headers.get("link", "")):
        if "next" in link.get("rel", "").lower().split() and link.get("url"):
            return _absolute(answer.url, link["url"])
    return ""


def _absolute(base: str, url: str) -> str:
    try:
        return urljoin(base, url)
    except ValueError:
        return url  # no address at all: following it is refused


def _is_refused(probe: Probe) -> bool:
    """Whether the secret itself is refused (401), not only this question (403)."""
    return type(probe.error) is VendorAuthError
