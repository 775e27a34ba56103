"""A parsed, already redacted JSON document as a folded tree. `{% load json_tree %}{% json_tree document %}`.

Everything in it came from a vendor: keys and values are text, escaped, never links and never HTML.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

register = template.Library()

# A page with more nodes than this is slower to draw than to download as a file; the rest is announced, not drawn.
MOST_NODES: Final = 4_000
MOST_DEPTH: Final = 40
LONGEST_TEXT: Final = 2_000
OPEN_TO_DEPTH: Final = 2
_PLAIN_KEY: Final = re.compile(r"[A-Za-z_$][\w$]*\Z")


class _Tree:
    """Draws the nodes and counts them, so that a hostile document cannot make a page without end."""

    def __init__(self, most_nodes: int) -> None:
        self.left = most_nodes
        self.is_cut = False

    def node(self, key: str | None, path: str, value: Any, depth: int) -> SafeString | str:
        """One node with all below it as a list item; nothing once the page is full."""
        if self.left <= 0:
            self.is_cut = True
            return ""
        self.left -= 1
        name = format_html('<span class="jt-k">{}</span>: ', key) if key is not None else ""
        if not isinstance(value, dict | list) or not value:
            return format_html('<li data-path="{}">{}{}</li>', path, name, _scalar(value))
        if depth >= MOST_DEPTH:
            self.is_cut = True
            return format_html('<li data-path="{}">{}<span class="muted">deeper than shown</span></li>', path, name)
        below = format_html_join("", "{}", ((self.node(*child, depth + 1),) for child in _children(path, value)))
        return format_html(
            '<li data-path="{}"><details{}><summary>{}<span class="muted">{}</span></summary><ul>{}</ul>'
            "</details></li>",
            path,
            " open" if depth < OPEN_TO_DEPTH else "",
            name,
            _size(value),
            below,
        )


def _children(path: str, value: dict[str, Any] | list[Any]) -> Iterator[tuple[str, str, Any]]:
    """Key, path and value of each thing one level below."""
    if isinstance(value, dict):
        for key, child in value.items():
            text = _printable(str(key))
            yield text, _step(path, text), child
    else:
        for index, child in enumerate(value):
            yield str(index), f"{path}[{index}]", child


def _printable(text: str) -> str:
    """The text with lone surrogates spelled out: JSON may hold them, a page in UTF-8 may not."""
    return text.encode("utf-8", "backslashreplace").decode()


def _step(path: str, key: str) -> str:
    if _PLAIN_KEY.match(key):
        return f"{path}.{key}" if path else key
    return f"{path}[{json.dumps(key, ensure_ascii=False)}]"


def _size(value: dict[str, Any] | list[Any]) -> str:
    count, word = len(value), "field" if isinstance(value, dict) else "item"
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def _scalar(value: Any) -> SafeString:
    if isinstance(value, str):
        shown = value if len(value) <= LONGEST_TEXT else f"{value[:LONGEST_TEXT]}… ({len(value):,} characters)"
        return format_html('<span class="jt-s" dir="auto">{}</span>', _printable(json.dumps(shown, ensure_ascii=False)))
    return format_html('<span class="jt-v">{}</span>', json.dumps(value, default=str))


@register.simple_tag
def json_tree(document: Any, most_nodes: int = MOST_NODES) -> SafeString:
    """The tree as nested lists; each node carries its path (`data-path`) for "copy path" and for the search."""
    tree = _Tree(most_nodes)
    drawn = tree.node(None, "", document, 0)
    if tree.is_cut:
        return format_html(
            '<ul class="jt" dir="ltr">{}</ul><p class="{}">The rest is too much to draw.</p>', drawn, "pad muted xs"
        )
    return format_html('<ul class="jt" dir="ltr">{}</ul>', drawn)


@register.filter
def json_line(value: Any) -> str:
    """A JSON value on one line: text as it is, `true` and `null` in JSON's words, a secret by its fingerprint."""
    named = _with_secrets_named(value)
    return _short(named if isinstance(named, str) else json.dumps(named, ensure_ascii=False))


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…"


def _with_secrets_named(value: Any) -> Any:
    if isinstance(value, dict):
        if set(value) == {"$secret"}:
            return f"secret {value['$secret']}"
        return {key: _with_secrets_named(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_secrets_named(item) for item in value]
    return value
