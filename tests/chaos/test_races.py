"""Many hands at once: a form sent many times, two editors, an edit beside a sync, a deletion beside a job.

Each ends with one effect, by the simulator's ledger, and nothing is overwritten that somebody did not see.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import connections

from console.audit.events import Event
from console.audit.models import AuditEvent
from integrations_app.jobs import runner
from integrations_app.models import Integration, Job, VendorAccount, VendorWrite, WriteState
from integrations_app.services import integrations, jobs, sync_runs, vendor_writes, write_runs
from integrations_app.services.errors import InvalidError
from integrations_app.simulator.server import SimulatorServer
from tests.chaos.proof import Proof
from tests.chaos.test_lost_answers import World
from tests.integrations_app.services.mirroring import Watched
from tests.integrations_app.services.operations.writing import work
from tests.integrations_app.services.writing import edited

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def nothing_to_wait_for(settings: Any) -> None:
    settings.WRITE_SETTLE_SECONDS = 0


def at_once(calls: list[Callable[[], Any]]) -> list[Any]:
    """Begin all calls at the same moment, each in a thread of its own; what each returned, or the error it raised."""
    start, answers = threading.Barrier(len(calls)), [None] * len(calls)

    def one(place: int, call: Callable[[], Any]) -> None:
        start.wait()
        try:
            answers[place] = call()
        except Exception as error:
            answers[place] = error  # type: ignore[call-overload]
        finally:
            connections.close_all()

    threads = [threading.Thread(target=one, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def deliver(write: VendorWrite) -> None:
    """A message for the write's job arrives at a worker; doubled ones do no harm."""
    write.refresh_from_db()
    assert write.job is not None
    Job.objects.filter(pk=write.job.pk, admitted_at=None).update(admitted_at=write.job.created_at)
    runner.run(str(write.job.pk))


def held_name(integration: Integration) -> str:
    return integrations.read_afresh(integration).name


# --- the races, each returns a complaint ---------------------------------------------------------------------------


def double_click(world: World, copies: int) -> str:
    """A form sent, confirmed and delivered `copies` times at the same moment."""
    integration, key = world.active(), vendor_writes.new_key()
    base = bytes(integration.document.digest).hex()

    def send() -> VendorWrite:
        params = {"changes": {"tag": f"race-{key[:8]}"}, "base": base}
        return vendor_writes.request("edit", by=world.by, integration=integration, params=params, key=key)

    before = world.applied()
    writes = at_once([send] * copies)
    if errors := [answer for answer in writes if isinstance(answer, Exception)]:
        return f"asking: {errors[0]!r}"
    if len({write.pk for write in writes}) != 1:
        return "one form became several writes"
    write = work(writes[0])
    confirmed = at_once([lambda: vendor_writes.confirm(write, by=world.by, answers={})] * copies)
    if errors := [answer for answer in confirmed if isinstance(answer, Exception)]:
        return f"confirming: {errors[0]!r}"
    delivered = at_once([lambda: deliver(write)] * copies)
    if errors := [answer for answer in delivered if isinstance(answer, Exception)]:
        return f"delivering: {errors[0]!r}"
    work(write)
    write.refresh_from_db()
    applied = world.applied() - before
    return "" if (write.state, applied) == (WriteState.DONE, 1) else f"{write.state}, carried out {applied} times"


def two_editors(world: World, copies: int) -> str:
    """Several people change the same field from the same page, confirm and are delivered at the same moment."""
    integration = world.active()
    people = min(copies, 4)
    writes = [work(edited(integration, world.by, {"name": f"Name of editor {number}"})) for number in range(people)]
    before = world.applied()
    at_once([partial(vendor_writes.confirm, write, by=world.by, answers={}) for write in writes])
    at_once([partial(deliver, write) for write in writes])
    for write in writes:
        work(write)
        write.refresh_from_db()
    won = [write for write in writes if write.state == WriteState.DONE]
    told = [write for write in writes if write.state == WriteState.READY and write.plan["note"]]
    applied = world.applied() - before
    if len(won) != 1 or len(told) != people - 1 or applied != 1:
        return f"{[write.state for write in writes]}, carried out {applied} times"
    if held_name(integration) != won[0].changes[0]["after"]:
        return "the vendor holds another name than the winner's"
    if any(write.changes[0]["after"] == won[0].changes[0]["after"] for write in told):
        return "what the loser typed is lost"
    return ""


