"""A secret that came in, by a form or in a vendor's document, never comes out again: not on a page, in a column, in a
log line or in a file. Distinctive ones are planted everywhere, everything is done with them that the console does, and
then everything it wrote and shows is searched. The searcher has to find leaks made on purpose first.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import structlog
from django.db import transaction
from django.test import Client

from console.access import vault
from console.access.models import User
from console.audit.events import Event
from console.audit.services import record
from integrations_app.models import (
    CredentialSecret,
    Integration,
    IntegrationDocument,
    Job,
    JobLine,
    JobState,
    QuarantinedItem,
    SecretChange,
    Snapshot,
    VendorAccount,
)
from integrations_app.services import archives, credentials, integrations, snapshots, vendor_accounts
from integrations_app.simulator.faults import Fault
from integrations_app.simulator.server import SimulatorServer
from integrations_app.simulator.wire import Account
from tests.integrations_app.jobs.world import run_here
from tests.people import People, give
from tests.site import leaks
from tests.site.leaks import Leak, Secrets
from tests.things import make_batch, make_write

pytestmark = [pytest.mark.django_db, pytest.mark.proof]

# Secret by their place alone: nothing about these words gives them away.
IN_DOCUMENTS = {
    "Celigo settings": "lavender bicycle under settings",
    "Celigo settings, later": "copper lantern under settings",
    "Celigo form": "granite teapot in a form",
    "Celigo bad item": "velvet anchor in a bad item",
    "Membrane parameters": "walnut harbour in parameters",
    "Membrane metadata": "crimson ladder in metadata",
    "Membrane credentials": "silver thistle in credentials",
    # Secret by their shape, in fields that are shown.
    "hook in a text": "https://hooks.planted.example/services/T0PLANT/B0PLANT/q8ZrK2vW9xLm4Tn7",
    "signed address": "https://files.planted.example/a.zip?Expires=1893456000&Signature=pLaNtEd0s1gNaTuRe9x7Qw3",
    "password in an address": "https://robot:planted-Pa55-of-robot@sftp.planted.example/in",
    "signed token": "eyJwbGFudGVkIjoidHJ1ZSJ9.eyJzdWIiOiJwbGFudGVkLXRva2VuIn0.c2lnbmVkLWJ5LXBsYW50ZWQta2V5",
    "token in words": "token: planted-tok-9f83hq27dk10x",
    # Secret by the name of a field that nobody declared.
    "unknown field": "amber-turnstile",
    "Torq webhook": "https://hooks.torq.io/v1/webhooks/5b0c7d1e-0000-4a4a-8c8c-00000000beef",
}
IN_FORMS = {
    "token that is refused": "planted-refused-celigo-token-71ac",
    "shared key": "planted-shared-alloy-key-55f0e2",
}
IN_ERRORS = {
    "token in an error": "Bearer planted9error7token5from3vendor1",
    "hook in an error": "https://hooks.planted.example/v1/webhooks/e770r0e770r0e770r0e77",
}


@dataclass
class Planted:
    """What was planted, and the accounts it is in."""

    people: People
    server: SimulatorServer
    accounts: dict[str, VendorAccount] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)

    @property
    def owner(self) -> User:
        return self.people.members["owner"]

    def remote(self, vendor: str) -> Account:
        account = self.server.world.account(f"planted-{vendor}")
        assert account is not None
        return account


@pytest.fixture
def planted(people: People, simulator: SimulatorServer, caplog: pytest.LogCaptureFixture) -> Planted:
    """Secrets in every vendor's documents, forms and errors, and each thing done with them that the console can do."""
    caplog.set_level(logging.DEBUG)
    # Writes a traceback for each optional variable of a template.
    caplog.set_level(logging.INFO, "django.template")
    here = Planted(people, simulator, secrets={**IN_DOCUMENTS, **IN_FORMS, **IN_ERRORS})
    for vendor in ("alloy", "celigo", "torq", "membrane"):
        _connect(here, vendor)
    _plant(here)
    for account in here.accounts.values():
        run_here(vendor_accounts.request_test(account, by=here.owner))
        assert run_here(vendor_accounts.request_sync(account, by=here.owner)).state in (
            JobState.SUCCEEDED, JobState.PARTIAL,
        )  # fmt: skip
    _change_and_sync_again(here)
    _refresh_and_snapshot(here)
    _fetch_archives(here)
    _search(here)
    _replace_secrets(here)
    _share(here)
    return here


def _connect(here: Planted, vendor: str) -> None:
    remote = here.server.world.add_account(vendor=vendor, name=f"planted-{vendor}", size=2, seed=5)
    secret_names = {"api_key", "api_token", "client_secret", "workspace_secret"}
    for name in secret_names & remote.credential.keys():
        here.secrets[f"{vendor} {name}"] = remote.credential[name]
    here.accounts[vendor] = vendor_accounts.add(
        tenant=here.people.tenant, by=here.owner, vendor=vendor, name=f"{vendor} account", region=remote.region,
        binding=remote.binding, fields=remote.credential,
    )  # fmt: skip


