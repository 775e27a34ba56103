"""Taking revisions from the pages, the policy's form, and the report of gaps."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from integrations_app.models import (
    Integration,
    Job,
    RevisionPolicy,
    Schedule,
    VendorAccount,
    VendorWrite,
    WriteBatch,
)
from integrations_app.services import revision_policies
from tests.people import People
from tests.things import make_account, make_integration, make_listing, make_write

pytestmark = pytest.mark.django_db


@pytest.fixture
def account(people: People) -> VendorAccount:
    return make_account(people.tenant)


@pytest.fixture
def one(account: VendorAccount) -> Integration:
    return make_integration(account, "Orders")


def url(name: str, of: Integration | VendorAccount) -> str:
    return reverse(name, args=[of.tenant.slug, of.pk])


def text_of(client: Client, address: str) -> str:
    return client.get(address).content.decode()


def test_one_is_taken_now_with_a_note_and_a_double_click_is_one(owner_client: Client, one: Integration) -> None:
    here = url("integrations:revision", one)
    assert "Only if something changed" in text_of(owner_client, here)
    posted = {"key": "k", "note": "Before the season", "only_if_changed": "on"}
    first, second = owner_client.post(here, posted), owner_client.post(here, posted)
    write = VendorWrite.objects.get()
    assert first["Location"] == second["Location"] == write.get_absolute_url()
    assert (write.operation, write.state) == ("take_revision", "queued")


def test_the_menu_offers_it_or_says_why_not(owner_client: Client, people: People, one: Integration) -> None:
    assert url("integrations:revision", one) in text_of(owner_client, one.get_absolute_url())
    torq = make_integration(make_account(people.tenant, vendor="torq", name="Operations"), "Alerts")
    text = text_of(owner_client, torq.get_absolute_url())
    assert "Take a revision" in text
    assert url("integrations:revision", torq) not in text
    assert owner_client.get(url("integrations:revision", torq)).status_code == 404


def test_nothing_new_is_told_on_its_page(owner_client: Client, one: Integration) -> None:
    told = "Nothing new since the last revision, so none was taken."
    write = make_write(one, operation="take_revision", state="done", sentence=told)
    assert told in text_of(owner_client, write.get_absolute_url())


def test_a_selection_is_one_batch_without_those_that_cannot(
    owner_client: Client, people: People, one: Integration
) -> None:
    torq = make_integration(make_account(people.tenant, vendor="torq", name="Operations"), "Alerts")
    here = f"{reverse('integrations:revisions', args=[people.tenant.slug])}?id={one.pk}&id={torq.pk}"
    text = text_of(owner_client, here)
    assert "1 of the 2 chosen" in text
    answer = owner_client.post(here, {"key": "k", "count": "2", "note": "Before"})
    batch = WriteBatch.objects.get()
    assert answer["Location"] == batch.get_absolute_url()
    assert [write.integration for write in VendorWrite.objects.filter(batch=batch)] == [one]
    assert owner_client.post(here, {"key": "other", "count": "5"}).status_code == 422


def test_everything_in_an_account_is_one_batch(owner_client: Client, account: VendorAccount, one: Integration) -> None:
    here = url("vendor_accounts:take_revisions", account)
    make_integration(account, "Gone", gone_at=timezone.now())
    assert "each of its 1 integrations" in text_of(owner_client, here)
    answer = owner_client.post(here, {"key": "k", "note": ""})
    assert answer["Location"] == WriteBatch.objects.get().get_absolute_url()
    assert VendorWrite.objects.get().integration == one


def test_an_empty_account_is_refused_with_a_sentence(owner_client: Client, account: VendorAccount) -> None:
    answer = owner_client.post(url("vendor_accounts:take_revisions", account), {"key": "k"})
    assert answer.status_code == 422
    assert "There is no integration in this account" in answer.content.decode()


# --- the policy ----------------------------------------------------------------------------------------------------


def test_the_policy_is_saved_and_shown_on_the_account(owner_client: Client, account: VendorAccount) -> None:
    here = url("vendor_accounts:revision_policy", account)
    assert owner_client.post(here, {"version": "0", "is_nightly": "on"})["Location"] == account.get_absolute_url()
    assert Schedule.objects.get(job_type="take_revisions").every_seconds == 86_400
    text = text_of(owner_client, account.get_absolute_url())
    assert "every night, next" in text
    assert "only when asked" in text, "its sync has no schedule because its revisions have one"


def test_a_policy_somebody_else_changed_is_not_overwritten_and_can_be_saved_after_a_look(
    owner_client: Client, people: People, account: VendorAccount
) -> None:
    here = url("vendor_accounts:revision_policy", account)
    revision_policies.change(account, by=people.members["admin"], is_nightly=False, before_writes=True, version=None)
    answer = owner_client.post(here, {"version": "0", "is_nightly": "on"})
    assert answer.status_code == 422
    assert "Stored now: before each change." in answer.content.decode()
    assert not RevisionPolicy.objects.get().is_nightly
    version = answer.context["form"]["version"].value()
    owner_client.post(here, {"version": version, "is_nightly": "on"})
    assert RevisionPolicy.objects.get().is_nightly


def test_an_editor_sees_the_policy_and_why_it_cannot_be_changed(
    client: Client, people: People, account: VendorAccount
) -> None:
    client.force_login(people.members["editor"])
    assert 'aria-describedby="why-revision-policy"' in text_of(client, account.get_absolute_url())
    assert client.post(url("vendor_accounts:revision_policy", account), {"version": "0"}).status_code == 403


def test_a_vendor_without_revisions_says_so_on_its_account(owner_client: Client, people: People) -> None:
    torq = make_account(people.tenant, vendor="torq", name="Operations")
    assert revision_policies.unsupported_reason(torq) in text_of(owner_client, torq.get_absolute_url())
    for name in ("revisions", "take_revisions", "revision_policy"):
        assert owner_client.get(url(f"vendor_accounts:{name}", torq)).status_code == 404


# --- gaps ----------------------------------------------------------------------------------------------------------


def report(client: Client, account: VendorAccount, query: str = "") -> Any:
    return client.get(url("vendor_accounts:revisions", account) + query)


def test_the_report_tells_the_last_revision_the_failure_and_the_gaps(
    owner_client: Client, account: VendorAccount, one: Integration
) -> None:
    kept = make_integration(account, "Kept")
    make_listing(kept, "revisions", {"remote_id": "r", "name": "r"}, newest_at=timezone.now())
    failed = make_integration(account, "Failed")
    make_write(failed, operation="take_revision", state="not_done", sentence="The vendor was asleep.")
    text = report(owner_client, account).content.decode()
    assert "2 of 3 integrations stand in no revision as they are now" in text
    assert "There never was one." in text
    assert "The last one failed: The vendor was asleep." in text
    gaps = report(owner_client, account, "?gaps=1")
    assert [row["integration"].name for row in gaps.context["rows"]] == ["Failed", "Orders"]
    assert "2 in no revision as they are now" in text_of(owner_client, account.get_absolute_url())
    assert not Job.objects.exists(), "the vendor is not asked by looking"


def test_without_gaps_the_report_says_so(owner_client: Client, account: VendorAccount, one: Integration) -> None:
    make_listing(one, "revisions", {"remote_id": "r", "name": "r"}, newest_at=timezone.now())
    assert "No gaps" in report(owner_client, account, "?gaps=1").content.decode()
