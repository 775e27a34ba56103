from __future__ import annotations

import hashlib
import os
import random
import stat
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from console.access.models import Tenant
from integrations_app.services import archive_files
from integrations_app.services.archive_files import (
    CHUNK_BYTES,
    ArchiveFileError,
    ArchiveTooLargeError,
    SealedFile,
    StoredFile,
)
from tests.integrations_app.services.mirroring import tenant

pytestmark = pytest.mark.django_db


@pytest.fixture
def at(db: None) -> Tenant:
    return tenant()


def plain_bytes(size: int) -> bytes:
    return random.Random(size).randbytes(size)


def stored(at: Tenant, content: bytes, pk: uuid.UUID | None = None) -> tuple[uuid.UUID, StoredFile]:
    pk = pk or uuid.uuid4()
    pieces = (content[start : start + 70_001] for start in range(0, len(content), 70_001))
    return pk, archive_files.store(at.pk, pk, pieces, limit_bytes=10_000_000)


def path_of(pk: uuid.UUID) -> Path:
    return Path(settings.DATA_DIR) / "archives" / pk.hex


def opened(at: Tenant, pk: uuid.UUID, file: StoredFile) -> SealedFile:
    return SealedFile(at.pk, pk, file)


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES, 900_000])
def test_what_is_stored_comes_back_from_anywhere_in_it(size: int, at: Tenant) -> None:
    content = plain_bytes(size)
    pk, file = stored(at, content)
    assert (file.size_bytes, file.digest) == (size, hashlib.sha256(content).digest())
    sealed = opened(at, pk, file)
    sealed.check()
    assert b"".join(sealed.chunks()) == content
    for offset in {0, size // 3, max(0, CHUNK_BYTES - 5), size - 1} & set(range(size)):
        length = min(300_000, size - offset)
        assert sealed.read_at(offset, length) == content[offset : offset + length]


def test_the_file_is_its_owner_s_alone_and_shows_nothing(at: Tenant) -> None:
    content = b'{"password": "not-a-real-password"}' * 9_000
    pk, _ = stored(at, content)
    path = path_of(pk)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert b"password" not in path.read_bytes()
    assert not list(path.parent.glob("*.part"))


def _swap(sealed: bytes, size: int) -> bytes:
    return sealed[size : 2 * size] + sealed[:size] + sealed[2 * size :]


def test_no_chunk_can_be_swapped_dropped_put_in_cut_or_taken_from_another_archive(at: Tenant) -> None:
    content = plain_bytes(3 * CHUNK_BYTES + 10)
    pk, file = stored(at, content)
    path, size = path_of(pk), CHUNK_BYTES + 45
    whole = path.read_bytes()
    other = path_of(stored(at, content)[0]).read_bytes()
    for changed in (
        _swap(whole, size),
        whole[:size] + other[size : 2 * size] + whole[2 * size :],
        whole[:-1] + bytes([whole[-1] ^ 1]),
        other,
    ):
        path.write_bytes(changed)
        with pytest.raises(ArchiveFileError):
            list(opened(at, pk, file).chunks())
    for changed in (whole[:-1], whole + b"x", whole[:size], whole[size:], b""):
        path.write_bytes(changed)
        with pytest.raises(ArchiveFileError):
            opened(at, pk, file).check()
    # A row that was changed along with the file does not help either: the last chunk says that it is the last.
    path.write_bytes(whole[: 3 * size])
    shorter = opened(at, pk, StoredFile(3 * CHUNK_BYTES, file.digest, 3))
    shorter.check()
    with pytest.raises(ArchiveFileError):
        list(shorter.chunks())


def test_another_tenant_s_key_opens_nothing(at: Tenant) -> None:
    pk, file = stored(at, b"PK")
    with pytest.raises(ArchiveFileError):
        list(opened(tenant(), pk, file).chunks())


def test_a_missing_file_is_said_to_be_missing(at: Tenant) -> None:
    pk, file = stored(at, b"PK")
    archive_files.remove(pk)
    archive_files.remove(pk)
    with pytest.raises(ArchiveFileError, match="not here"):
        opened(at, pk, file).check()


def test_one_byte_too_many_leaves_nothing_behind(at: Tenant) -> None:
    pk, taken = uuid.uuid4(), []

    def endless() -> Iterator[bytes]:
        while True:
            taken.append(1)
            yield b"x" * 1000

    with pytest.raises(ArchiveTooLargeError):
        archive_files.store(at.pk, pk, endless(), limit_bytes=9_999)
    assert len(taken) == 10
    assert not list(path_of(pk).parent.glob(f"{pk.hex}*"))
    assert archive_files.store(at.pk, pk, [b"x" * 9_999], limit_bytes=9_999).size_bytes == 9_999


def test_what_breaks_off_leaves_nothing_behind(at: Tenant) -> None:
    pk = uuid.uuid4()

    def broken() -> Iterator[bytes]:
        yield b"x" * 600_000
        raise TimeoutError

    with pytest.raises(TimeoutError):
        archive_files.store(at.pk, pk, broken(), limit_bytes=10_000_000)
    assert not list(path_of(pk).parent.glob(f"{pk.hex}*"))


def test_drafts_left_behind_go_when_they_are_old(at: Tenant) -> None:
    pk, _ = stored(at, b"PK")
    folder = path_of(pk).parent
    old, young, strange = folder / f"{uuid.uuid4().hex}.part", folder / f"{uuid.uuid4().hex}.part", folder / "strange"
    for path in (old, young, strange):
        path.touch()
    os.utime(old, (0, 0))
    ids = dict(archive_files.stored_ids())
    assert pk in ids
    assert ids[pk] < 3600
    assert [path.exists() for path in (old, young, strange)] == [False, True, True]
    young.unlink()
    strange.unlink()
