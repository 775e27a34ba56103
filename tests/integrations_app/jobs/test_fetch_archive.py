"""Template archives from the simulator to the disk: fetched, read, refused, let go."""

from __future__ import annotations

import hashlib
import io
import json
import os
import uuid
import zipfile
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.utils import timezone

from console.audit.models import AuditEvent
from integrations_app.jobs.progress import JobLostError
from integrations_app.models import ArchiveEntry, Integration, JobState, TemplateArchive
from integrations_app.services import archive_files, archives, integrations
from integrations_app.services.archive_entries import EntryMaker
from integrations_app.services.archive_files import SealedFile, StoredFile
from integrations_app.services.archive_reader import FoundEntry
from integrations_app.services.errors import InvalidError
from integrations_app.simulator.faults import Fault
from integrations_app.simulator.server import SimulatorServer
from tests.integrations_app.jobs.mirror_jobs import run, run_again
from tests.integrations_app.services.good_archives import zipped
from tests.integrations_app.services.mirroring import added, owner_of, simulated, sync

pytestmark = pytest.mark.django_db(transaction=True)
NAME = "larkspur-celigo-sandbox"


@pytest.fixture
def files(settings: LazySettings, tmp_path: Path) -> Path:
    """The folder of the sealed files, empty."""
    settings.DATA_DIR = tmp_path
    return tmp_path / "archives"


@pytest.fixture
def one(simulator: SimulatorServer, files: Path) -> Integration:
    sync(added(simulator, NAME))
    rows = Integration.objects.select_related("tenant", "vendor_account").order_by("name_sort")
    # An Integration App has no archive.
    return next(row for row in rows if "_connectorId" not in integrations.load_document(row))


def stored_names(files: Path) -> list[str]:
    return sorted(path.name for path in files.iterdir()) if files.is_dir() else []


def plain(archive: TemplateArchive) -> bytes:
    stored = StoredFile(archive.size_bytes, bytes(archive.digest or b""), archive.chunk_count)
    return b"".join(SealedFile(archive.tenant_id, archive.pk, stored).chunks())


def serve(simulator: SimulatorServer, **fault: object) -> None:
    """Have the place of files answer something else than the archive."""
    simulator.world.add_fault(Fault(name="file", path="/files/", **fault))  # type: ignore[arg-type]


def events() -> list[str]:
    return list(
        AuditEvent.objects.filter(event__startswith="archive.").order_by("at", "pk").values_list("event", flat=True)
    )


def test_an_archive_is_fetched_sealed_and_read(one: Integration, files: Path) -> None:
    job = run(archives.request(one, by=owner_of(one.tenant)))
    archive = TemplateArchive.objects.get()
    assert (job.state, job.error, job.result) == ("succeeded", "", {"archive": str(archive.pk)})
    assert (archive.state, archive.taken_by, archive.job) == ("kept", job.requested_by, job)
    assert archive.remote_name == f"{one.remote_id}.zip"

    content = plain(archive)
    assert content.startswith(b"PK")
    assert archive.digest == hashlib.sha256(content).digest()
    assert stored_names(files) == [archive.pk.hex]
    assert content[:200] not in (files / archive.pk.hex).read_bytes()

    paths = list(archive.entries.values_list("path", flat=True))
    assert f"integrations/{one.remote_id}.json" in paths
    assert archive.entry_count == len(paths)
    entry = archive.entries.get(path=f"integrations/{one.remote_id}.json")
    assert json.loads(bytes(entry.redacted or b""))["_id"] == one.remote_id
    assert archive.expires_at == archive.taken_at + timedelta(days=30)
    assert events() == ["archive.fetched"]


def test_the_address_is_fresh_for_each_try_and_the_token_stays_here(
    one: Integration, simulator: SimulatorServer, files: Path
) -> None:
    # The vendor's place of files answers 400 to whoever sends an authorization along.
    serve(simulator, kind="status", status=403, times=1)
    archive = archives.fetch(one, by=None)
    assert archive.state == "kept"
    serve(simulator, kind="reset_after", times=1)
    assert run(archives.request(one, by=owner_of(one.tenant))).state in (JobState.SUCCEEDED, JobState.WAITING)
    assert all(len(name) == 32 for name in stored_names(files))


