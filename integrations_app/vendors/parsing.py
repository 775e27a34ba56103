"""Reading what a vendor sends: strict JSON with limits, and single values that may be of any type.

Everything here takes hostile input and either answers or raises JSONError; nothing recurses.
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import orjson


class JSONError(ValueError):
    """Bytes that are not JSON, or are beyond a limit; the text is ours and quotes nothing."""


@dataclass(frozen=True)
class JSONLimits:
    """`depth` counts nested lists and objects; `containers` all lists and objects, which cost far more than bytes."""

    body_bytes: int = 32 * 1024 * 1024
    depth: int = 64
    containers: int = 2_000_000


DEFAULT_LIMITS = JSONLimits()

# The possessive quantifiers keep these linear: an unterminated string takes the rest of the text instead of being
# tried again at each of its quotes.
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_ESCAPE = re.compile(rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.)", re.DOTALL)
_BAD_ESCAPE = re.compile(rb"\\u(?:0000|[dD][89abAB])|\\u[dD][c-fC-F]")
_NOT_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[]{}")
_ONE_KIND = bytes.maketrans(b"{}", b"[]")


def parse_json(body: bytes, limits: JSONLimits = DEFAULT_LIMITS) -> Any:
    """Parse one JSON text; raises JSONError, and nothing else, for what is not one or is beyond `limits`.

    Size and depth are checked before parsing. NaN and infinities are refused, the last of duplicate keys wins, integers
    beyond 64 bits become floats. NUL and lone surrogates become U+FFFD, as do bytes that are not UTF-8: no database
    takes them, and one bad letter must not cost a whole list.
    """
    if len(body) > limits.body_bytes:
        raise JSONError("The answer is too large.")
    body = body.removeprefix(b"\xef\xbb\xbf")
    _check_depth(body, limits)
    if _BAD_ESCAPE.search(body):
        body = _ESCAPE.sub(_storable_escape, body)
    try:
        return orjson.loads(body)
    except ValueError:
        pass
    try:
        return orjson.loads(body.decode("utf-8", "replace").encode())
    except ValueError:
        pass
    raise JSONError("The answer is not JSON.")


def _storable_escape(match: re.Match[bytes]) -> bytes:
    escape = match[0]
    is_lone = len(escape) == 6 and escape[2:3] in b"dD" and escape[3:4] in b"89abcdefABCDEF"
    return b"\\ufffd" if is_lone or escape == b"\\u0000" else escape


def _check_depth(body: bytes, limits: JSONLimits) -> None:
    """Peel the brackets from the inside, one level a round; whole passes in C, whatever the text holds."""
    brackets_at_most = body.count(b"[") + body.count(b"{")
    if brackets_at_most <= limits.depth:
        return
    brackets = _STRING.sub(b"", body).translate(None, _NOT_BRACKETS).translate(_ONE_KIND)
    if len(brackets) // 2 > limits.containers:
        raise JSONError("The answer holds too many values.")
    for _ in range(limits.depth):
        if not brackets:
            return
        brackets = brackets.replace(b"[]", b"")
    if brackets:
        raise JSONError("The answer is nested too deeply, or its brackets do not match.")


# --- compressed bodies -------------------------------------------------------------------------------------------


class Unzipper:
    """Takes a gzip or plain body apart in pieces of bounded size, so that a bomb is met by the caller's limit."""

    PIECE_BYTES = 256 * 1024

    def __init__(self, encoding: str) -> None:
        """`encoding` is the Content-Encoding header; raises JSONError for one we did not ask for."""
        name = encoding.strip().lower()
        if name not in ("", "identity", "gzip", "x-gzip"):
            raise JSONError("The answer is compressed in a way that was not asked for.")
        self._inflater = zlib.decompressobj(wbits=31) if "gzip" in name else None

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """The plain bytes of one more chunk; raises JSONError when it is not gzip."""
        if self._inflater is None:
            yield chunk
            return
        while chunk:
            try:
                piece = self._inflater.decompress(chunk, self.PIECE_BYTES)
            except zlib.error:
                raise JSONError("The answer is not compressed as it says.") from None
            if piece:
                yield piece
            chunk = self._inflater.unconsumed_tail
            if self._inflater.eof:
                # Bytes after the end of the stream are padding or a second body: of no use either way.
                return

    @property
    def is_complete(self) -> bool:
        """False while a gzip stream has not come to its end."""
        return self._inflater is None or self._inflater.eof


