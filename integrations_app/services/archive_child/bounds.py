"""What an archive may hold at most, the verdict that refuses one, and an entry as it is known so far."""

from __future__ import annotations

from dataclasses import dataclass

MAX_ENTRIES = 10_000
MAX_DIRECTORY_BYTES = 8 * 1024 * 1024
MAX_ENTRY_BYTES = 32 * 1024 * 1024
MAX_UNPACKED_BYTES = 128 * 1024 * 1024
# Deflate can do 1032; a document that repeats itself, as an honest one of some hundred kB may, reaches 300.
MAX_RATIO = 200
# From here on it matters: for one entry, and for all together.
RATIO_MATTERS_BYTES = 1024 * 1024
TOTAL_RATIO_MATTERS_BYTES = 16 * 1024 * 1024
MAX_DEPTH = 20
MAX_STEP_BYTES = 255
MAX_PATH_CHARACTERS = 400
# JSON beyond this is listed and not handed over.
MAX_CONTENT_BYTES = 1024 * 1024
WINDOW_BYTES = 64 * 1024

STORED, DEFLATED = 0, 8
ENCRYPTED_FLAGS = 1 << 0 | 1 << 6 | 1 << 13
LEVEL_FLAGS = 1 << 1 | 1 << 2
DESCRIPTOR_FLAG, UTF8_FLAG = 1 << 3, 1 << 11
KNOWN_FLAGS = ENCRYPTED_FLAGS | LEVEL_FLAGS | DESCRIPTOR_FLAG | UTF8_FLAG
ZIP64_EXTRA, NAME_EXTRA = 0x0001, 0x7075
LOCAL_MARK, END_MARK = b"PK\x03\x04", b"PK\x05\x06"


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