def test_a_job_run_again_finds_the_archive_it_fetched(one: Integration, files: Path) -> None:
    job = run(archives.request(one, by=owner_of(one.tenant)))
    assert run_again(job).result == {"archive": str(TemplateArchive.objects.get().pk)}
    assert len(stored_names(files)) == 1
    assert events() == ["archive.fetched"]


def test_asking_twice_is_one_job(one: Integration) -> None:
    by = owner_of(one.tenant)
    assert archives.request(one, by=by) == archives.request(one, by=by) == archives.open_job(one)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"kind": "content"}, "not_zip"),
        ({"kind": "content", "body": ""}, "not_zip"),
        ({"kind": "content", "body": "PK\3\4 and nothing else", "content_type": "application/zip"}, "truncated"),
    ],
)
def test_what_is_no_archive_is_refused_with_its_reason_and_kept_nowhere(
    fault: dict[str, str], code: str, one: Integration, simulator: SimulatorServer, files: Path
) -> None:
    serve(simulator, **fault)
    job = run(archives.request(one, by=owner_of(one.tenant)))
    archive = TemplateArchive.objects.get()
    assert (archive.state, archive.refusal_code, archive.expires_at) == ("refused", code, None)
    assert (job.state, job.error_code) == ("failed", "archive_refused")
    assert archive.refusal in job.error
    assert stored_names(files) == []
    assert not ArchiveEntry.objects.exists()
    assert events() == ["archive.refused"]

    assert run_again(job).error == job.error
    assert TemplateArchive.objects.count() == 1


def test_a_hostile_archive_is_refused_with_its_reason(
    one: Integration, simulator: SimulatorServer, files: Path
) -> None:
    simulator.world.turn("celigo.archive_layout", "hostile")
    job = run(archives.request(one, by=owner_of(one.tenant)))
    archive = TemplateArchive.objects.get()
    assert (archive.state, archive.refusal_code) == ("refused", "path_parent")
    assert "out of its folder" in job.error
    assert stored_names(files) == []


def test_an_archive_beyond_the_limit_is_refused(one: Integration, settings: LazySettings, files: Path) -> None:
    settings.ARCHIVE_MAX_BYTES = 300
    archive = archives.fetch(one, by=None)
    assert (archive.state, archive.refusal_code, archive.digest) == ("refused", "too_large", None)
    assert stored_names(files) == []


def test_a_file_that_breaks_off_is_no_archive(one: Integration, simulator: SimulatorServer, files: Path) -> None:
    serve(simulator, kind="truncate")
    job = run(archives.request(one, by=owner_of(one.tenant)))
    assert job.state in (JobState.WAITING, JobState.FAILED)
    assert not TemplateArchive.objects.exists()
    assert stored_names(files) == []


def test_a_worker_that_lost_its_job_leaves_nothing(one: Integration, files: Path) -> None:
    def lost() -> None:
        raise JobLostError

    with pytest.raises(JobLostError):
        archives.fetch(one, by=None, hold=lost)
    assert not TemplateArchive.objects.exists()
    assert stored_names(files) == []


def test_secrets_are_pointed_out_and_never_kept(one: Integration, simulator: SimulatorServer) -> None:
    secret = "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc"
    document = {"name": "Shop", "http": {"auth": {"token": {"token": secret}}}, "masked": {"password": "******"}}
    content = {
        "connections/a.json": json.dumps(document).encode(),
        f"keys/{secret}.json": b"{}",
        "notes.txt": secret.encode(),
        "broken.json": b'{"a": ',
    }
    archive = TemplateArchive(tenant=one.tenant, integration=one)
    stored = archive_files.store(one.tenant_id, archive.pk, [zipped(content)], limit_bytes=10_000)
    archive.size_bytes, archive.digest, archive.chunk_count = stored.size_bytes, stored.digest, stored.chunk_count
    entries = {entry.path: entry for entry in archives.entries_of(archive)}

    shown = entries["connections/a.json"]
    assert (shown.secrets_count, shown.secret_paths) == (1, ["http.auth.token.token"])
    assert secret not in repr([(entry.path, bytes(entry.redacted or b"")) for entry in entries.values()])
    assert [path for path in entries if path.startswith("keys/[secret ")]
    assert (entries["notes.txt"].kind, entries["notes.txt"].redacted) == ("text", None)
    assert (entries["broken.json"].kind, bool(entries["broken.json"].note)) == ("text", True)


