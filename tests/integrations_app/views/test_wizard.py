"""The wizard's pages: what anybody sees of an installation, and what a person may send from there."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
from django.test import Client

from integrations_app.models import Integration, Job, VendorWrite
from integrations_app.services import listings
from integrations_app.simulator.server import SimulatorServer
from tests.integrations_app.jobs.mirror_jobs import run
from tests.integrations_app.services.mirroring import added, sync
from tests.integrations_app.services.operations.stepping import (
    FORM,
    HIDDEN,
    NAME,
    STACK,
    TEMPLATE,
    URL,
    half_installed,
    steps_of,
)
from tests.integrations_app.services.operations.writing import done, work
from tests.people import People

pytestmark = pytest.mark.django_db(transaction=True)
SECRET = "hunter2-hunter2-hunter2"


@pytest.fixture
def one(simulator: SimulatorServer, people: People) -> Integration:
    account = added(simulator, NAME, by=people.members["owner"], at=people.tenant)
    sync(account)
    return half_installed(simulator, account)


def page(client: Client, one: Integration, way: str = "install", **query: str) -> str:
    return client.get(f"{one.get_absolute_url()}{way}/", query).content.decode()


def fields(shown: str) -> dict[str, str]:
    """The fields of the step's form as a browser would post them: the hidden ones, and the texts."""
    form = shown[shown.index('hx-target="#wizard"') :]
    found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form)
    return {name: value.replace("&quot;", '"').replace("&#x27;", "'") for name, value in found}


def field_named(shown: str, label: str) -> str:
    """The name of the control with this label."""
    control = re.search(rf'<label for="(step_[\w-]+)">{re.escape(label)}', shown)
    assert control is not None, label
    return control[1].removeprefix("step_")


def submit(client: Client, one: Integration, data: Mapping[str, Any], way: str = "install", **headers: Any) -> Any:
    return client.post(f"{one.get_absolute_url()}{way}/", data, headers=headers)


HTMX = {"HX-Request": "true", "HX-Target": "wizard"}


def test_the_steps_are_read_by_a_job_and_their_age_is_told(one: Integration, people: People, client: Client) -> None:
    client.force_login(people.members["editor"])
    shown = page(client, one)
    assert "The steps are being read" in shown
    read_url = f"{one.get_absolute_url()}listings/install_steps/read/"
    assert f'hx-post="{read_url}" hx-trigger="load' in shown
    client.post(read_url, {"quietly": "1"}, headers=HTMX)
    assert "Asking Celigo" in page(client, one)
    run(Job.objects.get(type="read_listing"))
    age = client.get(f"{one.get_absolute_url()}install/", {"part": "age", "shown": ""}, headers=HTMX)
    assert age.headers["HX-Refresh"] == "true"
    shown = page(client, one)
    assert "0 of 6 done" in shown
    assert "Finance connection" in shown
    assert "connections are being read" in shown
    assert "listings/account_connections/read/" in shown


def test_a_viewer_sees_how_far_it_is_and_may_do_nothing(one: Integration, people: People, client: Client) -> None:
    client.force_login(people.members["viewer"])
    assert "your role does not let you ask" in page(client, one)
    steps_of(one)
    shown = page(client, one)
    assert "Choose warehouse" in shown
    assert "needs a role that lets you run install steps" in shown
    assert submit(client, one, {"place": "1"}).status_code == 403
    client.force_login(people.members["editor"])
    assert submit(client, one, {"place": "1"}, "uninstall").status_code == 403
    assert not VendorWrite.objects.exists()


