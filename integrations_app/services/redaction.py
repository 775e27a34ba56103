"""Takes every secret out of a vendor's document, or of a text, and leaves a fingerprint in its place.

Four things make a value secret, and one is enough:
- its place: the vendor module declares the field secret, and then everything below it is;
- its name: a field nobody declared whose name speaks of tokens, passwords, webhooks and the like;
- its shape: a signed token, a key with a well-known beginning, an address that carries a password, a signature or a
hook;
- its randomness: a long string without sense, in a field that is not declared to hold ids.
In doubt it is secret: a value hidden needlessly costs a glance at the vendor, a value shown cannot be taken back.
"""

from __future__ import annotations

import functools
import math
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from integrations_app.services.canonical import canonical, load
from integrations_app.vendors.base import DocumentField, FieldKind

# A secret leaf becomes {MARK: fingerprint}; a vendor's own key of that name gets one more "$".
MARK = "$secret"

_SUSPICIOUS_NAME = re.compile(
    r"token|secret|passw|passphrase|pwd|credential|authoriz|authentication|bearer|apikey|accesskey"
    r"|privatekey|signingkey"
    r"|encryptionkey|sharedkey|clientkey|signature|signed|hmac|webhook|hookurl|callbackurl|cookie|jwt|session(id|key)$"
    r"|connectionstring|dsn$|^auth$|^sig$|^pin$|^otp$"
)
# A name that ends in one of these words says something about a secret and does not hold it ("tokenExpiresAt").
_TELLING_WORDS = frozenset(
    (
        "at",
        "on",
        "date",
        "count",
        "type",
        "types",
        "status",
        "state",
        "required",
        "expiry",
        "expires",
        "enabled",
        "scopes",
    )
)
_NAME_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_ID_NAME = re.compile(
    r"(^|[a-z0-9_])(id|ids|uuid|guid|key|slug|hash|etag|revision|version)$",
    re.IGNORECASE,
)

_KNOWN_BEGINNING = re.compile(
    r"\b(?:sk|pk|rk)_(?:live|test)_\w{8,}|\bgh[pousr]_\w{16,}|\bgithub_pat_\w{16,}|\bxox[abeprs]-[\w-]{8,}"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{12,}|\bAIza[\w-]{20,}|\bya29\.[\w.-]{16,}|\bshp(?:at|ca|pa|ss)_\w{16,}|\bSG\.[\w-]{12,}"
    r"|\bglpat-[\w-]{12,}|-----BEGIN [A-Z ]*PRIVATE KEY"
)
# Vendors choose these texts, so no pattern may look at a character more than a few times: each begins where a run of
# characters begins, or with a word of its own, and never tries the rest of a run again from its middle.
_SIGNED_TOKEN = re.compile(r"(?<![\w-])(?=[\w-]*?\beyJ[\w-]{6})[\w-]++\.[\w-]{6,}\.?[\w-]*")
_NAMED_IN_TEXT = re.compile(
    r"""(?ix) \b(?: bearer | basic )\s+ (?= \S*[\d+/=] ) [\w.~+/=-]{8,}
    | \bauthorization\\?["']? \s* [:=] \s* \\?["']? [^\s"'\\]{3,}
    | (?: token | secret | passw(?:or)?d | passphrase | api[_-]?key | access[_-]?key | signature )
      \\?["']? \s* [:=] \s* \\?["']? [^\s"'\\]{3,}"""
)
_ADDRESS = re.compile(r"\b[a-z][a-z0-9+.-]{1,15}://[^\s\"'<>]+", re.IGNORECASE)
_SECRET_PARAMETER = re.compile(
    r"token|secret|passw|pwd|key|sig|auth|credential|hmac|code|expires|hash|nonce|^x-(amz|goog|ms)|^s[a-z]$|^state$",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\s\"'<>()\[\]{},;:=&|@#?%]{20,}")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_OBJECT_ID = re.compile(r"[0-9a-f]{24}", re.IGNORECASE)
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d[\d:.]*(Z|[+-]\d\d:?\d\d)?")

_HUMP = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")

# A run of letters and digits this long without sense is taken for a key.
RANDOM_LENGTH = 20
# Nothing shorter is a key by its beginning ("sk_live_...") or after a word ("Bearer ...").
_SHORTEST_KEY = 12
_STEP = re.compile(r"[^.\[\]]+")
# A path that a vendor wrote is followed no further than this.
_DEEPEST = 40
# How many field names are remembered; a vendor that makes new ones for ever gains nothing by it.
_NAMES_KEPT = 4096


