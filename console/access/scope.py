"""Which tenants' rows the database itself shows: the second lock behind `policy.py`.

On PostgreSQL every table of tenant data has a row-level policy that reads the session variable `console.scope`: a
person's id (the rows of the tenants their grants reach), `*` (all rows) or nothing at all. Web requests run as the
person who is signed in; workers, the scheduler and commands serve all tenants and run as `*`. A view that forgets to
start from a tenant finds no rows of strangers, instead of all of them. SQLite has no such policies; there the first
lock stands alone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.http import HttpRequest, HttpResponse

from console.access.models import User

EVERYTHING = "*"
NOTHING = ""
_SET = "SELECT set_config('console.scope', %s, false)"

_scope: ContextVar[str] = ContextVar("console_scope", default=EVERYTHING)


@contextlib.contextmanager
def _as(scope: str) -> Iterator[None]:
    token = _scope.set(scope)
    try:
        yield
    finally:
        _scope.reset(token)


def everything() -> contextlib.AbstractContextManager[None]:
    """All tenants' rows: for what serves all of them at once (admitting jobs), and for platform admins' pages."""
    return _as(EVERYTHING)


def of(user: User | None) -> contextlib.AbstractContextManager[None]:
    """The rows of the tenants that `user` has a grant for; nobody's rows for None."""
    return _as(str(user.pk) if user is not None else NOTHING)


class TenantScopeMiddleware:
    """Runs each request as the person who is signed in."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        user = request.user
        with of(user if user.is_authenticated else None):
            return self.get_response(request)


class _Announcer:
    """Tells a PostgreSQL session the scope before a statement, when it is another than the session knows."""

    def __init__(self) -> None:
        self.known: str | None = None

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        wanted, connection = _scope.get(), context["connection"]
        if self.known != wanted:
            # As Django's own statements: a database that went away is a DatabaseError to whoever asked.
            with connection.wrap_database_errors:
                connection.connection.execute(_SET, [wanted])
            # A rollback takes the setting back with everything else, so inside a transaction it is not relied upon.
            self.known = None if connection.in_atomic_block else wanted
        return execute(sql, params, many, context)


def _connected(connection: BaseDatabaseWrapper, **_: Any) -> None:
    """A new session knows no scope; with a pool it may be one that another request used."""
    if connection.vendor != "postgresql":
        return
    announcer = next((wrap for wrap in connection.execute_wrappers if isinstance(wrap, _Announcer)), None)
    if announcer is None:
        connection.execute_wrappers.insert(0, _Announcer())
    else:
        announcer.known = None


def connect() -> None:
    """Announce scopes on every PostgreSQL connection from now on; called once, when the app is ready."""
    connection_created.connect(_connected, dispatch_uid="tenant scope")
