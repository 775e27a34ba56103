"""A listing's tab: what belongs to an integration of one kind, as it was last read, with search and pages.

No page here asks the vendor. Whoever may sync has the tab ask for a reading by a POST of its own when what it shows is
old, and watches the job; everybody else sees what there is, how old it is, and why they cannot ask.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_POST
from django_htmx.http import trigger_client_event

from console.access import policy
from console.access.decorators import requires
from console.access.permissions import Permission
from console.http import TenantRequest, wants_fragment
from integrations_app.models import Integration, Job, Listing, VendorAccount
from integrations_app.services import listings
from integrations_app.services.documents import is_secret_mark
from integrations_app.vendors.base import FieldKind
from integrations_app.vendors.capabilities import ListingColumn, ListingKind
from integrations_app.views import connection
from integrations_app.views.starting import job_started

# The kind that stands where the tab of the connection stands at a vendor that lists none.
CONNECTIONS = "connections"

ROWS_SHOWN = 100
# Longer texts are cut in the table; the row's document has them whole.
TEXT_SHOWN = 400
LIST_SHOWN = 6
QUERY_LENGTH = 200


@dataclass(frozen=True)
class Cell:
    """One value of a row. `kind` picks how the template draws it; `words` are a truth's ("Online"), `mark` its
    shape.
    """

    column: str
    label: str
    kind: str
    value: Any = None
    moment: datetime | None = None
    words: str = ""
    mark: str = ""
    more: int = 0
    is_number: bool = False


@dataclass
class Row:
    """One thing of the listing; `document` is its redacted document when it is unfolded, `actions` what to do with it.

    `key` is what the address names it by.
    """

    key: str
    name: str
    cells: list[Cell]
    values: Mapping[str, Any]
    has_document: bool
    is_open: bool = False
    document: Any = None
    actions: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Shown:
    """The rows of one page of a listing, and where they stand among those that match."""

    rows: list[Row]
    first: int
    matching: int
    page: int
    last_page: int

    @property
    def last(self) -> int:
        return self.first + len(self.rows) - 1


# --- the tab -----------------------------------------------------------------------------------------------------


def of_kind(integration: Integration, kind: ListingKind) -> Listing | None:
    """The prefetched row of a kind, without its items."""
    return next((row for row in integration.listings.all() if row.kind == kind.slug), None)


def count(integration: Integration, kind: ListingKind) -> int | None:
    """How many there are; None when nobody has read them yet."""
    row = of_kind(integration, kind)
    return row.count if row is not None and row.read_at is not None else None


def as_of(integration: Integration, kind: ListingKind) -> datetime | None:
    row = of_kind(integration, kind)
    return row.read_at if row is not None else None


def build(request: TenantRequest, integration: Integration, kind: ListingKind) -> dict[str, Any]:
    """The context of `integrations/tabs/listing.html`; a scoped kind takes its scope from the address."""
    scope = request.GET.get("scope", "")[: listings.SCOPE_LENGTH] if kind.is_scoped else ""
    if kind.is_scoped and not scope:
        raise Http404
    facts_url = ""
    if kind.slug == CONNECTIONS and connection.is_offered(integration):
        facts_url = reverse("integrations:tab", args=[request.tenant.slug, integration.pk, "connection"])
    return {"facts_url": facts_url, **context(request, integration, integration, kind, scope)}


def context(
    request: TenantRequest, integration: Integration, of: Integration | VendorAccount, kind: ListingKind, scope: str
) -> dict[str, Any]:
    """What a page needs to show a listing `of` the integration, or of its account, with the ways to read it anew."""
    listing = listings.find(of, kind.slug, scope)
    job = listings.open_job(of, kind.slug, scope)
    query = request.GET.get("q", "").strip()[:QUERY_LENGTH]
    refusal = _refusal(request, integration)
    return {
        "kind": kind,
        "kind_title": kind.label,
        "scope": scope,
        "listing": listing,
        "listing_job": job,
        "columns": _columns(kind),
        "search": query,
        "shown": shown(request, kind, listing, query),
        "read_url": reverse("integrations:read_listing", args=[request.tenant.slug, integration.pk, kind.slug]),
        "read_refusal": refusal,
        "asks_by_itself": not refusal and _asks_by_itself(request, integration, listing, job),
    }


def _refusal(request: TenantRequest, integration: Integration) -> str:
    if integration.vendor_account.is_removed:
        return "Its vendor account was removed here, so nothing can be asked of the vendor."
    if Permission.INTEGRATION_SYNC not in request.permissions:
        return policy.refusal(Permission.INTEGRATION_SYNC, request.tenant)
    return ""


def _asks_by_itself(request: TenantRequest, integration: Integration, listing: Listing | None, job: Job | None) -> bool:
    """Whether opening this asks for a reading. A page that only looks again does not: a job that was cancelled would
    be asked for without end.
    """
    is_looking_again = request.htmx.target == "listing"
    is_gone = integration.gone_at is not None
    return job is None and not is_looking_again and not is_gone and listings.is_stale(listing)


# --- rows --------------------------------------------------------------------------------------------------------


def _columns(kind: ListingKind) -> list[ListingColumn]:
    return [column for column in kind.columns if column.name != "name"]


def shown(request: TenantRequest, kind: ListingKind, listing: Listing | None, query: str) -> Shown:
    """One page of the rows that hold `query` somewhere."""
    items = listings.items(listing) if listing is not None else []
    found = matching(items, _columns(kind), query)
    last_page = max(1, -(-len(found) // ROWS_SHOWN))
    page = min(max(1, _number(request.GET.get("page", ""))), last_page)
    start = (page - 1) * ROWS_SHOWN
    unfolded = request.GET.get("doc", "")
    rows = [_row(item, _columns(kind)) for item in found[start : start + ROWS_SHOWN]]
    chosen = next((number for number, row in enumerate(rows) if unfolded and row.key == unfolded), None)
    if chosen is not None:
        rows[chosen].is_open = True
        rows[chosen].document = found[start + chosen]["raw"]
    return Shown(rows, start + 1, len(found), page, last_page)


def matching(
    items: Sequence[Mapping[str, Any]], columns: Sequence[ListingColumn], query: str
) -> list[Mapping[str, Any]]:
    """The items whose name, id or shown values contain `query`, whatever its case; all of them for ""."""
    wanted = query.casefold()
    if not wanted:
        return list(items)
    names = [column.name for column in columns]
    return [item for item in items if wanted in _text(item, names)]


def _text(item: Mapping[str, Any], names: Sequence[str]) -> str:
    values = [item["name"], item["remote_id"], *(item["values"].get(name) for name in names)]
    return "\n".join(str(value) for value in values if value is not None).casefold()


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else 1


def _row(item: Mapping[str, Any], columns: Sequence[ListingColumn]) -> Row:
    values = item["values"]
    cells = [_cell(column, values.get(column.name)) for column in columns]
    return Row(item["remote_id"], item["name"], cells, values, has_document=bool(item["raw"]))


# What the truths are called that every vendor's listing may have: (when true, when false), each a state's name too.
_TRUTHS = {"is_on": ("On", "Off"), "is_online": ("Online", "Offline")}


def _cell(column: ListingColumn, value: Any) -> Cell:
    def cell(kind: str, shown: Any = None, **more: Any) -> Cell:
        return Cell(column.name, column.label, kind, shown, **more)

    if value is None or value == "" or value == []:
        return cell("empty", is_number=column.kind is FieldKind.NUMBER)
    if is_secret_mark(value):
        return cell("secret", value["$secret"])
    if isinstance(value, bool):
        return _truth(column, value)
    if isinstance(value, int | float):
        return cell("number", f"{value:,}")
    if isinstance(value, list) and all(isinstance(one, str | int | float) for one in value):
        return cell("list", value[:LIST_SHOWN], more=max(0, len(value) - LIST_SHOWN))
    if not isinstance(value, str):
        return cell("document", value)
    if column.kind is FieldKind.TIME and (moment := _moment(value)) is not None:
        return cell("time", value, moment=moment)
    if column.kind is FieldKind.CODE:
        return cell("code", value)
    return cell("text", value if len(value) <= TEXT_SHOWN else f"{value[:TEXT_SHOWN]}…")


def _truth(column: ListingColumn, value: bool) -> Cell:
    when_true, when_false = _TRUTHS.get(column.name, ("Yes", "No"))
    words = when_true if value else when_false
    # A plain "no" is no fault: it has the shape of something that is off.
    mark = words.lower() if column.name in _TRUTHS else "on" if value else "off"
    return Cell(column.name, column.label, "truth", value, words=words, mark=mark)


def _moment(text: str) -> datetime | None:
    try:
        moment = parse_datetime(text)
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo is not None else None


# --- reading anew ------------------------------------------------------------------------------------------------


@require_POST
@requires(Permission.INTEGRATION_SYNC)
def read(request: TenantRequest, pk: uuid.UUID, kind: str) -> HttpResponse:
    """Ask for a kind to be read; the page that shows it then looks again until that is done.

    `quietly`: the tab asks by itself, and nobody needs to be told.
    """
    integration = find_integration(request, pk)
    scope = request.POST.get("scope", "")[: listings.SCOPE_LENGTH]
    try:
        is_of_account = listings.kind_of(integration.vendor, kind).is_of_account
        of = integration.vendor_account if is_of_account else integration
        job = listings.request(of, kind, by=request.user, scope=scope)
    except (KeyError, ValueError) as error:
        raise Http404 from error
    is_quiet = request.POST.get("quietly") == "1" and wants_fragment(request)
    response = HttpResponse(status=204) if is_quiet else job_started(request, job)
    return trigger_client_event(response, "listing-asked", {})


def find_integration(request: TenantRequest, pk: uuid.UUID) -> Integration:
    """The integration of an address, with its account; 404 for one of another tenant."""
    rows = Integration.objects.for_tenant(request.tenant).select_related(
        "tenant", "vendor_account__tenant", "vendor_account__credential", "vendor_account__gate"
    )
    return get_object_or_404(rows, pk=pk)