def _plant(here: Planted) -> None:
    of, change = IN_DOCUMENTS, here.server.world.change_item
    change(here.remote("celigo"), 0, {
        "settings": {"note": of["Celigo settings"]},
        "settingsForm": {"form": {"fields": [{"defaultValue": of["Celigo form"]}]}},
        "name": f"Orders {of['token in words']}",
        "description": f"Posts to {of['hook in a text']} each night, see {of['password in an address']}.",
        "readme": f"The archive: {of['signed address']}",
        "deployPassphrase": of["unknown field"],
    })  # fmt: skip
    change(here.remote("celigo"), 1, {"_id": None, "settings": {"note": of["Celigo bad item"]}})
    change(here.remote("membrane"), 0, {
        "parameters": {"note": of["Membrane parameters"]},
        "meta": {"note": of["Membrane metadata"]},
        "description": f"Signed in with {of['signed token']}",
        "state": "SETUP_FAILED",
        "errors": [{"type": "configuration", "message": f"Refused: {of['password in an address']}"}],
    })  # fmt: skip
    change(here.remote("membrane"), 1, {
        "connection": {
            "id": "c0ffee", "name": f"Shop {of['hook in a text']}", "userId": "u1", "connected": False,
            "credentials": {"note": of["Membrane credentials"]}, "isDefunct": True,
            "createdAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-01-01T00:00:00Z",
            "requestError": {"type": "connection", "message": f"The shop said {of['token in words']}."},
        }
    })  # fmt: skip
    change(here.remote("torq"), 0, {
        "display_name": f"Alerts to {of['hook in a text']}",
        "details": {"trigger": {"webhook_url": of["Torq webhook"]}},
    })  # fmt: skip
    step = {"name": "Step", "id": "11111111-0000-4000-8000-000000000001", "connector": "http", "icon": "",
            "subtitle": f"Calls {of['password in an address']}"}  # fmt: skip
    workflow = {"workflowId": "a" * 24, "name": f"Sync {of['token in words']}", "installed": True, "active": True,
                "version": 2, "installedVersion": 1, "connectors": [step]}  # fmt: skip
    change(here.remote("alloy"), 0, {"workflows": [workflow], "icon": of["signed address"]})


def _change_and_sync_again(here: Planted) -> None:
    """A drift: the former document becomes a snapshot, and the history shows what changed."""
    changed = {"settings": {"note": IN_DOCUMENTS["Celigo settings, later"]}, "mode": "settings", "version": "2.0.0"}
    here.server.world.change_item(here.remote("celigo"), 0, changed)
    run_here(vendor_accounts.request_sync(here.accounts["celigo"], by=here.owner))
    assert Snapshot.objects.filter(cause=Snapshot.Cause.DRIFT).count() == 1


def _refresh_and_snapshot(here: Planted) -> None:
    for vendor, account in here.accounts.items():
        integration = Integration.objects.filter(vendor_account=account).order_by("first_seen_at", "pk")[0]
        assert run_here(integrations.request_refresh(integration, by=here.owner)).state == JobState.SUCCEEDED, vendor
        run_here(snapshots.request(integration, by=here.owner, note="before the change"))
    echoed = json.dumps({"errors": [{"code": "x", "message": f"You sent {IN_ERRORS['token in an error']}"}],
                         "message": f"At {IN_ERRORS['hook in an error']}"})  # fmt: skip
    for vendor, account in here.accounts.items():
        for number, status in enumerate((401, 403, 422)):
            here.server.world.add_fault(
                Fault(f"echo {vendor} {number}", "status", account=f"planted-{vendor}", path="integrations", times=1,
                      status=status, body=echoed, content_type="application/json")
            )  # fmt: skip
        for _ in range(3):
            run_here(vendor_accounts.request_sync(account, by=here.owner))
    assert all(fault.hits == 1 for fault in here.server.world.faults())


def _fetch_archives(here: Planted) -> None:
    """Two of an integration that secrets are planted in: they can be compared. And a change, for the pages of those."""
    rows = Integration.objects.filter(vendor_account=here.accounts["celigo"]).select_related("tenant", "vendor_account")
    planted = next(row for row in rows if row.name.startswith("Orders"))
    # An Integration App has none.
    here.server.world.change_item(here.remote("celigo"), 0, {}, unset=["_connectorId"])
    make_write(planted)
    make_batch(planted)
    for _ in range(2):
        assert run_here(archives.request(planted, by=here.owner)).state == JobState.SUCCEEDED


def _search(here: Planted) -> None:
    for vendor, filters in (("torq", {}), ("membrane", {"includeArchived": "true"})):
        job = vendor_accounts.request_search(here.accounts[vendor], by=here.owner, filters=filters)
        assert run_here(job).result["hits"]


