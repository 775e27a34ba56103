"""The simulated world: accounts, clock, switches, faults, and every change made to the generated data.

Item number n of an account is made anew from a hash whenever it is asked for; only what differs from that is kept, in
`$DATA_DIR/simulator/state.json`, written whole and swapped in at each change. So an account of 100,000 integrations
starts at once, and a restart finds the world as it was left.
"""

from __future__ import annotations

import contextlib
import copy
import json
import logging
import os
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from integrations_app.simulator import accounts
from integrations_app.simulator.faults import Fault
from integrations_app.simulator.items import BROKEN_KINDS, LIST_MODES, Items, ordered
from integrations_app.simulator.wire import Account, PretendVendor, Switch

log = logging.getLogger(__name__)

HITS_KEPT = 2000
LEDGER_KEPT = 5000
PATHS_COUNTED = 20_000
UNCHANGED: dict[str, Any] = {
    "set": {},
    "unset": {},
    "removed": [],
    "added": 0,
    "duplicated": [],
    "moved": [],
    "broken": {},
    "list": "normal",
}


class World:
    """Everything that is true in the simulator. All methods may be called from any thread."""

    def __init__(self, data_dir: Path, seed: int = 1) -> None:
        self.seed = seed
        self.lock = threading.RLock()
        self._path = data_dir / "simulator" / "state.json"
        self._state = self._load()
        self._switches: dict[str, Switch] = {}
        self._accounts = accounts.default_accounts(seed)
        self._accounts.update({name: self._added(name, spec) for name, spec in self._state["accounts"].items()})
        self._hits: deque[dict[str, Any]] = deque(maxlen=HITS_KEPT)
        self._hit_counts: Counter[tuple[str, str]] = Counter()
        self._orders: dict[str, Sequence[int]] = {}
        self._batch_depth = 0
        self._is_unsaved = False

    # --- state on disk -------------------------------------------------------------------------------------------

    def _fresh(self) -> dict[str, Any]:
        return {"seed": self.seed, "clock_offset": 0.0, "switches": {}, "faults": [], "accounts": {}, "items": {},
                "stores": {}, "ledger": [], "applied": 0}  # fmt: skip

    def _load(self) -> dict[str, Any]:
        """The kept state; a fresh one when there is none or it belongs to another seed."""
        try:
            kept = json.loads(self._path.read_text())
        except FileNotFoundError:
            return self._fresh()
        except ValueError:
            # Swapped in whole, so only a hand or a failing disk can have done this: a fresh world is better than none.
            log.warning("simulator: %s is not JSON; starting afresh", self._path)
            return self._fresh()
        return self._fresh() | kept if kept.get("seed") == self.seed else self._fresh()

    def save(self) -> None:
        """Write the state whole, then swap it in; a crash leaves the old one."""
        with self.lock:
            self._is_unsaved = True
            if self._batch_depth:
                return
            self._is_unsaved = False
            self._path.parent.mkdir(parents=True, exist_ok=True)
            draft = self._path.with_suffix(f".{os.getpid()}.tmp")
            # Not indented: that is several times slower, and it is done at each change.
            draft.write_text(json.dumps(self._state, sort_keys=True))
            os.replace(draft, self._path)

    @contextlib.contextmanager
    def batch(self) -> Iterator[None]:
        """Many changes, one write to disk, at the end."""
        with self.lock:
            self._batch_depth += 1
            try:
                yield
            finally:
                self._batch_depth -= 1
                if self._is_unsaved:
                    self.save()

    def reset(self) -> None:
        """Forget every change: the world is as the seed makes it (tokens included)."""
        with self.lock:
            self._state = self._fresh()
            self._accounts = accounts.default_accounts(self.seed)
            self._orders.clear()
            self.reset_hits()
            self.save()

    def store(self, owner: str) -> dict[str, Any]:
        """A JSON object kept for a vendor or account ("torq tokens"); change it under `lock`, then call `save`."""
        with self.lock:
            kept: dict[str, Any] = self._state["stores"].setdefault(owner, {})
            return kept

    def account_store(self, account: Account) -> dict[str, Any]:
        """What a vendor keeps of one account beside its items; goes when the account's changes are forgotten."""
        return self.store(f"account {account.name}")

    # --- clock and switches --------------------------------------------------------------------------------------

    def timestamp(self) -> float:
        """The world's time in seconds since 1970."""
        offset: float = self._state["clock_offset"]
        return time.time() + offset

    def now(self) -> datetime:
        """The world's time, in UTC."""
        return datetime.fromtimestamp(self.timestamp(), UTC)

    def move_clock(self, *, seconds: float | None = None, to: datetime | None = None) -> None:
        """Move the clock by `seconds` (may be negative), or set it to a moment; it goes on from there."""
        with self.lock:
            if to is not None:
                self._state["clock_offset"] = to.timestamp() - time.time()
            self._state["clock_offset"] += seconds or 0.0
            self.save()

    def declare(self, switches: Sequence[Switch]) -> None:
        """Make a vendor's switches known; the server does it for every vendor it mounts."""
        self._switches.update({switch.name: switch for switch in switches})

    def switch(self, name: str) -> Any:
        """The value of a switch, its default unless it was turned. Raises KeyError for an unknown one."""
        return self._state["switches"].get(name, self._switches[name].default)

    def turn(self, name: str, value: Any) -> None:
        """Turn a switch. Raises KeyError for an unknown one, ValueError for a value it does not take."""
        switch = self._switches[name]
        if isinstance(switch.default, float) and type(value) is int:
            value = float(value)
        # By type first: True would pass for 1.
        if type(value) is not type(switch.default):
            raise ValueError(f"{name} takes a {type(switch.default).__name__}")
        if switch.choices and value not in switch.choices:
            raise ValueError(f"{name} takes one of {list(switch.choices)}")
        with self.lock:
            self._state["switches"][name] = value
            self.save()

    def switches(self) -> dict[str, dict[str, Any]]:
        """Every switch with its value, default, choices and description."""
        return {
            name: {"value": self.switch(name), "default": known.default, "choices": list(known.choices),
                   "description": known.description}
            for name, known in sorted(self._switches.items())
        }  # fmt: skip

    # --- accounts ------------------------------------------------------------------------------------------------

    def accounts(self, vendor: str | None = None) -> list[Account]:
        """Every account (of one vendor), the default ones first."""
        return [account for account in list(self._accounts.values()) if vendor in (None, account.vendor)]

    def account(self, name: str) -> Account | None:
        """The account of that name."""
        return self._accounts.get(name)

    def find_account(self, vendor: str, **known: str) -> Account | None:
        """The vendor's account whose credential and binding hold all the given values; None when none does."""
        for account in self.accounts(vendor):
            keys = {**account.credential, **account.binding}
            if all(keys.get(name) == value for name, value in known.items()):
                return account
        return None

    def _added(self, name: str, spec: dict[str, Any]) -> Account:
        return accounts.make_account(name=name, world_seed=self.seed, **spec)

    def add_account(
        self, *, vendor: str, name: str, size: int, seed: int, customer: str = "added", label: str = "Added",
        region: str = "", script: str = "ok",
    ) -> Account:  # fmt: skip
        """Add an account. Raises ValueError for a name in use, an unknown vendor or script, or a size out of range."""
        if vendor not in accounts.VENDORS or script not in accounts.EXPECTED:
            raise ValueError("unknown vendor or script")
        if name in self._accounts or not name:
            raise ValueError(f"account {name!r} is there already")
        if not 0 <= size <= 100_000:
            raise ValueError("integrations must be from 0 to 100000")
        region = region or ("simulator-current" if vendor == "alloy" else "simulator")
        spec = {"vendor": vendor, "customer": customer, "label": label, "region": region, "size": size,
                "script": script, "seed": seed}  # fmt: skip
        with self.lock:
            self._accounts[name] = account = self._added(name, spec)
            self._state["accounts"][name] = spec
            self.save()
        return account

    # --- changes to items ----------------------------------------------------------------------------------------

    def changes_of(self, account: Account) -> dict[str, Any]:
        """What was changed in an account, to read: under `lock` where several of its entries must agree."""
        kept: dict[str, Any] = self._state["items"].get(account.name, UNCHANGED)
        return kept

    def _changes(self, account: Account) -> dict[str, Any]:
        """The same, to write to; under `lock`."""
        kept: dict[str, Any] = self._state["items"].setdefault(account.name, copy.deepcopy(UNCHANGED))
        return kept

    def _changed(self, account: Account) -> None:
        self._orders.pop(account.name, None)
        self.save()

    def change_item(self, account: Account, number: int, fields: dict[str, Any], unset: Sequence[str] = ()) -> None:
        """Set fields of an item's document (top level, whole values) and take others away."""
        with self.lock:
            changes = self._changes(account)
            changes["set"].setdefault(str(number), {}).update(fields)
            gone = set(changes["unset"].get(str(number), [])) | set(unset)
            changes["unset"][str(number)] = sorted(gone - set(fields))
            self._changed(account)

    def remove_item(self, account: Account, number: int) -> None:
        """Take an item out of its account."""
        with self.lock:
            changes = self._changes(account)
            changes["removed"] = sorted({*changes["removed"], number})
            self._changed(account)

    def add_item(self, account: Account, fields: dict[str, Any]) -> int:
        """Add an item at the end: generated like the others, then `fields` set. Returns its number."""
        with self.lock:
            changes = self._changes(account)
            number: int = account.size + changes["added"]
            changes["added"] += 1
            changes["set"][str(number)] = dict(fields)
            self._changed(account)
            return number

    def duplicate_item(self, account: Account, number: int) -> None:
        """List an item twice, the second time at the end of the list."""
        with self.lock:
            self._changes(account)["duplicated"].append(number)
            self._changed(account)

    def move_item(self, account: Account, number: int, position: int) -> None:
        """Move an item to a position of the list (0 is first)."""
        with self.lock:
            self._changes(account)["moved"].append([number, position])
            self._changed(account)

    def break_item(self, account: Account, number: int, kind: str) -> None:
        """List an item in a wrong shape (one of BROKEN_KINDS); "" mends it."""
        if kind and kind not in BROKEN_KINDS:
            raise ValueError(f"kind must be one of {list(BROKEN_KINDS)}")
        with self.lock:
            broken = self._changes(account)["broken"]
            broken.pop(str(number), None)
            if kind:
                broken[str(number)] = kind
            self._changed(account)

    def set_list_mode(self, account: Account, mode: str) -> None:
        """How the account's list behaves: one of LIST_MODES."""
        if mode not in LIST_MODES:
            raise ValueError(f"list must be one of {list(LIST_MODES)}")
        with self.lock:
            self._changes(account)["list"] = mode
            self._changed(account)

    def list_mode(self, account: Account) -> str:
        """How the account's list behaves now."""
        mode: str = self.changes_of(account)["list"]
        return mode

    def reset_items(self, account: Account) -> None:
        """Forget every change to the account's items and list."""
        with self.lock:
            self._state["items"].pop(account.name, None)
            self._state["stores"].pop(f"account {account.name}", None)
            self._changed(account)

    # --- faults and hits -----------------------------------------------------------------------------------------

    def faults(self) -> list[Fault]:
        """The faults in force or used up, in the order they are tried."""
        with self.lock:
            return [Fault(**kept) for kept in self._state["faults"]]

    def add_fault(self, fault: Fault) -> None:
        """Put a fault in force; one of the same name is replaced."""
        with self.lock:
            kept = [known for known in self._state["faults"] if known["name"] != fault.name]
            self._state["faults"] = [*kept, fault.as_dict()]
            self.save()

    def remove_fault(self, name: str | None) -> None:
        """Take away the fault of that name, or all of them."""
        with self.lock:
            self._state["faults"] = [known for known in self._state["faults"] if name and known["name"] != name]
            self.save()

    def take_fault(self, account: str | None, vendor: str, method: str, target: str) -> Fault | None:
        """The first fault that is due for a request, counted as hit; None when there is none."""
        with self.lock:
            for known in self._state["faults"]:
                fault = Fault(**known)
                if not fault.matches(account, vendor, method, target):
                    continue
                known["seen"] += 1
                due = fault.is_due
                known["hits"] += due
                self.save()
                if due:
                    return Fault(**known)
        return None

    def record_hit(self, account: str | None, method: str, target: str, fault: str | None) -> None:
        """Note a request that arrived."""
        with self.lock:
            who = account or "?"
            self._hits.append(
                {"at": self.now().isoformat(), "account": who, "method": method, "target": target, "fault": fault}
            )
            counted = (who, f"{method} {target.partition('?')[0]}")
            if counted not in self._hit_counts and len(self._hit_counts) >= PATHS_COUNTED:
                counted = (who, f"{method} (other paths)")
            self._hit_counts[counted] += 1

    def hits(self, account: str | None = None) -> dict[str, Any]:
        """The latest requests (at most HITS_KEPT) and how many came in all, by method and path."""
        with self.lock:
            kept = [hit for hit in self._hits if account in (None, hit["account"])]
            counts = {f"{who} {what}" if account is None else what: count
                      for (who, what), count in sorted(self._hit_counts.items()) if account in (None, who)}  # fmt: skip
        return {"total": sum(counts.values()), "counts": counts, "requests": kept}

    def reset_hits(self) -> None:
        """Start counting anew."""
        with self.lock:
            self._hits.clear()
            self._hit_counts.clear()

    # --- the ledger ----------------------------------------------------------------------------------------------

    def record_applied(self, account: Account, operation: str, target: str, digest: str, result: str = "") -> None:
        """Note a request that changed something: what it did, to which id, with what body, and the id it made."""
        with self.lock:
            self._state["applied"] += 1
            entry = {"seq": self._state["applied"], "at": self.now().isoformat(), "account": account.name,
                     "operation": operation, "target": target, "digest": digest, "result": result}  # fmt: skip
            self._state["ledger"] = [*self._state["ledger"][1 - LEDGER_KEPT :], entry]
            self.save()

    def ledger(self, account: str | None = None) -> list[dict[str, Any]]:
        """The requests that were really carried out (of one account), oldest first, at most the last LEDGER_KEPT.

        A request that a fault answered before it was carried out is not here; one whose answer was lost is.
        """
        with self.lock:
            return [dict(entry) for entry in self._state["ledger"] if account in (None, entry["account"])]

    def reset_ledger(self) -> None:
        """Forget what was carried out; the numbers go on."""
        with self.lock:
            self._state["ledger"] = []
            self.save()

    # --- reading items -------------------------------------------------------------------------------------------

    def items(self, vendor: PretendVendor, account: Account) -> Items:
        """The account's integrations, with every change made to them."""
        return Items(self, vendor, account)

    def order_of(self, account: Account) -> Sequence[int]:
        """The numbers of an account's items in the order listed; a plain range while nothing changed it."""
        with self.lock:
            order = self._orders.get(account.name)
            if order is None:
                order = self._orders[account.name] = ordered(account.size, self.changes_of(account))
            return order
