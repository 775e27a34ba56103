"""Encryption at rest: the only module that imports a cipher.

Two levels. The key file (outside the database) holds key-encrypting keys, one a line, `name:base64 of 32 bytes`; the
first line is the current one, the others open what was wrapped before a rotation. Each tenant has data keys of its own,
stored wrapped (`console.access.models.DataKey`); `console.access.vault` picks them. What a data key seals is bound to
its context (tenant, record, field) as associated data, so a ciphertext copied into another row does not open.

A sealed value is `version (1 byte) | data key id (16 bytes) | nonce (12 bytes) | AES-256-GCM ciphertext and tag`. The
key id inside is what lets keys rotate without a new format.
"""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import hmac
import os
import secrets
import uuid
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings

KEY_BYTES = 32
_NONCE_BYTES = 12
_VERSION = b"\x01"
_HEADER_BYTES = 1 + 16 + _NONCE_BYTES


class KeyFileError(Exception):
    """The key file is missing, unreadable or malformed. The text is for the installer and names no key."""


class SealBrokenError(Exception):
    """A sealed value does not open: another key, another place than it was sealed for, or changed bytes."""


def create_key_file(path: Path) -> None:
    """Write a new key file with one random key, readable by its owner alone; an existing file is left as it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    line = f"k{secrets.token_hex(4)}:{base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()}\n"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "w") as file:
        file.write(line)


def _read_line(line: str) -> tuple[str, bytes]:
    name, _, encoded = line.partition(":")
    try:
        key = base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise KeyFileError(f"The key {name!r} in the key file is not base64.") from error
    if not name or len(key) != KEY_BYTES:
        raise KeyFileError(f"The key {name!r} in the key file is not {KEY_BYTES} bytes long.")
    return name, key


@functools.lru_cache(maxsize=4)
def _load_ring(path: Path, changed_at: float) -> dict[str, bytes]:
    lines = [line.strip() for line in path.read_text().splitlines()]
    ring = dict(_read_line(line) for line in lines if line and not line.startswith("#"))
    if not ring:
        raise KeyFileError(f"The key file {path} holds no key.")
    return ring


def _ring() -> dict[str, bytes]:
    path = Path(settings.ENCRYPTION_KEY_FILE)
    try:
        return _load_ring(path, path.stat().st_mtime)
    except OSError as error:
        raise KeyFileError(f"The key file {path} cannot be read: {error.strerror}.") from error


def current_key_name() -> str:
    """The name of the key-encrypting key that wraps new data keys (the first line of the key file)."""
    return next(iter(_ring()))


def key_names() -> tuple[str, ...]:
    """The names of all keys in the key file, the current one first; raises KeyFileError."""
    return tuple(_ring())


def new_data_key(context: str) -> tuple[str, bytes]:
    """Make a data key and wrap it: (name of the wrapping key, wrapped key). `context` says whose it is."""
    return wrap_data_key(AESGCM.generate_key(bit_length=KEY_BYTES * 8), context)


def wrap_data_key(key: bytes, context: str) -> tuple[str, bytes]:
    """Wrap `key` with the current key-encrypting key; see `new_data_key`."""
    name = current_key_name()
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return name, nonce + AESGCM(_ring()[name]).encrypt(nonce, key, f"data key|{name}|{context}".encode())


def unwrap_data_key(name: str, wrapped: bytes, context: str) -> bytes:
    """Open a wrapped data key; raises SealBrokenError, or KeyFileError when the key file no longer holds `name`."""
    ring = _ring()
    if name not in ring:
        raise KeyFileError(f"The key file no longer holds the key {name!r}; put it back to open what it sealed.")
    nonce, box = wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:]
    try:
        return AESGCM(ring[name]).decrypt(nonce, box, f"data key|{name}|{context}".encode())
    except InvalidTag as error:
        raise SealBrokenError("A data key does not open.") from error


def encrypt(key: bytes, key_id: uuid.UUID, plain: bytes, context: str) -> bytes:
    """Seal `plain` for exactly this `context`; see the module's docstring for the format."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    bound = f"{key_id}|{context}".encode()
    return _VERSION + key_id.bytes + nonce + AESGCM(key).encrypt(nonce, plain, bound)


def key_id_of(sealed: bytes) -> uuid.UUID:
    """The id of the data key that sealed this; raises SealBrokenError when it is no sealed value."""
    if len(sealed) <= _HEADER_BYTES or sealed[:1] != _VERSION:
        raise SealBrokenError("This is not a sealed value.")
    return uuid.UUID(bytes=sealed[1:17])


def decrypt(key: bytes, sealed: bytes, context: str) -> bytes:
    """Open what `encrypt` sealed for the same `context`; raises SealBrokenError."""
    key_id = key_id_of(sealed)
    nonce, box = sealed[17:_HEADER_BYTES], sealed[_HEADER_BYTES:]
    try:
        return AESGCM(key).decrypt(nonce, box, f"{key_id}|{context}".encode())
    except InvalidTag as error:
        raise SealBrokenError("A sealed value does not open.") from error


def keyed_digest(key: bytes, purpose: str, value: bytes) -> bytes:
    """A 32-byte digest of `value` that nobody without `key` can recompute; `purpose` keeps uses apart."""
    return hmac.new(key, purpose.encode() + b"\0" + value, hashlib.sha256).digest()
