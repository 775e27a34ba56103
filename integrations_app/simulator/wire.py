"""What passes between the simulator's socket server and its pretend vendors."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol
from urllib.parse import parse_qsl


@dataclass(frozen=True)
class Request:
    """One HTTP request. `segments` are the path's segments percent-decoded one by one; header names are lower case."""

    method: str
    path: str  # as sent, without the query, vendor prefix removed
    segments: tuple[str, ...]  # decoded, empty ones (trailing slash) dropped
    query_string: str
    headers: dict[str, str]
    body: bytes = b""
    base_url: str = ""  # "http://127.0.0.1:8100/celigo": for links the vendor hands out

    @property
    def query(self) -> list[tuple[str, str]]:
        """The query parameters in the order sent, empty ones kept."""
        return parse_qsl(self.query_string, keep_blank_values=True)

    def param(self, name: str, default: str | None = None) -> str | None:
        """The first value of a query parameter, or `default`."""
        return next((value for key, value in self.query if key == name), default)

    def json(self) -> Any:
        """The parsed body; raises ValueError when it is not JSON."""
        return json.loads(self.body)

    def body_digest(self) -> str:
        """SHA-256 of the body, written the same way however its JSON was spaced and ordered; "" without a body."""
        if not self.body:
            return ""
        try:
            return digest_of(self.json())
        except ValueError:
            return hashlib.sha256(self.body).hexdigest()

    def bearer(self) -> str:
        """The token of an `Authorization: Bearer` header (scheme in any case), or ""."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""


def digest_of(value: Any) -> str:
    """The digest the ledger keeps of a JSON body: SHA-256 of it with sorted keys and no spaces."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


@dataclass
class Response:
    """One HTTP answer; `body` None means none at all (204). `stream` is sent chunked in place of `body`."""

    status: int = 200
    body: bytes | None = None
    headers: list[tuple[str, str]] = field(default_factory=list)
    stream: Iterator[bytes] | None = None

    @classmethod
    def of_json(cls, value: Any, status: int = 200, headers: list[tuple[str, str]] | None = None) -> Response:
        """An answer with `value` as its JSON body."""
        return cls(status, json.dumps(value).encode(), [("Content-Type", "application/json"), *(headers or [])])

    @classmethod
    def of_json_list(cls, items: Iterator[Any], field_name: str, rest: dict[str, Any] | None = None) -> Response:
        """`{field_name: [items...], **rest}` made while it is sent, so that a list of any length starts at once."""
        return cls(200, None, [("Content-Type", "application/json")], stream=_list_parts(items, field_name, rest or {}))


def _list_parts(items: Iterator[Any], field_name: str, rest: dict[str, Any]) -> Iterator[bytes]:
    parts = ["{" + json.dumps(field_name) + ": ["]
    for position, item in enumerate(items):
        parts.append((", " if position else "") + json.dumps(item))
        if len(parts) >= 200:
            yield "".join(parts).encode()
            parts = []
    tail = "".join(f", {json.dumps(key)}: {json.dumps(value)}" for key, value in rest.items())
    parts.append("]" + tail + "}")
    yield "".join(parts).encode()


@dataclass(frozen=True)
class Account:
    """One vendor account of the simulated world, with its (fake) keys and what is scripted to happen to it."""

    name: str  # "larkspur-celigo"
    vendor: str
    customer: str  # slug
    customer_name: str
    label: str
    region: str
    size: int  # integrations it starts with
    seed: int
    script: str  # "ok", "failing", "down", "partial", "bad_item", "empty"
    credential: dict[str, str]
    binding: dict[str, str] = field(default_factory=dict)
    is_shared_credential: bool = False
    is_added: bool = False  # through the control API, not part of the default world

    @property
    def salt(self) -> str:
        """What makes this account's ids and data its own: mix it into every hash."""
        return f"{self.seed}:{self.name}"


@dataclass(frozen=True)
class Switch:
    """An open question about a vendor, answered one way by default. `choices` empty means any value of that type."""

    name: str  # "torq.omit_defaults"
    default: Any
    description: str
    choices: tuple[Any, ...] = ()


class PretendVendor(Protocol):
    """One vendor of the simulator: mounted at `/<slug>`, told of every request under it."""

    slug: ClassVar[str]
    id_field: ClassVar[str]  # the field of a document that holds its remote id
    switches: ClassVar[tuple[Switch, ...]]

    def account_of(self, request: Request) -> str | None:
        """The name of the account a request is for (by its key), whether or not it will be let in; None if unknown."""

    def handle(self, request: Request) -> Response:
        """Answer one request; exceptions become a 500."""

    def make(self, account: Account, number: int) -> dict[str, Any]:
        """The document of integration `number` (0, 1, 2, ... without end), the same every time; changes come later."""

    def number_of(self, account: Account, remote_id: str) -> int | None:
        """The number whose document has this remote id, without going through them all; None when no such id."""

    def renamed(self, account: Account, number: int, name: str) -> dict[str, Any]:
        """The fields of a document that change when a person renames it at the vendor."""
