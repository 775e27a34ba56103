"""The demo: eight customers with their vendor accounts at the simulator, and people to sign in as.

Made once, through the services that pages use, so that every row has its audit event. It may name tenants and vendors.
Its people hold their roles by labels of the demo: tenants added beside it stay closed to the published password.
"""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from console.access import demo_sign_ins
from console.access import services as access
from console.access.models import Role, Tenant, User
from integrations_app.models import Credential, VendorAccount
from integrations_app.services import credentials, vendor_accounts
from integrations_app.services.errors import InvalidError

LABEL = "demo"
REASON = "Demo"
SIMULATOR_SECONDS = 10

_MINUTE, _HOUR, _DAY = 60, 3600, 86_400


class DemoError(Exception):
    """The demo cannot be made; the text says why, in one line."""


@dataclass(frozen=True)
class DemoTenant:
    """A customer as our own records know it; its name comes from the simulator."""

    external_id: str
    colour: Tenant.Colour
    time_zone: str
    labels: tuple[str, ...]
    notes: str = ""


@dataclass(frozen=True)
class Setting:
    """What is special about one account; the others are synced every hour and belong to who added them."""

    owner: str = ""
    every_seconds: int = _HOUR
    expires_in_days: int | None = None


@dataclass(frozen=True)
class SimulatedAccount:
    """One account as the simulator lists it."""

    name: str
    vendor: str
    customer: str
    customer_name: str
    label: str
    region: str
    # Fake, but a secret to everything that handles it.
    credential: Mapping[str, str] = field(repr=False)
    binding: Mapping[str, str]
    is_shared: bool

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> SimulatedAccount:
        return cls(
            name=document["account"],
            vendor=document["vendor"],
            customer=document["customer"],
            customer_name=document["customer_name"],
            label=document["label"],
            region=document["region"],
            credential=document["credential"],
            binding=document["binding"],
            is_shared=document["is_shared_credential"],
        )


PEOPLE = dict(
    zip(
        demo_sign_ins.EMAILS,
        ("Maren Holt", "Ines Okafor", "Tomasz Wrona", "Leah Brandt", "Sam Adeyemi", "Yuki Arai", "Noor Haddad"),
        strict=True,
    )
)
PLATFORM, OWNER, ADMIN, EDITOR, SUPPORT, VIEWER, AUDITOR = PEOPLE

# Support looks after these by label, one more through a team and one for the length of a ticket. Everywhere else
# support finds nothing, which is what other tenants are to somebody without a grant.
SUPPORT_LABEL = "demo support"
TEAM = "Onboarding crew"
TEAM_LABEL = "demo onboarding"

TENANTS = {
    "brightwater": DemoTenant(
        "CRM 20417", Tenant.Colour.TEAL, "Europe/Dublin", ("EU", "tier 2", SUPPORT_LABEL),
        "Orders from the storefront must reach the ERP before 14:00 Dublin time; call before pausing anything.",
    ),
    "kestrel": DemoTenant(
        "CRM 20388", Tenant.Colour.BLUE, "America/Chicago", ("US", "tier 1"),
        "Their Celigo token has a narrow scope on purpose; their security team does not widen it.",
    ),
    "larkspur": DemoTenant(
        "CRM 20291", Tenant.Colour.GREEN, "America/Denver", ("US", "tier 1"),
        "Sandbox first: every change is tried there for a day.",
    ),
    "nordhavn": DemoTenant(
        "CRM 20355", Tenant.Colour.SLATE, "Europe/Copenhagen", ("EU", "tier 1", SUPPORT_LABEL),
        "The subsidiary has a Torq workspace of its own, with its own contact.",
    ),
    "osmond": DemoTenant("CRM 20462", Tenant.Colour.PURPLE, "Europe/London", ("UK", "tier 2")),
    "pallas": DemoTenant(
        "CRM 20503", Tenant.Colour.RED, "America/New_York", ("US", "tier 2"),
        "Clinics close at 18:00; big changes after that.",
    ),
    "quill": DemoTenant(
        "CRM 20618", Tenant.Colour.ORANGE, "Australia/Sydney", ("APAC", "tier 3", TEAM_LABEL),
        "Onboarding until the end of the quarter; the new workspace is still empty.",
    ),
    "tamarind": DemoTenant("CRM 20540", Tenant.Colour.OLIVE, "Asia/Singapore", ("APAC", "tier 2")),
}  # fmt: skip

