"""Reading what belongs to an integration, all pages of it, up to a few thousand.

Source: Celigo help, "Integration API endpoints", "Error management"; developer.celigo.com, "Pagination". `kinds` says
what there is to read, `items` what each thing means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar

from integrations_app.vendors.base import BadItem
from integrations_app.vendors.capabilities import ListingKind, RemoteItem, RemoteListing
from integrations_app.vendors.celigo import dependencies, items
from integrations_app.vendors.celigo.calls import PAGE_SIZE, Calls, absolute
from integrations_app.vendors.celigo.kinds import LISTINGS
from integrations_app.vendors.celigo.reading import ID_LENGTH
from integrations_app.vendors.celigo.steps import INSTALL, STATUSES, UNINSTALL
from integrations_app.vendors.errors import (
    VendorForbiddenError,
    VendorNotFoundError,
    VendorRejectedError,
    VendorResponseError,
)
from integrations_app.vendors.http import Answer
from integrations_app.vendors.listing import ListGuard
from integrations_app.vendors.parsing import document as object_of
from integrations_app.vendors.parsing import documents, identifier, moment, number, text

# Nobody reads on after this many; what is beyond them is said to be there.
MOST_ROWS = 3000
_MOST_PAGES = 200
# Each flow with errors is a call of its own.
_MOST_FLOWS = 300

# kind -> (last part of the address, what reads one document of it).
_LISTS: Mapping[str, tuple[str, Callable[[Mapping[str, Any]], RemoteItem]]] = {
    "flows": ("flows", items.flow),
    "exports": ("exports", items.step_resource),
    "imports": ("imports", items.step_resource),
    "connections": ("connections", items.connection),
    "revisions": ("revisions", items.revision),
}
_STEPS = {"install_steps": INSTALL, "uninstall_steps": UNINSTALL}
_PAGED = {"limit": str(PAGE_SIZE)}
_NOTHING: Mapping[str, str] = {}


class Listings(Calls):
    """SupportsListings."""

    listings: ClassVar[tuple[ListingKind, ...]] = LISTINGS

    def read_listing(self, kind: str, remote_id: str, scope: str = "") -> RemoteListing:
        """All things of one kind. KeyError for a kind that `listings` has not, VendorRejectedError for a bad scope.

        Source: Celigo help, "Integration API endpoints": a list each, paged by its Link header; 204 for none, and 201
        for install steps.
        """
        if kind in _LISTS:
            segment, read = _LISTS[kind]
            return self._listed(f"list {segment}", ("integrations", remote_id, segment), read)
        if kind in _STEPS:
            return self._steps(kind, remote_id)
        match kind:
            case "account_connections":
                return self._listed("list connections", ("connections",), items.connection)
            case "people":
                return self._listed("list people", ("integrations", remote_id, "ashares"), _person_of(remote_id))
            case "audit":
                return self._audit(remote_id)
            case "dependencies":
                return self._dependencies(remote_id)
            case "errors":
                return self._errors(remote_id)
            case "error_records":
                return self._error_records(scope)
        raise KeyError(kind)

    # --- lists by Link header --------------------------------------------------------------------------------------

    def _rows(
        self, operation: str, segments: tuple[str, ...], params: Mapping[str, str] = _NOTHING, **options: Any
    ) -> tuple[list[Any], bool]:
        """The raw items of a list, and whether they are all."""
        return _collected(self._pages(operation, segments, params, **options))

    def _listed(
        self, operation: str, segments: tuple[str, ...], read: Callable[[Mapping[str, Any]], RemoteItem]
    ) -> RemoteListing:
        rows, is_whole = self._rows(operation, segments, _PAGED)
        return _read(rows, lambda document: (read(document),), is_whole=is_whole)

    def _audit(self, remote_id: str) -> RemoteListing:
        """The audit log of an integration, a row for each field that changed; the vendor's own order.

        Source: Celigo's web app. Assumed: it takes no page size, as every source disagrees on its parameters.
        """
        rows, is_whole = self._rows("read the audit log", ("integrations", remote_id, "audit"))
        listing = _read(rows, items.audit_rows, is_whole=is_whole)
        if len(listing.items) > MOST_ROWS:
            return RemoteListing(listing.items[:MOST_ROWS], listing.bad, is_whole=False)
        return listing

    def _steps(self, kind: str, remote_id: str) -> RemoteListing:
        """Steps in their order; what is no object is set aside, its place being kept."""
        segment = _STEPS[kind]
        rows, is_whole = self._rows(f"read {segment}", ("integrations", remote_id, segment), expect=STATUSES)
        good = items.steps(object_of(row) for row in rows)
        kept = tuple(item for item, row in zip(good, rows, strict=True) if isinstance(row, dict))
        bad = tuple(_not_an_object(row) for row in rows if not isinstance(row, dict))
        return RemoteListing(kept, bad, is_whole)

    def _dependencies(self, remote_id: str) -> RemoteListing:
        """What uses the integration and what it uses, from whatever shape the answer has.

        Source: Celigo help says no more than "resources using or used by"; an empty answer means none.
        """
        operation = "read dependencies"
        answer = self._http.get(operation, ("integrations", remote_id, "dependencies"), expect=(200, 204))
        if answer.status != 204 and not isinstance(answer.document, dict | list):
            raise self._http.bad_answer(operation, "The answer names no dependencies.", answer)
        found = tuple(dependencies.read(answer.document, remote_id))
        return RemoteListing(found[:MOST_ROWS], is_whole=len(found) <= MOST_ROWS)

    # --- errors ----------------------------------------------------------------------------------------------------

    def _errors(self, remote_id: str) -> RemoteListing:
        """Open errors by flow and step. Only flows that have some are asked, a few hundred at most.

        Source: clients in use, GET /integrations/<_id>/errors (counts by flow); a live probe, GET /flows/<_id>/errors
        (counts by step).
        """
        rows, is_whole = self._rows("count errors", ("integrations", remote_id, "errors"))
        counts = [row for row in documents(rows) if (number(row.get("numError")) or 0) > 0]
        if not counts:
            return RemoteListing((), is_whole=is_whole)
        names = self._names(remote_id)
        good: list[RemoteItem] = []
        bad: list[BadItem] = []
        for count in counts[:_MOST_FLOWS]:
            flow_id = identifier(count.get("_flowId"), ID_LENGTH)
            found = self._errors_of(flow_id, names) if flow_id else ()
            good += found
            if not found:
                open_errors = number(count.get("numError"))
                bad.append(BadItem(flow_id, f"Celigo counts {open_errors} errors here, but names no step.", count))
        return RemoteListing(tuple(good), tuple(bad), is_whole and len(counts) <= _MOST_FLOWS)

    def _errors_of(self, flow_id: str, names: Mapping[str, str]) -> tuple[RemoteItem, ...]:
        operation = "count a flow's errors"
        try:
            answer = self._http.get(operation, ("flows", flow_id, "errors"), expect=(200, 204))
        except VendorNotFoundError:
            return ()  # deleted meanwhile, or hidden from this token
        found = object_of(answer.document).get("flowErrors")
        if answer.status != 204 and not isinstance(found, list):
            raise self._http.bad_answer(operation, "The answer counts no errors.", answer)
        return tuple(filter(None, (_step_errors(each, flow_id, names) for each in documents(found))))

    def _names(self, remote_id: str) -> dict[str, str]:
        """The names of an integration's flows and steps by id; what this token may not list goes by its id."""
        names: dict[str, str] = {}
        for segment in ("flows", "exports", "imports"):
            try:
                rows, _ = self._rows(f"list {segment}", ("integrations", remote_id, segment), _PAGED)
            except (VendorForbiddenError, VendorNotFoundError, VendorRejectedError, VendorResponseError):
                continue
            for row in documents(rows):
                names[identifier(row.get("_id"), ID_LENGTH)] = text(row.get("name"), 300)
        return names

    def _error_records(self, scope: str) -> RemoteListing:
        """The open error records of one step, all pages.

        Source: Celigo help, "Error management", GET /flows/<_id>/<step id>/errors; the next page's address, relative or
        not, is in the body (developer.celigo.com, "Pagination").
        """
        operation = "list error records"
        flow_id, _, step_id = scope.partition("/")
        if not flow_id or not step_id or "/" in step_id:
            raise self._refused(operation, "This does not name a step of a flow.")
        rows, is_whole = _collected(self._record_pages(operation, flow_id, step_id))
        return _read(rows, lambda each: (items.error_record(each),), id_field="errorId", is_whole=is_whole)

    def _record_pages(self, operation: str, flow_id: str, step_id: str) -> Iterator[tuple[list[Any], bool]]:
        guard = ListGuard(self.slug, operation)
        answer = self._http.get(operation, ("flows", flow_id, step_id, "errors"), expect=(200, 204))
        while answer.status != 204:
            page, following = object_of(answer.document).get("errors"), _following(answer)
            if not isinstance(page, list):
                raise self._http.bad_answer(operation, "The answer has no list of errors.", answer)
            guard.page(answer.url, len(page))
            yield page, bool(following)
            if not following:
                return
            if following == answer.url:
                raise self._http.bad_answer(operation, "The list's next page is the same page again.", answer)
            answer = self._http.follow(operation, following, after=answer, expect=(200, 204))


