"""Lists: one that does not end is ended, and an item that cannot be read is set aside instead of losing the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from integrations_app.vendors import parsing
from integrations_app.vendors.base import BadItem, RemoteIntegration, RemotePage
from integrations_app.vendors.errors import VendorResponseError

# Pages in which an unpaged list is handed on: enough for one bulk write, little enough to hold.
PAGE_ITEMS = 200


class ListGuard:
    """Ends a list that does not end: a cursor seen before, too many pages, too many items."""

    def __init__(self, vendor: str, operation: str, *, max_pages: int = 20_000, max_items: int = 2_000_000) -> None:
        self._vendor, self._operation = vendor, operation
        self._max_pages, self._max_items = max_pages, max_items
        self._seen: set[int] = set()
        self._pages = self._items = 0

    def page(self, cursor: str, items: int = 0) -> None:
        """Note one page, `cursor` being what it was asked with ("" for the first); raises VendorResponseError."""
        self._pages += 1
        self._items += items
        # Hashes, so that a vendor's long cursors are not kept by the thousand.
        if hash(cursor) in self._seen:
            raise self._error("The list leads back to a page that was read already.")
        self._seen.add(hash(cursor))
        if self._pages > self._max_pages or self._items > self._max_items:
            raise self._error("The list does not end.")

    def _error(self, why: str) -> VendorResponseError:
        return VendorResponseError(why, vendor=self._vendor, operation=self._operation)


def read_page(
    items: Iterable[Any],
    read: Callable[[Mapping[str, Any]], RemoteIntegration],
    *,
    id_field: str,
    total: int | None = None,
) -> RemotePage:
    """Read one page of raw items; those that `read` refuses with VendorResponseError are quarantined with its text."""
    good: list[RemoteIntegration] = []
    bad: list[BadItem] = []
    for item in items:
        if not isinstance(item, dict):
            bad.append(BadItem("", "The item is not an object.", item))
            continue
        try:
            good.append(read(item))
        except VendorResponseError as error:
            bad.append(BadItem(parsing.identifier(item.get(id_field)), error.message, item))
    return RemotePage(tuple(good), tuple(bad), total)


def in_pages(items: Iterable[Any], size: int = PAGE_ITEMS) -> Iterator[list[Any]]:
    """Cut an endless list into pages of `size`; a list without items is one empty page."""
    iterator = iter(items)
    page = list(islice(iterator, size))
    yield page
    while len(page) == size and (page := list(islice(iterator, size))):
        yield page
