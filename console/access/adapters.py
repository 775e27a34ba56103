"""How sign-in behaves where allauth asks: who may sign up, whose address a request has, how its secrets are kept."""

from __future__ import annotations

import base64

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from django.http import HttpRequest

from console.access import vault
from console.http import client_address

# What a sealed second-factor secret is bound to; it belongs to a person, not to a tenant.
MFA_CONTEXT = "mfa"


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth has no types
    """Accounts come from an invitation or the first-run page; the public sign-up page is closed."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def get_client_ip(self, request: HttpRequest) -> str:
        """The address that rate limits count by; the same one that logs and audit rows show."""
        return client_address(request)


class MFAAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # allauth has no types
    """Second-factor secrets are kept sealed like every other secret; allauth would store them in the clear."""

    def encrypt(self, text: str) -> str:
        return base64.b64encode(vault.seal(None, MFA_CONTEXT, text.encode())).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return vault.unseal(None, MFA_CONTEXT, base64.b64decode(encrypted_text)).decode()