def beside_a_sync(world: World, copies: int) -> str:
    """An edit is sent while the account is being synced: it stands, in the mirror too, and is nobody's drift."""
    integration, before = world.active(), world.applied()
    write = vendor_writes.confirm(
        work(edited(integration, world.by, {"name": f"Beside sync number {before}"})),
        by=world.by,
        answers={},
    )
    drifts = AuditEvent.objects.filter(event=Event.INTEGRATION_DRIFTED).count()
    answers = at_once([lambda: deliver(write), lambda: _sync(world.account)])
    if errors := [answer for answer in answers if isinstance(answer, Exception)]:
        return f"{errors[0]!r}"
    work(write)
    write.refresh_from_db()
    integration.refresh_from_db()
    applied = world.applied() - before
    if (write.state, applied) != (WriteState.DONE, 1):
        return f"{write.state}, carried out {applied} times"
    if integration.name != write.changes[0]["after"]:
        return f"the mirror holds {integration.name}"
    if AuditEvent.objects.filter(event=Event.INTEGRATION_DRIFTED).count() != drifts:
        return "our own change was taken for somebody else's"
    return ""


def _sync(account: VendorAccount) -> None:
    sync_runs.sync(VendorAccount.objects.select_related("tenant", "credential").get(pk=account.pk), job=None,
                   progress=Watched())  # fmt: skip


def delete_beside_a_job(world: World, copies: int) -> str:
    """Deletions asked for from several windows, beside a refresh of the same integration."""
    while True:
        integration = world.active()
        writes = [
            work(
                vendor_writes.request(
                    "delete", by=world.by, integration=integration, params={}, key=vendor_writes.new_key()
                )
            )
            for _ in range(2)
        ]
        if writes[0].state == WriteState.READY:
            break
    before = world.applied()
    refresh = integrations.request_refresh(integration, by=world.by)
    Job.objects.filter(pk=refresh.pk).update(admitted_at=refresh.created_at)
    confirmed = [_confirmed_deletion(world, write) for write in writes]
    calls: list[Callable[[], Any]] = [lambda: runner.run(str(refresh.pk))]
    calls += [partial(deliver, write) for write in confirmed if write.state == WriteState.QUEUED]
    at_once(calls)
    for write in writes:
        work(write)
        write.refresh_from_db()
    jobs.sweep()
    integration.refresh_from_db()
    applied = world.applied() - before
    done = [write for write in writes if write.state == WriteState.DONE]
    if applied != len(done) or applied > 1:
        return f"{[write.state for write in writes]}, carried out {applied} times"
    if done and integration.gone_at is None:
        return "deleted, and not gone here"
    return ""


def _confirmed_deletion(world: World, write: VendorWrite) -> VendorWrite:
    answers = {q["name"]: q["expects"] or "for the proof" for q in write.plan.get("questions", [])}
    try:
        return vendor_writes.confirm(write, by=world.by, answers=answers)
    except InvalidError:
        return write


RACES = (double_click, two_editors, beside_a_sync, delete_beside_a_job)


def test_every_race_has_one_effect_and_no_silent_overwrite(
    simulator: SimulatorServer,
    proof: Callable[[str, int], Proof],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    going = proof("races", 200)
    world = World(simulator, size=max(120, going.planned * 3))

    # The planted fault: nobody asks whether another write was sent since the plan was made.
    with monkeypatch.context() as planted:
        planted.setattr(write_runs, "_sent_count", lambda write: 0)
        planted.setattr("integrations_app.services.operations.edit.guard_of", lambda document, rules: "always the same")
        assert two_editors(world, 3), "the proof must notice an overwrite"

    for number in range(going.planned):
        race = RACES[number % len(RACES)]
        copies = going.dice.randint(2, 20)
        complaint = race(world, copies)
        going.count(f"{race.__name__} with {copies}: {complaint}" if complaint else "")
    going.end(capsys)
