"""A change on its pages: the form, what would change, the confirmation, what became of it; nothing typed is lost."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.utils.html import escape

from integrations_app.models import Integration, VendorAccount, VendorWrite, WriteState
from integrations_app.services import vendor_writes
from integrations_app.simulator.server import SimulatorServer
from tests.integrations_app.services.mirroring import added, sync
from tests.integrations_app.services.operations.writing import work
from tests.integrations_app.services.writing import CELIGO, applied, change_at_vendor, edited, plain_integrations
from tests.people import People, give

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def account(simulator: SimulatorServer, people: People) -> VendorAccount:
    account = added(simulator, CELIGO, by=people.members["owner"], at=people.tenant)
    sync(account)
    return account


@pytest.fixture
def integration(account: VendorAccount) -> Integration:
    return next(iter(plain_integrations(account)))


@pytest.fixture
def editor(people: People, client: Client) -> Client:
    client.force_login(people.members["editor"])
    return client


def form_of(page: Any) -> dict[str, Any]:
    """What the page's edit form would send as it stands."""
    form = page.context["form"]
    return {name: form[name].value() for name in form.fields if form[name].value() not in (None, False)}


def field_of(page: Any, label: str) -> str:
    form = page.context["form"]
    return str(next(name for name, field in form.fields.items() if field.label == label))


def submitted(client: Client, integration: Integration, label: str, value: str, query: str = "") -> Any:
    url = f"{integration.get_absolute_url()}edit/{query}"
    page = client.get(url)
    return client.post(url, {**form_of(page), field_of(page, label): value})


def test_an_edit_leads_from_the_form_to_what_would_change_and_to_the_done_change(
    simulator: SimulatorServer, integration: Integration, editor: Client
) -> None:
    answer = submitted(editor, integration, "Name", "Orders to ERP")
    change = VendorWrite.objects.get()
    assert answer["Location"] == change.get_absolute_url()
    assert "Nothing is sent yet" in editor.get(change.get_absolute_url()).content.decode()
    work(change)
    shown = editor.get(change.get_absolute_url()).content.decode()
    assert "What would change" in shown
    assert "Orders to ERP" in shown
    assert applied(simulator) == []

    editor.post(f"{change.get_absolute_url()}confirm/")
    work(change)
    shown = editor.get(change.get_absolute_url()).content.decode()
    assert "Read back, the vendor holds what was meant" in shown
    assert "Undo" in shown
    assert [entry["operation"] for entry in applied(simulator)] == ["put"]


def test_lines_of_a_text_as_browsers_send_them_are_no_change(integration: Integration, editor: Client) -> None:
    url = f"{integration.get_absolute_url()}edit/"
    fields = {name: str(value).replace("\n", "\r\n") for name, value in form_of(editor.get(url)).items()}
    answer = editor.post(url, fields)
    assert answer.status_code == 422
    assert "Nothing was changed yet" in answer.content.decode()


def test_json_that_is_none_stays_as_typed_with_the_place_of_the_mistake(
    integration: Integration, editor: Client
) -> None:
    answer = submitted(editor, integration, "Aliases", '[{"alias": "one",}]')
    shown = answer.content.decode()
    assert answer.status_code == 422
    assert "This is no JSON" in shown
    assert "column" in shown
    assert "alias&quot;: &quot;one" in shown
    assert not VendorWrite.objects.exists()


@pytest.mark.parametrize(
    ("typed", "complaint"),
    [
        ('{"name": "x", "_id": "5"}', "The vendor sets this itself"),
        ("[1]", "The document is an object"),
        ('{"name": NaN}', "no JSON number"),
        ('{"name": "a", "name": "b"}', "stands twice"),
        ("[" * 500 + "]" * 500, "nested deeper"),
        ('{"name": 1e999}', "too large"),
        ('{"name": 123456789012345678901234567890}', "no JSON that can be sent"),
        ('{"name": "half a letter \\ud800"}', "no JSON that can be sent"),
    ],
)
def test_the_json_editor_lets_nothing_through_that_cannot_be_sent(
    integration: Integration, editor: Client, typed: str, complaint: str
) -> None:
    answer = submitted(editor, integration, "Document", typed, "?as=json")
    assert answer.status_code == 422
    assert complaint in answer.content.decode()
    assert not VendorWrite.objects.exists()


def test_the_json_editor_changes_what_was_changed_in_it_and_no_more(
    simulator: SimulatorServer, integration: Integration, editor: Client
) -> None:
    url = f"{integration.get_absolute_url()}edit/?as=json"
    page = editor.get(url)
    document = page.context["form"]["document"].value()
    assert '"createdAt"' not in document
    answer = editor.post(url, {**form_of(page), "document": re.sub(r'"tag": "[^"]*"', '"tag": "by-json"', document)})
    assert answer.status_code == 302
    change = work(VendorWrite.objects.get())
    assert [(found["key"], found["after"]) for found in change.changes] == [("tag", "by-json")]


def test_a_form_sent_twice_leads_to_one_change(integration: Integration, editor: Client) -> None:
    url = f"{integration.get_absolute_url()}edit/"
    page = editor.get(url)
    fields = {**form_of(page), field_of(page, "Name"): "Once"}
    first, second = editor.post(url, fields), editor.post(url, fields)
    assert first["Location"] == second["Location"]
    assert VendorWrite.objects.count() == 1