# By the simulator's name of the account.
SETTINGS = {
    "larkspur-celigo": Setting(owner=EDITOR, every_seconds=15 * _MINUTE),
    "larkspur-celigo-sandbox": Setting(owner=EDITOR, every_seconds=_DAY),
    "kestrel-torq": Setting(owner=OWNER, every_seconds=30 * _MINUTE),
    "nordhavn-torq-subsidiary": Setting(owner=OWNER, expires_in_days=5),
    "osmond-celigo": Setting(owner=SUPPORT, expires_in_days=-3),
    "quill-membrane": Setting(every_seconds=6 * _HOUR),
    "tamarind-torq": Setting(owner=EDITOR, expires_in_days=120),
}

SHARED_NAMES = {"alloy": "Alloy, all customers", "membrane": "Membrane workspace"}

PASS_TENANT = "osmond"
PASS_HOURS = 8
PASS_REASON = "Celigo refuses the production token"
PASS_TICKET = "SUP-4182"


def fill() -> bool:
    """Make the demo; False when it is there already, and then nothing is changed.

    Whole or not at all: interrupted, it leaves nothing. Raises DemoError where there must be no demo, when the
    simulator does not answer, and when something of the demo's name is here already.
    """
    check_allowed()
    if is_filled():
        return False
    accounts = read_accounts(settings.SIMULATOR_URL)
    password = demo_sign_ins.make_password()
    try:
        with transaction.atomic():
            people = _add_people(password)
            tenants = _add_tenants(accounts, people)
            _give_access(tenants, people)
            _connect(_add_accounts(accounts, tenants, people), people[ADMIN])
    except ValidationError as error:
        raise DemoError(f"The demo does not fit beside what is here: {' '.join(error.messages)}") from error
    except InvalidError as error:
        raise DemoError(f"The simulator lists an account that does not fit: {error}") from error
    return True


def check_allowed() -> None:
    """Raises DemoError in production, with demo mode off, and without a simulator."""
    if settings.IS_PRODUCTION:
        raise DemoError("There is no demo in production.")
    if not settings.DEMO:
        raise DemoError("Demo mode is off: unset DEMO, or set DEMO=true.")
    if not settings.SIMULATOR_URL:
        raise DemoError(
            "The demo needs the simulated vendors: "
            "start `manage.py simulate` and set SIMULATOR_URL to the address it prints."
        )


def is_filled() -> bool:
    """Whether the demo was made here before, whatever became of its tenants since."""
    return User.objects.filter(email__in=PEOPLE).exists()


def is_elsewhere_in_use() -> bool:
    """Whether there are people here, none of them the demo's: an installation that somebody set up for themselves."""
    return access.has_users() and not is_filled()


def read_accounts(simulator_url: str) -> list[SimulatedAccount]:
    """The simulator's accounts at the demo's customers, in its order; raises DemoError."""
    try:
        document = _get(simulator_url)
        found = [SimulatedAccount.read(account) for account in document["accounts"]]
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
        raise DemoError(f"The simulated vendors do not answer as they should at {simulator_url}.") from error
    return [account for account in found if account.customer in TENANTS]


