"""The archive's end and its directory: what the archive says about itself, each entry checked by itself."""

from __future__ import annotations

import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from integrations_app.services.archive_child.bounds import (
    DEFLATED,
    ENCRYPTED_FLAGS,
    END_MARK,
    KNOWN_FLAGS,
    LOCAL_MARK,
    MAX_DIRECTORY_BYTES,
    MAX_ENTRIES,
    MAX_ENTRY_BYTES,
    MAX_RATIO,
    MAX_UNPACKED_BYTES,
    NAME_EXTRA,
    RATIO_MATTERS_BYTES,
    STORED,
    TOTAL_RATIO_MATTERS_BYTES,
    ZIP64_EXTRA,
    Entry,
    Refused,
)
from integrations_app.services.archive_child.names import Names, check_names
from integrations_app.services.archive_child.pipes import Pipes

_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END64_MARK, _LOCATOR_MARK, _CENTRAL_MARK = b"PK\x06\x06", b"PK\x06\x07", b"PK\x01\x02"
_FULL16, _FULL32 = 0xFFFF, 0xFFFFFFFF
_DOS_LABEL, _DOS_FOLDER, _DOS_REPARSE = 0x08, 0x10, 0x400


@dataclass(frozen=True)
class Directory:
    count: int
    offset: int
    size: int


def find_directory(pipes: Pipes) -> Directory:
    """Where the directory is, by the record at the archive's end; nothing may follow that but its own comment."""
    tail_at = max(0, pipes.size - _END.size - _FULL16)
    tail = b"".join(pipes.pieces(tail_at, pipes.size - tail_at))
    places = list(_all_places(tail, END_MARK))
    fitting = [at for at in places if _reaches_end(tail, at)]
    if not fitting:
        raise _no_end(pipes, has_mark=bool(places))
    at = fitting[0]
    if len(fitting) > 1 or places[-1] != at:
        raise Refused("ambiguous_end", "The archive has two ends, and it depends on the reader which one counts.")
    end = _END.unpack_from(tail, at)
    found, stop = _with_zip64(pipes, end, tail_at + at)
    if found.count > MAX_ENTRIES:
        raise Refused("too_many_entries", f"The archive has {found.count:,} entries; {MAX_ENTRIES:,} are read at most.")
    if found.size > MAX_DIRECTORY_BYTES:
        raise Refused("directory_too_large", "The archive's directory is larger than any real one.")
    if found.offset + found.size != stop:
        raise Refused("directory_misplaced", "The archive's directory is not where the archive says.")
    return found


def _all_places(text: bytes, mark: bytes) -> Iterator[int]:
    at = text.find(mark)
    while at >= 0:
        yield at
        at = text.find(mark, at + 1)


def _reaches_end(tail: bytes, at: int) -> bool:
    return at + _END.size <= len(tail) and at + _END.size + _END.unpack_from(tail, at)[7] == len(tail)


def _no_end(pipes: Pipes, *, has_mark: bool) -> Refused:
    if has_mark:
        return Refused("trailing_data", "Something stands after the archive's end, or its end is damaged.")
    if pipes.size >= len(LOCAL_MARK) and pipes.read(0, len(LOCAL_MARK)) == LOCAL_MARK:
        return Refused("truncated", "The archive has no end: it is cut off.")
    return Refused("not_zip", "This is no zip archive.")


