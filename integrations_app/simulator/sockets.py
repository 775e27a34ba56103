"""HTTP/1.1 on a raw socket: keep-alive, Content-Length, bounded head and body, chunked answers."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlsplit

from integrations_app.simulator.wire import Response

HEAD_LIMIT_BYTES = 64 * 1024
BODY_LIMIT_BYTES = 8 * 1024 * 1024
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class BadRequestError(Exception):
    """The client's bytes are no request we take; the connection is answered and closed."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True)
class Incoming:
    """A request as it came off the socket, before a vendor was found for it."""

    method: str
    target: str  # path and query as sent
    headers: dict[str, str]
    body: bytes
    is_kept_alive: bool
    is_chunk_capable: bool  # HTTP/1.1: a streamed answer may be chunked


class Reader:
    """Reads requests off a socket, keeping what came too early for the next."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._buffer = b""

    def read(self) -> Incoming | None:
        """The next request; None when the client hung up between two. Raises BadRequestError."""
        head = self._head()
        if head is None:
            return None
        lines = head.decode("latin-1").split("\r\n")
        words = lines[0].split(" ")
        if len(words) != 3 or words[0] not in METHODS or words[2] not in ("HTTP/1.1", "HTTP/1.0"):
            raise BadRequestError(400, "not an HTTP/1.1 request line")
        headers = _headers(lines[1:])
        is_new = words[2] == "HTTP/1.1"
        wish = headers.get("connection", "").lower()
        return Incoming(
            method=words[0],
            target=_target(words[1]),
            headers=headers,
            body=self._body(headers),
            is_kept_alive=wish != "close" if is_new else wish == "keep-alive",
            is_chunk_capable=is_new,
        )

    def _head(self) -> bytes | None:
        while b"\r\n\r\n" not in self._buffer:
            if len(self._buffer) > HEAD_LIMIT_BYTES:
                raise BadRequestError(431, "the request's head is too long")
            if not self._receive():
                return None
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        if len(head) > HEAD_LIMIT_BYTES:
            raise BadRequestError(431, "the request's head is too long")
        return head

    def _body(self, headers: dict[str, str]) -> bytes:
        if "transfer-encoding" in headers:
            raise BadRequestError(411, "send Content-Length")
        length_text = headers.get("content-length", "0")
        if not length_text.isascii() or not length_text.isdigit():
            raise BadRequestError(400, "Content-Length is not a number")
        length = int(length_text)
        if length > BODY_LIMIT_BYTES:
            raise BadRequestError(413, "the request's body is too long")
        if headers.get("expect", "").lower() == "100-continue":
            self._connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        while len(self._buffer) < length:
            if not self._receive():
                raise BadRequestError(400, "the body ended early")
        body, self._buffer = self._buffer[:length], self._buffer[length:]
        return body

    def _receive(self) -> bool:
        received = self._connection.recv(65536)
        self._buffer += received
        return bool(received)


def _target(sent: str) -> str:
    """Path and query, also when the whole URL was sent."""
    if not sent.startswith(("http://", "https://")):
        return sent if sent.startswith("/") else "/" + sent
    parts = urlsplit(sent)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _headers(lines: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or name != name.strip():
            raise BadRequestError(400, "a header without a name")
        headers[name.lower()] = value.strip()
    return headers


class Writer:
    """Writes one answer to a socket."""

    def __init__(self, connection: socket.socket, incoming: Incoming | None) -> None:
        self._connection = connection
        self._is_head = incoming is not None and incoming.method == "HEAD"
        self._is_chunk_capable = incoming is not None and incoming.is_chunk_capable

    def send(self, response: Response, *, is_kept_alive: bool) -> None:
        """Send an answer as it should be."""
        if response.stream is not None and self._is_chunk_capable:
            self._send_chunked(response, response.stream, is_kept_alive)
            return
        body = b"".join(response.stream) if response.stream is not None else response.body
        head = self._head(
            response, None if body is None and response.status == 204 else len(body or b""), is_kept_alive
        )
        self._connection.sendall(head + (b"" if self._is_head else body or b""))

    def head(self, response: Response, promised_bytes: int, *, is_kept_alive: bool) -> None:
        """Send only the head, promising that much body."""
        self._connection.sendall(self._head(response, promised_bytes, is_kept_alive))

    def raw(self, part: bytes) -> None:
        """Send bytes as they are."""
        self._connection.sendall(part)

    def _send_chunked(self, response: Response, stream: Iterator[bytes], is_kept_alive: bool) -> None:
        extra = [("Transfer-Encoding", "chunked")]
        self._connection.sendall(self._head(response, None, is_kept_alive, extra))
        if self._is_head:
            return
        for part in stream:
            if part:
                self._connection.sendall(b"%x\r\n%s\r\n" % (len(part), part))
        self._connection.sendall(b"0\r\n\r\n")

    @staticmethod
    def _head(
        response: Response, length: int | None, is_kept_alive: bool, extra: list[tuple[str, str]] | None = None
    ) -> bytes:
        try:
            reason = HTTPStatus(response.status).phrase
        except ValueError:
            reason = "Unknown"
        headers = [*response.headers, *(extra or [])]
        if length is not None:
            headers.append(("Content-Length", str(length)))
        headers.append(("Connection", "keep-alive" if is_kept_alive else "close"))
        lines = [f"HTTP/1.1 {response.status} {reason}", *(f"{name}: {value}" for name, value in headers)]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")
