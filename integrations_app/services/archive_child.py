"""Reads one hostile zip, in a process of its own. Run as a file by `archive_reader.py`; standard library only.

Nothing here opens a file: the archive's bytes come in over standard input, as many as are asked for, and what is found
goes out over standard output, in frames of `kind (1 byte) | length (4 bytes) | payload`:

- `R` asks for bytes: offset (8 bytes) and length (4); exactly those come back,
- `E` is an entry as JSON, `C` the content of the entry before it,
- `D` is the end, as JSON, `X` a refusal with its reason, as JSON.

Everything the archive says is checked before any of its data is touched: its directory, then each entry's own header,
then that entries stand side by side without a byte between, over or beside them. Two unzippers that read such an
archive cannot disagree about what is in it. Only then is each entry's data inflated, counted and checksummed.

Source: APPNOTE.TXT 6.3.10, https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT; overlapping entries:
https://www.bamsoftware.com/hacks/zipbomb/
"""

from __future__ import annotations

import codecs
import hashlib
import json
import os
import resource
import stat
import struct
import sys
import unicodedata
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

MAX_ENTRIES = 10_000
MAX_DIRECTORY_BYTES = 8 * 1024 * 1024
MAX_ENTRY_BYTES = 32 * 1024 * 1024
MAX_UNPACKED_BYTES = 128 * 1024 * 1024
# What deflate can do at most is 1032; JSON that repeats itself reaches 60. Small files are let be.
MAX_RATIO = 200
RATIO_MATTERS_BYTES = 256 * 1024
MAX_DEPTH = 20
MAX_STEP_BYTES = 255
MAX_PATH_CHARACTERS = 400
# JSON beyond this is listed and not handed over.
MAX_CONTENT_BYTES = 1024 * 1024
WINDOW_BYTES = 64 * 1024

_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_LOCAL = struct.Struct("<4s5H3L2H")
_END_MARK, _END64_MARK, _LOCATOR_MARK = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
_CENTRAL_MARK, _LOCAL_MARK, _DESCRIPTOR_MARK = b"PK\x01\x02", b"PK\x03\x04", b"PK\x07\x08"
_FULL16, _FULL32 = 0xFFFF, 0xFFFFFFFF
_ENCRYPTED_FLAGS = 1 << 0 | 1 << 6 | 1 << 13
_LEVEL_FLAGS = 1 << 1 | 1 << 2
_DESCRIPTOR_FLAG, _UTF8_FLAG = 1 << 3, 1 << 11
_KNOWN_FLAGS = _ENCRYPTED_FLAGS | _LEVEL_FLAGS | _DESCRIPTOR_FLAG | _UTF8_FLAG
_STORED, _DEFLATED = 0, 8
_ZIP64_EXTRA, _NAME_EXTRA = 0x0001, 0x7075
_DOS_LABEL, _DOS_FOLDER, _DOS_REPARSE = 0x08, 0x10, 0x400
# They turn the direction of what follows, so that a name reads as another one.
_TURNING = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029")
_ARCHIVE_MARKS = (_LOCAL_MARK, _END_MARK, b"\x1f\x8b", b"Rar!", b"7z\xbc\xaf\x27\x1c", b"BZh", b"\xfd7zXZ", b"MSCF")


class Refused(Exception):  # noqa: N818 - a verdict, not a fault
    """The archive is not to be read further: why, for machines and in a sentence, and at which entry."""

    def __init__(self, code: str, sentence: str, entry: str = "") -> None:
        super().__init__(code)
        self.verdict = {"code": code, "sentence": sentence, "entry": entry[:MAX_PATH_CHARACTERS]}


@dataclass(slots=True)
class Entry:
    """One entry as the central directory has it; `start` is where its data begins, known from its own header."""

    number: int
    path: str
    raw_name: bytes
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    offset: int
    start: int = 0

    @property
    def is_folder(self) -> bool:
        return self.path.endswith("/")

    @property
    def data_end(self) -> int:
        return self.start + self.packed


# --- the two pipes -------------------------------------------------------------------------------------------------


