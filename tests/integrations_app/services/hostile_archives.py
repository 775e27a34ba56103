"""Archives that no reader may accept: name, the code of the refusal, and the bytes. All built here, byte by byte."""

from __future__ import annotations

import io
import struct
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.integrations_app.services.zips import (
    ALL_FULL,
    FILE,
    FOLDER,
    FULL16,
    FULL32,
    LINK,
    STORED,
    STREAM,
    UTF8,
    Part,
    build,
    deflate,
    extra,
    name_extra,
    streamed,
    zip64_extra,
)

TEXT = b'{"name": "Orders"}'
OTHER = b'{"name": "Stock"}'


@dataclass(frozen=True)
class Hostile:
    name: str
    code: str
    archive: bytes


def hostile() -> list[Hostile]:
    """All of them; no two are the same bytes."""
    return [Hostile(*case) for group in GROUPS for case in group()]


Cases = Iterator[tuple[str, str, bytes]]


def _names() -> Cases:
    for code, names in {
        "path_parent": ["../a", "a/../b", "..", "a/..", "./a", "a/./b", ".", "a/b/../../../etc/passwd"],
        "path_absolute": ["/etc/passwd", "//server/share"],
        "path_backslash": ["\\a", "a\\..\\b", "\\\\server\\share\\a", "C:\\a"],
        "path_drive": ["C:a", "c:/windows/a"],
        "name_control": ["a\0.json", "a\nb", "a\x1b[2Jb", "a\x7f", "a\x85b", "x\u202egpj.exe", "a\u2066b", "a\u2028b"],
        "name_empty": ["", "/", " ", "a//b", "a/ /b"],
        "name_too_long": ["x" * 256, "/".join(["folder-of-some-length"] * 19) + "/a", "é" * 128],
        "too_deep": ["/".join("a" * 21), "a/" * 25],
    }.items():
        for name in names:
            part = Part(name, TEXT if not name.endswith("/") else b"", attributes=0)
            yield f"name {name[:24]!r} of {len(name)}", code, build(part)
    yield "name that is no UTF-8", "name_encoding", build(Part(b"\xff\xfe.json", TEXT, flags=UTF8))
    yield "name that is a surrogate", "name_encoding", build(Part(b"a\xed\xa0\x80", TEXT, flags=UTF8))


def _second_names() -> Cases:
    raw = b"a.json"
    for name, field in {
        "leads out": name_extra(raw, b"../a.json"),
        "is absolute": name_extra(raw, b"/etc/passwd"),
    }.items():
        yield f"second name {name}", "path_parent" if "out" in name else "path_absolute", build(Part(raw, extra=field))
    for name, field in {
        "of another entry": name_extra(raw, b"b.json", crc=1),
        "of a new version": name_extra(raw, b"b.json", version=2),
        "cut short": extra(0x7075, b"\1\0\0"),
        "of a folder": name_extra(raw, b"b/"),
    }.items():
        yield f"second name {name}", "name_conflict", build(Part(raw, extra=field))
    taken = Part(raw, TEXT, extra=name_extra(raw, b"b.json"))
    yield "second name that is taken", "duplicate", build(Part(b"b.json", TEXT), taken)
    only_here = Part(raw, TEXT, here={"extra": name_extra(raw, b"../b.json")})
    yield "second name in its own header only", "header_mismatch", build(only_here)
    yield "two second names", "extra_twice", build(Part(raw, extra=name_extra(raw, raw) * 2))


