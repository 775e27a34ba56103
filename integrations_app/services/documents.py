"""A vendor's documents: the one door to their canonical form, their redaction and their comparison, and to plain
text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from integrations_app.services.canonical import canonical, digest, load
from integrations_app.services.differences import Change, Diff, Section, diff
from integrations_app.services.redaction import Redactor, is_secret_mark

__all__ = [
    "Change",
    "Diff",
    "Redactor",
    "Section",
    "canonical",
    "diff",
    "digest",
    "is_secret_mark",
    "load",
    "plain",
    "plain_json",
]

# NUL (PostgreSQL refuses it), other control characters, lone surrogates, and what turns the direction of a whole line.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")


def plain(text: str, limit: int) -> str:
    """A vendor's text for a column: one line of printable characters, at most `limit` of them."""
    if not text.isprintable() or len(text) > limit or text[:1] == " " or text[-1:] == " ":
        text = _UNPRINTABLE.sub("", text.replace("\n", " ").replace("\t", " ")).strip()
        return text if len(text) <= limit else text[: limit - 1] + "…"
    return text


def plain_json(value: Any, limit: int) -> Any:
    """`plain` for every text inside a JSON value."""
    if isinstance(value, str):
        return plain(value, limit)
    if isinstance(value, Mapping):
        return {plain(str(key), limit): plain_json(item, limit) for key, item in value.items()}
    return [plain_json(item, limit) for item in value] if isinstance(value, list | tuple) else value