class Pipes:
    """Asks the parent for bytes of the archive, and tells it what was found."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._window, self._window_at = b"", 0

    def send(self, kind: bytes, payload: bytes) -> None:
        frame = memoryview(kind + struct.pack(">L", len(payload)) + payload)
        while frame:
            frame = frame[os.write(1, frame) :]

    def send_json(self, kind: bytes, value: dict[str, object]) -> None:
        self.send(kind, json.dumps(value, ensure_ascii=True).encode())

    def read(self, offset: int, length: int) -> bytes:
        """Bytes of the archive; refused when there are not that many."""
        if offset < 0 or offset + length > self.size:
            raise Refused("truncated", "The archive ends in the middle of something: it is cut off or damaged.")
        at = offset - self._window_at
        if at < 0 or at + length > len(self._window):
            self._window = self._ask(offset, max(length, min(WINDOW_BYTES, self.size - offset)))
            self._window_at, at = offset, 0
        return self._window[at : at + length]

    def pieces(self, offset: int, length: int) -> Iterator[bytes]:
        while length:
            count = min(length, WINDOW_BYTES)
            yield self.read(offset, count)
            offset, length = offset + count, length - count

    def _ask(self, offset: int, length: int) -> bytes:
        self.send(b"R", struct.pack(">QL", offset, length))
        answer = bytearray()
        while len(answer) < length:
            piece = os.read(0, length - len(answer))
            if not piece:
                raise SystemExit(3)  # The parent is gone: nobody waits for an answer.
            answer += piece
        return bytes(answer)


# --- the end of the archive, and its directory ---------------------------------------------------------------------


@dataclass(frozen=True)
class Directory:
    count: int
    offset: int
    size: int


def find_directory(pipes: Pipes) -> Directory:
    """Where the directory is, by the record at the archive's end; nothing may follow that but its own comment."""
    tail_at = max(0, pipes.size - _END.size - _FULL16)
    tail = b"".join(pipes.pieces(tail_at, pipes.size - tail_at))
    places = [at for at in _all_places(tail, _END_MARK) if at + _END.size <= len(tail)]
    fitting = [at for at in places if at + _END.size + _END.unpack_from(tail, at)[7] == len(tail)]
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


def _no_end(pipes: Pipes, *, has_mark: bool) -> Refused:
    if has_mark:
        return Refused("trailing_data", "Something stands after the archive's end, or its end is damaged.")
    if pipes.size >= len(_LOCAL_MARK) and pipes.read(0, len(_LOCAL_MARK)) == _LOCAL_MARK:
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
    narrow = ((disk, 0, _FULL16), (directory_disk, 0, _FULL16), (count_here, here64, _FULL16), (count, count64, _FULL16))
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
    return entries


def _read_entry(pipes: Pipes, number: int, at: int, stop: int, seen: Names) -> tuple[Entry, int]:
    fields = _CENTRAL.unpack(pipes.read(at, _CENTRAL.size))
    mark, made_by, _, flags, method, _, _, crc, packed, size, name_size, extra_size, comment_size = fields[:13]
    disk, _, attributes, offset = fields[13:]
    after = at + _CENTRAL.size + name_size + extra_size + comment_size
    if mark != _CENTRAL_MARK or after > stop:
        raise Refused("directory_damaged", "The archive's directory is damaged.")
    raw_name = pipes.read(at + _CENTRAL.size, name_size)
    extras = parse_extras(pipes.read(at + _CENTRAL.size + name_size, extra_size))
    path = check_names(raw_name, flags, extras, seen)
    size, packed, offset = wide_values(extras, (size, packed, offset), path)
    if disk not in (0, _FULL16) or (disk == _FULL16 and _ZIP64_EXTRA not in extras):
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
        if number in fields and number in (_ZIP64_EXTRA, _NAME_EXTRA):
            raise Refused("extra_twice", "An entry gives its name or its sizes twice.")
        fields[number] = block[at : at + size]
        at += size
    return fields


def wide_values(extras: dict[int, bytes], values: tuple[int, ...], path: str) -> tuple[int, ...]:
    """Sizes and offset with the 64-bit ones in place of those that are announced; both must agree where both stand."""
    wide = extras.get(_ZIP64_EXTRA)
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
    if entry.flags & _ENCRYPTED_FLAGS:
        raise Refused("encrypted", "An entry is encrypted.", entry.path)
    if entry.flags & ~_KNOWN_FLAGS:
        raise Refused("unsupported_flags", "An entry uses features that are not read here.", entry.path)
    if entry.method not in (_STORED, _DEFLATED):
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
    if entry.method == _STORED and entry.size != entry.packed:
        raise Refused("wrong_size", "An entry that is not packed has two sizes.", entry.path)
    if entry.size > RATIO_MATTERS_BYTES and entry.size > entry.packed * MAX_RATIO:
        raise Refused("ratio", f"An entry unpacks to more than {MAX_RATIO} times its size.", entry.path)


# --- names ---------------------------------------------------------------------------------------------------------


