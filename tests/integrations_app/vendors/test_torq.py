"""The Torq client against the simulator's Torq: tokens on their own host, both prefixes, what is left out."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from integrations_app.simulator.faults import Fault
from integrations_app.simulator.server import SimulatorServer
from integrations_app.vendors.base import Connection, FindingCode, Lifecycle, Region, RemoteIntegration, TokenFetch
from integrations_app.vendors.errors import (
    VendorAuthError,
    VendorForbiddenError,
    VendorNotFoundError,
    VendorRateLimitError,
    VendorResponseError,
    VendorUnavailableError,
)
from integrations_app.vendors.tokens import MemoryTokens
from integrations_app.vendors.torq import TorqClient

Connect = Callable[..., Connection]

ACCOUNT, SIZE = "kestrel-torq", 28
REGION = TorqClient.regions[0]
WEBHOOK = "https://hooks.torq.io/v1/webhooks/d7639fb8-8037-4ce2-80e9-c50bc3345c5a"


class CountedTokens(MemoryTokens):
    """Counts how often a token was asked for at the vendor."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched = 0

    def renew(self, refused: str | None, fetch: TokenFetch) -> str:
        def counted() -> tuple[str, float]:
            self.fetched += 1
            return fetch()

        return super().renew(refused, counted)


def listed(client: TorqClient) -> list[RemoteIntegration]:
    return [item for page in client.list_integrations() for item in page.items]


def read(**fields: Any) -> RemoteIntegration:
    return TorqClient.read_integration({"id": "d7639fb8-8037-4ce2-80e9-c50bc3345c5a", **fields}, REGION)


# --- over the wire ---------------------------------------------------------------------------------------------------


def test_every_integration_is_listed_once(connect: Connect) -> None:
    items = listed(TorqClient(connect(ACCOUNT)))
    assert (len(items), len({item.remote_id for item in items})) == (SIZE, SIZE)


@pytest.mark.parametrize("prefix", ["public", "documented"])
def test_both_prefixes_work(connect: Connect, simulator: SimulatorServer, prefix: str) -> None:
    simulator.world.turn("torq.prefix", prefix)
    connection = connect(ACCOUNT)
    base = f"{simulator.url}/torq" + ("/public" if prefix == "public" else "")
    region = Region("test", "Test", {**connection.region.hosts, "api": base})

    assert len(listed(TorqClient(replace(connection, region=region)))) == SIZE


@pytest.mark.parametrize("last", ["absent", "empty"])
def test_a_page_token_is_followed_should_there_be_one(connect: Connect, simulator: SimulatorServer, last: str) -> None:
    simulator.world.turn("torq.page_size", 10)
    simulator.world.turn("torq.last_page_token", last)

    assert len({item.remote_id for item in listed(TorqClient(connect(ACCOUNT)))}) == SIZE


def test_pages_that_lead_back_are_refused(connect: Connect, simulator: SimulatorServer) -> None:
    account = simulator.world.account(ACCOUNT)
    assert account is not None
    simulator.world.turn("torq.page_size", 10)
    simulator.world.set_list_mode(account, "loop")
    with pytest.raises(VendorResponseError, match="leads back"):
        listed(TorqClient(connect(ACCOUNT)))


def test_one_token_serves_many_calls(connect: Connect) -> None:
    tokens = CountedTokens()
    client = TorqClient(connect(ACCOUNT, tokens=tokens))
    listed(client)
    listed(client)
    listed(TorqClient(connect(ACCOUNT, tokens=tokens)))

    assert tokens.fetched == 1


def test_an_expired_token_is_renewed_once(connect: Connect, simulator: SimulatorServer) -> None:
    tokens = CountedTokens()
    client = TorqClient(connect(ACCOUNT, tokens=tokens))
    listed(client)
    simulator.world.move_clock(seconds=3601)

    assert len(listed(client)) == SIZE
    assert tokens.fetched == 2


def test_a_token_that_is_refused_again_is_an_auth_error(connect: Connect, simulator: SimulatorServer) -> None:
    simulator.world.add_fault(Fault("refused", "status", account=ACCOUNT, path="/integrations", status=401))
    tokens = CountedTokens()
    with pytest.raises(VendorAuthError):
        listed(TorqClient(connect(ACCOUNT, tokens=tokens)))
    assert tokens.fetched == 2


