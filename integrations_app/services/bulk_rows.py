"""Many rows in one statement sent many times: the databases' own fast way, where one `save` each would take minutes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

from django.db import connection, connections, models

T = TypeVar("T")


def insert(rows: Sequence[models.Model]) -> None:
    """Insert new rows of one model as they are."""
    if rows:
        _run(_insert_sql(rows[0], _columns(rows[0])), rows, _columns(rows[0]))


def upsert(rows: Sequence[models.Model], key: str) -> None:
    """Insert rows of one model, or replace all other columns of the row that has the same unique column `key`."""
    if not rows:
        return
    columns = _columns(rows[0])
    others = ", ".join(f"{_name(f)} = EXCLUDED.{_name(f)}" for f in columns if f.attname != key)
    conflict = f"ON CONFLICT ({connection.ops.quote_name(key)}) DO UPDATE SET {others}"  # nosec B608
    _run(f"{_insert_sql(rows[0], columns)} {conflict}", rows, columns)


def update(rows: Sequence[models.Model], fields: Sequence[str]) -> None:
    """Write these fields of rows that exist, found by their primary key."""
    if not rows:
        return
    meta = rows[0]._meta
    columns = [meta.get_field(name) for name in fields]
    table = connection.ops.quote_name(meta.db_table)
    sets = ", ".join(f"{_name(column)} = %s" for column in columns)
    sql = f"UPDATE {table} SET {sets} WHERE {_name(meta.pk)} = %s"  # nosec B608
    _run(sql, rows, [*columns, meta.pk])


def chunks(items: Sequence[T], size: int) -> Iterator[list[T]]:
    """Cut into lists of at most `size`: SQLite takes a limited number of parameters."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def _columns(row: models.Model) -> list[Any]:
    return [field for field in row._meta.local_concrete_fields if not isinstance(field, models.AutoField)]


def _name(field: Any) -> str:
    return connection.ops.quote_name(field.column)


def _insert_sql(row: models.Model, columns: Sequence[Any]) -> str:
    table = connection.ops.quote_name(row._meta.db_table)
    names, places = ", ".join(map(_name, columns)), ", ".join(["%s"] * len(columns))
    return f"INSERT INTO {table} ({names}) VALUES ({places})"  # nosec B608


def _run(sql: str, rows: Sequence[models.Model], columns: Sequence[Any]) -> None:
    # The connection itself: the proxy that `connection` is looks it up for each of a page's thousands of values.
    database = connections[connection.alias]
    values = [[field.get_db_prep_save(getattr(row, field.attname), database) for field in columns] for row in rows]
    with database.cursor() as cursor:
        cursor.executemany(sql, values)
