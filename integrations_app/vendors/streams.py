"""What is read while it comes in: the items of a long list, the pieces of a file. Both are started by iterating."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from integrations_app.vendors import parsing
from integrations_app.vendors.calls import Call

if TYPE_CHECKING:
    from integrations_app.vendors.http import VendorHTTP


class ItemStream:
    """The items of one long list, read while they come in; `rest` has the answer's other members after the end.

    Iterating makes the call, and raises what a call raises; a list cut off in the middle raises too. Nothing is tried
    again once the answer has begun.
    """

    def __init__(self, http: VendorHTTP, call: Call, field_name: str) -> None:
        self._http, self._call, self._field_name = http, call, field_name
        self.rest: dict[str, Any] = {}

    def __iter__(self) -> Iterator[Any]:
        http, call = self._http, self._call
        response, meter = http._perform(call, lambda response, meter: (response, meter), is_stream=True)
        limits = parsing.JSONLimits(body_bytes=http._limits.item_bytes, depth=http._limits.depth)
        items = parsing.JSONItems(http._pieces(call, response, meter), self._field_name, limits)
        try:
            for item in items:
                meter.hold()
                yield item
                meter.go_on()
        except parsing.JSONError as error:
            raise http._outcomes.unreadable(call, str(error), response) from None
        finally:
            response.close()
        self.rest = items.rest


class FileStream:
    """The bytes of one file, in pieces, as they come in; VendorResponseError once they are more than the limit.

    Iterating makes the call, and raises what a call raises; a file cut off in the middle raises too.
    """

    def __init__(self, http: VendorHTTP, call: Call, limit_bytes: int) -> None:
        self._http, self._call, self._limit_bytes = http, call, limit_bytes

    def __iter__(self) -> Iterator[bytes]:
        http, call = self._http, self._call
        response, meter = http._perform(call, lambda response, meter: (response, meter), is_stream=True)
        left_bytes = self._limit_bytes
        try:
            for piece in http._pieces(call, response, meter):
                left_bytes -= len(piece)
                if left_bytes < 0:
                    raise parsing.JSONError("The file is too large.")
                meter.hold()
                yield piece
                meter.go_on()
        except parsing.JSONError as error:
            raise http._outcomes.unreadable(call, str(error), response) from None
        finally:
            response.close()
