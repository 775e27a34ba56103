from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from integrations_app.models import Integration, JobState, VendorWrite
from tests.people import People
from tests.things import make_account, make_integration, make_job

pytestmark = pytest.mark.django_db


@pytest.fixture
def one(people: People) -> Integration:
    return make_integration(make_account(people.tenant), "Orders")


def at(one: Integration) -> str:
    return reverse("integrations:delete", args=[one.tenant.slug, one.pk])


def test_the_page_deletes_nothing_and_asks_for_a_look_once(owner_client: Client, one: Integration) -> None:
    assert "Nothing is deleted yet" in owner_client.get(at(one)).content.decode()
    first, second = owner_client.post(at(one), {"key": "k"}), owner_client.post(at(one), {"key": "k"})
    write = VendorWrite.objects.get()
    assert first["Location"] == second["Location"] == write.get_absolute_url()
    assert (write.operation, write.state) == ("delete", "checking")


def test_what_is_under_way_is_named_with_its_link(owner_client: Client, one: Integration) -> None:
    job = make_job(one.vendor_account, state=JobState.RUNNING, target_type="integration", target_id=str(one.pk))
    text = owner_client.get(at(one)).content.decode()
    assert job.get_absolute_url() in text
    assert 'type="submit" id="look"' not in text


def test_a_change_whose_outcome_is_open_comes_first(owner_client: Client, one: Integration) -> None:
    write = VendorWrite.objects.create(
        tenant=one.tenant, integration=one, operation="edit", title="Edit Orders", state="unknown", key="k"
    )
    assert write.get_absolute_url() in owner_client.get(at(one)).content.decode()


def test_an_editor_is_refused(client: Client, people: People, one: Integration) -> None:
    client.force_login(people.members["editor"])
    assert client.post(at(one), {"key": "k"}).status_code == 403
    assert not VendorWrite.objects.exists()


def test_a_vendor_that_deletes_nothing_has_no_such_page(owner_client: Client, people: People) -> None:
    torq = make_integration(make_account(people.tenant, vendor="torq", name="Operations"), "Alerts")
    assert owner_client.get(at(torq)).status_code == 404


def test_one_that_is_gone_is_refused(owner_client: Client, one: Integration) -> None:
    Integration.objects.update(gone_at="2026-01-01T00:00Z", state="gone")
    answer = owner_client.post(at(one), {"key": "k"})
    assert answer.status_code == 422
    assert "gone at the vendor" in answer.content.decode()