def test_a_connection_is_chosen_among_those_of_its_type_or_made_new(
    simulator: SimulatorServer, one: Integration, people: People, client: Client
) -> None:
    steps_of(one)
    known = listings.items(listings.read(one.vendor_account, None, "account_connections"))
    client.force_login(people.members["editor"])
    shown = page(client, one)
    offered = re.search(r'<select name="connection".*?</select>', shown, re.S)
    assert offered is not None
    wanted = {item["remote_id"] for item in known if item["values"]["type"] == "http"}
    assert wanted
    assert set(re.findall(r'<option value="(\w+)"', offered[0])) == wanted

    document = json.dumps({"name": "Ledger", "type": "netsuite", "netsuite": {"tokenId": SECRET}})
    new = {**fields(shown), "how": "new", "document": document, "secret_place_1": "netsuite.tokenSecret"}
    wrong = submit(client, one, new)
    assert wrong.status_code == 422
    told = wrong.content.decode()
    assert "Give both, or neither." in told
    assert "Ledger" in told
    assert SECRET not in told
    assert "Secrets are not shown again" in told

    submit(client, one, {**new, "secret_1": SECRET})
    write = work(VendorWrite.objects.get())
    assert (write.state, len(done(simulator, NAME, "install_step"))) == ("done", 1)
    assert SECRET not in page(client, one)


def test_a_form_is_drawn_sent_and_followed_to_the_next_step(
    simulator: SimulatorServer, one: Integration, people: People, client: Client
) -> None:
    half_installed(simulator, one.vendor_account, (FORM, TEMPLATE))
    steps_of(one)
    client.force_login(people.members["editor"])
    shown = page(client, one)
    assert "Where orders go" in shown
    warehouse, token = field_named(shown, "Warehouse"), field_named(shown, "API token")
    data = {**fields(shown), warehouse: "1", token: SECRET, field_named(shown, "Batch size"): "50"}
    going = submit(client, one, data, **HTMX)
    # The form stays in the page, with all that was typed; only its foot tells how far the step is.
    assert going.headers["HX-Retarget"] == "#send"
    assert 'hx-trigger="every 1s' in going.content.decode()
    work(VendorWrite.objects.get())
    foot = client.get(f"{one.get_absolute_url()}install/", {"part": "send"}, headers=HTMX)
    assert foot.headers["HX-Refresh"] == "true"
    shown = page(client, one)
    assert "1 of 2 done" in shown
    assert f'done by <span dir="auto">{people.members["editor"]}</span>' in shown
    assert "copies what the template holds" in shown


def test_what_was_typed_into_a_form_that_is_out_of_date_is_shown_with_the_reason(
    simulator: SimulatorServer, one: Integration, people: People, client: Client
) -> None:
    half_installed(simulator, one.vendor_account, (FORM, TEMPLATE))
    steps_of(one)
    client.force_login(people.members["editor"])
    drawn = page(client, one)
    note, token = field_named(drawn, "Note"), field_named(drawn, "API token")
    typed = {**fields(drawn), note: "Mind the <b>gap</b>", token: SECRET}
    half_installed(simulator, one.vendor_account, ({**FORM, "completed": True}, TEMPLATE))
    steps_of(one)
    for headers in ({}, HTMX):
        late = submit(client, one, typed, **headers).content.decode()
        assert "is not the next one any more" in late
        assert "Mind the &lt;b&gt;gap&lt;/b&gt;" in late
        assert "copies what the template holds" in late
        assert SECRET not in late
    assert not VendorWrite.objects.exists()


def test_other_questions_keep_the_answers_that_still_fit(
    simulator: SimulatorServer, one: Integration, people: People, client: Client
) -> None:
    half_installed(simulator, one.vendor_account, (FORM,))
    steps_of(one)
    client.force_login(people.members["editor"])
    drawn = page(client, one)
    typed = {**fields(drawn), field_named(drawn, "Note"): "Keep me"}
    fewer = {"note": FORM["form"]["fieldMap"]["note"]}  # type: ignore[index]  # a dictionary
    half_installed(simulator, one.vendor_account, ({**FORM, "form": {"fieldMap": fewer}},))
    steps_of(one)
    late = submit(client, one, typed)
    assert late.status_code == 422
    assert "asks for something else now" in late.content.decode()
    assert "Keep me" in late.content.decode()
    assert not VendorWrite.objects.exists()


