"""What the pages say the same way everywhere: states, ages, marks, query strings. `{% load console %}`.

The small things that stand in every row of a long list (a state, an age, a mark) are tags, not includes:
an include per cell costs about as much as the rest of the row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from django import template
from django.forms import BoundField
from django.forms.widgets import CheckboxInput, CheckboxSelectMultiple, RadioSelect, Select
from django.http import QueryDict
from django.template.context import Context
from django.templatetags.static import static
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import conditional_escape, format_html, format_html_join
from django.utils.safestring import SafeString

register = template.Library()

# A state is a shape, a colour and a word; the word is always printed, so colour never speaks alone.
SHAPES: Final[Mapping[str, str]] = {
    # integrations
    "active": "ok",
    "inactive": "off",
    "building": "run",
    "attention": "warn",
    "archived": "off",
    "gone": "gone",
    # jobs
    "queued": "off",
    "running": "run",
    "waiting": "run",
    "succeeded": "ok",
    "partial": "warn",
    "failed": "bad",
    "cancelled": "off",
    "unknown": "unknown",
    # changes at a vendor
    "checking": "run",
    "ready": "warn",
    "sent": "run",
    "done": "ok",
    "not_done": "bad",
    "abandoned": "off",
    # vendor accounts
    "untested": "off",
    "ok": "ok",
    "failing": "bad",
    "paused": "warn",
    "expired": "bad",
    # what is inside an integration
    "online": "ok",
    "offline": "bad",
    "on": "ok",
    "off": "off",
    "yes": "ok",
    "no": "bad",
}
TURNS: Final[Mapping[str, str]] = {"us": "Our turn", "tenant": "Tenant", "vendor": "Vendor"}
# Paging belongs to one filter and one order: changing either starts again at the first page.
PAGING: Final = ("after", "before", "page")

MINUTE: Final = 60
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
WEEK: Final = 7 * DAY
MONTH: Final = 30 * DAY
YEAR: Final = 365 * DAY


def _plural(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def span(seconds: float) -> str:
    """A length of time in one unit, short: "12 s", "41 min", "4 h", "10 days", "5 weeks", "7 months", "3 years"."""
    whole = int(abs(seconds))
    if whole < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        return f"{whole // MINUTE} min"
    if whole < DAY:
        return f"{whole // HOUR} h"
    if whole < 2 * WEEK:
        return _plural(whole // DAY, "day")
    if whole < 9 * WEEK:
        return _plural(whole // WEEK, "week")
    if whole < 2 * YEAR:
        return _plural(whole // MONTH, "month")
    return _plural(whole // YEAR, "year")


register.filter("span", span)


def _aware(when: datetime) -> datetime:
    return when if timezone.is_aware(when) else when.replace(tzinfo=UTC)


@register.filter
def relative(when: datetime | None) -> str:
    """ "2 min ago", "in 53 days", "just now"; empty for None."""
    if not when:
        return ""
    seconds = (timezone.now() - _aware(when)).total_seconds()
    if abs(seconds) < MINUTE / 2:
        return "just now"
    return f"{span(seconds)} ago" if seconds > 0 else f"in {span(seconds)}"


@register.filter
def absolute(when: datetime | None) -> str:
    """ "22 Nov 2026, 14:26" in the zone that is active (the user's); empty for None."""
    if not when:
        return ""
    return date_format(timezone.localtime(_aware(when)), "j M Y, H:i")


@register.simple_tag
def age(when: datetime | None, *, ago: bool = False, stale: bool = False, never: str = "never") -> str:
    """A moment as a `<time>`: relative to read, absolute on hover and for screen readers.

    `ago` writes "2 min ago" instead of the "2 min" of table cells; `stale` adds the clock and the attention colour.
    """
    if not when:
        return conditional_escape(never)
    text = relative(when)
    if not ago:
        text = text.removesuffix(" ago").replace("just now", "now")
    exact = absolute(when)
    element = format_html(
        '<time datetime="{}" title="{}" data-age="{}">{}<span class="visually-hidden">, {}</span></time>',
        _aware(when).astimezone(UTC).isoformat(timespec="seconds"),
        exact,
        "ago" if ago else "short",
        text,
        exact,
    )
    if not stale:
        return element
    return format_html(
        '<span class="stale">{}<span class="visually-hidden">old: </span>{}</span>', icon("clock"), element
    )


@register.simple_tag
def icon(name: str, label: str = "") -> SafeString:
    """One icon of `static/icons.svg`. Silent for screen readers unless `label` says what it means."""
    sprite = static("icons.svg")
    if label:
        return format_html(
            '<svg class="ico" role="img" aria-label="{}"><use href="{}#i-{}"/></svg>', label, sprite, name
        )
    return format_html('<svg class="ico" aria-hidden="true"><use href="{}#i-{}"/></svg>', sprite, name)


@register.simple_tag
def state(value: str, label: str = "", *, mark_only: bool = False) -> SafeString:
    """A state as shape, colour and word. `label` replaces the word; `mark_only` keeps it for screen readers only."""
    shape = SHAPES.get(str(value).lower(), "off")
    word = label or str(value).replace("_", " ").capitalize()
    if mark_only:
        return format_html(
            '<span class="st st-{}" title="{}"><span class="visually-hidden">{}</span></span>', shape, word, word
        )
    return format_html('<span class="st st-{}">{}</span>', shape, word)


@register.simple_tag
def turn(whose: str | None) -> str:
    """The pill that says whose turn it is: "us", "tenant" or "vendor"; nothing when it is nobody's."""
    if not whose or whose not in TURNS:
        return ""
    return format_html('<span class="turn{}">{}</span>', " turn-us" if whose == "us" else "", TURNS[whose])


@register.simple_tag
def vendor_mark(label: str, *, large: bool = False) -> SafeString:
    """The two letters of a vendor, with its whole name on hover and for screen readers."""
    size = " mark-lg" if large else ""
    return format_html('<abbr class="mark{}" title="{}">{}</abbr>', size, label, str(label)[:2].capitalize())


@register.filter
def initials(name: str) -> str:
    """ "Ana Duarte" -> "AD"; an e-mail address gives its first two letters."""
    words = [word for word in str(name).replace("@", " ").replace(".", " ").split() if word[0].isalnum()]
    if not words:
        return "?"
    if "@" in str(name) or len(words) == 1:
        return words[0][:2].upper()
    return (words[0][0] + words[-1][0]).upper()


@register.filter
def person(user: Any) -> str:
    """How a person is named on pages: the name, else the e-mail; "the console" where nobody acted."""
    if user is None:
        return "the console"
    return str(getattr(user, "name", "") or getattr(user, "email", "") or user)


BROWSERS: Final = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
SYSTEMS: Final = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


@register.filter
def browser(user_agent: str) -> str:
    """ "Firefox on Windows" out of a user agent; its own words where we do not know better."""
    text = str(user_agent or "")
    name = next((word for mark, word in BROWSERS if mark in text), "")
    system = next((word for mark, word in SYSTEMS if mark in text), "")
    if name and system:
        return f"{name} on {system}"
    return name or system or text[:40] or "unknown"


@register.filter
def sentence(items: Iterable[Any], word: str = "and") -> str:
    """ "a", "a and b", "a, b and c"."""
    texts = [str(item) for item in items]
    if len(texts) < 2:
        return "".join(texts)
    return f"{', '.join(texts[:-1])} {word} {texts[-1]}"


@register.filter
def capped(count: int | None, cap: int = 10_000) -> str:
    """A count with separators, and "10,000+" once it reaches the cap: lists are not counted beyond it."""
    if count is None:
        return ""
    return f"{cap:,}+" if count >= cap else f"{count:,}"


@register.filter
def attribute(value: Any, name: str) -> Any:
    """`can|attribute:name`: what a template knows only by a name in a variable; None when there is none."""
    if isinstance(value, Mapping):
        return value.get(name)
    return getattr(value, str(name), None)


def _changed(context: Context, changes: Mapping[str, Any]) -> QueryDict:
    request = context.get("request")
    query: QueryDict = request.GET.copy() if request is not None else QueryDict(mutable=True)
    for name in PAGING:
        query.pop(name, None)
    for name, value in changes.items():
        if value is None or value == "":
            query.pop(name, None)
        else:
            query[name] = str(value)
    return query


@register.simple_tag(takes_context=True)
def query(context: Context, **changes: Any) -> str:
    """The address's query with some values changed, as "?…": `{% query sort='name' vendor=None %}`. Paging restarts."""
    return f"?{_changed(context, changes).urlencode()}"


@register.simple_tag(takes_context=True)
def query_set(context: Context, name: str, value: Any) -> str:
    """Like `query`, for a name that stands in a variable."""
    return f"?{_changed(context, {name: value}).urlencode()}"


@register.simple_tag(takes_context=True)
def query_hidden(context: Context, *without: str) -> SafeString:
    """The query as hidden fields, for a GET form that must keep the other filters; paging and `without` left out."""
    kept = _changed(context, dict.fromkeys(without))
    pairs = [(name, value) for name, values in kept.lists() for value in values]
    return format_html_join("", '<input type="hidden" name="{}" value="{}">', pairs)


@register.simple_tag(takes_context=True)
def sort_header(context: Context, label: str, key: str, *, default: str = "", css: str = "") -> SafeString:
    """A table head that sorts by `key`: first click up, second down. `default` orders an address without `sort`."""
    request = context.get("request")
    current = (request.GET.get("sort") if request is not None else None) or default
    is_up, is_down = current == key, current == f"-{key}"
    target = query_set(context, "sort", f"-{key}" if is_up else key)
    order = "ascending" if is_up else "descending" if is_down else "none"
    arrow = " ↑" if is_up else " ↓" if is_down else ""
    return format_html(
        '<th scope="col" class="{}" aria-sort="{}"><a href="{}">{}<span aria-hidden="true">{}</span></a></th>',
        css,
        order,
        target,
        label,
        arrow,
    )


def _control_class(field: BoundField) -> str:
    widget = field.field.widget
    if isinstance(widget, CheckboxInput | RadioSelect | CheckboxSelectMultiple):
        return "form-check-input"
    if isinstance(widget, Select):
        return "form-select"
    return "form-control"


@register.filter
def is_checkbox(field: BoundField) -> bool:
    return isinstance(field.field.widget, CheckboxInput)


@register.filter
def is_choice_list(field: BoundField) -> bool:
    """Radio buttons or check boxes: several controls, so they want a fieldset and a legend."""
    return isinstance(field.field.widget, RadioSelect | CheckboxSelectMultiple)


@register.filter
def is_json_editor(field: BoundField) -> bool:
    """A text area whose widget asks for the editor: `Textarea(attrs={"data-editor": "json"})`."""
    return bool(field.field.widget.attrs.get("data-editor") == "json")


@register.simple_tag
def control(field: BoundField, **attrs: Any) -> SafeString:
    """A form field's widget in our clothes, tied to its help and its error. `attrs`: more attributes, `_` for `-`."""
    classes = [str(field.field.widget.attrs.get("class", "")), _control_class(field)]
    described = []
    if field.errors:
        classes.append("is-invalid")
        described.append(f"{field.auto_id}_error")
    if field.help_text:
        described.append(f"{field.auto_id}_help")
    more: dict[str, Any] = {
        name.replace("_", "-"): value for name, value in attrs.items() if value not in (None, False)
    }
    more["class"] = " ".join(filter(None, [*classes, str(more.get("class", ""))]))
    if described:
        more["aria-describedby"] = " ".join(described)
    if field.errors:
        more["aria-invalid"] = "true"
    return field.as_widget(attrs=more)


@register.simple_tag
def health_bar(*, wide: bool = False, label: str = "", **counts: int) -> SafeString:
    """Counts as one bar of ok, warn, bad, run, off, in this order: `{% health_bar ok=25 warn=4 off=3 %}`.

    Without a `label` it is hidden from screen readers: the words beside it say the same.
    """
    parts = [(name, counts[name]) for name in ("ok", "warn", "bad", "run", "off") if counts.get(name)]
    total = sum(count for _, count in parts)
    gap = 0.4 if wide else 1.5
    room = 100 - gap * max(len(parts) - 1, 0)
    left, bars = 0.0, []
    for name, count in parts:
        width = room * count / total
        bars.append((name, f"{left:.1f}", f"{width:.1f}"))
        left += width + gap
    if not parts:
        bars.append(("off", "0", "100"))
    drawn = format_html_join("", '<rect class="f-{}" x="{}" y="0" width="{}" height="6"/>', bars)
    css = "bar bar-full" if wide else "bar"
    box = 'viewBox="0 0 100 6" preserveAspectRatio="none"'
    if label:
        return format_html('<svg class="{}" ' + box + ' role="img" aria-label="{}">{}</svg>', css, label, drawn)
    return format_html('<svg class="{}" ' + box + ' aria-hidden="true">{}</svg>', css, drawn)
