"""Names of entries: none that leads out of its folder, hides something, or is taken for another one."""

from __future__ import annotations

import struct
import unicodedata
import zlib

from integrations_app.services.archive_child.bounds import (
    MAX_DEPTH,
    MAX_PATH_CHARACTERS,
    MAX_STEP_BYTES,
    NAME_EXTRA,
    UTF8_FLAG,
    Refused,
)

# They turn the direction of what follows, so that a name reads as another one.
_TURNING = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029")


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
    if (extra := extras.get(NAME_EXTRA)) is not None:
        if len(extra) < 6 or extra[0] != 1 or struct.unpack_from("<L", extra, 1)[0] != zlib.crc32(raw):
            raise Refused("name_conflict", "An entry has two names that do not belong together.", plain)
        shown = _decoded(extra[5:], UTF8_FLAG)
        check_path(shown)
        if plain.endswith("/") != shown.endswith("/"):
            raise Refused("name_conflict", "An entry has two names that do not belong together.", plain)
    for name in {plain, shown}:
        seen.add(name)
    return shown


def _decoded(raw: bytes, flags: int) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        if flags & UTF8_FLAG:
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
