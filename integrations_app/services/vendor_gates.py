"""What every process asks before it calls a vendor for one account: is there budget, is the line open, is there a
token.

Kept in one database row per account (`VendorGate`), so that any number of workers share it behind any broker. Each
change is one short transaction that locks the row: `select_for_update` where the database knows it, SQLite's single
writer elsewhere.
"""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from console.access import vault
from console.crypto import SealBrokenError
from integrations_app.models import VendorAccount, VendorGate
from integrations_app.vendors.base import TokenFetch
from integrations_app.vendors.errors import (
    VendorPausedError,
    VendorRateLimitError,
    VendorUnavailableError,
)


@dataclass(frozen=True)
class Gates:
    """The three gates of one account, as a `Connection` takes them."""

    budget: DatabaseRateBudget
    breaker: DatabaseBreaker
    tokens: DatabaseTokenStore


def for_account(account: VendorAccount) -> Gates:
    """The gates of an account that has a credential; its row is made when it is missing."""
    VendorGate.objects.get_or_create(account_id=account.pk)
    return Gates(
        DatabaseRateBudget(account.pk),
        DatabaseBreaker(account.pk),
        DatabaseTokenStore(account),
    )


def reset(account: VendorAccount) -> None:
    """Forget failures, pauses and tokens: the account has a new secret or calls somewhere else now."""
    VendorGate.objects.filter(account_id=account.pk).update(
        failures=0,
        paused_until=None,
        refused_until=None,
        token_sealed=None,
        token_expires_at=None,
        token_lease_until=None,
    )


@contextlib.contextmanager
def _locked(account_id: uuid.UUID) -> Iterator[VendorGate]:
    with transaction.atomic():
        yield VendorGate.objects.select_for_update().get(account_id=account_id)


def _seconds_until(moment: datetime | None, now: datetime) -> float:
    return max(0.0, (moment - now).total_seconds()) if moment else 0.0


class DatabaseRateBudget:
    """A token bucket: `PER_SECOND` calls a second, `BURST` at once after a rest.

    Calls are taken `BATCH` at a time, so that a list of many pages does not write a row for each. A batch is good for
    `BATCH_SECONDS`: a worker does not sit on calls that others were refused for.
    """

    # The strictest number any vendor publishes is 50 a second.
    PER_SECOND = 40.0
    BURST = 80.0
    BATCH = 10
    BATCH_SECONDS = 2.0
    # A shorter wait is slept through here; a longer one is the job's, which gives its worker back.
    PATIENCE_SECONDS = 3.0

    def __init__(self, account_id: uuid.UUID) -> None:
        self._account_id = account_id
        self._taken = 0
        self._taken_at = 0.0

    def take(self) -> None:
        """Spend one call; raises VendorRateLimitError when none is left for longer than a short wait."""
        deadline = time.monotonic() + self.PATIENCE_SECONDS
        while not self._take_one():
            wait = self._take_batch()
            if wait and time.monotonic() + wait > deadline:
                raise VendorRateLimitError(
                    "The budget of calls for this account is spent.",
                    retry_after_seconds=wait,
                )
            time.sleep(wait)

    def refuse_until(self, seconds: float) -> None:
        """The vendor said to wait: nobody calls for this many seconds."""
        self._taken = 0
        until = timezone.now() + timedelta(seconds=max(0.0, seconds))
        with _locked(self._account_id) as gate:
            if gate.refused_until is None or gate.refused_until < until:
                gate.refused_until = until
                gate.save(update_fields=["refused_until"])

    def _take_one(self) -> bool:
        if self._taken and time.monotonic() - self._taken_at < self.BATCH_SECONDS:
            self._taken -= 1
            return True
        self._taken = 0
        return False

    def _take_batch(self) -> float:
        """Take what there is, up to a batch; the seconds until there is any when there is none."""
        with _locked(self._account_id) as gate:
            now = timezone.now()
            if wait := _seconds_until(gate.refused_until, now):
                return wait
            left = self.BURST
            if gate.budget_at is not None:  # a clock that lags behind another worker's gives nothing, and takes nothing
                rested = max(0.0, (now - gate.budget_at).total_seconds())
                left = min(self.BURST, gate.budget_left + rested * self.PER_SECOND)
            taken = min(self.BATCH, int(left))
            gate.budget_left, gate.budget_at = left - taken, now
            gate.save(update_fields=["budget_left", "budget_at"])
        if not taken:
            return (1.0 - left) / self.PER_SECOND
        self._taken, self._taken_at = taken, time.monotonic()
        return 0.0


