"""Files behind signed addresses, read while they come in, from servers that do what no decent server does."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from integrations_app.vendors.base import LOOPBACK_NETWORKS, Connection, Region
from integrations_app.vendors.errors import (
    VendorAddressError,
    VendorError,
    VendorForbiddenError,
    VendorPausedError,
    VendorResponseError,
    VendorUnavailableError,
)
from integrations_app.vendors.http import Limits, VendorHTTP
from tests.integrations_app.vendors.hostile import HostileServer, Script, answer, drip, flood, hang, reset

Hostile = Callable[..., HostileServer]

SECRET, SIGNATURE = "fake-secret-0123456789", "fake-signature"
QUICK = Limits(idle_seconds=0.5, stream_seconds=1.0, stream_bytes=2_000_000, backoff_seconds=0.01, retries=1)
CONTENT = bytes(range(256)) * 2048


def client_of(
    server: HostileServer, limits: Limits = QUICK, allowed: tuple[str, ...] = LOOPBACK_NETWORKS
) -> VendorHTTP:
    hosts = {"api": f"{server.url}/v1", "files": f"{server.url}/files"}
    connection = Connection(Region("test", "Test", hosts), {"key": SECRET}, allowed_networks=allowed)
    return VendorHTTP("testvendor", connection, limits=limits, authorize=lambda: f"Bearer {SECRET}")


def address(server: HostileServer) -> str:
    return f"{server.url}/files/a.zip?Signature={SIGNATURE}"


def test_a_file_is_read_in_pieces_without_the_secret(hostile: Hostile) -> None:
    server = hostile(answer(CONTENT))
    pieces = list(client_of(server).get_file("download", address(server), limit_bytes=len(CONTENT)))

    assert b"".join(pieces) == CONTENT
    assert max(map(len, pieces)) < len(CONTENT)
    head = server.requests[0].decode()
    assert head.startswith(f"GET /files/a.zip?Signature={SIGNATURE} ")
    assert SECRET not in head
    assert "Accept-Encoding: identity" in head


def test_a_file_that_could_not_be_begun_is_asked_for_again(hostile: Hostile) -> None:
    server = hostile(reset(), answer(b"zip"))
    assert list(client_of(server).get_file("download", address(server), limit_bytes=9)) == [b"zip"]


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (answer(b"x" * 1001), VendorResponseError),
        (flood(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 65536), VendorResponseError),
        (drip(b"HTTP/1.1 200 OK\r\n\r\n", b"x"), VendorUnavailableError),
        (hang(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nx"), VendorUnavailableError),
        (reset(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nx"), VendorUnavailableError),
        (answer(b"x", Content_Encoding="zstd"), VendorResponseError),
        (answer(b"no gzip at all", Content_Encoding="gzip"), VendorResponseError),
        (answer(b"<Error>Request has expired</Error>", "403 Forbidden"), VendorForbiddenError),
        (answer(b"", "302 Found", Location="http://169.254.169.254/"), VendorAddressError),
        (answer(b"", "206 Partial"), VendorResponseError),
    ],
)
def test_half_a_file_is_an_error_and_not_a_file(hostile: Hostile, script: Script, kind: type[VendorError]) -> None:
    server = hostile(script)
    with pytest.raises(VendorError) as caught:
        list(client_of(server).get_file("download", address(server), limit_bytes=1000))
    assert type(caught.value) is kind, repr(caught.value)
    assert SIGNATURE not in repr(caught.value) + repr(vars(caught.value))


def test_a_file_elsewhere_is_refused_before_anything_is_asked(hostile: Hostile) -> None:
    server, other = hostile(answer()), hostile(answer())
    for url in (f"{other.url}/files/a.zip", f"{server.url}/v1/a", f"{server.url}/files/../v1/a", "file:///etc/passwd"):
        with pytest.raises(VendorAddressError):
            client_of(server).get_file("download", url, limit_bytes=9)
    assert server.requests == other.requests == []


def test_a_file_on_a_private_network_is_refused(hostile: Hostile) -> None:
    server = hostile(answer())
    with pytest.raises(VendorAddressError):
        list(client_of(server, allowed=()).get_file("download", address(server), limit_bytes=9))
    assert server.requests == []


def test_a_slow_reader_is_not_taken_for_a_slow_vendor(hostile: Hostile) -> None:
    limits = Limits(stream_seconds=0.5, idle_seconds=0.5, retries=0)
    server = hostile(answer(CONTENT))
    size = 0
    for piece in client_of(server, limits).get_file("download", address(server), limit_bytes=len(CONTENT)):
        if not size:
            # More than the whole file may take; most of it is still on its way.
            time.sleep(0.6)
        size += len(piece)
    assert size == len(CONTENT)


def test_a_paused_account_fetches_no_file(hostile: Hostile) -> None:
    class Open:
        def check(self) -> None:
            raise VendorPausedError("paused")

        def succeeded(self) -> None: ...

        def failed(self) -> None: ...

    server = hostile(answer())
    hosts = {"files": f"{server.url}/files"}
    connection = Connection(Region("t", "T", hosts), {}, allowed_networks=LOOPBACK_NETWORKS, breaker=Open())
    with pytest.raises(VendorPausedError):
        list(VendorHTTP("testvendor", connection).get_file("download", address(server), limit_bytes=9))
    assert server.requests == []
