"""Celigo's client against the contract: every operation it uses, in every documented success, asked as documented."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from jsonschema import Draft202012Validator

from integrations_app.vendors.capabilities import CloneRequest
from integrations_app.vendors.celigo import CeligoClient
from integrations_app.vendors.errors import (
    VendorAuthError,
    VendorError,
    VendorForbiddenError,
    VendorNotFoundError,
    VendorRateLimitError,
    VendorRejectedError,
)
from tests.integrations_app.vendors.celigo_scripts import (
    FLOW,
    ID,
    INBOUND,
    LEDGER,
    SHOP,
    STEP,
    Sent,
    scripted,
    sent,
)
from tests.integrations_app.vendors.hostile import HostileServer, answer

CONTRACTS = Path(__file__).parents[2] / "data" / "contracts"
CONTRACT: dict[str, Any] = json.loads((CONTRACTS / "celigo.contract.json").read_text())
EXAMPLES: dict[str, Any] = json.loads((CONTRACTS / "celigo.examples.json").read_text())

Hostile = Callable[..., HostileServer]
Act = Callable[[CeligoClient], Any]


@dataclass(frozen=True)
class Operation:
    """One operation of the contract."""

    name: str
    method: str
    path: str
    content: Mapping[str, Any]

    @property
    def successes(self) -> list[int]:
        return [int(status) for status in self.content["responses"] if status.startswith("2")]


def operations() -> Iterator[Operation]:
    for path, methods in CONTRACT["paths"].items():
        for method, content in methods.items():
            if method in ("get", "put", "post", "patch", "delete"):
                yield Operation(content["operationId"], method.upper(), path, content)


OPERATIONS = {operation.name: operation for operation in operations()}


def asked_for(request: Sent) -> Operation:
    """The operation of a request; where a word stands where an id could, the one that names the word."""
    path = request.target.partition("?")[0]
    found = [
        each
        for each in OPERATIONS.values()
        if each.method == request.method and re.fullmatch(re.sub(r"\{[^}]*\}", "[^/]+", each.path), path)
    ]
    assert found, f"{request.method} {path} is no operation of the contract"
    return min(found, key=lambda each: each.path.count("{"))


def listing(kind: str) -> Act:
    return lambda client: client.read_listing(kind, ID, f"{FLOW}/{STEP}" if kind == "error_records" else "")


# Every operation the client uses, and what makes it do so.
CALLS: dict[str, Act] = {
    "listIntegrations": lambda client: list(client.list_integrations()),
    "createIntegration": lambda client: client.create_integration({"name": "Returns", "description": "Labels"}),
    "getIntegration": lambda client: client.get_integration(ID),
    "updateIntegration": lambda client: client.edit_integration(client.get_integration(ID), {"name": "Orders v2"}),
    "patchIntegration": lambda client: client.edit_integration(
        client.get_integration(ID),
        {"settings": {"warehouse": "EAST"}, f"flowGroupings/{INBOUND}/settings": {"batch": 100}, "aliases": []},
    ),
    "deleteIntegration": lambda client: client.delete_integration(ID),
    "cloneIntegration": lambda client: client.clone_integration(
        ID, CloneRequest("Clone", {SHOP: SHOP, LEDGER: LEDGER}, environment="66d1f0000000000000013013", is_sandbox=True)
    ),
    "previewIntegrationClone": lambda client: client.preview_clone(ID),
    "listIntegrationFlows": listing("flows"),
    "listIntegrationConnections": listing("connections"),
    "listIntegrationExports": listing("exports"),
    "listIntegrationImports": listing("imports"),
    "listIntegrationAShares": listing("people"),
    "registerConnections": lambda client: client.register_connections(ID, [SHOP, LEDGER]),
    "registerConnection": lambda client: client.register_connections(ID, [SHOP]),
    "unregisterConnection": lambda client: client.unregister_connection(ID, SHOP),
    "listRevisions": listing("revisions"),
    "createRevision": lambda client: client.create_revision(ID, note="before the freeze", only_if_changed=True),
    "getInstallSteps": listing("install_steps"),
    "submitInstallStep": lambda client: client.submit_step(ID, {"warehouse": "EAST"}, uninstall=False),
    "getUninstallSteps": listing("uninstall_steps"),
    "submitUninstallStep": lambda client: client.submit_step(ID, {}, uninstall=True),
    "listIntegrationAudit": listing("audit"),
    "downloadIntegration": lambda client: client.sign_archive(ID),
    "downloadIntegrationViaPost": lambda client: client.sign_archive(ID),
    "getIntegrationDependencies": listing("dependencies"),
    "listIntegrationErrorCounts": listing("errors"),
    "getFlowErrorSummary": listing("errors"),
    "listStepErrors": listing("error_records"),
    "retryErrors": lambda client: client.retry_errors(FLOW, STEP, ["8c3376b1316945eab65d401eb01c7b79"]),
    "resolveErrors": lambda client: client.resolve_errors(FLOW, STEP, ["7731904412"]),
    "getFlow": lambda client: client.read_flow(FLOW),
    "patchFlow": lambda client: client.set_flow(FLOW, is_on=False),
    "runFlow": lambda client: client.run_flow(FLOW),
    "listJobs": lambda client: client.flow_runs(FLOW, datetime(2026, 3, 14, tzinfo=UTC)),
    "listConnections": listing("account_connections"),
    "pingConnection": lambda client: client.ping_connection(SHOP),
    "pingConnectionLegacy": lambda client: client.ping_connection(SHOP),
    "getTokenInfo": lambda client: client.test_account(),
}
# The methods that are asked only where the other one is refused.
SECOND = {"downloadIntegrationViaPost": "downloadIntegration", "pingConnectionLegacy": "pingConnection"}
# Operations without an example of their own answer like another one.
ANSWERS_LIKE = {
    "listConnections": "listIntegrationConnections",
    "downloadIntegrationViaPost": "downloadIntegration",
    "pingConnectionLegacy": "pingConnection",
    "retryErrors": "getJob",
}


def example(name: str, status: int) -> bytes:
    """The answer of an operation with this status: its example, or without a body."""
    name = ANSWERS_LIKE.get(name, name)
    titles = (f"{name}.{status}.last", f"{name}.{status}", f"{name}.200", f"{name}.201")
    found = next((EXAMPLES[title]["body"] for title in titles if title in EXAMPLES), None)
    body = b"" if status == 204 or found is None else json.dumps(found).encode()
    return answer(body, f"{status} Said", Content_Type="application/json", Connection="close")


def answering(hostile: Hostile, name: str, reply: bytes) -> HostileServer:
    """A server that gives `reply` to one operation, and to every other one its example."""

    def script(connection: socket.socket) -> None:
        asked = asked_for(sent(server)[-1]).name
        if asked == name:
            connection.sendall(reply)
        elif asked == SECOND.get(name):
            connection.sendall(answer(b'{"errors": []}', "405 No", Connection="close"))
        elif asked == "listIntegrations":
            connection.sendall(example("listIntegrations", 200))
        else:
            connection.sendall(example(asked, OPERATIONS[asked].successes[0]))

    server = hostile(script)
    return server


def check_request(request: Sent) -> None:
    """A request is asked as the contract has it: its query, its body, its type."""
    operation = asked_for(request)
    shared = CONTRACT["paths"][operation.path].get("parameters", [])
    named = {_at(parameter)["name"] for parameter in [*operation.content.get("parameters", []), *shared]}
    query = {name for name, _ in parse_qsl(request.target.partition("?")[2])}
    assert query <= named, f"{operation.name} has no {query - named}"
    body = operation.content.get("requestBody")
    if request.body is None:
        assert not (body and body.get("required")), f"{operation.name} needs a body"
        return
    assert body, f"{operation.name} takes no body"
    assert request.headers["content-type"] == "application/json"
    schema = _at(body)["content"]["application/json"]["schema"]
    Draft202012Validator({**schema, "components": CONTRACT["components"]}).validate(request.body)


def _at(value: Any) -> Any:
    while "$ref" in value:
        found: Any = CONTRACT
        for part in value["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        value = found
    return value


# --- coverage ------------------------------------------------------------------------------------------------------


def test_every_operation_of_the_reference_page_is_used() -> None:
    of_integrations = {
        each.name
        for each in OPERATIONS.values()
        if each.path.startswith("/v1/integrations") and each.content.get("x-evidence", "") == "documented"
    }
    # It stands in another page, and a flow's own jobs are read instead.
    assert of_integrations - set(CALLS) == {"getLatestIntegrationJobs"}


@pytest.mark.parametrize("name", CALLS)
def test_each_operation_is_asked_as_documented_in_every_success(hostile: Hostile, name: str) -> None:
    for status in OPERATIONS[name].successes:
        server = answering(hostile, name, example(name, status))
        CALLS[name](scripted(server))
        requests = sent(server)
        assert name in [asked_for(request).name for request in requests]
        for request in requests:
            check_request(request)


ERRORS: dict[str, tuple[str, type[VendorError]]] = {
    "400": ("error.400.clone", VendorRejectedError),
    "401": ("error.401", VendorAuthError),
    "403": ("error.403", VendorForbiddenError),
    "404": ("error.404", VendorNotFoundError),
    "409": ("error.409.invite", VendorRejectedError),
    "422": ("error.422.multi", VendorRejectedError),
    "429": ("error.429", VendorRateLimitError),
}
# A ping that is refused is an answer, and so is everything that an account test asks.
ANSWERED = {"pingConnection", "pingConnectionLegacy", "getTokenInfo"}


@pytest.mark.parametrize("name", [name for name in CALLS if name not in ANSWERED])
def test_each_documented_refusal_of_each_operation_becomes_its_error(hostile: Hostile, name: str) -> None:
    for status in OPERATIONS[name].content["responses"]:
        if status.startswith("2") or (name == "getFlowErrorSummary" and status == "404"):
            continue
        if name == "downloadIntegration" and status in ("400", "404", "409"):
            continue  # the other method is asked then
        title, expected = ERRORS[status]
        body = json.dumps(EXAMPLES[title]["body"]).encode()
        server = answering(hostile, name, answer(body, f"{status} No", Retry_After="60", Connection="close"))
        with pytest.raises(expected) as refused:
            CALLS[name](scripted(server))
        assert type(refused.value) is expected
        if isinstance(refused.value, VendorRejectedError):
            assert len(refused.value.reasons) == len(EXAMPLES[title]["body"]["errors"])


def test_the_two_answers_of_a_clone_name_the_same(hostile: Hostile) -> None:
    for title in ("cloneIntegration.201", "cloneIntegration.201.manifest"):
        body = json.dumps(EXAMPLES[title]["body"]).encode()
        server = answering(hostile, "cloneIntegration", answer(body, "201 Created", Connection="close"))
        assert CALLS["cloneIntegration"](scripted(server)) == "66d1f00000000000000001f5"


# --- what is secret ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schema", "kinds", "open_objects"),
    [
        ("Connection", ("connections", "account_connections"), set()),
        ("Export", ("exports",), {"delta", "once", "transform", "filter", "inputFilter"}),
        ("Import", ("imports",), {"mapping", "filter", "responseTransform"}),
    ],
)
def test_every_object_that_configures_something_is_secret(
    schema: str, kinds: tuple[str, ...], open_objects: set[str]
) -> None:
    properties = CONTRACT["components"]["schemas"][schema]["properties"]
    objects = {name for name, content in properties.items() if content.get("type") == "object"} - open_objects
    anything = {name for name, content in properties.items() if not {"type", "$ref", "allOf"} & set(content)}
    for kind in CeligoClient.listings:
        if kind.slug in kinds:
            assert (objects | anything) - {"aiDescription"} <= set(kind.secret_paths)


def test_the_form_offers_what_may_be_patched_and_nothing_a_server_sets() -> None:
    rules = CeligoClient.edit_rules
    assert rules is not None
    properties = CONTRACT["components"]["schemas"]["Integration"]["properties"]
    assert {name for name, content in properties.items() if content.get("readOnly")} <= rules.server_owned
    assert rules.server_owned <= {*properties, "lastExecutedAt"}
    assert {field.name for field in rules.fields} <= set(properties) - rules.server_owned
    longest = {name: content["maxLength"] for name, content in properties.items() if "maxLength" in content}
    assert {field.name: field.max_length for field in rules.fields if field.max_length} == longest
