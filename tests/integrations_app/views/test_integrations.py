"""The lists of integrations through their addresses: filters, order, pages, and each kind of nothing."""

from __future__ import annotations

import re
from html import unescape

from django.test import Client

from console.access.models import TenantLabel
from integrations_app.models import Integration, VendorAccount
from tests.people import People, give
from tests.things import make_account, make_integration


def names(page: str) -> list[str]:
    """The names in the order of the table."""
    return [unescape(name) for name in re.findall(r'data-row-link id="i-[^>]*>([^<]*)</a>', page)]


def test_a_filter_shows_as_a_chip_and_keeps_what_matches(people: People, client: Client) -> None:
    celigo = make_account(people.tenant)
    torq = make_account(people.tenant, vendor="torq", name="Security")
    make_integration(celigo, "Orders")
    make_integration(celigo, "Returns", state=Integration.State.ATTENTION)
    make_integration(torq, "Alerts")
    make_integration(torq, "Old alerts", state=Integration.State.ARCHIVED)
    client.force_login(people.members["viewer"])
    here = f"/t/{people.tenant.slug}/integrations/"
    for query, found in (
        ({}, {"Orders", "Returns", "Alerts"}),
        ({"vendor": "torq"}, {"Alerts"}),
        ({"state": "attention"}, {"Returns"}),
        ({"attention": "1"}, {"Returns"}),
        ({"account": str(celigo.pk)}, {"Orders", "Returns"}),
        ({"q": "ORD"}, {"Orders"}),
        ({"archived": "1", "vendor": "torq"}, {"Alerts", "Old alerts"}),
        ({"account": "not-an-id"}, {"Orders", "Returns", "Alerts"}),
    ):
        page = client.get(here, query).content.decode()
        assert set(names(page)) == found, query
    chosen = client.get(here, {"vendor": "torq"}).content.decode()
    assert 'aria-label="Remove filter Vendor: Torq"' in chosen


def test_the_fleet_filters_by_tenant_and_label(people: People, client: Client) -> None:
    give(people.members["viewer"], "viewer", people.other_tenant)
    TenantLabel.objects.create(tenant=people.other_tenant, name="EU")
    make_integration(make_account(people.tenant), "Orders")
    make_integration(make_account(people.other_tenant), "Freight")
    client.force_login(people.members["viewer"])
    assert set(names(client.get("/integrations/").content.decode())) == {"Orders", "Freight"}
    for query in ({"label": "EU"}, {"tenant": people.other_tenant.slug}):
        assert names(client.get("/integrations/", query).content.decode()) == ["Freight"]


def test_pages_follow_each_other_by_their_links_and_nothing_is_lost(people: People, client: Client) -> None:
    account = make_account(people.tenant)
    wanted = [f"Integration {number:03}" for number in range(120)]
    for name in wanted:
        make_integration(account, name)
    client.force_login(people.members["viewer"])
    address = f"/t/{people.tenant.slug}/integrations/?sort=name"
    seen: list[str] = []
    first: list[str] = []
    base = address.partition("?")[0]
    while address:
        page = client.get(address).content.decode()
        first = first or names(page)
        seen += names(page)
        following = re.search(r'rel="next" href="([^"]+)"', page)
        back = re.search(r'rel="prev" href="([^"]+)"', page)
        address = base + unescape(following[1]) if following else ""
    assert seen == wanted
    assert back is not None
    middle = client.get(base + unescape(back[1])).content.decode()
    previous = re.search(r'rel="prev" href="([^"]+)"', middle)
    assert previous is not None
    assert names(client.get(base + unescape(previous[1])).content.decode()) == first
    down = names(client.get(base, {"sort": "-name"}).content.decode())
    assert down[0] == wanted[-1]


def test_each_kind_of_nothing_says_what_to_do(people: People, client: Client) -> None:
    client.force_login(people.members["admin"])
    here = f"/t/{people.tenant.slug}/integrations/"
    assert "Add a vendor account" in client.get(here).content.decode()
    account = make_account(people.tenant)
    assert "there is nothing in them" in client.get(here).content.decode()
    assert "No integration matches these filters." in client.get(here, {"q": "zzz"}).content.decode()
    VendorAccount.objects.filter(pk=account.pk).update(listed_at=None)
    assert "The first sync has not finished" in client.get(here).content.decode()


def test_sync_now_asks_for_every_account_once(people: People, client: Client) -> None:
    from integrations_app.models import Job

    for name in ("Production", "Sandbox"):
        make_account(people.tenant, name=name)
    client.force_login(people.members["support"])
    for _ in range(2):
        client.post(f"/t/{people.tenant.slug}/integrations/sync/")
    assert Job.objects.filter(tenant=people.tenant, type="sync_account").count() == 2