class Names:
    """The paths seen so far, as a file system that folds letters would tell them apart."""

    def __init__(self) -> None:
        self._files: set[str] = set()
        self._folders: set[str] = set()
        self._listed_folders: set[str] = set()

    def add(self, path: str) -> None:
        key = "/".join(_folded(step) for step in path.rstrip("/").split("/"))
        is_folder = path.endswith("/")
        if key in (self._listed_folders if is_folder else self._files):
            raise Refused("duplicate", "Two entries have the same name, or names some systems take for the same.", path)
        parents = key.split("/")[: None if is_folder else -1]
        above = {"/".join(parents[:count]) for count in range(1, len(parents) + 1)}
        if above & self._files or (not is_folder and key in self._folders):
            raise Refused("path_conflict", "An entry is a file and a folder at the same time.", path)
        self._folders |= above
        (self._listed_folders if is_folder else self._files).add(key)


def _folded(step: str) -> str:
    # Windows drops dots and spaces at the end; composed and decomposed letters look the same everywhere.
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", step).casefold()).rstrip(". ") or step


def check_names(raw: bytes, flags: int, extras: dict[int, bytes], seen: Names) -> str:
    """The entry's path, every name it gives checked: one reader takes the header's, another the extra field's."""
    plain = _decoded(raw, flags)
    check_path(plain)
    shown = plain
    if (extra := extras.get(_NAME_EXTRA)) is not None:
        if len(extra) < 6 or extra[0] != 1 or struct.unpack_from("<L", extra, 1)[0] != zlib.crc32(raw):
            raise Refused("name_conflict", "An entry has two names that do not belong together.", plain)
        shown = _decoded(extra[5:], _UTF8_FLAG)
        check_path(shown)
        if plain.endswith("/") != shown.endswith("/"):
            raise Refused("name_conflict", "An entry has two names that do not belong together.", plain)
    seen.add(shown)
    return shown


def _decoded(raw: bytes, flags: int) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        if flags & _UTF8_FLAG:
            raise Refused("name_encoding", "An entry's name is not the text it says.") from None
    return raw.decode("cp437")


def check_path(path: str) -> None:
    """Refuses a path that leads out of its folder on any system, hides something, or is out of all bounds."""
    if not path or path == "/":
        raise Refused("name_empty", "An entry has no name.", path)
    if any(unicodedata.category(character) in ("Cc", "Cs") or character in _TURNING for character in path):
        raise Refused("name_control", "An entry's name holds characters that cannot be seen.", path)
    if path.startswith("/"):
        raise Refused("path_absolute", "An entry's path starts at the root of the system.", path)
    if "\\" in path:
        raise Refused("path_backslash", "An entry's path holds a backslash, which leads elsewhere on Windows.", path)
    if len(path) > 1 and path[1] == ":" and path[0].isascii() and path[0].isalpha():
        raise Refused("path_drive", "An entry's path names a drive.", path)
    steps = path.removesuffix("/").split("/")
    if any(step in (".", "..") for step in steps):
        raise Refused("path_parent", "An entry's path leads out of its folder.", path)
    if not all(step.strip() for step in steps):
        raise Refused("name_empty", "A step of an entry's path is empty.", path)
    if len(path) > MAX_PATH_CHARACTERS or any(len(step.encode()) > MAX_STEP_BYTES for step in steps):
        raise Refused("name_too_long", "An entry's name is longer than file systems take.", path)
    if len(steps) > MAX_DEPTH:
        raise Refused("too_deep", f"An entry lies more than {MAX_DEPTH} folders deep.", path)


# --- each entry's own header, and the order of all -----------------------------------------------------------------


def check_layout(pipes: Pipes, entries: list[Entry], directory: Directory) -> None:
    """Every byte before the directory belongs to exactly one entry, whose own header says what the directory says."""
    at = 0
    for entry, after in zip(entries, [*(entry.offset for entry in entries[1:]), directory.offset], strict=True):
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
    if mark != _LOCAL_MARK:
        raise Refused("header_mismatch", "The directory names an entry that is not there.", entry.path)
    if pipes.read(name_at, name_size) != entry.raw_name:
        raise Refused("header_mismatch", "An entry has another name than the directory says.", entry.path)
    if method != entry.method or (flags ^ entry.flags) & ~_LEVEL_FLAGS:
        raise Refused("header_mismatch", "An entry is packed in another way than the directory says.", entry.path)
    extras = parse_extras(pipes.read(name_at + name_size, extra_size))
    if (name := extras.get(_NAME_EXTRA)) is not None and name[5:].decode("utf-8", "replace") != entry.path:
        raise Refused("header_mismatch", "An entry has another name than the directory says.", entry.path)
    size, packed = wide_values(extras, (size, packed), entry.path)
    said, true = (crc, packed, size), (entry.crc, entry.packed, entry.size)
    # What comes as a stream knows its sizes only at the end, and says zero here.
    if said != true and not (entry.flags & _DESCRIPTOR_FLAG and all(a in (0, b) for a, b in zip(said, true, strict=True))):
        raise Refused("header_mismatch", "An entry has other sizes than the directory says.", entry.path)
    entry.start = name_at + name_size + extra_size


