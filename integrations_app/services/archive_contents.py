"""What is inside template archives, for pages: entries by folder, one entry, and what differs between two archives."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from django.db.models import Q, QuerySet

from integrations_app.models import ArchiveEntry, TemplateArchive
from integrations_app.services.differences import Diff, diff

__all__ = [
    "Comparison",
    "Contents",
    "EntryChange",
    "Folder",
    "compare",
    "contents",
    "difference",
    "entry",
    "first_shown",
]

# An archive may have 10,000 entries; a page shows so many and says how to find the others.
ENTRIES_SHOWN = 500


@dataclass(frozen=True)
class Folder:
    """The files of one folder; `path` is "" for those at the top."""

    path: str
    entries: tuple[ArchiveEntry, ...]

    @property
    def secrets_count(self) -> int:
        return sum(entry.secrets_count for entry in self.entries)


@dataclass(frozen=True)
class Contents:
    """`is_whole` False: there are more entries than are shown."""

    folders: tuple[Folder, ...]
    is_whole: bool

    @property
    def shown_count(self) -> int:
        return sum(len(folder.entries) for folder in self.folders)


def contents(archive: TemplateArchive, text: str = "") -> Contents:
    """The entries by folder, those with `text` in their path or title where there is one; without their documents."""
    rows = _files(archive)
    if text:
        rows = rows.filter(Q(path__icontains=text) | Q(title__icontains=text))
    found = list(rows.order_by("path", "number")[: ENTRIES_SHOWN + 1])
    shown = sorted(found[:ENTRIES_SHOWN], key=lambda entry: (folder_of(entry.path), entry.title or entry.path))
    folders = (
        Folder(path, tuple(inside)) for path, inside in itertools.groupby(shown, lambda entry: folder_of(entry.path))
    )
    return Contents(tuple(folders), len(found) <= ENTRIES_SHOWN)


def _files(archive: TemplateArchive) -> QuerySet[ArchiveEntry]:
    rows = ArchiveEntry.objects.for_tenant(archive.tenant).filter(archive=archive)
    return rows.exclude(kind=ArchiveEntry.Kind.FOLDER).defer("redacted")


def folder_of(path: str) -> str:
    """The folder a file lies in, "" for the top."""
    return path.rpartition("/")[0]


def entry(archive: TemplateArchive, number: int) -> ArchiveEntry | None:
    """One entry with its document; None when the archive has no such."""
    return ArchiveEntry.objects.for_tenant(archive.tenant).filter(archive=archive, number=number).first()


def first_shown(archive: TemplateArchive) -> ArchiveEntry | None:
    """The entry a page opens with: the first with likely secrets, else the first document."""
    rows = ArchiveEntry.objects.for_tenant(archive.tenant).filter(archive=archive).exclude(redacted=None)
    return rows.filter(secrets_count__gt=0).order_by("path").first() or rows.order_by("path").first()


# --- two archives ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class EntryChange:
    """One file that is not the same in both archives; both entries are without their documents."""

    kind: Literal["added", "removed", "changed"]
    before: ArchiveEntry | None
    after: ArchiveEntry | None

    @property
    def entry(self) -> ArchiveEntry:
        """The later of the two, else the one there is."""
        found = self.after or self.before
        if found is None:
            raise ValueError("a change has an entry on one side at least")
        return found

    @property
    def has_documents(self) -> bool:
        """Whether both are JSON, so that they can be compared field by field."""
        return all(side is not None and side.kind == ArchiveEntry.Kind.JSON for side in (self.before, self.after))


@dataclass(frozen=True)
class Comparison:
    """`changes` by path; `equal_count` files are the same byte for byte."""

    before: TemplateArchive
    after: TemplateArchive
    changes: tuple[EntryChange, ...]
    equal_count: int

    def count(self, kind: str) -> int:
        return sum(change.kind == kind for change in self.changes)


def compare(before: TemplateArchive, after: TemplateArchive) -> Comparison:
    """Compare two archives of one integration by their files."""
    old, new = _by_path(_files(before)), _by_path(_files(after))
    changes = tuple(
        change for path in sorted({*old, *new}) if (change := _change(old.get(path), new.get(path))) is not None
    )
    return Comparison(before, after, changes, len(old.keys() & new.keys()) - sum(c.kind == "changed" for c in changes))


def _by_path(entries: Iterable[ArchiveEntry]) -> dict[str, ArchiveEntry]:
    return {entry.path: entry for entry in entries}


def _change(before: ArchiveEntry | None, after: ArchiveEntry | None) -> EntryChange | None:
    if before is None or after is None:
        return EntryChange("added" if before is None else "removed", before, after)
    return None if bytes(before.digest) == bytes(after.digest) else EntryChange("changed", before, after)


def difference(change: EntryChange) -> Diff | None:
    """What changed inside a file, field by field; None where one of the two is no JSON that is kept."""
    if not change.has_documents or change.before is None or change.after is None:
        return None
    pair = ArchiveEntry.objects.filter(pk__in=(change.before.pk, change.after.pk), tenant_id=change.after.tenant_id)
    documents = dict(pair.values_list("pk", "redacted"))
    before, after = documents.get(change.before.pk), documents.get(change.after.pk)
    return None if before is None or after is None else diff(before, after)
