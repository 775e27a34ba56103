"""A document as bytes: one canonical form and its digest."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import orjson


def canonical(document: Any) -> bytes:
    """The document as UTF-8 JSON with sorted keys: equal documents give equal bytes."""
    try:
        return orjson.dumps(document, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # a lone surrogate or a whole number beyond 64 bits: JSON allows both, orjson does not
        return json.dumps(document, sort_keys=True, separators=(",", ":")).encode("ascii")


def digest(canonical_bytes: bytes) -> bytes:
    """SHA-256 of a canonical document, 32 bytes."""
    return hashlib.sha256(canonical_bytes).digest()


def load(stored: bytes | memoryview) -> Any:
    """Parse what `canonical` or a redactor made."""
    plain_bytes = bytes(stored)
    try:
        return orjson.loads(plain_bytes)
    except orjson.JSONDecodeError:
        return json.loads(plain_bytes)
