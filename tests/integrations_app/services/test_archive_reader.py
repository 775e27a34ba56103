"""Over two hundred hostile archives and some forty good ones, each read by the real process under its limits.

The kernel holds the process to 48 MiB and two seconds; what the tests measure is the other process, which may take the
rest of 64 MiB. Each guard is also taken out, to see that its archive then comes through: a test that cannot fail shows
nothing.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tracemalloc
from dataclasses import dataclass
from pathlib import Path

import pytest

from integrations_app.services.archive_child import bounds
from integrations_app.services.archive_reader import (
    ROOT,
    ArchiveRefusedError,
    FoundEntry,
    ReaderLimits,
    read_archive,
)
from tests.integrations_app.services.good_archives import ORDERS, Good, good, zipped
from tests.integrations_app.services.hostile_archives import Hostile, hostile
from tests.integrations_app.services.zips import STORED, Part, build

MIB = 1024 * 1024
LIMITS = ReaderLimits(memory_bytes=48 * MIB, cpu_seconds=2)
HOSTILE, GOOD = hostile(), good()
CHILD = Path("integrations_app/services/archive_child")


@dataclass(frozen=True)
class Held:
    """An archive in memory."""

    archive: bytes

    @property
    def size_bytes(self) -> int:
        return len(self.archive)

    def read_at(self, offset: int, length: int) -> bytes:
        return self.archive[offset : offset + length]


def read(archive: bytes, *, limits: ReaderLimits = LIMITS, root: Path = ROOT) -> dict[str, tuple[FoundEntry, int]]:
    """Entries by path, with the length of the content that came along (-1 where none did)."""
    found = read_archive(Held(archive), limits=limits, root=root)
    return {entry.path: (entry, -1 if content is None else len(content)) for entry, content in found}


def refusal(archive: bytes, *, limits: ReaderLimits = LIMITS, root: Path = ROOT) -> ArchiveRefusedError:
    with pytest.raises(ArchiveRefusedError) as caught:
        read(archive, limits=limits, root=root)
    return caught.value


def test_there_are_as_many_archives_as_were_promised() -> None:
    assert len({case.archive for case in HOSTILE}) == len(HOSTILE) >= 120
    assert len({case.archive for case in GOOD}) == len(GOOD) >= 25
    assert len({case.code for case in HOSTILE}) >= 30


@pytest.mark.parametrize("case", HOSTILE, ids=lambda case: case.name)
def test_a_hostile_archive_is_refused_with_its_reason(case: Hostile) -> None:
    refused = refusal(case.archive)
    assert (refused.code, refused.sentence[-1:]) == (case.code, ".")
    assert refused.sentence.isprintable()
    assert refused.entry.isprintable()


@pytest.mark.parametrize("case", GOOD, ids=lambda case: case.name)
def test_a_good_archive_is_read_whole(case: Good) -> None:
    found = read(case.archive)
    assert {path: entry.digest for path, (entry, _) in found.items()} == {
        path: hashlib.sha256(content).digest() for path, content in case.files.items()
    }
    for path, (entry, content_size) in found.items():
        is_shown = entry.kind == "json" and entry.size_bytes <= bounds.MAX_CONTENT_BYTES
        assert (entry.size_bytes, content_size) == (len(case.files[path]), len(case.files[path]) if is_shown else -1)
    assert sorted(entry.number for entry, _ in found.values()) == list(range(len(case.files)))


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.json", b"{}", "json"), ("a.txt", b'\xef\xbb\xbf {"a": 1}', "json"), ("a.json", b"", "json"),
        ("a.txt", b"Orders", "text"), ("a.txt", "Bestellungen für Zürich".encode(), "text"), ("a.js", b"", "text"),
        ("a.bin", b"a\0b", "binary"), ("a.bin", b"\xff\xfe\xfd", "binary"), ("a.json", b"\xff\xff", "binary"),
        ("a.txt", "ü".encode() * 3000, "text"), ("a.zip", zipped({}), "archive"), ("a.gz", b"\x1f\x8b\x08", "archive"),
        ("a.json", zipped({"a": b""}), "archive"), ("a/", b"", "folder"),
    ],
)  # fmt: skip
def test_each_entry_is_told_by_what_it_holds(name: str, content: bytes, kind: str) -> None:
    found = read(build(Part(name, content, STORED, attributes=0)))
    assert found[name][0].kind == kind


def test_reading_takes_little_memory_here_whatever_the_archive() -> None:
    tracemalloc.start()
    try:
        peaks = []
        for archive in [*(case.archive for case in GOOD), *(case.archive for case in HOSTILE[::4])]:
            held = tracemalloc.get_traced_memory()[0]
            tracemalloc.reset_peak()
            try:
                for _ in read_archive(Held(archive), limits=LIMITS):
                    pass
            except ArchiveRefusedError:
                pass
            peaks.append(tracemalloc.get_traced_memory()[1] - held)
    finally:
        tracemalloc.stop()
    # What a whole archive in memory would show: the largest is 3 MB, and 48 of the 64 MiB are the child's.
    assert max(peaks) < 16 * MIB


# --- planted faults: what the tests above would say if something were missing ---------------------------------------


def faulty(tmp_path: Path, pattern: str, instead: str) -> Path:
    """A root with a copy of the child in which the pattern, wherever it stands, became something else."""
    folder = tmp_path / CHILD
    shutil.copytree(ROOT / CHILD, folder, ignore=shutil.ignore_patterns("__pycache__"))
    for package in (CHILD.parent, CHILD.parent.parent):
        (tmp_path / package / "__init__.py").touch()
    changed = 0
    for path in folder.glob("*.py"):
        text, times = re.subn(pattern, instead, path.read_text())
        path.write_text(text)
        changed += times
    assert changed
    return tmp_path


def taken_over(tmp_path: Path, statement: str) -> Path:
    """A root with a child that does something else first."""
    found = "    directory = find_directory"
    return faulty(tmp_path, found, f"    {statement}\n{found}".replace("\\", r"\\"))


# Archives that one guard alone refuses, so that they come through without it.
ALONE = (
    "link of Windows", "special file: pipe", "folder by its kind alone", "folder with data", "encrypted", "flag 5",
    "name '../a' of 4", "name '\\\\a' of 2", "name 'C:a' of 3", "name 'a\\nb' of 3",
    "name 'a//b' of 4", f"name {'x' * 24!r} of 256", f"name {('a/' * 12)!r} of 41", "twins 'a.json' 'A.JSON'",
    "file and folder 'a' 'a/b'", "bomb of zeros", "second name of another entry",
    "two second names", "wrong checksum", "quoted entries", "its own header has another name", "something in front",
    "an entry nobody lists", "one of several by its disk", "64-bit sizes contradict", "behind an entry's data",
    "half an end in the comment",
)  # fmt: skip


@pytest.mark.parametrize("name", ALONE)
def test_an_archive_comes_through_where_its_guard_is_missing(name: str, tmp_path: Path) -> None:
    case = next(case for case in HOSTILE if case.name == name)
    # The verdict is still made, and nobody is told.
    root = faulty(tmp_path, rf'raise Refused\((?=\s*"{case.code}")', "Refused(")
    assert read(case.archive, root=root)


def test_a_reader_that_takes_too_much_memory_is_stopped(tmp_path: Path) -> None:
    root = taken_over(tmp_path, "hoard = bytearray(60_000_000)")
    assert refusal(zipped({"a.json": ORDERS}), root=root).code == "too_costly"


@pytest.mark.parametrize(
    ("statement", "wait_seconds"), [("while True: pass", 30), ("sys.stdin.read(1)", 0.5), ("import os; os.abort()", 30)]
)
def test_a_reader_that_does_not_come_back_is_killed(statement: str, wait_seconds: float, tmp_path: Path) -> None:
    root = taken_over(tmp_path, statement)
    limits = ReaderLimits(cpu_seconds=1, wait_seconds=wait_seconds)
    code = "reader_stopped" if "abort" in statement else "too_costly"
    assert refusal(zipped({"a.json": ORDERS}), limits=limits, root=root).code == code


@pytest.mark.parametrize(
    "statement",
    [
        "open('/etc/passwd')", "open('/tmp/never-made', 'w')", "import socket; socket.socket()",
        "pipes.send(b'E', b'[]')", "pipes.send(b'Z', b'{}')", "pipes.send(b'E', b'no')", "raise SystemExit(0)",
        "pipes.send(b'D', b'{\"entries\": 7}')", "pipes.send(b'C', bytes(2_000_000))", "pipes._ask(0, 1 << 20)",
        "pipes._ask(1 << 40, 1)", "pipes.send(b'R', b'')", "pipes.send(b'X', b'{\"code\": \"<b>\"}')",
        "pipes.send_json(b'E', {'number': 0, 'path': 'a', 'size': 1, 'packed': 1, 'sha256': 'ab', 'kind': 'json'})",
    ],
)  # fmt: skip
def test_a_reader_that_an_archive_took_over_can_do_nothing(statement: str, tmp_path: Path) -> None:
    assert refusal(zipped({"a.json": ORDERS}), root=taken_over(tmp_path, statement)).code == "reader_stopped"


def test_the_reader_knows_nothing_of_this_process(tmp_path: Path) -> None:
    # Listing a folder would take a descriptor, so each number is tried: duplicating an open one says there are too many
    # (EMFILE), a closed one that it is bad.
    statement = """import os, errno
    seen = [*os.environ]
    for number in range(3, 64):
        try:
            os.dup(number)
        except OSError as error:
            seen += [str(number)] * (error.errno != errno.EBADF)
    raise Refused("seen", " ".join(seen))"""
    ours = os.open("/etc/hostname", os.O_RDONLY)
    os.set_inheritable(ours, True)
    try:
        seen = refusal(zipped({}), root=taken_over(tmp_path, statement)).sentence
    finally:
        os.close(ours)
    # Python itself sets LC_CTYPE where it finds no locale.
    assert set(seen.split()) <= {"LC_CTYPE"}


def test_nobody_is_left_when_reading_stops_in_the_middle() -> None:
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children")
    before = children.read_text()
    reading = read_archive(Held(zipped({f"{n}.json": ORDERS for n in range(50)})), limits=LIMITS)
    next(reading)
    assert children.read_text() != before
    reading.close()
    assert children.read_text() == before
