"""The tabs of what a vendor lists of an integration: their states, search, pages, and who has them read anew."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from console.access import vault
from integrations_app.models import Integration, Job, JobState, Listing, VendorAccount, VendorWrite
from integrations_app.services import listings
from integrations_app.services.documents import load
from tests.people import People
from tests.things import make_account, make_integration, make_listing

LISTENS = 'hx-trigger="listing-asked from:body"'
POLLS = 'hx-trigger="every 1s, awake from:body"'
ASKS = 'name="quietly"'


@pytest.fixture
def integration(people: People) -> Integration:
    return make_integration(make_account(people.tenant))


def flow(number: int, **values: Any) -> dict[str, Any]:
    shown = {"is_on": True, "schedule": "? 5 * * * *", "last_run_at": "2026-11-24T08:00:00+00:00", **values}
    return {"remote_id": f"{number:024x}", "name": f"Flow {number}", "values": shown, "raw": {"name": f"Flow {number}"}}


def address(integration: Integration, kind: str = "flows") -> str:
    return f"{integration.get_absolute_url()}{kind}/"


def opened(client: Client, address: str, query: dict[str, str] | None = None, **headers: str) -> str:
    response = client.get(address, query or {}, headers=headers)
    assert response.status_code == 200
    return response.content.decode()


def test_the_vendor_s_kinds_are_tabs_between_what_is_inside_and_the_history(
    people: People, integration: Integration, client: Client
) -> None:
    make_listing(integration, "flows", flow(1), flow(2))
    client.force_login(people.members["viewer"])
    page = opened(client, address(integration))
    kinds = [kind for kind in listings.kinds(integration.vendor) if kind.is_tab]
    labels = ["Overview", *(kind.label for kind in kinds), "History", "Raw"]
    places = [page.index(f">{label}", page.index('<nav class="tabs"')) for label in labels]
    assert places == sorted(places)
    # Only what was read has a number.
    counted = set(re.findall(r'>([^<>]+) <span class="count">', page[page.index('<nav class="tabs"') :]))
    assert counted & {kind.label for kind in kinds} == {"Flows"}
    assert 'title="as of just now"' in page


def test_a_vendor_that_lists_nothing_has_no_such_tabs(people: People, client: Client) -> None:
    torq = make_integration(make_account(people.tenant, vendor="torq"))
    client.force_login(people.members["viewer"])
    assert "Flows" not in opened(client, torq.get_absolute_url())
    assert client.get(address(torq)).status_code == 404


def test_rows_show_their_values_by_kind(people: People, integration: Integration, client: Client) -> None:
    rows = (
        flow(1, step_count=1234, timezone='<b>"Rome"</b>'),
        flow(2, is_on=False, schedule={"$secret": "7f3a0c21"}, last_run_at="some day", updated_at=None),
    )
    make_listing(integration, "flows", *rows, bad_count=3, is_whole=False)
    client.force_login(people.members["auditor"])
    page = opened(client, address(integration))
    for shown in (
        '<span class="st st-ok">On</span>',
        '<span class="st st-off">Off</span>',
        "<code>7f3a0c21</code>",
        "1,234",
        "&lt;b&gt;&quot;Rome&quot;&lt;/b&gt;",
        "some day",
        '<time datetime="2026-11-24T08:00:00+00:00"',
        "there are more at Celigo than were read",
        "3 could not be read",
    ):
        assert shown in page, shown


def test_a_row_unfolds_its_document_and_no_other(people: People, integration: Integration, client: Client) -> None:
    make_listing(integration, "flows", flow(1), {**flow(2), "raw": {"password": {"$secret": "7f3a0c21"}}})
    client.force_login(people.members["viewer"])
    page = opened(client, address(integration))
    assert "data-json-tree" not in page
    page = opened(client, address(integration), {"doc": f"{2:024x}"})
    assert page.count("data-json-tree>") == 1
    assert "7f3a0c21" in page
    assert 'aria-expanded="true"' in page


def test_search_looks_into_names_ids_and_values(people: People, integration: Integration, client: Client) -> None:
    make_listing(integration, "flows", flow(1, timezone="Europe/Rome"), flow(2), flow(10))
    client.force_login(people.members["viewer"])
    for query, found in (("rome", 1), ("FLOW 1", 2), (f"{2:024x}", 1), ("zzz", 0), ("", 3)):
        page = opened(client, address(integration), {"q": query})
        assert page.count('id="row-') == found, query
    assert "Nothing matches this search" in opened(client, address(integration), {"q": "zzz"})


def test_what_it_uses_and_what_uses_it_are_two_groups(people: People, integration: Integration, client: Client) -> None:
    directions = ("used by", "uses", "", "used by")
    rows = [
        {"remote_id": f"d{number}", "name": f"Thing {number}", "values": {"direction": direction, "model": "flow"}}
        for number, direction in enumerate(directions)
    ]
    make_listing(integration, "dependencies", *rows)
    client.force_login(people.members["viewer"])
    page = opened(client, address(integration, "dependencies"))
    shown = re.findall(r'colspan="3">([^<]+)</th>|>(Thing \d)<', page)
    assert ["".join(each) for each in shown] == [
        "Uses", "Thing 1", "Used by", "Thing 0", "Thing 3", "The vendor does not say which way", "Thing 2"
    ]  # fmt: skip


def test_a_hundred_rows_are_a_page(people: People, integration: Integration, client: Client) -> None:
    make_listing(integration, "flows", *(flow(number) for number in range(250)))
    client.force_login(people.members["viewer"])
    for query, first, last, count in (("", 1, 100, 100), ("3", 201, 250, 50), ("99", 201, 250, 50), ("x", 1, 100, 100)):
        page = opened(client, address(integration), {"page": query})
        assert f"{first} to {last} of 250" in page, query
        assert page.count('id="row-') == count
    middle = opened(client, address(integration), {"page": "2", "q": "flow"})
    assert 'rel="prev" href="?page=1&amp;q=flow"' in middle or 'rel="prev" href="?q=flow&amp;page=1"' in middle


def test_opening_an_old_tab_asks_for_it_once_and_never_by_a_get(
    people: People, integration: Integration, client: Client
) -> None:
    client.force_login(people.members["support"])
    page = opened(client, address(integration))
    assert ASKS in page
    assert "Not read yet" in page
    assert not Job.objects.exists()
    old = timezone.now() - timedelta(minutes=11)
    row = make_listing(integration, "flows", flow(1), read_at=old)
    assert ASKS in opened(client, address(integration))
    # The part that looks again asks for nothing: a job somebody cancelled would come back for ever.
    again = opened(client, address(integration), HX_Request="true", HX_Target="listing")
    assert ASKS not in again
    Listing.objects.filter(pk=row.pk).update(read_at=timezone.now())
    assert ASKS not in opened(client, address(integration))
    Listing.objects.filter(pk=row.pk).update(read_at=None, count=0, failed_at=timezone.now(), failure="No (500)")
    failed = opened(client, address(integration))
    assert ASKS not in failed
    assert "No (500)" in failed


def test_a_gone_integration_is_not_asked_about_by_itself(
    people: People, integration: Integration, client: Client
) -> None:
    Integration.objects.filter(pk=integration.pk).update(gone_at=timezone.now(), state="gone")
    client.force_login(people.members["support"])
    assert ASKS not in opened(client, address(integration))


def test_refresh_starts_one_job_and_the_tab_watches_it(
    people: People, integration: Integration, client: Client
) -> None:
    make_listing(integration, "flows", flow(1))
    client.force_login(people.members["support"])
    read = f"{integration.get_absolute_url()}listings/flows/read/"
    assert LISTENS in opened(client, address(integration))
    for _ in range(2):
        answer = client.post(read, headers={"HX-Request": "true"})
        assert answer.status_code == 204
        assert "listing-asked" in answer.headers["HX-Trigger"]
        assert "Flows of Orders: started." in answer.headers["HX-Trigger"]
    job = Job.objects.get()
    watched = opened(client, address(integration), HX_Request="true", HX_Target="listing")
    assert POLLS in watched
    assert "Asking Celigo…" in watched
    assert "Flow 1" in watched
    Job.objects.update(state=JobState.SUCCEEDED)
    assert LISTENS in opened(client, address(integration))

    quiet = client.post(read, {"quietly": "1"}, headers={"HX-Request": "true"})
    assert "toast" not in quiet.headers["HX-Trigger"]
    Job.objects.exclude(pk=job.pk).update(state=JobState.SUCCEEDED)
    without_scripts = client.post(read)
    assert without_scripts.headers["Location"].startswith(f"/t/{people.tenant.slug}/jobs/")


def test_who_may_not_sync_sees_what_there_is_and_why_it_stays_old(
    people: People, integration: Integration, client: Client
) -> None:
    client.force_login(people.members["viewer"])
    never = opened(client, address(integration))
    assert ASKS not in never
    assert 'role="tooltip"' in never
    make_listing(integration, "flows", flow(1), read_at=timezone.now() - timedelta(days=2))
    page = opened(client, address(integration))
    assert "Flow 1" in page
    assert "2 days ago" in page
    assert ASKS not in page
    assert client.post(f"{integration.get_absolute_url()}listings/flows/read/").status_code == 403


def test_each_kind_of_nothing_is_said(people: People, integration: Integration, client: Client) -> None:
    row = make_listing(integration, "flows")
    client.force_login(people.members["support"])
    assert listings.kind_of("celigo", "flows").empty in opened(client, address(integration))
    Listing.objects.filter(pk=row.pk).update(failed_at=timezone.now(), failure="Refused (403)")
    page = opened(client, address(integration))
    assert "The last reading failed, just now" in page
    assert "Refused (403)" in page
    VendorAccount.objects.filter(pk=integration.vendor_account_id).update(removed_at=timezone.now())
    assert "vendor account was removed" in opened(client, address(integration))


def test_what_no_vendor_lists_cannot_be_asked_for(people: People, integration: Integration, client: Client) -> None:
    client.force_login(people.members["support"])
    base = f"{integration.get_absolute_url()}listings/"
    assert client.post(f"{base}nonsense/read/").status_code == 404
    assert client.post(f"{base}error_records/read/").status_code == 404
    assert client.post(f"{base}flows/read/", {"scope": "a/b"}).status_code == 404
    assert client.get(f"{base}flows/read/").status_code == 405
    assert client.get(address(integration, "error_records")).status_code == 404
    assert not Job.objects.exists()


def test_a_step_s_records_have_an_address_and_no_tab(people: People, integration: Integration, client: Client) -> None:
    record = {"remote_id": "e1", "name": "No such customer", "values": {"code": "invalid_ref"}, "raw": {}}
    make_listing(integration, "error_records", record, scope="f/s")
    client.force_login(people.members["viewer"])
    page = opened(client, address(integration, "error_records"), {"scope": "f/s"})
    assert "No such customer" in page
    assert ">Error records</a>" not in page
    assert "No such customer" not in opened(client, address(integration, "error_records"), {"scope": "f/t"})


def test_the_account_s_own_list_has_no_tab_but_can_be_asked_for(
    people: People, integration: Integration, client: Client
) -> None:
    client.force_login(people.members["support"])
    assert client.get(address(integration, "account_connections")).status_code == 404
    client.post(f"{integration.get_absolute_url()}listings/account_connections/read/")
    assert Job.objects.get().target_type == "vendoraccount"


def test_the_facts_of_the_connections_stay_within_reach(
    people: People, integration: Integration, client: Client
) -> None:
    from integrations_app.models import IntegrationPart

    IntegrationPart.objects.create(
        tenant=people.tenant, integration=integration, position=0, kind="connection", name="Shop"
    )
    client.force_login(people.members["viewer"])
    page = opened(client, address(integration, "connections"))
    facts = address(integration, "connection")
    assert f'href="{facts}"' in page
    assert (
        ">Connection<" not in page[page.index('<nav class="tabs"') : page.index("</nav>", page.index('class="tabs"'))]
    )
    assert "Shop" in opened(client, facts)


# --- what can be done with the rows --------------------------------------------------------------------------------


def record(number: int, *, can_retry: bool = True) -> dict[str, Any]:
    values = {"code": "invalid_ref", "is_retryable": can_retry, "retry_key": "kept" if can_retry else ""}
    return {"remote_id": f"e{number}", "name": f"No customer {number}", "values": values, "raw": {}}


def asked_for(tenant_slug: str, response: Any) -> VendorWrite:
    """The write whose page the browser is led to."""
    assert response.headers["Location"].startswith(f"/t/{tenant_slug}/changes/")
    return VendorWrite.objects.get()


def params_of(write: VendorWrite) -> dict[str, Any]:
    assert write.sealed is not None
    return dict(load(vault.unseal(write.tenant_id, write.context, write.sealed))["params"])


def field(page: str, name: str) -> str:
    """The value of the first hidden field of this name."""
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found is not None, name
    return found[1]


def test_a_flow_s_buttons_ask_and_the_second_click_finds_the_first(
    people: People, integration: Integration, client: Client
) -> None:
    make_listing(integration, "flows", flow(1), flow(2, is_on=False))
    client.force_login(people.members["editor"])
    page = opened(client, address(integration))
    assert page.count(">Switch off</button>") == page.count(">Switch on</button>") == 1
    asked = {"flow": f"{1:024x}", "is_on": "0", "key": field(page, "key")}
    for _ in range(2):
        response = client.post(f"{address(integration)}switch/", asked)
        write = asked_for(people.tenant.slug, response)
    assert write.title == "Switch off Flow 1 of Orders"
    assert params_of(write) == {"flow": f"{1:024x}", "name": "Flow 1", "is_on": False}
    assert Job.objects.get().type == "prepare_write"
    VendorWrite.objects.all().delete()
    response = client.post(f"{address(integration)}run/", {"flow": f"{2:024x}", "key": "another"})
    assert asked_for(people.tenant.slug, response).title == "Run Flow 2 of Orders"


def test_a_flow_that_is_not_listed_any_more_leads_back(
    people: People, integration: Integration, client: Client
) -> None:
    client.force_login(people.members["editor"])
    response = client.post(f"{address(integration)}run/", {"flow": "nonsense", "key": "k"}, follow=True)
    assert "not in the list any more" in response.content.decode()
    assert not VendorWrite.objects.exists()


def test_buttons_that_are_not_allowed_stay_with_their_reason(
    people: People, integration: Integration, client: Client
) -> None:
    make_listing(integration, "flows", flow(1))
    make_listing(integration, "connections", {"remote_id": "c1", "name": "Shop", "values": {"is_online": True}})
    make_listing(integration, "error_records", record(1), scope="f/s")
    client.force_login(people.members["viewer"])
    for kind, query, labels in (
        ("flows", {}, ("Switch off", "Run")),
        ("connections", {}, ("Ping", "Unregister", "Register connections")),
        ("error_records", {"scope": "f/s"}, ("Retry", "Resolve")),
    ):
        page = opened(client, address(integration, kind), query)
        for label in labels:
            assert re.search(rf'aria-disabled="true"[^>]*>{label}</button>', page), (kind, label)
        assert 'method="post" action="/t/' not in page.partition('id="listing"')[2], kind


def test_a_step_with_errors_leads_to_its_records_and_back(
    people: People, integration: Integration, client: Client
) -> None:
    step = {"remote_id": "f/s", "name": "Daily: Create orders", "values": {"flow": "Daily", "count": 1}}
    make_listing(integration, "errors", step)
    make_listing(integration, "error_records", record(1), scope="f/s")
    client.force_login(people.members["viewer"])
    records = f"{address(integration, 'error_records')}?scope=f%2Fs"
    assert f'href="{records}"' in opened(client, address(integration, "errors"))
    page = opened(client, records)
    assert "Open errors of Daily: Create orders" in page
    assert f'href="{address(integration, "errors")}"' in page
    assert re.search(r'aria-current="page"[^>]*>Errors', page)


def test_chosen_records_one_and_all_that_match_are_asked_for(
    people: People, integration: Integration, client: Client
) -> None:
    rows = [record(number, can_retry=number != 3) for number in range(120)]
    make_listing(integration, "error_records", *rows, scope="f/s")
    client.force_login(people.members["editor"])
    page = opened(client, address(integration, "error_records"), {"scope": "f/s", "q": "customer"})
    assert page.count("data-pick>") == 100
    assert page.count('name="only"') == 199
    assert "Retry all 120 that match" in page
    chosen = {"scope": "f/s", "key": field(page, "key"), "q": "customer 11", "errors": ["e1", "e2"]}
    base = address(integration, "errors")
    for more, operation, errors in (
        ({}, "retry", ["e1", "e2"]),
        ({"only": "e7"}, "resolve", ["e7"]),
        ({"all": "1"}, "resolve", ["e11", *(f"e{number}" for number in range(110, 120))]),
    ):
        VendorWrite.objects.all().delete()
        write = asked_for(people.tenant.slug, client.post(f"{base}{operation}/", {**chosen, **more}))
        assert write.operation == f"{operation}_errors"
        assert params_of(write)["errors"] == errors
    none = client.post(f"{base}retry/", {"scope": "f/s", "key": "k"}, follow=True)
    assert "Choose at least one record" in none.content.decode()


def test_only_connections_that_are_not_registered_are_offered(
    people: People, integration: Integration, client: Client
) -> None:
    rows = [{"remote_id": f"c{n}", "name": f"Shop {n}", "values": {"type": "http"}} for n in range(3)]
    make_listing(integration, "connections", rows[0])
    Listing.objects.filter(pk=make_listing(integration, "account_connections", *rows).pk).update(integration=None)
    client.force_login(people.members["editor"])
    register = f"{address(integration, 'connections')}register/"
    page = opened(client, register)
    assert "Shop 1" in page
    assert "Shop 0" not in page
    assert page.count("data-pick>") == 2
    assert page.count('id="row-') == opened(client, register, {"q": "shop"}).count('id="row-') == 2
    none = client.post(register, {"key": "k"}, follow=True)
    assert "Choose at least one connection" in none.content.decode()
    write = asked_for(people.tenant.slug, client.post(register, {"key": "k", "connections": ["c1", "c2"]}))
    assert params_of(write) == {"connections": ["c1", "c2"]}
    VendorWrite.objects.all().delete()
    unregister = f"{address(integration, 'connections')}unregister/"
    response = client.post(unregister, {"key": "l", "connection": "c0"})
    assert asked_for(people.tenant.slug, response).title == "Unregister Shop 0 from Orders"


def test_a_vendor_that_registers_nothing_has_no_such_page(people: People, client: Client) -> None:
    torq = make_integration(make_account(people.tenant, vendor="torq"))
    client.force_login(people.members["editor"])
    assert client.get(f"{address(torq, 'connections')}register/").status_code == 404
    assert client.post(f"{address(torq, 'connections')}ping/", {"connection": "c"}).status_code == 404