def test_a_token_about_to_expire_is_not_used() -> None:
    tokens = MemoryTokens()

    assert tokens.renew(None, lambda: ("a", 3600.0)) == "a"
    assert tokens.current() == "a"
    assert tokens.renew(None, lambda: ("b", 3600.0)) == "a"
    assert tokens.renew("a", lambda: ("b", 0.0)) == "b"
    assert tokens.current() is None


def test_a_wrong_secret_is_an_auth_error_that_does_not_show_it(connect: Connect) -> None:
    with pytest.raises(VendorAuthError) as caught:
        listed(TorqClient(connect(ACCOUNT, credential={"client_secret": "fake-wrong-secret"})))
    assert "fake-wrong-secret" not in repr(vars(caught.value)) + str(caught.value)


@pytest.mark.parametrize("body", ["{}", '{"access_token": ""}', '{"access_token": "a b"}', '{"access_token": 5}', "[]"])
def test_an_answer_without_a_token_is_not_one(connect: Connect, simulator: SimulatorServer, body: str) -> None:
    simulator.world.add_fault(Fault("odd", "content", path="/auth/token", body=body, content_type="application/json"))
    with pytest.raises(VendorResponseError):
        listed(TorqClient(connect(ACCOUNT)))


def test_a_key_refused_with_a_400_is_an_auth_error(connect: Connect, simulator: SimulatorServer) -> None:
    body = '{"error": "invalid_client", "error_description": "no such key"}'
    simulator.world.add_fault(Fault("refused", "status", path="/auth/token", status=400, body=body))
    with pytest.raises(VendorAuthError):
        listed(TorqClient(connect(ACCOUNT)))


@pytest.mark.parametrize(
    ("status", "kind"),
    [(403, VendorForbiddenError), (429, VendorRateLimitError), (500, VendorUnavailableError), (302, Exception)],
)
def test_other_statuses_are_told_apart(
    connect: Connect, simulator: SimulatorServer, status: int, kind: type[Exception]
) -> None:
    headers = {"Retry-After": "20"} if status == 429 else {}
    simulator.world.add_fault(Fault("odd", "status", path="/integrations", status=status, headers=headers))
    with pytest.raises(kind):
        listed(TorqClient(connect(ACCOUNT)))


def test_one_is_found_in_the_list(connect: Connect) -> None:
    client = TorqClient(connect(ACCOUNT))
    wanted = listed(client)[20]

    assert client.get_integration(wanted.remote_id) == wanted
    with pytest.raises(VendorNotFoundError):
        client.get_integration("d7639fb8-0000-0000-0000-000000000000")


def test_defaults_left_out_and_sent_read_the_same(connect: Connect, simulator: SimulatorServer) -> None:
    client = TorqClient(connect(ACCOUNT))
    short = listed(client)
    simulator.world.turn("torq.omit_defaults", False)
    long = listed(client)

    assert [item.raw for item in short] != [item.raw for item in long]
    for left, right in zip(short, long, strict=True):
        assert (left.findings, left.parts, left.last_used_at) == (right.findings, right.parts, right.last_used_at)


def test_torq_itself_searches_by_type(connect: Connect) -> None:
    client = TorqClient(connect(ACCOUNT))
    webhooks = {item.remote_id for item in listed(client) if item.app == "webhook"}

    answer = client.search_integrations({"type_id": "webhook"})
    assert {hit.remote_id for hit in answer.hits} == webhooks
    assert answer.next_cursor == ""
    assert client.search_integrations({"type_id": "no_such_type"}).hits == ()
    assert len(client.search_integrations({"type_id": " "}).hits) == SIZE


def test_a_long_search_goes_on_where_it_ended(connect: Connect, simulator: SimulatorServer) -> None:
    simulator.world.add_account(
        name="long-torq", vendor="torq", customer="long", label="Long", region="simulator", size=150, seed=1,
        script="ok",
    )  # fmt: skip
    client = TorqClient(connect("long-torq"))
    first = client.search_integrations({})
    second = client.search_integrations({}, first.next_cursor)

    assert (len(first.hits), len(second.hits), second.next_cursor) == (100, 50, "")
    assert client.search_integrations({}, "-7; drop").hits == first.hits


