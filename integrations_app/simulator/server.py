"""The simulator's HTTP server: sockets and threads, no framework, so that it can misbehave byte by byte.

The first segment of a path picks the vendor, and `/_control/` is the simulator's own. It listens on loopback unless
told otherwise and is never part of production.
"""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import struct
import threading
from dataclasses import replace
from pathlib import Path
from typing import Self
from urllib.parse import unquote, urlsplit

from integrations_app.simulator.accounts import describe
from integrations_app.simulator.alloy import PretendAlloy
from integrations_app.simulator.celigo import PretendCeligo
from integrations_app.simulator.control import Control
from integrations_app.simulator.faults import Fault
from integrations_app.simulator.membrane import PretendMembrane
from integrations_app.simulator.sockets import BadRequestError, Incoming, Reader, Writer
from integrations_app.simulator.torq import PretendTorq
from integrations_app.simulator.wire import PretendVendor, Request, Response
from integrations_app.simulator.world import World

log = logging.getLogger(__name__)

IDLE_SECONDS = 75.0
DRIP_BYTES = 16


class ResetError(Exception):
    """Drop the connection with a TCP reset, now."""


# Whoever adds a vendor adds its class here.
VENDORS = (PretendAlloy, PretendCeligo, PretendMembrane, PretendTorq)


