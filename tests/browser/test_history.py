"""The history of an integration: the vendor's records read, two states compared, one field put back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from playwright.sync_api import Page, expect

from integrations_app.models import Integration, Job, VendorAccount, VendorWrite
from integrations_app.services import integrations, snapshots
from tests.browser.looking import faults, sign_in
from tests.browser.mirrored import CELIGO, run
from tests.integrations_app.services.mirroring import added, sync
from tests.integrations_app.services.writing import change_at_vendor, plain_integrations

if TYPE_CHECKING:
    from integrations_app.simulator.server import SimulatorServer
    from tests.people import People

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def account(simulator: SimulatorServer, people: People, settings: Any) -> VendorAccount:
    settings.WRITE_SETTLE_SECONDS = 0
    account = added(simulator, CELIGO, by=people.members["owner"], at=people.tenant)
    sync(account)
    return account


def changed(simulator: SimulatorServer, account: VendorAccount, by: Any) -> Integration:
    """One that was kept, and then changed twice by somebody else."""
    one = next(iter(plain_integrations(account)))
    snapshots.take(one, by=by, note="Before the freeze")
    for words in ("First words", "Second words"):
        change_at_vendor(simulator, one, description=words, tag="theirs")
        sync(account)
    return one


def test_states_are_compared_and_one_field_put_back(
    page: Page, live_server: object, people: People, simulator: SimulatorServer, account: VendorAccount
) -> None:
    one = changed(simulator, account, people.members["owner"])
    sign_in(page, people.members["editor"], str(live_server))
    page.goto(f"/t/larkspur/integrations/{one.pk}/history/")
    expect(page.get_by_text("Changed outside this console", exact=True).nth(2)).to_be_visible()
    page.get_by_label("From: Snapshot taken").check()
    page.get_by_label("To: A sync found it changed").first.check()
    page.get_by_role("button", name="Compare").click()
    comparison = page.get_by_role("region", name="Comparison")
    expect(comparison).to_contain_text("First words")
    expect(comparison).not_to_contain_text("Second words")
    page.get_by_role("link", name="Side by side").click()
    expect(comparison).to_contain_text("First words")
    assert faults(page) == []

    page.get_by_role("link", name="Restore the earlier one…").click()
    page.get_by_label("Tag").uncheck()
    assert faults(page) == []
    page.get_by_role("button", name="See what would change").click()
    expect(page.locator("#change")).to_contain_text("Reading it afresh")
    run(VendorWrite.objects.get().job or Job())
    expect(page.locator("#change")).to_contain_text("Second words")
    expect(page.locator("#change")).not_to_contain_text("theirs")
    page.locator("#confirm").click()
    expect(page.locator("#change")).to_contain_text("Confirmed")
    run(VendorWrite.objects.get().job or Job())
    expect(page.locator("#change")).to_contain_text("the vendor holds what was meant")
    document = integrations.load_document(Integration.objects.select_related("document").get(pk=one.pk))
    assert document["description"] != "Second words"
    assert document["tag"] == "theirs"


def test_the_vendor_s_records_appear_when_they_were_read(
    page: Page, live_server: object, people: People, account: VendorAccount
) -> None:
    one = next(iter(plain_integrations(account)))
    sign_in(page, people.members["support"], str(live_server))
    page.goto(f"/t/larkspur/integrations/{one.pk}/history/")
    expect(page.locator("#history")).to_contain_text("Celigo audit never read")
    page.evaluate("() => { window.isTheSamePage = true }")
    page.get_by_role("button", name="Read now").click()
    expect(page.locator("#history")).to_contain_text("Being read")
    for job in Job.objects.filter(type="read_listing"):
        run(job)
    expect(page.locator("#timeline")).to_contain_text("Create integration")
    expect(page.get_by_role("button", name="Read now")).to_be_visible()
    assert page.evaluate("() => window.isTheSamePage") is True
