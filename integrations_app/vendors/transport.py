"""Sockets for vendor calls: connected to checked addresses only, and metered in time and bytes on every read.

`requests` has no total deadline, and its stack reads status lines, headers, chunk sizes and trailers in ways a hostile
server can draw out. So both limits are kept where every byte must pass: at the socket.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import requests
import requests.adapters
import urllib3
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from integrations_app.vendors.addresses import Network, checked_addresses

# Whatever the HTTP stack raises at a network that fails or a server that does not speak HTTP. ValueError is among
# them because the stack lets it escape for some malformed answers (a negative chunk size, a header it cannot decode).
NETWORK_ERRORS = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    OSError,
    ValueError,
)


class Meter:
    """What one call may take in seconds and bytes, and what it has taken.

    The clock can be held while somebody else works (between the items of a streamed list), so that a slow consumer is
    not taken for a slow vendor.
    """

    def __init__(self, *, seconds: float, idle_seconds: float, connect_seconds: float, limit_bytes: int) -> None:
        self._ends_at = time.monotonic() + seconds
        self._held_at: float | None = None
        self._idle_seconds = idle_seconds
        self.connect_seconds = connect_seconds
        self._limit_bytes = limit_bytes
        self._received_bytes = 0
        self.is_late = False
        self.is_over = False
        self.has_sent = False

    def left(self) -> float:
        """Seconds until the deadline; raises TimeoutError once it has passed."""
        seconds = self._ends_at - time.monotonic()
        if seconds <= 0:
            self.is_late = True
            raise TimeoutError("The call's deadline has passed.")
        return seconds

    def patience(self) -> float:
        """How long the next read or write may block."""
        return min(self.left(), self._idle_seconds)

    def count(self, received_bytes: int) -> None:
        """Note bytes that came in; raises OSError once they are too many."""
        self._received_bytes += received_bytes
        if self._received_bytes > self._limit_bytes:
            self.is_over = True
            raise OSError("The answer is too large.")

    def restart_count(self) -> None:
        """A new attempt of the same call: the bytes start over, the clock does not."""
        self._received_bytes = 0
        self.has_sent = False

    def hold(self) -> None:
        self._held_at = time.monotonic()

    def go_on(self) -> None:
        if self._held_at is not None:
            self._ends_at += time.monotonic() - self._held_at
            self._held_at = None


class _Metered:
    """The meter of the call under way; one object is shared by the sockets of a client."""

    def __init__(self) -> None:
        self.meter = Meter(seconds=0, idle_seconds=0, connect_seconds=0, limit_bytes=0)


class _Socket(socket.socket):
    """A plain socket that asks the meter before every read and write."""

    shared: _Metered

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        self.settimeout(self.shared.meter.patience())
        received = super().recv_into(*args, **kwargs)
        self.shared.meter.count(received)
        return received

    def sendall(self, *args: Any, **kwargs: Any) -> None:
        self.settimeout(self.shared.meter.patience())
        self.shared.meter.has_sent = True
        super().sendall(*args, **kwargs)


class _TLSSocket(ssl.SSLSocket):
    """The same over TLS; the meter is found through the context, for the ssl module makes these objects itself."""

    def recv_into(self, *args: Any, **kwargs: Any) -> int:
        shared = _shared_of(self.context)
        self.settimeout(shared.meter.patience())
        received = super().recv_into(*args, **kwargs)
        shared.meter.count(received)
        return received

    def sendall(self, *args: Any, **kwargs: Any) -> None:
        shared = _shared_of(self.context)
        self.settimeout(shared.meter.patience())
        shared.meter.has_sent = True
        super().sendall(*args, **kwargs)


class _TLSContext(ssl.SSLContext):
    sslsocket_class = _TLSSocket
    shared: _Metered


def _shared_of(context: ssl.SSLContext) -> _Metered:
    if not isinstance(context, _TLSContext):
        raise ssl.SSLError("A vendor's socket has lost its meter.")
    return context.shared


class Transport(requests.adapters.HTTPAdapter):
    """Sends prepared requests, one after another, over connections kept alive per host.

    It is used without a `requests.Session`, so nothing of a session applies: no redirects, cookies, netrc or proxies.
    Not for use by several threads.
    """

    def __init__(self, allowed_networks: Sequence[Network], ca_bundle: str | None) -> None:
        self._allowed_networks = allowed_networks
        self._ca_bundle = ca_bundle
        self._shared = _Metered()
        self._pools: dict[tuple[str, str, int], urllib3.HTTPConnectionPool] = {}
        self._addresses: dict[tuple[str, str, int], tuple[str, ...]] = {}
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    def use(self, meter: Meter) -> None:
        """Meter all following reads and writes with `meter`."""
        self._shared.meter = meter

    def fetch(self, request: requests.PreparedRequest) -> requests.Response:
        """Send one request and return the answer with its body unread, whatever its status.

        Raises AddressRefusedError and HostUnknownError before anything is sent, and the errors of NETWORK_ERRORS.
        """
        place = _place(str(request.url))
        if place not in self._addresses:
            meter = self._shared.meter
            self._addresses[place] = checked_addresses(
                place[1],
                place[2],
                self._allowed_networks,
                seconds=min(meter.left(), meter.connect_seconds),
                is_plain=place[0] != "https",
            )
        # The sockets set their own timeouts from the meter; this one only covers what may happen before.
        return super().send(request, stream=True, timeout=self._shared.meter.patience())

    def forget_connections(self) -> None:
        """Close idle connections: a write is never sent over one that the vendor may be closing just now."""
        for pool in self._pools.values():
            pool.close()
        self._pools.clear()

    def close(self) -> None:
        self.forget_connections()
        super().close()

    def get_connection_with_tls_context(
        self,
        request: requests.PreparedRequest,
        verify: bool | str | None,
        proxies: Mapping[str, str] | None = None,
        cert: tuple[str, str] | str | None = None,
    ) -> urllib3.HTTPConnectionPool:
        """The pool of a request's host; what requests would read from its caller or the environment is left unused."""
        place = _place(str(request.url))
        if place not in self._pools:
            self._pools[place] = self._new_pool(place)
        return self._pools[place]

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Nothing to do: the pools bring a TLS context of their own that always verifies."""

    def _new_pool(self, place: tuple[str, str, int]) -> urllib3.HTTPConnectionPool:
        scheme, host, port = place
        dial = partial(self._dial, place)
        if scheme != "https":
            plain = urllib3.HTTPConnectionPool(host, port, maxsize=1)
            plain.ConnectionCls = partial(_Connection, dial)  # type: ignore[assignment]  # called like the class
            return plain
        pool = urllib3.HTTPSConnectionPool(host, port, maxsize=1, ssl_context=self._tls_context())
        pool.ConnectionCls = partial(_TLSConnection, dial)  # type: ignore[assignment]  # called like the class
        return pool

    def _tls_context(self) -> ssl.SSLContext:
        # Not ssl.create_default_context(): that one obeys SSLKEYLOGFILE of the environment.
        context = _TLSContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_verify_locations(cafile=self._ca_bundle or DEFAULT_CA_BUNDLE_PATH)
        context.shared = self._shared
        return context

    def _dial(self, place: tuple[str, str, int]) -> socket.socket:
        """Connect to the first checked address that answers; the name is not looked up again."""
        problem: OSError = OSError("no address")
        for address in self._addresses[place]:
            sock = _Socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
            sock.shared = self._shared
            try:
                meter = self._shared.meter
                sock.settimeout(min(meter.patience(), meter.connect_seconds))
                sock.connect((address, place[2]))
                with contextlib.suppress(OSError):
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return sock
            except OSError as error:
                sock.close()
                problem = error
        raise problem


class _Connection(urllib3.connection.HTTPConnection):
    def __init__(self, dial: partial[socket.socket], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._dial = dial

    def _new_conn(self) -> socket.socket:
        return self._dial()


class _TLSConnection(urllib3.connection.HTTPSConnection):
    """TLS to a pinned address; the certificate is verified for the host's name, which stays in `host`."""

    def __init__(self, dial: partial[socket.socket], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._dial = dial

    def _new_conn(self) -> socket.socket:
        return self._dial()


def _place(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
