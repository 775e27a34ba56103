"""The second factor's own secret is sealed at rest and still works."""

from __future__ import annotations

from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import (
    TOTP,
    format_hotp_value,
    generate_totp_secret,
    hotp_value,
    yield_hotp_counters_from_time,
)

from tests.people import People


def test_a_totp_secret_is_stored_sealed_and_its_codes_are_accepted(people: People) -> None:
    secret = generate_totp_secret()
    TOTP.activate(people.members["owner"], secret)
    stored = Authenticator.objects.get(user=people.members["owner"])
    assert secret not in str(stored.data)
    code = format_hotp_value(hotp_value(secret, next(iter(yield_hotp_counters_from_time()))))
    assert TOTP(stored).validate_code(code)
    assert not TOTP(stored).validate_code("000000" if code != "000000" else "000001")
