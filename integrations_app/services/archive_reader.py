"""Starts the process that reads a hostile zip, feeds it, and believes as little of what it says as possible.

The child (`archive_child/`) has no environment, no file but two pipes, and limits of memory and time. It asks for the
archive's bytes piece by piece, so neither process ever holds the archive, and its plain bytes never lie on a disk.
"""

from __future__ import annotations

import json
import os
import re
import select
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import structlog

from integrations_app.services.archive_child import process
from integrations_app.services.archive_child.bounds import MAX_CONTENT_BYTES, MAX_ENTRIES, MAX_PATH_CHARACTERS

log = structlog.get_logger(__name__)

# Where the child's own modules are imported from: appended, so that nothing here takes the place of the library.
ROOT: Final = Path(__file__).resolve().parent.parent.parent
_START: Final = (
    f"import sys; sys.path.append(sys.argv.pop(1)); from {process.__name__} import main; sys.exit(main(sys.argv[1:]))"
)
KINDS: Final = frozenset({"json", "text", "binary", "archive", "folder"})
_HEAD: Final = struct.Struct(">cL")
_ASKED: Final = struct.Struct(">QL")
_MOST_ASKED: Final = 64 * 1024
_MOST_SAID: Final = 16 * 1024
_CODE: Final = re.compile(r"[a-z0-9_]{1,40}")


class ArchiveRefusedError(Exception):
    """The archive is hostile, damaged or beyond all bounds. `code` is for machines, `sentence` for people; `entry` is
    the path at fault, "" when it is the archive as a whole.
    """

    def __init__(self, code: str, sentence: str, entry: str = "") -> None:
        super().__init__(f"{code}: {sentence}")
        self.code = code
        self.sentence = sentence
        self.entry = entry


class ArchiveSource(Protocol):
    """An archive whose bytes can be had from anywhere in it."""

    @property
    def size_bytes(self) -> int: ...

    def read_at(self, offset: int, length: int) -> bytes:
        """Exactly `length` bytes; the caller stays inside the archive."""


@dataclass(frozen=True)
class ReaderLimits:
    """`memory_bytes` is what the child may take beyond what Python itself needs, `wait_seconds` how long it is waited
    for in all (the time that whoever takes the entries needs does not count).
    """

    memory_bytes: int = 48 * 1024 * 1024
    cpu_seconds: int = 10
    wait_seconds: float = 30.0


@dataclass(frozen=True)
class FoundEntry:
    """One entry; `kind` is one of KINDS, where "json" is a guess by name and first character. `digest` is SHA-256."""

    number: int
    path: str
    kind: str
    size_bytes: int
    packed_bytes: int
    digest: bytes


LIMITS: Final = ReaderLimits()


def read_archive(
    source: ArchiveSource, *, limits: ReaderLimits = LIMITS, root: Path = ROOT
) -> Generator[tuple[FoundEntry, bytes | None], None, None]:
    """Every entry, in the order of their data, with its content where it seems to be JSON of at most 1 MiB.

    The whole archive's structure was checked before the first entry comes; each entry's data just before it comes. So
    the caller must throw away what it has when ArchiveRefusedError is raised in the middle. `root` is the folder whose
    `integrations_app` holds the child.
    """
    with _Child(source, limits, root) as child:
        yield from _entries(child)


def _entries(child: _Child) -> Iterator[tuple[FoundEntry, bytes | None]]:
    count, waiting = 0, None
    for kind, payload in child.frames():
        if kind == b"C" and waiting is not None:
            yield waiting, payload
            waiting = None
            continue
        if waiting is not None:
            yield waiting, None
            waiting = None
        said = _parsed(payload)
        if kind == b"E" and count < MAX_ENTRIES:
            waiting, count = _found(said), count + 1
        elif kind == b"D" and said.get("entries") == count:
            return
        else:
            raise _refusal(said) if kind == b"X" else _nonsense()


def _parsed(payload: bytes) -> dict[str, Any]:
    try:
        said = json.loads(payload)
    except ValueError:
        raise _nonsense() from None
    if not isinstance(said, dict):
        raise _nonsense()
    return said


