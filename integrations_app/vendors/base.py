"""The contract between the console and a vendor client.

A client is built from a `Connection` (where, with which secret, bound to what) and answers in the frozen dataclasses
below, never in the vendor's dictionaries; the raw document rides along in `raw`. Listing and getting is what every
vendor can do; everything else is a one-method protocol, and having the method is the capability.

Nothing here knows Django: an adapter can be read, run and tested with a URL and a token. What needs the database
(rate budget, breaker, token store) is handed in as a small protocol inside `Connection`.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

if TYPE_CHECKING:
    from integrations_app.vendors.capabilities import EditRules, ListingKind

# What a connection to a simulator on this machine may reach (`Connection.allowed_networks`).
LOOPBACK_NETWORKS: tuple[str, ...] = ("127.0.0.0/8", "::1/128")

# --- where and with what -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CredentialField:
    """One field of a vendor's credential form. `is_secret` fields are encrypted and never shown again."""

    name: str
    label: str
    help: str = ""
    is_secret: bool = True


@dataclass(frozen=True)
class BindingField:
    """What binds a credential to one tenant at this vendor (Alloy's end user, Membrane's tenant key)."""

    name: str
    label: str
    help: str = ""
    is_required: bool = True


@dataclass(frozen=True)
class Region:
    """A place the vendor runs at. `hosts` maps a role ("api", "auth", "hooks") to a base URL without a trailing slash.

    `app_url` is where a person opens the vendor's own screen, "" where unknown. `options` are client settings that come
    with the place (Alloy: the generation of the answers and the version).
    """

    slug: str
    label: str
    hosts: Mapping[str, str]
    app_url: str = ""
    options: Mapping[str, str] = field(default_factory=dict)


class RateBudget(Protocol):
    """A budget of calls shared by every process that uses one account."""

    def take(self) -> None:
        """Spend one call; raises VendorRateLimitError when none is left for longer than a short wait."""

    def refuse_until(self, seconds: float) -> None:
        """The vendor said to wait: nobody calls for this many seconds."""


class Breaker(Protocol):
    """A circuit breaker shared by every process that uses one account."""

    def check(self) -> None:
        """Raises VendorPausedError while open."""

    def succeeded(self) -> None: ...

    def failed(self) -> None: ...


class TokenStore(Protocol):
    """Keeps one short-lived vendor token for all workers, encrypted; renewing is done by one of them."""

    def current(self) -> str | None:
        """The token, or None when there is none, or it is about to expire."""

    def renew(self, refused: str | None, fetch: TokenFetch) -> str:
        """Return a token other than `refused`, calling `fetch` in at most one process at a time."""


class TokenFetch(Protocol):
    def __call__(self) -> tuple[str, float]:
        """Ask the vendor for a token; returns it with its lifetime in seconds."""


@dataclass(frozen=True, repr=False)
class Connection:
    """Everything a client needs to call a vendor for one account. Has no repr: it holds secrets in the clear."""

    region: Region
    credential: Mapping[str, str]
    binding: Mapping[str, str] = field(default_factory=dict)
    budget: RateBudget | None = None
    breaker: Breaker | None = None
    tokens: TokenStore | None = None
    # Networks a client may reach although they are private; an installer's allow-list (and loopback for the simulator).
    allowed_networks: Sequence[str] = ()
    # Verify servers against this CA bundle instead of the built-in one; None for the built-in one.
    ca_bundle: str | None = None


# --- what a client answers ---------------------------------------------------------------------------------------


