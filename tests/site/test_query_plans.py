"""Lists read their rows from the index of their order: page 2 of thousands costs what page 1 does; nothing is sorted.

Held to the plan of the database in use: SQLite's by default, PostgreSQL's with --stack=postgres-redis.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from console.audit.events import Event
from console.audit.models import AuditEvent
from integrations_app.models import Integration, Job
from tests.people import People, give, make_tenant
from tests.site.many import START, make_accounts, make_integrations, make_jobs, make_snapshots, make_writes

pytestmark = [pytest.mark.django_db, pytest.mark.stack, pytest.mark.proof]

ROWS = 6000
# What a page of 50 may read on PostgreSQL: the page, and what is dropped on the way of another tenant.
READ_AT_MOST = 600
INTEGRATIONS, JOBS, EVENTS = "integrations_app_integration", "integrations_app_job", "audit_auditevent"
SNAPSHOTS, WRITES = "integrations_app_snapshot", "integrations_app_vendorwrite"

LISTS = {
    **{
        f"{name}?sort={sort}": INTEGRATIONS
        for name in ("integrations:fleet", "integrations:index")
        for sort in ("name", "-name", "changed", "-changed", "state", "-state")
    },
    "integrations:index?attention=1": INTEGRATIONS,
    "jobs:fleet": JOBS,
    "jobs:index": JOBS,
    "audit:fleet": EVENTS,
    "audit:index": EVENTS,
    "history:index": SNAPSHOTS,
    "history:index?source=drift": SNAPSHOTS,
    "history:index?source=write": WRITES,
}


@pytest.fixture
def crowded(people: People) -> People:
    """Thousands of rows at two tenants of the owner, and some at a third one that the owner may not see."""
    owner = people.members["owner"]
    second, foreign = make_tenant("second", "Second"), people.other_tenant
    give(owner, "owner", second)
    for tenant, share in ((people.tenant, 3), (second, 2), (foreign, 1)):
        account = make_accounts(tenant, 1, owner)[0]
        integrations = make_integrations(account, ROWS * share // 6)
        make_snapshots(integrations, by=owner)
        make_writes(integrations[0], ROWS * share // 6)
        make_jobs(account, ROWS * share // 6, owner)
        AuditEvent.objects.bulk_create(
            [AuditEvent(event=Event.JOB_REQUESTED, tenant_id=tenant.id, at=START) for _ in range(ROWS * share // 6)]
        )
    if connection.vendor == "postgresql":
        # As autovacuum would have done by the time there are so many rows. SQLite is never analysed in use.
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
    return people


def _page_queries(address: str, table: str, client: Client) -> Iterator[tuple[str, str]]:
    """(which page, its SQL) for the first page, the second, and the way back."""
    page, cursors = "first", ""
    for page, follow in (("first", "next"), ("second", "next"), ("third", "previous"), ("second again", "")):
        glue = "&" if "?" in address else "?"
        with CaptureQueriesContext(connection) as captured:
            response = client.get(f"{address}{glue}{cursors}" if cursors else address)
        assert response.status_code == 200
        yield page, _query_of(captured, table)
        shown = response.context["page"]
        cursors = f"after={shown.next}" if follow == "next" else f"before={shown.previous}"


def _query_of(captured: CaptureQueriesContext, table: str) -> str:
    found = [query["sql"] for query in captured if f'FROM "{table}"' in query["sql"] and "LIMIT 51" in query["sql"]]
    assert len(found) == 1, found
    return str(found[0])


def troubles(sql: str, table: str) -> list[str]:
    """What is wrong with how this database carries the query out; empty when it reads its page from an index."""
    return _in_postgresql(sql, table) if connection.vendor == "postgresql" else _in_sqlite(sql, table)


def _in_sqlite(sql: str, table: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
        plan = [str(row[3]) for row in cursor.fetchall()]
    sorts = [line for line in plan if "TEMP B-TREE" in line and "ORDER BY" in line]
    whole = [line for line in plan if line.startswith(f"SCAN {table}") and "USING INDEX" not in line]
    return sorts + whole


def _in_postgresql(sql: str, table: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}")
        answer = cursor.fetchone()[0]
    plan = (json.loads(answer) if isinstance(answer, str) else answer)[0]["Plan"]
    return [
        f"{node['Node Type']} reads {_read(node)} rows"
        for node in _nodes(plan)
        if (node.get("Relation Name") == table or node["Node Type"] == "Sort") and _read(node) > READ_AT_MOST
    ]


def _read(node: dict[str, Any]) -> int:
    """Rows that a node gave or dropped, in all its loops; a sort is charged with what it was given."""
    source = node["Plans"][0] if node["Node Type"] == "Sort" else node
    return int((source["Actual Rows"] + source.get("Rows Removed by Filter", 0)) * source["Actual Loops"])


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for inner in plan.get("Plans", ()):
        yield from _nodes(inner)


def test_every_list_reads_its_pages_from_an_index(crowded: People) -> None:
    client = Client()
    client.force_login(crowded.members["owner"])
    found = {}
    for name, table in LISTS.items():
        view, _, query = name.partition("?")
        is_inside = not view.endswith(":fleet")
        address = reverse(view, args=[crowded.tenant.slug] if is_inside else []) + (f"?{query}" if query else "")
        for page, sql in _page_queries(address, table, client):
            if wrong := troubles(sql, table):
                found[f"{name}, {page} page"] = wrong
    assert found == {}


def test_an_order_without_an_index_is_noticed(crowded: People) -> None:
    rows = Integration.objects.for_tenant(crowded.tenant).order_by("vendor_words", "remote_created_at")[:51]
    with CaptureQueriesContext(connection) as captured:
        list(rows)
    assert troubles(_query_of(captured, INTEGRATIONS), INTEGRATIONS)


def test_a_table_read_from_end_to_end_is_noticed(crowded: People) -> None:
    with CaptureQueriesContext(connection) as captured:
        list(Job.objects.filter(worker="nobody").order_by()[:51])
    assert troubles(_query_of(captured, JOBS), JOBS)
