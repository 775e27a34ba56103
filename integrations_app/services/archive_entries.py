"""Entries of a template archive as they are kept: JSON without its secrets, and where those are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from console.access.vault import TenantVault
from integrations_app.models import ArchiveEntry, TemplateArchive
from integrations_app.services.archive_reader import FoundEntry
from integrations_app.services.documents import Redactor, is_secret_mark, load, plain
from integrations_app.services.redaction import MARK, is_secret_text
from integrations_app.vendors.parsing import JSONError, JSONLimits, parse_json

__all__ = ["EntryMaker"]

# Documents of one archive that are kept for looking at, before redaction; the rest is listed. One transaction writes
# them, and one process holds them until then.
MOST_SHOWN_BYTES: Final = 16 * 1024 * 1024
MOST_SECRET_PATHS: Final = 50
_LIMITS: Final = JSONLimits(body_bytes=1024 * 1024, depth=64, containers=100_000)
_LONGEST_PATH: Final = 300
# Vendors write a secret that they keep to themselves as a row of asterisks: it is one, and it is not in the archive.
_LONGEST_MASK: Final = 32
_PLAIN_KEY: Final = re.compile(r"[A-Za-z_$][\w$]*\Z")


class EntryMaker:
    """Makes the rows of one archive's entries, one by one. Keeps no plain content."""

    def __init__(self, archive: TemplateArchive) -> None:
        self._archive = archive
        fingerprint = TenantVault(archive.tenant_id).fingerprint
        self._redactor = Redactor((), fingerprint)
        self._fingerprint = fingerprint
        self._masks = {fingerprint(b"*" * length) for length in range(1, _LONGEST_MASK + 1)}
        self._shown_bytes = 0

    def entry(self, found: FoundEntry, content: bytes | None) -> ArchiveEntry:
        """The row of one entry; `content` is what the reader took for JSON, None where there is none."""
        entry = ArchiveEntry(
            tenant_id=self._archive.tenant_id,
            archive=self._archive,
            number=found.number,
            path=self._shown_path(found.path),
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
        self._shown_bytes += len(content)
        if self._shown_bytes > MOST_SHOWN_BYTES:
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
        paths = list(self._secrets(shown, ""))
        entry.secrets_count = len(paths)
        entry.secret_paths = [plain(path, _LONGEST_PATH) for path in paths[:MOST_SECRET_PATHS]]

    def _secrets(self, value: Any, path: str) -> Iterator[str]:
        """Where secrets are set in a redacted document, in the vendor's own names."""
        if is_secret_mark(value):
            if value[MARK] not in self._masks:
                yield path or "the document itself"
        elif isinstance(value, dict):
            for key, below in value.items():
                yield from self._secrets(below, _step(path, str(key)))
        elif isinstance(value, list):
            for index, below in enumerate(value):
                yield from self._secrets(below, f"{path}[{index}]")

    def _shown_path(self, path: str) -> str:
        """The path with every step that is a key by itself taken out; ids of the usual forms are let be."""
        steps = [self._shown_step(one) if one else one for one in path.split("/")]
        return plain("/".join(steps), 500)

    def _shown_step(self, one: str) -> str:
        stem, dot, ending = one.rpartition(".")
        if not is_secret_text(stem or one, None, allow_ids=True):
            return one
        return f"[secret {self._fingerprint((stem or one).encode())}]{dot if stem else ''}{ending if stem else ''}"


def _title(document: Any) -> str:
    name = document.get("name") if isinstance(document, dict) else None
    return plain(name, 200) if isinstance(name, str) else ""


def _step(path: str, key: str) -> str:
    """A place below `path`, written as the tree of the page writes it."""
    if _PLAIN_KEY.match(key):
        return f"{path}.{key}" if path else key
    return f"{path}[{json.dumps(key, ensure_ascii=False)}]"
