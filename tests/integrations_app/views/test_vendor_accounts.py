"""The page of a vendor account: what it tells, and to whom."""

from __future__ import annotations

from django.test import Client

from integrations_app.models import Credential, Job, JobState, Schedule, SecretChange
from tests.people import People
from tests.things import LONG_AGO, make_account, make_integration, make_job


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


def test_removing_an_account_says_first_what_stands_on_it(people: People, client: Client) -> None:
    account = make_account(people.tenant)
    for name in ("Orders", "Returns"):
        make_integration(account, name)
    make_job(account, state=JobState.QUEUED)
    make_job(account, state=JobState.SUCCEEDED)
    Schedule.objects.create(
        tenant=people.tenant, vendor_account=account, job_type="sync_account", every_seconds=3600, next_at=LONG_AGO
    )
    client.force_login(people.members["admin"])
    address = f"{account.get_absolute_url()}remove/"
    asked = client.get(address).content.decode()
    assert "2 integrations: kept" in asked
    assert "The sync every hour: ends" in asked
    assert "1 open job: cancelled" in asked
    client.post(address, {"name": account.name, "reason": "Left us"})
    assert not Schedule.objects.exists()
    assert not Job.objects.filter(state=JobState.QUEUED).exists()
    assert account.integrations.count() == 2


def test_removing_an_account_says_what_becomes_of_its_secret(people: People, client: Client) -> None:
    account = make_account(people.tenant)
    client.force_login(people.members["admin"])
    address = f"{account.get_absolute_url()}remove/"
    assert "The secret is erased" in client.get(address).content.decode()
    Credential.objects.update(tenant=None)
    asked = client.get(address).content.decode()
    assert "The secret is erased" not in asked
    assert "The shared credential stays" in asked
    client.post(address, {"name": account.name, "reason": "Left us"})
    assert Credential.objects.filter(tenant=None).exists()


def test_two_editors_of_an_account_see_each_others_values_and_the_second_can_save(
    people: People, client: Client
) -> None:
    account = make_account(people.tenant)
    client.force_login(people.members["admin"])
    edit = f"{account.get_absolute_url()}edit/"
    form = {"version": "1", "name": "Theirs", "owner": "", "expires_on": "", "every_seconds": "0"}
    assert client.post(edit, form).status_code == 302
    late = client.post(edit, {**form, "name": "Mine"})
    page = late.content.decode()
    assert late.status_code == 400
    assert "Stored meanwhile by somebody else" in page
    assert "Theirs</dd>" in page
    assert 'value="Mine"' in page
    assert client.post(edit, {**form, "name": "Mine", "version": "2"}).status_code == 302
    assert 'name="version" value="2"' in page
