"""The Alloy client against the simulator's Alloy, both generations of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from integrations_app.simulator.faults import Fault
from integrations_app.simulator.server import SimulatorServer
from integrations_app.vendors.alloy import AlloyClient
from integrations_app.vendors.base import Connection, FindingCode, Lifecycle, RemoteIntegration
from integrations_app.vendors.errors import (
    VendorAddressError,
    VendorAuthError,
    VendorNotFoundError,
    VendorRateLimitError,
    VendorRejectedError,
    VendorResponseError,
    VendorUnavailableError,
)

Connect = Callable[..., Connection]

CURRENT, LEGACY = "brightwater-alloy", "larkspur-alloy"
REGION = AlloyClient.regions[0]


def listed(client: AlloyClient) -> dict[str, RemoteIntegration]:
    return {item.remote_id: item for page in client.list_integrations() for item in page.items}


def read(**fields: Any) -> RemoteIntegration:
    return AlloyClient.read_integration({"integrationId": "63ea758e82c3074141968bb9", **fields}, REGION)


def workflow(**fields: Any) -> dict[str, Any]:
    return {"workflowId": "w1", "name": "Orders", "installed": True, "active": True, "version": 3, **fields}


# --- over the wire ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "size"), [(CURRENT, 18), (LEGACY, 15)])
def test_every_integration_is_listed_once(connect: Connect, name: str, size: int) -> None:
    pages = list(AlloyClient(connect(name)).list_integrations())

    assert len({item.remote_id for page in pages for item in page.items}) == size
    assert all(page.bad == () for page in pages)


@pytest.mark.parametrize("name", [CURRENT, LEGACY])
def test_steps_are_read_whatever_they_are_called(connect: Connect, name: str) -> None:
    steps = [step for item in listed(AlloyClient(connect(name))).values() for part in item.parts for step in part.steps]

    assert steps
    assert all(step.name and step.app and step.remote_id for step in steps)
    assert any(step.subtitle for step in steps) == (name == CURRENT)


def test_a_list_without_names_shows_the_main_app(connect: Connect, simulator: SimulatorServer) -> None:
    simulator.world.turn("alloy.list_app", "never")
    item = next(iter(listed(AlloyClient(connect(CURRENT))).values()))

    assert "app" not in item.raw
    assert item.name == item.app == item.raw["primaryConnector"]


@pytest.mark.parametrize("name", [CURRENT, LEGACY])
def test_one_is_got_by_id_and_by_name(connect: Connect, name: str) -> None:
    client = AlloyClient(connect(name))
    item = next(item for item in listed(client).values() if " " in item.raw.get("app", ""))

    assert client.get_integration(item.remote_id).name == item.raw["app"]
    assert client.find_integration(item.raw["app"]).remote_id == item.remote_id


def test_a_name_with_a_slash_stays_one_segment(connect: Connect) -> None:
    with pytest.raises(VendorRejectedError):
        AlloyClient(connect(CURRENT)).find_integration("Orders/Refunds & more? #1 %2e%2e")
    with pytest.raises(VendorAddressError):
        AlloyClient(connect(CURRENT)).find_integration("..")


@pytest.mark.parametrize(("status", "kind"), [(400, VendorRejectedError), (404, VendorNotFoundError)])
@pytest.mark.parametrize("body", ["object", "string", "message", "none"])
def test_an_unknown_id_is_refused_whatever_the_answer_looks_like(
    connect: Connect, simulator: SimulatorServer, status: int, kind: type[Exception], body: str
) -> None:
    simulator.world.turn("alloy.unknown_status", status)
    simulator.world.turn("alloy.bad_request_body", body)
    with pytest.raises(kind) as caught:
        AlloyClient(connect(CURRENT)).get_integration("63ea758e82c3074141968000")
    if isinstance(caught.value, VendorRejectedError):
        assert caught.value.reasons == ((("", "", "Integration not found"),) if body == "message" else ())
        assert ("unknown to it" in str(caught.value)) == (body != "message")


def test_a_wrong_key_is_an_auth_error_that_does_not_show_it(connect: Connect) -> None:
    with pytest.raises(VendorAuthError) as caught:
        listed(AlloyClient(connect(CURRENT, credential={"api_key": "fake-wrong-key"})))
    assert "fake-wrong-key" not in repr(vars(caught.value)) + str(caught.value)


def test_an_item_without_an_id_is_set_aside(connect: Connect, simulator: SimulatorServer) -> None:
    account = simulator.world.account(CURRENT)
    assert account is not None
    simulator.world.break_item(account, 3, "no_id")
    pages = list(AlloyClient(connect(CURRENT)).list_integrations())

    assert sum(len(page.items) for page in pages) == 17
    ((bad,),) = [page.bad for page in pages if page.bad]
    assert bad.reason == "The integration has no integrationId."


@pytest.mark.parametrize(
    ("kind", "error"),
    [("truncate", VendorUnavailableError), ("reset", VendorUnavailableError), ("content", VendorResponseError)],
)
def test_half_a_list_is_an_error(
    connect: Connect, simulator: SimulatorServer, kind: str, error: type[Exception]
) -> None:
    simulator.world.add_fault(Fault(name="spoilt", kind=kind, account=CURRENT))
    with pytest.raises(error):
        listed(AlloyClient(connect(CURRENT)))


def test_too_many_calls_are_told_with_their_wait(connect: Connect, simulator: SimulatorServer) -> None:
    simulator.world.add_fault(Fault("slow", "status", account=CURRENT, status=429, headers={"Retry-After": "30"}))
    with pytest.raises(VendorRateLimitError) as caught:
        listed(AlloyClient(connect(CURRENT)))
    assert caught.value.retry_after_seconds == 30


@pytest.mark.parametrize("name", [CURRENT, LEGACY])
def test_an_account_test_says_how_many_there_are(connect: Connect, name: str) -> None:
    (probe,) = AlloyClient(connect(name)).test_account().probes

    assert (probe.ok, probe.name) == (True, "list integrations")
    assert probe.answer == f"Yes, {18 if name == CURRENT else 15}"


def test_an_account_test_reports_a_refusal(connect: Connect) -> None:
    (probe,) = AlloyClient(connect(CURRENT, credential={"api_key": "fake-wrong-key"})).test_account().probes
    assert (probe.ok, probe.answer) == (False, "Refused (401)")
    assert isinstance(probe.error, VendorAuthError)


def test_a_long_list_comes_in_pages(connect: Connect, simulator: SimulatorServer) -> None:
    simulator.world.add_account(
        name="long-alloy", vendor="alloy", customer="long", label="Long", region="simulator-current", size=450, seed=1,
        script="ok",
    )  # fmt: skip
    pages = list(AlloyClient(connect("long-alloy")).list_integrations())
    assert [len(page.items) for page in pages] == [200, 200, 50]


# --- what a document means -------------------------------------------------------------------------------------------


def test_missing_truths_are_unknown_and_never_true() -> None:
    item = read(workflows=[{"workflowId": "w1", "name": "Orders"}])

    assert item.lifecycle is Lifecycle.INACTIVE
    assert item.vendor_words == ""
    assert (item.parts[0].is_active, item.parts[0].is_installed) == (None, None)
    assert item.findings == ()


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"app": "Tidepool Sync", "primaryConnector": "Shopify"}, "Tidepool Sync"),
        ({"app": "", "primaryConnector": "Shopify"}, "Shopify"),
        ({"app": None}, "63ea758e82c3074141968bb9"),
    ],
)
def test_the_label_is_the_first_name_present(fields: dict[str, Any], name: str) -> None:
    assert read(**fields).name == name


@pytest.mark.parametrize(
    ("workflows", "code", "count"),
    [
        ([workflow(installedVersion=2)], FindingCode.VERSION_BEHIND, 1),
        ([workflow(installedVersion=3)], None, 0),
        ([workflow()], None, 0),
        ([workflow(installed=False, active=False, installedVersion=0)], None, 0),
        ([workflow(), workflow(active=False), workflow(active=False)], FindingCode.WORKFLOWS_OFF, 2),
        ([workflow(active=False)], None, 0),
        ([workflow(), workflow(active=None)], None, 0),
        ([workflow(), workflow(installed=False, active=False)], FindingCode.HALF_INSTALLED, 1),
    ],
)
def test_findings_follow_from_the_workflows(
    workflows: list[dict[str, Any]], code: FindingCode | None, count: int
) -> None:
    findings = read(installed=True, workflows=workflows).findings
    assert [(finding.code, finding.count) for finding in findings] == ([(code, count)] if code else [])


def test_workflows_that_contradict_their_integration_leave_a_step_open() -> None:
    (finding,) = read(installed=False, workflows=[workflow()]).findings
    assert (finding.code, finding.count) == (FindingCode.HALF_INSTALLED, 1)


def test_names_and_ids_are_found_again() -> None:
    item = read(app="Tidepool", primaryConnector="Shopify", workflows=[workflow()])
    assert set(item.aliases) == {"Tidepool", "Shopify", "w1", "Orders"}


@pytest.mark.parametrize(
    "fields",
    [
        {"workflows": "none"},
        {"workflows": [None, 5, {"blocks": {"name": "x"}}, {"connectors": [[], {"name": {"a": 1}}]}]},
        {"app": ["x"], "installed": "yes", "credentials": 4, "primaryConnector": {}},
        {"workflows": [{"version": "three", "installedVersion": [], "active": 1, "installed": "true"}]},
    ],
)
def test_wrong_types_are_unknown(fields: dict[str, Any]) -> None:
    item = read(**fields)
    assert (item.lifecycle, item.findings) == (Lifecycle.INACTIVE, ())


@pytest.mark.parametrize("remote_id", [None, "", 5, "a\nb", {}])
def test_a_document_without_an_id_is_refused(remote_id: Any) -> None:
    with pytest.raises(VendorResponseError):
        AlloyClient.read_integration({"integrationId": remote_id, "app": "x"}, REGION)