def _with_zip64(pipes: Pipes, end: tuple[int, ...], end_at: int) -> tuple[Directory, int]:
    """The directory and where it must stop. The 64-bit record is needed by none this small, but some writers add it."""
    _, disk, directory_disk, count_here, count, size, offset, _ = end
    locator_at = end_at - _LOCATOR.size
    locator = pipes.read(locator_at, _LOCATOR.size) if locator_at >= 0 else b""
    if not locator.startswith(_LOCATOR_MARK):
        if _FULL16 in (disk, directory_disk, count_here, count) or _FULL32 in (size, offset):
            raise Refused("zip64", "The archive announces 64-bit sizes and has none.")
        if disk or directory_disk or count_here != count:
            raise Refused("multi_disk", "The archive is one part of several.")
        return Directory(count, offset, size), end_at
    _, end64_disk, end64_at, disks = _LOCATOR.unpack(locator)
    if end64_at + _END64.size != locator_at:
        raise Refused("zip64", "The archive's 64-bit record is not where the archive says.")
    mark, rest_size, _, _, disk64, directory_disk64, here64, count64, size64, offset64 = _END64.unpack(
        pipes.read(end64_at, _END64.size)
    )
    if mark != _END64_MARK or rest_size != _END64.size - 12:
        raise Refused("zip64", "The archive's 64-bit record is damaged.")
    if end64_disk or disks > 1 or disk64 or directory_disk64 or here64 != count64:
        raise Refused("multi_disk", "The archive is one part of several.")
    narrow = (
        (disk, 0, _FULL16),
        (directory_disk, 0, _FULL16),
        (count_here, here64, _FULL16),
        (count, count64, _FULL16),
    )
    wide = ((size, size64, _FULL32), (offset, offset64, _FULL32))
    if any(short not in (long, full) for short, long, full in (*narrow, *wide)):
        raise Refused("zip64", "The archive's two end records contradict each other.")
    return Directory(count64, offset64, size64), end64_at


def read_entries(pipes: Pipes, directory: Directory) -> list[Entry]:
    """The entries as the directory lists them, each checked by itself and against the ones before."""
    entries: list[Entry] = []
    seen = Names()
    at, stop, unpacked = directory.offset, directory.offset + directory.size, 0
    for number in range(directory.count):
        if at + _CENTRAL.size > stop:
            raise Refused("directory_size", "The archive's directory lists fewer entries than it says.")
        entry, at = _read_entry(pipes, number, at, stop, seen)
        unpacked += entry.size
        if unpacked > MAX_UNPACKED_BYTES:
            limit = MAX_UNPACKED_BYTES // 1024 // 1024
            raise Refused("unpacked_too_large", f"Unpacked, the archive would be larger than {limit} MiB.", entry.path)
        entries.append(entry)
    if at != stop:
        raise Refused("directory_size", "The archive's directory lists more than it says.")
    if unpacked > TOTAL_RATIO_MATTERS_BYTES and unpacked > pipes.size * MAX_RATIO:
        raise Refused("ratio", f"The archive unpacks to more than {MAX_RATIO} times its size.")
    return entries


def _read_entry(pipes: Pipes, number: int, at: int, stop: int, seen: Names) -> tuple[Entry, int]:
    fields = _CENTRAL.unpack(pipes.read(at, _CENTRAL.size))
    mark, _, _, flags, method, _, _, crc, packed, size, name_size, extra_size, comment_size = fields[:13]
    disk, _, attributes, offset = fields[13:]
    after = at + _CENTRAL.size + name_size + extra_size + comment_size
    if mark != _CENTRAL_MARK or after > stop:
        raise Refused("directory_damaged", "The archive's directory is damaged.")
    raw_name = pipes.read(at + _CENTRAL.size, name_size)
    extras = parse_extras(pipes.read(at + _CENTRAL.size + name_size, extra_size))
    path = check_names(raw_name, flags, extras, seen)
    size, packed, offset = wide_values(extras, (size, packed, offset), path)
    if disk not in (0, _FULL16) or (disk == _FULL16 and ZIP64_EXTRA not in extras):
        raise Refused("multi_disk", "An entry is said to be in another part of the archive.", path)
    entry = Entry(number, path, raw_name, flags, method, crc, packed, size, offset)
    check_kind(entry, attributes)
    check_sizes(entry)
    return entry, after


