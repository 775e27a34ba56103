"""VendorHTTP, the one way out of the process.

Every call has a deadline over connecting, headers and the whole body, a limit in bytes after decompression and a limit
in depth; it goes to a checked and pinned address, follows no redirect and reads nothing from the environment. Reads are
tried again a few times, writes never. Answers become documents, refusals the errors of `errors.py`; no header and no
body is kept in either.
"""

from __future__ import annotations

import base64
import email.utils
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar
from urllib.parse import quote, unquote, urlencode, urljoin, urlsplit

import orjson
import requests

from integrations_app.vendors import parsing
from integrations_app.vendors.addresses import AddressRefusedError, HostUnknownError, networks
from integrations_app.vendors.base import Connection
from integrations_app.vendors.errors import (
    VendorAddressError,
    VendorAuthError,
    VendorError,
    VendorForbiddenError,
    VendorNotFoundError,
    VendorOutcomeUnknownError,
    VendorRateLimitError,
    VendorRejectedError,
    VendorResponseError,
    VendorUnavailableError,
)
from integrations_app.vendors.transport import NETWORK_ERRORS, Meter, Transport

Reasons = Iterable[tuple[str, str, str]]
ReadReasons = Callable[[int, Any], Reasons]
Params = Mapping[str, str] | Sequence[tuple[str, str]]
T = TypeVar("T")

_CHUNK_BYTES = 64 * 1024
_REQUEST_ID_HEADERS = ("x-request-id", "request-id", "x-correlation-id", "x-amzn-requestid")
_ADDRESS_CHARACTERS = 8192
_REASONS_KEPT = 20


@dataclass(frozen=True)
class Limits:
    """What one call may take. `call_seconds` covers all its attempts, `stream_seconds` a list read item by item."""

    call_seconds: float = 60.0
    connect_seconds: float = 5.0
    idle_seconds: float = 30.0
    body_bytes: int = 32 * 1024 * 1024
    error_bytes: int = 64 * 1024
    stream_seconds: float = 1800.0
    stream_bytes: int = 1024 * 1024 * 1024
    item_bytes: int = 8 * 1024 * 1024
    depth: int = 64
    retries: int = 2
    backoff_seconds: float = 0.3
    # A Retry-After up to this is waited for here; a longer one is for the job to wait, without holding a worker.
    patience_seconds: float = 3.0
    retry_after_cap_seconds: float = 900.0


@dataclass(frozen=True)
class Answer:
    """A vendor's answer. `document` is the parsed body, None when there was none; `headers` have lower-case names."""

    status: int
    document: Any = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    url: str = field(repr=False)
    request_id: str = ""


