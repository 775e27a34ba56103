"""Builds zips byte by byte, so that each field can say what no honest tool would write."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

STORED, DEFLATED = 0, 8
UTF8, STREAM = 1 << 11, 1 << 3
FILE, FOLDER, LINK = 0o100644 << 16, 0o040755 << 16, 0o120777 << 16
FULL16, FULL32 = 0xFFFF, 0xFFFFFFFF


def deflate(data: bytes, level: int = 6) -> bytes:
    packer = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


@dataclass
class Part:
    """One entry. `here` overrides fields of its own header, `there` those of the directory; both have the same names:
    name, flags, method, crc, packed_size, size, extra; `there` also attributes, disk, offset, comment, made_by.
    `packed` is its data as stored, `before` what stands in front of its header, `after` what follows its data.
    """

    name: str | bytes
    data: bytes = b""
    method: int = DEFLATED
    flags: int = 0
    attributes: int = FILE
    packed: bytes | None = None
    before: bytes = b""
    after: bytes = b""
    extra: bytes = b""
    here: Mapping[str, Any] = field(default_factory=dict)
    there: Mapping[str, Any] = field(default_factory=dict)

    def fields(self) -> dict[str, Any]:
        packed = self.packed_data
        name = self.name if isinstance(self.name, bytes) else self.name.encode()
        is_wide = isinstance(self.name, str) and not self.name.isascii()
        return {
            "name": name, "flags": self.flags | (UTF8 if is_wide else 0), "method": self.method,
            "crc": zlib.crc32(self.data), "packed_size": len(packed), "size": len(self.data), "extra": self.extra,
            "attributes": self.attributes, "disk": 0, "comment": b"", "made_by": 3 << 8 | 20,
        }  # fmt: skip

    @property
    def packed_data(self) -> bytes:
        if self.packed is not None:
            return self.packed
        return deflate(self.data) if self.method == DEFLATED else self.data

    def local(self) -> bytes:
        """Header, data and what follows it."""
        f = {**self.fields(), **self.here}
        sizes = (f["crc"], f["packed_size"], f["size"], len(f["name"]), len(f["extra"]))
        head = struct.pack("<4s5H3L2H", f.get("mark", b"PK\3\4"), 20, f["flags"], f["method"], 0, 0x5821, *sizes)
        return b"".join((head, f["name"], f["extra"], self.packed_data, self.after))

    def central(self, offset: int) -> bytes:
        f = {**self.fields(), "offset": offset, **self.there}
        sizes = (f["crc"], f["packed_size"], f["size"], len(f["name"]), len(f["extra"]), len(f["comment"]))
        head = struct.pack(
            "<4s6H3L5H2L", f.get("mark", b"PK\1\2"), f["made_by"], 20, f["flags"], f["method"], 0, 0x5821, *sizes,
            f["disk"], 0, f["attributes"], f["offset"],
        )  # fmt: skip
        return b"".join((head, f["name"], f["extra"], f["comment"]))


def build(
    *parts: Part,
    comment: bytes = b"",
    before_directory: bytes = b"",
    end: Mapping[str, int] | None = None,
    end64: Mapping[str, Any] | None = None,
    order: Sequence[int] | None = None,
) -> bytes:
    """The zip of these parts. `end` overrides fields of the end record, `end64` adds a 64-bit one with its locator.

    `order` is the order of the directory, where it is another than that of the data.
    """
    body, offsets = bytearray(), []
    for part in parts:
        body += part.before
        offsets.append(len(body))
        body += part.local()
    body += before_directory
    directory = b"".join(parts[n].central(offsets[n]) for n in (order or range(len(parts))))
    size, offset, count = len(directory), len(body), len(parts)
    wide = b"" if end64 is None else _end64({"count": count, "size": size, "offset": offset, **end64}, offset + size)
    e = {"disk": 0, "directory_disk": 0, "here": count, "count": count, "size": size, "offset": offset}
    e = {**e, "comment_size": len(comment), **(end or {})}
    return bytes(body) + directory + wide + struct.pack("<4s4H2LH", b"PK\5\6", *e.values()) + comment


def _end64(e: Mapping[str, Any], at: int) -> bytes:
    record = struct.pack(
        "<4sQ2H2L4Q", e.get("mark", b"PK\6\6"), e.get("record_size", 44), 45, 45, e.get("disk", 0), 0,
        e.get("here", e["count"]), e["count"], e["size"], e["offset"],
    )  # fmt: skip
    locator = struct.pack("<4sLQL", b"PK\6\7", e.get("locator_disk", 0), e.get("at", at), e.get("disks", 1))
    return record + locator


ALL_FULL = {"here": FULL16, "count": FULL16, "size": FULL32, "offset": FULL32}


def zip64_extra(*values: int) -> bytes:
    return extra(1, struct.pack(f"<{len(values)}Q", *values))


def extra(number: int, content: bytes) -> bytes:
    return struct.pack("<2H", number, len(content)) + content


def name_extra(raw: bytes, shown: bytes, *, version: int = 1, crc: int | None = None) -> bytes:
    """The extra field in which some writers give a name in UTF-8."""
    return extra(0x7075, struct.pack("<BL", version, zlib.crc32(raw) if crc is None else crc) + shown)


def streamed(name: str, data: bytes, *, form: str = "<4sLLL", said: tuple[int, int, int] | None = None) -> Part:
    """An entry whose sizes stand after its data; `form` is the form of that record, `said` what it says instead."""
    true = (zlib.crc32(data), len(deflate(data)), len(data))
    values = said or true
    after = struct.pack(form, *((b"PK\7\x08", *values) if "4s" in form else values))
    return Part(name, data, flags=STREAM, after=after, here={"crc": 0, "packed_size": 0, "size": 0})
