"""Sealed values open in exactly one place, rotate without a new format, and show nothing in the clear."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django.fixtures import Settings as SettingsWrapper

from console import crypto
from console.access import vault
from console.access.models import DataKey
from console.audit.models import AuditEvent
from tests.people import People

SECRET = b"fake-key-1234567890"


def test_a_sealed_value_opens_where_it_was_sealed(people: People) -> None:
    sealed = vault.seal(people.tenant.id, "credential|1|api_key", SECRET)
    assert SECRET not in sealed
    assert vault.unseal(people.tenant.id, "credential|1|api_key", sealed) == SECRET


def test_it_does_not_open_in_another_row_or_for_another_tenant(people: People) -> None:
    sealed = vault.seal(people.tenant.id, "credential|1|api_key", SECRET)
    for tenant_id, context in (
        (people.tenant.id, "credential|2|api_key"),
        (people.tenant.id, "credential|1|api_token"),
        (people.other_tenant.id, "credential|1|api_key"),
        (None, "credential|1|api_key"),
    ):
        with pytest.raises(crypto.SealBrokenError):
            vault.unseal(tenant_id, context, sealed)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(position=st.integers(min_value=0), flip=st.integers(min_value=1, max_value=255))
def test_any_changed_byte_is_noticed(people: People, position: int, flip: int) -> None:
    sealed = bytearray(vault.seal(people.tenant.id, "here", SECRET))
    sealed[position % len(sealed)] ^= flip
    with pytest.raises(crypto.SealBrokenError):
        vault.unseal(people.tenant.id, "here", bytes(sealed))


def test_what_an_older_data_key_sealed_still_opens_after_a_new_one_is_current(people: People) -> None:
    old = vault.seal(people.tenant.id, "here", SECRET)
    DataKey.objects.filter(tenant=people.tenant).update(is_current=False)
    new = vault.seal(people.tenant.id, "here", SECRET)
    assert crypto.key_id_of(old) != crypto.key_id_of(new)
    assert vault.unseal(people.tenant.id, "here", old) == vault.unseal(people.tenant.id, "here", new) == SECRET


def test_a_new_key_in_front_of_the_key_file_wraps_new_data_keys_and_the_old_ones_open(
    people: People, settings: SettingsWrapper, tmp_path: Path
) -> None:
    sealed = vault.seal(people.tenant.id, "here", SECRET)
    old_line = Path(settings.ENCRYPTION_KEY_FILE).read_text()
    crypto.create_key_file(tmp_path / "new.keys")
    rotated = tmp_path / "rotated.keys"
    rotated.write_text((tmp_path / "new.keys").read_text() + old_line)
    settings.ENCRYPTION_KEY_FILE = rotated
    vault.seal(people.other_tenant.id, "here", SECRET)
    wrapped_with = set(DataKey.objects.filter(tenant=people.other_tenant).values_list("wrapped_with", flat=True))
    assert wrapped_with == {crypto.current_key_name()}
    assert vault.unseal(people.tenant.id, "here", sealed) == SECRET


def test_after_wrapping_anew_the_new_key_alone_opens_everything(
    people: People, settings: SettingsWrapper, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sealed = {tenant_id: vault.seal(tenant_id, "here", SECRET) for tenant_id in (people.tenant.id, None)}
    fingerprint = vault.fingerprint(people.tenant.id, SECRET)
    old = Path(settings.ENCRYPTION_KEY_FILE).read_text()
    new = tmp_path / "new.keys"
    crypto.create_key_file(new)
    both = tmp_path / "both.keys"
    both.write_text(new.read_text() + old)
    settings.ENCRYPTION_KEY_FILE = both
    call_command("rewrap_keys")
    assert capsys.readouterr().out.startswith(f"{DataKey.objects.count()} data keys wrapped anew")

    assert AuditEvent.objects.filter(event="keys.rewrapped").count() == 1

    settings.ENCRYPTION_KEY_FILE = new
    for tenant_id, value in sealed.items():
        assert vault.unseal(tenant_id, "here", value) == SECRET
    assert vault.fingerprint(people.tenant.id, SECRET) == fingerprint
    assert vault.rewrap() == 0


def test_wrapping_anew_without_the_old_key_changes_nothing(
    people: People, settings: SettingsWrapper, tmp_path: Path
) -> None:
    vault.seal(people.tenant.id, "here", SECRET)
    before = set(DataKey.objects.values_list("id", "wrapped_with"))
    crypto.create_key_file(tmp_path / "new.keys")
    settings.ENCRYPTION_KEY_FILE = tmp_path / "new.keys"
    with pytest.raises(CommandError, match=r"no longer holds the key .* Nothing was changed"):
        call_command("rewrap_keys")
    assert set(DataKey.objects.values_list("id", "wrapped_with")) == before


def test_a_fingerprint_tells_secrets_apart_and_differs_between_tenants(people: People) -> None:
    ours = vault.fingerprint(people.tenant.id, SECRET)
    assert ours == vault.fingerprint(people.tenant.id, SECRET)
    assert ours != vault.fingerprint(people.tenant.id, SECRET + b"1")
    assert ours != vault.fingerprint(people.other_tenant.id, SECRET)


@pytest.mark.parametrize("content", ["", "name-without-key\n", "k1:not base64!\n", "k1:c2hvcnQ=\n"])
def test_a_broken_key_file_is_named_as_such(content: str, settings: SettingsWrapper, tmp_path: Path) -> None:
    broken = tmp_path / "broken.keys"
    broken.write_text(content)
    settings.ENCRYPTION_KEY_FILE = broken
    with pytest.raises(crypto.KeyFileError):
        crypto.current_key_name()
