"""Alloy Embedded: integrations are bundles of workflows, seen as one end user has them installed.

Sources: docs.runalloy.com/reference/embedded, "List integrations" (answers with `blocks`, up to 2024-03) and "Get an
integration" (answers with `connectors`, 2025-09). Schema and example disagree on the newer page, so either kind of
answer is accepted from either host.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from integrations_app.vendors import parsing, probes
from integrations_app.vendors.base import (
    AccountReport,
    BindingField,
    Connection,
    CredentialField,
    DocumentField,
    FieldKind,
    Finding,
    FindingCode,
    Lifecycle,
    PartKind,
    Region,
    RemoteIntegration,
    RemotePage,
    RemotePart,
    RemoteStep,
    SearchField,
)
from integrations_app.vendors.capabilities import EditRules, ListingKind
from integrations_app.vendors.errors import VendorRejectedError, VendorResponseError
from integrations_app.vendors.http import Answer, ItemStream, VendorHTTP
from integrations_app.vendors.listing import ListGuard, in_pages, read_page

_LIST = "list integrations"
_GET = "get an integration"

_CURRENT_VERSION = "2025-09"
_LEGACY_VERSIONS = ("2024-03", "2023-12", "2023-06", "2023-01")


def _legacy_region(slug: str, label: str, base_url: str, version: str) -> Region:
    return Region(
        f"{slug}-{version}", f"{label}, legacy {version}", {"api": base_url}, options={"path_version": version}
    )


class AlloyClient:
    """Lists and gets integrations for the end user that the account is bound to."""

    slug: ClassVar[str] = "alloy"
    label: ClassVar[str] = "Alloy"
    mark: ClassVar[str] = "Al"
    credential_fields: ClassVar[tuple[CredentialField, ...]] = (
        CredentialField("api_key", "API key", "From the Alloy dashboard, under Settings. It opens every end user."),
    )
    binding_fields: ClassVar[tuple[BindingField, ...]] = (
        BindingField("end_user_id", "End user", "The user's id at Alloy, or the username."),
    )
    # The 2025-09 host has no published EU twin; an EU account uses a legacy version.
    regions: ClassVar[tuple[Region, ...]] = (
        Region(
            "us",
            f"US, current ({_CURRENT_VERSION})",
            {"api": "https://production.runalloy.com"},
            options={"header_version": _CURRENT_VERSION},
        ),
        *(_legacy_region("us", "US", "https://embedded.runalloy.com", version) for version in _LEGACY_VERSIONS),
        *(_legacy_region("eu", "EU", "https://eu-embedded.runalloy.com", version) for version in _LEGACY_VERSIONS),
    )
    unsupported_reasons: ClassVar[Mapping[str, str]] = {
        "SupportsLiveSearch": "Alloy has no search: it resolves one id or name, and lists everything otherwise.",
        "SupportsEdit": "Alloy's API does not change integrations: they are built in Alloy itself.",
        "SupportsCreate": "Alloy's API does not create integrations: they are built in Alloy itself.",
        "SupportsDelete": "Alloy's API deletes no integrations, only a user's installed workflows.",
        "SupportsClone": "Alloy's API does not copy integrations.",
        "SupportsRevisions": "Alloy's API keeps no revisions on request.",
        "SupportsRegistration": "Alloy integrations have no list of connections to register on.",
        "SupportsArchive": "Alloy's API has no archive of an integration to download.",
    }
    search_fields: ClassVar[tuple[SearchField, ...]] = ()
    edit_rules: ClassVar[EditRules | None] = None
    listings: ClassVar[tuple[ListingKind, ...]] = ()
    clone_notes: ClassVar[tuple[str, ...]] = ()
    # Top-level fields that only the list or only the single answer carries, as Alloy's own examples do; missing in one,
    # they are no difference to the other.
    varying_fields: ClassVar[frozenset[str]] = frozenset({"app", "primaryConnector", "description", "credentials"})
    document_fields: ClassVar[tuple[DocumentField, ...]] = (
        DocumentField("app", "Name"),
        DocumentField("primaryConnector", "Main app"),
        DocumentField("description", "Description"),
        DocumentField("installed", "Installed", FieldKind.TRUTH),
        DocumentField("integrationId", "Integration id", FieldKind.CODE),
        DocumentField("icon", "Icon", FieldKind.ADDRESS),
        DocumentField("credentials", "Credentials needed", FieldKind.LIST),
        DocumentField("workflows[].name", "Name", group="Workflows"),
        DocumentField("workflows[].workflowId", "Workflow id", FieldKind.CODE, "Workflows"),
        DocumentField("workflows[].installed", "Installed", FieldKind.TRUTH, "Workflows"),
        DocumentField("workflows[].active", "Active", FieldKind.TRUTH, "Workflows"),
        DocumentField("workflows[].version", "Newest version", FieldKind.NUMBER, "Workflows"),
        DocumentField("workflows[].installedVersion", "Installed version", FieldKind.NUMBER, "Workflows"),
        DocumentField("workflows[].blocks[].name", "Block", group="Workflows"),
        DocumentField("workflows[].blocks[].id", "Block id", FieldKind.CODE, "Workflows"),
        DocumentField("workflows[].blocks[].type", "Block type", FieldKind.CODE, "Workflows"),
        DocumentField("workflows[].blocks[].icon", "Block icon", FieldKind.ADDRESS, "Workflows"),
        DocumentField("workflows[].connectors[].name", "Connector", group="Workflows"),
        DocumentField("workflows[].connectors[].subtitle", "What it does", group="Workflows"),
        DocumentField("workflows[].connectors[].id", "Connector id", FieldKind.CODE, "Workflows"),
        DocumentField("workflows[].connectors[].connector", "Connector type", FieldKind.CODE, "Workflows"),
        DocumentField("workflows[].connectors[].icon", "Connector icon", FieldKind.ADDRESS, "Workflows"),
    )

    def __init__(self, connection: Connection) -> None:
        options = connection.region.options
        self._region = connection.region
        self._path_version: tuple[str, ...] = (options["path_version"],) if "path_version" in options else ()
        self._params = {"userId": connection.binding.get("end_user_id", "")}
        self._http = VendorHTTP(
            self.slug,
            connection,
            headers={"x-api-version": options["header_version"]} if "header_version" in options else {},
            authorize=lambda: f"Bearer {connection.credential.get('api_key', '')}",
            reasons=_read_reasons,
        )

    @classmethod
    def simulator_region(cls, simulator_url: str) -> tuple[Region, ...]:
        """One region for each generation of answers, as Alloy has one host for each."""
        hosts = {"api": f"{simulator_url.rstrip('/')}/{cls.slug}"}
        return (
            Region("simulator-current", "Simulator, current", hosts, options={"header_version": _CURRENT_VERSION}),
            Region("simulator-legacy", "Simulator, legacy", hosts, options={"path_version": _LEGACY_VERSIONS[0]}),
        )

    @classmethod
    def read_integration(cls, document: Mapping[str, Any], region: Region) -> RemoteIntegration:
        """Read an item of a list or the answer to a get, of either generation; VendorResponseError without an id.

        A truth value that is missing is unknown: the vendor's published schema gives those fields the default true,
        which would turn every omission into "installed and active".
        """
        remote_id = parsing.identifier(document.get("integrationId"))
        if not remote_id:
            raise VendorResponseError("The integration has no integrationId.", vendor=cls.slug)
        workflows = tuple(_workflow(item) for item in parsing.documents(document.get("workflows")))
        installed = parsing.truth(document.get("installed"))
        name = parsing.text(document.get("app"))
        main_app = parsing.text(document.get("primaryConnector"))
        only = workflows[0] if len(workflows) == 1 else None
        return RemoteIntegration(
            remote_id=remote_id,
            # The newer list leaves `app` out, which its own page calls the name.
            name=name or main_app or remote_id,
            lifecycle=_lifecycle(installed, workflows),
            raw=document,
            app=main_app or _app_of_steps(workflows),
            vendor_words={True: "installed", False: "not installed", None: ""}[installed],
            findings=tuple(_findings(installed, workflows)),
            parts=workflows,
            aliases=_aliases(name, main_app, workflows),
            version=only.installed_version if only and only.is_installed else "",
            latest_version=only.version if only else "",
            remote_url=region.app_url,
        )

    def list_integrations(self) -> Iterator[RemotePage]:
        """Every integration of the account. Alloy sends the whole list at once; it is read and handed on in pages.

        Source: "List integrations", GET /integrations?userId=. No paging is documented.
        """
        guard = ListGuard(self.slug, _LIST)
        for position, items in enumerate(in_pages(self._items())):
            guard.page(str(position), len(items))
            yield read_page(items, self._read, id_field="integrationId")

    def get_integration(self, remote_id: str) -> RemoteIntegration:
        """One integration by its id, or its name; VendorNotFoundError or VendorRejectedError for an unknown one.

        Source: "Get an integration", GET /integrations/{integrationId}?userId=.
        Assumed: what an unknown id is answered with; Alloy documents a 400 with an empty object and nothing else.
        """
        try:
            answer = self._http.get(_GET, (*self._path_version, "integrations", remote_id), params=self._params)
        except VendorRejectedError as error:
            if not error.reasons:
                error.args = ("Alloy refuses without a reason: the integration or the end user is unknown to it.",)
                error.message = error.args[0]
            raise
        return self._read(self._data(answer))

    def find_integration(self, reference: str) -> RemoteIntegration:
        """The integration with this id or name, as Alloy itself resolves it."""
        return self.get_integration(reference)

    def test_account(self) -> AccountReport:
        """Ask for the list as the end user; Alloy has no call that says whose key it is."""
        question = probes.ask(
            _LIST,
            lambda: probes.counted(self._items()),
            works="Sync works.",
            fails="Nothing can be mirrored: check the API key and the end user.",
        )
        return AccountReport((question,))

    def _items(self) -> ItemStream:
        return self._http.get_items(_LIST, (*self._path_version, "integrations"), "data", params=self._params)

    def _data(self, answer: Answer) -> Mapping[str, Any]:
        data = parsing.document(answer.document).get("data")
        if not isinstance(data, dict):
            raise self._http.bad_answer(_GET, "The answer holds no integration.", answer)
        return data

    def _read(self, document: Mapping[str, Any]) -> RemoteIntegration:
        return self.read_integration(document, self._region)


def _read_reasons(_status: int, document: Any) -> list[tuple[str, str, str]]:
    # Most documented errors are an empty object; some have a message.
    return [("", "", parsing.document(document).get("message", ""))]


def _workflow(item: Mapping[str, Any]) -> RemotePart:
    installed = parsing.truth(item.get("installed"))
    newest, current = parsing.number(item.get("version")), parsing.number(item.get("installedVersion"))
    return RemotePart(
        kind=PartKind.WORKFLOW,
        remote_id=parsing.identifier(item.get("workflowId")),
        name=parsing.text(item.get("name")),
        is_active=parsing.truth(item.get("active")),
        is_installed=installed,
        version="" if newest is None else str(newest),
        installed_version="" if current is None else str(current),
        words=_workflow_words(installed, newest, current),
        steps=tuple(_step(step) for step in _raw_steps(item)),
    )


def _raw_steps(item: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """`connectors`, or `blocks` of the older generation: whichever is there, on either host."""
    return parsing.documents(item.get("connectors")) or parsing.documents(item.get("blocks"))


def _step(step: Mapping[str, Any]) -> RemoteStep:
    name, subtitle = parsing.text(step.get("name")), parsing.text(step.get("subtitle"))
    return RemoteStep(
        remote_id=parsing.identifier(step.get("id")),
        name=name,
        app=parsing.text(step.get("connector")) or parsing.text(step.get("type")),
        # A step that nobody has configured repeats its name.
        subtitle="" if subtitle == name else subtitle,
    )


def _workflow_words(installed: bool | None, newest: int | None, current: int | None) -> str:
    if installed is False:
        return "not installed"
    if current is not None and newest is not None:
        return f"installed v{current} of {newest}"
    return "installed" if installed else ""


def _lifecycle(installed: bool | None, workflows: tuple[RemotePart, ...]) -> Lifecycle:
    """Active when a workflow runs. The integration's own `installed` decides only where it has no workflows."""
    if any(workflow.is_active for workflow in workflows) or (installed and not workflows):
        return Lifecycle.ACTIVE
    return Lifecycle.INACTIVE