def _collected(pages: Iterator[tuple[list[Any], bool]]) -> tuple[list[Any], bool]:
    """The raw items of some pages, and whether they are all; reading stops at a few thousand."""
    rows: list[Any] = []
    for count, (page, has_more) in enumerate(pages, 1):
        rows += page
        if len(rows) > MOST_ROWS or (has_more and (count >= _MOST_PAGES or len(rows) == MOST_ROWS)):
            return rows[:MOST_ROWS], False
    return rows, True


def _following(answer: Answer) -> str:
    """The address of the next page as the body gives it, absolute; "" on the last page."""
    url = object_of(answer.document).get("nextPageURL")
    return absolute(answer.url, url) if isinstance(url, str) and url else ""


def _read(
    rows: Iterable[Any],
    read: Callable[[Mapping[str, Any]], Iterable[RemoteItem]],
    *,
    is_whole: bool,
    id_field: str = "_id",
) -> RemoteListing:
    """Read raw items; one that cannot be read is set aside with the reason."""
    good: list[RemoteItem] = []
    bad: list[BadItem] = []
    for row in rows:
        if not isinstance(row, dict):
            bad.append(_not_an_object(row))
            continue
        try:
            good.extend(read(row))
        except VendorResponseError as error:
            bad.append(BadItem(identifier(row.get(id_field), ID_LENGTH), error.message, row))
    return RemoteListing(tuple(good), tuple(bad), is_whole)


def _not_an_object(row: Any) -> BadItem:
    return BadItem("", "The item is not an object.", row)


def _person_of(integration_id: str) -> Callable[[Mapping[str, Any]], RemoteItem]:
    return lambda document: items.person(document, integration_id)


def _step_errors(count: Mapping[str, Any], flow_id: str, names: Mapping[str, str]) -> RemoteItem | None:
    """The open errors of one step, None when there are none or it is not said which step it is."""
    step_id = identifier(count.get("_expOrImpId"), ID_LENGTH)
    open_errors = number(count.get("numError")) or 0
    if not step_id or open_errors <= 0:
        return None
    flow, step = names.get(flow_id) or flow_id, names.get(step_id) or step_id
    last = moment(count.get("lastErrorAt"))
    values = {
        "flow": flow,
        "flow_id": flow_id,
        "step": step,
        "step_id": step_id,
        "count": open_errors,
        "last_error_at": last.isoformat() if last else "",
    }
    return RemoteItem(f"{flow_id}/{step_id}", f"{flow}: {step}", values, count, last)
