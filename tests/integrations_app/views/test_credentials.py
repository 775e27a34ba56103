"""Shared credentials: bound to tenants by platform admins, and not removed while anybody uses them."""

from __future__ import annotations

import pytest
from django.test import Client

from integrations_app.models import Credential, VendorAccount
from integrations_app.services import credentials
from integrations_app.simulator.server import SimulatorServer
from tests.people import People, give

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_shared_credential_is_bound_shown_where_it_is_used_and_removed_only_after(
    simulator: SimulatorServer, people: People, client: Client
) -> None:
    there = simulator.world.account("kestrel-membrane")
    assert there is not None
    give(people.platform, "admin", people.tenant)
    credential = credentials.create_shared(
        by=people.platform, vendor="membrane", name="Workspace", fields=there.credential
    )
    address = f"/credentials/{credential.pk}/"
    client.force_login(people.platform)

    bound = {f"binding-{name}": value for name, value in there.binding.items()}
    client.post(f"{address}bind/", {"tenant": people.tenant.slug, "name": "Customers", "region": "simulator", **bound})
    account = VendorAccount.objects.get(credential=credential)
    assert account.get_absolute_url() in client.get(address).content.decode()
    removal = {"name": "Workspace", "reason": "Not needed"}
    asked = client.get(f"{address}remove/").content.decode()
    assert "Customers at Larkspur Outdoor" in asked
    assert client.post(f"{address}remove/", removal).status_code == 400
    assert Credential.objects.filter(pk=credential.pk).exists()

    client.post(f"{account.get_absolute_url()}remove/", {"name": "Customers", "reason": "Not needed"})
    assert client.post(f"{address}remove/", removal).status_code == 302
    assert not Credential.objects.filter(pk=credential.pk).exists()
