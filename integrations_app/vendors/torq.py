"""Torq: the integrations (steps' and triggers') of the workspace that an API key belongs to. Read-only.

Sources: developers.torq.io, "List integrations" and "Authentication"; kb.torq.io on sharing. The public API has no call
for one integration, and none that changes one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, ClassVar

from integrations_app.vendors import parsing, probes
from integrations_app.vendors.base import (
    AccountReport,
    BindingField,
    Connection,
    CredentialField,
    DocumentField,
    FieldKind,
    Finding,
    FindingCode,
    Lifecycle,
    PartKind,
    Region,
    RemoteIntegration,
    RemotePage,
    RemotePart,
    SearchAnswer,
    SearchField,
    SearchHit,
)
from integrations_app.vendors.capabilities import EditRules, ListingKind
from integrations_app.vendors.errors import (
    VendorAuthError,
    VendorNotFoundError,
    VendorRejectedError,
    VendorResponseError,
)
from integrations_app.vendors.http import VendorHTTP
from integrations_app.vendors.listing import ListGuard, in_pages, read_page
from integrations_app.vendors.tokens import MemoryTokens

_LIST = "list integrations"
_TOKEN = "get a token"  # nosec B105  # the name of a call

# Documented lifetime 3600 s. When the answer does not say, a short one does no harm; a long one is not believed.
_UNSAID_TOKEN_SECONDS = 300
_LONGEST_TOKEN_SECONDS = 24 * 3600
_HITS_A_PAGE = 100
_FIRST_YEAR = 1971

_SHARING_WORDS = {"outgoing": "shared with this workspace", "incoming": "shared from this workspace, not editable here"}


def _region(slug: str, label: str, domain: str, prefix: str) -> Region:
    hosts = {
        "api": f"https://api.{domain}{prefix}",
        "auth": f"https://auth.{domain}",
        # Assumed for the EU: only hooks.torq.io is written anywhere.
        "hooks": f"https://hooks.{domain}",
    }
    return Region(slug, label, hosts, app_url=f"https://app.{domain}")


class TorqClient:
    """Lists a workspace's integrations with a token that is renewed early, and once when it is refused."""

    slug: ClassVar[str] = "torq"
    label: ClassVar[str] = "Torq"
    mark: ClassVar[str] = "To"
    credential_fields: ClassVar[tuple[CredentialField, ...]] = (
        CredentialField("client_id", "Client id", "Of an API key, made in Torq under Settings.", is_secret=False),
        CredentialField("client_secret", "Client secret", "Shown once, when the API key is made. Keys expire."),
    )
    binding_fields: ClassVar[tuple[BindingField, ...]] = ()
    # Torq's pages write the path without /public, every client seen in use has it.
    regions: ClassVar[tuple[Region, ...]] = (
        _region("us", "US", "torq.io", "/public"),
        _region("eu", "EU", "eu.torq.io", "/public"),
        _region("us-plain", "US, path without /public", "torq.io", ""),
        _region("eu-plain", "EU, path without /public", "eu.torq.io", ""),
    )
    unsupported_reasons: ClassVar[Mapping[str, str]] = {
        "SupportsLookup": "Torq resolves no names or ids: its API only lists.",
        "SupportsEdit": "Torq's API does not change integrations: that is done in Torq itself.",
        "SupportsCreate": "Torq's API does not create integrations: that is done in Torq itself.",
        "SupportsDelete": "Torq's API does not delete integrations: that is done in Torq itself.",
        "SupportsClone": "Torq's API does not copy integrations.",
        "SupportsRevisions": "Torq keeps revisions of workflows, not of integrations.",
        "SupportsRegistration": "Torq integrations have no list of connections to register on.",
        "SupportsSteps": "Torq integrations are not installed step by step.",
        "SupportsFlows": "Torq integrations hold no flows: workflows stand beside them.",
        "SupportsErrorRecords": "Torq's API has no list of failed records.",
        "SupportsArchive": "Torq's API has no archive of an integration to download.",
    }
    document_fields: ClassVar[tuple[DocumentField, ...]] = (
        DocumentField("display_name", "Name"),
        DocumentField("name", "Name in workflows", FieldKind.CODE),
        DocumentField("type_id", "Type", FieldKind.CODE),
        DocumentField("id", "Integration id", FieldKind.CODE),
        DocumentField("created_at", "Created", FieldKind.TIME),
        DocumentField("created_by", "Created by"),
        DocumentField("last_used_at", "Last used", FieldKind.TIME),
        DocumentField("details.trigger.webhook_url", "Webhook address", FieldKind.SECRET, "Trigger"),
        DocumentField("sharing_data.direction", "Sharing", FieldKind.CODE, "Sharing"),
        DocumentField("sharing_data.workspace_ids", "Workspaces", FieldKind.LIST, "Sharing"),
    )
    search_fields: ClassVar[tuple[SearchField, ...]] = (
        SearchField("type_id", "Type", "Torq's own name of the type, exactly: webhook, slack, jira_cloud ..."),
    )

    edit_rules: ClassVar[EditRules | None] = None
    listings: ClassVar[tuple[ListingKind, ...]] = ()
    clone_notes: ClassVar[tuple[str, ...]] = ()

    def __init__(self, connection: Connection) -> None:
        self._region = connection.region
        self._credential = connection.credential
        self._tokens = connection.tokens or MemoryTokens()
        self._http = VendorHTTP(
            self.slug,
            connection,
            authorize=self._authorization,
            reauthorize=self._renewed_authorization,
            reasons=_read_reasons,
        )

    @classmethod
    def simulator_region(cls, simulator_url: str) -> tuple[Region, ...]:
        """The simulator stands in for Torq's three hosts, under three paths."""
        base_url = f"{simulator_url.rstrip('/')}/{cls.slug}"
        hosts = {"api": f"{base_url}/public", "auth": f"{base_url}/auth", "hooks": f"{base_url}/hooks"}
        return (Region("simulator", "Simulator", hosts),)

    @classmethod
    def read_integration(cls, document: Mapping[str, Any], region: Region) -> RemoteIntegration:
        """Read one item of the list; VendorResponseError without an id.

        A field that is missing has its default (a missing direction: not shared; a missing last use: never), as proto
        JSON leaves defaults out.
        """
        remote_id = parsing.identifier(document.get("id"))
        if not remote_id:
            raise VendorResponseError("The integration has no id.", vendor=cls.slug)
        sharing = parsing.document(document.get("sharing_data"))
        direction = parsing.text(sharing.get("direction")) or "not_shared"
        last_used_at = parsing.moment(document.get("last_used_at"))
        if last_used_at and last_used_at.year < _FIRST_YEAR:
            # An unset time that a gateway writes out is year 1 or the epoch.
            last_used_at = None
        name, display_name = parsing.text(document.get("name")), parsing.text(document.get("display_name"))
        created_by = parsing.text(document.get("created_by"))
        return RemoteIntegration(
            remote_id=remote_id,
            name=display_name or name or remote_id,
            # Torq does not say whether an integration works; what is in the list can be used.
            lifecycle=Lifecycle.ACTIVE,
            raw=document,
            app=parsing.text(document.get("type_id")),
            vendor_words=direction,
            findings=() if last_used_at else (Finding(FindingCode.NEVER_USED),),
            parts=_shares(direction, sharing),
            aliases=_aliases(name, display_name, created_by, _webhook_url(document)),
            remote_url=region.app_url,
            remote_created_at=parsing.moment(document.get("created_at")),
            last_used_at=last_used_at,
        )

    def list_integrations(self) -> Iterator[RemotePage]:
        """Every integration of the key's workspace. Torq sends the whole list at once; it is handed on in pages.

        Source: "List integrations", GET /v1alpha/integrations. A next_page_token, which other lists of Torq have, is
        followed should this one ever send it.
        """
        for items in in_pages(self._items({})):
            yield read_page(items, self._read, id_field="id")

    # Asking for one reads the list: whoever has just read it need not ask.
    gets_from_list: ClassVar[bool] = True

    def get_integration(self, remote_id: str) -> RemoteIntegration:
        """One integration, looked for in the list, for there is no call for one; VendorNotFoundError without it."""
        for item in self._items({}):
            if isinstance(item, dict) and item.get("id") == remote_id:
                return self._read(item)
        raise VendorNotFoundError("The workspace has no such integration.", vendor=self.slug, operation=_LIST)

    def test_account(self) -> AccountReport:
        """Ask for a token and for the list; the token's own host makes it possible that only one of them answers."""
        token = probes.ask(
            _TOKEN,
            lambda: "Yes" if self._authorization() else "",
            works="The API key is good.",
            fails="Nothing works: check the client id and secret, and whether the key has expired.",
        )
        if not token.ok:
            return AccountReport((token,))
        listed = probes.ask(
            _LIST,
            lambda: probes.counted(self._items({})),
            works="Sync works.",
            fails="Nothing can be mirrored: the key's role may not see integrations.",
        )
        return AccountReport((token, listed))

    def search_integrations(self, filters: Mapping[str, str], cursor: str = "") -> SearchAnswer:
        """Ask Torq for the integrations of one type; `cursor` counts the hits already shown.

        Source: "List integrations", parameter type_id. Assumed: an unknown type gives an empty list.
        """
        start = parsing.number(cursor) or 0
        type_id = filters.get("type_id", "").strip()
        found = list(islice(self._items({"type_id": type_id} if type_id else {}), start, start + _HITS_A_PAGE + 1))
        page = read_page(found[:_HITS_A_PAGE], self._read, id_field="id")
        hits = tuple(SearchHit(item.remote_id, item.name, item.app) for item in page.items)
        return SearchAnswer(hits, str(start + _HITS_A_PAGE) if len(found) > _HITS_A_PAGE else "", page.bad)

    def _items(self, filters: Mapping[str, str]) -> Iterator[Any]:
        guard = ListGuard(self.slug, _LIST)
        params, page_token = dict(filters), ""
        while True:
            stream = self._http.get_items(_LIST, ("v1alpha", "integrations"), "integrations", params=params)
            count = 0
            for item in stream:
                count += 1
                yield item
            guard.page(page_token, count)
            # The end is an empty token on some of Torq's lists, none at all on others.
            page_token = parsing.identifier(stream.rest.get("next_page_token"))
            if not page_token:
                return
            params["page_token"] = page_token

    def _read(self, document: Mapping[str, Any]) -> RemoteIntegration:
        return self.read_integration(document, self._region)

    # --- the token -----------------------------------------------------------------------------------------------

    def _authorization(self) -> str:
        return f"Bearer {self._tokens.current() or self._tokens.renew(None, self._fetch_token)}"

    def _renewed_authorization(self, refused: str) -> str:
        return f"Bearer {self._tokens.renew(refused.removeprefix('Bearer '), self._fetch_token)}"

    def _fetch_token(self) -> tuple[str, float]:
        """Ask for a token; returns it with its lifetime in seconds. Raises VendorAuthError when the key is refused.

        Source: "Authentication", POST https://auth.torq.io/v1/auth/token with HTTP Basic and client_credentials.
        """
        basic = (self._credential.get("client_id", ""), self._credential.get("client_secret", ""))
        try:
            answer = self._http.post_form(
                _TOKEN, ("v1", "auth", "token"), {"grant_type": "client_credentials"}, basic=basic
            )
        except VendorRejectedError as error:
            # RFC 6749 lets a server say 400 where a key is refused.
            if any(code in ("invalid_client", "unauthorized_client") for code, _, _ in error.reasons):
                raise VendorAuthError(
                    "The vendor refuses the secret.", vendor=self.slug, operation=_TOKEN, status=error.status
                ) from None
            raise
        document = parsing.document(answer.document)
        token = parsing.identifier(document.get("access_token"), 4096)
        if not token or not token.isascii() or " " in token:
            raise self._http.bad_answer(_TOKEN, "The answer holds no token.", answer)
        seconds = parsing.number(document.get("expires_in")) or _UNSAID_TOKEN_SECONDS
        return token, float(min(max(seconds, 1), _LONGEST_TOKEN_SECONDS))


