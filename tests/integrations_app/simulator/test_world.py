"""The world: the same from the same seed, every change kept, nothing made before it is asked for."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest

from integrations_app.simulator import accounts, names
from integrations_app.simulator.faults import Fault
from integrations_app.simulator.wire import Account, Request, Response, Switch, digest_of
from integrations_app.simulator.world import World


class Countable:
    """A vendor that counts how many documents it was made to make."""

    slug: ClassVar[str] = "celigo"
    id_field: ClassVar[str] = "id"
    switches: ClassVar[tuple[Switch, ...]] = (
        Switch("celigo.colour", "red", "A question.", ("red", "blue")),
        Switch("celigo.size", 3, "Another."),
    )

    def __init__(self) -> None:
        self.made = 0

    def account_of(self, request: Request) -> str | None:
        return None

    def handle(self, request: Request) -> Response:
        return Response(204)

    def make(self, account: Account, number: int) -> dict[str, Any]:
        self.made += 1
        return {"id": names.object_id(account.salt, number), "name": f"item {number}", "size": number}

    def number_of(self, account: Account, remote_id: str) -> int | None:
        return names.number_in(account.salt, remote_id)

    def renamed(self, account: Account, number: int, name: str) -> dict[str, Any]:
        return {"name": name}


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path, seed=7)
    made.declare(Countable.switches)
    return made


@pytest.fixture
def account(world: World) -> Account:
    return world.add_account(vendor="celigo", name="mine", size=10, seed=3)


def listed(world: World, account: Account) -> list[Any]:
    return [item["size"] for item in world.items(Countable(), account).every(render=dict)]


def test_default_world_is_the_demo(world: World) -> None:
    everything = world.accounts()

    assert len(everything) == 21
    assert {account.customer for account in everything} == set(accounts.CUSTOMERS)
    assert 350 <= sum(account.size for account in everything) <= 450
    assert len({account.credential["api_key"] for account in world.accounts("alloy")}) == 1
    assert len({account.binding["end_user_id"] for account in world.accounts("alloy")}) == 5
    assert len({account.credential["workspace_key"] for account in world.accounts("membrane")}) == 1
    assert len({account.credential["api_token"] for account in world.accounts("celigo")}) == len(
        world.accounts("celigo")
    )


def test_every_script_says_what_it_should_end_in(world: World) -> None:
    assert {account.script for account in world.accounts()} <= set(accounts.EXPECTED)
    assert {"ok", "failing", "down", "partial", "bad_item", "empty"} <= {each.script for each in world.accounts()}


def test_another_seed_makes_other_keys(tmp_path: Path) -> None:
    one, other = World(tmp_path / "a", seed=1), World(tmp_path / "b", seed=2)

    for mine, theirs in zip(one.accounts(), other.accounts(), strict=True):
        assert mine.credential != theirs.credential


def test_ids_give_their_number_back_and_no_others_do() -> None:
    for number in (0, 1, 99_999, 2_000_000):
        assert names.number_in("salt", names.object_id("salt", number)) == number
        assert names.number_in("salt", names.uuid("salt", number)) == number
    assert names.number_in("salt", names.object_id("other salt", 1)) is None
    assert names.number_in("salt", "not an id") is None
    assert names.number_in("salt", "") is None


def test_a_page_of_a_huge_account_makes_only_that_page(world: World) -> None:
    huge = world.add_account(vendor="celigo", name="huge", size=100_000, seed=1)
    vendor = Countable()

    page = world.items(vendor, huge).page(70_000, 20, render=dict)

    assert [item["size"] for item in page.items] == list(range(70_000, 70_020))
    assert page.next_offset == 70_020
    assert vendor.made == 20


def test_filtered_pages_lose_and_repeat_nothing(world: World, account: Account) -> None:
    items = world.items(Countable(), account)
    found: list[int] = []
    offset: int | None = 0
    while offset is not None:
        page = items.page(offset, 2, render=dict, keep=lambda document: document["size"] % 3 == 0)
        found += [item["size"] for item in page.items]
        offset = page.next_offset

    assert found == [0, 3, 6, 9]


def test_items_can_be_changed_removed_added_doubled_and_moved(world: World, account: Account) -> None:
    world.change_item(account, 2, {"size": "two"})
    world.remove_item(account, 4)
    added = world.add_item(account, {"size": "new"})
    world.duplicate_item(account, 0)
    world.move_item(account, 9, 0)

    assert added == 10
    assert listed(world, account) == [9, 0, 1, "two", 3, 5, 6, 7, 8, "new", 0]
    items = world.items(Countable(), account)
    assert items.get(names.object_id(account.salt, 4)) is None
    assert items.get(names.object_id(account.salt, 10))["size"] == "new"  # type: ignore[index]
    assert items.get(names.object_id(account.salt, 11)) is None
    assert items.count() == 11


def test_unset_takes_a_field_away_and_set_brings_it_back(world: World, account: Account) -> None:
    items = world.items(Countable(), account)
    world.change_item(account, 1, {}, unset=["name"])
    assert "name" not in items.document(1)

    world.change_item(account, 1, {"name": "back"})
    assert items.document(1)["name"] == "back"


@pytest.mark.parametrize(
    ("mode", "expected"),
    [("empty", []), ("half", [0, 1, 2, 3, 4]), ("normal", list(range(10)))],
)
def test_a_list_can_be_empty_or_cut_in_half(world: World, account: Account, mode: str, expected: list[int]) -> None:
    world.set_list_mode(account, mode)

    assert listed(world, account) == expected


def test_a_looping_list_hands_out_the_same_offset_for_ever(world: World, account: Account) -> None:
    world.set_list_mode(account, "loop")
    items = world.items(Countable(), account)

    assert items.page(0, 4, render=dict).next_offset == 0
    assert items.page(8, 4, render=dict).next_offset == 8


def test_an_endless_list_goes_on_with_items_never_seen(world: World, account: Account) -> None:
    world.set_list_mode(account, "endless")
    items = world.items(Countable(), account)

    page = items.page(500, 4, render=dict)

    assert page.next_offset == 504
    assert len({item["id"] for item in page.items}) == 4


@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        ("null", None),
        ("text", "Internal error while rendering this item"),
        ("no_id", {"name": "item 5", "size": 5}),
    ],
)
def test_a_broken_item_stands_in_the_list_in_a_wrong_shape(
    world: World, account: Account, kind: str, shape: Any
) -> None:
    world.break_item(account, 5, kind)
    assert list(world.items(Countable(), account).every(render=dict))[5] == shape

    world.break_item(account, 5, "")
    assert listed(world, account) == list(range(10))


def test_a_broken_item_of_wrong_types_keeps_its_id(world: World, account: Account) -> None:
    world.break_item(account, 5, "types")

    broken = list(world.items(Countable(), account).every(render=dict))[5]

    assert broken["id"] == names.object_id(account.salt, 5)
    assert broken["name"] == [["item 5"]]
    assert broken["size"] == "wrong type"


def test_the_clock_moves_and_goes_on(world: World) -> None:
    before = world.now()
    world.move_clock(seconds=3600)
    assert timedelta(seconds=3600) <= world.now() - before < timedelta(seconds=3660)

    world.move_clock(to=datetime(2030, 1, 1, tzinfo=UTC))
    assert timedelta(0) <= world.now() - datetime(2030, 1, 1, tzinfo=UTC) < timedelta(seconds=60)


def test_switches_take_only_what_they_know(world: World) -> None:
    assert world.switch("celigo.colour") == "red"
    world.turn("celigo.colour", "blue")
    world.turn("celigo.size", 8)
    assert (world.switch("celigo.colour"), world.switch("celigo.size")) == ("blue", 8)

    with pytest.raises(ValueError, match="takes one of"):
        world.turn("celigo.colour", "green")
    with pytest.raises(ValueError, match="takes a int"):
        world.turn("celigo.size", "8")
    with pytest.raises(KeyError):
        world.turn("celigo.unheard", 1)


def test_everything_is_still_there_after_a_restart(tmp_path: Path, world: World, account: Account) -> None:
    world.turn("celigo.colour", "blue")
    world.move_clock(seconds=86_400)
    world.change_item(account, 1, {"size": "one"})
    world.remove_item(account, 3)
    world.add_fault(Fault("slow", "delay", times=2))
    with world.lock:
        world.store("tokens")["t"] = 1
        world.save()

    again = World(tmp_path, seed=7)
    again.declare(Countable.switches)
    same = again.account("mine")

    assert same == account
    assert listed(again, account) == [0, "one", 2, 4, 5, 6, 7, 8, 9]
    assert again.switch("celigo.colour") == "blue"
    assert again.store("tokens") == {"t": 1}
    assert [fault.name for fault in again.faults()] == ["slow"]
    assert again.timestamp() - time.time() > 86_000


def test_state_of_another_seed_is_not_taken_over(tmp_path: Path, world: World, account: Account) -> None:
    assert World(tmp_path, seed=8).account("mine") is None


def test_a_spoilt_state_file_means_a_fresh_world(tmp_path: Path, world: World, account: Account) -> None:
    (tmp_path / "simulator" / "state.json").write_text("{")

    assert len(World(tmp_path, seed=7).accounts()) == 21


def test_many_threads_lose_no_change(world: World, account: Account) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: world.add_item(account, {"size": number}), range(100)))

    assert sorted(listed(world, account)[10:]) == list(range(100))


def test_the_state_file_is_whole_json_with_no_leftovers(tmp_path: Path, world: World, account: Account) -> None:
    with world.batch():
        for number in range(9):
            world.remove_item(account, number)

    kept = tmp_path / "simulator"
    assert [path.name for path in kept.iterdir()] == ["state.json"]
    assert json.loads((kept / "state.json").read_text())["items"]["mine"]["removed"] == list(range(9))


def test_reset_forgets_all_changes(world: World, account: Account) -> None:
    world.turn("celigo.colour", "blue")
    world.reset()

    assert world.account("mine") is None
    assert world.switch("celigo.colour") == "red"


def test_a_fault_is_due_after_skip_and_only_so_many_times(world: World) -> None:
    world.add_fault(Fault("twice", "status", account="mine", method="GET", path=r"^/x\?", skip=1, times=2))

    def take(account: str = "mine", method: str = "GET", target: str = "/x?a") -> bool:
        return world.take_fault(account, "celigo", method, target) is not None

    assert not take(account="another")
    assert not take(method="POST")
    assert not take(target="/y")
    assert [take() for _ in range(5)] == [False, True, True, False, False]
    assert (world.faults()[0].seen, world.faults()[0].hits) == (5, 2)


def test_a_fault_must_be_of_a_known_kind_and_a_sound_pattern() -> None:
    with pytest.raises(ValueError, match="kind must be"):
        Fault("odd", "explode")
    with pytest.raises(ValueError, match="regular expression"):
        Fault("odd", "status", path="(")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"size": 100_001}, "from 0 to 100000"),
        ({"vendor": "acme"}, "unknown vendor or script"),
        ({"script": "sing"}, "unknown vendor or script"),
        ({"name": "kestrel-torq"}, "is there already"),
    ],
)
def test_an_account_that_makes_no_sense_is_refused(world: World, change: dict[str, Any], complaint: str) -> None:
    spec: dict[str, Any] = {"vendor": "torq", "name": "new", "size": 10, "seed": 1, **change}

    with pytest.raises(ValueError, match=complaint):
        world.add_account(**spec)


# --- the ledger ------------------------------------------------------------------------------------------------------


def test_the_ledger_numbers_what_was_carried_out_and_survives_a_restart(
    world: World, account: Account, tmp_path: Path
) -> None:
    other = world.add_account(vendor="celigo", name="other", size=1, seed=3)
    world.record_applied(account, "patch", "a", "digest one")
    world.record_applied(other, "clone", "b", "digest two", "c")

    again = World(tmp_path, seed=7)

    assert [entry["seq"] for entry in again.ledger()] == [1, 2]
    (entry,) = again.ledger("other")
    assert entry.pop("at").startswith("20")
    assert entry == {
        "seq": 2,
        "account": "other",
        "operation": "clone",
        "target": "b",
        "digest": "digest two",
        "result": "c",
    }


def test_a_ledger_that_was_emptied_goes_on_counting(world: World, account: Account) -> None:
    world.record_applied(account, "patch", "a", "")
    world.reset_ledger()
    world.record_applied(account, "patch", "a", "")
    assert [entry["seq"] for entry in world.ledger()] == [2]


def test_a_digest_does_not_depend_on_how_the_json_was_written() -> None:
    def digest(body: bytes) -> str:
        return Request("PUT", "/", (), "", {}, body).body_digest()

    assert digest(b'{"a": 1, "b": [2]}') == digest(b'{"b":[2],"a":1}') == digest_of({"b": [2], "a": 1})
    assert digest(b'{"a": 2, "b": [2]}') != digest(b'{"a": 1, "b": [2]}')
    assert digest(b"not json") not in ("", digest(b"not JSON"))
    assert digest(b"") == ""


def test_what_a_vendor_keeps_of_an_account_goes_with_its_changes(world: World, account: Account) -> None:
    world.account_store(account)["kept"] = True
    world.reset_items(account)
    assert world.account_store(account) == {}
