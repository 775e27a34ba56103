from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from integrations_app.models import Integration, VendorAccount, VendorWrite
from tests.people import People, give
from tests.things import make_account, make_integration

pytestmark = pytest.mark.django_db


@pytest.fixture
def account(people: People) -> VendorAccount:
    return make_account(people.tenant)


@pytest.fixture
def one(account: VendorAccount) -> Integration:
    return make_integration(account, "Orders")


@pytest.fixture
def beside(people: People, one: Integration) -> VendorAccount:
    """An account of another tenant that lists the same integration."""
    give(people.members["owner"], "editor", people.other_tenant)
    beside = make_account(people.other_tenant)
    make_integration(beside, "Orders", remote_id=one.remote_id)
    return beside


def at(one: Integration) -> str:
    return reverse("integrations:clone", args=[one.tenant.slug, one.pk])


def test_the_form_proposes_its_own_account_and_a_name(owner_client: Client, one: Integration) -> None:
    text = owner_client.get(at(one)).content.decode()
    assert "Clone - Orders" in text
    assert text.count('type="radio"') == 1
    assert "where it is now" in text


def test_another_tenants_account_of_the_same_place_can_be_chosen_with_rights_in_both(
    owner_client: Client, one: Integration, beside: VendorAccount
) -> None:
    text = owner_client.get(at(one)).content.decode()
    assert f'value="{beside.pk}"' in text
    assert "Kestrel Freight: Production" in text
    owner_client.post(at(one), {"key": "k", "account": str(beside.pk), "name": "Copy"})
    write = VendorWrite.objects.get()
    assert (write.operation, write.tenant, write.title) == ("clone", one.tenant, "Clone Orders as Copy")


def test_who_holds_nothing_at_the_other_tenant_does_not_learn_of_its_accounts(
    client: Client, people: People, one: Integration, beside: VendorAccount
) -> None:
    client.force_login(people.members["editor"])
    assert "Kestrel" not in client.get(at(one)).content.decode()
    answer = client.post(at(one), {"key": "k", "account": str(beside.pk), "name": "Copy"})
    assert answer.status_code == 422
    assert not VendorWrite.objects.exists()


def test_an_account_of_another_place_is_named_with_the_reason(
    owner_client: Client, people: People, one: Integration
) -> None:
    elsewhere = make_account(people.tenant, name="Sandbox")
    text = owner_client.get(at(one)).content.decode()
    assert f'value="{elsewhere.pk}"' not in text
    assert "opens another account at the vendor" in text
    answer = owner_client.post(at(one), {"key": "k", "account": str(elsewhere.pk), "name": "Copy"})
    assert answer.status_code == 422


def test_a_name_longer_than_the_vendor_allows_stays_in_the_form(owner_client: Client, one: Integration) -> None:
    name = "x" * 101
    answer = owner_client.post(at(one), {"key": "k", "account": str(one.vendor_account_id), "name": name})
    assert answer.status_code == 422
    assert name in answer.content.decode()


def test_a_form_posted_twice_asks_for_one_clone(owner_client: Client, one: Integration) -> None:
    form = {"key": "k", "account": str(one.vendor_account_id), "name": "Copy", "is_sandbox": "no"}
    assert owner_client.post(at(one), form)["Location"] == owner_client.post(at(one), form)["Location"]
    assert VendorWrite.objects.count() == 1


def test_a_vendor_that_clones_nothing_has_no_such_page(owner_client: Client, people: People) -> None:
    one = make_integration(make_account(people.tenant, vendor="torq", name="Operations"), "Alerts")
    assert owner_client.get(at(one)).status_code == 404
    detail = owner_client.get(one.get_absolute_url()).content.decode()
    assert at(one) not in detail


def test_one_that_is_gone_is_refused(owner_client: Client, one: Integration) -> None:
    Integration.objects.update(gone_at="2026-01-01T00:00Z", state="gone")
    answer = owner_client.post(at(one), {"key": "k", "account": str(one.vendor_account_id), "name": "Copy"})
    assert answer.status_code == 422
    assert "gone at the vendor" in answer.content.decode()


def test_the_link_to_a_clone_shows_to_whoever_sees_the_tenant_it_is_at(
    client: Client, people: People, one: Integration, beside: VendorAccount
) -> None:
    made = make_integration(beside, "Copy")
    write = VendorWrite.objects.create(
        tenant=one.tenant, integration=one, operation="clone", title="Clone Orders", state="done", key="k", made=made
    )
    client.force_login(people.members["editor"])
    assert made.get_absolute_url() not in client.get(write.get_absolute_url()).content.decode()
    client.force_login(people.members["owner"])
    assert made.get_absolute_url() in client.get(write.get_absolute_url()).content.decode()
