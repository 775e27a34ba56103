"""The pages of template archives, from the button to the file in somebody's hand."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.test import Client

from console.audit.models import AuditEvent
from integrations_app.models import ArchiveEntry, Integration, TemplateArchive
from integrations_app.services import archives, integrations
from integrations_app.simulator.server import SimulatorServer
from tests.integrations_app.jobs.mirror_jobs import run
from tests.integrations_app.services.mirroring import added, sync
from tests.people import People
from tests.things import make_account, make_archive, make_integration

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def one(simulator: SimulatorServer, people: People, settings: LazySettings, tmp_path: Path) -> Integration:
    settings.DATA_DIR = tmp_path
    sync(added(simulator, "larkspur-celigo-sandbox", by=people.members["owner"], at=people.tenant))
    rows = Integration.objects.select_related("tenant", "vendor_account").order_by("name_sort")
    return next(row for row in rows if "_connectorId" not in integrations.load_document(row))


def tab(one: Integration) -> str:
    return f"{one.get_absolute_url()}archives/"


def seen(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200
    return response.content.decode()


def test_an_archive_is_asked_for_looked_at_and_taken_along(one: Integration, people: People, client: Client) -> None:
    client.force_login(people.members["editor"])
    assert "No archive yet" in seen(client, tab(one))

    asked = client.post(
        f"/t/{people.tenant.slug}/integrations/{one.pk}/archives/fetch/", headers={"HX-Request": "true"}
    )
    assert (asked.status_code, "archives-asked" in asked["HX-Trigger"]) == (204, True)
    job = archives.open_job(one)
    assert job is not None
    assert "Fetching" in seen(client, tab(one))
    run(job)

    archive = TemplateArchive.objects.get()
    assert archive.sha256[:12] in seen(client, tab(one))
    page = seen(client, archive.get_absolute_url())
    assert f"integrations/{one.remote_id}.json" in page
    entry = archive.entries.exclude(title="").first()
    assert entry is not None
    assert entry.title in seen(client, f"{archive.get_absolute_url()}?entry={entry.number}")

    taken = client.post(f"{archive.get_absolute_url()}download/")
    content = b"".join(taken)
    assert hashlib.sha256(content).hexdigest() == archive.sha256
    assert taken["Content-Type"] == "application/zip"
    assert taken["Content-Length"] == str(len(content))
    assert taken["X-Content-Type-Options"] == "nosniff"
    assert "no-store" in taken["Cache-Control"]
    event = AuditEvent.objects.get(event="archive.downloaded")
    assert (event.by_id, event.detail["sha256"]) == (people.members["editor"].pk, archive.sha256)


def test_the_name_of_the_file_is_safe_whatever_the_integration_is_called(
    one: Integration, people: People, client: Client
) -> None:
    Integration.objects.filter(pk=one.pk).update(name='a"; filename="../../x\r\nSet-Cookie: a=b\u202eגזה.exe')
    run(archives.request(one, by=people.members["owner"]))
    client.force_login(people.members["owner"])
    taken = client.post(f"{TemplateArchive.objects.get().get_absolute_url()}download/")
    b"".join(taken)
    header = taken["Content-Disposition"]
    assert header.startswith('attachment; filename="a-filenamex-set-cookie-abexe-')
    assert header.isascii()
    assert header.count('"') == 2
    assert not set("\r\n/\\") & set(header)


@pytest.mark.parametrize(("role", "may_look", "may_take"), [("viewer", False, False), ("support", True, False)])
def test_those_who_may_not_are_told_why(
    role: str, may_look: bool, may_take: bool, one: Integration, people: People, client: Client
) -> None:
    run(archives.request(one, by=people.members["owner"]))
    archive = TemplateArchive.objects.get()
    client.force_login(people.members[role])
    page = seen(client, tab(one))
    assert ("fetch template archives and look inside" in page) is not may_look
    assert (archive.get_absolute_url() in page) is may_look
    assert client.get(archive.get_absolute_url()).status_code == (200 if may_look else 403)
    assert client.post(f"{archive.get_absolute_url()}download/").status_code == 403
    if may_look:
        assert "download template archives" in seen(client, archive.get_absolute_url())
    assert not AuditEvent.objects.filter(event="archive.downloaded").exists()


def test_a_refused_archive_shows_its_reason_and_nothing_else(
    one: Integration, simulator: SimulatorServer, people: People, client: Client
) -> None:
    simulator.world.turn("celigo.archive_layout", "hostile")
    run(archives.request(one, by=people.members["owner"]))
    archive = TemplateArchive.objects.get()
    client.force_login(people.members["owner"])
    for address in (tab(one), archive.get_absolute_url()):
        assert "leads out of its folder" in seen(client, address)
    assert f"{archive.get_absolute_url()}download/" not in seen(client, archive.get_absolute_url())
    assert client.get(f"{archive.get_absolute_url()}compare/").status_code == 404
    assert client.post(f"{archive.get_absolute_url()}download/").status_code == 302


def test_an_expired_archive_keeps_its_list(one: Integration, people: People, client: Client) -> None:
    run(archives.request(one, by=people.members["owner"]))
    archive = TemplateArchive.objects.get()
    archives.expire(archive.pk)
    client.force_login(people.members["owner"])
    page = seen(client, archive.get_absolute_url())
    assert "Its time is over: the file was removed." in page
    assert f"integrations/{one.remote_id}.json" in page
    assert client.post(f"{archive.get_absolute_url()}download/").status_code == 302


def test_a_file_that_is_not_here_any_more_is_said_so(people: People, client: Client) -> None:
    archive = make_archive(make_integration(make_account(people.tenant)), "a.json")
    client.force_login(people.members["owner"])
    answer = client.post(f"{archive.get_absolute_url()}download/", follow=True)
    assert "not here any more" in answer.content.decode()
    assert not AuditEvent.objects.filter(event="archive.downloaded").exists()


def test_two_archives_are_compared_file_by_file_and_field_by_field(people: People, client: Client) -> None:
    integration = make_integration(make_account(people.tenant))
    older = make_archive(integration, "flows/a.json", "flows/gone.json", "flows/same.json")
    newer = make_archive(integration, "flows/a.json", "flows/new.json", "flows/same.json")
    ArchiveEntry.objects.filter(path="flows/same.json").update(digest=b"\3" * 32)
    ArchiveEntry.objects.filter(archive=older, path="flows/a.json").update(redacted=b'{"name": "Orders"}')
    ArchiveEntry.objects.filter(archive=newer, path="flows/a.json").update(redacted=b'{"name": "Returns"}')
    client.force_login(people.members["support"])

    for archive in (older, newer):
        page = seen(client, f"{archive.get_absolute_url()}compare/")
        assert "1 changed · 1 added · 1 removed · 1 the same" in page
        assert page.index("Orders</") < page.index("Returns</")
        assert "flows/same.json" not in page
    assert "Only in the earlier archive" in seen(client, f"{newer.get_absolute_url()}compare/?path=flows/gone.json")
    assert "Only in the later archive" in seen(client, f"{newer.get_absolute_url()}compare/?path=flows/new.json")
    other = make_archive(make_integration(integration.vendor_account, "Another"), "a.json")
    assert client.get(f"{newer.get_absolute_url()}compare/?with={other.pk}").status_code == 404
    assert client.get(f"{newer.get_absolute_url()}compare/?with=no-id").status_code == 404
    assert client.get(f"{other.get_absolute_url()}compare/").status_code == 404


def test_files_are_found_by_path_and_name(people: People, client: Client) -> None:
    archive = make_archive(make_integration(make_account(people.tenant)), "flows/a.json", "exports/b.json")
    ArchiveEntry.objects.filter(path="exports/b.json").update(title="<b>Stock</b> ‮export")
    client.force_login(people.members["support"])
    found = seen(client, f"{archive.get_absolute_url()}?q=stock&entry=1")
    assert "&lt;b&gt;Stock&lt;/b&gt;" in found
    assert 'id="file-0"' not in found
    assert "No file has that" in seen(client, f"{archive.get_absolute_url()}?q=nothing")
    for wrong in ("99", "x", "-1", "9" * 30):
        assert client.get(f"{archive.get_absolute_url()}?entry={wrong}").status_code == 404


def test_a_vendor_without_archives_has_no_such_tab(people: People, client: Client) -> None:
    integration = make_integration(make_account(people.tenant, vendor="torq"))
    client.force_login(people.members["owner"])
    assert "Archives" not in seen(client, integration.get_absolute_url())
    assert client.get(tab(integration)).status_code == 404
    # Asking all the same, by an address somebody kept, is told why not.
    answer = client.post(f"{tab(integration)}fetch/")
    assert answer.status_code == 302
    assert archives.open_job(integration) is None


def test_a_long_list_says_that_there_is_more(people: People, client: Client) -> None:
    archive = make_archive(make_integration(make_account(people.tenant)), *(f"flows/{n:04}.json" for n in range(501)))
    client.force_login(people.members["support"])
    assert "The first 500 are shown; search finds the others." in seen(client, archive.get_absolute_url())
    assert 'id="file-500"' in seen(client, f"{archive.get_absolute_url()}?q=0500")
