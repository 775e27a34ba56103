"""A parsed, already redacted JSON document as a folded tree. `{% load json_tree %}{% json_tree document %}`.

Everything in it came from a vendor: keys and values are text, escaped, never links and never HTML.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final

from django import template
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe

register = template.Library()

# A page with more nodes than this is slower to draw than to download as a file; the rest is announced, not drawn.
MOST_NODES: Final = 4_000
MOST_DEPTH: Final = 40
LONGEST_TEXT: Final = 2_000
OPEN_TO_DEPTH: Final = 2
_PLAIN_KEY: Final = re.compile(r"[A-Za-z_$][\w$]*\Z")


class _Tree:
    """Writes the nodes and counts them, so that a hostile document cannot make a page without end."""

    def __init__(self, most_nodes: int) -> None:
        self.left = most_nodes
        self.is_cut = False
        self.out: list[str] = []

    def draw(self, key: str | None, path: str, value: Any, depth: int) -> None:
        if self.left <= 0:
            self.is_cut = True
            return
        self.left -= 1
        name = f'<span class="jt-k">{escape(key)}</span>: ' if key is not None else ""
        if not isinstance(value, dict | list) or not value:
            self.out.append(f'<li data-path="{escape(path)}">{name}{_scalar(value)}</li>')
            return
        if depth >= MOST_DEPTH:
            self.is_cut = True
            self.out.append(f'<li data-path="{escape(path)}">{name}<span class="muted">deeper than shown here</span></li>')
            return
        self._draw_branch(name, path, value, depth)

    def _draw_branch(self, name: str, path: str, value: dict[str, Any] | list[Any], depth: int) -> None:
        is_open = " open" if depth < OPEN_TO_DEPTH else ""
        self.out.append(
            f'<li data-path="{escape(path)}"><details{is_open}><summary>{name}<span class="muted">{_size(value)}</span></summary><ul>'
        )
        if isinstance(value, dict):
            for key, child in value.items():
                self.draw(str(key), _step(path, str(key)), child, depth + 1)
        else:
            for index, child in enumerate(value):
                self.draw(str(index), f"{path}[{index}]", child, depth + 1)
        self.out.append("</ul></details></li>")


def _step(path: str, key: str) -> str:
    if _PLAIN_KEY.match(key):
        return f"{path}.{key}" if path else key
    return f"{path}[{json.dumps(key, ensure_ascii=False)}]"


def _size(value: dict[str, Any] | list[Any]) -> str:
    count, word = len(value), "field" if isinstance(value, dict) else "item"
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        shown = value if len(value) <= LONGEST_TEXT else f"{value[:LONGEST_TEXT]}… ({len(value):,} characters)"
        return f'<span class="jt-s" dir="auto">{escape(json.dumps(shown, ensure_ascii=False))}</span>'
    return f'<span class="jt-v">{escape(json.dumps(value, default=str))}</span>'


@register.simple_tag
def json_tree(document: Any, most_nodes: int = MOST_NODES) -> SafeString:
    """The tree as nested lists; each node carries its path (`data-path`) for "copy path" and for the search."""
    tree = _Tree(most_nodes)
    tree.draw(None, "", document, 0)
    cut = mark_safe('<p class="muted xs">The rest is too large to draw here.</p>') if tree.is_cut else ""
    return format_html('<ul class="jt" dir="ltr">{}</ul>{}', mark_safe("".join(tree.out)), cut)
