"""Celigo's lists: bare arrays in pages that a `Link` header joins. Source: developer.celigo.com, "Pagination"."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlencode

from integrations_app.simulator.celigo.call import Call
from integrations_app.simulator.celigo.documents import Document
from integrations_app.simulator.celigo.errors import failed
from integrations_app.simulator.celigo.projection import Projection
from integrations_app.simulator.wire import Response

LARGEST_PAGE = 1000

# Positions from an offset on, and what stands there; None is passed over.
Places = Callable[[int], Iterable[tuple[int, Document | None]]]


def integrations(call: Call) -> Response:
    """The account's integrations that the token may see."""
    if call.switch("include_brackets_fail") and call.request.param("include[]") is not None:
        raise failed(500, "internal_error", "Unexpected error.")
    projection = Projection(call.request)
    limit, offset = _limit(call), _offset(call)
    sandbox = call.flag("sandbox")

    def keep(document: Document) -> bool:
        if sandbox is not None and bool(document.get("sandbox")) != sandbox:
            return False
        return call.may_see(document.get("_id"))

    page = call.shelf.items.page(offset, limit, render=projection.apply, keep=keep)
    return _answer(call, page.items, page.next_offset, is_204=call.switch("empty_list_is_204"))


def documents(call: Call, found: list[Document], *, is_204_when_empty: bool = False) -> Response:
    """A list that is at hand."""
    return places(call, lambda first: enumerate(found[first:], first), is_204_when_empty=is_204_when_empty)


def places(call: Call, places_from: Places, *, is_204_when_empty: bool = False) -> Response:
    """A list that is gone through from an offset on; makes no more than one page of it."""
    projection = Projection(call.request)
    limit, offset = _limit(call), _offset(call)
    items: list[Any] = []
    following = None
    for position, document in places_from(offset):
        if document is None:
            continue
        if len(items) == limit:
            following = position
            break
        items.append(projection.apply(document))
    return _answer(call, items, following, is_204=is_204_when_empty and call.switch("empty_child_list_is_204"))


def _answer(call: Call, items: list[Any], following: int | None, *, is_204: bool) -> Response:
    limit, offset = _limit(call), _offset(call)
    before = max(0, offset - limit) if offset else None
    links = [(rel, at) for rel, at in (("next", following), ("prev", before)) if at is not None]
    headers = [("Link", ", ".join(_link(call, rel, at, limit) for rel, at in links))] if links else []
    if not items and is_204:
        return Response(204, headers=headers)
    return Response.of_json(items, headers=headers)


def _limit(call: Call) -> int:
    return whole_number(call, "limit", call.switch("default_page_size"), 1, LARGEST_PAGE)


def whole_number(call: Call, name: str, default: int, least: int, most: int) -> int:
    """A number in the query. Raises RefusedError (400)."""
    text = call.request.param(name) or ""
    if not text:
        return default
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1
    if not least <= number <= most:
        raise failed(400, "invalid_query_params", f"{name} must be a whole number from {least} to {most}.", name)
    return number


def _offset(call: Call) -> int:
    after = call.request.param("after")
    return from_after(after) if after else whole_number(call, "skip", 0, 0, 10**9)


def after_of(offset: int) -> str:
    """An opaque place in a list."""
    return base64.urlsafe_b64encode(f"after:{offset}".encode()).decode()


def from_after(text: str) -> int:
    """The offset inside an opaque place. Raises RefusedError (400)."""
    try:
        return max(0, int(base64.urlsafe_b64decode(text.encode()).decode().removeprefix("after:")))
    except (ValueError, binascii.Error):
        raise failed(400, "invalid_query_params", "after is not one of ours.", "after") from None


def _link(call: Call, rel: str, offset: int, limit: int) -> str:
    """An absolute address of another page of the same list, every other parameter kept."""
    request = call.request
    kept = [(name, value) for name, value in request.query if name not in ("skip", "after", "limit")]
    place = ("after", after_of(offset)) if call.switch("link_style") == "after" else ("skip", str(offset))
    query = urlencode([*kept, place, ("limit", str(limit))])
    return f'<{request.base_url}{request.path.rstrip("/")}?{query}>; rel="{rel}"'
