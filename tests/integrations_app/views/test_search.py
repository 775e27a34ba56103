"""Searching everything: whatever is pasted leads to the right tenant's thing, and to nothing of anybody else's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import Client

from integrations_app.models import Integration, VendorAccount
from integrations_app.services import vendor_accounts
from integrations_app.simulator.server import SimulatorServer
from integrations_app.vendors.base import RemoteIntegration
from tests.integrations_app.services.mirroring import added, sync
from tests.people import People

pytestmark = pytest.mark.django_db


def listed(account: VendorAccount) -> Iterator[RemoteIntegration]:
    """What the vendor itself lists for an account."""
    for page in vendor_accounts.connect(account).list_integrations():
        yield from page.items


def test_a_webhook_address_of_torq_leads_to_its_trigger_at_the_right_tenant(
    simulator: SimulatorServer, people: People, client: Client
) -> None:
    here = added(simulator, "kestrel-torq", by=people.members["owner"], at=people.tenant)
    there = added(simulator, "kestrel-torq", by=people.other_owner, at=people.other_tenant)
    for account in (here, there):
        sync(account)
    trigger = next(item for item in listed(here) if "trigger" in item.raw.get("details", {}))
    address = trigger.raw["details"]["trigger"]["webhook_url"]

    for who, tenant in ((people.members["support"], people.tenant), (people.other_owner, people.other_tenant)):
        client.force_login(who)
        one = Integration.objects.for_tenant(tenant).get(remote_id=trigger.remote_id)
        assert client.get("/search", {"q": f" {address} "}).headers["Location"] == one.get_absolute_url()
        # The address is a secret: whoever holds it finds the trigger, and nobody reads it there.
        assert address not in client.get(f"{one.get_absolute_url()}raw/").content.decode()
    client.force_login(people.stranger)
    assert "Nothing you may see matches" in client.get("/search", {"q": address}).content.decode()


@pytest.mark.parametrize(
    ("name", "field"),
    [("kestrel-torq", "created_by"), ("kestrel-membrane", "key"), ("brightwater-alloy", "app")],
)
def test_what_stands_in_an_integration_finds_it(
    simulator: SimulatorServer, people: People, client: Client, name: str, field: str
) -> None:
    account = added(simulator, name, by=people.members["owner"], at=people.tenant)
    sync(account)
    item = next(item for item in listed(account) if item.raw.get(field))
    client.force_login(people.members["viewer"])

    found = client.get("/search", {"q": item.raw[field], "stay": "1"}).content.decode()
    one = Integration.objects.for_tenant(people.tenant).get(remote_id=item.remote_id)
    assert one.get_absolute_url() in found