class Lifecycle(enum.StrEnum):
    """What the vendor says of an integration as a whole, before anything that is wrong with it is weighed."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    BUILDING = "building"
    ARCHIVED = "archived"


class FindingCode(enum.StrEnum):
    """Something about an integration that a person should know; the console has a sentence and a next step for each."""

    ERRORS = "errors"  # count errors at the vendor
    CONFIGURATION_ERROR = "configuration_error"
    SETUP_FAILED = "setup_failed"
    MISSING_PARAMETERS = "missing_parameters"
    ACTION_REQUIRED = "action_required"  # the vendor waits for the end customer
    CONNECTION_DEFUNCT = "connection_defunct"  # access is lost for good: the end customer signs in again
    CONNECTION_OFFLINE = "connection_offline"  # count connections offline
    CONNECTION_MISSING = "connection_missing"  # never connected
    CONNECTION_RETRYING = "connection_retrying"  # the vendor itself tries again
    VERSION_BEHIND = "version_behind"  # count workflows behind
    HALF_INSTALLED = "half_installed"  # count steps left
    WORKFLOWS_OFF = "workflows_off"  # some are on, count are off
    NEVER_USED = "never_used"
    UPDATE_IN_PROGRESS = "update_in_progress"


@dataclass(frozen=True)
class Finding:
    """`subject` is what it is about in the vendor's own name ("Shopify"), "" when it is the whole integration.

    `detail` is the vendor's own words, plain text, cut to length; `since` when known.
    """

    code: FindingCode
    subject: str = ""
    count: int = 0
    detail: str = ""
    since: datetime | None = None


class PartKind(enum.StrEnum):
    """A child resource that comes with an integration in a list."""

    WORKFLOW = "workflow"
    CONNECTION = "connection"
    SHARE = "share"


@dataclass(frozen=True)
class RemoteStep:
    """One block or connector inside a workflow. `app` is the vendor's slug of the app, `subtitle` its own text."""

    remote_id: str
    name: str
    app: str = ""
    subtitle: str = ""


@dataclass(frozen=True)
class RemotePart:
    """A workflow, a connection or a workspace it is shared with.

    None means the vendor did not say; it never means false. `words` are the vendor's own ("installed v2 of 3").
    """

    kind: PartKind
    remote_id: str
    name: str
    is_active: bool | None = None
    is_installed: bool | None = None
    version: str = ""
    installed_version: str = ""
    words: str = ""
    steps: tuple[RemoteStep, ...] = ()


@dataclass(frozen=True)
class RemoteIntegration:
    """One integration as its vendor holds it.

    `remote_id` is what get and later calls use, unique within an account. `app` is the app it is about ("Shopify"),
    `vendor_words` the vendor's state in its own words (code type on the pages). `version` and `latest_version` are for
    reading, "" when the vendor has none. `aliases` are other exact texts a person may paste to find it (keys, uuids,
    names, workflow ids, webhook addresses, e-mails); they are stored as digests only. Times are aware UTC.
    `raw` is the whole answer document, parsed.
    """

    remote_id: str
    name: str
    lifecycle: Lifecycle
    raw: Mapping[str, Any]
    app: str = ""
    vendor_words: str = ""
    findings: tuple[Finding, ...] = ()
    parts: tuple[RemotePart, ...] = ()
    aliases: tuple[str, ...] = ()
    version: str = ""
    latest_version: str = ""
    remote_url: str = ""
    remote_created_at: datetime | None = None
    remote_updated_at: datetime | None = None
    last_used_at: datetime | None = None


@dataclass(frozen=True)
class BadItem:
    """An item of a list that could not be read: quarantined with its reason, not guessed at. `raw` may be any JSON."""

    remote_id: str
    reason: str
    raw: Any = None


@dataclass(frozen=True)
class RemotePage:
    """One page of a list: what could be read and what could not, and whether the vendor knows how many there are."""

    items: tuple[RemoteIntegration, ...]
    bad: tuple[BadItem, ...] = ()
    total: int | None = None


@dataclass(frozen=True)
class Probe:
    """One question of an account test: what we asked the vendor, whether it answered, and what follows in words."""

    name: str  # "list integrations"
    ok: bool
    answer: str  # "Yes, 36" or "Refused (403)"
    consequence: str  # "sync works"
    error: Exception | None = field(default=None, compare=False)


@dataclass(frozen=True)
class AccountReport:
    """What an account test found. `identity` says, in the vendor's words, whom the secret belongs to, "" if unsaid."""

    probes: tuple[Probe, ...]
    identity: str = ""


# --- what a document looks like ----------------------------------------------------------------------------------


class FieldKind(enum.StrEnum):
    """How a field of a vendor document is shown."""

    TEXT = "text"
    CODE = "code"  # ids, keys, versions: code type with a copy button
    TIME = "time"
    TRUTH = "truth"  # yes / no
    NUMBER = "number"
    ADDRESS = "address"  # shown as text, never fetched, never a link
    LIST = "list"  # of texts
    DOCUMENT = "document"  # folded JSON
    SECRET = "secret"  # nosec B105  # shown as "set" / "not set" only