def _end_of(pipes: Pipes, entry: Entry, after: int) -> int:
    """Where the entry ends; one that came as a stream has its sizes once more after its data, in one of four forms."""
    left = after - entry.data_end
    if left < 0:
        raise Refused("overlap", "An entry reaches into what comes after it.", entry.path)
    if not entry.flags & _DESCRIPTOR_FLAG:
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


# --- data ----------------------------------------------------------------------------------------------------------


def inflated(pipes: Pipes, entry: Entry) -> Iterator[bytes]:
    """The entry's data in pieces of bounded size; refused as soon as it is more than was said."""
    if entry.method == _STORED:
        yield from pipes.pieces(entry.start, entry.packed)
        return
    unpacker, given = zlib.decompressobj(-zlib.MAX_WBITS), 0
    for piece in pipes.pieces(entry.start, entry.packed):
        while piece and not unpacker.eof:
            try:
                out = unpacker.decompress(piece, WINDOW_BYTES)
            except zlib.error:
                raise Refused("broken_data", "An entry cannot be unpacked: its data is damaged.", entry.path) from None
            given += len(out)
            if given > entry.size:
                raise Refused("wrong_size", "An entry unpacks to more than it says.", entry.path)
            yield out
            piece = unpacker.unconsumed_tail
        if unpacker.unused_data or piece:
            raise Refused("hidden_data", "There is something behind an entry's data.", entry.path)
    while not unpacker.eof and (out := unpacker.decompress(unpacker.unconsumed_tail, WINDOW_BYTES)):
        given += len(out)
        yield out
    if not unpacker.eof:
        raise Refused("broken_data", "An entry cannot be unpacked: its data is cut off.", entry.path)


def read_data(pipes: Pipes, entry: Entry) -> None:
    """Unpacks an entry, checks it, and tells the parent; JSON of bearable size goes along."""
    total, crc, digest, kept = 0, 0, hashlib.sha256(), bytearray()
    keep = MAX_CONTENT_BYTES if entry.size <= MAX_CONTENT_BYTES else 512
    for piece in inflated(pipes, entry):
        total, crc = total + len(piece), zlib.crc32(piece, crc)
        digest.update(piece)
        kept += piece[: keep - len(kept)]
    if total != entry.size:
        raise Refused("wrong_size", "An entry unpacks to less than it says.", entry.path)
    if crc != entry.crc:
        raise Refused("wrong_checksum", "An entry's checksum is wrong: its data is damaged.", entry.path)
    kind = kind_of(entry, kept)
    found: dict[str, object] = {"number": entry.number, "path": entry.path, "size": entry.size, "packed": entry.packed}
    pipes.send_json(b"E", {**found, "sha256": digest.hexdigest(), "kind": kind})
    if kind == "json" and entry.size <= MAX_CONTENT_BYTES:
        pipes.send(b"C", bytes(kept))


def kind_of(entry: Entry, start: bytearray) -> str:
    """What an entry is by its first bytes; "json" is a guess, which whoever parses it finds right or wrong."""
    if entry.is_folder:
        return "folder"
    if start.startswith(_ARCHIVE_MARKS) or start[257:262] == b"ustar":
        return "archive"
    if b"\0" in start[:4096]:
        return "binary"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(bytes(start[:4096]))
    except UnicodeDecodeError:
        return "binary"
    is_named_json = entry.path.lower().endswith(".json")
    return "json" if is_named_json or start.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[") else "text"


# --- the process ---------------------------------------------------------------------------------------------------


def close_the_doors(cpu_seconds: int, memory_bytes: int) -> None:
    """From here on: no file can be opened or grow, no process begun; memory and time are bounded."""
    codecs.lookup("cp437")  # the last thing that is read from disk
    with open("/proc/self/statm") as pages:
        own_bytes = int(pages.read().split()[0]) * resource.getpagesize()
    for limit, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_NOFILE, 3),
        (resource.RLIMIT_CPU, cpu_seconds),
        (resource.RLIMIT_AS, own_bytes + memory_bytes),
    ):
        resource.setrlimit(limit, (value, value))


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
        pipes.send_json(b"X", {"code": "memory", "sentence": "Reading the archive takes more memory than it may."})
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
