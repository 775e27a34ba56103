"""Writes whose answer is lost in every way: none is done twice, none is said to be done that was not, none is lost.

The simulator's ledger is the judge: it holds what was really carried out.
"""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from django.db import transaction

from console.access.models import User
from integrations_app.models import Integration, VendorAccount, VendorWrite, WriteState
from integrations_app.services import listings, step_forms, vendor_writes, write_runs
from integrations_app.services.operations import registry
from integrations_app.services.operations.base import Context, Settled, Verdict
from integrations_app.services.operations.edit import Edit
from integrations_app.services.step_forms import Step
from integrations_app.simulator.faults import Fault
from integrations_app.simulator.server import SimulatorServer
from integrations_app.vendors import http
from integrations_app.vendors.calls import Limits
from integrations_app.vendors.errors import VendorOutcomeUnknownError
from tests.chaos.proof import Proof
from tests.integrations_app.services.mirroring import Watched, added, owner_of, sync
from tests.integrations_app.services.operations.stepping import steps_of
from tests.integrations_app.services.operations.writing import checked, work
from tests.integrations_app.services.writing import edited

pytestmark = pytest.mark.django_db(transaction=True)

ACCOUNT = "proof-celigo"
# How the answer is lost, and whether the vendor carried the request out before.
WAYS = (
    ("reset_after", 500, "applied"),
    ("status_after", 502, "applied"),
    ("status_after", 504, "applied"),
    ("truncate", 500, "applied"),
    ("length", 500, "applied"),
    ("timeout", 500, "applied"),
    ("reset", 500, "not applied"),
    ("status", 503, "not applied"),
    ("killed after sending", 500, "applied"),
    ("killed before sending", 500, "not applied"),
)
# Thirty seconds in earnest; nobody would run a proof that waits that long fifty times.
IDLE_SECONDS = 1.5
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Way:
    """One write to make: `ask` gives it checked, on something no other write of the proof touches."""

    name: str
    method: str
    path: str
    ask: Callable[[World], VendorWrite]


class World:
    """An account large enough for all the writes, each integration used once for each kind."""

    def __init__(self, simulator: SimulatorServer, size: int) -> None:
        simulator.world.add_account(vendor="celigo", name=ACCOUNT, size=size, seed=7)
        self.simulator = simulator
        self.account: VendorAccount = added(simulator, ACCOUNT)
        sync(self.account)
        self.by: User = owner_of(self.account.tenant)
        rows = Integration.objects.filter(vendor_account=self.account).select_related(
            "tenant", "vendor_account__tenant", "vendor_account__credential", "document"
        )
        self._active = iter(rows.filter(state="active").exclude(version="").order_by("remote_id"))
        self._building = deque(rows.filter(finding_code="half_installed").order_by("remote_id"))

    def active(self) -> Integration:
        return next(self._active)

    def building(self) -> tuple[Integration, Step]:
        """One that is half installed, and its next step; it comes up again while it has another."""
        while True:
            integration = self._building.popleft()
            step = step_forms.following(steps_of(integration), uninstall=False)
            if step is not None:
                self._building.append(integration)
                return integration, step

    def applied(self) -> int:
        return len(self.simulator.world.ledger(ACCOUNT))


def _create(world: World) -> VendorWrite:
    document = {"name": f"Made by a proof {next(_numbers)}"}
    return checked("create", by=world.by, account=world.account, params={"document": document})


def _put(world: World) -> VendorWrite:
    return work(edited(world.active(), world.by, {"name": f"Renamed by a proof {next(_numbers)}"}))


def _patch(world: World) -> VendorWrite:
    return work(edited(world.active(), world.by, {"tag": f"proof-{next(_numbers)}"}))


def _delete(world: World) -> VendorWrite:
    while True:
        write = checked("delete", by=world.by, integration=world.active())
        if write.state == WriteState.READY:  # an app that must be uninstalled is passed over
            return write


def _clone(world: World) -> VendorWrite:
    params = {
        "account": str(world.account.pk),
        "name": f"Cloned by a proof {next(_numbers)}",
        "environment": "",
        "is_sandbox": None,
    }
    return checked("clone", by=world.by, integration=world.active(), params=params)


def _without_review(operation: str, integration: Integration, world: World, params: dict[str, Any]) -> VendorWrite:
    return vendor_writes.request(
        operation, by=world.by, integration=integration, params=params, key=vendor_writes.new_key()
    )


def _revision(world: World) -> VendorWrite:
    note = f"Kept by a proof {next(_numbers)}"
    return _without_review("take_revision", world.active(), world, {"note": note})


def _step(world: World) -> VendorWrite:
    integration, step = world.building()
    given: dict[str, Any] = {}
    if step.type == "connection":
        kept = listings.items(listings.read(world.account, None, "account_connections"))
        given = {"connection_id": kept[0]["remote_id"]}
    elif step.type == "form":
        given = {"fields": {}}
    return _without_review("install_step", integration, world, {"step": step.identity, "given": given})


def _register(world: World) -> VendorWrite:
    integration = world.active()
    listings.read(world.account, None, "account_connections")
    listings.read(world.account, integration, "connections")
    here = {item["remote_id"] for item in listings.items(listings.find(integration, "connections"))}  # type: ignore[arg-type]
    every = listings.items(listings.find(world.account, "account_connections"))  # type: ignore[arg-type]
    free = [item["remote_id"] for item in every if item["remote_id"] not in here]
    params = {"connections": free[: 1 + next(_numbers) % 3]}
    return checked("register_connections", by=world.by, integration=integration, params=params)


