"""States, sentences and next steps, from one table."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from integrations_app.models import Integration
from integrations_app.services import states
from integrations_app.vendors.base import Finding, FindingCode, Lifecycle, RemoteIntegration

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
CODE = FindingCode


def remote(
    lifecycle: Lifecycle = Lifecycle.ACTIVE, *findings: Finding, used: datetime | None = None
) -> RemoteIntegration:
    return RemoteIntegration("1", "Orders", lifecycle, raw={}, findings=findings, last_used_at=used)


def row(found: states.Verdict, **values: object) -> Integration:
    main = found.main
    return Integration(
        vendor="celigo",
        state=found.state,
        finding_code=main.code if main else "",
        finding_subject=main.subject if main else "",
        finding_count=main.count if main else 0,
        findings_count=len(found.findings),
        **values,
    )


@pytest.mark.parametrize("lifecycle", list(Lifecycle))
def test_without_findings_the_state_is_what_the_vendor_says(lifecycle: Lifecycle) -> None:
    verdict = states.judge(remote(lifecycle), NOW)
    assert (verdict.state, verdict.turn, states.sentence(row(verdict))) == (lifecycle.value, "", "")


@pytest.mark.parametrize(
    ("finding", "state", "turn", "sentence"),
    [
        (Finding(CODE.CONNECTION_DEFUNCT, "Xero"), "attention", "tenant", "waiting for the tenant: reconnect Xero"),
        (Finding(CODE.CONNECTION_MISSING, "Shopify"), "attention", "tenant", "waiting for the tenant: connect Shopify"),
        (Finding(CODE.CONNECTION_MISSING), "attention", "tenant", "waiting for the tenant: connect the app"),
        (Finding(CODE.ACTION_REQUIRED), "attention", "tenant", "waiting for the tenant: action needed"),
        (Finding(CODE.SETUP_FAILED), "attention", "us", "set-up failed"),
        (Finding(CODE.CONFIGURATION_ERROR, "Sync"), "attention", "us", "configuration error in Sync"),
        (Finding(CODE.MISSING_PARAMETERS, "region", 1), "attention", "us", "parameter “region” missing"),
        (Finding(CODE.MISSING_PARAMETERS, "region", 3), "attention", "us", "3 parameters missing, first “region”"),
        (Finding(CODE.CONNECTION_OFFLINE, count=1), "attention", "tenant",
         "waiting for the tenant: 1 connection is offline"),
        (Finding(CODE.CONNECTION_OFFLINE, count=2), "attention", "tenant",
         "waiting for the tenant: 2 connections are offline"),
        (Finding(CODE.ERRORS, count=1), "attention", "us", "1 error"),
        (Finding(CODE.ERRORS, count=214), "attention", "us", "214 errors"),
        (Finding(CODE.HALF_INSTALLED, count=2), "attention", "us", "half installed: 2 steps left"),
        (Finding(CODE.HALF_INSTALLED), "attention", "us", "half installed"),
        (Finding(CODE.VERSION_BEHIND, count=2), "attention", "us", "2 workflows behind"),
        (Finding(CODE.VERSION_BEHIND, "Orders", 1), "attention", "us", "“Orders” behind the latest version"),
        (Finding(CODE.CONNECTION_RETRYING, "Xero"), "attention", "vendor",
         "Xero does not answer, the vendor tries again"),
        (Finding(CODE.UPDATE_IN_PROGRESS), "active", "vendor", "update in progress"),
        (Finding(CODE.WORKFLOWS_OFF, count=3), "active", "", "3 workflows switched off"),
        (Finding(CODE.NEVER_USED), "active", "", "never used"),
    ],
)  # fmt: skip
def test_a_finding_makes_state_turn_and_sentence(finding: Finding, state: str, turn: str, sentence: str) -> None:
    verdict = states.judge(remote(Lifecycle.ACTIVE, finding), NOW)
    assert (verdict.state, verdict.turn, states.sentence(row(verdict))) == (state, turn, sentence)


def test_every_finding_has_a_rule_and_every_state_a_rank() -> None:
    assert set(states.RULES) == set(FindingCode)
    assert set(states.RANKS) == set(Integration.State.values)


@pytest.mark.parametrize("code", [CODE.VERSION_BEHIND, CODE.CONNECTION_RETRYING, CODE.NEVER_USED, CODE.WORKFLOWS_OFF])
def test_what_does_not_matter_while_it_is_off_leaves_it_inactive(code: FindingCode) -> None:
    assert states.judge(remote(Lifecycle.INACTIVE, Finding(code)), NOW).state == "inactive"


@pytest.mark.parametrize("code", list(FindingCode))
def test_what_is_archived_stays_archived_whatever_is_found(code: FindingCode) -> None:
    verdict = states.judge(remote(Lifecycle.ARCHIVED, Finding(code)), NOW)
    assert (verdict.state, verdict.turn) == ("archived", "")


def test_the_most_important_finding_makes_the_sentence() -> None:
    findings = Finding(CODE.NEVER_USED), Finding(CODE.ERRORS, count=2), Finding(CODE.CONNECTION_DEFUNCT, "Shopify")
    verdict = states.judge(remote(Lifecycle.ACTIVE, *findings), NOW)
    assert states.sentence(row(verdict)) == "waiting for the tenant: reconnect Shopify and 2 more"


def test_not_used_for_long_is_noted_and_no_reason_for_attention() -> None:
    lately = states.judge(remote(used=NOW - timedelta(days=29)), NOW)
    long_ago = states.judge(remote(used=NOW - timedelta(days=31)), NOW)
    assert (lately.findings, long_ago.state) == ((), "active")
    assert states.sentence(row(long_ago, last_used_at=NOW - timedelta(days=31))) == "not used since 24 Oct 2026"


def test_gone_and_missing_are_told_whatever_was_wrong_before() -> None:
    verdict = states.judge(remote(Lifecycle.ACTIVE, Finding(CODE.ERRORS, count=2)), NOW)
    missing = row(verdict, missing_since=NOW)
    assert states.sentence(missing) == "not in Celigo's last list, to be confirmed"
    missing.state = "gone"
    assert states.sentence(missing) == "not at Celigo any more"


def test_next_steps_say_what_to_do_whose_turn_it_is_and_what_the_vendor_said() -> None:
    findings = [
        {"code": "connection_defunct", "subject": "Shopify", "count": 0, "detail": "token revoked", "since": None},
        {"code": "version_behind", "subject": "", "count": 2, "detail": "", "since": None},
    ]
    verdict = states.judge(remote(Lifecycle.ACTIVE, Finding(CODE.ERRORS)), NOW)
    first, second = states.next_steps(row(verdict, remote_url="https://integrator.io/x"), findings)
    assert (first.title, first.turn, first.vendor_words) == ("Reconnect Shopify", "tenant", "token revoked")
    assert (second.turn, second.action) == ("us", "open_at_vendor")
    assert [step.action for step in states.next_steps(row(verdict), findings)] == ["", ""]
