"""The socket server: HTTP as it should be, faults as they should not, the control API, starting and stopping."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from integrations_app.simulator.accounts import EXPECTED
from integrations_app.simulator.items import BROKEN_KINDS, LIST_MODES
from integrations_app.simulator.server import SimulatorServer
from tests.integrations_app.simulator.conftest import Caller

ROOT = Path(__file__).parents[3]
ACCOUNT = "brightwater-alloy"


def raw(server: SimulatorServer, sent: bytes, seconds: float = 5) -> bytes:
    """What comes back on a socket for these bytes, until it is closed."""
    received = b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=seconds) as connection:
        connection.sendall(sent)
        while part := connection.recv(65536):
            received += part
    return received


def fault(caller: Caller, kind: str, **fields: Any) -> None:
    caller.control("faults", {"name": "under test", "kind": kind, "account": ACCOUNT, **fields})


def hits_of_fault(caller: Caller) -> int:
    faults: list[dict[str, Any]] = caller.control("faults", method="GET")["faults"]
    return int(faults[0]["hits"])


# --- http ------------------------------------------------------------------------------------------------------------


def test_front_page_lists_every_account_with_keys_and_what_to_expect(caller: Caller) -> None:
    page = caller.get("/").json()

    assert page.keys() == {"accounts", "switches", "seed", "clock"}
    assert {each["vendor"] for each in page["accounts"]} == {"alloy", "celigo", "membrane", "torq"}
    for each in page["accounts"]:
        assert each["credential"]
        assert each["expected"].keys() == {"account_state", "sync_state"}
    ends = {each["account"]: (each["expected"]["account_state"], each["expected"]["sync_state"])
            for each in page["accounts"] if each["script"] != "ok"}  # fmt: skip
    assert ends == {
        "kestrel-celigo": ("partial", "succeeded"),
        "osmond-membrane": ("ok", "partial"),
        "osmond-celigo": ("failing", "failed"),
        "pallas-alloy": ("failing", "failed"),
        "pallas-torq": ("failing", "failed"),
        "quill-membrane": ("ok", "succeeded"),
    }


def test_one_connection_serves_many_requests(server: SimulatorServer) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.connect()
    used = connection.sock
    for _ in range(3):
        connection.request("GET", "/")
        assert json.loads(connection.getresponse().read())["seed"] == 1
    assert connection.sock is used
    connection.close()


def test_two_requests_sent_at_once_are_both_answered(server: SimulatorServer) -> None:
    answers = raw(
        server, b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )

    assert answers.startswith(b"HTTP/1.1 404 Not Found")
    assert b"HTTP/1.1 200 OK" in answers


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 70_000 + b"\r\n\r\n", 431),
    ],
)
def test_unsound_requests_are_refused_and_hung_up_on(server: SimulatorServer, sent: bytes, status: int) -> None:
    assert raw(server, sent).startswith(f"HTTP/1.1 {status} ".encode())


def test_head_has_no_body_and_http_1_0_is_closed(server: SimulatorServer) -> None:
    head = raw(server, b"HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert head.endswith(b"\r\n\r\n")
    assert b"Content-Length: " in head

    assert raw(server, b"GET / HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200 OK")


def test_a_huge_account_is_there_at_once_and_its_first_page_too(caller: Caller) -> None:
    started = time.monotonic()
    for vendor in ("alloy", "celigo", "membrane", "torq"):
        caller.control("accounts", {"vendor": vendor, "name": f"huge-{vendor}", "integrations": 100_000, "seed": 9})
    caller.control("switches", {"torq.page_size": 100})
    token = caller.torq_token("huge-torq").json()["access_token"]
    first = caller.torq(token).json()
    with caller.alloy("huge-alloy", stream=True) as answer:
        beginning = next(answer.iter_content(4096))

    assert len(first["integrations"]) == 100
    assert beginning.startswith(b'{"data": [{"integrationId"')
    # Generating all four would take half a minute.
    assert time.monotonic() - started < 5


def test_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    bodies = []
    for name in ("one", "other"):
        with SimulatorServer(0, tmp_path / name, seed=5) as server:
            caller = Caller(server)
            token = caller.torq_token("tamarind-torq").json()["access_token"]
            answers = [caller.alloy(ACCOUNT).content, caller.torq(token).content]
            bodies.append([body.replace(server.url.encode(), b"") for body in answers])
            caller.session.close()

    assert bodies[0] == bodies[1]


def test_tokens_and_changes_survive_a_restart(tmp_path: Path) -> None:
    with SimulatorServer(0, tmp_path, seed=1) as server:
        caller = Caller(server)
        token = caller.torq_token("tamarind-torq").json()["access_token"]
        caller.control("accounts/tamarind-torq/remove", {"items": [0, 1]})
        caller.session.close()
    with SimulatorServer(0, tmp_path, seed=1) as server:
        caller = Caller(server)
        answer = caller.torq(token)
        caller.session.close()

    assert answer.status_code == 200
    assert len(answer.json()["integrations"]) == 18


# --- faults ----------------------------------------------------------------------------------------------------------


def test_a_status_fault_answers_instead_and_only_so_often(caller: Caller) -> None:
    fault(caller, "status", status=502, body="<h1>Bad gateway</h1>", headers={"Retry-After": "7"}, times=2)

    answers = [caller.alloy(ACCOUNT) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [502, 502, 200]
    assert answers[0].text == "<h1>Bad gateway</h1>"
    assert answers[0].headers["Retry-After"] == "7"
    assert hits_of_fault(caller) == 2


def test_a_fault_is_for_its_account_alone(caller: Caller) -> None:
    fault(caller, "status", status=500)

    assert caller.alloy("tamarind-alloy").status_code == 200
    assert caller.alloy(ACCOUNT).status_code == 500


def test_a_fault_of_a_vendor_is_for_all_its_accounts(caller: Caller) -> None:
    fault(caller, "status", status=500, account="torq")

    assert caller.torq_token("kestrel-torq").status_code == 500
    assert caller.torq("a token of nobody").status_code == 500
    assert caller.alloy(ACCOUNT).status_code == 200


def test_a_delay_waits_and_then_answers(caller: Caller) -> None:
    fault(caller, "delay", seconds=0.4, times=1)

    started = time.monotonic()
    answer = caller.alloy(ACCOUNT)

    assert answer.status_code == 200
    assert time.monotonic() - started >= 0.4


def test_a_reset_drops_the_connection_before_anything_is_done(caller: Caller) -> None:
    caller.control("faults", {"kind": "reset", "account": "kestrel-torq", "times": 1})

    with pytest.raises(requests.ConnectionError, match=r"[Rr]eset"):
        caller.torq_token("kestrel-torq")

    assert caller.server.world.store("torq tokens") == {}
    assert hits_of_fault(caller) == 1


def test_a_reset_after_drops_it_when_all_is_done(caller: Caller) -> None:
    caller.control("faults", {"kind": "reset_after", "account": "kestrel-torq", "times": 1})

    with pytest.raises(requests.ConnectionError, match=r"[Rr]eset"):
        caller.torq_token("kestrel-torq")

    assert len(caller.server.world.store("torq tokens")) == 1


@pytest.mark.parametrize("kind", ["truncate", "length"])
def test_a_body_shorter_than_promised_is_noticed_by_the_client(caller: Caller, kind: str) -> None:
    fault(caller, kind, times=1)

    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.ConnectionError)):
        caller.alloy(ACCOUNT)

    assert hits_of_fault(caller) == 1
    assert caller.alloy(ACCOUNT).status_code == 200


def test_wrong_content_is_an_html_page_with_status_200(caller: Caller) -> None:
    fault(caller, "content", times=1)

    answer = caller.alloy(ACCOUNT)

    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html")
    assert "sign in" in answer.text.lower()


def test_a_drip_sends_the_whole_body_slowly(caller: Caller) -> None:
    whole = caller.alloy(ACCOUNT, "/66326843cc9cdb107221f222").content
    fault(caller, "drip", seconds=0.002, times=1)

    started = time.monotonic()
    dripped = caller.alloy(ACCOUNT, "/66326843cc9cdb107221f222").content

    assert dripped == whole
    assert time.monotonic() - started > 0.002 * len(whole) / 16 / 2


def test_faults_match_method_and_path_and_can_be_taken_back(caller: Caller) -> None:
    fault(caller, "status", method="GET", path=r"^/alloy/2024-03/integrations\?")
    assert caller.alloy(ACCOUNT).status_code == 200
    assert caller.alloy(ACCOUNT, version="2024-03").status_code == 500

    caller.control("faults/under%20test", method="DELETE")
    assert caller.alloy(ACCOUNT, version="2024-03").status_code == 200


@pytest.mark.parametrize(
    "body", [{"kind": "explode"}, {"kind": "status", "colour": "red"}, {"kind": "status", "path": "("}]
)
def test_a_fault_that_makes_no_sense_is_refused(caller: Caller, body: dict[str, Any]) -> None:
    answer = caller.request("POST", "/_control/faults", json=body)

    assert answer.status_code == 400
    assert answer.json()["message"]


# --- control ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vendor", ["alloy", "celigo", "membrane", "torq"])
def test_an_account_of_any_vendor_can_be_added_and_changed(caller: Caller, vendor: str) -> None:
    added = caller.control("accounts", {"vendor": vendor, "name": "mine", "integrations": 12, "seed": 4})
    assert added["credential"]

    items = caller.control("accounts/mine", method="GET")["items"]
    assert len({each["id"] for each in items}) == 12
    caller.control("accounts/mine/rename", {"id": items[7]["id"], "name": "Renamed"})
    assert caller.control("accounts/mine/remove", {"id": items[8]["id"]}) == {"removed": [8]}
    assert caller.control("accounts/mine/add", {"count": 2}) == {"added": [12, 13]}
    caller.control("accounts/mine/duplicate", {"item": 5})
    caller.control("accounts/mine/move", {"item": 13, "position": 0})
    caller.control("accounts/mine/break", {"items": [3, 4], "kind": "null"})

    shown = caller.control("accounts/mine", method="GET")
    assert [each["item"] for each in shown["items"]] == [13, 0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 5]
    caller.control("accounts/mine/list", {"mode": "half"})
    assert caller.control("accounts/mine", method="GET")["listed"] == 7
    caller.control("accounts/mine/reset")
    assert caller.control("accounts/mine", method="GET")["items"] == items


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "nothing", None, 404),
        ("GET", "accounts/nobody", None, 404),
        ("POST", f"accounts/{ACCOUNT}/explode", {}, 404),
        ("POST", f"accounts/{ACCOUNT}/remove", {"id": "unheard of"}, 404),
        ("POST", f"accounts/{ACCOUNT}/remove", {}, 400),
        ("POST", f"accounts/{ACCOUNT}/list", {"mode": "sideways"}, 400),
        ("POST", f"accounts/{ACCOUNT}/break", {"item": 1, "kind": "oddly"}, 400),
        ("POST", "switches", {"torq.unheard": 1}, 404),
        ("POST", "switches", {"torq.prefix": "sideways"}, 400),
        ("POST", "accounts", {"vendor": "acme", "integrations": 10}, 400),
        ("POST", "clock", {"set": "tomorrow"}, 400),
    ],
)
def test_control_says_what_is_wrong(caller: Caller, method: str, path: str, body: Any, status: int) -> None:
    answer = caller.request(method, f"/_control/{path}", json=body)

    assert answer.status_code == status
    assert answer.json()["message"]


def test_control_is_not_for_web_pages(caller: Caller) -> None:
    answer = caller.request("POST", "/_control/reset", headers={"Origin": "https://elsewhere.example"})

    assert answer.status_code == 403


def test_the_log_of_hits_counts_what_arrived(caller: Caller) -> None:
    for _ in range(3):
        caller.alloy(ACCOUNT)
    caller.alloy("tamarind-alloy")

    hits = caller.control(f"hits?account={ACCOUNT}", method="GET")
    assert hits["counts"] == {"GET /alloy/integrations": 3}
    assert [each["account"] for each in hits["requests"]] == [ACCOUNT] * 3
    assert caller.control("hits", method="GET")["total"] == 4
    assert caller.control("hits", method="DELETE")["total"] == 0


def test_reset_brings_the_world_back(caller: Caller) -> None:
    caller.control(f"accounts/{ACCOUNT}/remove", {"items": list(range(10))})
    caller.control("accounts", {"vendor": "torq", "name": "extra", "integrations": 10})

    caller.control("reset")

    assert len(caller.alloy(ACCOUNT).json()["data"]) == 18
    assert "extra" not in caller.accounts()


def test_everything_that_can_be_turned_is_in_the_manual(caller: Caller) -> None:
    manual = (ROOT / "docs" / "simulator.md").read_text()
    known = caller.get("/_control/").json()
    words = [
        *caller.control("switches", method="GET"),
        *caller.control("faults", method="GET")["kinds"],
        *known["pages"],
        *known["account_actions"],
        *LIST_MODES,
        *BROKEN_KINDS,
        *EXPECTED,
    ]

    assert [word for word in words if f"`{word}`" not in manual] == []


# --- life ------------------------------------------------------------------------------------------------------------


def test_stop_hangs_up_on_those_who_wait(server: SimulatorServer) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as waiting:
        waiting.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert waiting.recv(10)
        server.stop()
        while waiting.recv(65536):
            pass
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", server.port), timeout=5)


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_the_command_serves_until_it_is_told_to_stop(tmp_path: Path, sent: signal.Signals) -> None:
    command = [sys.executable, str(ROOT / "manage.py"), "simulate", "--port", "0", "--data-dir", str(tmp_path)]
    with subprocess.Popen(
        [*command, "--seed", "3"], stdout=subprocess.PIPE, text=True, cwd=ROOT, env=dict(os.environ)
    ) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().rpartition(" ")[2].strip()
            assert urlsplit(url).port
            assert requests.get(url, timeout=10).json()["seed"] == 3
            process.send_signal(sent)
            assert process.wait(timeout=10) == 0
        finally:
            process.kill()
