"""The simulator's control API under `/_control/`: what a tester turns, breaks, adds and counts (docs/simulator.md)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from integrations_app.simulator.accounts import describe
from integrations_app.simulator.faults import KINDS, Fault
from integrations_app.simulator.wire import Account, PretendVendor, Request, Response
from integrations_app.simulator.world import World

Body = dict[str, Any]
_FAULT_FIELDS = {each.name for each in fields(Fault)} - {"seen", "hits"}


class NotHereError(Exception):
    """No such page, account, item, fault or switch."""


class Control:
    """Answers `/_control/...`; errors are `{"message": ...}` with 400 or 404."""

    def __init__(self, world: World, vendors: Mapping[str, PretendVendor]) -> None:
        self._world = world
        self._vendors = vendors
        self._pages: dict[str, Callable[[Request, Body], Any]] = {
            "clock": self._clock,
            "switches": self._switches,
            "faults": self._faults,
            "accounts": self._accounts,
            "hits": self._hits,
            "ledger": self._ledger,
            "reset": self._reset,
        }
        self._actions: dict[str, Callable[[Account, Body], Any]] = {
            "change": self._change,
            "rename": self._rename,
            "remove": self._remove,
            "add": self._add,
            "duplicate": self._duplicate,
            "move": self._move,
            "break": self._break,
            "list": self._list,
            "reset": self._reset_items,
        }

    def handle(self, request: Request) -> Response:
        """Answer one control request."""
        if not request.segments:
            return Response.of_json({"pages": sorted(self._pages), "account_actions": sorted(self._actions)})
        try:
            body = request.json() if request.body else {}
            if not isinstance(body, dict):
                raise TypeError("the body must be a JSON object")
            page = self._pages.get(request.segments[0])
            if page is None:
                raise NotHereError(f"no page {request.segments[0]!r}")
            return Response.of_json(page(request, body))
        except NotHereError as error:
            return Response.of_json({"message": str(error)}, 404)
        except (ValueError, TypeError, KeyError) as error:
            return Response.of_json({"message": f"{type(error).__name__}: {error}"}, 400)

    # --- the world -----------------------------------------------------------------------------------------------

    def _clock(self, request: Request, body: Body) -> Any:
        if request.method == "POST":
            moment = datetime.fromisoformat(body["set"]) if "set" in body else None
            if moment is not None and moment.tzinfo is None:
                moment = moment.replace(tzinfo=UTC)
            self._world.move_clock(seconds=float(body.get("advance_seconds", 0)), to=moment)
        return {"now": self._world.now().isoformat()}

    def _switches(self, request: Request, body: Body) -> Any:
        if request.method == "POST":
            for name, value in body.items():
                if name not in self._world.switches():
                    raise NotHereError(f"no switch {name!r}")
                self._world.turn(name, value)
        return self._world.switches()

    def _faults(self, request: Request, body: Body) -> Any:
        if request.method == "POST":
            unknown = set(body) - _FAULT_FIELDS
            if unknown:
                raise ValueError(f"a fault has no {sorted(unknown)}; it has {sorted(_FAULT_FIELDS)}")
            if not isinstance(body.get("body", ""), str):
                raise ValueError("body must be text; write JSON as a string")
            self._world.add_fault(Fault(**{"name": body.get("kind", ""), **body}))
        elif request.method == "DELETE":
            self._world.remove_fault(request.segments[1] if len(request.segments) > 1 else None)
        return {"faults": [fault.as_dict() for fault in self._world.faults()], "kinds": KINDS}

    def _hits(self, request: Request, body: Body) -> Any:
        if request.method in ("DELETE", "POST"):
            self._world.reset_hits()
        return self._world.hits(request.param("account"))

    def _ledger(self, request: Request, body: Body) -> Any:
        if request.method == "DELETE":
            self._world.reset_ledger()
        entries = self._world.ledger(request.param("account"))
        return {"total": len(entries), "entries": entries}

    def _reset(self, request: Request, body: Body) -> Any:
        if request.method == "POST":
            self._world.reset()
        return {"accounts": len(self._world.accounts())}

    # --- accounts and their items --------------------------------------------------------------------------------

    def _accounts(self, request: Request, body: Body) -> Any:
        if len(request.segments) == 1:
            if request.method == "POST":
                return describe(self._add_account(body))
            return {"accounts": [describe(account) for account in self._world.accounts()]}
        account = self._world.account(request.segments[1])
        if account is None:
            raise NotHereError(f"no account {request.segments[1]!r}")
        if len(request.segments) == 2:
            return self._show(account, request)
        action = self._actions.get(request.segments[2])
        if action is None or request.method != "POST":
            raise NotHereError(f"POST one of {sorted(self._actions)}")
        with self._world.batch():
            return action(account, body)

    def _add_account(self, body: Body) -> Account:
        known = {key: body[key] for key in ("vendor", "customer", "label", "region", "script") if key in body}
        size, seed = int(body["integrations"]), int(body.get("seed", self._world.seed))
        name = str(body.get("name") or f"added-{known['vendor']}-{len(self._world.accounts())}")
        return self._world.add_account(name=name, size=size, seed=seed, **known)

    def _show(self, account: Account, request: Request) -> Any:
        offset, limit = int(request.param("offset", "0") or 0), int(request.param("limit", "50") or 50)
        vendor = self._vendors[account.vendor]
        items = self._world.items(vendor, account)
        listed = items.numbers()
        shown = [{"item": n, "id": items.document(n)[vendor.id_field]} for n in listed[offset : offset + limit]]
        return {**describe(account), "listed": len(listed), "list": self._world.list_mode(account), "items": shown}

    def _numbers(self, account: Account, body: Body) -> list[int]:
        """The items a body names: `item` (a number), `items` (numbers), or `id` (the vendor's)."""
        if "id" in body:
            number = self._world.items(self._vendors[account.vendor], account).number_of(str(body["id"]))
            if number is None:
                raise NotHereError(f"no item {body['id']!r}")
            return [number]
        return [int(number) for number in (body["items"] if "items" in body else [body["item"]])]

    def _change(self, account: Account, body: Body) -> Any:
        numbers = self._numbers(account, body)
        for number in numbers:
            self._world.change_item(account, number, dict(body.get("set", {})), list(body.get("unset", [])))
        return {"changed": numbers}

    def _rename(self, account: Account, body: Body) -> Any:
        numbers = self._numbers(account, body)
        for number in numbers:
            self._world.change_item(
                account, number, self._vendors[account.vendor].renamed(account, number, str(body["name"]))
            )
        return {"renamed": numbers}

    def _remove(self, account: Account, body: Body) -> Any:
        numbers = self._numbers(account, body)
        for number in numbers:
            self._world.remove_item(account, number)
        return {"removed": numbers}

    def _add(self, account: Account, body: Body) -> Any:
        count = int(body.get("count", 1))
        return {"added": [self._world.add_item(account, dict(body.get("set", {}))) for _ in range(count)]}

    def _duplicate(self, account: Account, body: Body) -> Any:
        numbers = self._numbers(account, body)
        for number in numbers:
            self._world.duplicate_item(account, number)
        return {"duplicated": numbers}

    def _move(self, account: Account, body: Body) -> Any:
        numbers = self._numbers(account, body)
        for number in numbers:
            self._world.move_item(account, number, int(body["position"]))
        return {"moved": numbers}

    def _break(self, account: Account, body: Body) -> Any:
        numbers = self._numbers(account, body)
        for number in numbers:
            self._world.break_item(account, number, str(body.get("kind", "types")))
        return {"broken": numbers}

    def _list(self, account: Account, body: Body) -> Any:
        self._world.set_list_mode(account, str(body["mode"]))
        return {"list": self._world.list_mode(account)}

    def _reset_items(self, account: Account, body: Body) -> Any:
        self._world.reset_items(account)
        return {"reset": account.name}