def test_a_conflict_shows_both_values_and_wants_a_choice(
    simulator: SimulatorServer, integration: Integration, editor: Client, people: People
) -> None:
    change = edited(integration, people.members["editor"], {"name": "Mine"})
    change_at_vendor(simulator, integration, name="Theirs")
    work(change)
    shown = editor.get(change.get_absolute_url()).content.decode()
    assert "Somebody changed this at Celigo" in shown
    assert 'name="choice:name" value="yours"' in shown
    refused = editor.post(f"{change.get_absolute_url()}confirm/")
    assert refused.status_code == 422
    assert "This needs an answer" in refused.content.decode()
    editor.post(f"{change.get_absolute_url()}confirm/", {"choice:name": "yours"})
    change.refresh_from_db()
    assert change.state == WriteState.QUEUED


def test_what_was_checked_again_since_the_page_was_drawn_is_not_confirmed_unseen(
    simulator: SimulatorServer, integration: Integration, editor: Client, people: People
) -> None:
    change = edited(integration, people.members["editor"], {"name": "Mine"})
    work(change)
    page = editor.get(change.get_absolute_url())
    drawn = re.search(r'name="shown" value="([^"]+)"', page.content.decode())
    assert drawn is not None
    change_at_vendor(simulator, integration, tag="theirs")
    work(vendor_writes.look_again(change, by=people.members["editor"]))

    late = editor.post(f"{change.get_absolute_url()}confirm/", {"shown": drawn[1]})
    assert late.status_code == 422
    assert "checked again since" in late.content.decode()
    change.refresh_from_db()
    assert change.state == WriteState.READY
    assert change.confirmed_by is None

    editor.post(f"{change.get_absolute_url()}confirm/", {"shown": late.context["shown_check"]})
    change.refresh_from_db()
    assert change.state == WriteState.QUEUED


def test_a_role_that_may_look_sees_the_change_and_cannot_confirm_it(
    integration: Integration, people: People, client: Client
) -> None:
    change = work(edited(integration, people.members["editor"], {"name": "Mine"}))
    client.force_login(people.members["viewer"])
    shown = client.get(change.get_absolute_url()).content.decode()
    assert "What would change" in shown
    assert 'aria-disabled="true"' in shown
    assert client.post(f"{change.get_absolute_url()}confirm/").status_code == 403


def test_an_unknown_change_asks_a_person_and_takes_their_word(
    integration: Integration, editor: Client, people: People
) -> None:
    change = edited(integration, people.members["editor"], {"name": "Mine"})
    VendorWrite.objects.filter(pk=change.pk).update(
        state=WriteState.UNKNOWN, sent_at=change.created_at, result={"look_at": ["Compare the name there."]}
    )
    shown = editor.get(change.get_absolute_url()).content.decode()
    assert "Compare the name there." in shown
    assert "It happened" in shown
    editor.post(f"{change.get_absolute_url()}settle/", {"happened": "no"})
    change.refresh_from_db()
    assert change.state == WriteState.NOT_DONE
    assert "did not happen" in change.sentence


def test_given_up_before_it_was_sent_it_leads_back(integration: Integration, editor: Client, people: People) -> None:
    change = work(edited(integration, people.members["editor"], {"name": "Mine"}))
    answer = editor.post(f"{change.get_absolute_url()}abandon/")
    assert answer["Location"] == integration.get_absolute_url()
    change.refresh_from_db()
    assert change.state == WriteState.ABANDONED


def test_a_job_that_broke_leaves_a_change_that_can_be_tried_again(
    integration: Integration, editor: Client, people: People
) -> None:
    change = edited(integration, people.members["editor"], {"name": "Mine"})
    assert change.job is not None
    type(change.job).objects.filter(pk=change.job.pk).update(
        state="failed", finished_at=change.created_at, error="The vendor did not answer in time."
    )
    shown = editor.get(change.get_absolute_url()).content.decode()
    assert "The vendor did not answer in time." in shown
    assert "hx-get" not in shown.partition('id="change"')[2][:300]
    editor.post(f"{change.get_absolute_url()}look-again/")
    assert work(change).state == WriteState.READY


def test_a_vendor_that_cannot_be_edited_has_no_form_and_says_why(
    simulator: SimulatorServer, people: People, client: Client
) -> None:
    torq = added(simulator, "nordhavn-torq-subsidiary", by=people.members["owner"], at=people.tenant)
    sync(torq)
    client.force_login(people.members["editor"])
    row = Integration.objects.filter(vendor_account=torq)[0]
    assert client.get(f"{row.get_absolute_url()}edit/").status_code == 404
    reason = vendor_writes.unsupported_reason("edit", "torq")
    assert escape(reason) in client.get(row.get_absolute_url()).content.decode()


def test_what_concerns_another_tenant_too_is_shown_to_people_who_see_both(
    integration: Integration, people: People, client: Client
) -> None:
    change = work(edited(integration, people.members["editor"], {"name": "Mine"}))
    VendorWrite.objects.filter(pk=change.pk).update(also_tenant=people.other_tenant)
    client.force_login(people.members["viewer"])
    shown = client.get(change.get_absolute_url()).content.decode()
    assert "It concerns another tenant too" in shown
    assert "Mine" not in shown
    assert people.other_tenant.name not in shown
    give(people.members["viewer"], "viewer", people.other_tenant)
    assert "Mine" in client.get(change.get_absolute_url()).content.decode()
