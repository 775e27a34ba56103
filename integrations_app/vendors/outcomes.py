"""What the outcome of a call means: statuses and failures of the network become the errors of `errors.py`.

Nothing of the answer goes into an error but its status, its request id and, of a refusal, the vendor's reasons, without
secrets and cut to length.
"""

from __future__ import annotations

import email.utils
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import requests

from integrations_app.vendors import parsing
from integrations_app.vendors.calls import Call, Limits
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
from integrations_app.vendors.transport import Meter

# (status, error document or None) -> (code, field, text), each of any type.
ReadReasons = Callable[[int, Any], Iterable[tuple[Any, Any, Any]]]

_REQUEST_ID_HEADERS = ("x-request-id", "request-id", "x-correlation-id", "x-amzn-requestid")
_REASONS_KEPT = 20
# What a 429 without Retry-After is taken to ask for.
_UNSAID_WAIT_SECONDS = 1.0
_REQUEST_TIMEOUT, _TOO_MANY_REQUESTS = 408, 429


class Outcomes:
    """Makes the errors of one client's calls."""

    def __init__(self, vendor: str, reasons: ReadReasons | None, limits: Limits) -> None:
        self._vendor = vendor
        self._reasons = reasons
        self._limits = limits

    def refusal(
        self, call: Call, response: requests.Response, read_document: Callable[[], Any], secrets: Sequence[str]
    ) -> VendorError:
        """The error that a status outside `call.expect` stands for.

        `read_document` gives the parsed body, None when it is not JSON; it is asked only where reasons are kept.
        """
        status = response.status_code
        context = self._context(call, response)
        wait = retry_after(response.headers.get("retry-after"), self._limits.retry_after_cap_seconds)
        if status == _TOO_MANY_REQUESTS:
            seconds = _UNSAID_WAIT_SECONDS if wait is None else wait
            return VendorRateLimitError("The vendor asks for fewer calls.", retry_after_seconds=seconds, **context)
        if status >= 500 or status == _REQUEST_TIMEOUT:
            return self.unavailable(call, f"The vendor answers {status}.", was_sent=True, wait=wait or 0.0, **context)
        if status < 300:
            return self.unreadable(call, f"The vendor answers {status}, which is not documented here.", response)
        if status < 400 and call.is_write:
            # "See other" is how a web server answers what it has done.
            return self.unreadable(call, "The vendor answers with a redirect, which is not followed.", response)
        if status < 400:
            return VendorAddressError("The vendor answers with a redirect, which is not followed.", **context)
        match status:
            case 401:
                return VendorAuthError("The vendor refuses the secret.", **context)
            case 403:
                return VendorForbiddenError("The vendor does not allow this secret to do that.", **context)
            case 404:
                return VendorNotFoundError(
                    "The vendor knows no such thing, or does not show it to this secret.", **context
                )
        found = self._reasons(status, read_document()) if self._reasons else ()
        return VendorRejectedError(
            f"The vendor refuses the request ({status}).", reasons=_safe_reasons(found, secrets), **context
        )

    def unreadable(self, call: Call, why: str, response: requests.Response | None = None) -> VendorError:
        """An answer that cannot be used: of a write it leaves the outcome unknown."""
        kind = VendorOutcomeUnknownError if call.is_write else VendorResponseError
        return kind(why, **self._context(call, response))

    def unavailable(
        self, call: Call, why: str, *, was_sent: bool = False, wait: float = 0.0, **context: Any
    ) -> VendorError:
        """No usable answer: of a write that was sent it leaves the outcome unknown."""
        context = context or self._context(call)
        if call.is_write and was_sent:
            return VendorOutcomeUnknownError(why, **context)
        return VendorUnavailableError(why, retry_after_seconds=wait, **context)

    def broken(self, call: Call, meter: Meter, error: Exception) -> VendorError:
        """What a failure of the network stands for; its own text is not used, it could quote what was sent."""
        if meter.is_over:
            return self.unreadable(call, "The answer is too large.")
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
        return self.unavailable(call, why, was_sent=meter.has_sent)

    def refused_address(self, call: Call, why: str) -> VendorAddressError:
        """Nothing was sent, because of where it would have gone."""
        return VendorAddressError(why, **self._context(call))

    def refused_secret(self, call: Call, why: str) -> VendorAuthError:
        """Nothing was sent, because of the secret's own shape."""
        return VendorAuthError(why, **self._context(call))

    def _context(self, call: Call, response: requests.Response | None = None) -> dict[str, Any]:
        context: dict[str, Any] = {"vendor": self._vendor, "operation": call.operation}
        if response is not None:
            context |= {"status": response.status_code, "request_id": request_id(response)}
        return context


def request_id(response: requests.Response) -> str:
    """The vendor's id of a call, "" when it sent none."""
    found = (response.headers.get(name) for name in _REQUEST_ID_HEADERS)
    return parsing.text(next((value for value in found if value), ""), 100)


def retry_after(value: str | None, cap: float) -> float | None:
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


def _safe_reasons(found: Iterable[tuple[Any, Any, Any]], secrets: Sequence[str]) -> tuple[tuple[str, str, str], ...]:
    reasons = [
        (_safe(code, 100, secrets), _safe(name, 200, secrets), _safe(words, 500, secrets))
        for code, name, words in list(found)[:_REASONS_KEPT]
    ]
    return tuple(reason for reason in reasons if any(reason))


def _safe(words: Any, limit: int, secrets: Sequence[str]) -> str:
    # Redacted before it is cut, so that no half of a secret is left at the end.
    return parsing.text(parsing.redacted(parsing.text(words, 4000), secrets), limit)
