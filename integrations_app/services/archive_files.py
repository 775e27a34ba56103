"""Template archives as files: DATA_DIR/archives/<id>, sealed chunk by chunk with the tenant's key.

Each chunk is bound to its archive, its place and whether it is the last, so that none can be swapped, left out, put in
or cut off without the file refusing to open. All but the last hold the same number of bytes, which is what lets a
reader begin anywhere. Nothing of a vendor is in a name, and no plain byte is ever written.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import time
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from django.conf import settings

from console.access.vault import TenantVault
from console.crypto import SealBrokenError

CHUNK_BYTES: Final = 256 * 1024
_PART: Final = ".part"
# A draft that nobody has written to for this long was left behind by a worker that is gone.
LEFT_BEHIND_SECONDS: Final = 3600


class ArchiveTooLargeError(Exception):
    """More came than an archive may hold."""


class ArchiveFileError(Exception):
    """The file is not here, or is not what was stored: a disk that lost it, or a hand that changed it."""


@dataclass(frozen=True)
class StoredFile:
    """What was stored: the size of the plain bytes, their SHA-256, and in how many chunks they lie."""

    size_bytes: int
    digest: bytes
    chunk_count: int


def store(tenant_id: uuid.UUID, archive_id: uuid.UUID, pieces: Iterable[bytes], *, limit_bytes: int) -> StoredFile:
    """Seal the pieces as they come; the file is there whole or not at all.

    Raises ArchiveTooLargeError as soon as there is one byte more than `limit_bytes`, and whatever the pieces raise.
    """
    final = _path(archive_id)
    draft = final.with_name(final.name + _PART)
    digest, size, count = hashlib.sha256(), 0, 0
    vault = TenantVault(tenant_id)
    try:
        with _new_file(draft) as descriptor:
            for count, (chunk, is_last) in enumerate(_chunks(pieces, limit_bytes), 1):
                digest.update(chunk)
                size += len(chunk)
                _write(descriptor, vault.seal(_context(archive_id, count - 1, is_last=is_last), chunk))
            os.fsync(descriptor)
        draft.replace(final)
    finally:
        draft.unlink(missing_ok=True)
    return StoredFile(size, digest.digest(), count)


class SealedFile:
    """A stored archive, readable from anywhere in it; not for use by several threads.

    `size_bytes` and `chunk_count` are those of its row. Opens nothing by itself: `check` says whether the file is there
    and as long as it must be.
    """

    def __init__(self, tenant_id: uuid.UUID, archive_id: uuid.UUID, stored: StoredFile) -> None:
        self.size_bytes = stored.size_bytes
        self._archive_id = archive_id
        self._chunk_count = stored.chunk_count
        self._vault = TenantVault(tenant_id)
        # The reader goes through the archive from its front, a piece at a time: the chunk it is in is kept.
        self._latest: tuple[int, bytes] = (-1, b"")

    def check(self) -> None:
        """Raises ArchiveFileError where the file is missing or of another length than it was written with."""
        try:
            there = _path(self._archive_id).stat().st_size
        except FileNotFoundError:
            raise ArchiveFileError("The archive's file is not here any more.") from None
        if there != self.size_bytes + self._chunk_count * self._seal_bytes:
            raise ArchiveFileError("The archive's file is not as it was stored.")

    def chunks(self) -> Iterator[bytes]:
        """The plain bytes in order; raises ArchiveFileError at the first chunk that does not open."""
        for number in range(self._chunk_count):
            yield self._chunk(number)

    def read_at(self, offset: int, length: int) -> bytes:
        """`length` plain bytes from `offset`, which lie inside the archive; raises ArchiveFileError."""
        found = bytearray()
        while len(found) < length:
            number, inside = divmod(offset + len(found), CHUNK_BYTES)
            if self._latest[0] != number:
                self._latest = (number, self._chunk(number))
            found += self._latest[1][inside : inside + length - len(found)]
        return bytes(found)

    def _chunk(self, number: int) -> bytes:
        plain_bytes = min(CHUNK_BYTES, self.size_bytes - number * CHUNK_BYTES)
        context = _context(self._archive_id, number, is_last=number == self._chunk_count - 1)
        try:
            with _path(self._archive_id).open("rb") as file:
                file.seek(number * (CHUNK_BYTES + self._seal_bytes))
                chunk = self._vault.unseal(context, file.read(plain_bytes + self._seal_bytes))
        except (OSError, SealBrokenError) as error:
            raise ArchiveFileError("The archive's file is not as it was stored.") from error
        if len(chunk) != plain_bytes:
            raise ArchiveFileError("The archive's file is not as it was stored.")
        return chunk

    @functools.cached_property
    def _seal_bytes(self) -> int:
        """What sealing adds to a chunk."""
        return len(self._vault.seal("length", b"\0")) - 1


def remove(archive_id: uuid.UUID) -> None:
    """Take the file away; one that is gone already is no error."""
    _path(archive_id).unlink(missing_ok=True)


def stored_ids() -> Iterator[tuple[uuid.UUID, float]]:
    """Every stored archive and the seconds since it was written; drafts left behind are taken away on the way."""
    folder = _folder()
    if not folder.is_dir():
        return
    now = time.time()
    for entry in os.scandir(folder):
        try:
            age = now - entry.stat(follow_symlinks=False).st_mtime
        except FileNotFoundError:
            continue
        if entry.name.endswith(_PART):
            if age > LEFT_BEHIND_SECONDS:
                Path(entry.path).unlink(missing_ok=True)
            continue
        try:
            yield uuid.UUID(hex=entry.name), age
        except ValueError:
            continue  # nothing that this module wrote


def _folder() -> Path:
    return Path(settings.DATA_DIR) / "archives"


def _path(archive_id: uuid.UUID) -> Path:
    return _folder() / archive_id.hex


def _context(archive_id: uuid.UUID, number: int, *, is_last: bool) -> str:
    return f"template_archive|{archive_id}|{number}|{'last' if is_last else 'more'}"


@contextlib.contextmanager
def _new_file(path: Path) -> Iterator[int]:
    """A descriptor of a new file that only its owner may read, in a folder that only its owner may list."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _write(descriptor: int, sealed: bytes) -> None:
    left = memoryview(sealed)
    while left:
        left = left[os.write(descriptor, left) :]


def _chunks(pieces: Iterable[bytes], limit_bytes: int) -> Iterator[tuple[bytes, bool]]:
    """The pieces as chunks of one size, and whether it is the last; no piece at all is one empty chunk."""
    waiting, total = bytearray(), 0
    for piece in pieces:
        total += len(piece)
        if total > limit_bytes:
            raise ArchiveTooLargeError(f"The archive is larger than {limit_bytes:,} bytes.")
        waiting += piece
        # What might be the last chunk waits until more has come.
        while len(waiting) > CHUNK_BYTES:
            yield bytes(waiting[:CHUNK_BYTES]), False
            del waiting[:CHUNK_BYTES]
    yield bytes(waiting), True