def _twins() -> Cases:
    for one, two in (
        ("a.json", "a.json"),
        ("a.json", "A.JSON"),
        ("flows/a", "FLOWS/a"),
        ("caf\u00e9", "cafe\u0301"),
        ("a.json", "\uff41.json"),
        ("ﬁle", "file"),
        ("straße", "STRASSE"),
        ("\u212a", "k"),
        ("a", "a."),
        ("a", "a "),
        ("a/", "A/"),
    ):
        parts = [Part(name, b"" if name.endswith("/") else TEXT, attributes=0) for name in (one, two)]
        yield f"twins {one!r} {two!r}", "duplicate", build(*parts)
    for one, two in (("a", "a/b"), ("a/b", "a"), ("A", "a/b"), ("a", "a/"), ("a/b/c", "a/B")):
        parts = [Part(name, b"" if name.endswith("/") else TEXT, attributes=0) for name in (one, two)]
        yield f"file and folder {one!r} {two!r}", "path_conflict", build(*parts)


def _kinds() -> Cases:
    yield "link", "link", build(Part("a", b"/etc/passwd", STORED, attributes=LINK))
    yield "packed link", "link", build(Part("a", b"../" * 40, attributes=LINK))
    yield "link of Windows", "link", build(Part("a", TEXT, attributes=0x400))
    yield "link among files", "link", build(Part("b", TEXT), Part("a", b"b", attributes=LINK))
    for name, mode in {"pipe": 0o010644, "terminal": 0o020644, "disk": 0o060644, "socket": 0o140644}.items():
        yield f"special file: {name}", "special_file", build(Part("a", attributes=mode << 16))
    yield "label of a disk", "special_file", build(Part("a", attributes=0x08))
    yield "folder by its kind alone", "kind_conflict", build(Part("a", attributes=FOLDER))
    yield "folder by its old kind alone", "kind_conflict", build(Part("a", attributes=0x10))
    yield "file by its kind alone", "kind_conflict", build(Part("a/", attributes=FILE))
    yield "folder with data", "folder_with_data", build(Part("a/", TEXT, attributes=FOLDER))
    yield "folder with stored data", "folder_with_data", build(Part("a/", TEXT, STORED, attributes=FOLDER))


def _features() -> Cases:
    for name, flags in {"encrypted": 1, "strongly encrypted": 1 | 1 << 6, "masked": 1 << 13}.items():
        yield name, "encrypted", build(Part("a", TEXT, flags=flags))
    yield "encrypted with AES", "encrypted", build(Part("a", TEXT, 99, flags=1, extra=extra(0x9901, b"\2\0AE\3\x08\0")))
    yield "one encrypted among plain", "encrypted", build(Part("b", TEXT), Part("a", TEXT, flags=1))
    for bit in (4, 5, 7, 9, 12, 14, 15):
        yield f"flag {bit}", "unsupported_flags", build(Part("a", TEXT, flags=1 << bit))
    for method in (1, 6, 9, 12, 14, 93, 95, 98):
        yield f"method {method}", "unsupported_method", build(Part("a", TEXT, method))


def _sizes() -> Cases:
    zeros = b"\0" * 8_000_000
    yield "bomb of zeros", "ratio", build(Part("a", zeros))
    yield "bomb of a megabyte", "ratio", build(Part("a", b" " * 1_100_000))
    yield "many small bombs", "ratio", build(*(Part(f"{n}", b" " * 900_000) for n in range(30)))
    yield "bomb among files", "ratio", build(Part("b", TEXT), Part("a.json", b"[" + b"0," * 2_000_000 + b"0]"))
    yield "bomb that hides its size", "wrong_size", build(_lying(Part("a", zeros), size=200_000))
    yield "bomb that hides all sizes", "wrong_size", build(_lying(Part("a", zeros), size=10))
    huge = _lying(Part("a", TEXT, STORED), size=33 << 20, packed_size=33 << 20)
    yield "entry beyond the limit", "entry_too_large", build(huge)
    packed = deflate(bytes(20 << 20))
    many = [Part(f"{n}", b"", packed=packed, there={"size": 4_000_000}, here={"size": 4_000_000}) for n in range(40)]
    yield "too much in all", "unpacked_too_large", build(*many)
    yield "too many entries", "too_many_entries", build(*(Part(f"{n}", b"", STORED) for n in range(10_001)))
    yield "too many by its word", "too_many_entries", build(Part("a"), end={"here": 60_000, "count": 60_000})
    yield "directory beyond all bounds", "directory_too_large", build(Part("a"), end={"size": 1 << 30})
    yield "sizes differ unpacked", "wrong_size", build(_lying(Part("a", TEXT, STORED), size=5))
    yield "more than it says", "wrong_size", build(_lying(Part("a", TEXT), size=len(TEXT) - 1))
    yield "less than it says", "wrong_size", build(_lying(Part("a", TEXT), size=len(TEXT) + 1))
    yield "nothing, and says something", "wrong_size", build(_lying(Part("a", b""), size=7))