# --- lists of any length -----------------------------------------------------------------------------------------

_SPACE = b" \t\r\n"
_TO_BRACKET = re.compile(rb'(?:[^"{}\[\]]++|"(?:[^"\\]++|\\.)*+")*+([{}\[\]])', re.DOTALL)
_WHOLE_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
# A number or word ends where another byte comes; whether it is one is for the parser to say.
_SCALAR = re.compile(rb'[^\s,\[\]{}":]++(?=[\s,\[\]{}":])')


class JSONItems:
    """Iterates over the items of the list `field` of one JSON object, while its bytes come in.

    The list may be of any length: one item is held at a time, each parsed under `limits`. After the end `rest` has the
    object's other members. Raises JSONError where the text is not such an object, and at its end when it was cut off.
    """

    def __init__(self, chunks: Iterable[bytes], field: str, limits: JSONLimits = DEFAULT_LIMITS) -> None:
        self._chunks = iter(chunks)
        self._field = field
        self._limits = limits
        self._buffer = b""
        self._at = 0
        self.rest: dict[str, Any] = {}

    def __iter__(self) -> Iterator[Any]:
        self._expect(b"{")
        has_list = False
        is_first = True
        while self._peek() != b"}":
            if not is_first:
                self._expect(b",")
            is_first = False
            if self._peek() != b'"':
                raise JSONError("The answer is not the JSON object it should be.")
            name = self._value()
            self._expect(b":")
            if name == self._field and not has_list and self._peek() == b"[":
                has_list = True
                yield from self._items()
            else:
                self.rest[name] = self._value()
        self._expect(b"}")
        if not has_list:
            raise JSONError(f'The answer has no list "{self._field}".')
        if self._more_than_space():
            raise JSONError("The answer goes on after its end.")

    def _items(self) -> Iterator[Any]:
        self._expect(b"[")
        if self._peek() == b"]":
            self._expect(b"]")
            return
        while True:
            yield self._value()
            if self._peek() == b"]":
                self._expect(b"]")
                return
            self._expect(b",")

    def _value(self) -> Any:
        """Cut out and parse the value that starts at the next byte that is not space."""
        if self._peek() in b",:]}":
            raise JSONError("The answer is not the JSON object it should be.")
        end = self._end_of_value()
        while end is None:
            if len(self._buffer) - self._at > self._limits.body_bytes:
                raise JSONError("An item of the answer is too large.")
            if not self._read():
                raise JSONError("The answer is cut off.")
            end = self._end_of_value()
        text, self._at = self._buffer[self._at : end], end
        return parse_json(text, self._limits)

    def _end_of_value(self) -> int | None:
        """Where the value at the reading point ends; None when its end has not come in yet."""
        first = self._buffer[self._at : self._at + 1]
        if first == b'"':
            string = _WHOLE_STRING.match(self._buffer, self._at)
            return string.end() if string else None
        if first not in (b"{", b"["):
            scalar = _SCALAR.match(self._buffer, self._at)
            return scalar.end() if scalar else None
        depth, at = 0, self._at
        while bracket := _TO_BRACKET.match(self._buffer, at):
            at = bracket.end()
            depth += 1 if bracket[1] in b"{[" else -1
            if depth == 0:
                return at
        return None

    def _peek(self) -> bytes:
        """The next byte that is not space, left in place; raises JSONError at the end of the bytes."""
        while True:
            while self._at < len(self._buffer):
                byte = self._buffer[self._at : self._at + 1]
                if byte not in _SPACE:
                    return byte
                self._at += 1
            if not self._read():
                raise JSONError("The answer is cut off.")

    def _expect(self, byte: bytes) -> None:
        if self._peek() != byte:
            raise JSONError("The answer is not the JSON object it should be.")
        self._at += 1

    def _read(self) -> bool:
        """Take in at least as much again as is held, so that a long item is looked through a few times only."""
        held = self._buffer[self._at :]
        pieces, wanted = [held], max(len(held), 1)
        for chunk in self._chunks:
            pieces.append(chunk)
            wanted -= len(chunk)
            if wanted <= 0:
                break
        self._buffer, self._at = b"".join(pieces), 0
        return len(self._buffer) > len(held)

    def _more_than_space(self) -> bool:
        held = self._buffer[self._at :]
        return bool(held.strip(_SPACE)) or any(chunk.strip(_SPACE) for chunk in self._chunks)


