"""The history tab and a tenant's history: timeline, filters in the address, two states side by side, the CSV file."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from console.audit.events import Event
from console.audit.models import AuditEvent
from integrations_app.models import IntegrationDocument, Job, Snapshot, VendorWrite, WriteState
from tests.people import People
from tests.things import Things, make_account, make_integration, make_listing, make_things


@pytest.fixture
def things(people: People) -> Things:
    return make_things(people.tenant)


@pytest.fixture
def viewer(people: People, client: Client) -> Client:
    client.force_login(people.members["viewer"])
    return client


def tab(things: Things) -> str:
    return reverse("integrations:tab", args=[things.integration.tenant.slug, things.integration.pk, "history"])


def shown(client: Client, address: str, **query: Any) -> str:
    response = client.get(address, query)
    assert response.status_code == 200
    return response.content.decode()


def make_drift(things: Things, redacted: bytes, **columns: Any) -> Snapshot:
    return Snapshot.objects.create(
        tenant=things.integration.tenant,
        integration=things.integration,
        cause="drift",
        as_of=timezone.now(),
        sealed=b"-",
        redacted=redacted,
        digest=b"-",
        **columns,
    )


# --- two states ----------------------------------------------------------------------------------------------------


def test_noise_is_hidden_until_somebody_asks_for_it(things: Things, viewer: Client) -> None:
    Snapshot.objects.update(redacted=b'{"lastModified": "2026-01-01", "name": "Orders"}')
    IntegrationDocument.objects.update(redacted=b'{"lastModified": "2026-02-02", "name": "Refunds"}')
    assert "Refunds" not in shown(viewer, tab(things))
    usual = shown(viewer, tab(things), **{"from": things.snapshot.pk})
    assert "Refunds" in usual
    assert "2026-02-02" not in usual
    noisy = shown(viewer, tab(things), **{"from": things.snapshot.pk, "noise": "1"})
    assert "Refunds" in noisy
    assert "2026-02-02" in noisy


def test_any_two_states_are_compared_in_the_order_of_time(things: Things, viewer: Client) -> None:
    Snapshot.objects.filter(pk=things.snapshot.pk).update(redacted=b'{"name": "First"}')
    second = make_drift(things, b'{"name": "Second"}', taken_at=things.snapshot.taken_at + timedelta(minutes=1))
    IntegrationDocument.objects.update(redacted=b'{"name": "Third"}')
    chosen = {
        ("first", "second"): ("First", "Second"),
        ("second", "first"): ("First", "Second"),
        ("first", ""): ("First", "Third"),
        ("first", "now"): ("First", "Third"),
        ("first", "next"): ("First", "Second"),
        ("second", "next"): ("Second", "Third"),
        ("", "second"): ("Second", "Third"),
    }
    ids = {"first": str(things.snapshot.pk), "second": str(second.pk)}
    for (start, end), (before, after) in chosen.items():
        query = {"from": ids.get(start, start), "to": ids.get(end, end), "view": "side"}
        page = viewer.get(tab(things), query)
        change = page.context["comparison"].diff.changes[0]
        assert (change.before, change.after) == (before, after), (start, end)


def test_a_state_chosen_on_one_page_is_compared_with_one_of_another(things: Things, viewer: Client) -> None:
    for minute in range(1, 30):
        make_drift(things, b"{}", taken_at=things.snapshot.taken_at + timedelta(minutes=minute))
    newest = viewer.get(tab(things)).context["page"].rows[0].state_id
    first = viewer.get(tab(things), {"from": str(newest)})
    assert (first.context["states"].before, first.context["states"].kept) == (newest, ())
    second = viewer.get(tab(things), {"from": str(newest), "after": first.context["page"].next})
    kept = dict(second.context["states"].kept)
    assert kept == {"after": first.context["page"].next, "from": str(newest)}
    # The radio button stands after the form's own field, so it is the one that counts.
    both = viewer.get(f"{tab(things)}?from={newest}&from={things.snapshot.pk}&to=now")
    assert both.context["comparison"].before == things.snapshot


def test_a_state_of_another_integration_is_not_found(things: Things, viewer: Client, people: People) -> None:
    foreign = make_things(people.other_tenant).snapshot
    for given in (str(foreign.pk), "nonsense", "00000000-0000-0000-0000-000000000000"):
        assert viewer.get(tab(things), {"from": given}).status_code == 404
        assert viewer.get(tab(things), {"from": str(things.snapshot.pk), "to": given}).status_code == 404


# --- the timeline --------------------------------------------------------------------------------------------------


def test_what_was_changed_outside_is_marked(things: Things, viewer: Client) -> None:
    make_drift(things, b"{}")
    page = shown(viewer, tab(things), source="drift")
    assert "Changed outside this console</span>" in page
    assert "to=next" in page
    assert "Snapshot taken" not in page


def test_a_vendor_s_own_records_show_their_age_and_how_to_read_them(
    things: Things, viewer: Client, people: People
) -> None:
    assert "Celigo audit never read" in shown(viewer, tab(things))
    make_listing(things.integration, "audit", read_at=timezone.now() - timedelta(minutes=5))
    page = shown(viewer, tab(things))
    assert "Celigo audit as of" in page
    assert "5 min ago" in page
    address = reverse("integrations:history_refresh", args=[people.tenant.slug, things.integration.pk])
    assert address not in page  # a viewer may not ask, and is told so
    viewer.force_login(people.members["support"])
    assert address in shown(viewer, tab(things))
    assert viewer.post(address, headers={"HX-Request": "true"}).status_code == 204
    assert set(Job.objects.filter(type="read_listing").values_list("params__kind", flat=True)) == {"audit", "revisions"}
    assert "Being read" in shown(viewer, tab(things))


def test_a_vendor_without_records_has_no_headings_for_them(people: People, viewer: Client) -> None:
    one = make_integration(make_account(people.tenant, vendor="torq"), "Scan hosts")
    page = shown(viewer, reverse("integrations:tab", args=[people.tenant.slug, one.pk, "history"]))
    # The menu above says that this vendor keeps none.
    tab = page.partition('id="tab"')[2]
    assert "never read" not in tab
    assert "revision" not in tab
    assert "Nothing has happened yet" in page
    viewer.force_login(people.members["owner"])
    address = reverse("integrations:history_refresh", args=[people.tenant.slug, one.pk])
    assert viewer.post(address).status_code == 404


def test_filters_that_make_no_sense_filter_nothing(things: Things, viewer: Client) -> None:
    for query in (
        {"since": "yesterday", "until": "0001-01-01"},
        {"since": "9999-12-31"},
        {"source": "nonsense"},
        {"after": "x" * 5000},
        {"who": "   ", "q": " "},
    ):
        page = viewer.get(tab(things), query)
        assert len(page.context["page"].rows) == 1, query


def test_days_include_the_last_one(things: Things, viewer: Client) -> None:
    today = timezone.localdate().isoformat()
    assert len(viewer.get(tab(things), {"since": today, "until": today}).context["page"].rows) == 1
    before = (timezone.localdate() - timedelta(days=1)).isoformat()
    assert viewer.get(tab(things), {"until": before}).context["page"].rows == []


def test_a_done_edit_can_be_undone_from_its_line_by_whoever_may_edit(
    things: Things, client: Client, people: People
) -> None:
    one = things.integration
    write = VendorWrite.objects.create(
        tenant=people.tenant, vendor_account=things.account, integration=one, operation="edit", title="Edit Orders",
        key="k", state=WriteState.DONE, snapshot=things.snapshot,
    )  # fmt: skip
    address = reverse("changes:undo", args=[people.tenant.slug, write.pk])
    for role, is_offered in (("viewer", False), ("support", False), ("editor", True)):
        client.force_login(people.members[role])
        page = shown(client, tab(things))
        assert (address in page) is is_offered, role
        assert reverse("changes:detail", args=[people.tenant.slug, write.pk]) in page
        assert (reverse("integrations:restore", args=[people.tenant.slug, things.snapshot.pk]) in page) is is_offered


# --- a tenant's ----------------------------------------------------------------------------------------------------


def test_a_tenant_s_history_leads_to_each_integration(things: Things, viewer: Client, people: People) -> None:
    drift = make_drift(things, b"{}")
    make_drift(make_things(people.other_tenant), b"{}")
    address = reverse("history:index", args=[people.tenant.slug])
    page = viewer.get(address)
    assert len(page.context["page"].rows) == 2
    text = page.content.decode()
    assert f"{tab(things)}?from={drift.pk}&amp;to=next" in text or f"{tab(things)}?from={drift.pk}&to=next" in text
    assert "Nothing matches" in shown(viewer, address, q="no such integration")
    assert address in shown(viewer, reverse("integrations:index", args=[people.tenant.slug]))


# --- the file ------------------------------------------------------------------------------------------------------


def test_the_file_is_safely_named_filtered_and_audited(things: Things, viewer: Client, people: People) -> None:
    make_drift(things, b"{}", note="=1+1")
    for address in (
        reverse("integrations:history_export", args=[people.tenant.slug, things.integration.pk]),
        reverse("history:export", args=[people.tenant.slug]),
    ):
        response = viewer.get(address, {"source": "drift"})
        body = b"".join(response.streaming_content).decode()  # type: ignore[attr-defined]  # it is a stream
        assert response["Content-Type"] == "text/csv; charset=utf-8"
        name = response["Content-Disposition"].removeprefix("attachment; filename=").strip('"')
        assert name.startswith("history-larkspur")
        assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.")
        assert body.startswith("\ufeff")
        assert body.count("\r\n") == 2
        assert '"\'=1+1"' in body
        assert f"http://testserver{tab(things)}?from=" in body
    assert AuditEvent.objects.filter(event=Event.HISTORY_EXPORTED).count() == 2