def _lying(part: Part, **fields: int) -> Part:
    """A part that says the same wrong thing in both places."""
    part.here, part.there = {**part.here, **fields}, {**part.there, **fields}
    return part


def quoted(count: int = 2) -> bytes:
    """Entries one inside the other: each begins with a block that carries the next one's header as data."""
    parts = [Part(f"{count}", TEXT * 40)]
    for number in range(count - 1, 0, -1):
        inner = parts[-1]
        head = inner.local()[: -len(inner.packed_data)]
        quote = struct.pack("<BHH", 0, len(head), len(head) ^ 0xFFFF) + head
        parts.append(Part(f"{number}", head + inner.data, packed=quote + inner.packed_data))
    stack = parts[-1].local()
    parts.reverse()
    offsets = [len(stack) - len(part.local()) for part in parts]
    directory = b"".join(part.central(offset) for part, offset in zip(parts, offsets, strict=True))
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, count, count, len(directory), len(stack), 0)
    return stack + directory + end


def _overlaps() -> Cases:
    yield "quoted entries", "overlap", quoted()
    yield "many quoted entries", "overlap", quoted(60)
    twice = build(Part("a", TEXT), Part("b", TEXT, there={"offset": 0}))
    yield "two names for one entry's data", "overlap", twice
    one = Part("a", TEXT)
    length = len(one.local())
    reaching = _lying(Part("a", TEXT, STORED), packed_size=length + 5, size=length + 5)
    yield "reaches into the next", "overlap", build(reaching, Part("b", TEXT))
    into = _lying(Part("a", TEXT, STORED), packed_size=60, size=60)
    yield "reaches into the directory", "overlap", build(into)
    inside = build(Part("a", Part("b", OTHER).local(), STORED), Part("b", OTHER, there={"offset": 31}))
    yield "inside another's data", "overlap", inside


def _hidden() -> Cases:
    good = build(Part("a", TEXT))
    yield "something in front, offsets as they were", "directory_misplaced", b"#!/bin/sh\n" + good
    yield "something in front", "hidden_data", build(Part("a", TEXT, before=b"MZ program"))
    yield "something between", "hidden_data", build(Part("a", TEXT), Part("b", TEXT, before=b"x"))
    yield "an entry nobody lists", "hidden_data", build(Part("a", TEXT), before_directory=Part("b", OTHER).local())
    yield "a byte before the directory", "hidden_data", build(Part("a", TEXT), before_directory=b"\0")
    yield "something in an empty archive", "hidden_data", build(before_directory=b"here")
    yield "something after the end", "trailing_data", good + b"x"
    yield "a second archive after the end", "ambiguous_end", build(comment=build(Part("a", TEXT)))
    yield "an end in the comment", "ambiguous_end", build(Part("a", TEXT), comment=b"PK\5\6" + bytes(18) + b"more")
    yield "half an end in the comment", "ambiguous_end", build(Part("a", TEXT), comment=b"PK\5\6")
    yield "a comment longer than it says", "trailing_data", build(comment=b"four", end={"comment_size": 3})
    yield "a comment shorter than it says", "trailing_data", build(comment=b"four", end={"comment_size": 5})
    packed = deflate(TEXT)
    yield "behind an entry's data", "hidden_data", build(Part("a", TEXT, packed=packed + b"more"))
    yield (
        "an entry in another's packed data",
        "hidden_data",
        build(Part("a", TEXT, packed=packed + Part("b", OTHER).local())),
    )


