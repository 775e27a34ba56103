"""A field of many integrations set at once, from the boxes in the list to the results; and the report of revisions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.urls import reverse
from playwright.sync_api import expect

from integrations_app.jobs import runner
from integrations_app.models import Job, WriteBatch
from integrations_app.services import jobs
from integrations_app.views import integrations
from tests.browser.looking import faults, sign_in
from tests.browser.mirrored import CELIGO, Mirrored, mirror
from tests.integrations_app.services.writing import change_at_vendor
from tests.people import People

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from integrations_app.simulator.server import SimulatorServer

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.proof]


@pytest.fixture
def mirrored(simulator: SimulatorServer, people: People) -> Mirrored:
    return mirror(simulator, people, (CELIGO, "nordhavn-torq-subsidiary"))


def work(batch: WriteBatch) -> None:
    """Run the job that the batch waits for, as a worker would."""
    batch.refresh_from_db()
    assert batch.job is not None
    jobs.dispatch()
    Job.objects.filter(pk=batch.job.pk, admitted_at=None).update(admitted_at=batch.job.created_at)
    runner.run(str(batch.job.pk))


def test_a_field_of_a_selection_is_set_after_a_dry_run(
    page: Page, live_server: object, mirrored: Mirrored, simulator: SimulatorServer
) -> None:
    sign_in(page, mirrored.owner, str(live_server))
    page.goto(reverse("integrations:index", args=["larkspur"]) + "?vendor=celigo&sort=name")
    bar = page.get_by_role("region", name="Selection")
    expect(bar).to_be_hidden()
    boxes = page.get_by_role("checkbox", name="Choose")
    boxes.nth(1).focus()
    page.keyboard.press("Space")
    expect(bar).to_contain_text("1 on this page")
    boxes.nth(2).check()
    expect(bar).to_contain_text("2 on this page")
    assert faults(page) == []
    bar.get_by_role("button", name="Clear").click()
    expect(bar).to_be_hidden()
    for number in (1, 2, 3):
        boxes.nth(number).check()
    page.reload()
    expect(bar).to_be_hidden()
    for number in (1, 2, 3):
        boxes.nth(number).check()
    bar.get_by_role("button", name="Set a field").click()
    expect(page.get_by_role("heading", name="3 chosen")).to_be_visible()
    assert faults(page) == []
    page.get_by_label("Tag").check()
    page.get_by_role("button", name="Go on").click()
    page.get_by_label("Tag").fill("spring")
    page.get_by_label("Reason").fill("Season")
    assert faults(page) == []
    page.get_by_role("button", name="Begin the dry run").click()
    expect(page.get_by_role("heading", name="Set tag of 3 integrations")).to_be_visible()
    assert faults(page) == []

    batch = WriteBatch.objects.get()
    first = batch.writes.select_related("integration__document").order_by("created_at", "id")[0].integration
    assert first is not None
    change_at_vendor(simulator, first, tag="theirs")
    work(batch)
    expect(page.get_by_text("2 of 3 will be sent, each once.")).to_be_visible()
    expect(page.get_by_role("link", name="Decide")).to_be_visible()
    assert faults(page) == []
    page.get_by_role("button", name="Confirm").click()
    work(batch)
    expect(page.get_by_text("2 of 3 are done.")).to_be_visible()
    assert faults(page) == []


def test_all_that_match_are_chosen_and_the_pages_of_revisions(
    page: Page, live_server: object, mirrored: Mirrored, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(integrations, "PAGE_SIZE", 10)
    sign_in(page, mirrored.owner, str(live_server))
    page.goto(reverse("integrations:index", args=["larkspur"]))
    page.get_by_role("checkbox", name="on this page").check()
    bar = page.get_by_role("region", name="Selection")
    expect(bar).to_contain_text("10 on this page")
    every = bar.get_by_label("select all 22 that match")
    every.check()
    expect(bar).to_contain_text("All 22 that match")
    page.get_by_role("checkbox", name="Choose").nth(1).uncheck()
    expect(bar).to_contain_text("9 on this page")
    expect(every).not_to_be_checked()
    every.check()
    expect(page.get_by_role("checkbox", name="on this page")).to_be_checked()
    bar.get_by_role("button", name="Take revisions").click()
    expect(page.get_by_text("Left out:")).to_be_visible()
    assert faults(page) == []
    page.get_by_role("button", name="Take", exact=False).click()
    expect(page.get_by_role("heading", name="Revisions of")).to_be_visible()
    work(WriteBatch.objects.get())

    account = mirrored.accounts[CELIGO]
    for name in ("revisions", "take_revisions", "revision_policy", "detail"):
        page.goto(reverse(f"vendor_accounts:{name}", args=["larkspur", account.pk]))
        assert faults(page) == [], name
    page.goto(reverse("integrations:revision", args=["larkspur", mirrored.some(CELIGO).pk]))
    assert faults(page) == []