# --- single values -----------------------------------------------------------------------------------------------

_UNSAFE_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Joiners are format characters that real names need: in Persian, in Indic scripts, in emoji.
_NEEDED = frozenset("\u200c\u200d")


def text(value: Any, limit: int = 500) -> str:
    """A vendor's text as plain text on one line: at most `limit` characters, "" for anything that is not text.

    Control characters, direction overrides, NUL and lone surrogates are dropped or become a space.
    """
    if not isinstance(value, str):
        return ""
    # Four times the limit leaves room for what is dropped, without walking through megabytes.
    head = value[: limit * 4]
    if not head.isascii() or not head.isprintable():
        head = "".join(_plain(letter) for letter in head)
    head = " ".join(head.split())
    return head if len(head) <= limit else head[: limit - 1] + "…"


def _plain(letter: str) -> str:
    if letter in "\t\r\n\u2028\u2029":
        return " "
    return letter if letter in _NEEDED or unicodedata.category(letter) not in _UNSAFE_CATEGORIES else ""


def identifier(value: Any, limit: int = 500) -> str:
    """An id, exactly as sent; "" when it is not text, is too long, or holds what no id holds (controls, surrogates)."""
    if not isinstance(value, str) or len(value) > limit or not value.isprintable():
        return ""
    return value


def truth(value: Any) -> bool | None:
    """A JSON true or false; None for everything else, which means: the vendor did not say."""
    return value if isinstance(value, bool) else None


def number(value: Any) -> int | None:
    """A whole number, also as text as some gateways send 64-bit numbers; None for everything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value, re.ASCII):
        return int(value)
    return None


def document(value: Any) -> Mapping[str, Any]:
    """An object, empty for everything else."""
    return value if isinstance(value, dict) else {}


def documents(value: Any) -> list[Mapping[str, Any]]:
    """The objects of a list; whatever else is in it, or in its place, is left out."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def texts(value: Any, limit: int = 500) -> list[str]:
    """The non-empty texts of a list, each as `text` gives it."""
    found = [text(item, limit) for item in value] if isinstance(value, list) else []
    return [item for item in found if item]


_MOMENT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:[.,](\d{0,9})\d*)?\s*(?:[Zz]D?|([+-])(\d\d):?(\d\d))?", re.ASCII
)


def moment(value: Any) -> datetime | None:
    """An RFC 3339 time as aware UTC, with any number of fraction digits (cut to microseconds); None when it is not one.

    A time without an offset is taken for UTC, and "ZD", as one vendor's page prints it, for "Z".
    """
    match = _MOMENT.fullmatch(value.strip()) if isinstance(value, str) and len(value) < 64 else None
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in match.groups()[:6])
    fraction, sign, offset_hours, offset_minutes = match.groups()[6:]
    try:
        offset = timedelta(hours=int(offset_hours or 0), minutes=int(offset_minutes or 0))
        zone = timezone(-offset if sign == "-" else offset)
        # A leap second is shown as the last second that Python knows.
        micros = int((fraction or "")[:6].ljust(6, "0"))
        return datetime(year, month, day, hour, minute, min(second, 59), micros, tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


# --- secrets in texts --------------------------------------------------------------------------------------------

_LOOKS_SECRET = re.compile(
    r"""(?ix)
    \b(?:bearer|basic)\s+[a-z0-9._~+/=-]{6,}
    | \beyJ[a-z0-9_-]{8,}\.[a-z0-9_-]+(?:\.[a-z0-9_-]*)?
    | (?<=[?&])[^\s=&]{1,60}=[^\s&"'<>]+
    | \b(?:api[_-]?key|token|secret|password|signature)["']?\s*[=:]\s*["']?[^\s,;"'}]{3,}
    """
)


def redacted(words: str, secrets: Iterable[str] = ()) -> str:
    """`words` without the given secrets and without what looks like one (bearer tokens, JWTs, query values)."""
    for secret in secrets:
        if len(secret) >= 4:
            words = words.replace(secret, "[secret]")
    return _LOOKS_SECRET.sub("[secret]", words)
