"""The token a caller of Membrane signs for itself.

HS256 is one HMAC over two base64 texts, and this side only signs: the standard library does it, without a library whose
care goes into verifying.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

# Long enough for a page of a slow list and for clocks that are some minutes apart; the vendor's samples use two hours.
LIFETIME_SECONDS = 900


def sign_tenant_token(*, workspace_key: str, workspace_secret: str, tenant_key: str, now: float) -> str:
    """A JWT that acts as one tenant of the workspace until `now` (seconds since 1970) + LIFETIME_SECONDS.

    Source: Membrane docs, "Authentication": claims workspaceKey, tenantKey and exp, signed with the workspace secret.
    Its own SDK signs with HS256 and sends no `iat`; so does this.
    """
    claims = {"workspaceKey": workspace_key, "tenantKey": tenant_key, "exp": int(now) + LIFETIME_SECONDS}
    signed = f"{_part({'alg': 'HS256', 'typ': 'JWT'})}.{_part(claims)}"
    signature = hmac.new(workspace_secret.encode(), signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{_base64(signature)}"


def _part(content: dict[str, object]) -> str:
    return _base64(json.dumps(content, separators=(",", ":")).encode())


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
