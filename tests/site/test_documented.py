"""Every vendor, job type and state, permission, role and audit area is named in the docs, and nothing else is."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import pytest
from django.conf import settings

from console.access.permissions import Permission
from console.access.roles import BUILTIN_ROLES
from console.audit.events import Event
from integrations_app.models import JobState
from integrations_app.services.job_types import JOB_TYPES
from integrations_app.vendors import registry

DOCS = Path(settings.BASE_DIR) / "docs"
LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#]+)")


def rows(page: str) -> list[list[str]]:
    """The cells of every table row of a page whose first cell is code: [["`job.view`", "see jobs", "x", ...], ...]."""
    lines = (DOCS / page).read_text().splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| `")]


def named(page: str) -> set[str]:
    return {row[0].strip("`") for row in rows(page)}


def missing(wanted: Iterable[str], page: str) -> set[str]:
    return set(wanted) - named(page)


AREAS = {event.value.partition(".")[0] for event in Event}
# What must stand in which page's tables.
TABLES = {
    "permissions": (Permission.values, "permissions.md"),
    "audit areas": (AREAS, "permissions.md"),
    "job types": (JOB_TYPES, "jobs.md"),
    "job states": (JobState.values, "jobs.md"),
}


@pytest.mark.parametrize("kind", TABLES)
def test_all_of_a_kind_are_documented(kind: str) -> None:
    assert missing(*TABLES[kind]) == set()


@pytest.mark.parametrize("kind", TABLES)
def test_a_missing_one_is_noticed(kind: str) -> None:
    wanted, page = TABLES[kind]
    assert missing([*wanted, "planted"], page) == {"planted"}


@pytest.mark.parametrize("page", {page for _, page in TABLES.values()})
def test_nothing_is_documented_that_is_not_there(page: str) -> None:
    known = {name for wanted, where in TABLES.values() if where == page for name in wanted}
    assert named(page) == known


def test_the_table_of_roles_is_what_the_roles_grant() -> None:
    header = next(
        line for line in (DOCS / "permissions.md").read_text().splitlines() if line.startswith("| permission |")
    )
    roles = [cell.strip() for cell in header.strip("|").split("|")][2:]
    assert roles == [role.name for role in BUILTIN_ROLES]
    for code, words, *marks in (row for row in rows("permissions.md") if "." in row[0]):
        permission = Permission(code.strip("`"))
        assert words == permission.label
        assert [mark == "x" for mark in marks] == [permission in role.permissions for role in BUILTIN_ROLES], code


def test_the_table_of_job_types_is_what_they_are() -> None:
    for code, _, queue, permission, attempts, limit in (row for row in rows("jobs.md") if len(row) == 6):
        kind = JOB_TYPES[code.strip("`")]
        assert (kind.queue.value, f"`{kind.permission.value}`", str(kind.attempts)) == (queue, permission, attempts)
        assert kind.limit_seconds == {"1 h": 3600, "15 min": 900, "5 min": 300}[limit]


def undocumented(vendors: Iterable[str]) -> set[str]:
    return set(vendors) - {path.stem for path in (DOCS / "vendors").glob("*.md")}


def test_each_vendor_has_its_page() -> None:
    assert undocumented(client.slug for client in registry.VENDORS) == set()
    assert undocumented(["planted"]) == {"planted"}


@pytest.mark.parametrize("client", registry.VENDORS, ids=lambda client: client.slug)
def test_a_vendors_page_has_its_parts(client: type[object]) -> None:
    text = (DOCS / "vendors" / f"{client.slug}.md").read_text()  # type: ignore[attr-defined]  # a VendorClient
    for part in (
        "What the console does.",
        "Credential.",
        "Regions.",
        "What is read.",
        "Assumed, since no source says it.",
    ):
        assert f"**{part}**" in text


def broken_links(page: Path, text: str) -> list[str]:
    return [target for target in LINK.findall(text) if not (page.parent / target).exists()]


PAGES = [*DOCS.rglob("*.md"), *(DOCS.parent / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    assert broken_links(page, page.read_text()) == []


def test_a_broken_link_is_noticed() -> None:
    assert broken_links(DOCS / "jobs.md", "[a](jobs.md) [b](planted.md#part)") == ["planted.md"]


def test_decisions_have_numbers_of_their_own_and_say_why() -> None:
    records = sorted((DOCS / "adr").glob("*.md"))
    numbers = [path.name[:4] for path in records]
    assert len(set(numbers)) == len(numbers)
    for path in records:
        text = path.read_text()
        assert text.startswith("# "), path.name
        for part in ("Status", "Context", "Decision", "Consequences"):
            assert re.search(rf"^(## )?{part}", text, re.MULTILINE), f"{path.name} has no {part}"
