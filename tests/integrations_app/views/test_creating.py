from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from console.access.models import Grant
from integrations_app.models import VendorAccount, VendorWrite
from tests.people import People
from tests.things import make_account, make_integration

pytestmark = pytest.mark.django_db


@pytest.fixture
def account(people: People) -> VendorAccount:
    return make_account(people.tenant)


def at(account: VendorAccount, again: str = "") -> str:
    return f"{reverse('integrations:create', args=[account.tenant.slug])}?account={account.pk}{again}"


def test_only_accounts_whose_vendor_makes_integrations_can_be_chosen(
    owner_client: Client, people: People, account: VendorAccount
) -> None:
    torq = make_account(people.tenant, vendor="torq", name="Operations")
    text = owner_client.get(reverse("integrations:create", args=["larkspur"])).content.decode()
    assert f"?account={account.pk}" in text
    assert f"?account={torq.pk}" not in text
    assert "Not possible here" in text
    assert owner_client.get(at(torq)).status_code == 404


def test_an_account_of_another_tenant_is_no_place_to_make_one(owner_client: Client, people: People) -> None:
    foreign = make_account(people.other_tenant)
    url = reverse("integrations:create", args=["larkspur"])
    assert owner_client.get(f"{url}?account={foreign.pk}").status_code == 404
    assert owner_client.get(f"{url}?account=nonsense").status_code == 404


def test_a_form_posted_twice_asks_for_one_new_integration(owner_client: Client, account: VendorAccount) -> None:
    form = {"key": "a-form", "field-name": "Orders", "field-settings": '{"batch": 20}'}
    first, second = owner_client.post(at(account), form), owner_client.post(at(account), form)
    write = VendorWrite.objects.get()
    assert first["Location"] == second["Location"] == write.get_absolute_url()
    assert (write.operation, write.title) == ("create", "Create Orders")


def test_htmx_is_led_to_the_same_page(owner_client: Client, account: VendorAccount) -> None:
    answer = owner_client.post(at(account), {"key": "k", "field-name": "Orders"}, headers={"HX-Request": "true"})
    assert answer["HX-Redirect"] == VendorWrite.objects.get().get_absolute_url()


def test_mistakes_keep_what_was_typed_and_show_the_folded_fields(owner_client: Client, account: VendorAccount) -> None:
    make_integration(account, "Orders")
    form = {"key": "kept-key", "field-name": "Orders", "field-description": "Nightly", "field-settings": "{oops"}
    answer = owner_client.post(at(account), form)
    text = answer.content.decode()
    assert answer.status_code == 422
    for kept in (
        "kept-key",
        "Nightly",
        "{oops",
        "This is no JSON",
        '<details class="fold" open>',
        "taken in this account",
    ):
        assert kept in text
    assert not VendorWrite.objects.exists()


def test_what_came_to_nothing_fills_the_next_form_without_its_secrets(
    owner_client: Client, account: VendorAccount, people: People
) -> None:
    changes = [{"key": "name", "after": "Orders to ERP"}, {"key": "settings", "after": {"$secret": "7f3a0c21"}}]
    write = VendorWrite.objects.create(
        tenant=people.tenant, vendor_account=account, operation="create", title="Create", plan={"changes": changes}
    )
    write.state = "not_done"
    write.save()
    link = at(account, f"&again={write.pk}")
    assert link.replace("&", "&amp;") in owner_client.get(write.get_absolute_url()).content.decode()
    text = owner_client.get(link).content.decode()
    assert "Orders to ERP" in text
    assert "7f3a0c21" not in text


def test_who_may_not_create_anything_is_refused(client: Client, people: People, account: VendorAccount) -> None:
    client.force_login(people.members["support"])
    assert client.post(at(account), {"key": "k", "field-name": "Orders"}).status_code == 403
    Grant.objects.filter(user=people.members["support"]).delete()
    assert client.get(at(account)).status_code == 404
    assert not VendorWrite.objects.exists()