def _found(said: dict[str, Any]) -> FoundEntry:
    try:
        entry = FoundEntry(
            number=int(said["number"]),
            path=str(said["path"]),
            kind=str(said["kind"]),
            size_bytes=int(said["size"]),
            packed_bytes=int(said["packed"]),
            digest=bytes.fromhex(said["sha256"]),
        )
    except (KeyError, TypeError, ValueError):
        raise _nonsense() from None
    if entry.kind not in KINDS or len(entry.path) > MAX_PATH_CHARACTERS or len(entry.digest) != 32:
        raise _nonsense()
    return entry


def _refusal(said: dict[str, Any]) -> ArchiveRefusedError:
    code = str(said.get("code", ""))
    if not _CODE.fullmatch(code):
        return _nonsense()
    return ArchiveRefusedError(code, _printable(said.get("sentence"), 300), _printable(said.get("entry"), 200))


def _printable(said: object, limit: int) -> str:
    """What it says, with what cannot be seen spelled out: the names at fault are made to deceive."""
    text = said if isinstance(said, str) else ""
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text[:limit])[:limit]


def _nonsense() -> ArchiveRefusedError:
    return ArchiveRefusedError("reader_stopped", "The reader stopped in the middle of the archive.")


class _Child:
    """The reading process and both ends of its pipes; killed, with whatever it began, when the block ends."""

    def __init__(self, source: ArchiveSource, limits: ReaderLimits, root: Path) -> None:
        self._source = source
        self._left_seconds = limits.wait_seconds
        bounds = (source.size_bytes, limits.cpu_seconds, limits.memory_bytes)
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-B", "-c", _START, str(root), *map(str, bounds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            close_fds=True,
            cwd="/",
            env={},
            start_new_session=True,
        )
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("A process started with pipes has them.")
        self._to, self._from = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._to, False)

    def __enter__(self) -> _Child:
        return self

    def __exit__(self, *_: object) -> None:
        self._kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _kill(self) -> int:
        """End it and what it began, by its own process group, which nobody else can be in; its exit status."""
        if self._process.poll() is None:
            try:
                os.killpg(self._process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        return self._process.wait()

    def frames(self) -> Iterator[tuple[bytes, bytes]]:
        """What it says about the archive; its questions are answered on the way."""
        while True:
            kind, length = _HEAD.unpack(self._receive(_HEAD.size))
            if length > (MAX_CONTENT_BYTES if kind == b"C" else _MOST_SAID):
                raise _nonsense()
            payload = self._receive(length)
            if kind == b"R":
                self._answer(payload)
            else:
                yield kind, payload

    def _answer(self, payload: bytes) -> None:
        if len(payload) != _ASKED.size:
            raise _nonsense()
        offset, length = _ASKED.unpack(payload)
        if not 0 < length <= _MOST_ASKED or offset + length > self._source.size_bytes:
            raise _nonsense()
        left = memoryview(self._source.read_at(offset, length))
        while left:
            self._wait(self._to, select.POLLOUT)
            try:
                left = left[os.write(self._to, left) :]
            except BlockingIOError:
                continue
            except BrokenPipeError:
                raise self._ended() from None

    def _receive(self, length: int) -> bytes:
        received = bytearray()
        while len(received) < length:
            self._wait(self._from, select.POLLIN)
            piece = os.read(self._from, length - len(received))
            if not piece:
                raise self._ended()
            received += piece
        return bytes(received)

    def _wait(self, descriptor: int, event: int) -> None:
        poll, began = select.poll(), time.monotonic()
        poll.register(descriptor, event)
        is_ready = poll.poll(max(0.0, self._left_seconds) * 1000)
        self._left_seconds -= time.monotonic() - began
        if not is_ready:
            raise _too_costly()

    def _ended(self) -> ArchiveRefusedError:
        """Why it ended without a last word: the kernel's limit of time, or a fault that the archive led it into."""
        try:
            status = self._process.wait(timeout=max(0.1, self._left_seconds))
        except subprocess.TimeoutExpired:  # it closed its pipe and stays
            status = self._kill()
        log.warning("archive_reader_ended", status=status)
        return _too_costly() if status in (-signal.SIGXCPU, -signal.SIGKILL) else _nonsense()


def _too_costly() -> ArchiveRefusedError:
    return ArchiveRefusedError("too_costly", "Reading the archive takes more time or memory than it may.")
