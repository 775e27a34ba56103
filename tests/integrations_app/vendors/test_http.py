"""The one outbound client against servers that do what no decent server does."""

from __future__ import annotations

import gzip
import json
import logging
import pickle
import socket
import time
import traceback
import zlib
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_address
from typing import Any

import pytest

from integrations_app.vendors.addresses import is_public
from integrations_app.vendors.base import LOOPBACK_NETWORKS, Connection, Region
from integrations_app.vendors.errors import (
    VendorAddressError,
    VendorAuthError,
    VendorError,
    VendorForbiddenError,
    VendorNotFoundError,
    VendorOutcomeUnknownError,
    VendorPausedError,
    VendorRateLimitError,
    VendorRejectedError,
    VendorResponseError,
    VendorUnavailableError,
)
from integrations_app.vendors.http import Limits, VendorHTTP
from integrations_app.vendors.listing import ListGuard, in_pages
from tests.integrations_app.vendors.authority import Authority
from tests.integrations_app.vendors.hostile import HostileServer, Script, answer, drip, flood, hang, reset

Hostile = Callable[..., HostileServer]

SECRET = "fake-secret-0123456789"
QUICK = Limits(call_seconds=1.0, idle_seconds=0.5, backoff_seconds=0.01, body_bytes=100_000, retries=0)


def read_reasons(status: int, document: Any) -> list[tuple[str, str, str]]:
    errors = document.get("errors", []) if isinstance(document, dict) else []
    return [(error.get("code"), error.get("field"), error.get("message")) for error in errors]


def client_of(server: HostileServer, limits: Limits = QUICK, **options: Any) -> VendorHTTP:
    region = Region("test", "Test", {"api": f"{server.url}/v1"})
    connection = Connection(
        region,
        {"key": SECRET},
        allowed_networks=options.pop("allowed_networks", LOOPBACK_NETWORKS),
        budget=options.pop("budget", None),
        breaker=options.pop("breaker", None),
        ca_bundle=options.pop("ca_bundle", None),
    )
    options.setdefault("authorize", lambda: f"Bearer {SECRET}")
    return VendorHTTP("testvendor", connection, limits=limits, reasons=read_reasons, **options)


def refused(server: HostileServer, kind: type[VendorError], limits: Limits = QUICK, **options: Any) -> VendorError:
    """The error a plain read ends with, which must be exactly of this kind and hold no secret."""
    with pytest.raises(VendorError) as caught:
        client_of(server, limits, **options).get("read a thing", ("things",))
    assert type(caught.value) is kind, repr(caught.value)
    assert (caught.value.vendor, caught.value.operation) == ("testvendor", "read a thing")
    assert_no_secret(caught.value)
    return caught.value


def assert_no_secret(error: VendorError) -> None:
    words = "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))
    assert SECRET not in words
    # No exception of the HTTP stack rides along: those hold the request with its headers.
    assert error.__cause__ is None
    assert error.__context__ is None or isinstance(error.__context__, ValueError)


# --- what is asked and answered --------------------------------------------------------------------------------------


def test_a_document_is_read_with_its_headers_and_request_id(hostile: Hostile) -> None:
    server = hostile(answer(b'{"a": 1}', Link='<x>; rel="next"', X_Request_Id="rq-1"))
    read = client_of(server, headers={"x-api-version": "3"}).get("read", ("a b", "c/d?"), params={"q": "ä&b"})

    assert (read.status, read.document, read.request_id) == (200, {"a": 1}, "rq-1")
    assert read.headers["link"] == '<x>; rel="next"'
    head = server.requests[0].decode()
    assert head.startswith("GET /v1/a%20b/c%2Fd%3F?q=%C3%A4%26b HTTP/1.1\r\n")
    assert f"Authorization: Bearer {SECRET}\r\n" in head
    assert "x-api-version: 3\r\n" in head
    assert SECRET not in repr(read)


def test_pages_are_read_over_one_connection(hostile: Hostile) -> None:
    server = hostile(answer())
    http = client_of(server)
    for number in range(5):
        http.get("read", (str(number),))

    assert (len(server.requests), server.connections) == (5, 1)


