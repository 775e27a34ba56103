"""Membrane's tokens: a JWT that the caller signs with the workspace secret, or a personal access token.

Source: Membrane docs, "Authentication", three generations of them: the workspace stands under `workspaceKey` or `iss`,
the tenant under `tenantKey` or `id`, and `isAdmin` is true or "true". Asymmetric signing is not simulated: 401.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from integrations_app.simulator.membrane.errors import not_authenticated

# What opens a workspace without a JWT: this and the workspace key.
PERSONAL_PREFIX = "pat-simulated-"
_DIGESTS = {"HS256": hashlib.sha256, "HS512": hashlib.sha512}


@dataclass(frozen=True)
class Claims:
    """What a token says; `tenant_key` is "" for a token of the workspace itself."""

    workspace_key: str
    tenant_key: str = ""
    is_admin: bool = False


def read(token: str) -> Claims | None:
    """What a token claims, without any check; None when it is not a token at all."""
    if token.startswith(PERSONAL_PREFIX):
        return Claims(token.removeprefix(PERSONAL_PREFIX), is_admin=True)
    payload = _part(token, 1)
    return _claims(payload) if payload is not None else None


def verify(token: str, *, secret_of: Callable[[str], str | None], now: float) -> Claims:
    """What a good token says; `secret_of` gives a workspace's secret by its key.

    Raises RefusedError (401) for a bad one. A token without `exp` does not expire, as long-lived ones at the vendor.
    """
    claims = read(token)
    secret = secret_of(claims.workspace_key) if claims else None
    if claims is None or secret is None:
        raise not_authenticated("Token is missing or invalid")
    if token.startswith(PERSONAL_PREFIX):
        return claims
    _check_signature(token, secret)
    payload = _part(token, 1) or {}
    expires = payload.get("exp")
    if expires is not None and (not isinstance(expires, int | float) or isinstance(expires, bool) or expires <= now):
        raise not_authenticated("Token is expired")
    return claims


def _check_signature(token: str, secret: str) -> None:
    signed, _, signature = token.rpartition(".")
    algorithm = (_part(token, 0) or {}).get("alg")
    digest = _DIGESTS.get(algorithm) if isinstance(algorithm, str) else None
    if digest is None or token.count(".") != 2:
        raise not_authenticated("Token is signed in a way that is not accepted")
    expected = hmac.new(secret.encode(), signed.encode(), digest).digest()
    if not hmac.compare_digest(expected, _decoded(signature) or b""):
        raise not_authenticated("Token signature is invalid")


def _claims(payload: dict[str, Any]) -> Claims | None:
    workspace = payload.get("workspaceKey", payload.get("iss"))
    tenant = payload.get("tenantKey", payload.get("id"))
    if not isinstance(workspace, str) or not isinstance(tenant, str | None):
        return None
    is_admin = payload.get("isAdmin")
    return Claims(workspace, tenant or "", is_admin is True or is_admin == "true")


def _part(token: str, place: int) -> dict[str, Any] | None:
    parts = token.split(".")
    decoded = _decoded(parts[place]) if len(parts) == 3 else None
    try:
        value = json.loads(decoded) if decoded is not None else None
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def _decoded(text: str) -> bytes | None:
    """Base64 in its URL form, without the padding, and nothing else."""
    try:
        return base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        return None
