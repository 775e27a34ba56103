"""The questions of an account test."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

from integrations_app.vendors.base import Probe
from integrations_app.vendors.errors import (
    VendorAuthError,
    VendorError,
    VendorNotFoundError,
    VendorRejectedError,
    VendorResponseError,
    VendorUnsupportedError,
)

# A refusal of these kinds is what the test wanted to know. Anything else (no answer, too many calls) says nothing about
# the account and is raised.
_ANSWERS = (
    VendorAuthError,
    VendorNotFoundError,
    VendorRejectedError,
    VendorResponseError,
    VendorUnsupportedError,
)
_COUNTED_AT_MOST = 1000


def ask(name: str, question: Callable[[], str], *, works: str, fails: str) -> Probe:
    """Ask one question; `question` returns the answer in words. Raises the VendorErrors that are not an answer."""
    try:
        return Probe(name, True, question(), works)
    except _ANSWERS as error:
        return Probe(name, False, _in_words(error), fails, error)


def counted(items: Iterable[Any]) -> str:
    """How many there are, in words; an endless list is not read to its end."""
    count = sum(1 for _ in islice(items, _COUNTED_AT_MOST + 1))
    return f"Yes, {count}" if count <= _COUNTED_AT_MOST else f"Yes, more than {_COUNTED_AT_MOST:,}"


def _in_words(error: VendorError) -> str:
    if error.status is None or isinstance(error, VendorResponseError):
        return error.message
    return f"Refused ({error.status})"
