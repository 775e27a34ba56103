"""The raw tab: all that the vendor sent, fields nobody knows yet included, and no secret."""

from __future__ import annotations

import pytest
from django.test import Client

from integrations_app.models import Integration
from integrations_app.services import vendor_accounts
from integrations_app.simulator.server import SimulatorServer
from tests.integrations_app.services.mirroring import added, sync
from tests.people import People

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("name", ["brightwater-alloy", "larkspur-celigo", "kestrel-torq", "kestrel-membrane"])
def test_a_field_that_the_vendor_adds_is_seen(
    simulator: SimulatorServer, people: People, client: Client, name: str
) -> None:
    there = simulator.world.account(name)
    assert there is not None
    account = added(simulator, name, by=people.members["owner"], at=people.tenant)
    simulator.world.break_item(there, 2, "unknown_field")
    assert sync(account)["quarantined"] == 0
    pages = vendor_accounts.connect(account).list_integrations()
    changed = next(item for page in pages for item in page.items if "simulatedNewField" in item.raw)
    client.force_login(people.members["viewer"])

    one = Integration.objects.for_tenant(people.tenant).get(remote_id=changed.remote_id)
    shown = client.get(f"{one.get_absolute_url()}raw/").content.decode()
    assert "simulatedNewField" in shown
    assert "yesterday" in shown
