"""What changed, in words and marks: values before and after, the kind of a change. `{% load diffs %}`.

A change is anything with `before` and `after`, an object or a mapping; its `kind` ("changed", "added", "removed",
"moved") follows from them where it has none. Values are parsed, already redacted JSON from a vendor: text, escaped,
never links or HTML. `{"$secret": fingerprint}` is a secret and shows the beginning of its fingerprint; `{"$absent":
true}` is no value at all.
"""

from __future__ import annotations

import difflib
import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from console.templatetags.json_tree import LONGEST_TEXT

register = template.Library()

# Colour and sign beside it repeat what the word says.
KINDS: Final = {"added": "+", "removed": "\u2212", "changed": "\u2260", "moved": "\u2195"}
# Longer values stand folded behind their beginning.
_FOLDED_LENGTH: Final = 400
_FOLDED_LINES: Final = 10
_SUMMARY_LENGTH: Final = 90
# Words are compared up to this length: it costs the square of their number.
_MARKED_LENGTH: Final = 1_200
# Two texts with less in common than this are two texts: marks all over them say nothing.
_LEAST_IN_COMMON: Final = 0.35
_MOST_LINES: Final = 400
_SHORT_FINGERPRINT: Final = 4
# A word carries the space before it, so that words marked one after the other become one mark.
_ABSENT: Final = {"$absent": True}
_WORDS: Final = re.compile(r"\s*\S+|\s+\Z")
# How much of a long text is shown: before and after what changed, and of the change itself.
_CONTEXT: Final = 60
_MOST_CHANGED: Final = 240
_MOST_CHANGED_LINES: Final = 6
_NOT_THERE: Final = format_html('<span class="none">{}</span>', "not there")


def _is_absent(value: Any) -> bool:
    return bool(value == {"$absent": True})


def _is_secret(value: Any) -> bool:
    return isinstance(value, dict) and len(value) == 1 and "$secret" in value


def _fingerprint(value: Any, other: Any = None) -> str:
    """The beginning of a secret's fingerprint; all of it where the other secret begins alike."""
    mine = str(value["$secret"])
    theirs = str(other["$secret"]) if _is_secret(other) else ""
    is_alike = mine != theirs and mine[:_SHORT_FINGERPRINT] == theirs[:_SHORT_FINGERPRINT]
    return mine if is_alike else mine[:_SHORT_FINGERPRINT]


def _named(value: Any) -> Any:
    """The value with every secret in it replaced by words."""
    if _is_secret(value):
        return f"secret · set · {_fingerprint(value)}"
    if isinstance(value, dict):
        return {key: _named(item) for key, item in value.items()}
    return [_named(item) for item in value] if isinstance(value, list) else value


def _text(value: Any) -> str:
    """A value as a person reads it: text as it is, anything else as JSON over several lines."""
    text = value if isinstance(value, str) else json.dumps(_named(value), ensure_ascii=False, indent=2, default=str)
    # JSON may hold lone surrogates, a page in UTF-8 may not.
    return text.encode("utf-8", "backslashreplace").decode()


def _is_long(text: str) -> bool:
    return len(text) > _FOLDED_LENGTH or text.count("\n") >= _FOLDED_LINES


def _summary(value: Any, text: str) -> str:
    if isinstance(value, dict | list):
        count, word = len(value), "field" if isinstance(value, dict) else "item"
        return f"{count} {word}" if count == 1 else f"{count} {word}s"
    first = text.strip().split("\n", 1)[0][:_SUMMARY_LENGTH]
    return f"{first}… ({len(text):,} characters)"


def _cut(text: str) -> str:
    lines = text.split("\n")
    cut = "\n".join(lines[:_MOST_LINES])
    cut = cut[: LONGEST_TEXT * 8]
    return cut if cut == text else f"{cut}…\n({len(text):,} characters in all)"


def _tokens(text: str) -> list[str]:
    return _WORDS.findall(text)


def _marked(text: str, other: str, tag: str) -> SafeString | str:
    """The text with the words that the other one lacks inside <ins> or <del>."""
    if not other or max(len(text), len(other)) > _MARKED_LENGTH:
        return text
    matcher = difflib.SequenceMatcher(None, _tokens(other), mine := _tokens(text), autojunk=False)
    if matcher.ratio() < _LEAST_IN_COMMON:
        return text
    return format_html_join("", "{}", ((part,) for part in _parts(matcher, mine, tag)))


def _parts(matcher: difflib.SequenceMatcher[str], mine: Sequence[str], tag: str) -> Iterator[SafeString | str]:
    for operation, _, _, start, end in matcher.get_opcodes():
        words = "".join(mine[start:end])
        rest = words.lstrip()
        if operation == "equal" or not rest:
            yield words
        else:
            yield words[: len(words) - len(rest)]
            yield format_html("<{}>{}</{}>", tag, rest, tag)