@dataclass(frozen=True, repr=False)
class _Call:
    """One call to make, attempts included. Has no repr: headers and body may hold secrets."""

    operation: str
    method: str
    url: str
    expect: Sequence[int] = (200,)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    is_write: bool = False
    is_authorized: bool = True


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
        self._reasons = reasons
        self._limits = limits or Limits()
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
        call = _Call(operation, "GET", self._address(operation, host, segments, params), expect)
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
        call = _Call(operation, "GET", self._followed(operation, url, after, host), expect)
        return self._perform(call, lambda response, meter: self._answer(call, response, meter))

    def get_items(
        self, operation: str, segments: tuple[str, ...], field_name: str, *, host: str = "api", params: Params = ()
    ) -> ItemStream:
        """Read a list of any length from one answer, item by item, without holding it whole."""
        call = _Call(operation, "GET", self._address(operation, host, segments, params))
        return ItemStream(self, call, field_name)

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
        call = _Call(operation, "POST", url, expect, headers, urlencode(fields).encode(), is_authorized=False)
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
    ) -> Answer:
        """Send a change once. Raises VendorOutcomeUnknownError when it was sent and no usable answer came back."""
        body = None if document is None else orjson.dumps(document)
        headers = {"Content-Type": "application/json"} if body is not None else {}
        url = self._address(operation, host, segments, params)
        call = _Call(operation, method, url, expect, headers, body, is_write=True)
        self._transport.forget_connections()
        return self._perform(call, lambda response, meter: self._answer(call, response, meter))

    def origin(self, host: str = "api") -> str:
        """The base URL of a role; raises VendorAddressError when the region has no such host."""
        base = self._hosts.get(host, "").rstrip("/")
        if not base.startswith(("https://", "http://")):
            raise VendorAddressError(f'The region has no "{host}" address.', vendor=self._vendor)
        return base

    def bad_answer(self, operation: str, why: str, answer: Answer | None = None) -> VendorResponseError:
        """An error to raise when an answer parsed but is not what the vendor documents."""
        status, request_id = (answer.status, answer.request_id) if answer else (None, "")
        return VendorResponseError(why, vendor=self._vendor, operation=operation, status=status, request_id=request_id)

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

    def _followed(self, operation: str, url: str, after: Answer | None, host: str) -> str:
        base = self.origin(host)
        is_clean = len(url) <= _ADDRESS_CHARACTERS and url.isascii() and url.isprintable()
        if is_clean and not any(letter in url for letter in ' \\"<>^`{|}') and _is_under(base, url, after):
            return urljoin(after.url if after else base + "/", url).partition("#")[0]
        raise VendorAddressError(
            "The vendor's next page leads somewhere else.", vendor=self._vendor, operation=operation
        )

    # --- attempts ------------------------------------------------------------------------------------------------

    def _perform(self, call: _Call, finish: Callable[[requests.Response, Meter], T], *, is_stream: bool = False) -> T:
        """Make a call, again where that is allowed, and return what `finish` makes of the answer."""
        authorization = self._authorize() if self._authorize and call.is_authorized else ""
        can_renew = self._reauthorize is not None and call.is_authorized
        meter = self._meter(is_stream)
        retries_left = 0 if call.is_write else self._limits.retries
        while True:
            self._admit(call)
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
            retries_left -= 1
            time.sleep(pause)

    def _meter(self, is_stream: bool) -> Meter:
        limits = self._limits
        return Meter(
            seconds=limits.stream_seconds if is_stream else limits.call_seconds,
            idle_seconds=limits.idle_seconds,
            connect_seconds=limits.connect_seconds,
            # Headers are counted too: a little more than the largest body.
            limit_bytes=(limits.stream_bytes if is_stream else limits.body_bytes) + 1024 * 1024,
        )

    def _admit(self, call: _Call) -> None:
        """Ask breaker and budget; both answer with an exception when the call must not be made now."""
        try:
            if self._breaker:
                self._breaker.check()
            if self._budget:
                self._budget.take()
        except VendorError as error:
            error.vendor, error.operation = error.vendor or self._vendor, error.operation or call.operation
            raise

    def _attempt(
        self, call: _Call, authorization: str, meter: Meter, finish: Callable[[requests.Response, Meter], T]
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
                result = self._refusal(call, response, meter)
        except VendorError as error:
            result = error.with_traceback(None)
        except AddressRefusedError as error:
            result = VendorAddressError(str(error), vendor=self._vendor, operation=call.operation)
        except HostUnknownError as error:
            result = self._unavailable(call, str(error))
        except NETWORK_ERRORS as error:
            result = self._broken(call, meter, error)
        if response is not None and isinstance(result, VendorError):
            response.close()
        self._tell_breaker(result)
        return result

    def _prepared(self, call: _Call, authorization: str) -> requests.PreparedRequest | VendorError:
        headers = {**self._headers, **call.headers}
        if authorization:
            headers["Authorization"] = authorization
        if not all(value.isascii() and value.isprintable() for value in headers.values()):
            # requests would quote the header in its exception.
            return VendorAuthError(
                "The secret holds characters that cannot be sent.", vendor=self._vendor, operation=call.operation
            )
        try:
            return requests.Request(call.method, call.url, headers=headers, data=call.body).prepare()
        except (requests.RequestException, ValueError):
            return VendorAddressError("The address cannot be used.", vendor=self._vendor, operation=call.operation)

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

    def _answer(self, call: _Call, response: requests.Response, meter: Meter) -> Answer:
        request_id = _request_id(response)
        try:
            body = self._body(call, response, meter, self._limits.body_bytes)
            limits = parsing.JSONLimits(body_bytes=self._limits.body_bytes, depth=self._limits.depth)
            document = parsing.parse_json(body, limits) if body.strip() else None
        except parsing.JSONError as error:
            raise self._unreadable(call, str(error), response) from None
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status_code, document, headers, call.url, request_id)

    def _body(self, call: _Call, response: requests.Response, meter: Meter, limit_bytes: int) -> bytes:
        pieces: list[bytes] = []
        for piece in self._pieces(call, response, meter):
            pieces.append(piece)
            limit_bytes -= len(piece)
            if limit_bytes < 0:
                raise parsing.JSONError("The answer is too large.")
        return b"".join(pieces)

    def _pieces(self, call: _Call, response: requests.Response, meter: Meter) -> Iterator[bytes]:
        """The body, decompressed, in pieces of bounded size; raises JSONError and VendorErrors."""
        unzipper = parsing.Unzipper(response.headers.get("content-encoding", ""))
        has_bytes = False
        while chunk := self._chunk(call, response, meter):
            has_bytes = True
            yield from unzipper.feed(chunk)
        if has_bytes and not unzipper.is_complete:
            raise self._unavailable(call, "The answer was cut off.", was_sent=True)

    def _chunk(self, call: _Call, response: requests.Response, meter: Meter) -> bytes:
        self._transport.use(meter)
        problem: VendorError
        try:
            # urllib3's own decompression and its chunked reader know no limits; http.client's plain read does.
            chunk: bytes = response.raw.read(_CHUNK_BYTES, decode_content=False)
            return chunk
        except NETWORK_ERRORS as error:
            problem = self._broken(call, meter, error)
        raise problem

    def _refusal(self, call: _Call, response: requests.Response, meter: Meter) -> VendorError:
        """The error that a status outside `expect` stands for."""
        status = response.status_code
        context: dict[str, Any] = self._context(call, response)
        wait = _retry_after(response.headers.get("retry-after"), self._limits.retry_after_cap_seconds)
        if status == 429:
            return self._too_many(wait, context)
        if 300 <= status < 400:
            return VendorAddressError("The vendor answers with a redirect, which is not followed.", **context)
        if status >= 500 or status == 408:
            if wait and self._budget:
                self._budget.refuse_until(wait)
            return self._unavailable(call, f"The vendor answers {status}.", was_sent=True, wait=wait or 0, **context)
        if status == 401:
            return VendorAuthError("The vendor refuses the secret.", **context)
        if status == 403:
            return VendorForbiddenError("The vendor does not allow this secret to do that.", **context)
        if status == 404:
            return VendorNotFoundError("The vendor knows no such thing, or does not show it to this secret.", **context)
        if status < 300:
            return self._unreadable(call, f"The vendor answers {status}, which is not documented here.", response)
        return VendorRejectedError(
            f"The vendor refuses the request ({status}).",
            reasons=self._read_reasons(call, response, meter),
            **context,
        )

    def _too_many(self, wait: float | None, context: dict[str, Any]) -> VendorError:
        seconds = 1.0 if wait is None else wait
        if self._budget:
            self._budget.refuse_until(seconds)
        return VendorRateLimitError("The vendor asks for fewer calls.", retry_after_seconds=seconds, **context)

    def _read_reasons(self, call: _Call, response: requests.Response, meter: Meter) -> tuple[tuple[str, str, str], ...]:
        if self._reasons is None:
            return ()
        try:
            body = self._body(call, response, meter, self._limits.error_bytes)
            document = parsing.parse_json(body, parsing.JSONLimits(depth=self._limits.depth))
        except (parsing.JSONError, VendorError):
            document = None
        found = []
        for code, name, words in list(self._reasons(response.status_code, document))[:_REASONS_KEPT]:
            found.append((self._safe(code, 100), self._safe(name, 200), self._safe(words, 500)))
        return tuple(reason for reason in found if any(reason))

    def _safe(self, words: Any, limit: int) -> str:
        return parsing.redacted(parsing.text(words, limit * 2), self._secrets)[:limit]

    # --- errors --------------------------------------------------------------------------------------------------

    def _context(self, call: _Call, response: requests.Response) -> dict[str, Any]:
        return {
            "vendor": self._vendor,
            "operation": call.operation,
            "status": response.status_code,
            "request_id": _request_id(response),
        }

    def _unreadable(self, call: _Call, why: str, response: requests.Response) -> VendorError:
        """An answer that cannot be used: of a write it leaves the outcome unknown."""
        error = VendorOutcomeUnknownError if call.is_write else VendorResponseError
        return error(why, **self._context(call, response))

    def _unavailable(
        self, call: _Call, why: str, *, was_sent: bool = False, wait: float = 0.0, **context: Any
    ) -> VendorError:
        context = {"vendor": self._vendor, "operation": call.operation, **context}
        if call.is_write and was_sent:
            return VendorOutcomeUnknownError(why, **context)
        return VendorUnavailableError(why, retry_after_seconds=wait, **context)

    def _broken(self, call: _Call, meter: Meter, error: Exception) -> VendorError:
        """What a failure of the network stands for; its own text is not used, it could quote what was sent."""
        if meter.is_over:
            kind = VendorOutcomeUnknownError if call.is_write else VendorResponseError
            return kind("The answer is too large.", vendor=self._vendor, operation=call.operation)
        if meter.is_late:
            why = "The vendor did not finish its answer in time."
        elif isinstance(error, requests.exceptions.SSLError):
            why = "The vendor's certificate could not be verified."
        elif isinstance(error, requests.exceptions.Timeout | TimeoutError):
            why = "The vendor did not answer in time."
        elif meter.has_sent:
            why = "The connection broke before the answer was complete."
        else:
            why = "The vendor could not be reached."
        return self._unavailable(call, why, was_sent=meter.has_sent)


