"""A template archive in a real browser: fetched, looked into, compared, and saved as a file."""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from django.conf import LazySettings
from playwright.sync_api import expect

from integrations_app.models import Integration, TemplateArchive
from integrations_app.services import archives, integrations
from tests.browser.looking import faults, sign_in
from tests.browser.mirrored import CELIGO
from tests.integrations_app.jobs.mirror_jobs import run
from tests.integrations_app.services.mirroring import added, simulated, sync
from tests.people import People

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from integrations_app.simulator.server import SimulatorServer

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def one(
    simulator: SimulatorServer, people: People, settings: LazySettings, tmp_path: Path
) -> tuple[Integration, SimulatorServer]:
    settings.DATA_DIR = tmp_path
    sync(added(simulator, CELIGO, by=people.members["owner"], at=people.tenant))
    rows = Integration.objects.select_related("tenant", "vendor_account").order_by("name_sort")
    return next(row for row in rows if "_connectorId" not in integrations.load_document(row)), simulator


def change_at_the_vendor(simulator: SimulatorServer, integration: Integration) -> None:
    there = simulated(simulator, CELIGO)
    number = simulator.world.items(simulator._vendors["celigo"], there).number_of(integration.remote_id)
    assert number is not None
    secret = "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc"
    simulator.world.change_item(there, number, {"name": "Renamed there", "settings": {"note": f"use {secret}"}})


def test_an_archive_is_fetched_looked_into_compared_and_saved(
    page: Page, live_server: object, people: People, one: tuple[Integration, SimulatorServer]
) -> None:
    integration, simulator = one
    sign_in(page, people.members["editor"], str(live_server))
    page.goto(f"{integration.get_absolute_url()}archives/")
    expect(page.get_by_role("heading", name="No archive yet")).to_be_visible()
    assert faults(page) == []

    page.get_by_role("button", name="Fetch archive").click()
    expect(page.get_by_text("Fetching…")).to_be_visible()
    job = archives.open_job(integration)
    assert job is not None
    run(job)
    # The tab notices by itself.
    link = page.locator("#archives [data-row-link]")
    expect(link).to_have_count(1)
    assert faults(page) == []

    change_at_the_vendor(simulator, integration)
    run(archives.request(integration, by=people.members["owner"]))
    page.reload()
    expect(link).to_have_count(2)
    link.first.click()
    expect(page.get_by_text("1 likely secret in this archive")).to_be_visible()
    expect(page.locator("#entry")).to_contain_text("settings.note")
    expect(page.locator("#entry")).not_to_contain_text("sk_live_")
    assert faults(page) == []

    # A file's address is its own: back leads to the one before.
    inside = page.locator(".files a").first
    inside.click()
    expect(inside).to_have_attribute("aria-current", "true")
    page.go_back()
    expect(page.locator("#entry")).to_contain_text("settings.note")

    page.once("dialog", lambda dialog: dialog.accept())
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Download").click()
    archive = TemplateArchive.objects.order_by("-taken_at")[0]
    saved = Path(str(waiting.value.path()))
    assert hashlib.sha256(saved.read_bytes()).hexdigest() == archive.sha256
    assert waiting.value.suggested_filename.endswith(f"{archive.taken_at:%Y-%m-%d}.zip")
    with zipfile.ZipFile(saved) as packed:
        assert json.loads(packed.read(f"integrations/{integration.remote_id}.json"))["name"] == "Renamed there"

    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_role("heading", name="Files that differ 1")).to_be_visible()
    expect(page.locator(".diff")).to_contain_text("Renamed there")
    assert faults(page) == []


def test_a_hostile_archive_says_why_it_was_refused(
    page: Page, live_server: object, people: People, one: tuple[Integration, SimulatorServer]
) -> None:
    integration, simulator = one
    simulator.world.turn("celigo.archive_layout", "hostile")
    run(archives.request(integration, by=people.members["owner"]))
    sign_in(page, people.members["support"], str(live_server))
    page.goto(f"{integration.get_absolute_url()}archives/")
    assert faults(page) == []
    page.locator("#archives [data-row-link]").click()
    expect(page.get_by_text("This archive was refused and not kept")).to_be_visible()
    assert faults(page) == []