KINDS = (
    Way("create", "POST", r"/integrations$", _create),
    Way("put", "PUT", r"/integrations/[0-9a-f]+$", _put),
    Way("patch", "PATCH", r"/integrations/[0-9a-f]+$", _patch),
    Way("delete", "DELETE", r"/integrations/[0-9a-f]+$", _delete),
    Way("clone", "POST", r"/clone$", _clone),
    Way("revision", "POST", r"/revisions/create", _revision),
    Way("install step", "POST", r"/installSteps$", _step),
    Way("register", "PUT", r"/register$", _register),
)


class KilledAfterSending(Watched):
    """A worker that is killed when it has just learned that the answer was lost."""

    def say(self, text: str, level: str = "info", subject: str = "") -> None:
        if text.startswith("The answer was lost"):  # operations say other things before
            raise KeyboardInterrupt


class KilledBeforeSending(Watched):
    """A worker that is killed right after the intent was committed, before anything is sent."""

    def __init__(self, write: VendorWrite) -> None:
        super().__init__()
        self._write = write

    def hold(self) -> None:
        transaction.on_commit(self._die_if_recorded)

    def _die_if_recorded(self) -> None:
        if VendorWrite.objects.filter(pk=self._write.pk, state=WriteState.SENT).exists():
            raise KeyboardInterrupt


def lose_the_answer(world: World, kind: Way, fault: str, status: int) -> None:
    # Longer than the client waits (IDLE_SECONDS): the vendor has done it and never finishes saying so.
    seconds = IDLE_SECONDS * 4 if fault == "timeout" else 0.05
    name = "length" if fault == "timeout" else fault
    world.simulator.world.add_fault(
        Fault("lost", name, method=kind.method, path=kind.path, times=1, status=status, seconds=seconds)
    )


def confirmed(world: World, write: VendorWrite) -> VendorWrite:
    """Confirm what asks for it, with what was proposed."""
    if write.state != WriteState.READY:
        return write
    answers = {q["name"]: q["initial"] or q["expects"] or "for the proof" for q in write.plan["questions"]}
    return vendor_writes.confirm(write, by=world.by, answers=answers)


def undergo(world: World, kind: Way, fault: str, status: int) -> tuple[VendorWrite, int]:
    """Make one write and lose its answer; how it ended, and how often the vendor carried it out."""
    write = kind.ask(world)
    before = world.applied()
    write = confirmed(world, write)
    assert write.state == WriteState.QUEUED, (kind.name, write.state, write.sentence)
    if fault.startswith("killed"):
        lose_the_answer(world, kind, "reset_after", status)
        watcher = KilledAfterSending() if "after" in fault else KilledBeforeSending(write)
        with pytest.raises(KeyboardInterrupt):
            write_runs.perform(write, job=None, progress=watcher)
        world.simulator.world.remove_fault(None)
    else:
        lose_the_answer(world, kind, fault, status)
    work(write)
    hit = fault.startswith("killed") or any(known.hits for known in world.simulator.world.faults())
    assert hit, f"the fault never happened to {kind.name}"
    world.simulator.world.remove_fault(None)
    # What the plan and the reading back changed nothing of is not in the ledger.
    return write, world.applied() - before


def complaint(write: VendorWrite, applied: int) -> str:
    """What is wrong with how a write ended, "" when nothing is."""
    if applied > 1:
        return f"{write}: carried out {applied} times"
    if write.state == WriteState.DONE and applied != 1:
        return f"{write}: said to be done, and was not"
    if write.state == WriteState.NOT_DONE and applied:
        return f"{write}: said not to be done, and was"
    if write.state not in (WriteState.DONE, WriteState.NOT_DONE, WriteState.UNKNOWN):
        return f"{write}: left as {write.state}"
    return ""


class _Liar(Edit):
    """A planted fault: settles without looking."""

    def settle(self, context: Context) -> Settled:
        return Settled(Verdict.DONE)


class _Repeater(Edit):
    """A planted fault: sends again when the answer is lost."""

    def send(self, context: Context) -> Any:
        with contextlib.suppress(VendorOutcomeUnknownError):
            return super().send(context)
        return super().send(context)


@pytest.fixture(autouse=True)
def nothing_to_wait_for(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.WRITE_SETTLE_SECONDS = 0
    monkeypatch.setattr(http, "Limits", partial(Limits, idle_seconds=IDLE_SECONDS))


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> Callable[[Edit], None]:
    """Puts a faulty operation in the place of the real one."""

    def plant(operation: Edit) -> None:
        monkeypatch.setitem(registry._BY_NAME, "edit", operation)

    return plant


def test_no_lost_answer_makes_a_write_happen_twice_or_be_misreported(
    simulator: SimulatorServer,
    proof: Callable[[str, int], Proof],
    planted: Callable[[Edit], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    going = proof("lost answers", 500)
    world = World(simulator, size=max(160, going.planned * 3))

    honest = registry.operation("edit")
    planted(_Liar())
    assert "said to be done" in complaint(*undergo(world, KINDS[1], "reset", 500)), "the proof must notice a lie"
    planted(_Repeater())
    assert "carried out 2 times" in complaint(*undergo(world, KINDS[1], "status_after", 502)), "and a repetition"
    planted(honest)  # type: ignore[arg-type]

    pairs = list(itertools.product(WAYS, KINDS))
    going.dice.shuffle(pairs)
    ended: Counter[str] = Counter()
    for (fault, status, expected), kind in itertools.islice(itertools.cycle(pairs), going.planned):
        write, applied = undergo(world, kind, fault, status)
        ended[str(write.state)] += 1
        wrong = complaint(write, applied)
        if not wrong and applied != (1 if expected == "applied" else 0):
            wrong = f"{kind.name}, {fault}: the simulator carried it out {applied} times"
        going.count(f"{kind.name}, {fault} {status}: {wrong}" if wrong else "")
    going.end(capsys, **ended)
