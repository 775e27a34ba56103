"""Budget, breaker and token store, shared by several at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from console.access.models import Tenant
from integrations_app.models import Credential, VendorAccount, VendorGate
from integrations_app.services import vendor_gates
from integrations_app.services.vendor_gates import DatabaseBreaker, DatabaseRateBudget, DatabaseTokenStore
from integrations_app.vendors.errors import VendorPausedError, VendorRateLimitError, VendorUnavailableError

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def account() -> VendorAccount:
    tenant = Tenant.objects.create(slug="larkspur", name="Larkspur")
    credential = Credential.objects.create(tenant=tenant, vendor="torq", name="Key")
    account = VendorAccount.objects.create(
        tenant=tenant, vendor="torq", name="Operations", region="us", credential=credential
    )
    vendor_gates.for_account(account)
    return account


def at_once(count: int, action: Callable[[], Any]) -> list[Any]:
    """Results, or errors, of one action done by several threads with connections of their own at the same moment."""
    start = threading.Barrier(count)
    results: list[Any] = []

    def do() -> None:
        try:
            start.wait(10)
            results.append(action())
        except Exception as error:
            results.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=do) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


# --- budget ------------------------------------------------------------------------------------------------------


def test_several_workers_never_take_more_than_the_budget_holds(
    account: VendorAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DatabaseRateBudget, "PER_SECOND", 0.001)
    monkeypatch.setattr(DatabaseRateBudget, "BURST", 25.0)
    monkeypatch.setattr(DatabaseRateBudget, "BATCH", 3)

    def take_many() -> int:
        budget, taken = DatabaseRateBudget(account.pk), 0
        try:
            # More than there is: who stops by itself keeps the rest of its last batch.
            for _ in range(30):
                budget.take()
                taken += 1
        except VendorRateLimitError:
            pass
        return taken

    assert sum(at_once(4, take_many)) == 25


def test_the_budget_fills_up_again(account: VendorAccount, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DatabaseRateBudget, "PER_SECOND", 0.001)
    monkeypatch.setattr(DatabaseRateBudget, "BURST", 1.0)
    DatabaseRateBudget(account.pk).take()
    with pytest.raises(VendorRateLimitError) as refused:
        DatabaseRateBudget(account.pk).take()
    assert 900 < refused.value.retry_after_seconds <= 1000
    VendorGate.objects.update(budget_at=timezone.now() - timedelta(seconds=1001))
    DatabaseRateBudget(account.pk).take()


def test_a_refusal_by_the_vendor_holds_everybody_back(account: VendorAccount) -> None:
    other = DatabaseRateBudget(account.pk)
    DatabaseRateBudget(account.pk).refuse_until(60)
    with pytest.raises(VendorRateLimitError) as refused:
        other.take()
    assert 55 < refused.value.retry_after_seconds <= 60
    DatabaseRateBudget(account.pk).refuse_until(1)
    with pytest.raises(VendorRateLimitError):
        other.take()


# --- breaker -----------------------------------------------------------------------------------------------------


def broken(account: VendorAccount) -> DatabaseBreaker:
    breaker = DatabaseBreaker(account.pk)
    for _ in range(DatabaseBreaker.THRESHOLD):
        breaker.check()
        breaker.failed()
    return breaker


def test_the_breaker_opens_after_failures_in_a_row_only(account: VendorAccount) -> None:
    breaker = DatabaseBreaker(account.pk)
    for _ in range(3):
        for _ in range(DatabaseBreaker.THRESHOLD - 1):
            breaker.failed()
        breaker.succeeded()
    breaker.check()
    broken(account)
    with pytest.raises(VendorPausedError) as paused:
        DatabaseBreaker(account.pk).check()
    assert 0 < paused.value.retry_after_seconds <= DatabaseBreaker.PAUSE_SECONDS


def test_failures_reported_at_once_are_all_counted(account: VendorAccount) -> None:
    at_once(8, lambda: DatabaseBreaker(account.pk).failed())
    assert VendorGate.objects.get().failures == 8


def test_when_the_pause_is_over_exactly_one_tries(account: VendorAccount) -> None:
    broken(account)
    VendorGate.objects.update(paused_until=timezone.now() - timedelta(seconds=1))
    results = at_once(6, lambda: DatabaseBreaker(account.pk).check())
    assert sum(result is None for result in results) == 1
    assert sum(isinstance(result, VendorPausedError) for result in results) == 5


def test_the_one_that_tries_closes_it_or_opens_it_for_longer(account: VendorAccount) -> None:
    breaker = broken(account)
    VendorGate.objects.update(paused_until=timezone.now() - timedelta(seconds=1))
    breaker.check()
    breaker.failed()
    with pytest.raises(VendorPausedError) as paused:
        breaker.check()
    assert paused.value.retry_after_seconds > DatabaseBreaker.PAUSE_SECONDS
    VendorGate.objects.update(paused_until=timezone.now() - timedelta(seconds=1))
    breaker.check()
    breaker.succeeded()
    breaker.check()
    assert VendorGate.objects.get().failures == 0


# --- token -------------------------------------------------------------------------------------------------------


class Vendor:
    """Gives tokens and counts them; waits for `release` first, when there is one."""

    def __init__(self, lifetime: float = 3600.0, release: threading.Event | None = None) -> None:
        self.calls = 0
        self.lifetime = lifetime
        self.release = release

    def __call__(self) -> tuple[str, float]:
        self.calls += 1
        if self.release is not None:
            self.release.wait(10)
        return f"not-a-real-token-{self.calls}", self.lifetime


def test_one_worker_renews_and_the_others_get_its_token(account: VendorAccount) -> None:
    vendor = Vendor(release=threading.Event())
    assert vendor.release is not None
    threading.Timer(0.3, vendor.release.set).start()
    tokens = at_once(5, lambda: DatabaseTokenStore(account).renew(None, vendor))
    assert tokens == ["not-a-real-token-1"] * 5
    assert vendor.calls == 1


def test_a_token_is_sealed_and_given_until_it_is_about_to_expire(account: VendorAccount) -> None:
    store = DatabaseTokenStore(account)
    assert store.current() is None
    store.renew(None, Vendor())
    assert store.current() == "not-a-real-token-1"
    gate = VendorGate.objects.get()
    assert gate.token_sealed is not None
    assert b"not-a-real-token" not in bytes(gate.token_sealed)
    assert gate.token_expires_at is not None
    assert gate.token_expires_at < timezone.now() + timedelta(seconds=3600 - 290)
    VendorGate.objects.update(token_expires_at=timezone.now() - timedelta(seconds=1))
    assert store.current() is None


def test_a_refused_token_is_replaced_once(account: VendorAccount) -> None:
    vendor, store = Vendor(), DatabaseTokenStore(account)
    first = store.renew(None, vendor)
    assert store.renew(None, vendor) == first
    second = store.renew(first, vendor)
    assert second != first
    assert store.renew(first, vendor) == second
    assert vendor.calls == 2


def test_a_token_of_another_secret_is_not_used(account: VendorAccount) -> None:
    DatabaseTokenStore(account).renew(None, Vendor())
    assert account.credential is not None
    account.credential.version += 1
    assert DatabaseTokenStore(account).current() is None


def test_a_failed_renewal_frees_the_way_for_the_next(account: VendorAccount) -> None:
    def fail() -> tuple[str, float]:
        raise VendorUnavailableError("down")

    store = DatabaseTokenStore(account)
    with pytest.raises(VendorUnavailableError):
        store.renew(None, fail)
    assert store.renew(None, Vendor()) == "not-a-real-token-1"


def test_a_renewal_whose_worker_died_is_taken_over(account: VendorAccount) -> None:
    VendorGate.objects.update(token_lease_until=timezone.now() - timedelta(seconds=1))
    assert DatabaseTokenStore(account).renew(None, Vendor()) == "not-a-real-token-1"