def _alike(one: Iterable[str], other: Iterable[str]) -> int:
    """How many characters both begin with."""
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))


def _excerpt(text: str, other: str, tag: str) -> SafeString:
    """What differs in a long text, with a little around it: from the first to the last difference."""
    start = _alike(text, other)
    end = min(_alike(reversed(text), reversed(other)), len(text) - start, len(other) - start)
    stop = len(text) - end
    changed = text[start:stop]
    before, after = text[max(start - _CONTEXT, 0) : start], text[stop : stop + _CONTEXT]
    shown = "\n".join(changed[:_MOST_CHANGED].split("\n")[:_MOST_CHANGED_LINES])
    if shown != changed:
        changed, after = f"{shown}…", ""
    marked = format_html("<{}>{}</{}>", tag, changed, tag) if changed else ""
    return format_html(
        '<span class="val" dir="auto">{}{}{}{}{}</span>',
        "…" if start > _CONTEXT else "",
        before,
        marked,
        after,
        "…" if after and stop + _CONTEXT < len(text) else "",
    )


def _long(value: Any, text: str, other: Any, tag: str) -> SafeString:
    """A long value folded; where it changed, the changed part stands in front of it."""
    body = format_html('<span class="val val-block" dir="auto">{}</span>', _cut(text))
    if not tag or type(value) is not type(other):
        return format_html('<details class="long"><summary>{}</summary>{}</details>', _summary(value, text), body)
    excerpt = _excerpt(text, _text(other), tag)
    words = f"all {len(text):,} characters"
    return format_html('{}<details class="long"><summary>{}</summary>{}</details>', excerpt, words, body)


def _shown(value: Any, other: Any, tag: str) -> SafeString:
    if _is_absent(value):
        return _NOT_THERE
    if _is_secret(value):
        return format_html('<span class="secret-chip">secret · set · {}</span>', _fingerprint(value, other))
    if value is None or value == "":
        return format_html('<span class="none">{}</span>', "null" if value is None else "empty text")
    text = _text(value)
    if _is_long(text):
        return _long(value, text, other, tag)
    is_block = isinstance(value, dict | list) and bool(value)
    marked: SafeString | str = text
    if tag and type(value) is type(other) and isinstance(value, str | dict | list):
        marked = _marked(text, _text(other), tag)
    elif tag and isinstance(value, str) and isinstance(other, int | float):
        # The number 5 and the text "5" would look alike.
        marked = json.dumps(text, ensure_ascii=False)
    return format_html('<span class="val{}" dir="auto">{}</span>', " val-block" if is_block else "", marked)


@register.simple_tag
def json_value(value: Any, against: Any = None) -> SafeString:
    """A JSON value on its own: text, a block, a folded block or a secret's mark. With `against`, what is new in it is
    marked. {"$absent": true} stands for no such field.
    """
    if value == _ABSENT:
        return format_html('<span class="none">{}</span>', "not there")
    return _shown(value, against, "ins" if against is not None else "")


@register.simple_tag
def diff_before(change: Any) -> SafeString:
    """The value a change began with, what went marked; "not there" for something added."""
    return _side(change, "before", "after", "del")


@register.simple_tag
def diff_after(change: Any) -> SafeString:
    """The value a change ended with, what came marked; "not there" for something removed."""
    return _side(change, "after", "before", "ins")


@register.simple_tag
def change_kind(change: Any) -> SafeString:
    """What happened, as a sign and a word: "+ added"."""
    kind = diff_kind(change)
    is_secret = _is_secret(_of(change, "before")) and _is_secret(_of(change, "after"))
    words = "secret changed" if kind == "changed" and is_secret else kind
    return format_html(
        '<span class="ck ck-{}"><span aria-hidden="true">{}</span> {}</span>', kind, KINDS.get(kind, "·"), words
    )


@register.filter
def diff_kind(change: Any) -> str:
    """ "added", "removed", "changed" or "moved", by the change's own `kind` or by what is there before and after."""
    if kind := _of(change, "kind"):
        return str(kind)
    if _is_absent(_of(change, "before")):
        return "added"
    return "removed" if _is_absent(_of(change, "after")) else "changed"


def _side(change: Any, mine: str, other: str, tag: str) -> SafeString:
    kind = diff_kind(change)
    if kind == {"before": "added", "after": "removed"}[mine]:
        return _NOT_THERE
    if kind == "moved":
        return format_html('<span class="val">place {}</span>', int(_of(change, mine)) + 1)
    return _shown(_of(change, mine), _of(change, other), tag if kind == "changed" else "")


def _of(change: Any, name: str) -> Any:
    return change.get(name) if isinstance(change, Mapping) else getattr(change, name, None)