@pytest.mark.parametrize("status", ["204 No Content", "200 OK"])
def test_an_empty_answer_has_no_document(hostile: Hostile, status: str) -> None:
    server = hostile(answer(b"", status))
    assert client_of(server).get("read", ("a",), expect=(200, 204)).document is None


@pytest.mark.parametrize("segment", ["", ".", ".."])
def test_a_segment_that_would_change_the_path_is_not_sent(hostile: Hostile, segment: str) -> None:
    server = hostile(answer())
    with pytest.raises(VendorAddressError):
        client_of(server).get("read", ("things", segment))
    assert server.requests == []


def test_nothing_of_the_environment_is_used(
    hostile: Hostile, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    server, other = hostile(answer()), hostile(answer())
    netrc = tmp_path_factory.mktemp("home") / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password fake-netrc-password\n")
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, other.url)
    monkeypatch.setenv("NETRC", str(netrc))
    client_of(server, authorize=None).get("read", ("a",))

    assert other.requests == []
    assert b"authorization" not in server.requests[0].lower()


def test_cookies_are_not_sent_back(hostile: Hostile) -> None:
    server = hostile(answer(Set_Cookie="session=abc; Path=/"))
    http = client_of(server)
    http.get("read", ("a",))
    http.get("read", ("a",))

    assert b"cookie" not in server.requests[1].lower()