def is_secret_mark(value: Any) -> bool:
    """Whether a value of a redacted document stands for a secret that is set."""
    return isinstance(value, dict) and len(value) == 1 and MARK in value


@dataclass
class _Place:
    """A declared place in the document: its kind, and the declared places below it."""

    kind: FieldKind | None = None
    below: dict[str, _Place] = field(default_factory=dict)


_UNDECLARED = _Place()


class Redactor:
    """Redacts the documents of one vendor for one tenant; `fingerprint` is the tenant's (bytes to eight hex digits).

    `secret_names` are fields that are secret wherever they stand, for documents whose shape nobody declared.
    """

    def __init__(
        self,
        fields: Iterable[DocumentField],
        fingerprint: Callable[[bytes], str],
        *,
        secret_names: Collection[str] = (),
    ) -> None:
        self._fingerprint = fingerprint
        self._secret_names = frozenset(secret_names)
        # Field names repeat in every document of a vendor.
        self._keys: dict[str, str] = {}
        self._root = _Place()
        for declared in fields:
            place = self._root
            for step in declared.path.replace("[]", ".[]").split("."):
                place = place.below.setdefault(step, _Place())
            place.kind = declared.kind

    def redact(self, document: Any) -> bytes:
        """The document as canonical JSON with a fingerprint in place of every secret leaf."""
        return canonical(self._any(document, "", self._root, is_hidden=False))

    def redact_at(self, path: str, value: Any) -> Any:
        """A value redacted as at its place in a document ("settings.warehouse", "http.headers[0].value")."""
        steps = _STEP.findall(path)[:_DEEPEST]
        nested = value
        for step in reversed(steps):
            nested = [nested] if step.isdigit() else {step: nested}
        redacted = load(self.redact(nested))
        for _ in steps:
            if is_secret_mark(redacted):
                break
            redacted = redacted[0] if isinstance(redacted, list) else next(iter(redacted.values()))
        return redacted

    def redact_text(self, text: str) -> str:
        """A text for a column or a log line: what is secret in it replaced by "[secret 7f3a0c21]"."""
        if len(text) < RANDOM_LENGTH and not _may_hide(text):
            return text
        for pattern in (
            _ADDRESS,
            _SIGNED_TOKEN,
            _KNOWN_BEGINNING,
            _NAMED_IN_TEXT,
            _WORD,
        ):
            text = pattern.sub(self._in_text, text)
        return text

    def fingerprint_of(self, value: Any) -> str:
        """The fingerprint that stands for a secret value in a redacted document."""
        return self._of(value)

    def _in_text(self, match: re.Match[str]) -> str:
        found = match.group()
        if match.re is _ADDRESS and not _is_secret_address(found):
            return found
        if match.re is _WORD and not is_random(found):
            return found
        return f"[secret {self._of(found)}]"

    def _of(self, value: Any) -> str:
        return self._fingerprint(value.encode("utf-8", "surrogatepass") if isinstance(value, str) else canonical(value))

    def _any(self, value: Any, name: str, place: _Place, *, is_hidden: bool) -> Any:
        is_hidden = is_hidden or place.kind is FieldKind.SECRET
        if isinstance(value, Mapping):
            return {self._key(key): self._member(key, item, place, is_hidden) for key, item in value.items()}
        if isinstance(value, list | tuple):
            inside = place.below.get("[]", _Place(place.kind))
            return [self._any(item, name, inside, is_hidden=is_hidden) for item in value]
        return self._leaf(value, name, place, is_hidden)

    def _member(self, key: str, value: Any, place: _Place, is_hidden: bool) -> Any:
        declared = place.below.get(key)
        is_hidden = is_hidden or key in self._secret_names
        if declared is None:
            is_hidden = is_hidden or (is_suspicious_name(key) and not isinstance(value, bool))
            # Below a declared document the same doubts hold as for a field nobody knows.
            declared = _UNDECLARED
        return self._any(value, key, declared, is_hidden=is_hidden)

    def _key(self, key: str) -> str:
        shown = self._keys.get(key)
        if shown is None:
            shown = self._shown_key(key)
            if len(self._keys) < _NAMES_KEPT:
                self._keys[key] = shown
        return shown

    def _shown_key(self, key: str) -> str:
        if key.lstrip("$") == "secret" and key.startswith("$"):
            return "$" + key
        return f"{MARK} {self._of(key)}" if is_secret_text(key, FieldKind.TEXT, allow_ids=True) else key

    def _leaf(self, value: Any, name: str, place: _Place, is_hidden: bool) -> Any:
        if value is None or value == "":
            return value  # "not set" is no secret
        if not is_hidden and isinstance(value, str):
            is_hidden = is_secret_text(value, place.kind, allow_ids=bool(_ID_NAME.search(name)))
        return {MARK: self._of(value)} if is_hidden else value


