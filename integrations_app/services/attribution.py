"""Whose change was it? Tells what a vendor recorded of our own writes from what somebody else did there."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q

from integrations_app.models import Integration, VendorWrite, WriteState
from integrations_app.services.history_entries import Entry

# Their clock and ours differ by seconds; and a write whose answer was lost was carried out, if at all, soon after.
_SKEW = timedelta(minutes=1)
_LONGEST = timedelta(minutes=5)
# Newest first; an integration that was written to more often than this has its older entries shown as they are.
_MOST_WRITES = 2000
# The states in which a write has, or may have, changed something.
_EFFECTIVE = (WriteState.SENT, WriteState.UNKNOWN, WriteState.DONE)
_FIRST_STEP = re.compile(r"[.\[/]")


@dataclass(frozen=True)
class _Window:
    """When a write may have shown at the vendor."""

    write_id: Any
    start: datetime
    end: datetime


class OwnWrites:
    """What this console itself had the vendor change of one integration; asks the database twice at most."""

    def __init__(self, integration: Integration) -> None:
        about_it = Q(integration=integration) | Q(made=integration)
        self._writes = VendorWrite.objects.filter(about_it, tenant_id=integration.tenant_id, state__in=_EFFECTIVE)

    def unexplained(self, entries: Collection[Entry]) -> set[str]:
        """The ids of those entries of a vendor's audit that no write of ours explains.

        One is explained by a write at about that time, unless both name the fields they changed and share none.
        """
        if not entries:
            return set()
        windows = self._windows(min(entry.at for entry in entries))
        near = {entry.position[2]: [w.write_id for w in windows if w.start <= entry.at <= w.end] for entry in entries}
        fields = self._fields({write_id for found in near.values() for write_id in found})
        return {
            entry.position[2]
            for entry in entries
            if not any(_may_be(fields.get(write_id, set()), entry) for write_id in near[entry.position[2]])
        }

    def _windows(self, oldest: datetime) -> list[_Window]:
        recent = self._writes.filter(sent_at__gte=oldest - _LONGEST - _SKEW).order_by("-sent_at")
        return [
            _window(pk, sent_at, over_at)
            for pk, sent_at, over_at in recent.values_list("pk", "sent_at", "over_at")[:_MOST_WRITES]
            if sent_at is not None
        ]

    def _fields(self, write_ids: Collection[Any]) -> dict[Any, set[str]]:
        """The top-level fields that each of these writes changed; none where it was no edit."""
        if not write_ids:
            return {}
        plans = self._writes.filter(pk__in=list(write_ids)[:500]).values_list("pk", "plan")
        return {pk: _top(str(change.get("key", "")) for change in plan.get("changes", ())) for pk, plan in plans}


def _window(write_id: Any, sent_at: datetime, over_at: datetime | None) -> _Window:
    latest = sent_at + _LONGEST
    return _Window(write_id, sent_at - _SKEW, min(over_at or latest, latest) + _SKEW)


def _may_be(fields: set[str], entry: Entry) -> bool:
    recorded = _top(change.path for change in entry.details)
    return not fields or not recorded or bool(fields & recorded)


def _top(paths: Iterable[str]) -> set[str]:
    return {_FIRST_STEP.split(path.strip("/"), maxsplit=1)[0].lower() for path in paths if path}