def test_logs_hold_no_secret(hostile: Hostile, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        refused(hostile(answer(b"{}", "401 Unauthorized")), VendorAuthError)

    assert SECRET not in caplog.text


# --- answers without end ---------------------------------------------------------------------------------------------

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
ENDLESS: Mapping[str, Script] = {
    "a dripping body": drip(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b" "),
    "dripping headers": drip(b"HTTP/1.1 200 OK\r\n", b"X"),
    "a dripping status line": drip(b"HTTP/1.1 ", b"2"),
    "interim answers for ever": drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "dripping chunks": drip(CHUNKED, b"1\r\n \r\n"),
    "a dripping chunk size": drip(CHUNKED, b"0"),
    "dripping trailers": drip(CHUNKED + b"0\r\n", b"X: y\r\n"),
    "a dripping gzip body": drip(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b"")[:10], b"\0"),
    "no answer": hang(),
    "half a body": hang(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{"),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_an_answer_that_does_not_end_is_ended(hostile: Hostile, name: str) -> None:
    with pytest.raises((VendorUnavailableError, VendorResponseError)) as caught:
        client_of(hostile(ENDLESS[name])).get("read", ("a",))
    assert_no_secret(caught.value)


TOO_MUCH: Mapping[str, Script] = {
    "a body": flood(b"HTTP/1.1 200 OK\r\n\r\n", b" " * 65536),
    "a body with a length": flood(b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n", b" " * 65536),
    "chunks": flood(CHUNKED, b"10000\r\n" + b" " * 65536 + b"\r\n"),
    "a chunk without an end": flood(CHUNKED + b"-1\r\n", b" " * 65536),
    "trailers": flood(CHUNKED + b"0\r\n", b"X: " + b"y" * 60_000 + b"\r\n"),
    "interim answers": flood(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000),
    "a gzip bomb": answer(gzip.compress(b" " * 30_000_000), Content_Encoding="gzip"),
}


@pytest.mark.parametrize("name", TOO_MUCH)
def test_an_answer_that_is_too_large_is_cut_off(hostile: Hostile, name: str) -> None:
    limits = Limits(call_seconds=20, body_bytes=100_000, retries=0)
    error = refused(hostile(TOO_MUCH[name]), VendorResponseError, limits)
    assert "too large" in error.message


def test_the_body_of_a_refusal_is_limited_too(hostile: Hostile) -> None:
    server = hostile(flood(b"HTTP/1.1 422 No\r\n\r\n", b" " * 65536))
    error = refused(server, VendorRejectedError)
    assert isinstance(error, VendorRejectedError)
    assert error.reasons == ()


# --- answers that are not what they say ------------------------------------------------------------------------------

UNREADABLE: Mapping[str, bytes] = {
    "HTML": answer(b"<html>Sign in</html>", Content_Type="text/html"),
    "deep JSON": answer(b"[" * 40_000 + b"]" * 40_000),
    "JSON and a half": answer(b'{"a": 1} {'),
    "not a number": answer(b'{"a": NaN}'),
    "brotli": answer(b"{}", Content_Encoding="br"),
    "two encodings": answer(b"{}", Content_Encoding="gzip, gzip"),
    "deflate": answer(zlib.compress(b"{}"), Content_Encoding="deflate"),
    "false gzip": answer(b"{}", Content_Encoding="gzip"),
    "a status nobody expects": answer(b"{}", "226 IM Used"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_an_unreadable_answer_says_so_and_is_not_asked_for_again(hostile: Hostile, name: str) -> None:
    server = hostile(UNREADABLE[name])
    refused(server, VendorResponseError, Limits(backoff_seconds=0.01))
    assert len(server.requests) == 1


BROKEN: Mapping[str, Script] = {
    "a longer length than body": lambda connection: connection.sendall(
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}"
    ),
    "chunks that stop": lambda connection: connection.sendall(CHUNKED + b"5\r\n{"),
    "a chunk size that is none": lambda connection: connection.sendall(CHUNKED + b"zz\r\n{}"),
    "a cut gzip body": lambda connection: connection.sendall(
        answer(gzip.compress(b"{}")[:-6], Content_Encoding="gzip")
    ),
    "a reset before the answer": reset(),
    "a reset within the answer": reset(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"),
    "nothing": lambda connection: None,
    "no HTTP": lambda connection: connection.sendall(b"SSH-2.0-OpenSSH_9\r\n\r\n"),
    "a status that is none": lambda connection: connection.sendall(b"HTTP/1.1 abc OK\r\n\r\n"),
    "headers without end": lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 300 + b"\r\n"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_answer_to_a_read_is_asked_for_again_twice(hostile: Hostile, name: str) -> None:
    server = hostile(BROKEN[name])
    refused(server, VendorUnavailableError, Limits(backoff_seconds=0.01))
    assert len(server.requests) == 3


def test_the_answer_after_a_broken_one_is_good(hostile: Hostile) -> None:
    server = hostile(reset(), answer(b"{}", "502 Bad Gateway"), answer(b'{"a": 1}'))
    assert client_of(server, Limits(backoff_seconds=0.01)).get("read", ("a",)).document == {"a": 1}


def test_retries_end_with_the_deadline(hostile: Hostile) -> None:
    server = hostile(answer(b"{}", "503 Busy"))
    refused(server, VendorUnavailableError, Limits(call_seconds=0.2, backoff_seconds=1.0))
    assert len(server.requests) == 1


def test_a_refused_connection_is_unavailable() -> None:
    server = HostileServer([answer()])
    server.stop()
    refused(server, VendorUnavailableError)


def test_an_error_survives_being_handed_to_another_process(hostile: Hostile) -> None:
    error = refused(hostile(answer(b"{}", "429 Slow", Retry_After="30", X_Request_Id="rq-9")), VendorRateLimitError)
    copy = pickle.loads(pickle.dumps(error))

    assert (type(copy), str(copy), vars(copy)) == (type(error), str(error), vars(error))


# --- writes ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "script",
    [
        reset(),
        hang(),
        answer(b"{}", "500 No"),
        answer(b"{}", "408 Slow"),
        answer(b"<html>", "200 OK"),
        answer(b"{}", "226 IM Used"),
        answer(b"", "303 See Other", Location="/things/1"),
        reset(b"HTTP/1.1 201 Created\r\nContent-Length: 9\r\n\r\n{"),
    ],
)
def test_a_write_without_a_usable_answer_is_unknown_and_sent_once(hostile: Hostile, script: Script) -> None:
    server = hostile(script)
    limits = Limits(call_seconds=5.0, idle_seconds=0.3, backoff_seconds=0.01)
    with pytest.raises(VendorOutcomeUnknownError) as caught:
        client_of(server, limits).write("change", "POST", ("things",), document={"a": 1})
    assert_no_secret(caught.value)
    assert len(server.requests) == 1
    assert server.requests[0].endswith(b'{"a":1}')


def test_a_write_that_never_left_is_not_unknown() -> None:
    server = HostileServer([answer()])
    server.stop()
    with pytest.raises(VendorUnavailableError):
        client_of(server).write("change", "POST", ("things",))


@pytest.mark.parametrize(("status", "kind"), [("429 Slow", VendorRateLimitError), ("422 No", VendorRejectedError)])
def test_a_refused_write_is_known_and_not_sent_again(hostile: Hostile, status: str, kind: type[VendorError]) -> None:
    server = hostile(answer(b"{}", status, Retry_After="0"))
    with pytest.raises(kind):
        client_of(server, Limits(backoff_seconds=0.01)).write("change", "PUT", ("things",))
    assert len(server.requests) == 1


def test_a_write_may_be_given_more_time_than_other_calls(hostile: Hostile) -> None:
    def slow(connection: socket.socket) -> None:
        time.sleep(0.6)
        connection.sendall(answer(b'{"done": true}'))

    server = hostile(slow)
    http = client_of(server, Limits(call_seconds=0.3, idle_seconds=0.2))
    with pytest.raises(VendorOutcomeUnknownError):
        http.write("change", "POST", ("things",))
    assert http.write("change", "POST", ("things",), seconds=20).document == {"done": True}


@pytest.mark.parametrize("body", [b"<html>", b"{", b"", b"[1]", b"x" * 200_000])
def test_a_write_of_which_the_status_is_enough_is_done_whatever_the_answer_holds(hostile: Hostile, body: bytes) -> None:
    server = hostile(answer(body, X_Request_Id="r1"))
    done = client_of(server).write("change", "PUT", ("things",), needs_answer=False)
    assert (done.status, done.document, done.request_id) == (200, None, "r1")


@pytest.mark.parametrize("script", [reset(), answer(b"", "502 No"), answer(b"", "202 Later"), hang()])
def test_and_without_such_a_status_it_is_unknown(hostile: Hostile, script: Script) -> None:
    server = hostile(script)
    with pytest.raises(VendorOutcomeUnknownError):
        client_of(server).write("change", "PUT", ("things",), needs_answer=False)
    assert len(server.requests) == 1


def test_a_question_by_another_method_is_asked_again_like_a_read(hostile: Hostile) -> None:
    server = hostile(reset(), answer(b'{"a": 1}'))
    limits = Limits(backoff_seconds=0.01, retries=1)
    assert client_of(server, limits).ask("ask", "POST", ("things",)).document == {"a": 1}
    assert [request.split(b" ")[0] for request in server.requests] == [b"POST", b"POST"]


def test_a_write_is_sent_over_a_connection_of_its_own(hostile: Hostile) -> None:
    server = hostile(answer())
    http = client_of(server)
    http.get("read", ("a",))
    http.write("change", "DELETE", ("a",))

    assert server.connections == 2


# --- statuses --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (300, VendorAddressError),
        (302, VendorAddressError),
        (304, VendorAddressError),
        (307, VendorAddressError),
        (400, VendorRejectedError),
        (401, VendorAuthError),
        (403, VendorForbiddenError),
        (404, VendorNotFoundError),
        (409, VendorRejectedError),
        (422, VendorRejectedError),
        (429, VendorRateLimitError),
        (500, VendorUnavailableError),
        (503, VendorUnavailableError),
        (599, VendorUnavailableError),
    ],
)
def test_each_status_is_one_error(hostile: Hostile, status: int, kind: type[VendorError]) -> None:
    other = hostile(answer())
    server = hostile(answer(b"{}", f"{status} Word", Location=other.url, X_Request_Id="rq-7"))
    error = refused(server, kind)

    assert (error.status, error.request_id) == (status, "rq-7")
    assert other.requests == []


def test_reasons_are_the_vendors_words_without_secrets(hostile: Hostile) -> None:
    errors = [
        {"code": "invalid_field", "field": "name", "message": f"bad \u202e key {SECRET} " + "x" * 900},
        {"code": 5, "field": None, "message": {}},
    ]
    error = refused(hostile(answer(json.dumps({"errors": errors}).encode(), "422 No")), VendorRejectedError)

    assert isinstance(error, VendorRejectedError)
    ((code, name, words),) = error.reasons
    assert (code, name) == ("invalid_field", "name")
    assert words.startswith("bad key [secret] xxx")
    assert len(words) <= 500


def test_a_renewed_authorization_is_tried_once(hostile: Hostile) -> None:
    server = hostile(answer(b"{}", "401 No"), answer(b'{"a": 1}'))
    http = client_of(server, authorize=lambda: "Bearer old", reauthorize=lambda refused: refused + "-new")

    assert http.get("read", ("a",)).document == {"a": 1}
    assert b"Authorization: Bearer old-new\r\n" in server.requests[1]


def test_an_authorization_refused_twice_is_refused(hostile: Hostile) -> None:
    server = hostile(answer(b"{}", "401 No"))
    refused(server, VendorAuthError, authorize=lambda: "Bearer old", reauthorize=lambda refused: "Bearer new")
    assert len(server.requests) == 2


@pytest.mark.parametrize("secret", ["a\r\nX-Injected: yes", "schlüssel", "a\0b"])
def test_a_secret_that_cannot_be_sent_is_refused_without_quoting_it(hostile: Hostile, secret: str) -> None:
    server = hostile(answer())
    error = refused(server, VendorAuthError, authorize=lambda: f"Bearer {secret}")

    assert secret not in str(error)
    assert server.requests == []


# --- waiting ---------------------------------------------------------------------------------------------------------


class Gate:
    """A budget and a breaker that remember what they were told."""

    def __init__(self, refusal: VendorError | None = None) -> None:
        self.refusal = refusal
        self.told: list[str | float] = []

    def take(self) -> None:
        self.told.append("take")

    def refuse_until(self, seconds: float) -> None:
        self.told.append(seconds)

    def check(self) -> None:
        self.told.append("check")
        if self.refusal:
            raise self.refusal

    def succeeded(self) -> None:
        self.told.append("succeeded")

    def failed(self) -> None:
        self.told.append("failed")


def test_a_short_wait_is_waited_for(hostile: Hostile) -> None:
    server = hostile(answer(b"{}", "429 Slow", Retry_After="0"), answer(b'{"a": 1}'))
    assert client_of(server, Limits()).get("read", ("a",)).document == {"a": 1}


@pytest.mark.parametrize(
    ("value", "low", "high"),
    [
        ("120", 120, 120),
        ("999999999", 900, 900),
        ("in an hour", 900, 900),
        ("an hour ago", 0, 0),
        ("Fri, 99 Foo 2026", 1, 1),
        ("-5", 1, 1),
        ("soon", 1, 1),
    ],
)
def test_a_long_wait_is_handed_on_with_a_cap(hostile: Hostile, value: str, low: float, high: float) -> None:
    gate = Gate()
    hours = {"in an hour": 1, "an hour ago": -1}.get(value)
    if hours:
        value = format_datetime(datetime.now(UTC) + timedelta(hours=hours), usegmt=True)
    error = refused(hostile(answer(b"{}", "429 Slow", Retry_After=value)), VendorRateLimitError, budget=gate)

    assert isinstance(error, VendorRateLimitError)
    assert low <= error.retry_after_seconds <= high
    assert gate.told == ["take", *([error.retry_after_seconds] if error.retry_after_seconds else [])]


def test_budget_and_breaker_are_asked_before_every_attempt(hostile: Hostile) -> None:
    gate = Gate()
    http = client_of(
        hostile(answer(b"{}", "500 No"), answer()), Limits(backoff_seconds=0.01), budget=gate, breaker=gate
    )
    http.get("read", ("a",))

    assert gate.told == ["check", "take", "failed", "check", "take", "succeeded"]


def test_a_refusal_is_no_failure_of_the_line(hostile: Hostile) -> None:
    gate = Gate()
    refused(hostile(answer(b"{}", "403 No")), VendorForbiddenError, breaker=gate)
    assert gate.told == ["check", "succeeded"]


def test_an_open_breaker_sends_nothing(hostile: Hostile) -> None:
    server = hostile(answer())
    gate = Gate(VendorPausedError("Paused.", retry_after_seconds=60))
    refused(server, VendorPausedError, Limits(), breaker=gate)

    assert server.requests == []
    assert gate.told == ["check"]


class ClosingGate(Gate):
    """A breaker that opens with the first failure."""

    def failed(self) -> None:
        super().failed()
        self.refusal = VendorPausedError("Paused.", retry_after_seconds=60)


def test_a_call_over_which_the_breaker_opens_says_what_the_vendor_answered(hostile: Hostile) -> None:
    gate = ClosingGate()
    server = hostile(answer(b"{}", "503 Down"), answer())
    error = refused(server, VendorUnavailableError, Limits(backoff_seconds=0.01), breaker=gate)

    assert error.status == 503
    assert gate.told == ["check", "failed", "check"]


# --- addresses -------------------------------------------------------------------------------------------------------


NOT_PUBLIC = """
    127.0.0.1 10.1.2.3 172.16.0.1 192.168.1.1 169.254.169.254 100.64.0.1 100.100.100.200 0.0.0.0 224.0.0.1
    255.255.255.255 240.0.0.1 192.0.0.192 192.0.2.1 198.18.0.1 198.51.100.1 203.0.113.1 168.63.129.16
    ::1 :: fe80::1 fc00::1 fd00:ec2::254 ff02::1 fec0::1 100::1 2001:db8::1
    ::ffff:8.8.8.8 ::ffff:127.0.0.1 ::127.0.0.1 2002:7f00:1:: 2001::1 64:ff9b::7f00:1 64:ff9b::a9fe:a9fe 64:ff9b:1::1
"""


@pytest.mark.parametrize("text", NOT_PUBLIC.split())
def test_addresses_that_no_vendor_has_are_not_public(text: str) -> None:
    assert not is_public(ip_address(text))


@pytest.mark.parametrize("text", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "2a00:1450:4001::1", "64:ff9b::808:808"])
def test_ordinary_addresses_are_public(text: str) -> None:
    assert is_public(ip_address(text))


@pytest.mark.parametrize("networks", [(), ("10.0.0.0/8", "::1/128")])
def test_a_private_address_is_refused_unless_allowed(hostile: Hostile, networks: tuple[str, ...]) -> None:
    server = hostile(answer())
    refused(server, VendorAddressError, allowed_networks=networks)
    assert server.connections == 0


@pytest.mark.parametrize(
    "base",
    ["http://127.0.0.1.nip.invalid:1", "http://2130706433:{port}", "http://0x7f.1:{port}", "http://localhost:{port}"],
)
def test_no_other_spelling_of_loopback_gets_through(hostile: Hostile, base: str) -> None:
    server = hostile(answer())
    region = Region("test", "Test", {"api": base.format(port=server.port)})
    with pytest.raises((VendorAddressError, VendorUnavailableError)):
        VendorHTTP("testvendor", Connection(region, {}), limits=QUICK).get("read", ("a",))
    assert server.connections == 0


def test_plain_http_is_only_for_allowed_networks() -> None:
    region = Region("test", "Test", {"api": "http://8.8.8.8/v1"})
    with pytest.raises(VendorAddressError, match="encryption"):
        VendorHTTP("testvendor", Connection(region, {}), limits=QUICK).get("read", ("a",))


@pytest.mark.parametrize("base", ["", "ftp://127.0.0.1", "file:///etc", "127.0.0.1"])
def test_a_host_must_be_a_web_address(base: str) -> None:
    with pytest.raises(VendorAddressError):
        VendorHTTP("testvendor", Connection(Region("test", "Test", {"api": base}), {})).get("read", ("a",))


@pytest.mark.parametrize(
    "url",
    ["{base}/v1/things?after=2", "/v1/things?after=2", "things?after=2", "?after=2", "{base}/v1/things?after=2#x"],
)
def test_a_next_page_below_the_base_is_followed(hostile: Hostile, url: str) -> None:
    server = hostile(answer())
    http = client_of(server)
    first = http.get("list", ("things",))
    http.follow("list", url.format(base=server.url), after=first)

    assert server.requests[1].startswith(b"GET /v1/things?after=2 HTTP/1.1")


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/v1/things",
        "//evil.example/v1/things",
        "http://127.0.0.1:1/v1/things",
        "{base}@evil.example/v1/things",
        "http://user:pw@127.0.0.1:{port}/v1/things",
        "https://127.0.0.1:{port}/v1/things",
        "{base}/v2/things",
        "{base}/v10/things",
        "/v2/things",
        "/v1/../v2",
        "../v2",
        "/v1/%2e%2e/v2",
        "/v1/..%2fv2",
        "\\\\evil.example\\v1",
        "{base}\\@evil.example/v1",
        "/v1/a\r\nHost: evil.example",
        "/v1/a b",
        "/v1/ä",
        "http://[::1/v1",
        "javascript:alert(1)",
        "/v1/" + "a" * 9000,
    ],
)
def test_a_next_page_elsewhere_is_refused(hostile: Hostile, url: str) -> None:
    server = hostile(answer())
    http = client_of(server)
    first = http.get("list", ("things",))
    with pytest.raises(VendorAddressError):
        http.follow("list", url.format(base=server.url, port=server.port), after=first)
    assert len(server.requests) == 1


# --- TLS -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> Iterator[Authority]:
    made = Authority()
    yield made
    made.close()


@pytest.fixture
def secured(authority: Authority) -> Iterator[Callable[..., HostileServer]]:
    """Starts servers as `hostile` does, with a certificate for the name they are given first."""
    running: list[HostileServer] = []

    def start(name: str, *scripts: Script, by: Authority = authority) -> HostileServer:
        running.append(HostileServer(scripts, by.server_context(name)))
        return running[-1]

    yield start
    for server in running:
        server.stop()


def test_a_verified_server_is_read_over_one_connection(authority: Authority, secured: Hostile) -> None:
    server = secured("127.0.0.1", answer(b'{"a": 1}'))
    http = client_of(server, ca_bundle=authority.bundle)

    assert [http.get("read", ("a",)).document for _ in range(3)] == [{"a": 1}] * 3
    assert server.connections == 1


def test_a_server_of_another_name_or_authority_is_not_spoken_to(authority: Authority, secured: Hostile) -> None:
    unknown = Authority()
    for server in (secured("other.example", answer()), secured("127.0.0.1", answer(), by=unknown)):
        error = refused(server, VendorUnavailableError, ca_bundle=authority.bundle)
        assert "certificate" in error.message
        assert server.requests == []
    unknown.close()


def test_a_verified_name_is_reached_at_its_pinned_address(authority: Authority, secured: Hostile) -> None:
    server = secured("localhost", answer(b'{"a": 1}'))
    region = Region("test", "Test", {"api": f"https://localhost:{server.port}/v1"})
    connection = Connection(region, {}, allowed_networks=LOOPBACK_NETWORKS, ca_bundle=authority.bundle)

    assert VendorHTTP("testvendor", connection).get("read", ("a",)).document == {"a": 1}


@pytest.mark.parametrize("script", [drip(b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n", b" "), hang()])
def test_the_deadline_holds_over_tls(authority: Authority, secured: Hostile, script: Script) -> None:
    refused(secured("127.0.0.1", script), VendorUnavailableError, ca_bundle=authority.bundle)


def test_a_flood_is_cut_off_over_tls(authority: Authority, secured: Hostile) -> None:
    server = secured("127.0.0.1", TOO_MUCH["a chunk without an end"])
    refused(server, VendorResponseError, ca_bundle=authority.bundle)


def test_a_handshake_that_does_not_come_ends(hostile: Hostile) -> None:
    region = Region("test", "Test", {"api": f"https://127.0.0.1:{hostile(hang()).port}"})
    connection = Connection(region, {}, allowed_networks=LOOPBACK_NETWORKS)
    with pytest.raises(VendorUnavailableError):
        VendorHTTP("testvendor", connection, limits=QUICK).get("read", ("a",))


# --- long lists ------------------------------------------------------------------------------------------------------


def test_a_long_list_is_read_item_by_item(hostile: Hostile) -> None:
    body = json.dumps({"data": [{"n": number} for number in range(5000)], "next": "x"}).encode()
    server = hostile(answer(gzip.compress(body), Content_Encoding="gzip"), answer())
    http = client_of(server)
    stream = http.get_items("list", ("things",), "data")

    assert [item["n"] for item in stream] == list(range(5000))
    assert stream.rest == {"next": "x"}
    http.get("read", ("a",))
    assert server.connections == 1


def test_another_call_may_be_made_between_two_items(hostile: Hostile) -> None:
    body = json.dumps({"data": [{"n": number} for number in range(20_000)]}).encode()
    http = client_of(hostile(answer(body), answer(b'{"a": 1}')))
    items = iter(http.get_items("list", ("things",), "data"))

    assert next(items) == {"n": 0}
    assert http.get("read", ("a",)).document == {"a": 1}
    assert sum(1 for _ in items) == 19_999


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (reset(b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"data": [1, 2,'), VendorUnavailableError),
        (hang(b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"data": [1, 2,'), VendorUnavailableError),
        (answer(b'{"data": [1, 2, '), VendorResponseError),
        (answer(b'{"data": {}}'), VendorResponseError),
        (answer(b'<html>'), VendorResponseError),
        (answer(b'{}', "403 No"), VendorForbiddenError),
        (flood(b'HTTP/1.1 200 OK\r\n\r\n{"data": [1, "', b"x" * 65536), VendorResponseError),
        (drip(b'HTTP/1.1 200 OK\r\n\r\n{"data": [1, ', b"2, "), VendorUnavailableError),
    ],
)  # fmt: skip
def test_half_a_list_is_an_error_and_not_a_list(hostile: Hostile, script: Script, kind: type[VendorError]) -> None:
    limits = Limits(idle_seconds=0.5, stream_seconds=1, item_bytes=100_000, stream_bytes=1_000_000, retries=0)
    server = hostile(script)
    with pytest.raises(VendorError) as caught:
        list(client_of(server, limits).get_items("list", ("things",), "data"))
    assert type(caught.value) is kind, repr(caught.value)
    assert_no_secret(caught.value)


def test_a_slow_reader_is_not_taken_for_a_slow_vendor(hostile: Hostile) -> None:
    body = json.dumps({"data": [{"n": number} for number in range(20_000)]}).encode()
    limits = Limits(stream_seconds=1.0, idle_seconds=1.0, retries=0)
    count = 0
    for _ in client_of(hostile(answer(body)), limits).get_items("list", ("things",), "data"):
        count += 1
        if count == 1:
            # More than the whole list may take; most of it is still on its way.
            time.sleep(1.1)
    assert count == 20_000


def test_a_list_guard_ends_loops_and_endless_lists() -> None:
    guard = ListGuard("testvendor", "list", max_pages=3, max_items=10)
    guard.page("", 5)
    guard.page("a", 5)
    with pytest.raises(VendorResponseError, match="leads back"):
        guard.page("a", 0)
    with pytest.raises(VendorResponseError, match="does not end"):
        guard.page("b", 1)


def test_an_endless_list_is_cut_into_pages() -> None:
    assert list(in_pages([], 2)) == [[]]
    assert list(in_pages([1, 2], 2)) == [[1, 2]]
    assert list(in_pages([1, 2, 3], 2)) == [[1, 2], [3]]