@functools.lru_cache(maxsize=_NAMES_KEPT)
def is_suspicious_name(name: str) -> bool:
    """Whether a field of this name, which nobody declared, is taken for a secret whatever it holds."""
    if not _SUSPICIOUS_NAME.search(re.sub(r"[^a-z0-9]", "", name.lower())):
        return False
    words = _NAME_WORD.findall(name)
    return len(words) < 2 or words[-1].lower() not in _TELLING_WORDS


def is_secret_text(text: str, kind: FieldKind | None, *, allow_ids: bool = False) -> bool:
    """Whether a text gives itself away by its shape or its randomness; `kind` as declared, None when nobody did.

    `allow_ids`: ids of the usual forms are shown, for a field that nobody declared but whose name promises one.
    """
    if len(text) < RANDOM_LENGTH and not _may_hide(text):
        return False
    if _KNOWN_BEGINNING.search(text) or _SIGNED_TOKEN.search(text) or _NAMED_IN_TEXT.search(text):
        return True
    if any(_is_secret_address(found) for found in _ADDRESS.findall(text)):
        return True
    if kind is FieldKind.CODE:  # declared to hold what looks random
        return False
    return any(is_random(word, allow_ids=allow_ids) for word in _WORD.findall(_ADDRESS.sub(" ", text)))


def _may_hide(text: str) -> bool:
    """Whether a short text is worth a closer look: it names something, or has the look of an address or a key."""
    if "=" in text or ":" in text:
        return True
    return len(text) >= _SHORTEST_KEY and ("_" in text or "-" in text or "eyJ" in text or " " in text or "AK" in text)


def _is_secret_address(address: str) -> bool:
    """An address that opens something by itself: a password, a signature or a key in it, or a hook."""
    try:
        parts = urlsplit(address)
        parameters = parse_qsl(parts.query + "&" + parts.fragment, keep_blank_values=True)
    except ValueError:
        return True
    if "@" in parts.netloc and parts.scheme.lower() != "mailto":
        return True
    where = (parts.netloc + parts.path).lower()
    if "hook" in where or "/services/t" in where:
        return True
    if any(_SECRET_PARAMETER.search(name) or is_random(value) for name, value in parameters):
        return True
    return any(is_random(step, allow_ids=True) for step in parts.path.split("/"))


def is_random(word: str, *, allow_ids: bool = False) -> bool:
    """Whether a word looks like a key made by a machine. `allow_ids`: an id of a usual form is not one."""
    if len(word) < RANDOM_LENGTH or _TIME.fullmatch(word):
        return False
    if _is_id(word):
        return not allow_ids
    if allow_ids and all(_is_id(part) or len(part) < RANDOM_LENGTH for part in re.split(r"[/._]", word)):
        return False
    return any(_is_random_run(run) for run in re.split(r"[/.\\~]", word)) or _is_random_run(word)


def _is_id(word: str) -> bool:
    return bool(_UUID.fullmatch(word) or _OBJECT_ID.fullmatch(word))


def _is_random_run(run: str) -> bool:
    letters_and_digits = [character for character in run if character.isalnum()]
    if len(letters_and_digits) < RANDOM_LENGTH or any(ord(character) > 127 for character in letters_and_digits):
        return False
    pieces = [piece for piece in re.split(r"[^0-9A-Za-z]+", run) if piece]
    senseless = sum(len(piece) for piece in pieces if not _reads_like_words(piece))
    return senseless * 2 >= len(letters_and_digits) and _entropy(letters_and_digits) >= 2.8


def _reads_like_words(piece: str) -> bool:
    """Plain or camelCase words, perhaps with a short number at the end ("warehouse2", "syncOrdersToNetSuite")."""
    body = piece.rstrip("0123456789")
    if not body:
        return len(piece) <= 8
    if len(piece) - len(body) > 4 or not body.isalpha():
        return False
    if len(body) < 8 or body.islower() or body.isupper():
        return len(body) < 28
    # Words written together are some letters long each; in a key the case changes with every second letter.
    return len(body) >= 3.5 * len(_HUMP.findall(body))


def _entropy(characters: list[str]) -> float:
    """Bits per character."""
    total = len(characters)
    return -sum(count / total * math.log2(count / total) for count in Counter(characters).values())