@dataclass(frozen=True)
class DocumentField:
    """One field of the vendor's integration document and how the pages show it.

    `path` is dotted; `[]` steps into a list ("workflows[].connectors[].subtitle"). `group` is the heading it stands
    under. "Workflows" is shown in the tab of what is inside, groups that start with "Connection" or "Sharing" in the
    connection's tab, all others ("Facts" ...) in the overview. `is_secret` leaves are replaced by a fingerprint before
    anything is shown, whole sub-trees included.
    """

    path: str
    label: str
    kind: FieldKind = FieldKind.TEXT
    group: str = "Facts"

    @property
    def is_secret(self) -> bool:
        return self.kind is FieldKind.SECRET


# --- live search -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SearchField:
    """One filter the vendor itself offers. `choices` are (value, label), none for free text. "truth" is a check box."""

    name: str
    label: str
    help: str = ""
    kind: str = "text"  # text | truth | number | choice
    choices: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class SearchHit:
    """One answer of a live search. `remote_id` is "" for a candidate the vendor generated and does not store."""

    remote_id: str
    name: str
    summary: str = ""
    is_candidate: bool = False


@dataclass(frozen=True)
class SearchAnswer:
    hits: tuple[SearchHit, ...]
    next_cursor: str = ""
    bad: tuple[BadItem, ...] = ()


# --- the protocols -----------------------------------------------------------------------------------------------


class VendorClient(Protocol):
    """What every vendor can do. `__init__` takes one `Connection`."""

    slug: ClassVar[str]
    label: ClassVar[str]
    mark: ClassVar[str]  # two letters for the lists: "Al", "Ce", "To", "Me"
    credential_fields: ClassVar[tuple[CredentialField, ...]]
    binding_fields: ClassVar[tuple[BindingField, ...]]
    document_fields: ClassVar[tuple[DocumentField, ...]]
    regions: ClassVar[tuple[Region, ...]]
    # Why an operation is not offered, by capability protocol name, for the reason beside a disabled button.
    unsupported_reasons: ClassVar[Mapping[str, str]]
    # The filters of SupportsLiveSearch, () without it. They stand here because a protocol with such a member could not
    # be asked with issubclass(), which is how a capability is found.
    search_fields: ClassVar[tuple[SearchField, ...]]
    # For the same reason: what SupportsEdit may write, what SupportsListings reads, what SupportsClone leaves behind.
    edit_rules: ClassVar[EditRules | None]
    listings: ClassVar[tuple[ListingKind, ...]]
    clone_notes: ClassVar[tuple[str, ...]]

    def __init__(self, connection: Connection) -> None: ...

    @classmethod
    def simulator_region(cls, simulator_url: str) -> tuple[Region, ...]:
        """The region(s) "Simulator" under the base URL of a vendor simulator (one per answer generation at Alloy)."""

    @classmethod
    def read_integration(cls, document: Mapping[str, Any], region: Region) -> RemoteIntegration:
        """Read one raw document; raises VendorResponseError when it is not one. Pure: also used on stored documents."""

    def list_integrations(self) -> Iterator[RemotePage]:
        """All integrations of the account, page by page, as the vendor pages them; one page where it does not."""

    def get_integration(self, remote_id: str) -> RemoteIntegration: ...

    def test_account(self) -> AccountReport:
        """Ask the vendor a few harmless questions; refusals are answers, not exceptions.

        Raises VendorUnavailableError and VendorRateLimitError, which say nothing about the account.
        """


@runtime_checkable
class SupportsLiveSearch(Protocol):
    """The vendor searches by filters of its own: those in the client's `search_fields`."""

    def search_integrations(self, filters: Mapping[str, str], cursor: str = "") -> SearchAnswer:
        """Ask the vendor itself with its own filters; never touches the mirror."""


@runtime_checkable
class SupportsLookup(Protocol):
    """The vendor resolves more than its id: a name (Alloy), a key or a uuid (Membrane)."""

    def find_integration(self, reference: str) -> RemoteIntegration: ...