def test_an_account_test_asks_both_hosts(connect: Connect) -> None:
    token, listing = TorqClient(connect(ACCOUNT)).test_account().probes
    assert (token.ok, listing.ok, listing.answer) == (True, True, f"Yes, {SIZE}")


def test_an_account_test_stops_at_a_refused_key(connect: Connect) -> None:
    (token,) = TorqClient(connect("pallas-torq")).test_account().probes
    assert (token.ok, token.answer) == (False, "Refused (401)")


def test_an_account_test_tells_a_good_key_without_rights(connect: Connect, simulator: SimulatorServer) -> None:
    simulator.world.add_fault(Fault("narrow", "status", account=ACCOUNT, path="/integrations", status=403))
    token, listing = TorqClient(connect(ACCOUNT)).test_account().probes
    assert (token.ok, listing.ok, listing.answer) == (True, False, "Refused (403)")


# --- what a document means -------------------------------------------------------------------------------------------


def test_a_bare_document_has_the_defaults() -> None:
    item = read()

    assert item.name == item.remote_id
    assert (item.lifecycle, item.vendor_words, item.parts) == (Lifecycle.ACTIVE, "not_shared", ())
    assert [finding.code for finding in item.findings] == [FindingCode.NEVER_USED]


@pytest.mark.parametrize("value", [None, "", "0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", 0])
def test_an_unset_last_use_is_never(value: Any) -> None:
    assert read(last_used_at=value).last_used_at is None


def test_times_with_nanoseconds_are_read() -> None:
    item = read(created_at="2022-03-09T08:40:18ZD", last_used_at="2022-03-09T08:40:18.490771179Z")

    assert item.remote_created_at == datetime(2022, 3, 9, 8, 40, 18, tzinfo=UTC)
    assert item.last_used_at == datetime(2022, 3, 9, 8, 40, 18, 490771, tzinfo=UTC)
    assert item.findings == ()


def test_a_webhook_address_finds_its_integration_and_is_secret() -> None:
    item = read(name="my_hook", created_by="user@torq.example", details={"trigger": {"webhook_url": WEBHOOK}})
    secret = [field.path for field in TorqClient.document_fields if field.is_secret]

    assert {WEBHOOK, "my_hook", "user@torq.example"} <= set(item.aliases)
    assert secret == ["details.trigger.webhook_url"]


@pytest.mark.parametrize(("direction", "words"), [("outgoing", "shared with"), ("incoming", "not editable")])
def test_workspaces_on_the_other_side_are_parts(direction: str, words: str) -> None:
    item = read(sharing_data={"direction": direction, "workspace_ids": ["ws-1", "ws-2", "ws-1", 5]})

    assert item.vendor_words == direction
    assert [part.remote_id for part in item.parts] == ["ws-1", "ws-2"]
    assert all(words in part.words for part in item.parts)


@pytest.mark.parametrize(
    "fields",
    [
        {"details": None, "sharing_data": None},
        {"details": {"trigger": []}, "sharing_data": {"direction": 4, "workspace_ids": "x"}},
        {"display_name": {"a": 1}, "created_at": [], "created_by": 7},
    ],
)
def test_wrong_types_are_unknown(fields: dict[str, Any]) -> None:
    item = read(**fields)
    assert (item.parts, item.remote_created_at, item.name) == ((), None, item.remote_id)


@pytest.mark.parametrize("remote_id", [None, "", 5, "a\0"])
def test_a_document_without_an_id_is_refused(remote_id: Any) -> None:
    with pytest.raises(VendorResponseError):
        TorqClient.read_integration({"id": remote_id}, REGION)


def test_auth_and_hooks_have_hosts_of_their_own() -> None:
    for region in (*TorqClient.regions, *TorqClient.simulator_region("http://127.0.0.1:8100/")):
        assert set(region.hosts) == {"api", "auth", "hooks"}
        assert len(set(region.hosts.values())) == 3
        assert all(re.fullmatch(r"https?://[^/]+(/[^/]+)*", base) for base in region.hosts.values())
