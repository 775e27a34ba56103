"""Every page as somebody sees it: no serious finding of axe in either theme, nothing too wide, no script error."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import (
    TOTP,
    format_hotp_value,
    generate_totp_secret,
    hotp_value,
    yield_hotp_counters_from_time,
)
from django.urls import resolve, reverse
from playwright.sync_api import expect

from console.access import setup_code
from integrations_app import tabs
from integrations_app.models import Job, JobState, VendorWrite, WriteState
from tests.browser.looking import assert_faults_are_seen, faults, sign_in
from tests.browser.mirrored import CELIGO, Mirrored, mirror, read_all, run
from tests.integrations_app.services.writing import change_at_vendor, edited
from tests.people import PASSWORD, People, make_tenant
from tests.site.test_access_table import INSIDE, PLATFORM, SIGNED_IN
from tests.things import make_archive, make_batch, make_job, make_write

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from integrations_app.simulator.server import SimulatorServer

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.proof]

ACCOUNT_PAGES = ("email", "2fa", "2fa/totp/activate", "2fa/webauthn", "2fa/webauthn/add", "sessions", "password/change",
                 "logout")  # fmt: skip
# Which page is looked at by which test here, by the names of their addresses. What a test does not keep, it fails by.
LOOKED_AT = {
    "test_the_integrations_of_every_vendor_in_every_tab": {
        "home", "search", "tenants:detail", "integrations:fleet", "integrations:index", "integrations:detail",
        "integrations:tab",
    },
    "test_what_a_vendor_lists_and_what_is_changed_there": {
        "integrations:tab", "integrations:create", "integrations:edit", "integrations:clone", "integrations:delete",
        "integrations:install", "integrations:uninstall", "integrations:register_connections", "integrations:restore",
        "changes:detail", "history:index",
    },
    "test_selections_revisions_and_archives": {
        "integrations:set_field", "integrations:revisions", "integrations:revision", "changes:batch",
        "vendor_accounts:revisions", "vendor_accounts:take_revisions", "vendor_accounts:revision_policy",
        "archives:detail", "archives:compare",
    },
    "test_the_vendor_accounts_and_their_forms": {
        "vendor_accounts:index", "vendor_accounts:create", "vendor_accounts:detail", "vendor_accounts:replace",
        "vendor_accounts:edit", "vendor_accounts:remove", "vendor_accounts:search", "jobs:index", "jobs:detail",
        "people:index", "audit:index", "tenants:settings",
    },
    "test_the_pages_of_the_platform_and_of_oneself": {
        "tenants:index", "tenants:create", "credentials:index", "credentials:create", "credentials:detail",
        "credentials:replace", "credentials:bind", "credentials:remove", "health", "jobs:fleet", "audit:fleet", "me",
    },
}  # fmt: skip
NO_PAGE = {
    "integrations:history_export": "a file",
    "history:export": "a file",
    "jobs:running": "a piece of the shell, which is on every page",
}


def unseen(names: set[str]) -> set[str]:
    return names - set().union(*LOOKED_AT.values()) - NO_PAGE.keys()


def test_every_page_is_looked_at_or_is_none() -> None:
    names = {name for name, row in INSIDE.items() if row.method == "get"}
    names |= {name for name, method in (SIGNED_IN | PLATFORM).items() if method == "get"}
    assert unseen(names) == set()
    assert unseen({*names, "planted:page"}) == {"planted:page"}
    assert NO_PAGE.keys() <= names, "what is no page must at least be an address"


_looked: set[str] = set()


@pytest.fixture(autouse=True)
def _keeps_its_list(request: pytest.FixtureRequest) -> Iterator[None]:
    """Hold each test to the pages that the table says it looks at."""
    _looked.clear()
    yield
    assert LOOKED_AT.get(request.node.name, set()) <= _looked


def look_at(page: Page, addresses: Iterable[str], *, status: int = 200) -> None:
    """Open each and collect everything wrong, so that one run tells it all; the checker is tried on the first."""
    wrong: dict[str, list[str]] = {}
    for number, address in enumerate(addresses):
        answer = page.goto(address)
        assert answer is not None
        assert answer.status == status, f"{address}: {answer.status}"
        if not page.url.endswith(address):
            wrong[address] = [f"led to {page.url}"]
            continue
        if status == 200:
            _looked.add(resolve(urlsplit(page.url).path).view_name)
        if number == 0:
            assert_faults_are_seen(page)
        if found := faults(page):
            wrong[address] = found
    assert not wrong


def confirm_password(page: Page) -> None:
    """Answer the question "Is it you?" that stands before pages about signing in."""
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password", exact=True).press("Enter")
    page.wait_for_url(lambda url: "reauthenticate" not in url)


@pytest.fixture
def make_mirror(simulator: SimulatorServer, people: People) -> Callable[..., Mirrored]:
    return lambda *names: mirror(simulator, people, names)


def _tabs(page: Page, address: str) -> list[str]:
    page.goto(address)
    return [str(tab.get_attribute("href")) for tab in page.locator(".tabs a").all()]


def test_the_integrations_of_every_vendor_in_every_tab(
    page: Page, live_server: object, make_mirror: Callable[..., Mirrored]
) -> None:
    names = ("larkspur-celigo-sandbox", "larkspur-alloy", "nordhavn-torq-subsidiary", "nordhavn-membrane")
    mirrored = make_mirror(*names)
    sign_in(page, mirrored.owner, str(live_server))
    index = reverse("integrations:index", args=["larkspur"])
    changed = mirrored.some("larkspur-celigo-sandbox", name__contains="Orders 👩")
    snapshot = changed.snapshots.for_tenant(mirrored.tenant).order_by("as_of").first()
    assert snapshot is not None
    history = reverse("integrations:tab", args=["larkspur", changed.pk, "history"])
    addresses = [index, f"{index}?state=attention", f"{index}?q=nothing-is-called-this", "/integrations/", "/"]
    addresses += ["/t/larkspur/", f"{history}?from={snapshot.pk}", "/search?q=order"]
    for name in names:
        one = mirrored.some(name)
        # Lists that nobody has read yet look alike: one of them is enough.
        alike = [tab.slug for tab in tabs.tabs_of(one) if tab.template == "listing"][1:]
        found = _tabs(page, one.get_absolute_url())
        addresses += [address for address in found if address.split("/")[-2] not in alike]
    look_at(page, addresses)
    page.goto(f"{history}?from={snapshot.pk}")
    expect(page.get_by_role("heading", name="1 change between two states")).to_be_visible()
    expect(page.locator(".diff .ins")).to_contain_text("one per line")


def test_what_a_vendor_lists_and_what_is_changed_there(
    page: Page, live_server: object, simulator: SimulatorServer, make_mirror: Callable[..., Mirrored]
) -> None:
    mirrored = make_mirror(CELIGO, "larkspur-celigo")
    one = mirrored.some("larkspur-celigo", finding_code="errors", finding_count__range=(4, 50))
    read_all(one, mirrored.owner)
    sign_in(page, mirrored.owner, str(live_server))
    own = one.get_absolute_url()
    addresses = [f"{own}{tab.slug}/" for tab in tabs.tabs_of(one) if tab.slug not in ("overview", "error_records")]
    page.goto(f"{own}errors/")
    addresses.append(str(page.locator("#listing tbody a.strong").first.get_attribute("href")))
    addresses += [f"{own}{name}/" for name in ("edit", "edit/?as=json", "clone", "delete", "install", "uninstall")]
    addresses = [address.removesuffix("/") if "?" in address else address for address in addresses]
    addresses.append(f"{own}connections/register/")
    new = reverse("integrations:create", args=["larkspur"])
    addresses += [new, f"{new}?account={mirrored.accounts[CELIGO].pk}", "/t/larkspur/history/"]
    changed = mirrored.some(CELIGO, name__contains="Orders 👩")
    kept = changed.snapshots.for_tenant(mirrored.tenant).order_by("as_of")[0]
    addresses.append(reverse("integrations:restore", args=["larkspur", kept.pk]))
    addresses += _changes(mirrored, simulator)
    look_at(page, addresses)


def _changes(mirrored: Mirrored, simulator: SimulatorServer) -> list[str]:
    """The pages of changes in each state that looks different, the one that is ready with a field to decide."""
    one = mirrored.some(CELIGO, state="active")
    write = edited(one, mirrored.owner, {"name": "Ours", "description": "Ours in many words"})
    change_at_vendor(simulator, one, description="Theirs in many words", tag="theirs")
    run(write.job or Job())
    write.refresh_from_db()
    assert write.state == WriteState.READY
    moment = write.created_at
    others: list[VendorWrite] = [
        make_write(one, plan=write.plan, state=state, sent_at=moment, result=result, sentence=sentence)
        for state, result, sentence in (
            (WriteState.UNKNOWN, {"look_at": ["Compare the description there."]}, ""),
            (WriteState.DONE, {"not_taken": ["Tag"], "rows": ["One thing more."]}, "Done, but not as meant."),
            (WriteState.NOT_DONE, {"reasons": [{"field": "name", "text": "Too long", "code": "x"}]}, "Refused."),
            (WriteState.ABANDONED, {}, "Given up."),
        )
    ]
    return [each.get_absolute_url() for each in (write, *others)]


def test_selections_revisions_and_archives(
    page: Page, live_server: object, make_mirror: Callable[..., Mirrored]
) -> None:
    mirrored = make_mirror(CELIGO)
    one, account = mirrored.some(CELIGO, state="active"), mirrored.accounts[CELIGO]
    others = list(type(one).objects.for_tenant(mirrored.tenant).filter(state="active").order_by("name_sort")[:3])
    chosen = "&".join(f"id={each.pk}" for each in others)
    batch = make_batch(*others)
    archives = [make_archive(one, "flows/a.json", "a/long/way/down/to/the/last/file/of/all.json") for _ in range(2)]
    sign_in(page, mirrored.owner, str(live_server))
    set_field = reverse("integrations:set_field", args=["larkspur"])
    addresses = [f"{set_field}?{chosen}", f"{set_field}?{chosen}&field=tag", f"{set_field}?all=1&vendor=celigo"]
    addresses += [f"{reverse('integrations:revisions', args=['larkspur'])}?{chosen}"]
    addresses += [reverse("integrations:revision", args=["larkspur", one.pk])]
    addresses += [reverse("changes:batch", args=["larkspur", batch.pk])]
    of_account = ("revisions", "take_revisions", "revision_policy")
    addresses += [reverse(f"vendor_accounts:{name}", args=["larkspur", account.pk]) for name in of_account]
    addresses += [f"{one.get_absolute_url()}archives/"]
    for name in ("detail", "compare"):
        addresses.append(reverse(f"archives:{name}", args=["larkspur", archives[-1].pk]))
    look_at(page, addresses)


def test_the_vendor_accounts_and_their_forms(
    page: Page, live_server: object, make_mirror: Callable[..., Mirrored]
) -> None:
    mirrored = make_mirror("larkspur-celigo-sandbox", "osmond-celigo", "nordhavn-torq-subsidiary", "osmond-membrane")
    sign_in(page, mirrored.owner, str(live_server))
    index = reverse("vendor_accounts:index", args=["larkspur"])
    torq = mirrored.accounts["nordhavn-torq-subsidiary"].get_absolute_url()
    addresses = [index, f"{index}new/", *(f"{index}new/?vendor={slug}" for slug in ("celigo", "membrane"))]
    addresses += [account.get_absolute_url() for account in mirrored.accounts.values()]
    addresses += [f"{torq}{page_name}/" for page_name in ("replace", "edit", "remove", "search")]
    jobs = Job.objects.for_tenant(mirrored.tenant)
    for state in (JobState.FAILED, JobState.PARTIAL, JobState.SUCCEEDED):
        addresses.append(jobs.filter(state=state)[0].get_absolute_url())
    account = mirrored.accounts["nordhavn-torq-subsidiary"]
    for state in (JobState.QUEUED, JobState.RUNNING):
        open_job = make_job(account, by=mirrored.owner, state=state, units_total=400, units_done=132)
        addresses.append(open_job.get_absolute_url())
    addresses += [f"/t/larkspur/{name}/" for name in ("jobs", "people", "audit", "settings")]
    look_at(page, addresses)


def test_the_pages_of_the_platform_and_of_oneself(
    page: Page, live_server: object, people: People, make_mirror: Callable[..., Mirrored]
) -> None:
    shared = make_mirror("osmond-membrane").shared
    # As everybody has who came by the first-run page or an invitation; a second factor takes it.
    EmailAddress.objects.create(user=people.platform, email=people.platform.email, primary=True, verified=True)
    sign_in(page, people.platform, str(live_server))
    credential = reverse("credentials:detail", args=[shared.pk])
    addresses = ["/tenants/", "/tenants/new/", "/credentials/", "/credentials/new/?vendor=alloy", credential]
    addresses += [f"{credential}{page_name}/" for page_name in ("replace", "bind", "remove")]
    addresses += ["/health/", "/jobs/", "/audit/", "/welcome/", "/search", "/search?q=nothing-is-called-this"]
    look_at(page, [*addresses, "/me/", "/accounts/reauthenticate/"])
    # Pages about a second factor are led to only with the password typed a moment ago.
    confirm_password(page)
    look_at(page, [f"/accounts/{name}/" for name in ACCOUNT_PAGES])


def test_the_pages_of_somebody_with_a_second_factor(page: Page, live_server: object, people: People) -> None:
    viewer = people.members["viewer"]
    secret = generate_totp_secret()
    TOTP.activate(viewer, secret)
    RecoveryCodes.activate(viewer)
    page.goto("/accounts/login/")
    page.get_by_label("E-mail").fill(viewer.email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password", exact=True).press("Enter")
    page.wait_for_url("**/accounts/2fa/authenticate/**")
    assert not faults(page)
    code = format_hotp_value(hotp_value(secret, next(iter(yield_hotp_counters_from_time()))))
    page.locator("input[name=code]").first.fill(code)
    page.locator("input[name=code]").first.press("Enter")
    page.wait_for_url(lambda url: "authenticate" not in url)
    # Only now: a key of no device cannot be asked for at sign-in.
    key = Authenticator.objects.create(user=viewer, type="webauthn", data={"name": "Desk key", "credential": {}})
    names = ("view_recovery_codes", "generate_recovery_codes", "deactivate_totp", "list_webauthn")
    of_the_key = [reverse(f"mfa_{name}_webauthn", args=[key.pk]) for name in ("edit", "remove")]
    page.goto("/accounts/reauthenticate/")
    confirm_password(page)
    look_at(page, [*(reverse(f"mfa_{name}") for name in names), *of_the_key])


def test_the_pages_of_somebody_who_may_little(
    page: Page, live_server: object, people: People, make_mirror: Callable[..., Mirrored]
) -> None:
    mirrored = make_mirror("larkspur-celigo-sandbox")
    account = mirrored.accounts["larkspur-celigo-sandbox"]
    sign_in(page, people.members["viewer"], str(live_server))
    addresses = ["/", "/t/larkspur/", account.get_absolute_url()]
    addresses += [f"/t/larkspur/{name}/" for name in ("integrations", "vendor-accounts", "jobs", "people")]
    addresses.append(mirrored.some("larkspur-celigo-sandbox").get_absolute_url())
    look_at(page, addresses)
    look_at(page, ["/t/larkspur/settings/"], status=403)
    look_at(page, ["/t/kestrel/", "/nothing/is/here/"], status=404)


def test_a_tenant_without_anything_says_what_comes_next(page: Page, live_server: object, people: People) -> None:
    make_tenant("empty", "Empty House")
    sign_in(page, people.members["owner"], str(live_server))
    look_at(page, [f"/t/larkspur/{name}" for name in ("", "integrations/", "vendor-accounts/", "jobs/")])
    sign_in(page, people.stranger, str(live_server))
    look_at(page, ["/", "/integrations/", "/jobs/"])


def test_the_pages_before_signing_in(page: Page, make_mirror: Callable[..., Mirrored]) -> None:
    invitation = make_mirror().invitation
    look_at(page, ["/accounts/login/", "/accounts/password/reset/", "/accounts/signup/", invitation])
    page.goto("/accounts/login/")
    page.get_by_label("E-mail").fill("nobody@people.example")
    page.get_by_label("Password", exact=True).fill("wrong-password-1")
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.locator("[data-form-errors]").wait_for()
    assert faults(page) == []


def test_the_first_pages_of_a_new_console(page: Page) -> None:
    look_at(page, ["/welcome/", f"/welcome/?code={setup_code.current()}"])