def _headers() -> Cases:
    wrong: dict[str, dict[str, Any]] = {
        "another name": {"name": b"../b"},
        "a longer name": {"name": b"aa"},
        "another method": {"method": STORED},
        "another checksum": {"crc": 1},
        "another size": {"size": 1},
        "another packed size": {"packed_size": 1},
        "another encoding": {"flags": UTF8},
        "encryption": {"flags": 1},
        "a stream": {"flags": STREAM},
        "no header": {"mark": b"PK\0\0"},
        "other 64-bit sizes": {"size": FULL32, "packed_size": FULL32, "extra": zip64_extra(1, 2)},
    }
    for name, here in wrong.items():
        yield f"its own header has {name}", "header_mismatch", build(Part("a", TEXT, here=here))
    yield "the directory's mark is wrong", "directory_damaged", build(Part("a", TEXT, there={"mark": b"PK\0\0"}))
    size = (zlib.crc32(TEXT), len(deflate(TEXT)), len(TEXT))
    for name, said in {
        "checksum": (1, *size[1:]),
        "packed size": (size[0], 1, size[2]),
        "size": (*size[:2], 1),
    }.items():
        yield f"stream with another {name}", "header_mismatch", build(streamed("a", TEXT, said=said))
    yield "stream without a record", "hidden_data", build(Part("a", TEXT, flags=STREAM))
    strange = Part("a", TEXT, flags=STREAM, after=struct.pack("<4sLLL", b"PK\0\0", *size))
    yield "stream with a strange record", "header_mismatch", build(strange)
    offset = build(Part("a", TEXT, there={"offset": 3}))
    yield "an offset that is wrong", "hidden_data", offset
    yield "an offset beyond the archive", "hidden_data", build(Part("a", TEXT, there={"offset": 1 << 30}))
    yield "its own extra fields are damaged", "extra_damaged", build(Part("a", TEXT, here={"extra": b"\1\0\x99\0a"}))
    yield "its extra fields are damaged", "extra_damaged", build(Part("a", TEXT, there={"extra": b"\7\7\7"}))


def _data() -> Cases:
    yield "wrong checksum", "wrong_checksum", build(_lying(Part("a", TEXT), crc=1))
    yield "wrong checksum, not packed", "wrong_checksum", build(_lying(Part("a", TEXT, STORED), crc=1))
    changed = Part("a", TEXT, STORED, packed=TEXT.replace(b"Orders", b"Horses"[:6]))
    yield "changed data", "wrong_checksum", build(changed)
    yield "random data", "broken_data", build(Part("a", TEXT, packed=b"\xff" * 30))
    yield "data cut off", "broken_data", build(Part("a", TEXT, packed=deflate(TEXT)[:-2]))
    yield "no data", "broken_data", build(Part("a", TEXT, packed=b""))
    yield "data of the wrong wrapping", "broken_data", build(Part("a", TEXT, packed=zlib.compress(TEXT)))