class DatabaseBreaker:
    """Opens after `THRESHOLD` failures in a row, for longer each time; then one process tries whether the vendor is
    back.
    """

    THRESHOLD = 5
    PAUSE_SECONDS = 30.0
    LONGEST_PAUSE_SECONDS = 900.0
    # How long the one that tries has for its call before another may.
    PROBE_SECONDS = 90.0

    def __init__(self, account_id: uuid.UUID) -> None:
        self._account_id = account_id

    def check(self) -> None:
        """Raises VendorPausedError while open; when the pause is over, exactly one caller gets through."""
        row = VendorGate.objects.filter(account_id=self._account_id).values_list("failures", "paused_until").first()
        if row is None or row[1] is None:
            return
        now = timezone.now()
        with _locked(self._account_id) as gate:
            wait = _seconds_until(gate.paused_until, now)
            if gate.paused_until is not None and not wait:
                gate.paused_until = now + timedelta(seconds=self.PROBE_SECONDS)
                gate.save(update_fields=["paused_until"])
        if wait:
            raise VendorPausedError(
                "Calls are paused: the vendor failed several times in a row.",
                retry_after_seconds=wait,
            )

    def succeeded(self) -> None:
        """The vendor answered: closed again."""
        gate = VendorGate.objects.filter(account_id=self._account_id)
        # Read first: an update that changes nothing still queues for SQLite's one writer.
        if gate.filter(failures__gt=0).exists():
            gate.update(failures=0, paused_until=None)

    def failed(self) -> None:
        """The vendor did not answer, or with a 5xx."""
        with _locked(self._account_id) as gate:
            gate.failures += 1
            if gate.failures >= self.THRESHOLD:
                pause = min(
                    self.PAUSE_SECONDS * 2 ** min(gate.failures - self.THRESHOLD, 10),
                    self.LONGEST_PAUSE_SECONDS,
                )
                gate.paused_until = timezone.now() + timedelta(seconds=pause)
            gate.save(update_fields=["failures", "paused_until"])


class DatabaseTokenStore:
    """A vendor's short-lived token, sealed, good for one version of the credential; one process renews it for all."""

    LEASE_SECONDS = 30.0
    PATIENCE_SECONDS = 45.0
    POLL_SECONDS = 0.1
    # Renewed this long before it ends, or when a tenth of its life is left where that is shorter.
    EARLY_SECONDS = 300.0

    def __init__(self, account: VendorAccount) -> None:
        self._account_id = account.pk
        self._tenant_id = account.tenant_id
        credential = account.credential
        self._version = credential.version if credential else 0

    @property
    def _context(self) -> str:
        return f"vendor_token|{self._account_id}|{self._version}"

    def current(self) -> str | None:
        """The token, or None when there is none, it is about to expire, or it came from another secret."""
        gate = VendorGate.objects.filter(account_id=self._account_id).first()
        return self._open(gate) if gate else None

    def renew(self, refused: str | None, fetch: TokenFetch) -> str:
        """Return a token other than `refused`, calling `fetch` in at most one process at a time.

        Raises VendorUnavailableError when another process renews it and does not come to an end, and whatever `fetch`
        raises.
        """
        deadline = time.monotonic() + self.PATIENCE_SECONDS
        while time.monotonic() < deadline:
            token, lease = self._token_or_lease(refused)
            if token is not None:
                return token
            if lease is not None:
                return self._fetch(lease, fetch)
            time.sleep(self.POLL_SECONDS)
        raise VendorUnavailableError("Another worker is renewing the access token and does not finish.")

    def _open(self, gate: VendorGate) -> str | None:
        if gate.token_sealed is None or gate.token_credential_version != self._version:
            return None
        if not _seconds_until(gate.token_expires_at, timezone.now()):
            return None
        try:
            return vault.unseal(self._tenant_id, self._context, gate.token_sealed).decode()
        except SealBrokenError:  # sealed under a key that is gone: a new token costs one call
            return None

    def _token_or_lease(self, refused: str | None) -> tuple[str | None, datetime | None]:
        """A good token, or the right to fetch one until the time given, or neither."""
        with _locked(self._account_id) as gate:
            token = self._open(gate)
            if token is not None and token != refused:
                return token, None
            now = timezone.now()
            if _seconds_until(gate.token_lease_until, now):
                return None, None
            gate.token_lease_until = lease = now + timedelta(seconds=self.LEASE_SECONDS)
            gate.save(update_fields=["token_lease_until"])
            return None, lease

    def _fetch(self, lease: datetime, fetch: TokenFetch) -> str:
        gate = VendorGate.objects.filter(account_id=self._account_id)
        try:
            token, lifetime = fetch()
        except BaseException:
            gate.filter(token_lease_until=lease).update(token_lease_until=None)
            raise
        good_for = lifetime - min(self.EARLY_SECONDS, lifetime / 10)
        gate.update(
            token_sealed=vault.seal(self._tenant_id, self._context, token.encode()),
            token_expires_at=timezone.now() + timedelta(seconds=good_for),
            token_credential_version=self._version,
            token_lease_until=None,
        )
        return token