def _read_reasons(_status: int, document: Any) -> list[tuple[str, str, str]]:
    """Torq's API answers {code, message, details}, `code` being a gRPC status; its auth host the fields of RFC 6749."""
    fields = parsing.document(document)
    if "error" in fields:
        return [(fields.get("error", ""), "", fields.get("error_description", ""))]
    code = parsing.number(fields.get("code"))
    return [("" if code is None else str(code), "", fields.get("message", ""))]


def _webhook_url(document: Mapping[str, Any]) -> str:
    trigger = parsing.document(parsing.document(document.get("details")).get("trigger"))
    return parsing.identifier(trigger.get("webhook_url"), 2000)


def _shares(direction: str, sharing: Mapping[str, Any]) -> tuple[RemotePart, ...]:
    """The workspaces on the other side: the source of an incoming integration, the destinations of an outgoing one."""
    if direction == "not_shared":
        return ()
    words = _SHARING_WORDS.get(direction, direction)
    return tuple(
        RemotePart(PartKind.SHARE, workspace_id, workspace_id, words=words)
        for workspace_id in dict.fromkeys(parsing.texts(sharing.get("workspace_ids")))
    )


def _aliases(*texts: str) -> tuple[str, ...]:
    """What may be pasted to find it. A webhook address is a secret, yet what people have at hand: kept as a digest."""
    return tuple(dict.fromkeys(text for text in texts if text))
