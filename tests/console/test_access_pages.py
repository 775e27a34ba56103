"""The site's own pages through their addresses: people, tenants, settings, profile and the audit log."""

from __future__ import annotations

import re
from html import unescape

import pytest
from django.db import transaction
from django.test import Client

from console.access.models import Grant, Invitation, Tenant, User
from console.audit.events import Event
from console.audit.services import record
from tests.people import People


@pytest.fixture
def here(people: People, client: Client) -> str:
    client.force_login(people.members["owner"])
    return f"/t/{people.tenant.slug}/"


def test_giving_a_role_to_somebody_with_an_account(people: People, client: Client, here: str) -> None:
    form = {"email": people.stranger.email.upper(), "role": "editor"}
    assert client.post(f"{here}people/", form).status_code == 302
    page = client.get(f"{here}people/").content.decode()
    assert people.stranger.email in page
    grant = Grant.objects.get(user=people.stranger)
    client.post(f"{here}people/{grant.pk}/remove/")
    assert not Grant.objects.filter(user=people.stranger).exists()


def test_somebody_without_an_account_gets_a_link_that_is_shown_once(people: People, client: Client, here: str) -> None:
    page = client.post(f"{here}people/", {"email": "new@people.example", "role": "viewer"}).content.decode()
    link = re.search(r"http://testserver(/invitations/[\w-]+/)", page)
    assert link is not None
    assert Client().get(link[1]).status_code == 200
    again = client.get(f"{here}people/").content.decode()
    assert "new@people.example" in again
    assert link[1] not in again
    client.post(f"{here}people/invitations/{Invitation.objects.get().pk}/withdraw/")
    assert Client().get(link[1]).status_code == 404


def test_a_pass_without_a_reason_is_refused_and_nothing_typed_is_lost(
    people: People, client: Client, here: str
) -> None:
    form = {"email": people.stranger.email, "role": "support", "expires_at": "2099-01-01T10:00", "ticket": "HD-9"}
    answer = client.post(f"{here}people/", form)
    page = answer.content.decode()
    assert answer.status_code == 400
    assert "say what it is for" in page
    assert 'value="HD-9"' in page
    assert not Grant.objects.filter(user=people.stranger).exists()


def test_a_viewer_sees_who_has_access_and_no_form(people: People, client: Client) -> None:
    client.force_login(people.members["viewer"])
    page = client.get(f"/t/{people.tenant.slug}/people/").content.decode()
    assert people.members["owner"].email in page
    assert "Give access" not in page


def test_two_editors_of_the_settings_see_each_others_values(people: People, client: Client, here: str) -> None:
    form = {"name": "Larkspur BV", "external_id": "CRM 1", "colour": "teal", "time_zone": "UTC", "notes": "",
            "labels": "EU, tier 1", "version": "1"}  # fmt: skip
    assert client.post(f"{here}settings/", form).status_code == 302
    late = {**form, "name": "Larkspur Outdoor", "labels": "EU"}
    answer = client.post(f"{here}settings/", late)
    page = answer.content.decode()
    assert answer.status_code == 400
    assert "Stored meanwhile by somebody else" in page
    assert "Larkspur BV" in page
    assert 'value="Larkspur Outdoor"' in page
    version = re.search(r'name="version" value="(\d+)"', page)
    assert version is not None
    assert client.post(f"{here}settings/", {**late, "version": version[1]}).status_code == 302
    assert Tenant.objects.get(pk=people.tenant.pk).name == "Larkspur Outdoor"


def test_a_new_tenant_leads_to_its_first_vendor_account(people: People, client: Client) -> None:
    client.force_login(people.platform)
    form = {"name": "Nordhavn", "slug": "nordhavn", "colour": "green", "time_zone": "Europe/Oslo", "labels": "EU"}
    answer = client.post("/tenants/new/", form)
    assert answer.headers["Location"] == "/t/nordhavn/vendor-accounts/new/"
    assert "Nordhavn" in client.get("/tenants/", {"q": "nord"}).content.decode()
    taken = client.post("/tenants/new/", {**form, "name": "Other"})
    assert taken.status_code == 400
    assert "Another tenant has this address already." in taken.content.decode()


def test_the_audit_log_filters_and_pages(people: People, client: Client, here: str) -> None:
    with transaction.atomic():
        for number in range(60):
            record(Event.TENANT_CHANGED, by=people.members["owner"], tenant=people.tenant, target=people.tenant,
                   detail={"fields": f"note {number}"})  # fmt: skip
        record(Event.GRANT_GIVEN, by=None, tenant=people.tenant, detail={"subject": "Ana", "role": "Editor"})
    page = client.get(f"{here}audit/").content.decode()
    assert "gave Ana the role Editor" in page
    only = client.get(f"{here}audit/", {"area": "grant"}).content.decode()
    assert "gave Ana the role Editor" in only
    assert "changed the settings" not in only
    following = re.search(r'rel="next" href="([^"]+)"', page)
    assert following is not None
    second = client.get(f"{here}audit/{unescape(following[1])}").content.decode()
    shown = set(re.findall(r"note \d+", page)) | set(re.findall(r"note \d+", second))
    assert len(shown) == 60


def test_a_profile_is_saved_and_times_follow_its_zone(people: People, client: Client, here: str) -> None:
    assert client.post("/me/", {"name": "Ana Duarte", "time_zone": "Asia/Tokyo"}).status_code == 302
    assert User.objects.get(pk=people.members["owner"].pk).time_zone == "Asia/Tokyo"
    assert client.post("/me/", {"name": "Ana", "time_zone": "Mars/Base"}).status_code == 400
