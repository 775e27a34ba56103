"""A server that answers each request with a script: exactly these bytes, or whatever a function does to the socket."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Sequence

Script = bytes | Callable[[socket.socket], None]


class HostileServer:
    """Takes one connection after another; request N of all gets script N, and the last script again after it.

    `requests` has the heads and bodies received, `connections` counts the connections they came over.
    """

    def __init__(self, scripts: Sequence[Script], context: ssl.SSLContext | None = None) -> None:
        self._scripts = scripts
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._is_stopped = threading.Event()
        self.requests: list[bytes] = []
        self.connections = 0
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http{'s' if self._context else ''}://127.0.0.1:{self.port}"

    def stop(self) -> None:
        self._is_stopped.set()
        # A listener in accept() is woken by shutting it down, not by closing it.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while not self._is_stopped.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        # The client may go at any time: that is what most tests are about.
        with contextlib.suppress(OSError), connection, self._secured(connection) as connection:
            while request := self._read(connection):
                script = self._scripts[min(len(self.requests), len(self._scripts) - 1)]
                self.requests.append(request)
                if callable(script):
                    script(connection)
                    return
                connection.sendall(script)

    def _secured(self, connection: socket.socket) -> socket.socket:
        return self._context.wrap_socket(connection, server_side=True) if self._context else connection

    @staticmethod
    def _read(connection: socket.socket) -> bytes:
        received = b""
        while b"\r\n\r\n" not in received:
            chunk = connection.recv(65536)
            if not chunk:
                return b""
            received += chunk
        head, _, body = received.partition(b"\r\n\r\n")
        lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        while lengths and len(body) < int(lengths[0]):
            body += connection.recv(65536)
        return head + b"\r\n\r\n" + body


def answer(body: bytes = b"{}", status: str = "200 OK", **headers: str) -> bytes:
    """A well-formed answer; header names are written with underscores."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def drip(head: bytes, piece: bytes) -> Callable[[socket.socket], None]:
    """Send `head`, then `piece` again and again, slowly, without end."""

    def script(connection: socket.socket) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(piece)
            time.sleep(0.02)

    return script


def flood(head: bytes, piece: bytes) -> Callable[[socket.socket], None]:
    """Send `head`, then `piece` again and again, as fast as it is taken, without end."""

    def script(connection: socket.socket) -> None:
        connection.sendall(head)
        while True:
            connection.sendall(piece)

    return script


def hang(head: bytes = b"") -> Callable[[socket.socket], None]:
    """Send `head` and then nothing, until the client goes."""

    def script(connection: socket.socket) -> None:
        connection.sendall(head)
        connection.recv(1)

    return script


def reset(head: bytes = b"") -> Callable[[socket.socket], None]:
    """Send `head` and break the connection off."""

    def script(connection: socket.socket) -> None:
        connection.sendall(head)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

    return script
