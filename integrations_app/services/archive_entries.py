"""Entries of a template archive as they are kept: JSON without its secrets, and where those are."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from console.access.vault import TenantVault
from integrations_app.models import ArchiveEntry, TemplateArchive
from integrations_app.services.archive_reader import FoundEntry
from integrations_app.services.documents import Redactor, is_secret_mark, load, plain
from integrations_app.services.redaction import MARK, is_secret_text, is_suspicious_name
from integrations_app.vendors import registry
from integrations_app.vendors.base import FieldKind
from integrations_app.vendors.parsing import JSONError, JSONLimits, parse_json

__all__ = ["EntryMaker", "shown_path"]

# Documents of one archive that are kept for looking at, before redaction; the rest is listed. One transaction writes
# them, and one process holds them until then.
MOST_SHOWN_BYTES: Final = 16 * 1024 * 1024
MOST_SECRET_PATHS: Final = 50
_LIMITS: Final = JSONLimits(body_bytes=1024 * 1024, depth=64, containers=100_000)
_LONGEST_PATH: Final = 300
_WORD: Final = re.compile(r"[A-Za-z][A-Za-z _.-]{0,15}")
_ID: Final = re.compile(r"[0-9a-fA-F]{24}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_PLAIN_KEY: Final = re.compile(r"[A-Za-z_$][\w$]*\Z")


class EntryMaker:
    """Makes the rows of one archive's entries, one by one. Keeps no plain content."""

    def __init__(self, archive: TemplateArchive, *, most_bytes: int = MOST_SHOWN_BYTES) -> None:
        self._archive = archive
        self._bytes_left = most_bytes
        self._fingerprint = TenantVault(archive.tenant_id).fingerprint
        names = _secret_names(archive.integration.vendor)
        self._redactor = Redactor((), self._fingerprint, secret_names=names)

    def entry(self, found: FoundEntry, content: bytes | None) -> ArchiveEntry:
        """The row of one entry; `content` is what the reader took for JSON, None where there is none."""
        entry = ArchiveEntry(
            tenant_id=self._archive.tenant_id,
            archive=self._archive,
            number=found.number,
            path=shown_path(found.path, self._fingerprint),
            kind=found.kind,
            size_bytes=found.size_bytes,
            packed_bytes=found.packed_bytes,
            digest=found.digest,
        )
        if found.kind == ArchiveEntry.Kind.JSON:
            self._take_content(entry, content)
        return entry

    def _take_content(self, entry: ArchiveEntry, content: bytes | None) -> None:
        if content is None:
            entry.note = "Larger than 1 MiB: listed, not shown."
            return
        self._bytes_left -= len(content)
        if self._bytes_left < 0:
            entry.note = "The archive holds more documents than are kept for looking at: listed, not shown."
            return
        try:
            document = parse_json(content, _LIMITS)
        except JSONError:
            entry.kind = ArchiveEntry.Kind.TEXT
            entry.note = "Named or begun like JSON, and is none that can be shown."
            return
        entry.redacted = self._redactor.redact(document)
        shown = load(entry.redacted)
        entry.title = _title(shown)
        paths = self._secrets(document, shown)
        entry.secrets_count = len(paths)
        entry.secret_paths = [plain(path, _LONGEST_PATH) for path in paths[:MOST_SECRET_PATHS]]

    def _secrets(self, document: Any, shown: Any) -> list[str]:
        """Where likely secrets are, in the vendor's own names. Redaction hides more than those, being in doubt."""
        marks = list(_marks(shown, "", "", is_dubious=False))
        texts = _texts(document) if marks else ()
        values = {self._fingerprint(text.encode("utf-8", "surrogatepass")): text for text in texts}
        return [
            path or "the document itself"
            for path, name, seal, is_dubious in marks
            if _is_likely(name, values.get(seal), is_dubious=is_dubious)
        ]


def _secret_names(vendor: str) -> frozenset[str]:
    """Fields that the vendor's client declares secret in any document of its own.

    Nobody knows how an archive is laid out, so the name alone decides, wherever it stands: what another page hides must
    not be seen through an archive.
    """
    client = registry.vendor(vendor)
    paths = [field.path for field in client.document_fields if field.kind is FieldKind.SECRET]
    for kind in getattr(client, "listings", ()):
        paths += kind.secret_paths
    return frozenset(path.rpartition(".")[2].removesuffix("[]") for path in paths)


def _marks(value: Any, path: str, name: str, *, is_dubious: bool) -> Iterator[tuple[str, str, str, bool]]:
    """Everything hidden in a redacted document: its place, the field's own name, its fingerprint, and whether a name on
    the way to it speaks of secrets.
    """
    if is_secret_mark(value):
        yield path, name, value[MARK], is_dubious
    elif isinstance(value, dict):
        for key, below in value.items():
            dubious = is_dubious or is_suspicious_name(str(key))
            yield from _marks(below, _step(path, str(key)), str(key), is_dubious=dubious)
    elif isinstance(value, list):
        for index, below in enumerate(value):
            yield from _marks(below, f"{path}[{index}]", name, is_dubious=is_dubious)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for below in value.values() if isinstance(value, dict) else value:
            yield from _texts(below)


def _is_likely(name: str, value: str | None, *, is_dubious: bool) -> bool:
    """Whether what is hidden is more than a word or an id in dubious company ("auth.type"), or than a value that every
    page hides because of where it stands (a connection's address). `value` None: no text.

    A row of asterisks is how vendors write a secret that they keep to themselves: it is not in the archive.
    """
    if value is not None and not value.strip("*"):
        return False
    if is_suspicious_name(name) or value is None:
        return is_suspicious_name(name)
    if is_secret_text(value, None, allow_ids=True):
        return True
    return is_dubious and not (_WORD.fullmatch(value) or _ID.fullmatch(value))


def shown_path(path: str, fingerprint: Callable[[bytes], str]) -> str:
    """The path with every step that is a key by itself taken out; ids of the usual forms are let be."""
    return plain("/".join(_shown_step(one, fingerprint) if one else one for one in path.split("/")), 500)


def _shown_step(one: str, fingerprint: Callable[[bytes], str]) -> str:
    stem, dot, ending = one.rpartition(".")
    stem, ending = (stem, dot + ending) if stem else (one, "")
    is_secret = is_secret_text(stem, None, allow_ids=True)
    return f"[secret {fingerprint(stem.encode())}]{ending}" if is_secret else one


def _title(document: Any) -> str:
    name = document.get("name") if isinstance(document, dict) else None
    return plain(name, 200) if isinstance(name, str) else ""


def _step(path: str, key: str) -> str:
    """A place below `path`, written as the tree of the page writes it."""
    if _PLAIN_KEY.match(key):
        return f"{path}.{key}" if path else key
    return f"{path}[{json.dumps(key, ensure_ascii=False)}]"
