"""Choosing integrations in a tenant's list, setting a field of all of them, and the batch that comes of it."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from integrations_app.models import Integration, VendorAccount, VendorWrite, WriteBatch, WriteState
from integrations_app.services import write_batches
from integrations_app.views import jobs as job_views
from tests.people import People
from tests.things import make_account, make_integration

pytestmark = pytest.mark.django_db


@pytest.fixture
def account(people: People) -> VendorAccount:
    return make_account(people.tenant)


@pytest.fixture
def rows(account: VendorAccount) -> list[Integration]:
    return [make_integration(account, name) for name in ("Orders", "Returns", "Stock")]


def url(name: str, people: People, *args: Any) -> str:
    return reverse(name, args=[people.tenant.slug, *args])


def choose(client: Client, people: People, query: str = "", **posted: Any) -> str:
    return str(client.post(f"{url('integrations:choose', people)}{query}", posted)["Location"])


def text_of(client: Client, address: str, **options: Any) -> str:
    return client.get(address, **options).content.decode()


def fill(client: Client, address: str, **fields: Any) -> Any:
    form = client.get(address).context["form"]
    return client.post(address, {"key": form["key"].value(), "count": form["count"].value(), **fields})


def batch_of(rows: list[Integration], people: People, operation: str = "edit") -> WriteBatch:
    return write_batches.request(
        operation,
        tenant=people.tenant,
        by=people.members["owner"],
        integrations=rows,
        params={"changes": {"tag": "spring"}},
        key="k",
        title="Set tag",
    )


def stand(batch: WriteBatch, *states: str, **columns: Any) -> None:
    """Put the rows of a batch into these states, as a worker leaves them."""
    change = {"key": "tag", "label": "Tag", "before": "winter", "after": "spring", "base": None, "is_conflict": False}
    plan = {"consequence": "", "changes": [change], "facts": [], "questions": [], "note": ""}
    for write, state in zip(VendorWrite.objects.filter(batch=batch).order_by("created_at", "id"), states, strict=True):
        VendorWrite.objects.filter(pk=write.pk).update(state=state, plan=plan, **columns)


# --- choosing ------------------------------------------------------------------------------------------------------


def test_the_list_of_a_tenant_has_boxes_and_the_list_of_all_has_none(
    owner_client: Client, people: People, rows: list[Integration]
) -> None:
    text = text_of(owner_client, url("integrations:index", people))
    assert text.count('form="choose"') == len(rows)
    assert 'aria-label="Choose Orders"' in text
    assert 'form="choose"' not in text_of(owner_client, reverse("integrations:fleet"))


def test_what_a_role_may_not_do_stays_there_with_the_reason(
    client: Client, people: People, rows: list[Integration]
) -> None:
    client.force_login(people.members["support"])
    text = text_of(client, url("integrations:index", people))
    assert 'value="revisions"' in text
    assert 'value="field"' not in text
    assert "lets you edit" in text


def test_ticked_rows_stand_in_the_next_address(owner_client: Client, people: People, rows: list[Integration]) -> None:
    there = choose(owner_client, people, "?vendor=celigo", action="revisions", id=[str(rows[0].pk), "nonsense"])
    assert there == f"{url('integrations:revisions', people)}?id={rows[0].pk}"


def test_all_that_match_are_found_by_the_lists_own_filter(
    owner_client: Client, people: People, rows: list[Integration]
) -> None:
    there = choose(owner_client, people, "?q=or&sort=name&after=x", action="field", all="1")
    assert there == f"{url('integrations:set_field', people)}?q=or&all=1"
    assert [row.name for row in owner_client.get(there).context["possible"]] == ["Orders"]


def test_nothing_ticked_leads_back_to_the_list_with_a_word(
    owner_client: Client, people: People, rows: list[Integration]
) -> None:
    there = choose(owner_client, people, "?vendor=celigo", action="field")
    assert there == f"{url('integrations:index', people)}?vendor=celigo"
    assert "Nothing was chosen" in text_of(owner_client, there)


def test_more_than_one_batch_takes_is_refused_with_a_sentence(
    owner_client: Client, people: People, rows: list[Integration], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write_batches, "MAX_ROWS", 2)
    answer = owner_client.get(f"{url('integrations:set_field', people)}?all=1&vendor=celigo", follow=True)
    assert answer.redirect_chain == [(f"{url('integrations:index', people)}?vendor=celigo", 302)]
    assert "More than 2 match" in answer.content.decode()


def test_a_strangers_rows_are_not_chosen(owner_client: Client, people: People) -> None:
    foreign = make_integration(make_account(people.other_tenant), "Foreign")
    answer = owner_client.get(f"{url('integrations:set_field', people)}?id={foreign.pk}", follow=True)
    assert "Nothing was chosen" in answer.content.decode()


# --- setting a field -----------------------------------------------------------------------------------------------


def test_a_field_is_chosen_then_its_value_and_the_same_form_twice_is_one_batch(
    owner_client: Client, people: People, rows: list[Integration]
) -> None:
    here = f"{url('integrations:set_field', people)}?id={rows[0].pk}&id={rows[1].pk}"
    offered = [field.name for field in owner_client.get(here).context["fields"]]
    assert "tag" in offered
    posted = {"key": "k", "count": "2", "value": "spring", "reason": "Season"}
    first, second = (owner_client.post(f"{here}&field=tag", posted) for _ in range(2))
    batch = WriteBatch.objects.get()
    assert first["Location"] == second["Location"] == batch.get_absolute_url()
    assert (batch.state, batch.reason, batch.title) == ("checking", "Season", "Set tag of 2 integrations")
    assert VendorWrite.objects.filter(batch=batch).count() == 2


def test_rows_of_a_vendor_that_cannot_are_left_out_with_the_reason(
    owner_client: Client, people: People, rows: list[Integration]
) -> None:
    torq = make_integration(make_account(people.tenant, vendor="torq", name="Operations"), "Alerts")
    here = f"{url('integrations:set_field', people)}?all=1&field=tag"
    text = text_of(owner_client, here)
    assert "3 of the 4 chosen" in text
    assert "Left out: 1" in text
    fill(owner_client, here, value="spring")
    assert not VendorWrite.objects.filter(integration=torq).exists()
    assert VendorWrite.objects.count() == 3


def test_none_that_can_is_said_and_offers_no_field(owner_client: Client, people: People) -> None:
    make_integration(make_account(people.tenant, vendor="torq", name="Operations"), "Alerts")
    assert "None of these can be changed" in text_of(owner_client, f"{url('integrations:set_field', people)}?all=1")


def test_a_list_that_grew_since_is_noticed_and_what_was_typed_is_kept(
    owner_client: Client, people: People, account: VendorAccount, rows: list[Integration]
) -> None:
    here = f"{url('integrations:set_field', people)}?all=1&field=tag"
    make_integration(account, "New")
    answer = owner_client.post(here, {"key": "k", "count": "3", "value": "spring"})
    assert answer.status_code == 422
    assert "4 match now" in answer.content.decode()
    assert 'value="spring"' in answer.content.decode()
    assert not WriteBatch.objects.exists()
    again = {"key": "k", "count": answer.context["form"]["count"].value(), "value": "spring"}
    assert owner_client.post(here, again).status_code == 302


# --- the batch -----------------------------------------------------------------------------------------------------


def test_the_dry_run_is_followed_without_reloading(
    owner_client: Client, people: People, rows: list[Integration]
) -> None:
    batch = batch_of(rows, people)
    text = text_of(owner_client, batch.get_absolute_url(), headers={"hx-request": "true"})
    assert "hx-get=" in text
    assert "<html" not in text
    assert "0 of 3 integrations" in text


def test_ready_it_says_how_many_are_sent_how_many_not_and_why(
    owner_client: Client, people: People, rows: list[Integration]
) -> None:
    batch = batch_of(rows, people)
    WriteBatch.objects.update(state="ready")
    stand(batch, "ready", "ready", "not_done")
    asked = VendorWrite.objects.filter(batch=batch, state="ready")[0]
    question = {"name": "choice:tag", "label": "Tag", "kind": "conflict", "choices": []}
    VendorWrite.objects.filter(pk=asked.pk).update(plan={**asked.plan, "questions": [question]})
    text = text_of(owner_client, batch.get_absolute_url())
    assert "1 of 3 will be sent" in text
    assert "1 not: somebody changed it at the vendor too" in text
    assert "1 not: the reason stands in its row" in text
    assert f'<a href="{asked.get_absolute_url()}">Decide</a>' in text
    assert "winter" in text

    owner_client.post(url("changes:batch_confirm", people, batch.pk))
    assert write_batches.counts(batch) == {"queued": 1, "ready": 1, "not_done": 1}


def test_confirming_needs_the_operations_own_right(client: Client, people: People, rows: list[Integration]) -> None:
    batch = batch_of(rows, people)
    WriteBatch.objects.update(state="ready")
    stand(batch, "ready", "ready", "ready")
    client.force_login(people.members["support"])
    text = text_of(client, batch.get_absolute_url())
    assert 'aria-disabled="true" aria-describedby="why-confirm"' in text
    assert client.post(url("changes:batch_confirm", people, batch.pk)).status_code == 403
    assert write_batches.counts(batch) == {"ready": 3}


def test_given_up_nothing_is_sent(owner_client: Client, people: People, rows: list[Integration]) -> None:
    batch = batch_of(rows, people)
    WriteBatch.objects.update(state="ready")
    stand(batch, "ready", "ready", "ready")
    batch.refresh_from_db()
    assert batch.job is not None
    type(batch.job).objects.update(state="succeeded")
    owner_client.post(url("changes:batch_abandon", people, batch.pk))
    assert "Nothing was sent." in text_of(owner_client, batch.get_absolute_url())
    assert write_batches.counts(batch) == {"abandoned": 3}


def test_cancelled_it_can_be_gone_on_with(owner_client: Client, people: People, rows: list[Integration]) -> None:
    batch = batch_of(rows, people)
    assert batch.job is not None
    type(batch.job).objects.update(state="cancelled")
    assert "It was cancelled before it reached the end." in text_of(owner_client, batch.get_absolute_url())
    owner_client.post(url("changes:batch_go_on", people, batch.pk))
    batch.refresh_from_db()
    assert not batch.job.is_finished


def test_the_failed_ones_alone_are_tried_again(owner_client: Client, people: People, rows: list[Integration]) -> None:
    batch = batch_of(rows, people)
    WriteBatch.objects.update(state="over")
    stand(batch, "done", "not_done", "not_done")
    nothing = VendorWrite.objects.filter(batch=batch, state=WriteState.NOT_DONE)[0]
    VendorWrite.objects.filter(pk=nothing.pk).update(result={"nothing": True})
    text = text_of(owner_client, batch.get_absolute_url())
    assert "Try the failed ones again" in text
    assert "1 of 3 are done." in text
    answer = owner_client.post(url("changes:batch_retry", people, batch.pk), {"key": "again"})
    again = WriteBatch.objects.exclude(pk=batch.pk).get()
    assert answer["Location"] == again.get_absolute_url()
    failed = VendorWrite.objects.filter(batch=batch, state=WriteState.NOT_DONE).exclude(pk=nothing.pk).get()
    assert [write.integration for write in VendorWrite.objects.filter(batch=again)] == [failed.integration]


def test_a_hundred_rows_stand_on_a_page(owner_client: Client, people: People, account: VendorAccount) -> None:
    batch = batch_of([make_integration(account, f"Orders {number}") for number in range(101)], people)
    answer = owner_client.get(batch.get_absolute_url())
    assert len(answer.context["rows"]) == 100
    following = owner_client.get(f"{batch.get_absolute_url()}?after={answer.context['page'].next}")
    assert len(following.context["rows"]) == 1


def test_its_job_and_its_rows_lead_to_it(owner_client: Client, people: People, rows: list[Integration]) -> None:
    batch = batch_of(rows, people)
    assert batch.job is not None
    assert job_views._target_url(batch.job) == batch.get_absolute_url()
    write = VendorWrite.objects.filter(batch=batch)[0]
    assert batch.get_absolute_url() in text_of(owner_client, write.get_absolute_url())
