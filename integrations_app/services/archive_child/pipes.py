"""The two pipes between the reading process and the one that started it."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator

from integrations_app.services.archive_child.bounds import WINDOW_BYTES, Refused


class Pipes:
    """Asks the parent for bytes of the archive, and tells it what was found."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._window, self._window_at = b"", 0

    def send(self, kind: bytes, payload: bytes) -> None:
        frame = memoryview(kind + struct.pack(">L", len(payload)) + payload)
        while frame:
            frame = frame[os.write(1, frame) :]

    def send_json(self, kind: bytes, value: dict[str, object]) -> None:
        self.send(kind, json.dumps(value, ensure_ascii=True).encode())

    def read(self, offset: int, length: int) -> bytes:
        """Bytes of the archive; refused when there are not that many."""
        if offset < 0 or offset + length > self.size:
            raise Refused("truncated", "The archive ends in the middle of something: it is cut off or damaged.")
        at = offset - self._window_at
        if at < 0 or at + length > len(self._window):
            self._window = self._ask(offset, max(length, min(WINDOW_BYTES, self.size - offset)))
            self._window_at, at = offset, 0
        return self._window[at : at + length]

    def pieces(self, offset: int, length: int) -> Iterator[bytes]:
        while length:
            count = min(length, WINDOW_BYTES)
            yield self.read(offset, count)
            offset, length = offset + count, length - count

    def _ask(self, offset: int, length: int) -> bytes:
        self.send(b"R", struct.pack(">QL", offset, length))
        answer = bytearray()
        while len(answer) < length:
            piece = os.read(0, length - len(answer))
            if not piece:
                raise SystemExit(3)  # The parent is gone: nobody waits for an answer.
            answer += piece
        return bytes(answer)