def parse_extras(block: bytes) -> dict[int, bytes]:
    """Extra fields by their number; the two that can contradict the header may stand there once."""
    fields: dict[int, bytes] = {}
    at = 0
    while at < len(block):
        if at + 4 > len(block):
            raise Refused("extra_damaged", "An entry's extra fields are damaged.")
        number, size = struct.unpack_from("<2H", block, at)
        at += 4
        if at + size > len(block):
            raise Refused("extra_damaged", "An entry's extra fields are damaged.")
        if number in fields and number in (ZIP64_EXTRA, NAME_EXTRA):
            raise Refused("extra_twice", "An entry gives its name or its sizes twice.")
        fields[number] = block[at : at + size]
        at += size
    return fields


def wide_values(extras: dict[int, bytes], values: tuple[int, ...], path: str) -> tuple[int, ...]:
    """Sizes and offset with the 64-bit ones in place of those that are announced; both must agree where both stand."""
    wide = extras.get(ZIP64_EXTRA)
    announced = [value for value in values if value == _FULL32]
    if wide is None:
        if announced:
            raise Refused("zip64", "An entry announces 64-bit sizes and has none.", path)
        return values
    # Four bytes more are the number of a disk.
    numbers = struct.unpack_from(f"<{len(wide) // 8}Q", wide)
    if len(wide) % 8 not in (0, 4) or len(numbers) > len(values):
        raise Refused("zip64", "An entry's 64-bit sizes are damaged.", path)
    if len(wide) % 8 == 4 and wide[-4:] != bytes(4):
        raise Refused("multi_disk", "An entry is said to be in another part of the archive.", path)
    if not announced:
        if any(number != value for number, value in zip(numbers, values, strict=False)):
            raise Refused("zip64", "An entry's sizes contradict each other.", path)
        return values
    if len(numbers) != len(announced):
        raise Refused("zip64", "An entry's 64-bit sizes are not those it announces.", path)
    found = iter(numbers)
    return tuple(next(found) if value == _FULL32 else value for value in values)


def check_kind(entry: Entry, attributes: int) -> None:
    """Refuses what is no plain file and no folder, and what cannot be read."""
    if entry.flags & ENCRYPTED_FLAGS:
        raise Refused("encrypted", "An entry is encrypted.", entry.path)
    if entry.flags & ~KNOWN_FLAGS:
        raise Refused("unsupported_flags", "An entry uses features that are not read here.", entry.path)
    if entry.method not in (STORED, DEFLATED):
        raise Refused("unsupported_method", "An entry is packed by a method that is not read here.", entry.path)
    kind = stat.S_IFMT(attributes >> 16)
    if kind == stat.S_IFLNK or attributes & _DOS_REPARSE:
        raise Refused("link", "An entry is a link to another place.", entry.path)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR) or attributes & _DOS_LABEL:
        raise Refused("special_file", "An entry is neither a file nor a folder.", entry.path)
    says_folder = kind == stat.S_IFDIR or bool(attributes & _DOS_FOLDER)
    if (says_folder and not entry.is_folder) or (kind == stat.S_IFREG and entry.is_folder):
        raise Refused("kind_conflict", "An entry is a file by its name and a folder by its kind.", entry.path)
    if entry.is_folder and entry.size:
        raise Refused("folder_with_data", "A folder holds data of its own.", entry.path)


def check_sizes(entry: Entry) -> None:
    if entry.size > MAX_ENTRY_BYTES:
        limit = MAX_ENTRY_BYTES // 1024 // 1024
        raise Refused("entry_too_large", f"Unpacked, an entry would be larger than {limit} MiB.", entry.path)
    if entry.method == STORED and entry.size != entry.packed:
        raise Refused("wrong_size", "An entry that is not packed has two sizes.", entry.path)
    if entry.size > RATIO_MATTERS_BYTES and entry.size > entry.packed * MAX_RATIO:
        raise Refused("ratio", f"An entry unpacks to more than {MAX_RATIO} times its size.", entry.path)