def _wide() -> Cases:
    one = Part("a", TEXT)
    yield "64-bit sizes announced and missing", "zip64", build(one, end=ALL_FULL)
    wrong: dict[str, dict[str, Any]] = {
        "elsewhere": {"at": 5},
        "damaged": {"mark": b"PK\0\0"},
        "too long": {"record_size": 99},
    }
    for name, end64 in wrong.items():
        yield f"64-bit record {name}", "zip64", build(one, end=ALL_FULL, end64=end64)
    yield "64-bit record contradicts", "zip64", build(one, end={"here": 2, "count": 2}, end64={})
    yield "64-bit record has another offset", "zip64", build(one, end={"offset": 1}, end64={})
    yield "64-bit record leads beyond", "directory_misplaced", build(one, end=ALL_FULL, end64={"offset": 1 << 62})
    yield "64-bit record with many", "too_many_entries", build(one, end=ALL_FULL, end64={"count": 1 << 40})
    yield "64-bit record of another part", "multi_disk", build(one, end=ALL_FULL, end64={"disk": 1})
    yield "64-bit locator of many parts", "multi_disk", build(one, end=ALL_FULL, end64={"disks": 5})
    size, packed = len(TEXT), len(deflate(TEXT))
    wide = {"size": FULL32, "packed_size": FULL32}
    yield "entry announces 64-bit sizes", "zip64", build(Part("a", TEXT, there=wide))
    for name, field in {
        "too few": zip64_extra(size),
        "too many": zip64_extra(size, packed, 0, 0),
        "odd": extra(1, bytes(19)),
    }.items():
        yield f"64-bit sizes: {name}", "zip64", build(Part("a", TEXT, there={**wide, "extra": field}))
    yield "64-bit sizes contradict", "zip64", build(Part("a", TEXT, extra=zip64_extra(size + 1, packed)))
    yield "64-bit sizes twice", "extra_twice", build(Part("a", TEXT, extra=zip64_extra(size, packed) * 2))
    vast = {**wide, "extra": zip64_extra(1 << 62, 1 << 62)}
    yield "64-bit sizes beyond all bounds", "entry_too_large", build(Part("a", TEXT, there=vast))
    far = {"offset": FULL32, "extra": zip64_extra(1 << 63)}
    yield "64-bit offset beyond all bounds", "hidden_data", build(Part("a", TEXT, there=far))


def _parts() -> Cases:
    for name, end in {"disk": {"disk": 1}, "directory": {"directory_disk": 1}, "count": {"here": 0}}.items():
        yield f"one of several by its {name}", "multi_disk", build(Part("a", TEXT), end=end)
    yield "an entry in another part", "multi_disk", build(Part("a", TEXT, there={"disk": 1}))
    yield "an entry in part 65535", "multi_disk", build(Part("a", TEXT, there={"disk": FULL16}))
    yield "fewer entries than it says", "directory_size", build(Part("a", TEXT), end={"here": 2, "count": 2})
    yield "more entries than it says", "directory_size", build(Part("a"), Part("b"), end={"here": 1, "count": 1})
    yield "a directory that begins late", "directory_misplaced", build(Part("a", TEXT), end={"offset": 50})
    yield "a directory that is too long", "directory_misplaced", build(Part("a", TEXT), end={"size": 50})


def _cut() -> Cases:
    whole = build(Part("a/b.json", TEXT), Part("c.json", OTHER, STORED), comment=b"of some length")
    for at in (4, 20, 40, 70, 110, 150, 200, len(whole) - 36, len(whole) - 20, len(whole) - 1):
        code = "truncated" if at < len(whole) - 36 + 4 else "trailing_data"
        yield f"cut at {at}", code, whole[:at]


def _others() -> Cases:
    tarred = io.BytesIO()
    with tarfile.open(fileobj=tarred, mode="w") as tape:
        tape.addfile(tarfile.TarInfo("a"))
    for name, archive in {
        "nothing": b"",
        "text": b"<Error><Code>AccessDenied</Code></Error>",
        "JSON": TEXT,
        "gzip": b"\x1f\x8b\x08" + bytes(40),
        "tar": tarred.getvalue(),
        "rar": b"Rar!\x1a\x07\x01\0" + bytes(40),
        "zeros": bytes(100_000),
    }.items():
        yield f"no zip: {name}", "not_zip", archive
    yield "a header and nothing else", "truncated", b"PK\3\4" + bytes(60)


GROUPS = (
    _names, _second_names, _twins, _kinds, _features, _sizes, _overlaps, _hidden, _headers, _data, _wide, _parts, _cut,
    _others,
)  # fmt: skip
