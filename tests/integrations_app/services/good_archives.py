"""Archives that honest writers make, in all the ways they make them: name, bytes, and what is inside."""

from __future__ import annotations

import io
import json
import random
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tests.integrations_app.services.zips import (
    ALL_FULL,
    FOLDER,
    FULL32,
    STORED,
    STREAM,
    Part,
    build,
    deflate,
    extra,
    name_extra,
    streamed,
    zip64_extra,
)

ID = "5f8a1b2c3d4e5f6a7b8c9d0e"
ORDERS = json.dumps({"_id": ID, "name": "Orders"}, indent=2).encode()


@dataclass(frozen=True)
class Good:
    """`files` is what is inside by path; a folder's path ends with a slash."""

    name: str
    archive: bytes
    files: Mapping[str, bytes]


class _OneWay(io.RawIOBase):
    """Something that can be written and not sought, like the answer to a request."""

    def __init__(self) -> None:
        self.written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, piece: object) -> int:
        self.written += bytes(piece)  # type: ignore[call-overload]  # any buffer
        return len(bytes(piece))  # type: ignore[call-overload]


def zipped(files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED, level: int | None = None) -> bytes:
    """The zip that Python's own writer makes of these files."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method, compresslevel=level) as archive:
        for path, content in files.items():
            archive.writestr(zipfile.ZipInfo(path) if path.endswith("/") else path, content)
    return packed.getvalue()


def _one_way(files: Mapping[str, bytes], *, is_wide: bool = False) -> bytes:
    sink = _OneWay()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            with archive.open(zipfile.ZipInfo(path), "w", force_zip64=is_wide) as entry:
                entry.write(content)
    return bytes(sink.written)


def template(flows: int = 3) -> dict[str, bytes]:
    """Files as the simulator lays them out: a folder per kind of resource, a file per resource."""
    files = {f"integrations/{ID}.json": ORDERS}
    for number in range(flows):
        for kind in ("flows", "exports", "imports", "connections", "scripts"):
            document = {"_id": f"{number:024x}", "name": f"{kind} {number}", "password": "******"}
            files[f"{kind}/{number:024x}.json"] = json.dumps(document, indent=2).encode()
    return files


def good() -> list[Good]:
    """All of them."""
    return [*_by_python(), *_by_hand()]


def _by_python() -> Iterator[Good]:
    files = template()
    yield Good("as the simulator makes it", zipped(files), files)
    yield Good("not packed", zipped(files, zipfile.ZIP_STORED), files)
    for level in (0, 1):
        yield Good(f"packed at level {level}", zipped(files, level=level), files)
    manifest = {"manifest.json": json.dumps({"objects": [{"model": "Flow", "doc": {}}] * 50}).encode()}
    yield Good("with a manifest", zipped(manifest), manifest)
    yield Good("empty", zipped({}), {})
    hollow = {"a.json": b"", "b/": b"", "b/c.txt": b""}
    yield Good("with empty files", zipped(hollow), hollow)
    names = {f"Bestellungen/Zürich {word}.json": ORDERS for word in ("日本", "שלום", "👩‍💻", "a:b [1] (2)", "%2e%2e")}
    yield Good("with names of all languages", zipped(names), names)
    many = {f"flows/{number:024x}.json": b'{"n": %d}' % number for number in range(5000)}
    yield Good("with 5,000 entries", zipped(many), many)
    deep = {"/".join(["folder"] * 19) + "/a.json": ORDERS}
    yield Good("as deep as may be", zipped(deep), deep)
    folders = {"a/": b"", "a/b/": b"", "a/b/c.json": ORDERS, "d/": b""}
    yield Good("with folders", zipped(folders), folders)
    yield Good("streamed", _one_way(files), files)
    yield Good("streamed with 64-bit sizes", _one_way(files, is_wide=True), files)
    large = {"imports/large.json": _documents(900_000), "imports/larger.json": _documents(3_000_000)}
    yield Good("with large documents", zipped(large), large)
    alike = {"flows/alike.json": json.dumps([{"name": "Orders", "isOn": True}] * 20_000).encode()}
    yield Good("with a document that repeats itself", zipped(alike), alike)
    inner = {"stack.zip": zipped(files), "notes.txt": b"as of today\n", "logo.png": b"\x89PNG\0\1\2"}
    yield Good("with an archive inside", zipped(inner, zipfile.ZIP_STORED), inner)
    noise = {"noise.bin": random.Random(1).randbytes(3_000_000)}
    yield Good("with what cannot be packed", zipped(noise), noise)
    strange = {"a.json": b"\xef\xbb\xbf{}", "b.json": b"not JSON", "c.json": b"[" * 5000, "d.ini": b"[part]\na=1\n"}
    yield Good("with files that only look like JSON", zipped(strange), strange)


def _documents(size: int) -> bytes:
    """JSON of about this size that hardly repeats itself."""
    source = random.Random(size)
    return json.dumps([f"{source.getrandbits(64):x}" for _ in range(size // 20)]).encode()


def _by_hand() -> Iterator[Good]:
    one = {"a.json": ORDERS}
    part = Part("a.json", ORDERS)
    yield Good("with a comment", build(part, comment=b"exported for Larkspur"), one)
    yield Good("with the longest comment", build(part, comment=b"c" * 65_535), one)
    yield Good("with a comment per entry", build(Part("a.json", ORDERS, there={"comment": b"an entry"})), one)
    yield Good("made by DOS", build(Part("a.json", ORDERS, attributes=0x20, there={"made_by": 20})), one)
    yield Good("made without kinds", build(Part("a.json", ORDERS, attributes=0)), one)
    for form in ("<LLL", "<4sLLL", "<LQQ", "<4sLQQ"):
        yield Good(f"streamed, sizes as {form}", build(streamed("a.json", ORDERS, form=form), part_b()), {**one, **B})
    said = struct.pack("<LLL", zlib.crc32(ORDERS), len(deflate(ORDERS)), len(ORDERS))
    says = Part("a.json", ORDERS, flags=STREAM, after=said)
    yield Good("streamed, and says its sizes at once", build(says), one)
    yield Good("with a 64-bit end", build(part, end=ALL_FULL, end64={}), one)
    yield Good("with a 64-bit end beside the other", build(part, end64={}), one)
    size, packed = len(ORDERS), len(deflate(ORDERS))
    wide = {"size": FULL32, "packed_size": FULL32, "extra": zip64_extra(size, packed)}
    there = {**wide, "offset": FULL32, "extra": zip64_extra(size, packed, 0)}
    yield Good("with 64-bit sizes", build(Part("a.json", ORDERS, here=wide, there=there), end=ALL_FULL, end64={}), one)
    stamped = extra(0x5455, b"\1\0\0\0\0") + extra(0x7875, b"\1\4\0\0\0\0\4\0\0\0\0")
    yield Good("with times and owners", build(Part("a.json", ORDERS, extra=stamped)), one)
    raw = "Zürich.json".encode()
    zurich = {"Zürich.json": ORDERS}
    yield Good("named in UTF-8 without saying so", build(Part(raw, ORDERS)), zurich)
    yield Good("named in code page 437", build(Part("Zürich.json".encode("cp437"), ORDERS)), zurich)
    named = Part("Zürich.json".encode("cp437"), ORDERS)
    named.extra = name_extra(named.name if isinstance(named.name, bytes) else b"", raw)
    yield Good("with the name once more in UTF-8", build(named), zurich)
    longest = {"x" * 250 + ".json": ORDERS}
    yield Good("with the longest name", build(Part("x" * 250 + ".json", ORDERS)), longest)
    yield Good("with its directory in another order", build(part, part_b(), order=[1, 0]), {**one, **B})
    folder = Part("a/", b"", attributes=FOLDER | 0x10)
    yield Good("with a folder that is packed", build(folder), {"a/": b""})
    yield Good(
        "with a folder listed after its file", build(Part("a/b", b"x", STORED), folder), {"a/b": b"x", "a/": b""}
    )


B = {"b/b.txt": b"plain text\n"}


def part_b() -> Part:
    return Part("b/b.txt", B["b/b.txt"], STORED)
