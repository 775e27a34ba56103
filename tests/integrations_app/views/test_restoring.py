"""Restoring from a snapshot: what is offered, what is asked for, and what the vendor holds in the end."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from integrations_app.models import Integration, IntegrationDocument, Snapshot, VendorWrite, WriteState
from integrations_app.services import integrations, snapshots, vendor_writes
from integrations_app.simulator.server import SimulatorServer
from tests.integrations_app.services.mirroring import owner_of, sync
from tests.integrations_app.services.writing import change_at_vendor, go_on, mirrored, plain_integrations
from tests.people import People
from tests.things import Things, make_account, make_integration, make_things

THEN = b'{"_id": "1", "name": "Orders", "description": "Old", "settings": {"$secret": "7f3a0c21"}, "lastModified": "1"}'
NOW = b'{"_id": "1", "name": "Orders", "tag": "new", "settings": {"$secret": "11111111"}, "lastModified": "2"}'


@pytest.fixture
def things(people: People) -> Things:
    made = make_things(people.tenant)
    Snapshot.objects.update(redacted=THEN)
    IntegrationDocument.objects.update(redacted=NOW)
    return made


@pytest.fixture
def editor(people: People, client: Client) -> Client:
    client.force_login(people.members["editor"])
    return client


def address(snapshot: Snapshot) -> str:
    return reverse("integrations:restore", args=[snapshot.tenant.slug, snapshot.pk])


def test_what_may_be_written_and_differs_is_offered_and_chosen(things: Things, editor: Client) -> None:
    page = editor.get(address(things.snapshot))
    assert [(change.path, change.kind) for change in page.context["restorable"].changes] == [
        ("tag", "removed"),
        ("settings", "changed"),
        ("description", "added"),
    ]
    text = page.content.decode()
    assert text.count('name="keys"') == text.count(" checked") == 3
    assert "left as they are: lastModified" in text


def test_chosen_fields_are_asked_for_once_however_often_the_form_is_sent(things: Things, editor: Client) -> None:
    base = bytes(IntegrationDocument.objects.get().digest).hex()
    form = {"keys": ["description"], "base": base, "key": "one-form", "reason": "As it was"}
    first = editor.post(address(things.snapshot), form)
    write = VendorWrite.objects.get()
    assert first["Location"] == write.get_absolute_url()
    assert editor.post(address(things.snapshot), form)["Location"] == write.get_absolute_url()
    assert VendorWrite.objects.count() == 1
    assert (write.operation, write.title, write.reason) == ("edit", "Restore Orders", "As it was")
    assert write.integration == things.integration


@pytest.mark.parametrize("keys", [[], ["_id"], ["lastModified"], ["name"], ["flowGroupings/1/settings"]])
def test_nothing_and_what_does_not_differ_is_refused(things: Things, editor: Client, keys: list[str]) -> None:
    answer = editor.post(address(things.snapshot), {"keys": keys, "base": "", "key": "k", "reason": "Why"})
    assert answer.status_code == 422
    assert "Nothing was asked for" in answer.content.decode()
    assert 'value="Why"' in answer.content.decode()
    assert not VendorWrite.objects.exists()


def test_a_snapshot_like_the_present_has_nothing_to_restore(things: Things, editor: Client) -> None:
    Snapshot.objects.update(redacted=NOW)
    assert "Nothing to restore" in editor.get(address(things.snapshot)).content.decode()


@pytest.mark.parametrize("vendor", ["alloy", "torq", "membrane"])
def test_a_vendor_that_takes_no_changes_says_why(people: People, editor: Client, vendor: str) -> None:
    one = make_integration(make_account(people.tenant, vendor=vendor))
    kept = Snapshot.objects.create(
        tenant=people.tenant,
        integration=one,
        cause="manual",
        as_of=one.seen_at,
        sealed=b"-",
        redacted=THEN,
        digest=b"-",
    )
    page = editor.get(address(kept))
    reason = page.context["refusal"]
    assert reason
    assert reason in page.content.decode().replace("&#x27;", "'")
    assert editor.post(address(kept), {"keys": ["description"]}).status_code == 422
    assert not VendorWrite.objects.exists()


@pytest.fixture
def kept_before(simulator: SimulatorServer, settings: Any) -> Snapshot:
    """A snapshot of an integration whose description and tag somebody changed at the vendor afterwards."""
    settings.WRITE_SETTLE_SECONDS = 0
    account = mirrored(simulator)
    one = next(iter(plain_integrations(account)))
    kept = snapshots.take(one, by=None)
    change_at_vendor(simulator, one, description="Changed", tag="changed")
    sync(account)
    return kept


@pytest.mark.django_db(transaction=True)
def test_one_field_is_put_back_and_the_others_stay(kept_before: Snapshot, client: Client) -> None:
    one = Integration.objects.select_related("tenant").get(pk=kept_before.integration_id)
    before = integrations.load_document(one)
    then = integrations.load_document(one) | {"description": _held(kept_before, "description")}
    by = owner_of(one.tenant)
    client.force_login(by)
    page = client.get(address(kept_before))
    assert {change.path for change in page.context["restorable"].changes} == {"description", "tag"}
    form = {"keys": ["description"], "base": page.context["restorable"].base, "key": page.context["form_key"]}
    client.post(address(kept_before), form)
    write = go_on(VendorWrite.objects.get())
    assert write.state == WriteState.READY, write.sentence
    go_on(vendor_writes.confirm(write, by=by, answers={}))
    one = Integration.objects.select_related("tenant", "document").get(pk=one.pk)
    now = integrations.load_document(one)
    assert now["description"] == then["description"] != before["description"]
    assert now["tag"] == "changed"


def _held(snapshot: Snapshot, name: str) -> Any:
    from integrations_app.services.documents import load

    return load(snapshot.redacted)[name]
