"""What can go wrong between the console and a vendor.

VendorError
├── VendorUnavailableError      no answer or a 5xx to a read: may be tried again later
│   └── VendorPausedError       our own circuit breaker holds the call back (`retry_after_seconds`)
├── VendorOutcomeUnknownError   the same after a write was sent: never tried again, settled by reading back
├── VendorAuthError             401: the secret is refused
│   └── VendorForbiddenError    403: the secret is good, this call is not allowed to it
├── VendorNotFoundError         404
├── VendorRateLimitError        429, or our own rate budget is spent (`retry_after_seconds`)
├── VendorRejectedError         400, 409, 422 and other 4xx: the vendor understood and refused (`reasons`)
├── VendorResponseError         answered, but not in the documented shape, too large, or too deep
├── VendorAddressError          we refuse to connect there (forbidden address, redirect, foreign origin)
└── VendorUnsupportedError      this vendor has no such operation

None of them keeps a header or a body: either could hold a secret.
"""

from __future__ import annotations

from typing import TypedDict, Unpack


class Context(TypedDict, total=False):
    """Where an error happened; the keywords every error takes."""

    vendor: str
    operation: str
    status: int | None
    request_id: str


class VendorError(Exception):
    """A call to a vendor failed.

    `vendor` is the slug, `operation` our name of the call ("list integrations"), `status` the HTTP status or None when
    there was no answer, `request_id` the vendor's, when it sent one. The text is ours and safe to show.
    """

    def __init__(
        self,
        message: str,
        *,
        vendor: str = "",
        operation: str = "",
        status: int | None = None,
        request_id: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.vendor = vendor
        self.operation = operation
        self.status = status
        self.request_id = request_id


class VendorUnavailableError(VendorError):
    """No answer, a broken answer or a 5xx to a read; a later try may succeed.

    `retry_after_seconds` is what the vendor asks to wait, capped, 0 when it said nothing.
    """

    def __init__(self, message: str, *, retry_after_seconds: float = 0.0, **context: Unpack[Context]) -> None:
        super().__init__(message, **context)
        self.retry_after_seconds = retry_after_seconds


class VendorRateLimitError(VendorError):
    """Too many calls. `retry_after_seconds` is already capped and never negative."""

    def __init__(self, message: str, *, retry_after_seconds: float = 0.0, **context: Unpack[Context]) -> None:
        super().__init__(message, **context)
        self.retry_after_seconds = retry_after_seconds


class VendorPausedError(VendorUnavailableError):
    """The circuit breaker of this account is open for `retry_after_seconds` more: nothing was sent."""


class VendorOutcomeUnknownError(VendorError):
    """A write was sent and its answer lost; whether it happened must be read back."""


class VendorAuthError(VendorError):
    """The vendor refuses the secret (401)."""


class VendorForbiddenError(VendorAuthError):
    """The secret is accepted, but may not do this (403)."""


class VendorNotFoundError(VendorError):
    """The vendor has no such thing, or does not show it to this secret (404)."""


class VendorRejectedError(VendorError):
    """The vendor understood and refused (400, 409, 422 ...).

    `reasons` are (code, field, text) in the vendor's words, redacted and cut to length; empty when it gave none.
    """

    def __init__(
        self, message: str, *, reasons: tuple[tuple[str, str, str], ...] = (), **context: Unpack[Context]
    ) -> None:
        super().__init__(message, **context)
        self.reasons = reasons


class VendorResponseError(VendorError):
    """The vendor answered, but not in the documented shape, or with too much."""


class VendorAddressError(VendorError):
    """The console refuses to connect to this address; nothing was sent."""


class VendorUnsupportedError(VendorError):
    """This vendor does not offer the operation."""
