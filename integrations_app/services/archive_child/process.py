"""The reading process: closes its doors, then reads the archive from its end to its last entry."""

from __future__ import annotations

import codecs
import hashlib
import itertools
import resource
import sys
import zlib
from collections.abc import Iterator

from integrations_app.services.archive_child.bounds import (
    END_MARK,
    LOCAL_MARK,
    MAX_CONTENT_BYTES,
    STORED,
    WINDOW_BYTES,
    Entry,
    Refused,
)
from integrations_app.services.archive_child.directory import find_directory, read_entries
from integrations_app.services.archive_child.layout import check_layout
from integrations_app.services.archive_child.pipes import Pipes

_ARCHIVE_MARKS = (LOCAL_MARK, END_MARK, b"\x1f\x8b", b"Rar!", b"7z\xbc\xaf\x27\x1c", b"BZh", b"\xfd7zXZ", b"MSCF")


def unpacked(pipes: Pipes, entry: Entry) -> Iterator[bytes]:
    """The entry's data in pieces of bounded size; refused as soon as it is more than was said."""
    if entry.method == STORED:
        yield from pipes.pieces(entry.start, entry.packed)
        return
    inflater, given = zlib.decompressobj(-zlib.MAX_WBITS), 0
    for packed in itertools.chain(pipes.pieces(entry.start, entry.packed), (b"",)):
        while not inflater.eof:
            try:
                piece = inflater.decompress(packed, WINDOW_BYTES)
            except zlib.error:
                raise Refused("broken_data", "An entry cannot be unpacked: its data is damaged.", entry.path) from None
            packed, given = inflater.unconsumed_tail, given + len(piece)
            if given > entry.size:
                raise Refused("wrong_size", "An entry unpacks to more than it says.", entry.path)
            yield piece
            # What is left inside the inflater comes out without more being put in.
            if not packed and not piece:
                break
        if packed or inflater.unused_data:
            raise Refused("hidden_data", "There is something behind an entry's data.", entry.path)
    if not inflater.eof:
        raise Refused("broken_data", "An entry cannot be unpacked: its data is cut off.", entry.path)


def read_data(pipes: Pipes, entry: Entry) -> None:
    """Unpacks an entry, checks it, and tells the parent; JSON of bearable size goes along."""
    total, crc, digest, kept = 0, 0, hashlib.sha256(), bytearray()
    keep = MAX_CONTENT_BYTES if entry.size <= MAX_CONTENT_BYTES else 512
    for piece in unpacked(pipes, entry):
        total, crc = total + len(piece), zlib.crc32(piece, crc)
        digest.update(piece)
        kept += piece[: keep - len(kept)]
    if total != entry.size:
        raise Refused("wrong_size", "An entry unpacks to less than it says.", entry.path)
    if crc != entry.crc:
        raise Refused("wrong_checksum", "An entry's checksum is wrong: its data is damaged.", entry.path)
    kind = kind_of(entry, bytes(kept[:4096]))
    found: dict[str, object] = {"number": entry.number, "path": entry.path, "size": entry.size, "packed": entry.packed}
    pipes.send_json(b"E", {**found, "sha256": digest.hexdigest(), "kind": kind})
    if kind == "json" and entry.size <= MAX_CONTENT_BYTES:
        pipes.send(b"C", bytes(kept))


def kind_of(entry: Entry, start: bytes) -> str:
    """What an entry is by its first bytes; "json" is a guess, which whoever parses it finds right or wrong."""
    if entry.is_folder:
        return "folder"
    if start.startswith(_ARCHIVE_MARKS) or start[257:262] == b"ustar":
        return "archive"
    if b"\0" in start:
        return "binary"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        return "binary"
    is_named_json = entry.path.lower().endswith(".json")
    return "json" if is_named_json or start.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[") else "text"


def close_the_doors(cpu_seconds: int, memory_bytes: int) -> None:
    """From here on: no file can be opened or grow, no process begun; memory and time are bounded."""
    codecs.lookup("cp437")  # the last thing that is read from disk
    limits = [
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_NOFILE, 3),
        (resource.RLIMIT_CPU, cpu_seconds),
    ]
    if (own_bytes := _own_bytes()) is not None:
        limits.append((resource.RLIMIT_AS, own_bytes + memory_bytes))
    for limit, value in limits:
        resource.setrlimit(limit, (value, value))


def _own_bytes() -> int | None:
    """The address space of this process as it is now; None on systems that do not tell."""
    try:
        with open("/proc/self/statm") as pages:
            return int(pages.read().split()[0]) * resource.getpagesize()
    except OSError:
        return None


def read(pipes: Pipes) -> None:
    """The whole archive, from its end to its last entry; raises Refused."""
    directory = find_directory(pipes)
    entries = read_entries(pipes, directory)
    entries.sort(key=lambda entry: entry.offset)
    check_layout(pipes, entries, directory)
    for entry in entries:
        read_data(pipes, entry)
    pipes.send_json(b"D", {"entries": len(entries), "unpacked": sum(entry.size for entry in entries)})


def main(arguments: list[str]) -> int:
    size, cpu_seconds, memory_bytes = (int(argument) for argument in arguments)
    close_the_doors(cpu_seconds, memory_bytes)
    pipes = Pipes(size)
    try:
        read(pipes)
    except Refused as refused:
        pipes.send_json(b"X", dict(refused.verdict))
    except MemoryError:
        pipes.send_json(b"X", {"code": "too_costly", "sentence": "Reading the archive takes more memory than it may."})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