def _get(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    make = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = make(parts.netloc, timeout=SIMULATOR_SECONDS)
    try:
        connection.request("GET", f"{parts.path}/")
        answer = connection.getresponse()
        if answer.status != http.client.OK:
            raise ValueError(answer.status)
        document = json.loads(answer.read())
    finally:
        connection.close()
    if not isinstance(document, dict):
        raise TypeError
    return document


def _add_people(password: str) -> dict[str, User]:
    people: dict[str, User] = {}
    for email, name in PEOPLE.items():
        people[email] = access.create_user(
            email=email, name=name, password=password, by=people.get(PLATFORM), is_platform_admin=email == PLATFORM
        )
    return people


def _add_tenants(accounts: Iterable[SimulatedAccount], people: Mapping[str, User]) -> dict[str, Tenant]:
    """The customers, each made (and so owned) by the platform admin, who then names whose customer it is."""
    names = {account.customer: account.customer_name for account in accounts}
    tenants = {}
    for slug, facts in TENANTS.items():
        tenant = access.create_tenant(
            by=people[PLATFORM],
            name=names.get(slug, slug.title()),
            slug=slug,
            external_id=facts.external_id,
            labels=(LABEL, *facts.labels),
            notes=facts.notes,
            time_zone=facts.time_zone,
            colour=facts.colour,
        )
        tenants[slug] = access.change_tenant(
            tenant=tenant,
            by=people[PLATFORM],
            version=tenant.version,
            labels=(LABEL, *facts.labels),
            changes={"owner": people[OWNER]},
        )
    return tenants


def _give_access(tenants: Mapping[str, Tenant], people: Mapping[str, User]) -> None:
    roles, platform = {role.slug: role for role in Role.objects.all()}, people[PLATFORM]
    for email in (OWNER, ADMIN, EDITOR, VIEWER, AUDITOR):
        role = roles[email.partition("@")[0]]
        access.give_role_everywhere(subject=people[email], role=role, by=platform, label=LABEL, reason=REASON)
    support = roles["support"]
    access.give_role_everywhere(
        subject=people[SUPPORT], role=support, by=platform, label=SUPPORT_LABEL, reason="Looks after them"
    )
    team = access.create_team(name=TEAM, members=(people[EDITOR], people[SUPPORT]), by=platform)
    access.give_role_everywhere(
        subject=team, role=support, by=platform, label=TEAM_LABEL, reason="Helps customers that are new"
    )
    access.give_role(
        tenant=tenants[PASS_TENANT],
        user=people[SUPPORT],
        role=support,
        by=people[OWNER],
        expires_at=timezone.now() + timedelta(hours=PASS_HOURS),
        reason=PASS_REASON,
        ticket=PASS_TICKET,
    )


def _add_accounts(
    accounts: Iterable[SimulatedAccount], tenants: Mapping[str, Tenant], people: Mapping[str, User]
) -> list[VendorAccount]:
    shared: dict[str, Credential] = {}
    added = []
    for account in accounts:
        if account.is_shared and account.vendor not in shared:
            shared[account.vendor] = credentials.create_shared(
                by=people[PLATFORM],
                vendor=account.vendor,
                name=SHARED_NAMES[account.vendor],
                fields=account.credential,
            )
        credential = shared[account.vendor] if account.is_shared else None
        added.append(_add_account(account, tenants[account.customer], people, credential))
    return added


def _add_account(
    account: SimulatedAccount, tenant: Tenant, people: Mapping[str, User], credential: Credential | None
) -> VendorAccount:
    """Own secrets are the tenant's admin's to enter; binding a shared one is the platform admin's."""
    special = SETTINGS.get(account.name, Setting())
    days = special.expires_in_days
    return vendor_accounts.add(
        tenant=tenant,
        by=people[PLATFORM if credential else ADMIN],
        vendor=account.vendor,
        name=account.label,
        region=account.region,
        binding=account.binding,
        fields=None if credential else account.credential,
        credential=credential,
        expires_on=None if days is None else timezone.now().date() + timedelta(days=days),
        owner=people.get(special.owner),
        every_seconds=special.every_seconds,
        reason=REASON,
    )


def _connect(accounts: Iterable[VendorAccount], by: User) -> None:
    """Ask for the first test and the first sync of each: the console fills itself once its workers run."""
    for account in accounts:
        vendor_accounts.request_test(account, by=by)
        vendor_accounts.request_sync(account, by=by)