def _findings(installed: bool | None, workflows: tuple[RemotePart, ...]) -> Iterator[Finding]:
    behind = [workflow for workflow in workflows if _is_behind(workflow)]
    if behind:
        subject = behind[0].name if len(behind) == 1 else ""
        yield Finding(FindingCode.VERSION_BEHIND, subject, len(behind))
    there = [workflow for workflow in workflows if workflow.is_installed]
    missing = [workflow for workflow in workflows if workflow.is_installed is False]
    if there and (missing or installed is False):
        # Alloy's own contradiction (workflows installed, the integration not) leaves at least one step open.
        yield Finding(FindingCode.HALF_INSTALLED, count=max(len(missing), 1))
    off = [workflow for workflow in there if workflow.is_active is False]
    if off and any(workflow.is_active for workflow in workflows):
        yield Finding(FindingCode.WORKFLOWS_OFF, off[0].name if len(off) == 1 else "", len(off))


def _is_behind(workflow: RemotePart) -> bool:
    if not (workflow.is_installed and workflow.version and workflow.installed_version):
        return False
    return int(workflow.installed_version) < int(workflow.version)


def _app_of_steps(workflows: tuple[RemotePart, ...]) -> str:
    """The first step that is an app, not a part of Alloy: an app's name is its slug ("Magento", magento), while a
    built-in step is called otherwise ("Custom Event", customEvent). "" when that does not tell.
    """
    steps = (step for workflow in workflows for step in workflow.steps)
    return next((step.name for step in steps if step.app and step.name.casefold() == step.app.casefold()), "")


def _aliases(name: str, main_app: str, workflows: tuple[RemotePart, ...]) -> tuple[str, ...]:
    found = [name, main_app]
    for workflow in workflows:
        found += [workflow.remote_id, workflow.name]
    return tuple(dict.fromkeys(alias for alias in found if alias))