def _replace_secrets(here: Planted) -> None:
    """Once with a secret that the vendor refuses, once with one that it takes."""
    account, good = here.accounts["celigo"], here.remote("celigo").credential
    for token, outcome in (
        (IN_FORMS["token that is refused"], SecretChange.Outcome.REFUSED),
        (good["api_token"], SecretChange.Outcome.APPLIED),
    ):
        account.refresh_from_db()
        assert account.credential is not None
        run_here(
            vendor_accounts.request_secret_change(
                account, by=here.owner, fields={"api_token": token}, version=account.credential.version
            )
        )
        assert SecretChange.objects.latest("requested_at").outcome == outcome


def _share(here: Planted) -> None:
    fields = {"api_key": IN_FORMS["shared key"]}
    credential = credentials.create_shared(by=here.people.platform, vendor="alloy", name="Company key", fields=fields)
    give(here.people.platform, "owner", here.people.other_tenant)
    vendor_accounts.add(
        tenant=here.people.other_tenant, by=here.people.platform, vendor="alloy", name="Bound",
        region="simulator-current", binding={"end_user_id": "somebody"}, credential=credential,
    )  # fmt: skip


# --- looking everywhere ------------------------------------------------------------------------------------------


def everywhere(here: Planted, caplog: pytest.LogCaptureFixture) -> set[Leak]:
    secrets = Secrets(here.secrets)
    owner, platform = Client(), Client()
    owner.force_login(here.owner)
    platform.force_login(here.people.platform)
    addresses = [*leaks.tenant_addresses(here.people.tenant), *leaks.site_addresses()]
    found = leaks.in_pages(secrets, addresses, owner)
    found |= leaks.in_pages(secrets, leaks.platform_addresses(), platform)
    found |= leaks.in_database(secrets) | leaks.in_files(secrets)
    # Records of the fixture's phase too: most of what could leak happens there.
    return found | leaks.in_logs(secrets, [*caplog.get_records("setup"), *caplog.get_records("call")])


@contextmanager
def leaking(here: Planted) -> Iterator[None]:
    """One leak of each kind, undone afterwards."""
    secret = IN_FORMS["token that is refused"]
    job = Job.objects.filter(type="sync_account")[0]
    with transaction.atomic():
        Integration.objects.filter(tenant=here.people.tenant).update(name=secret)
        JobLine.objects.create(tenant=job.tenant, job=job, text=f"Tried {secret}")
        record(Event.JOB_REQUESTED, by=None, tenant=job.tenant, detail={"planted": [secret]})
        IntegrationDocument.objects.update(redacted=json.dumps({"a": IN_DOCUMENTS["hook in a text"]}).encode())
        yield
        transaction.set_rollback(True)


def test_planted_secrets_stand_nowhere_in_the_clear(planted: Planted, caplog: pytest.LogCaptureFixture) -> None:
    with leaking(planted):
        structlog.get_logger("planted").warning("called", address=IN_DOCUMENTS["signed address"])
        caught = everywhere(planted, caplog)
    kinds = {"page /t/larkspur/integrations/", "column integrations_app_jobline.text", "log of planted",
             "column audit_auditevent.detail", "column integrations_app_integrationdocument.redacted"}  # fmt: skip
    assert kinds <= {leak.where for leak in caught}
    assert any(leak.where.endswith("/raw/") for leak in caught)

    found = {leak for leak in everywhere(planted, caplog) if leak.where != "log of planted"}
    assert sorted(found) == []


def test_what_was_planted_did_arrive_and_is_sealed(planted: Planted) -> None:
    """Without this the search above could be looking for what was never here."""
    opened = b""
    for document in IntegrationDocument.objects.all():
        opened += vault.unseal(document.tenant_id, document.context, document.sealed)
    for snapshot in Snapshot.objects.all():
        opened += vault.unseal(snapshot.tenant_id, snapshot.context, snapshot.sealed)
    missing = {name for name, secret in IN_DOCUMENTS.items() if secret.encode() not in opened}
    # A bad item is kept in its redacted form alone.
    assert missing == {"Celigo bad item"}
    assert QuarantinedItem.objects.filter(tenant=planted.people.tenant).exists()
    sealed = CredentialSecret.objects.filter(credential__tenant=planted.people.tenant)
    values = {vault.unseal(planted.people.tenant.pk, secret.context, secret.sealed).decode() for secret in sealed}
    assert values <= set(planted.secrets.values())
    assert len(values) == 4


@pytest.mark.parametrize("secret", [*IN_DOCUMENTS.values(), *IN_FORMS.values()])
def test_the_search_sees_a_secret_however_it_is_written(secret: str) -> None:
    import base64
    import html

    hidden: list[Any] = [secret, json.dumps({"a": secret}), html.escape(secret), secret.encode().hex()]
    hidden += [base64.b64encode(b"x" * before + secret.encode() + b"after it").decode() for before in range(4)]
    for text in hidden:
        assert list(Secrets({"it": secret}).leaks_in("here", text)) == [Leak("here", "it")]
    assert list(Secrets({"it": secret}).leaks_in("here", "nothing to see")) == []
