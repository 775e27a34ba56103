"""What the two pages with a timeline share: filters in the address, their chips, and the file for a spreadsheet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

from django.http import QueryDict, StreamingHttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.http import content_disposition_header

from console.access import scope
from console.access.models import User
from console.http import TenantRequest
from integrations_app.services import history_export
from integrations_app.services.history import History, HistoryQuery
from integrations_app.services.history_entries import Entry, Source

_TEXT_LENGTH = 200
_WHO_LENGTH = 100
_NAMES_OFFERED = 12
_SPANS = ((0, "Today"), (6, "Last 7 days"), (29, "Last 30 days"), (89, "Last 90 days"))
# No entry is older or younger, and every database and time zone can hold these.
_FIRST_DAY, _LAST_DAY = date(2000, 1, 1), date(2100, 1, 1)


def read_query(given: QueryDict) -> HistoryQuery:
    """The filters of an address; what makes no sense filters nothing. Days are those of the person's time zone."""
    since, until = read_day(given.get("since", "")), read_day(given.get("until", ""))
    source = given.get("source", "")
    return HistoryQuery(
        source=source if source in list(Source) else "",
        who=given.get("who", "").strip()[:_WHO_LENGTH],
        text=given.get("q", "").strip()[:_TEXT_LENGTH],
        since=_midnight(since) if since else None,
        until=_midnight(until + timedelta(days=1)) if until else None,
        only_outside=given.get("outside") == "1",
    )


def read_day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text.strip()[:10])
    except ValueError:
        return None
    return day if _FIRST_DAY <= day <= _LAST_DAY else None


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


def filters(request: TenantRequest, history: History, query: HistoryQuery, rows: list[Entry]) -> dict[str, Any]:
    """The context of `history/_filters.html`; the names offered are those on the page."""
    since, until = read_day(request.GET.get("since", "")), read_day(request.GET.get("until", ""))
    sources = _sources(history)
    today = timezone.localdate()
    return {
        "sources": [{"value": value, "label": label} for value, label in sources.items()],
        "source": sources.get(query.source, query.source),
        "who": query.who,
        "names": sorted({name for entry in rows for name in (entry.who, entry.confirmed_by) if name})[:_NAMES_OFFERED],
        "since": since.isoformat() if since else "",
        "until": until.isoformat() if until else "",
        "days": _days(since, until),
        "spans": [{"value": (today - timedelta(days=days)).isoformat(), "label": label} for days, label in _SPANS],
        "only_outside": query.only_outside,
        "search": query.text,
        "search_label": "Search in what is said" if history.integration is not None else "Integration",
        "is_filtered": query.is_filtered,
    }


def _sources(history: History) -> dict[str, str]:
    ours = {Source.WRITE: "Changes made here", Source.DRIFT: "Drift", Source.SNAPSHOT: "Snapshots"}
    theirs = {record.source: record.label for record in history.records}
    return {source.value: label for source, label in {**ours, **theirs}.items()}


def _days(since: date | None, until: date | None) -> str:
    if since and until:
        return f"{since} to {until}"
    return f"since {since}" if since else f"until {until}" if until else ""


def as_file(request: TenantRequest, history: History) -> StreamingHttpResponse:
    """The filtered timeline as a CSV file, sent while it is read; taking it is written to the audit log first."""
    query = read_query(request.GET)
    history_export.note_export(history, query, by=request.user)
    lines = history_export.lines(history, query, link=_linker(request, history))
    response = StreamingHttpResponse(_as(request.user, lines), content_type="text/csv; charset=utf-8")
    name = history_export.file_name(history, timezone.localdate().isoformat())
    response["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=name)
    response["X-Content-Type-Options"] = "nosniff"
    return response


def _as(user: User, lines: Iterator[str]) -> Iterator[bytes]:
    """The lines, read with what this person may see: a stream is sent after the request's own scope has ended."""
    while True:
        with scope.of(user):
            line = next(lines, None)
        if line is None:
            return
        yield line.encode("utf-8", "replace")


def _linker(request: TenantRequest, history: History) -> Callable[[Entry], str]:
    def link(entry: Entry) -> str:
        slug = history.tenant.slug
        if entry.write is not None:
            path = reverse("changes:detail", args=[slug, entry.write.pk])
        elif entry.state_id is not None and entry.integration_id is not None:
            path = reverse("integrations:tab", args=[slug, entry.integration_id, "history"])
            path += f"?from={entry.state_id}&to=next"
        else:
            return ""
        return request.build_absolute_uri(path)

    return link
