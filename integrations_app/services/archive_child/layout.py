"""Each entry's own header, and the order of all: every byte belongs to exactly one entry."""

from __future__ import annotations

import struct

from integrations_app.services.archive_child.bounds import (
    DESCRIPTOR_FLAG,
    LEVEL_FLAGS,
    LOCAL_MARK,
    NAME_EXTRA,
    Entry,
    Refused,
)
from integrations_app.services.archive_child.directory import Directory, parse_extras, wide_values
from integrations_app.services.archive_child.pipes import Pipes

_LOCAL = struct.Struct("<4s5H3L2H")
_DESCRIPTOR_MARK = b"PK\x07\x08"


def check_layout(pipes: Pipes, entries: list[Entry], directory: Directory) -> None:
    """Every byte before the directory belongs to exactly one entry, whose own header says what the directory says."""
    at, starts = 0, [*(entry.offset for entry in entries), directory.offset]
    for entry, after in zip(entries, starts[1:], strict=True):
        if entry.offset < at:
            raise Refused("overlap", "Two entries share their data.", entry.path)
        if entry.offset > at:
            raise Refused("hidden_data", "There is something in the archive that belongs to no entry.", entry.path)
        check_local(pipes, entry)
        at = _end_of(pipes, entry, after)
    if at < directory.offset:
        raise Refused("hidden_data", "There is something in the archive that belongs to no entry.")


def check_local(pipes: Pipes, entry: Entry) -> None:
    """Compares an entry's own header with the directory, and finds where its data starts."""
    fields = _LOCAL.unpack(pipes.read(entry.offset, _LOCAL.size))
    mark, _, flags, method, _, _, crc, packed, size, name_size, extra_size = fields
    name_at = entry.offset + _LOCAL.size
    if mark != LOCAL_MARK:
        raise Refused("header_mismatch", "The directory names an entry that is not there.", entry.path)
    if pipes.read(name_at, name_size) != entry.raw_name:
        raise Refused("header_mismatch", "An entry has another name than the directory says.", entry.path)
    if method != entry.method or (flags ^ entry.flags) & ~LEVEL_FLAGS:
        raise Refused("header_mismatch", "An entry is packed in another way than the directory says.", entry.path)
    extras = parse_extras(pipes.read(name_at + name_size, extra_size))
    if (name := extras.get(NAME_EXTRA)) is not None and name[5:].decode("utf-8", "replace") != entry.path:
        raise Refused("header_mismatch", "An entry has another name than the directory says.", entry.path)
    size, packed = wide_values(extras, (size, packed), entry.path)
    said, true = (crc, packed, size), (entry.crc, entry.packed, entry.size)
    # What comes as a stream knows its sizes only at the end, and says zero here.
    if said != true and not (
        entry.flags & DESCRIPTOR_FLAG and all(a in (0, b) for a, b in zip(said, true, strict=True))
    ):
        raise Refused("header_mismatch", "An entry has other sizes than the directory says.", entry.path)
    entry.start = name_at + name_size + extra_size


def _end_of(pipes: Pipes, entry: Entry, after: int) -> int:
    """Where the entry ends; one that came as a stream has its sizes once more after its data, in one of four forms."""
    left = after - entry.data_end
    if left < 0:
        raise Refused("overlap", "An entry reaches into what comes after it.", entry.path)
    if not entry.flags & DESCRIPTOR_FLAG:
        return entry.data_end
    form = {12: "<LLL", 16: "<4sLLL", 20: "<LQQ", 24: "<4sLQQ"}.get(left)
    if form is None:
        raise Refused("hidden_data", "There is something in the archive that belongs to no entry.", entry.path)
    values = struct.unpack(form, pipes.read(entry.data_end, left))
    if len(values) == 4 and values[0] != _DESCRIPTOR_MARK:
        raise Refused("header_mismatch", "What follows an entry's data is no record of it.", entry.path)
    if values[-3:] != (entry.crc, entry.packed, entry.size):
        raise Refused("header_mismatch", "An entry has other sizes than the directory says.", entry.path)
    return after
