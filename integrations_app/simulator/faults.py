"""Faults: what goes wrong with a request on its way, named, matched and counted."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from typing import Any

KINDS = {
    "status": "answer with `status`, `body` and `headers`; the request is not carried out",
    "status_after": "carry the request out, then answer `status`, `body` and `headers` in place of its answer",
    "delay": "wait `seconds`, then answer as usual",
    "reset": "drop the connection (TCP reset) before anything is carried out",
    "reset_after": "carry the request out, then drop the connection without an answer",
    "truncate": "carry it out and promise the whole body, but send half of it and close",
    "content": "carry it out, but answer `body` (default an HTML page) with status 200 and `content_type`",
    "drip": "carry it out, but send the body a few bytes at a time, `seconds` apart",
    "length": "carry it out, but promise more body than there is and keep the connection open for `seconds`",
}


@dataclass(frozen=True)
class Fault:
    """One fault. It is due for a matching request after the first `skip`, and `times` times (None: for ever)."""

    name: str
    kind: str
    account: str = "*"  # an account's name, a vendor's slug, or "*"
    method: str = "*"
    path: str = ""  # a regular expression searched in path and query, vendor prefix included
    times: int | None = None
    skip: int = 0
    status: int = 500
    body: str = ""
    content_type: str = "text/html"
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.05
    seen: int = 0  # requests that matched
    hits: int = 0  # requests it happened to

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind must be one of {list(KINDS)}")
        try:
            re.compile(self.path)
        except re.error as error:
            raise ValueError(f"path is not a regular expression: {error}") from error

    def matches(self, account: str | None, vendor: str, method: str, target: str) -> bool:
        """Whether a request is one of those this fault is about."""
        if self.account not in ("*", account, vendor) or self.method.upper() not in ("*", method):
            return False
        return re.search(self.path, target) is not None

    @property
    def is_due(self) -> bool:
        """Whether it happens to the request just counted in `seen` (before counting)."""
        return self.seen >= self.skip and (self.times is None or self.hits < self.times)

    def as_dict(self) -> dict[str, Any]:
        """As kept and as the control API shows it."""
        return asdict(self)
