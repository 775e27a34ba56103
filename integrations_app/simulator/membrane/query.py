"""How Membrane reads a query: text coerced as its SDK's schema does, unknown keys dropped without a word."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from integrations_app.simulator.membrane.errors import RefusedError, refused
from integrations_app.simulator.wire import Request
from integrations_app.simulator.world import World

LARGEST_PAGE = 1000
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_CURSOR_MARK = "membrane:"


@dataclass(frozen=True)
class ListQuery:
    """The parameters of `GET /integrations`; `offset` is what the cursor stands for."""

    limit: int
    offset: int
    search: str
    connector_id: str | None
    app_uuid: str | None
    with_archived: bool
    from_connectors: bool
    from_external_apps: bool
    from_web: bool


def read_list_query(request: Request, world: World) -> ListQuery:
    """Read a list's query. Raises RefusedError (400) for a limit, override or cursor that is none."""
    search = (request.param("search") or "").strip()
    everything = _switched_on(request, "all") and world.switch("membrane.all_means")
    by_default = everything == "sources" or (bool(search) and world.switch("membrane.candidates_by_default") != "off")
    return ListQuery(
        limit=_limit(request, world.switch("membrane.default_page_size")),
        offset=_offset(request, world),
        search=search.lower(),
        connector_id=request.param("connectorId"),
        app_uuid=request.param("appUuid"),
        with_archived=truth(request.param("includeArchived")) or everything == "archived",
        from_connectors=_switched_on(request, "connectors", by_default),
        from_external_apps=_switched_on(request, "externalApps", by_default),
        from_web=_switched_on(request, "websearch", by_default),
    )


def truth(text: str | None) -> bool:
    """Membrane's reading of a boolean: false, 0, nothing and the empty text are false, ANY other text is true."""
    return text is not None and text.lower() not in ("", "false", "0")


def cursor_for(offset: int, world: World) -> str:
    """The cursor of the page that begins at `offset`."""
    if world.switch("membrane.cursor_style") == "offset":
        return str(offset)
    return base64.urlsafe_b64encode(f"{_CURSOR_MARK}{offset}".encode()).decode().rstrip("=")


def _offset(request: Request, world: World) -> int:
    """`0` always means the first page: it is how the vendor's SDK begins."""
    text = request.param("cursor")
    if text in (None, "", "0"):
        return 0
    offset = _position(text or "", world.switch("membrane.cursor_style"))
    if offset is None and world.switch("membrane.bad_cursor") == "refused":
        raise refused(400, "cursor is malformed", data={"parameter": "cursor", "received": text})
    return offset or 0


def _position(text: str, style: str) -> int | None:
    if style == "opaque":
        try:
            padded = text.encode("ascii") + b"=" * (-len(text) % 4)
            decoded = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
        except (ValueError, binascii.Error):
            return None
        if not decoded.startswith(_CURSOR_MARK):
            return None
        text = decoded.removeprefix(_CURSOR_MARK)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else None


def _number(text: str) -> float | None:
    """A number as JavaScript's Number() reads text; None where that is NaN."""
    text = text.strip()
    if not text:
        return 0.0
    return float(text) if _NUMBER.fullmatch(text) else None


def _limit(request: Request, default: int) -> int:
    text = request.param("limit")
    if text is None:
        return default
    number = _number(text)
    if number is None or not 1 <= number <= LARGEST_PAGE or number != int(number):
        raise _bad("limit", text, f"limit must be a whole number from 1 to {LARGEST_PAGE}")
    return int(number)


def _switched_on(request: Request, name: str, default: bool = False) -> bool:
    text = request.param(name)
    if text is None:
        return default
    number = _number(text)
    if number is None:
        raise _bad(name, text, f"{name} must be a number")
    return number != 0


def _bad(name: str, text: str, message: str) -> RefusedError:
    return refused(400, message, data={"parameter": name, "received": text})
