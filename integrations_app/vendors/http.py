"""VendorHTTP, the one way out of the process.

Every call has a deadline over connecting, headers and the whole body, a limit in bytes after decompression and a limit
in depth; it goes to a checked and pinned address, follows no redirect and reads nothing from the environment. Reads are
tried again a few times, writes never. Answers become documents, refusals the errors of `errors.py`; no header and no
body is kept in either.
"""

from __future__ import annotations

import base64
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import orjson
import requests

from integrations_app.vendors import parsing
from integrations_app.vendors.addresses import AddressRefusedError, HostUnknownError, networks, resolved_below
from integrations_app.vendors.base import Connection
from integrations_app.vendors.calls import Answer, Call, Limits
from integrations_app.vendors.errors import (
    VendorAddressError,
    VendorAuthError,
    VendorError,
    VendorOutcomeUnknownError,
    VendorPausedError,
    VendorRateLimitError,
    VendorResponseError,
    VendorUnavailableError,
)
from integrations_app.vendors.outcomes import Outcomes, ReadReasons, request_id
from integrations_app.vendors.streams import FileStream, ItemStream
from integrations_app.vendors.transport import NETWORK_ERRORS, Meter, Transport

__all__ = ["Answer", "ItemStream", "Limits", "VendorHTTP"]

Params = Mapping[str, str] | Sequence[tuple[str, str]]
T = TypeVar("T")
E = TypeVar("E", bound=VendorError)

_CHUNK_BYTES = 64 * 1024
_ELSEWHERE = "The vendor's next page leads somewhere else."


