"""The page of a vendor account: what it tells, and to whom."""

from __future__ import annotations

from django.test import Client

from integrations_app.models import Credential, SecretChange
from tests.people import People
from tests.things import make_account


def test_the_history_of_a_shared_secret_is_not_told_at_its_tenants(people: People, client: Client) -> None:
    account = make_account(people.tenant)
    credential = Credential.objects.get(tenant=people.tenant)
    SecretChange.objects.create(
        credential=credential, credential_version=1, outcome="applied", reason="Leaked by another tenant"
    )
    client.force_login(people.members["admin"])
    assert "Leaked by another tenant" in client.get(account.get_absolute_url()).content.decode()
    Credential.objects.filter(pk=credential.pk).update(tenant=None)
    shown = client.get(account.get_absolute_url()).content.decode()
    assert "This is the shared credential" in shown
    assert "Leaked by another tenant" not in shown
