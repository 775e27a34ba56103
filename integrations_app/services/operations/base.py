"""What an operation is: one thing the console can have a vendor change, planned before and read back after.

`vendor_writes.py` takes every operation down the same path and knows none of them: it plans from a fresh reading, has a
person confirm, plans again, keeps a snapshot, records the intent, sends once, and reads back. An operation says what to
read, what to send, and how to tell from a reading whether it happened.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Protocol

from console.access.models import Tenant
from console.access.permissions import Permission
from integrations_app.models import Integration, VendorAccount, VendorWrite
from integrations_app.vendors.base import RemoteIntegration, VendorClient

# --- what a plan shows -------------------------------------------------------------------------------------------


# A change's value where there is no such field; JSON, and nothing that a redacted document can hold.
ABSENT: dict[str, bool] = {"$absent": True}


@dataclass(frozen=True)
class Change:
    """One value before and after, redacted JSON. `key` is the field's own name, `label` ours.

    With `is_conflict` somebody else changed it too since the form was drawn from `base`: `before` is theirs, which the
    vendor holds now, `after` yours. `ABSENT` stands for no such field.
    """

    key: str
    label: str
    before: Any
    after: Any
    base: Any = None
    is_conflict: bool = False


@dataclass(frozen=True)
class Question:
    """Something that must be answered before the write can be confirmed.

    `kind`: "choice" (one of `choices`: (value, label)), "conflict" (`choices` yours / theirs), "typed_name" (the answer
    must equal `expects`), "reason" (any text), "text". The answer comes back in `Context.answers[name]`.
    """

    name: str
    label: str
    kind: str
    choices: tuple[tuple[str, str], ...] = ()
    initial: str = ""
    expects: str = ""
    help: str = ""
    is_required: bool = True


@dataclass(frozen=True)
class Fact:
    """Something to know before confirming; `items` is a list beneath it (flows that remain, people who lose access).

    `tone`: "" or "warn" or "danger".
    """

    text: str
    items: tuple[str, ...] = ()
    tone: str = ""


@dataclass(frozen=True)
class Plan:
    """What a check found.

    `guard` tells two states of the vendor apart that matter for this write (a digest, an id): what a person confirmed
    is sent only while a new check gives the same guard. `evidence` is plain JSON that is kept sealed: what sending and
    settling need of the state before. `nothing` is a sentence when there is nothing to do, and then the write is over.
    `also_tenant` is another tenant whose names the plan tells.
    """

    guard: str
    consequence: str
    changes: tuple[Change, ...] = ()
    facts: tuple[Fact, ...] = ()
    questions: tuple[Question, ...] = ()
    evidence: Mapping[str, Any] = field(default_factory=dict)
    nothing: str = ""
    also_tenant: Tenant | None = None


class Verdict(enum.Enum):
    """What reading back says of a write whose answer was lost."""

    DONE = "done"
    NOT_DONE = "not_done"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Settled:
    """`receipt` is what `send` would have returned. `look_at` tells the person who must decide where to look."""

    verdict: Verdict
    receipt: Mapping[str, Any] = field(default_factory=dict)
    look_at: tuple[str, ...] = ()


@dataclass(frozen=True)
class Finished:
    """What reading back found after the write was done.

    `sentence` tells the person. `not_taken` are labels of fields the vendor dropped without a word. `made` is the
    integration that came of it. `result` is plain redacted JSON for the page.
    """

    sentence: str
    not_taken: tuple[str, ...] = ()
    made: Integration | None = None
    after_digest: bytes | None = None
    result: Mapping[str, Any] = field(default_factory=dict)


# --- what an operation is given ----------------------------------------------------------------------------------


class Watcher(Protocol):
    """The part of a job's progress that an operation may use."""

    def say(self, text: str, level: str = "info", subject: str = "") -> None: ...

    def check(self) -> None: ...

    def hold(self) -> None: ...


@dataclass
class Context:
    """One write on its way, in the worker. `params` is what the form asked for, secrets included; `answers` what the
    person chose at the confirmation; `evidence` the plan's, as it stood when it was sent.
    """

    write: VendorWrite
    account: VendorAccount
    client: VendorClient
    params: Mapping[str, Any]
    answers: Mapping[str, str]
    progress: Watcher
    evidence: Mapping[str, Any] = field(default_factory=dict)
    # What `plan` read and `send` starts from.
    current: RemoteIntegration | None = None

    @property
    def integration(self) -> Integration:
        """The integration it is about; for operations that have one."""
        if self.write.integration is None:
            raise LookupError("this write is about no integration")
        return self.write.integration

    @property
    def sent_at(self) -> datetime:
        """When it was sent; while sending and afterwards."""
        if self.write.sent_at is None:
            raise LookupError("this write was not sent")
        return self.write.sent_at


class Operation(Protocol):
    """One entry of `registry.OPERATIONS`; stateless.

    `needs` is the capability of the client. `effect` is what it does at the vendor, for the job's page. Without
    `has_review` it is planned and sent in one job: its form was the confirmation. `keeps_snapshot`: our copy is taken
    before. `is_long`: it runs on the queue for long jobs. `is_undoable`: a done one can be put back from its snapshot.
    """

    name: ClassVar[str]
    label: ClassVar[str]  # the verb: "Edit", "Delete"
    permission: ClassVar[Permission]
    needs: ClassVar[type]
    effect: ClassVar[str]
    has_review: ClassVar[bool]
    keeps_snapshot: ClassVar[bool]
    is_long: ClassVar[bool]
    is_undoable: ClassVar[bool]

    def title(self, target: str, params: Mapping[str, Any]) -> str:
        """What people call this write: "Edit Orders to ERP". No secret."""

    def plan(self, context: Context) -> Plan:
        """Read the vendor afresh and say what would happen. Changes nothing. Raises InvalidError, VendorError."""

    def send(self, context: Context) -> Mapping[str, Any]:
        """Make exactly one changing call; returns a receipt in plain JSON without any secret."""

    def settle(self, context: Context) -> Settled:
        """Look whether it happened, from `context.evidence` and a fresh reading. Changes nothing. Raises VendorError.

        DONE only when the vendor holds what was meant and did not before; NOT_DONE only when it certainly does not.
        """

    def finish(self, context: Context, receipt: Mapping[str, Any]) -> Finished:
        """Read back what the vendor holds now, write it to the mirror, and compare it with what was meant.

        Must work a second time. Raises VendorError; the write is done whatever this finds.
        """


def named(labels: Sequence[str], limit: int = 3) -> str:
    """A few labels for a sentence: "name, description and 2 more"."""
    if len(labels) <= limit:
        return ", ".join(labels)
    return f"{', '.join(labels[:limit])} and {len(labels) - limit} more"