class ItemStream:
    """The items of one long list, read while they come in; `rest` has the answer's other members after the end.

    Iterating makes the call, and raises what a call raises; a list cut off in the middle raises too. Nothing is tried
    again once the answer has begun.
    """

    def __init__(self, http: VendorHTTP, call: _Call, field_name: str) -> None:
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
            raise http._unreadable(call, str(error), response) from None
        finally:
            response.close()
        self.rest = items.rest


def _is_under(base: str, url: str, after: Answer | None) -> bool:
    """Whether `url`, resolved as a browser would, stays at the origin and below the path of `base`."""
    try:
        target, root = urlsplit(urljoin(after.url if after else base + "/", url)), urlsplit(base)
        is_same_origin = (target.scheme, target.netloc.lower()) == (root.scheme, root.netloc.lower())
    except ValueError:
        return False
    has_dots = any(segment in (".", "..") for segment in unquote(target.path).split("/"))
    return is_same_origin and not has_dots and f"{target.path}/".startswith(f"{root.path}/")


def _has_time(meter: Meter, pause: float) -> bool:
    try:
        return meter.left() > pause
    except TimeoutError:
        return False


def _request_id(response: requests.Response) -> str:
    found = (response.headers.get(name) for name in _REQUEST_ID_HEADERS)
    return parsing.text(next((value for value in found if value), ""), 100)


def _retry_after(value: str | None, cap: float) -> float | None:
    """Seconds of a Retry-After header (a number or a date), between 0 and `cap`; None when there is none to read."""
    if not value or len(value) > 64:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(float(value), cap)
    try:
        at = email.utils.parsedate_to_datetime(value)
        # A date without a zone ("-0000") is in UTC.
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return min(max((at - datetime.now(UTC)).total_seconds(), 0.0), cap)
    except (ValueError, TypeError, OverflowError):
        return None


def _basic(name: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()