class VendorHTTP:
    """Calls one vendor for one account. Keeps connections alive between calls; not for use by several threads.

    `authorize` gives the Authorization header's value and is asked once per call; `reauthorize`, given the refused
    value, gives another, with which a call refused with 401 is tried once more. `reasons` reads a vendor's error body
    (None when it is not JSON) into (code, field, text) of any type; what it finds is redacted, cut and counted here.
    """

    def __init__(
        self,
        vendor: str,
        connection: Connection,
        *,
        headers: Mapping[str, str] | None = None,
        authorize: Callable[[], str] | None = None,
        reauthorize: Callable[[str], str] | None = None,
        reasons: ReadReasons | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._vendor = vendor
        self._hosts = connection.region.hosts
        self._budget, self._breaker = connection.budget, connection.breaker
        self._secrets = tuple(value for value in connection.credential.values() if value)
        self._headers = {"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": "integrations-console"}
        self._headers.update(headers or {})
        self._authorize, self._reauthorize = authorize, reauthorize
        self._limits = limits or Limits()
        self._outcomes = Outcomes(vendor, reasons, self._limits)
        self._transport = Transport(networks(connection.allowed_networks), connection.ca_bundle)

    # --- what a client calls -------------------------------------------------------------------------------------

    def get(
        self,
        operation: str,
        segments: tuple[str, ...],
        *,
        host: str = "api",
        params: Params = (),
        expect: Sequence[int] = (200,),
    ) -> Answer:
        """Read one document. `segments` are the parts of the path, percent-encoded here one by one."""
        call = Call(operation, "GET", self._address(operation, host, segments, params), expect)
        return self._perform(call, lambda response, meter: self._answer(call, response, meter))

    def follow(
        self,
        operation: str,
        url: str,
        *,
        after: Answer | None = None,
        host: str = "api",
        expect: Sequence[int] = (200,),
    ) -> Answer:
        """Read the next page from an address the vendor gave, relative ones being resolved against `after`.

        It must stay at the same origin and under the same base path: VendorAddressError otherwise.
        """
        call = Call(operation, "GET", self._followed(operation, url, after, host, _ELSEWHERE), expect)
        return self._perform(call, lambda response, meter: self._answer(call, response, meter))

    def get_items(
        self, operation: str, segments: tuple[str, ...], field_name: str, *, host: str = "api", params: Params = ()
    ) -> ItemStream:
        """Read a list of any length from one answer, item by item, without holding it whole."""
        call = Call(operation, "GET", self._address(operation, host, segments, params))
        return ItemStream(self, call, field_name)

    def get_file(self, operation: str, url: str, *, host: str = "files", limit_bytes: int) -> FileStream:
        """Read a file of up to `limit_bytes` from a signed address the vendor gave, in pieces, without `authorize`.

        The address must stay at the origin and below the base of the role; VendorAddressError otherwise, at once.
        """
        headers = {"Accept": "*/*", "Accept-Encoding": "identity"}
        url = self._followed(operation, url, None, host, "The vendor's file is somewhere else.")
        return FileStream(self, Call(operation, "GET", url, headers=headers, is_authorized=False), limit_bytes)

    def ask(
        self,
        operation: str,
        method: str,
        segments: tuple[str, ...],
        *,
        host: str = "api",
        expect: Sequence[int] = (200,),
    ) -> Answer:
        """Ask by another method than GET what changes nothing, so that it may be tried again like any read."""
        call = Call(operation, method, self._address(operation, host, segments, ()), expect)
        return self._perform(call, lambda response, meter: self._answer(call, response, meter))

    def post_form(
        self,
        operation: str,
        segments: tuple[str, ...],
        fields: Mapping[str, str],
        *,
        host: str = "auth",
        basic: tuple[str, str] | None = None,
        expect: Sequence[int] = (200,),
    ) -> Answer:
        """Send a form that changes nothing (a token request), so that it may be tried again; without `authorize`."""
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if basic:
            headers["Authorization"] = _basic(*basic)
        url = self._address(operation, host, segments, ())
        call = Call(operation, "POST", url, expect, headers, urlencode(fields).encode(), is_authorized=False)
        return self._perform(call, lambda response, meter: self._answer(call, response, meter))

    def write(
        self,
        operation: str,
        method: str,
        segments: tuple[str, ...],
        *,
        document: Any = None,
        host: str = "api",
        params: Params = (),
        expect: Sequence[int] = (200, 201, 204),
        seconds: float | None = None,
        needs_answer: bool = True,
    ) -> Answer:
        """Send a change once. Raises VendorOutcomeUnknownError when it was sent and no usable answer came back.

        `seconds` is for a change the vendor may think about for longer than an ordinary call. Without `needs_answer`
        the status alone says that it was done: the body is not read, whatever it is, and `document` is None.
        """
        body = None if document is None else orjson.dumps(document)
        headers = {"Content-Type": "application/json"} if body is not None else {}
        url = self._address(operation, host, segments, params)
        call = Call(operation, method, url, expect, headers, body, is_write=True, seconds=seconds)
        self._transport.forget_connections()
        return self._perform(
            call, lambda response, meter: self._answer(call, response, meter) if needs_answer else _bare(call, response)
        )

    def origin(self, host: str = "api") -> str:
        """The base URL of a role; raises VendorAddressError when the region has no such host."""
        base = self._hosts.get(host, "").rstrip("/")
        if not base.startswith(("https://", "http://")):
            raise VendorAddressError(f'The region has no "{host}" address.', vendor=self._vendor)
        return base

    def bad_answer(self, operation: str, why: str, answer: Answer | None = None) -> VendorResponseError:
        """An error to raise when an answer parsed but is not what the vendor documents."""
        return self._about(VendorResponseError(why, vendor=self._vendor, operation=operation), answer)

    def unknown_outcome(self, operation: str, why: str, answer: Answer) -> VendorOutcomeUnknownError:
        """An error to raise when the answer to a write parsed, but does not say what is needed of it."""
        return self._about(VendorOutcomeUnknownError(why, vendor=self._vendor, operation=operation), answer)

    def _about(self, error: E, answer: Answer | None) -> E:
        if answer:
            error.status, error.request_id = answer.status, answer.request_id
        return error

    def close(self) -> None:
        self._transport.close()

    # --- addresses -----------------------------------------------------------------------------------------------

    def _address(self, operation: str, host: str, segments: tuple[str, ...], params: Params) -> str:
        for segment in segments:
            # The HTTP stack folds dots and empty segments away, encoded or not, so such a path would become another.
            if segment in ("", ".", ".."):
                raise VendorAddressError("This is not an id.", vendor=self._vendor, operation=operation)
        path = "/".join(quote(segment.encode("utf-8", "replace"), safe="") for segment in segments)
        query = urlencode(list(params.items()) if isinstance(params, Mapping) else list(params), errors="replace")
        return f"{self.origin(host)}/{path}" + (f"?{query}" if query else "")

    def _followed(self, operation: str, url: str, after: Answer | None, host: str, why: str) -> str:
        base = self.origin(host)
        target = resolved_below(base, url, after.url if after else f"{base}/")
        if target is None:
            raise VendorAddressError(why, vendor=self._vendor, operation=operation)
        return target

    # --- attempts ------------------------------------------------------------------------------------------------

    def _perform(self, call: Call, finish: Callable[[requests.Response, Meter], T], *, is_stream: bool = False) -> T:
        """Make a call, again where that is allowed, and return what `finish` makes of the answer."""
        authorization = self._authorize() if self._authorize and call.is_authorized else ""
        can_renew = self._reauthorize is not None and call.is_authorized
        meter = self._meter(call, is_stream)
        retries_left = 0 if call.is_write else self._limits.retries
        failure: VendorError | None = None
        while True:
            if (held := self._held(call)) is not None:
                # Where the breaker opened over this very call, what the vendor answered says more.
                raise failure if failure and isinstance(held, VendorPausedError) else held
            result = self._attempt(call, authorization, meter, finish)
            if not isinstance(result, VendorError):
                return result
            if can_renew and self._reauthorize and isinstance(result, VendorAuthError) and result.status == 401:
                # A 401 means that nothing was done, so even a write may go out again.
                can_renew = False
                authorization = self._reauthorize(authorization)
                continue
            pause = self._pause(result, retries_left)
            if pause is None or not _has_time(meter, pause):
                raise result
            retries_left, failure = retries_left - 1, result
            time.sleep(pause)

    def _meter(self, call: Call, is_stream: bool) -> Meter:
        limits = self._limits
        return Meter(
            seconds=call.seconds or (limits.stream_seconds if is_stream else limits.call_seconds),
            # A vendor that thinks for minutes sends nothing meanwhile.
            idle_seconds=call.seconds or limits.idle_seconds,
            connect_seconds=limits.connect_seconds,
            # Headers are counted too: a little more than the largest body.
            limit_bytes=(limits.stream_bytes if is_stream else limits.body_bytes) + 1024 * 1024,
        )

    def _held(self, call: Call) -> VendorError | None:
        """Ask breaker and budget; their error when the call must not be made now."""
        try:
            if self._breaker:
                self._breaker.check()
            if self._budget:
                self._budget.take()
        except VendorError as error:
            error.vendor, error.operation = error.vendor or self._vendor, error.operation or call.operation
            return error.with_traceback(None)
        return None

    def _attempt(
        self, call: Call, authorization: str, meter: Meter, finish: Callable[[requests.Response, Meter], T]
    ) -> T | VendorError:
        """Make one attempt. Errors are returned, to be raised where no exception of the HTTP stack is at hand:
        those hold the request with its headers, and would ride along as context.
        """
        meter.restart_count()
        self._transport.use(meter)
        request = self._prepared(call, authorization)
        if isinstance(request, VendorError):
            return request
        response: requests.Response | None = None
        try:
            response = self._transport.fetch(request)
            if response.status_code in call.expect:
                result: T | VendorError = finish(response, meter)
            else:
                result = self._refusal(call, response, meter, authorization)
        except VendorError as error:
            result = error.with_traceback(None)
        except AddressRefusedError as error:
            result = self._outcomes.refused_address(call, str(error))
        except HostUnknownError as error:
            result = self._outcomes.unavailable(call, str(error))
        except NETWORK_ERRORS as error:
            result = self._outcomes.broken(call, meter, error)
        if response is not None and isinstance(result, VendorError):
            response.close()
        self._tell_breaker(result)
        return result

    def _prepared(self, call: Call, authorization: str) -> requests.PreparedRequest | VendorError:
        headers = {**self._headers, **call.headers}
        if authorization:
            headers["Authorization"] = authorization
        if not all(value.isascii() and value.isprintable() for value in headers.values()):
            # requests would quote the header in its exception.
            return self._outcomes.refused_secret(call, "The secret holds characters that cannot be sent.")
        try:
            return requests.Request(call.method, call.url, headers=headers, data=call.body).prepare()
        except (requests.RequestException, ValueError):
            return self._outcomes.refused_address(call, "The address cannot be used.")

    def _tell_breaker(self, result: object) -> None:
        if self._breaker is None or isinstance(result, VendorAddressError):
            return
        if isinstance(result, VendorUnavailableError | VendorOutcomeUnknownError):
            self._breaker.failed()
        else:
            self._breaker.succeeded()

    def _pause(self, error: VendorError, retries_left: int) -> float | None:
        """Seconds to wait before another attempt, None when there is to be none."""
        if retries_left <= 0:
            return None
        if isinstance(error, VendorRateLimitError):
            seconds = error.retry_after_seconds
        elif isinstance(error, VendorUnavailableError):
            tries = self._limits.retries - retries_left
            seconds = max(error.retry_after_seconds, self._limits.backoff_seconds * 2**tries)
        else:
            return None
        # Jitter keeps workers that failed together from coming back together.
        return seconds * random.uniform(1.0, 1.2) if seconds <= self._limits.patience_seconds else None  # nosec B311  # spreads retries, guards nothing

    # --- answers -------------------------------------------------------------------------------------------------

    def _answer(self, call: Call, response: requests.Response, meter: Meter) -> Answer:
        try:
            body = self._body(call, response, meter, self._limits.body_bytes)
            limits = parsing.JSONLimits(body_bytes=self._limits.body_bytes, depth=self._limits.depth)
            document = parsing.parse_json(body, limits) if body.strip() else None
        except parsing.JSONError as error:
            raise self._outcomes.unreadable(call, str(error), response) from None
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status_code, document, headers, call.url, request_id(response))

    def _body(self, call: Call, response: requests.Response, meter: Meter, limit_bytes: int) -> bytes:
        pieces: list[bytes] = []
        for piece in self._pieces(call, response, meter):
            pieces.append(piece)
            limit_bytes -= len(piece)
            if limit_bytes < 0:
                raise parsing.JSONError("The answer is too large.")
        return b"".join(pieces)

    def _pieces(self, call: Call, response: requests.Response, meter: Meter) -> Iterator[bytes]:
        """The body, decompressed, in pieces of bounded size; raises JSONError and VendorErrors."""
        unzipper = parsing.Unzipper(response.headers.get("content-encoding", ""))
        has_bytes = False
        while chunk := self._chunk(call, response, meter):
            has_bytes = True
            yield from unzipper.feed(chunk)
        if has_bytes and not unzipper.is_complete:
            raise self._outcomes.unavailable(call, "The answer was cut off.", was_sent=True)

    def _chunk(self, call: Call, response: requests.Response, meter: Meter) -> bytes:
        self._transport.use(meter)
        problem: VendorError
        try:
            # urllib3's own decompression and its chunked reader know no limits; http.client's plain read does.
            chunk: bytes = response.raw.read(_CHUNK_BYTES, decode_content=False)
            return chunk
        except NETWORK_ERRORS as error:
            problem = self._outcomes.broken(call, meter, error)
        raise problem

    def _refusal(self, call: Call, response: requests.Response, meter: Meter, authorization: str) -> VendorError:
        secrets = (*self._secrets, *authorization.split()[1:])
        error = self._outcomes.refusal(call, response, lambda: self._error_document(call, response, meter), secrets)
        asks_to_wait = isinstance(error, VendorRateLimitError | VendorUnavailableError) and error.retry_after_seconds
        if self._budget and asks_to_wait:
            self._budget.refuse_until(asks_to_wait)
        return error

    def _error_document(self, call: Call, response: requests.Response, meter: Meter) -> Any:
        """The parsed body of a refusal, None when it is not JSON or too much of it."""
        try:
            body = self._body(call, response, meter, self._limits.error_bytes)
            return parsing.parse_json(body, parsing.JSONLimits(depth=self._limits.depth))
        except (parsing.JSONError, VendorError):
            return None


def _bare(call: Call, response: requests.Response) -> Answer:
    """An answer of which the status is all that counts; its body stays unread."""
    response.close()
    return Answer(response.status_code, None, {}, call.url, request_id(response))


def _has_time(meter: Meter, pause: float) -> bool:
    try:
        return meter.left() > pause
    except TimeoutError:
        return False


def _basic(name: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()
