"""What some vendors can do beyond listing and getting: one small protocol each, and the dataclasses they speak in.

Having the methods *is* the capability: `registry.supports("celigo", SupportsClone)` offers the button or says why not.
Every method that changes something at the vendor sends exactly one request, once. It raises VendorOutcomeUnknownError
when that was sent and no usable answer came back, and any other VendorError when nothing was changed.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from integrations_app.vendors.base import BadItem, FieldKind, Probe, RemoteIntegration

# --- editing -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class EditableField:
    """One field of the vendor's document that a form offers. `kind` is TEXT, TRUTH or DOCUMENT (any JSON).

    `per` names a list of the document whose every item has the field ("flowGroupings"): the key of such a field in a
    set of changes is "<per>/<item id>/<name>", the key of any other one its name. `max_length` 0 is no limit.
    """

    name: str
    label: str
    kind: FieldKind = FieldKind.TEXT
    help: str = ""
    max_length: int = 0
    is_required: bool = False
    is_long: bool = False
    per: str = ""


@dataclass(frozen=True)
class EditRules:
    """What may be written of a vendor's document.

    `fields` are those of the form. `server_owned` are top-level names the vendor sets itself: never changed by us and
    never in the JSON editor; a client may have to send some along as it read them. `item_id` and `item_name` name the
    id and the name inside the items of an `EditableField.per` list.
    """

    fields: tuple[EditableField, ...]
    server_owned: frozenset[str]
    item_id: str = "_id"
    item_name: str = "name"


@runtime_checkable
class SupportsEdit(Protocol):
    """A document can be changed. The class also has `edit_rules: ClassVar[EditRules | None]` (None without this)."""

    def edit_integration(self, current: RemoteIntegration, changes: Mapping[str, Any]) -> None:
        """Change `current`, which was read a moment ago. `changes` are new values by key: a top-level name (whole
        value; `MISSING` takes the field away) or "<per>/<item id>/<name>".

        One request. Raises VendorRejectedError, and sends nothing, when the vendor's mask would be written back, when a
        key is not writable, or when an item is not where it was.
        """


class Missing(enum.Enum):
    """The type of MISSING: there is no such field (not: it is null)."""

    MISSING = "missing"


MISSING = Missing.MISSING


@runtime_checkable
class SupportsCreate(Protocol):
    def create_integration(self, document: Mapping[str, Any]) -> str:
        """Create an integration from these top-level fields; returns its remote id."""


@runtime_checkable
class SupportsDelete(Protocol):
    def delete_integration(self, remote_id: str) -> None: ...


# --- what belongs to an integration --------------------------------------------------------------------------------


@dataclass(frozen=True)
class ListingColumn:
    """A column of a listing's table; `name` is the key in `RemoteItem.values`."""

    name: str
    label: str
    kind: FieldKind = FieldKind.TEXT


@dataclass(frozen=True)
class ListingKind:
    """One kind of thing that belongs to an integration (flows, connections) and is read apart from it.

    `item` is one of them in words ("flow"). `is_scoped`: it is read for one thing inside the integration, named by the
    scope ("<flow id>/<step id>"). `is_of_account`: it belongs to the account, the remote id being "". `is_tab`: it
    has a tab of its own. `empty` is the sentence for none. `secret_paths` are places in `raw` that are
    secret whatever they hold, dotted, "[]" stepping into a list.
    """

    slug: str
    label: str
    item: str
    columns: tuple[ListingColumn, ...]
    empty: str
    is_tab: bool = True
    is_scoped: bool = False
    is_of_account: bool = False
    secret_paths: tuple[str, ...] = ()


@dataclass(frozen=True)
class RemoteItem:
    """One thing of a listing. `values` are plain JSON by column name; times are ISO 8601 texts in UTC.

    `at` is when it happened or last changed, where it has such a time. `raw` is the vendor's document of it.
    """

    remote_id: str
    name: str
    values: Mapping[str, Any]
    raw: Mapping[str, Any]
    at: datetime | None = None


@dataclass(frozen=True)
class RemoteListing:
    """`is_whole` False: there is more than was read (the reading stops at a few thousand)."""

    items: tuple[RemoteItem, ...]
    bad: tuple[BadItem, ...] = ()
    is_whole: bool = True


@runtime_checkable
class SupportsListings(Protocol):
    """The class also has `listings: ClassVar[tuple[ListingKind, ...]]` (() without this)."""

    def read_listing(self, kind: str, remote_id: str, scope: str = "") -> RemoteListing:
        """Read one kind of thing, all pages. KeyError for a kind that `listings` has not."""