def test_a_refusal_of_the_vendor_is_told_and_the_answers_are_still_there(
    simulator: SimulatorServer, one: Integration, people: People, client: Client
) -> None:
    half_installed(simulator, one.vendor_account, (STACK,))
    steps_of(one)
    client.force_login(people.members["editor"])
    submit(client, one, {**fields(page(client, one)), "stack_id": "no-such-stack"})
    assert work(VendorWrite.objects.get()).state == "not_done"
    foot = client.get(f"{one.get_absolute_url()}install/", {"part": "send"}, headers=HTMX).content.decode()
    assert "This step needs a stack." in foot
    assert "Do this step" in foot
    # The form's next try is another one.
    assert fields(page(client, one))["key"] != VendorWrite.objects.get().key


def test_an_address_is_text_and_a_link_only_when_it_is_plain_https(
    simulator: SimulatorServer, one: Integration, people: People, client: Client
) -> None:
    client.force_login(people.members["editor"])
    for address, is_link in (("https://install.example/bundle", True), ("javascript:alert(document.cookie)", False)):
        half_installed(simulator, one.vendor_account, ({**URL, "installURL": address},))
        steps_of(one)
        shown = page(client, one)
        assert f'<code class="wrap" dir="ltr">{address}</code>' in shown
        assert (f'<a href="{address}"' in shown) is is_link
    assert "javascript:" not in "".join(re.findall(r'(?:href|src|action)="([^"]*)"', shown))


def test_an_installation_that_is_over_leads_back_to_the_integration(
    simulator: SimulatorServer, one: Integration, people: People, client: Client
) -> None:
    half_installed(simulator, one.vendor_account, ({**HIDDEN, "completed": True},), ())
    steps_of(one)
    steps_of(one, "uninstall_steps")
    client.force_login(people.members["owner"])
    shown = page(client, one)
    assert "Installed" in shown
    assert "done, not from here" in shown
    assert "There are no steps to uninstall it" in page(client, one, "uninstall")
    # The integration's own page keeps the button, with the reason.
    menu = client.get(one.get_absolute_url()).content.decode()
    assert "It has no steps to uninstall it" in menu
    assert f'href="{one.get_absolute_url()}install/"' in menu


def test_uninstalling_goes_to_the_page_that_asks_before_anything_is_sent(
    simulator: SimulatorServer, one: Integration, people: People, client: Client
) -> None:
    steps_of(one, "uninstall_steps")
    client.force_login(people.members["admin"])
    shown = page(client, one, "uninstall")
    assert "Nothing is sent before you confirmed it." in shown
    asked = submit(client, one, {**fields(shown), "answers": "{}"}, "uninstall")
    write = work(VendorWrite.objects.get())
    assert asked.headers["Location"] == write.get_absolute_url()
    assert write.state == "ready", write.sentence
    assert not done(simulator, NAME, "uninstall_step")
    assert "waits for confirmation" in page(client, one, "uninstall")


def test_hostile_steps_leave_the_page_small_and_safe(
    simulator: SimulatorServer, one: Integration, people: People, client: Client
) -> None:
    evil = '<script>alert(1)</script>"onmouseover="x'
    many = [{"name": evil, "description": evil, "type": "form", "completed": True} for _ in range(10_000)]
    huge = {
        "name": evil,
        "description": evil,
        "type": "form",
        "form": {
            "fieldMap": {
                evil: {"type": "select", "label": evil, "helpText": evil, "options": [evil] * 250},
                "deep": {"type": "text", "defaultValue": {"a": [[[[[[evil]]]]]]}},
            }
        },
        "completed": False,
    }
    half_installed(simulator, one.vendor_account, (*many[:1000], huge, *many))
    steps_of(one)
    client.force_login(people.members["editor"])
    answer = client.get(f"{one.get_absolute_url()}install/")
    shown = answer.content.decode()
    assert answer.status_code == 200
    assert len(answer.content) < 250_000
    assert "<script>alert" not in shown
    assert '"onmouseover' not in shown
    assert "980 steps before these" in shown
    assert "There are more at Celigo than were read" in shown


def test_a_vendor_without_steps_has_no_such_page(simulator: SimulatorServer, people: People, client: Client) -> None:
    account = added(simulator, "kestrel-torq", by=people.members["owner"], at=people.tenant)
    sync(account)
    client.force_login(people.members["owner"])
    one = Integration.objects.filter(vendor_account=account)[0]
    assert client.get(f"{one.get_absolute_url()}install/").status_code == 404