class SimulatorServer:
    """The simulator on one port. `start` runs it in a thread, `serve_forever` in this one until `stop` is called."""

    def __init__(self, port: int = 0, data_dir: Path = Path("var"), seed: int = 1, host: str = "127.0.0.1") -> None:
        self.world = World(data_dir, seed)
        vendors: list[PretendVendor] = [vendor(self.world) for vendor in VENDORS]
        self._vendors = {vendor.slug: vendor for vendor in vendors}
        for vendor in vendors:
            self.world.declare(vendor.switches)
        self._control = Control(self.world, self._vendors)
        self._listener = socket.create_server((host, port), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self.url = f"http://{host}:{self.port}"
        self._stopping = threading.Event()
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    # --- life ----------------------------------------------------------------------------------------------------

    def start(self) -> Self:
        """Serve from a thread of its own; returns the server itself."""
        self._thread = threading.Thread(target=self.serve_forever, name="simulator", daemon=True)
        self._thread.start()
        return self

    def serve_forever(self) -> None:
        """Take connections until `stop`."""
        while not self._stopping.is_set():
            try:
                connection, peer = self._listener.accept()
            except OSError:
                if self._stopping.is_set():
                    return
                continue
            threading.Thread(target=self._serve, args=(connection, peer[0]), daemon=True).start()

    def stop(self) -> None:
        """Stop listening and hang up on everyone; safe to call twice and from a signal handler's thread."""
        self._stopping.set()
        # A listener blocked in accept wakes up from shutdown, not from close.
        for each in (self._listener, *self._open_connections()):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=5)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _open_connections(self) -> list[socket.socket]:
        with self._lock:
            return list(self._connections)

    # --- one connection ------------------------------------------------------------------------------------------

    def _serve(self, connection: socket.socket, peer: str) -> None:
        with self._lock:
            self._connections.add(connection)
        try:
            connection.settimeout(IDLE_SECONDS)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            reader = Reader(connection)
            while not self._stopping.is_set() and self._serve_one(connection, reader, peer):
                pass
        except ResetError:
            # Lingering for zero seconds makes close send RST in place of FIN.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        except OSError:
            pass  # the client went away, or was silent too long
        finally:
            with self._lock:
                self._connections.discard(connection)
            connection.close()

    def _serve_one(self, connection: socket.socket, reader: Reader, peer: str) -> bool:
        """Answer one request; False when the connection is done."""
        try:
            incoming = reader.read()
        except BadRequestError as error:
            answer = Response.of_json({"message": str(error)}, error.status)
            Writer(connection, None).send(answer, is_kept_alive=False)
            return False
        if incoming is None:
            return False
        vendor, request = self._route(incoming)
        writer = Writer(connection, incoming)
        if vendor is None:
            writer.send(self._own(request, peer), is_kept_alive=incoming.is_kept_alive)
            return incoming.is_kept_alive
        return self._answer(vendor, request, incoming, writer)

    def _route(self, incoming: Incoming) -> tuple[PretendVendor | None, Request]:
        parts = urlsplit(incoming.target)
        segments = tuple(unquote(part) for part in parts.path.split("/") if part)
        vendor = self._vendors.get(segments[0]) if segments else None
        path = parts.path
        if vendor is not None:
            path = "/" + path.lstrip("/").partition("/")[2]
            segments = segments[1:]
        base_url = f"{self.url}/{vendor.slug}" if vendor else self.url
        request = Request(
            incoming.method, path, segments, parts.query, incoming.headers, incoming.body, base_url,
        )  # fmt: skip
        return vendor, request

    def _own(self, request: Request, peer: str) -> Response:
        if request.segments[:1] == ("_control",):
            if not is_loopback(peer) or "origin" in request.headers:
                return Response.of_json({"message": "only from this machine, and not from a web page"}, 403)
            return self._control.handle(replace(request, segments=request.segments[1:]))
        if request.segments or request.method not in ("GET", "HEAD"):
            return Response.of_json({"message": "no such page; GET / lists the accounts"}, 404)
        return Response.of_json(self.overview())

    def overview(self) -> dict[str, object]:
        """What `GET /` answers: every account with its (fake) keys, the switches, the seed and the clock."""
        return {
            "accounts": [describe(account) for account in self.world.accounts()],
            "switches": {name: known["value"] for name, known in self.world.switches().items()},
            "seed": self.world.seed,
            "clock": self.world.now().isoformat(),
        }

    # --- answering, with or without a fault ----------------------------------------------------------------------

    def _answer(self, vendor: PretendVendor, request: Request, incoming: Incoming, writer: Writer) -> bool:
        account = vendor.account_of(request)
        target = incoming.target
        fault = self.world.take_fault(account, vendor.slug, request.method, target)
        self.world.record_hit(account, request.method, target, fault.name if fault else None)
        if fault is None or fault.kind == "delay":
            if fault is not None:
                self._stopping.wait(fault.seconds)
            writer.send(self._handle(vendor, account, request), is_kept_alive=incoming.is_kept_alive)
            return incoming.is_kept_alive
        if fault.kind == "reset":
            raise ResetError
        if fault.kind == "status":
            writer.send(_faulty_status(fault), is_kept_alive=incoming.is_kept_alive)
            return incoming.is_kept_alive
        return self._spoil(fault, self._handle(vendor, account, request), incoming, writer)

    def _spoil(self, fault: Fault, response: Response, incoming: Incoming, writer: Writer) -> bool:
        """Send what was carried out in a spoilt way; False when the connection is done."""
        if response.stream is not None:
            response.body, response.stream = b"".join(response.stream), None
        body = response.body or b""
        if fault.kind == "reset_after":
            raise ResetError
        if fault.kind == "status_after":
            writer.send(_faulty_status(fault), is_kept_alive=incoming.is_kept_alive)
            return incoming.is_kept_alive
        if fault.kind == "content":
            text = fault.body or "<!doctype html><title>Sign in</title><h1>Please sign in</h1>"
            writer.send(
                Response(200, text.encode(), [("Content-Type", fault.content_type)]),
                is_kept_alive=incoming.is_kept_alive,
            )
            return incoming.is_kept_alive
        if fault.kind == "drip":
            writer.head(response, len(body), is_kept_alive=False)
            for start in range(0, len(body), DRIP_BYTES):
                if self._stopping.wait(fault.seconds):
                    break
                writer.raw(body[start : start + DRIP_BYTES])
            return False
        promised = len(body) if fault.kind == "truncate" else len(body) + 1000
        writer.head(response, promised, is_kept_alive=False)
        writer.raw(body[: len(body) // 2] if fault.kind == "truncate" else body)
        if fault.kind == "length":
            self._stopping.wait(fault.seconds)
        return False

    def _handle(self, vendor: PretendVendor, account: str | None, request: Request) -> Response:
        known = self.world.account(account) if account else None
        if known is not None and known.script == "down":
            return Response.of_json({"message": "Service Unavailable"}, 503)
        try:
            return vendor.handle(request)
        except Exception:
            log.exception("simulator: %s %s/%s", request.method, vendor.slug, request.path)
            return Response.of_json({"message": "Internal Server Error"}, 500)


def _faulty_status(fault: Fault) -> Response:
    headers = [("Content-Type", fault.headers.get("Content-Type") or _content_type(fault.body))]
    headers += [(name, value) for name, value in fault.headers.items() if name != "Content-Type"]
    return Response(fault.status, fault.body.encode(), headers)


def _content_type(body: str) -> str:
    try:
        json.loads(body)
    except ValueError:
        return "text/plain"
    return "application/json"


def is_loopback(peer: str) -> bool:
    """Whether an address is this machine's own."""
    return peer.startswith("127.") or peer in ("::1", "::ffff:127.0.0.1")