def test_what_other_pages_hide_is_not_seen_through_an_archive(one: Integration, simulator: SimulatorServer) -> None:
    there = simulated(simulator, NAME)
    number = simulator.world.items(simulator._vendors["celigo"], there).number_of(one.remote_id)
    assert number is not None
    planted = {"settings": {"note": "lavender bicycle"}, "flowGroupings": [{"_id": "1", "settings": {"a": "teapot"}}]}
    simulator.world.change_item(there, number, planted)
    for layout in ("folders", "manifest"):
        simulator.world.turn("celigo.archive_layout", layout)
        archive = archives.fetch(one, by=None)
        with zipfile.ZipFile(io.BytesIO(plain(archive))) as packed:
            assert b"lavender bicycle" in b"".join(packed.read(name) for name in packed.namelist())
        kept = b"".join(bytes(entry.redacted or b"") for entry in archive.entries.all())
        assert b"flowGroupings" in kept
        assert b"lavender" not in kept
        assert b"teapot" not in kept


def test_no_more_documents_are_kept_for_looking_than_one_process_can_hold(one: Integration) -> None:
    content = json.dumps({"text": "as of today " * 80}).encode()
    maker = EntryMaker(TemplateArchive(tenant=one.tenant, integration=one), most_bytes=3 * len(content))
    found = [FoundEntry(number, f"{number}.json", "json", len(content), 9, b"-" * 32) for number in range(5)]
    entries = [maker.entry(entry, content) for entry in found]
    assert [entry.redacted is not None for entry in entries] == [True, True, True, False, False]
    assert "more documents than are kept" in entries[-1].note


def test_past_its_time_the_file_goes_and_the_list_stays(one: Integration, files: Path) -> None:
    archive = archives.fetch(one, by=None)
    assert archives.tidy() == 0
    TemplateArchive.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert archives.tidy() == 1
    archive.refresh_from_db()
    assert (archive.state, archive.entries.count()) == ("expired", archive.entry_count)
    assert not archive.entries.exclude(redacted=None).exists()
    assert stored_names(files) == []
    assert events() == ["archive.fetched", "archive.expired"]
    assert archives.tidy() == 0


def test_files_that_no_row_names_go_once_they_are_old(one: Integration, files: Path) -> None:
    archive = archives.fetch(one, by=None)
    orphan, young = uuid.uuid4(), uuid.uuid4()
    for pk in (orphan, young):
        archive_files.store(one.tenant_id, pk, [b"PK"], limit_bytes=10)
    for pk in (orphan, archive.pk):
        os.utime(files / pk.hex, (0, 0))
    assert archives.tidy() == 1
    assert stored_names(files) == sorted([archive.pk.hex, young.hex])


def test_a_vendor_without_archives_is_not_asked(simulator: SimulatorServer, files: Path) -> None:
    sync(added(simulator, "nordhavn-torq-subsidiary"))
    other = Integration.objects.select_related("tenant", "vendor_account").order_by("pk")[0]
    with pytest.raises(InvalidError, match="makes no template archives"):
        archives.request(other, by=owner_of(other.tenant))


def test_a_download_is_written_down_before_its_first_byte(one: Integration, files: Path) -> None:
    Integration.objects.filter(pk=one.pk).update(name='../Zürich "orders"\r\nX: y/שלום')
    one.refresh_from_db()
    archive = archives.fetch(one, by=None)
    by = owner_of(one.tenant)
    download = archives.open_download(archive, by=by)
    assert events() == ["archive.fetched", "archive.downloaded"]
    assert b"".join(download.chunks) == plain(archive)
    assert download.name == f"Zürich orders X y שלום {archive.taken_at:%Y-%m-%d}.zip"
    assert download.ascii_name == f"zurich-orders-x-y-{archive.taken_at:%Y-%m-%d}.zip"

    (files / archive.pk.hex).write_bytes(b"changed")
    with pytest.raises(InvalidError, match="not as it was stored"):
        archives.open_download(archive, by=by)
    assert events() == ["archive.fetched", "archive.downloaded"]
