"""Celigo's client changing, creating and deleting: what is sent, once, and what is never sent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from integrations_app.vendors.capabilities import MISSING, SupportsCreate, SupportsDelete, SupportsEdit
from integrations_app.vendors.celigo import CeligoClient
from integrations_app.vendors.errors import (
    VendorAuthError,
    VendorError,
    VendorForbiddenError,
    VendorNotFoundError,
    VendorOutcomeUnknownError,
    VendorRateLimitError,
    VendorRejectedError,
)
from tests.integrations_app.vendors.celigo_scripts import (
    ID,
    INBOUND,
    OUTBOUND,
    PAGE,
    document,
    empty,
    failed,
    integration,
    said,
    scripted,
    sent,
)
from tests.integrations_app.vendors.hostile import HostileServer, Script, answer, reset

Hostile = Callable[..., HostileServer]

GROUP = f"flowGroupings/{OUTBOUND}/settings"
RULES = CeligoClient.edit_rules
assert RULES is not None


def test_the_client_can_write() -> None:
    assert issubclass(CeligoClient, SupportsEdit)
    assert issubclass(CeligoClient, SupportsCreate)
    assert issubclass(CeligoClient, SupportsDelete)


# --- by PATCH ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reply", [empty(), said(document()), empty(200), PAGE])
def test_what_the_six_paths_allow_is_patched(hostile: Hostile, reply: bytes) -> None:
    server = hostile(reply)
    changes = {"settings": {"a": None}, "version": "2", "tag": "", "updateInProgress": True, "aliases": []}
    scripted(server).edit_integration(integration(), changes)
    (request,) = sent(server)
    assert (request.method, request.target) == ("PATCH", f"/v1/integrations/{ID}")
    assert request.headers["content-type"] == "application/json"
    assert request.body == [{"op": "replace", "path": f"/{name}", "value": value} for name, value in changes.items()]


def test_a_flow_group_is_patched_where_it_stands(hostile: Hostile) -> None:
    server = hostile(said(document()), empty())
    scripted(server).edit_integration(integration(), {GROUP: {"batch": 10}, "tag": "x"})
    read, request = sent(server)
    assert (read.method, read.target) == ("GET", f"/v1/integrations/{ID}")
    assert request.body == [
        {"op": "replace", "path": "/flowGroupings/1/settings", "value": {"batch": 10}},
        {"op": "replace", "path": "/tag", "value": "x"},
    ]


@pytest.mark.parametrize(
    "groups", [[{"_id": OUTBOUND}, {"_id": INBOUND}], [{"_id": INBOUND}], [], None, [None, "x"], [{"_id": OUTBOUND}]]
)
def test_a_flow_group_that_was_moved_meanwhile_is_left_alone(hostile: Hostile, groups: Any) -> None:
    server = hostile(said(document(flowGroupings=groups)), empty())
    with pytest.raises(VendorRejectedError):
        scripted(server).edit_integration(integration(), {GROUP: {"batch": 10}})
    assert [request.method for request in sent(server)] == ["GET"]


# --- by PUT --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reply", [said(document()), empty(), PAGE])
def test_a_name_is_put_with_the_whole_document(hostile: Hostile, reply: bytes) -> None:
    server = hostile(reply)
    scripted(server).edit_integration(integration(newField=[1]), {"name": "Returns", "description": "Labels"})
    (request,) = sent(server)
    assert (request.method, request.target) == ("PUT", f"/v1/integrations/{ID}")
    computed = {"_id", "createdAt", "lastModified", "lastErrorAt"}
    computed |= {"numFlows", "numError", "numRegisteredConnections", "numOfflineConnections"}
    kept = {name: value for name, value in document(newField=[1]).items() if name not in computed}
    assert request.body == {**kept, "name": "Returns", "description": "Labels"}


def test_a_put_takes_groups_and_removals_along(hostile: Hostile) -> None:
    server = hostile(empty(200))
    current = integration(readme="old", description="old")
    changes = {
        GROUP: {"batch": 1},
        f"flowGroupings/{INBOUND}/settings": MISSING,
        "readme": "new",
        "description": MISSING,
    }
    scripted(server).edit_integration(current, changes)
    (request,) = sent(server)
    assert request.body["flowGroupings"] == [
        {"_id": INBOUND, "name": "Inbound"},
        {"_id": OUTBOUND, "name": "Outbound", "settings": {"batch": 1}},
    ]
    assert request.body["readme"] == "new"
    assert "description" not in request.body
    # What was read is not what is changed.
    assert current.raw["flowGroupings"][0]["settings"] == {"batch": 50}


def test_a_new_list_of_groups_comes_before_the_change_of_one(hostile: Hostile) -> None:
    server = hostile(empty(200))
    groups = [{"_id": OUTBOUND, "name": "Out"}]
    scripted(server).edit_integration(integration(), {GROUP: {"batch": 1}, "flowGroupings": groups})
    assert sent(server)[0].body["flowGroupings"] == [{"_id": OUTBOUND, "name": "Out", "settings": {"batch": 1}}]


# --- what is never sent --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"settings": MISSING},
        {"settings": {"token": "******"}},
        {"name": "Returns", "settings": {"deep": [{"token": "******"}]}},
        {"aliases": [{"alias": "***"}]},
        {"_id": "x"},
        {"name": "Returns", "lastModified": "2026-01-01T00:00:00Z"},
        {"numError": 0},
        {"_sourceId": ID},
        {"_registeredConnectionIds": []},
        {"inventedField": 1},
        {"flowGroupings/nobody/settings": {}},
        {"name": "x", "flowGroupings/nobody/settings": {}},
        {f"flowGroupings/{OUTBOUND}/name": "x"},
        {f"apiGroupings/{OUTBOUND}/settings": {}},
        {"name": MISSING},
        {"name": "  "},
        {"name": None},
    ],
)
def test_what_would_do_harm_is_not_sent(hostile: Hostile, changes: dict[str, Any]) -> None:
    server = hostile(empty())
    with pytest.raises(VendorRejectedError) as refused:
        scripted(server).edit_integration(integration(), changes)
    assert refused.value.status is None
    assert refused.value.reasons
    assert server.requests == []


def test_a_put_does_not_write_a_mask_back_that_was_read(hostile: Hostile) -> None:
    server = hostile(empty())
    masked = integration(settings={"api": {"token": "******"}})
    with pytest.raises(VendorRejectedError) as refused:
        scripted(server).edit_integration(masked, {"name": "Returns"})
    assert refused.value.reasons[0][1] == "settings.api.token"
    assert server.requests == []
    # A PATCH carries only what is changed.
    scripted(server).edit_integration(masked, {"tag": "x"})
    assert len(server.requests) == 1


def test_an_asterisk_that_means_any_is_no_mask(hostile: Hostile) -> None:
    server = hostile(empty())
    scripted(server).edit_integration(integration(settings={"hosts": "*", "paths": "**"}), {"name": "Returns"})
    assert len(server.requests) == 1


# --- creating and deleting -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 201])
def test_create_returns_the_new_id(hostile: Hostile, status: int) -> None:
    server = hostile(said({"_id": ID, "name": "Returns"}, status))
    made = scripted(server).create_integration({"name": "Returns", "sandbox": True, "description": MISSING})
    assert made == ID
    (request,) = sent(server)
    assert (request.method, request.target) == ("POST", "/v1/integrations")
    assert request.body == {"name": "Returns", "sandbox": True}


@pytest.mark.parametrize(
    "reply", [said({"name": "Returns"}, 201), said([], 201), empty(201), empty(), said(17, 201), PAGE]
)
def test_a_creation_whose_answer_names_nothing_is_unknown(hostile: Hostile, reply: bytes) -> None:
    server = hostile(reply)
    with pytest.raises(VendorOutcomeUnknownError):
        scripted(server).create_integration({"name": "Returns"})
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "wanted",
    [{}, {"name": ""}, {"name": "x", "_id": ID}, {"name": "x", "invented": 1}, {"name": "x", "settings": "******"}],
)
def test_what_could_only_be_refused_is_not_created(hostile: Hostile, wanted: dict[str, Any]) -> None:
    server = hostile(said({"_id": ID}, 201))
    with pytest.raises(VendorRejectedError):
        scripted(server).create_integration(wanted)
    assert server.requests == []


@pytest.mark.parametrize("reply", [empty(), empty(200), said({}), PAGE])
def test_delete_is_done_when_the_status_says_so(hostile: Hostile, reply: bytes) -> None:
    server = hostile(reply)
    scripted(server).delete_integration(ID)
    (request,) = sent(server)
    assert (request.method, request.target, request.body) == ("DELETE", f"/v1/integrations/{ID}", None)


# --- refusals and lost answers -------------------------------------------------------------------------------------

WRITES: dict[str, Callable[[CeligoClient], Any]] = {
    "patch": lambda client: client.edit_integration(integration(), {"tag": "x"}),
    "put": lambda client: client.edit_integration(integration(), {"name": "x"}),
    "create": lambda client: client.create_integration({"name": "x"}),
    "delete": lambda client: client.delete_integration(ID),
}
REFUSALS: list[tuple[bytes, type[VendorError]]] = [
    (failed(400, {"code": "invalid_request", "message": "no"}), VendorRejectedError),
    (said({"message": "Unauthorized"}, 401), VendorAuthError),
    (said({"message": "Forbidden"}, 403), VendorForbiddenError),
    (failed(404, {"code": "not_found", "message": "no"}), VendorNotFoundError),
    (failed(409, {"code": "conflict", "message": "no"}), VendorRejectedError),
    (failed(422, {"code": "a", "message": "one"}, {"code": "b", "message": "two"}, steps=[{}]), VendorRejectedError),
    (failed(429, {"code": "rate_limited", "message": "wait"}), VendorRateLimitError),
]


@pytest.mark.parametrize("name", WRITES)
def test_a_refused_write_is_known_and_sent_once(hostile: Hostile, name: str) -> None:
    for reply, expected in REFUSALS:
        server = hostile(reply)
        with pytest.raises(expected) as refused:
            WRITES[name](scripted(server))
        assert type(refused.value) is expected
        assert len(server.requests) == 1


def test_several_reasons_of_one_refusal_are_all_told(hostile: Hostile) -> None:
    server = hostile(REFUSALS[5][0])
    with pytest.raises(VendorRejectedError) as refused:
        WRITES["put"](scripted(server))
    assert refused.value.reasons == (("a", "", "one"), ("b", "", "two"))


@pytest.mark.parametrize("name", WRITES)
def test_a_write_whose_answer_is_lost_is_unknown_and_sent_once(hostile: Hostile, name: str) -> None:
    scripts: list[Script] = [reset(), reset(b"HTTP/1.1 200"), answer(b"bad", "502 Bad"), answer(b"", "504 Late")]
    for script in scripts:
        server = hostile(script)
        with pytest.raises(VendorOutcomeUnknownError):
            WRITES[name](scripted(server))
        assert len(server.requests) == 1


# --- the rules -----------------------------------------------------------------------------------------------------


def test_every_field_of_the_form_may_be_written(hostile: Hostile) -> None:
    server = hostile(said(document()))
    assert RULES is not None
    for field in RULES.fields:
        key = f"{field.per}/{INBOUND}/{field.name}" if field.per else field.name
        scripted(server).edit_integration(integration(), {key: "x"})
    assert len([request for request in sent(server) if request.method != "GET"]) == len(RULES.fields)
