"""Keyset pages: the next page starts after the last row seen, so page 2,000 costs what page 1 costs and no row is
skipped when others are added meanwhile. A cursor is a row's sort values and stands in the address (`?after=`).
"""

from __future__ import annotations

import base64
import binascii
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db import models
from django.db.models import F, Func, Q
from django.db.models.lookups import In

M = TypeVar("M", bound=models.Model)


@dataclass(frozen=True)
class Page(Generic[M]):
    """`previous` and `next` are cursors for `?before=` and `?after=`, "" at the ends."""

    rows: list[M]
    previous: str
    next: str


def keyset_page(rows: models.QuerySet[M], *, order: Sequence[str], query: Mapping[str, str], size: int = 50) -> Page[M]:
    """One page of `rows` in `order` (field names, "-" in front for descending; the last one unique, none nullable).

    `query` is the request's query string; a cursor that is not one of ours, or of another order, gives the first page.
    """
    before, after = _read(rows.model, order, query.get("before", "")), _read(rows.model, order, query.get("after", ""))
    if before is not None:
        found = list(rows.filter(_beyond(order, before, backwards=True)).order_by(*_reversed(order))[: size + 1])
        chosen = found[:size][::-1]
        if len(found) <= size:  # the first page again: shown whole, from its real beginning
            return keyset_page(rows, order=order, query={}, size=size)
        return Page(chosen, _cursor(order, chosen[0]), _cursor(order, chosen[-1]))
    if after is not None:
        rows = rows.filter(_beyond(order, after, backwards=False))
    found = list(rows.order_by(*order)[: size + 1])
    chosen = found[:size]
    more = len(found) > size
    previous = _cursor(order, chosen[0]) if after is not None and chosen else ""
    return Page(chosen, previous, _cursor(order, chosen[-1]) if more else "")


def _name(key: str) -> str:
    return key.removeprefix("-")


def _reversed(order: Sequence[str]) -> list[str]:
    return [_name(key) if key.startswith("-") else f"-{key}" for key in order]


def _beyond(order: Sequence[str], values: Sequence[Any], *, backwards: bool) -> Q:
    """Rows after `values` in `order`: (a > x) or (a = x and b > y) ..., as every database can read from an index."""
    beyond, equal = Q(), Q()
    for key, value in zip(order, values, strict=True):
        is_descending = key.startswith("-") != backwards
        beyond |= equal & Q(**{f"{_name(key)}__{'lt' if is_descending else 'gt'}": value})
        equal &= Q(**{_name(key): value})
    # The first key alone bounds the range, which lets the planner start in the middle of the index.
    first, start = order[0], values[0]
    bound = "lte" if first.startswith("-") != backwards else "gte"
    return Q(**{f"{_name(first)}__{bound}": start}) & beyond


def _cursor(order: Sequence[str], row: models.Model) -> str:
    values = [_plain(getattr(row, _name(key))) for key in order]
    # Not escaped: a name of 200 emoji would else make a cursor longer than one is taken.
    return base64.urlsafe_b64encode(json.dumps([list(order), values], ensure_ascii=False).encode()).decode().rstrip("=")


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, uuid.UUID) else value


def _storable(value: Any) -> Any:
    """The value of a cursor as a database takes it: raises ValueError for a text or a time that none can hold."""
    if isinstance(value, str) and b"\x00" in value.encode():  # encoding refuses lone surrogates
        raise ValueError("No database holds a NUL.")
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return value


def _read(model: type[models.Model], order: Sequence[str], cursor: str) -> list[Any] | None:
    if not cursor or len(cursor) > 2000:
        return None
    try:
        read_order, values = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if read_order != list(order) or len(values) != len(order):
            return None
        return [
            _storable(model._meta.get_field(_name(key)).to_python(value))  # type: ignore[union-attr]  # plain columns only
            for key, value in zip(order, values, strict=True)
        ]
    except (ValueError, TypeError, OverflowError, binascii.Error, ValidationError, FieldDoesNotExist):
        return None


_NO_LIMIT = 1_000_000_000


class _Unindexed(Func):
    """A column that SQLite is told not to look up in an index (its unary plus); any other database sees the column."""

    template = "%(expressions)s"
    arity = 1

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        return self.as_sql(compiler, connection, template="+%(expressions)s", **extra)


def among(column: str, values: models.QuerySet[Any, Any]) -> Q:
    """`column` in `values`, for a list that is read in the order of its own index and only filtered by this.

    SQLite would otherwise gather the rows by the column's index, all of them, and sort them to show a page; and without
    the limit it would make the inner query a join, which loses the order too.
    """
    return Q(In(_Unindexed(F(column)), values.order_by()[:_NO_LIMIT]))


def capped_count(rows: models.QuerySet[Any], cap: int = 10_000) -> int:
    """How many rows there are, counted no further than `cap`: a list of a million must not be counted to show it."""
    return rows.order_by()[:cap].count()
