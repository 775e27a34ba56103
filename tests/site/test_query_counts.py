"""How many queries a page asks, pinned: the same number with 3 rows as with 60. A number that changes is looked at."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from console.access.models import User
from tests.people import People
from tests.site.many import Many, grow, start
from tests.site.test_access_table import INSIDE, PLATFORM, SIGNED_IN

pytestmark = pytest.mark.django_db

FEW, MANY = 3, 60

# The page's name in the access table, with a query string or an integration's tab, and how many queries it asks.
# About eight of them every page asks: session, person, tenant, rights, and what the shell around it counts.
PINNED = {
    "home": 16,
    "integrations:fleet": 13,
    "integrations:fleet?sort=name": 13,
    "integrations:fleet?q=orders&attention=1": 13,
    "integrations:index": 14,
    "integrations:detail": 17,
    "integrations:tab?overview": 17,
    "integrations:tab?inside": 16,
    "integrations:tab?connection": 16,
    "integrations:tab?flows": 17,
    "integrations:tab?connections": 18,
    "integrations:tab?errors": 17,
    "integrations:tab?history": 25,
    "integrations:tab?archives": 17,
    "archives:detail": 14,
    "archives:detail?entry=1&q=flows": 13,
    "archives:compare": 15,
    "integrations:tab?raw": 16,
    "integrations:set_field?all=1": 10,
    "integrations:set_field?all=1&field=tag": 10,
    "integrations:revisions?all=1": 10,
    "integrations:revision": 10,
    "changes:batch": 13,
    "integrations:create": 10,
    "integrations:edit": 11,
    "changes:detail": 10,
    "integrations:clone": 12,
    "integrations:delete": 12,
    "integrations:install": 14,
    "integrations:uninstall": 14,
    "integrations:register_connections": 13,
    "integrations:history_export": 18,
    "integrations:restore": 11,
    "history:index": 15,
    "history:index?q=orders&who=owner&source=snapshot": 10,
    "history:export": 15,
    "tenants:detail": 17,
    "tenants:settings": 13,
    "people:index": 19,
    "audit:index": 10,
    "vendor_accounts:index": 10,
    "vendor_accounts:detail": 21,
    "vendor_accounts:replace": 11,
    "vendor_accounts:edit": 12,
    "vendor_accounts:remove": 13,
    "vendor_accounts:search": 10,
    "vendor_accounts:revisions": 14,
    "vendor_accounts:revisions?gaps=1": 14,
    "vendor_accounts:take_revisions": 11,
    "vendor_accounts:revision_policy": 11,
    "jobs:index": 11,
    "jobs:detail": 12,
    "search?q=orders&stay=1": 13,
    "me": 9,
    "jobs:fleet": 9,
    "jobs:running": 3,
    "audit:fleet": 8,
    "tenants:index": 9,
    "health": 29,
    "credentials:index": 7,
    "credentials:detail": 11,
    "credentials:replace": 8,
    "credentials:bind": 9,
    "credentials:remove": 8,
}
# Pages that show a form or one fixed text, and no rows that could grow.
WITHOUT_ROWS = {
    "tenants:create",
    "vendor_accounts:create",
    "credentials:create",
}


def counted_pages() -> set[str]:
    inside = {name for name, row in INSIDE.items() if row.method == "get"}
    return inside | {name for name, method in {**SIGNED_IN, **PLATFORM}.items() if method == "get"}


def uncounted(pages: Iterable[str]) -> set[str]:
    return set(pages) - {page.partition("?")[0] for page in PINNED} - WITHOUT_ROWS


def test_every_page_has_its_number() -> None:
    assert uncounted(counted_pages()) == set()


def test_a_page_without_a_number_is_noticed() -> None:
    assert uncounted({*counted_pages(), "planted:page"}) == {"planted:page"}


@pytest.fixture
def many(people: People) -> Many:
    made = start(people)
    grow(made, 0, FEW)
    return made


def _address(page: str, many: Many) -> str:
    name, _, query = page.partition("?")
    if name in INSIDE:
        row = INSIDE[name]
        extra = [query] if row.extra else []
        address = reverse(name, args=[many.tenant.slug, *many.ids(row.takes), *extra])
        return address if row.extra else f"{address}?{query}"
    takes_credential = name.startswith("credentials:") and name != "credentials:index"
    return f"{reverse(name, args=[many.shared.pk] if takes_credential else [])}?{query}"


def _reader(page: str, many: Many) -> User:
    return many.people.platform if page.partition("?")[0] in PLATFORM else many.people.members["owner"]


def _queries(page: str, many: Many) -> list[str]:
    client = Client()
    client.force_login(_reader(page, many))
    address = _address(page, many)
    # Once without counting: a first page of a session notes the visit.
    assert client.get(address).status_code == 200
    with CaptureQueriesContext(connection) as captured:
        # A file that is sent while it is read asks as it is taken.
        b"".join(client.get(address))
    return [query["sql"] for query in captured.captured_queries]


@pytest.mark.proof  # opens every page four times
def test_pages_ask_as_many_queries_for_60_rows_as_for_3(many: Many) -> None:
    # All pages on one world: growing it takes longer than asking.
    few = {page: _queries(page, many) for page in PINNED}
    grow(many, FEW, MANY)
    grown = {page: _queries(page, many) for page in PINNED}
    more = {page: grown[page] for page in PINNED if len(grown[page]) > len(few[page])}
    assert not more, "\n".join(f"{page}: {sql}" for page, queries in more.items() for sql in queries)
    assert {page: len(queries) for page, queries in grown.items()} == PINNED


def test_a_query_per_row_is_noticed(many: Many) -> None:
    def planted() -> int:
        with CaptureQueriesContext(connection) as captured:
            for integration in many.tenant.integrations.all():
                integration.vendor_account.name  # noqa: B018  # one query each
        return len(captured)

    few = planted()
    grow(many, FEW, MANY)
    assert planted() > few
