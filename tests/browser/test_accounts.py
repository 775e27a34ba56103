"""Vendor accounts by hand: add one and watch its sync, replace its secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect

from integrations_app.models import SecretChange, VendorAccount
from integrations_app.services import vendor_accounts
from integrations_app.simulator.faults import Fault
from tests.browser.looking import sign_in

if TYPE_CHECKING:
    from integrations_app.simulator.server import SimulatorServer
    from integrations_app.simulator.wire import Account
    from tests.celery_worker import CeleryWorker
    from tests.people import People

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def celigo(simulator: SimulatorServer) -> Account:
    account = simulator.world.account("larkspur-celigo-sandbox")
    assert account is not None
    return account


def test_an_account_is_added_and_its_sync_watched_to_the_end_without_a_reload(
    page: Page, live_server: object, people: People, worker: CeleryWorker, simulator: SimulatorServer, celigo: Account
) -> None:
    # The list answers only once somebody has seen that the sync runs.
    simulator.world.add_fault(Fault("slow list", "status", account=celigo.name, path="integrations", status=503))
    sign_in(page, people.members["admin"], str(live_server))
    page.goto("/t/larkspur/vendor-accounts/")
    page.get_by_role("link", name="Add a vendor account").first.click()
    page.get_by_role("link", name="Celigo").click()
    page.get_by_label("Name").fill("Warehouse")
    page.get_by_label("Region").select_option("simulator")
    page.get_by_label("API token").fill("   ")
    page.get_by_role("button", name="Add and test").click()
    expect(page.locator("[data-form-errors]")).to_be_focused()
    expect(page.get_by_label("API token")).to_have_value("")
    expect(page.get_by_label("Name")).to_have_value("Warehouse")

    page.get_by_label("API token").fill(celigo.credential["api_token"])
    page.get_by_role("button", name="Add and test").click()
    page.evaluate("() => { window.isTheSamePage = true }")
    expect(page.locator("#account .note-box .spin")).to_be_visible()
    simulator.world.remove_fault("slow list")
    # The sync waits out the vendor's refusal and goes on by itself.
    expect(page.locator("#account")).to_contain_text("Whole list read", timeout=40_000)
    expect(page.locator("#account .note-box .spin")).to_have_count(0, timeout=40_000)
    assert page.evaluate("() => window.isTheSamePage") is True

    page.get_by_role("button", name="Sync", exact=True).click()
    page.get_by_role("link", name="Follow").click()
    expect(page.locator("#job .sub .st")).to_have_text("Succeeded")
    expect(page.locator("#job")).to_contain_text(f"{celigo.size} integrations")
    expect(page.locator("#job[hx-get]")).to_have_count(0)


def test_a_refused_secret_keeps_the_old_one_and_a_good_one_replaces_it(
    page: Page, live_server: object, people: People, worker: CeleryWorker, celigo: Account
) -> None:
    account = vendor_accounts.add(
        tenant=people.tenant,
        by=people.members["owner"],
        vendor="celigo",
        name="Production",
        region="simulator",
        fields=celigo.credential,
    )

    def fingerprint() -> str:
        credential = VendorAccount.objects.for_tenant(people.tenant).get(pk=account.pk).credential
        assert credential is not None
        return vendor_accounts.secret_status(credential)[0].fingerprint

    old = fingerprint()
    sign_in(page, people.members["owner"], str(live_server))
    page.goto(f"{account.get_absolute_url()}replace/")
    token = page.get_by_label("API token")
    token.fill("simulated-but-nobodys-token")
    page.get_by_label("Expires on").evaluate("field => { field.type = 'text'; field.value = 'never' }")
    page.get_by_role("button", name="Test and replace").click()
    expect(page.locator("[data-form-errors]")).to_be_focused()
    expect(token).to_have_value("")

    token.fill("simulated-but-nobodys-token")
    page.get_by_label("Expires on").fill("")
    page.get_by_role("button", name="Test and replace").click()
    expect(page.locator("#job .sub .st")).to_have_text("Failed")
    assert fingerprint() == old

    page.goto(f"{account.get_absolute_url()}replace/")
    page.get_by_label("API token").fill(celigo.credential["api_token"])
    page.get_by_label("Reason").fill("Yearly rotation")
    page.get_by_role("button", name="Test and replace").click()
    expect(page.locator("#job .sub .st")).to_have_text("Succeeded")
    assert account.credential is not None
    changes = SecretChange.objects.filter(credential=account.credential).order_by("requested_at")
    assert [change.outcome for change in changes][-2:] == ["refused", "applied"]
    assert "simulated-but-nobodys-token" not in page.content()