# --- Celigo's life-cycle, in words that another vendor could use ---------------------------------------------------


@dataclass(frozen=True)
class CloneRequest:
    """`connections` maps a connection of the source to one of the target account; every one used must be in it."""

    name: str
    connections: Mapping[str, str]
    environment: str = ""
    is_sandbox: bool | None = None


@dataclass(frozen=True)
class ClonePart:
    """One thing a clone would make: its kind in the vendor's word ("Flow"), its name, and its document."""

    model: str
    name: str
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)


@runtime_checkable
class SupportsClone(Protocol):
    """The class also has `clone_notes: ClassVar[tuple[str, ...]]`: what does not travel, a sentence each."""

    def preview_clone(self, remote_id: str) -> tuple[ClonePart, ...]: ...

    def clone_integration(self, remote_id: str, wanted: CloneRequest) -> str:
        """Clone; returns the new integration's remote id, "" when the vendor's answer does not name it."""


@runtime_checkable
class SupportsRevisions(Protocol):
    def create_revision(self, remote_id: str, *, note: str, only_if_changed: bool | None = None) -> RemoteItem | None:
        """Have the vendor keep a copy; None when it says that nothing changed since the last.

        `only_if_changed` None sends no such parameter (the vendor's own default).
        """


@runtime_checkable
class SupportsRegistration(Protocol):
    """Connections of the account are put on an integration's list and taken off it."""

    def register_connections(self, remote_id: str, connection_ids: Sequence[str]) -> None:
        """One request, whether one is registered or many."""

    def unregister_connection(self, remote_id: str, connection_id: str) -> None: ...

    def ping_connection(self, connection_id: str) -> Probe:
        """Have the vendor try the connection; changes nothing. What the other system refuses is an answer."""


@runtime_checkable
class SupportsSteps(Protocol):
    """Installing and uninstalling go step by step; what a step asks for is the vendor's JSON.

    The listings "install_steps" and "uninstall_steps" read them: `values` hold place (from 1), type, is_completed and
    description; of the first that is not completed also `form`, what it asks for in a neutral shape: {"wants":
    "connection", "form", "document", "address", "stack" or "nothing"; "note"; "connection_type", "connection_name";
    "address"; "fields": [{"name", "kind" (text, long, number, truth, choice, choices, json, secret, hidden), "label",
    "help", "is_required", "default", "choices": [{"id", "label"}]}]; "form_id": another one when the questions change}.
    """

    def submit_step(
        self, remote_id: str, answers: Mapping[str, Any], *, uninstall: bool
    ) -> tuple[RemoteItem, ...] | None:
        """Do the next step with these answers; returns the steps as they are then, None when the integration is gone.

        `answers` is one of {"_connectionId": id}, {"connection": document}, {"_stackId": id} or the form's values.
        """


@runtime_checkable
class SupportsFlows(Protocol):
    def read_flow(self, flow_id: str) -> RemoteItem:
        """`values["is_on"]` says whether it is on."""

    def set_flow(self, flow_id: str, *, is_on: bool) -> None: ...

    def run_flow(self, flow_id: str) -> str:
        """Run it now; returns the vendor's id of the run, "" when the answer names none."""

    def flow_runs(self, flow_id: str, since: datetime) -> tuple[RemoteItem, ...]:
        """Runs created at or after `since`, newest first."""


@runtime_checkable
class SupportsErrorRecords(Protocol):
    """Open error records of one step, read as the scoped listing "error_records"; `values` hold `retry_key`."""

    def retry_errors(self, flow_id: str, step_id: str, retry_keys: Sequence[str]) -> None: ...

    def resolve_errors(self, flow_id: str, step_id: str, error_ids: Sequence[str]) -> None: ...


# --- archives ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SignedFile:
    """A short-lived address of a file, and the name the vendor gives it. No repr: the address opens the file."""

    url: str = field(repr=False)
    name: str


@runtime_checkable
class SupportsArchive(Protocol):
    def sign_archive(self, remote_id: str) -> SignedFile:
        """A fresh address of the integration's template archive. Changes nothing."""

    def fetch_archive(self, file: SignedFile, *, limit_bytes: int) -> Iterator[bytes]:
        """The file in pieces, fetched without the account's secret; VendorResponseError beyond `limit_bytes`."""
