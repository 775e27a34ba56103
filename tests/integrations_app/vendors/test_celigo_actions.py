"""Celigo's client acting: clones, revisions, registrations, steps, flows, failed records, archives; from scripts."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import pytest

from integrations_app.vendors import capabilities
from integrations_app.vendors.capabilities import CloneRequest, RemoteItem, SignedFile
from integrations_app.vendors.celigo import CeligoClient
from integrations_app.vendors.errors import (
    VendorAddressError,
    VendorAuthError,
    VendorError,
    VendorForbiddenError,
    VendorNotFoundError,
    VendorOutcomeUnknownError,
    VendorRateLimitError,
    VendorRejectedError,
    VendorResponseError,
    VendorUnavailableError,
)
from tests.integrations_app.vendors.celigo_scripts import (
    FLOW,
    ID,
    LEDGER,
    OTHER_ID,
    PAGE,
    SHOP,
    STEP,
    empty,
    failed,
    said,
    scripted,
    sent,
)
from tests.integrations_app.vendors.hostile import HostileServer, Script, answer, reset

Hostile = Callable[..., HostileServer]
Act = Callable[[CeligoClient], Any]

CLONE = CloneRequest("Clone - Orders", {SHOP: SHOP, LEDGER: "target"})
SINCE = datetime(2026, 3, 14, 4, 0, tzinfo=UTC)
STEPS = [{"name": "Connect", "type": "connection", "completed": True}, {"name": "Copy", "templateZip": True}]


def test_the_client_has_every_capability() -> None:
    for name in capabilities.__dict__:
        protocol = getattr(capabilities, name)
        if name.startswith("Supports"):
            assert issubclass(CeligoClient, protocol), name


# --- refusals and lost answers, of every write ---------------------------------------------------------------------

WRITES: dict[str, Act] = {
    "clone": lambda client: client.clone_integration(ID, CLONE),
    "revision": lambda client: client.create_revision(ID, note="n"),
    "register one": lambda client: client.register_connections(ID, [SHOP]),
    "register several": lambda client: client.register_connections(ID, [SHOP, LEDGER]),
    "unregister": lambda client: client.unregister_connection(ID, SHOP),
    "install": lambda client: client.submit_step(ID, {"a": 1}, uninstall=False),
    "uninstall": lambda client: client.submit_step(ID, {}, uninstall=True),
    "switch": lambda client: client.set_flow(FLOW, is_on=True),
    "run": lambda client: client.run_flow(FLOW),
    "retry": lambda client: client.retry_errors(FLOW, STEP, ["key"]),
    "resolve": lambda client: client.resolve_errors(FLOW, STEP, ["id"]),
}
# Of these the answer is needed; of the others the status is enough.
ANSWERED = ("clone", "revision", "install", "uninstall", "run")
REFUSALS: list[tuple[bytes, type[VendorError]]] = [
    (failed(400, {"code": "invalid_connectionMap", "message": "missing an entry"}), VendorRejectedError),
    (said({"message": "Unauthorized"}, 401), VendorAuthError),
    (said({"message": "Forbidden"}, 403), VendorForbiddenError),
    (failed(404, {"code": "not_found", "message": "no"}), VendorNotFoundError),
    (failed(409, {"code": "conflict", "message": "no"}), VendorRejectedError),
    (failed(422, {"code": "a", "message": "one"}, {"code": "b", "message": "two"}, steps=STEPS), VendorRejectedError),
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


@pytest.mark.parametrize("name", WRITES)
def test_a_write_whose_answer_is_lost_is_unknown_and_sent_once(hostile: Hostile, name: str) -> None:
    scripts: list[Script] = [reset(), answer(b"", "500 Oops"), answer(b"<html>", "502 Bad"), answer(b"", "504 Late")]
    if name in ANSWERED:
        scripts += [PAGE, answer(b"[{", "200 OK"), reset(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[")]
    for script in scripts:
        server = hostile(script)
        with pytest.raises(VendorOutcomeUnknownError):
            WRITES[name](scripted(server))
        assert len(server.requests) == 1


@pytest.mark.parametrize("name", [name for name in WRITES if name not in ANSWERED])
def test_where_the_status_is_enough_the_answer_is_not_read(hostile: Hostile, name: str) -> None:
    for reply in (empty(), empty(200), said([]), said({"any": "thing"}), PAGE, answer(b"{")):
        server = hostile(reply)
        assert WRITES[name](scripted(server)) is None
        assert len(server.requests) == 1


# --- clones --------------------------------------------------------------------------------------------------------

MANIFEST = [{"model": "Flow", "_id": FLOW}, {"model": "Integration", "_id": OTHER_ID, "name": "Clone - Orders"}]


@pytest.mark.parametrize(
    ("body", "clone_id"),
    [
        ({"_id": OTHER_ID, "name": "Clone - Orders", "_sourceId": ID}, OTHER_ID),
        (MANIFEST, OTHER_ID),
        ([{"model": "integration", "_id": OTHER_ID}], OTHER_ID),
        ([{"model": "Flow", "_id": FLOW}], ""),
        ([17, None], ""),
        ({}, ""),
        ({"_id": 17}, ""),
        # The source itself is no clone of it.
        ({"_id": ID}, ""),
    ],
)
def test_a_clone_is_found_in_either_answer(hostile: Hostile, body: Any, clone_id: str) -> None:
    server = hostile(said(body, 201))
    assert scripted(server).clone_integration(ID, CLONE) == clone_id
    (request,) = sent(server)
    assert (request.method, request.target) == ("POST", f"/v1/integrations/{ID}/clone")
    assert request.body == {"name": "Clone - Orders", "connectionMap": {SHOP: SHOP, LEDGER: "target"}}


def test_a_clone_may_name_its_environment(hostile: Hostile) -> None:
    server = hostile(empty(201))
    wanted = CloneRequest("Clone", {}, environment="env", is_sandbox=False)
    assert scripted(server).clone_integration(ID, wanted) == ""
    assert sent(server)[0].body == {"name": "Clone", "connectionMap": {}, "_environmentId": "env", "sandbox": False}


def test_a_preview_lists_what_would_be_made(hostile: Hostile) -> None:
    objects = [{"model": "Integration", "doc": {"_id": ID, "name": "Orders"}}, {"model": 5, "doc": 6}, "x"]
    server = hostile(said({"objects": objects, "stackRequired": False}))
    parts = scripted(server).preview_clone(ID)
    assert [(part.model, part.name, part.raw) for part in parts] == [
        ("Integration", "Orders", {"_id": ID, "name": "Orders"}),
        ("", "", {}),
    ]
    assert sent(server)[0].target == f"/v1/integrations/{ID}/clone/preview"


@pytest.mark.parametrize("reply", [said([]), said({}), said({"objects": {}}), PAGE, empty(200)])
def test_a_preview_that_is_none_is_a_bad_answer(hostile: Hostile, reply: bytes) -> None:
    with pytest.raises(VendorResponseError):
        scripted(hostile(reply)).preview_clone(ID)


# --- revisions -----------------------------------------------------------------------------------------------------

REVISION = {
    "_id": "r1",
    "type": "snapshot",
    "status": "completed",
    "description": "n",
    "createdAt": "2026-03-14T09:30:00Z",
}


@pytest.mark.parametrize(
    ("only_if_changed", "query"),
    [(None, ""), (False, "?ignoreIfNoChanges=false"), (True, "?ignoreIfNoChanges=true")],
)
def test_a_revision_is_asked_for_in_three_ways(hostile: Hostile, only_if_changed: bool | None, query: str) -> None:
    server = hostile(said(REVISION, 201))
    made = scripted(server).create_revision(ID, note="before the freeze", only_if_changed=only_if_changed)
    assert made is not None
    assert (made.remote_id, made.values["kind"], made.raw) == ("r1", "snapshot", REVISION)
    (request,) = sent(server)
    assert (request.method, request.target) == ("POST", f"/v1/integrations/{ID}/revisions/create{query}")
    assert request.body == {"description": "before the freeze"}


def test_nothing_new_makes_no_revision(hostile: Hostile) -> None:
    server = hostile(empty())
    assert scripted(server).create_revision(ID, note="", only_if_changed=True) is None
    assert sent(server)[0].body == {}


@pytest.mark.parametrize("reply", [said([], 201), said({"type": "snapshot"}, 201), empty(201), said("r1", 200)])
def test_an_answer_that_is_no_revision_leaves_it_unknown(hostile: Hostile, reply: bytes) -> None:
    with pytest.raises(VendorOutcomeUnknownError):
        scripted(hostile(reply)).create_revision(ID, note="n")


# --- registrations and pings ---------------------------------------------------------------------------------------


def test_one_connection_is_registered_by_its_address_and_several_as_a_bare_list(hostile: Hostile) -> None:
    server = hostile(said([]))
    client = scripted(server)
    client.register_connections(ID, [SHOP, SHOP])
    client.register_connections(ID, [SHOP, LEDGER, SHOP])
    client.unregister_connection(ID, SHOP)
    assert [(each.method, each.target, each.body) for each in sent(server)] == [
        ("PUT", f"/v1/integrations/{ID}/connections/{SHOP}/register", None),
        ("PUT", f"/v1/integrations/{ID}/connections/register", [SHOP, LEDGER]),
        ("DELETE", f"/v1/integrations/{ID}/connections/{SHOP}/register", None),
    ]


def test_registering_nothing_sends_nothing(hostile: Hostile) -> None:
    server = hostile(said([]))
    with pytest.raises(VendorRejectedError):
        scripted(server).register_connections(ID, [])
    assert server.requests == []


@pytest.mark.parametrize(
    ("reply", "ok", "words"),
    [
        (said({"code": 200}), True, "Yes, it answers"),
        (said({}), True, "Yes, it answers"),
        (
            said({"code": 422, "errors": [{"code": "401", "message": "Invalid credentials"}]}),
            False,
            "Invalid credentials",
        ),
        (said({"code": 500}), False, "Refused (500)"),
        (said({"code": 200, "errors": [{"code": "no"}]}), False, "no"),
        (said({"code": 200, "errors": "odd"}), False, "Refused (200)"),
        (failed(422, {"code": "401", "message": "Invalid credentials"}), False, "Invalid credentials"),
    ],
)
def test_a_ping_tells_what_the_other_system_says(hostile: Hostile, reply: bytes, ok: bool, words: str) -> None:
    server = hostile(reply)
    probe = scripted(server).ping_connection(SHOP)
    assert (probe.ok, probe.answer) == (ok, words)
    assert probe.consequence
    (request,) = sent(server)
    assert (request.method, request.target, request.body) == ("POST", f"/v1/connections/{SHOP}/ping", None)


@pytest.mark.parametrize("refusal", [404, 405])
def test_a_ping_is_asked_the_older_way_where_the_newer_is_unknown(hostile: Hostile, refusal: int) -> None:
    server = hostile(failed(refusal), said({"code": 200}))
    client = scripted(server)
    assert client.ping_connection(SHOP).ok
    assert client.ping_connection(SHOP).ok
    assert [each.method for each in sent(server)] == ["POST", "GET", "GET"]


@pytest.mark.parametrize(
    ("replies", "expected"),
    [
        ([said({"message": "Unauthorized"}, 401)], VendorAuthError),
        ([said({"message": "Forbidden"}, 403)], VendorForbiddenError),
        ([failed(404), failed(404)], VendorNotFoundError),
        ([failed(405), failed(404)], VendorNotFoundError),
        ([failed(404), failed(405)], VendorNotFoundError),
        ([said({"errors": []}, 429, Retry_After="60")], VendorRateLimitError),
        ([PAGE], VendorResponseError),
        ([said([])], VendorResponseError),
    ],
)
def test_what_celigo_itself_refuses_is_no_answer_to_a_ping(
    hostile: Hostile, replies: list[bytes], expected: type[VendorError]
) -> None:
    with pytest.raises(expected) as refused:
        scripted(hostile(*replies)).ping_connection(SHOP)
    assert type(refused.value) is expected


# --- steps ---------------------------------------------------------------------------------------------------------


def done(steps: Iterable[RemoteItem] | None) -> list[tuple[str, str, str, bool]]:
    assert steps is not None
    return [(step.remote_id, step.name, step.values["type"], step.values["is_completed"]) for step in steps]


READ = [("0", "Connect", "connection", True), ("1", "Copy", "template_zip", False)]


@pytest.mark.parametrize("uninstall", [False, True])
@pytest.mark.parametrize("body", [STEPS, {"steps": STEPS}, {"warnings": [], "stepsToUpdate": STEPS}])
@pytest.mark.parametrize("status", [200, 201])
def test_a_step_answers_with_all_steps(hostile: Hostile, uninstall: bool, body: Any, status: int) -> None:
    server = hostile(said(body, status))
    answers = {"_connectionId": SHOP}
    assert done(scripted(server).submit_step(ID, answers, uninstall=uninstall)) == READ
    (request,) = sent(server)
    name = "uninstallSteps" if uninstall else "installSteps"
    assert (request.method, request.target) == ("POST", f"/v1/integrations/{ID}/{name}")
    assert request.body == answers


@pytest.mark.parametrize("reply", [empty(201), empty(), said([], 201), said(None, 201)])
def test_an_empty_answer_to_uninstalling_means_gone(hostile: Hostile, reply: bytes) -> None:
    server = hostile(reply)
    assert scripted(server).submit_step(ID, {}, uninstall=True) is None
    assert len(server.requests) == 1


@pytest.mark.parametrize("reply", [said({"warnings": ["slow"]}), empty(), said("done")])
def test_steps_that_the_answer_does_not_tell_are_read(hostile: Hostile, reply: bytes) -> None:
    server = hostile(reply, said(STEPS, 201))
    assert done(scripted(server).submit_step(ID, {}, uninstall=False)) == READ
    assert [each.method for each in sent(server)] == ["POST", "GET"]


def test_where_they_cannot_be_read_either_it_is_unknown_or_gone(hostile: Hostile) -> None:
    for uninstall, second in [(False, failed(404)), (False, PAGE), (True, said({"message": "no"}, 403))]:
        with pytest.raises(VendorOutcomeUnknownError):
            scripted(hostile(said({"warnings": []}), second)).submit_step(ID, {}, uninstall=uninstall)
    assert scripted(hostile(said({"warnings": []}), failed(404))).submit_step(ID, {}, uninstall=True) is None


def test_a_step_with_a_mask_is_not_sent(hostile: Hostile) -> None:
    server = hostile(said(STEPS))
    connection = {"type": "http", "http": {"auth": [{"token": "******"}]}}
    with pytest.raises(VendorRejectedError):
        scripted(server).submit_step(ID, {"connection": connection}, uninstall=False)
    assert server.requests == []


# --- flows ---------------------------------------------------------------------------------------------------------


def test_a_flow_is_read_switched_and_run(hostile: Hostile) -> None:
    server = hostile(
        said({"_id": FLOW, "name": "Orders", "disabled": True}), empty(), empty(), said({"_jobId": "j"}, 201)
    )
    client = scripted(server)
    assert client.read_flow(FLOW).values["is_on"] is False
    client.set_flow(FLOW, is_on=True)
    client.set_flow(FLOW, is_on=False)
    assert client.run_flow(FLOW) == "j"
    assert [(each.method, each.target, each.body) for each in sent(server)] == [
        ("GET", f"/v1/flows/{FLOW}", None),
        ("PATCH", f"/v1/flows/{FLOW}", [{"op": "replace", "path": "/disabled", "value": False}]),
        ("PATCH", f"/v1/flows/{FLOW}", [{"op": "replace", "path": "/disabled", "value": True}]),
        ("POST", f"/v1/flows/{FLOW}/run", {}),
    ]


@pytest.mark.parametrize("reply", [empty(201), said([], 201), said({"_jobId": 17}, 201)])
def test_a_run_may_have_no_id(hostile: Hostile, reply: bytes) -> None:
    assert scripted(hostile(reply)).run_flow(FLOW) == ""


def test_a_run_may_be_told_as_the_job_itself(hostile: Hostile) -> None:
    assert scripted(hostile(said({"_id": "j", "type": "flow", "status": "queued"}, 201))).run_flow(FLOW) == "j"


@pytest.mark.parametrize("reply", [said([]), said({"_id": OTHER_ID}), PAGE, empty(200)])
def test_another_flow_is_not_the_one_asked_for(hostile: Hostile, reply: bytes) -> None:
    with pytest.raises(VendorResponseError):
        scripted(hostile(reply)).read_flow(FLOW)


def runs(first: int, count: int) -> list[dict[str, Any]]:
    return [
        {
            "_id": f"j{number}",
            "status": "completed",
            "createdAt": f"2026-03-14T05:00:{59 - number % 60:02}.{999 - number:03}Z",
        }
        for number in range(first, first + count)
    ]


def test_runs_are_asked_for_by_flow_and_time_newest_first(hostile: Hostile) -> None:
    jobs: list[Any] = [
        {"_id": "a", "createdAt": "2026-03-14T04:05:00.120Z", "numError": 7, "status": "completed"},
        {"_id": "b", "createdAt": "2026-03-14T05:05:00.120Z"},
        {"status": "no id"},
        17,
    ]
    server = hostile(said(jobs))
    found = scripted(server).flow_runs(FLOW, SINCE)
    assert [run.remote_id for run in found] == ["b", "a"]
    assert found[1].values["error_count"] == 7
    assert sent(server)[0].target == f"/v1/jobs?_flowId={FLOW}&createdAt_gte=2026-03-14T04%3A00%3A00.000Z"
    assert scripted(hostile(empty())).flow_runs(FLOW, SINCE) == ()


def test_a_full_page_of_runs_is_followed_by_time_and_not_for_ever(hostile: Hostile) -> None:
    server = hostile(said(runs(0, 1000)))
    assert len(scripted(server).flow_runs(FLOW, SINCE)) == 1000
    first, second, third = sent(server)
    assert "createdAt_lte" not in first.target
    assert "createdAt_lte=2026-03-14T05%3A00%3A00." in second.target
    assert third.target == second.target


@pytest.mark.parametrize("reply", [said({}), PAGE, said("x")])
def test_runs_that_are_no_list_are_a_bad_answer(hostile: Hostile, reply: bytes) -> None:
    with pytest.raises(VendorResponseError):
        scripted(hostile(reply)).flow_runs(FLOW, SINCE)


def test_failed_records_are_retried_and_resolved_by_step(hostile: Hostile) -> None:
    server = hostile(empty())
    client = scripted(server)
    client.retry_errors(FLOW, STEP, ("k1", "k2"))
    client.resolve_errors(FLOW, STEP, ["e1"])
    assert [(each.method, each.target, each.body) for each in sent(server)] == [
        ("POST", f"/v1/flows/{FLOW}/{STEP}/retry", {"retryDataKeys": ["k1", "k2"]}),
        ("PUT", f"/v1/flows/{FLOW}/{STEP}/resolved", {"errors": ["e1"]}),
    ]
    for act in (client.retry_errors, client.resolve_errors):
        with pytest.raises(VendorRejectedError):
            act(FLOW, STEP, [])
    assert len(server.requests) == 2


# --- archives ------------------------------------------------------------------------------------------------------


def signed(server: HostileServer | None = None, key: Any = f"{ID}.zip") -> bytes:
    return said({"signedURL": f"{server.url if server else 'http://x'}/files/a.zip?Signature=fake", "key": key})


def test_an_archive_is_signed_with_the_method_that_works(hostile: Hostile) -> None:
    for refusal in (404, 405, 400):
        server = hostile(failed(refusal), signed(), signed())
        client = scripted(server)
        assert client.sign_archive(ID) == SignedFile("http://x/files/a.zip?Signature=fake", f"{ID}.zip")
        client.sign_archive(ID)
        assert [each.method for each in sent(server)] == ["GET", "POST", "POST"]
        assert {each.target for each in sent(server)} == {f"/v1/integrations/{ID}/template"}


@pytest.mark.parametrize(
    ("replies", "expected", "count"),
    [
        ([said({"message": "no"}, 401)], VendorAuthError, 1),
        ([said({"message": "no"}, 403)], VendorForbiddenError, 1),
        ([failed(422, {"code": "invalid_field", "message": "An Integration App"})], VendorRejectedError, 1),
        ([failed(404)], VendorNotFoundError, 2),
        ([said([])], VendorResponseError, 1),
        ([said({"key": "x"})], VendorResponseError, 1),
        ([said({"signedURL": 17})], VendorResponseError, 1),
        ([said({"signedURL": "h" * 9000})], VendorResponseError, 1),
        ([PAGE], VendorResponseError, 1),
    ],
)
def test_an_archive_that_cannot_be_signed_says_why(
    hostile: Hostile, replies: list[bytes], expected: type[VendorError], count: int
) -> None:
    server = hostile(*replies)
    with pytest.raises(expected) as refused:
        scripted(server).sign_archive(ID)
    assert type(refused.value) is expected
    assert len(server.requests) == count


def test_signing_is_a_question_that_may_be_asked_again(hostile: Hostile) -> None:
    server = hostile(reset(), failed(405), reset(), signed(key=None))
    assert scripted(server).sign_archive(ID).name == f"{ID}.zip"
    assert [each.method for each in sent(server)] == ["GET", "GET", "POST", "POST"]


def test_an_archive_is_fetched_in_pieces_without_the_token(hostile: Hostile) -> None:
    content = bytes(range(256)) * 1024
    server = hostile(answer(content, Content_Type="application/zip"))
    file = SignedFile(f"{server.url}/files/a/b.zip?Signature=fake&Expires=1", "b.zip")
    pieces = list(scripted(server).fetch_archive(file, limit_bytes=len(content)))
    assert b"".join(pieces) == content
    assert len(pieces) > 1
    (request,) = sent(server)
    assert request.target == "/files/a/b.zip?Signature=fake&Expires=1"
    assert "authorization" not in request.headers
    assert "Signature" not in repr(file)


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/files/a.zip",
        "//example.com/files/a.zip",
        "{origin}/v1/integrations",
        "{origin}/files/../v1/a.zip",
        "{origin}:1/files/a.zip",
        "file:///etc/passwd",
        "http://[bad/files/a.zip",
        "http://user@127.0.0.1/files/a.zip",
    ],
)
def test_an_archive_elsewhere_is_not_fetched(hostile: Hostile, url: str) -> None:
    server = hostile(answer(b"x"))
    with pytest.raises(VendorAddressError):
        scripted(server).fetch_archive(SignedFile(url.format(origin=server.url), "a.zip"), limit_bytes=10)
    assert server.requests == []


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (answer(b"x" * 101), VendorResponseError),
        (answer(b"<Error/>", "403 Expired"), VendorForbiddenError),
        (answer(b"<Error/>", "404 None"), VendorNotFoundError),
        (answer(b"", "302 Found", Location="http://127.0.0.1/"), VendorAddressError),
        (answer(b"x", Content_Encoding="br"), VendorResponseError),
        (reset(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nxxx"), VendorUnavailableError),
    ],
)
def test_an_archive_that_is_too_large_expired_or_cut_off_is_none(
    hostile: Hostile, script: Script, expected: type[VendorError]
) -> None:
    server = hostile(script)
    file = SignedFile(f"{server.url}/files/a.zip?Signature=fake", "a.zip")
    with pytest.raises(expected) as refused:
        list(scripted(server).fetch_archive(file, limit_bytes=100))
    assert type(refused.value) is expected
    assert "fake" not in str(refused.value)
