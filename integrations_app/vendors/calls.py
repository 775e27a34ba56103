"""What a vendor call is, what it may take, and what comes back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


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
class Call:
    """One call to make, attempts included. Has no repr: headers and body may hold secrets.

    `seconds` is the time it may take where that is not what `Limits` says, waiting for the first byte included.
    """

    operation: str
    method: str
    url: str
    expect: Sequence[int] = (200,)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    is_write: bool = False
    is_authorized: bool = True
    seconds: float | None = None
