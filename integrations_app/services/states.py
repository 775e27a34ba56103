"""What state an integration is in, why in one sentence, whose turn it is and what to do next: all from one table.

What the vendor leaves unsaid is no finding: unknown is not bad. An integration that nobody has used for a long time is
noted and not counted as needing attention: nobody waits for it, it may be new or kept on purpose, and calling it broken
would teach people to look past what is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from django.utils import timezone

from integrations_app.models import Integration
from integrations_app.vendors import registry
from integrations_app.vendors.base import (
    Finding,
    FindingCode,
    Lifecycle,
    RemoteIntegration,
)

State = Integration.State
Turn = Integration.Turn

# An integration that was not used for this long is "never used" for our purposes.
UNUSED_AFTER = timedelta(days=30)

RANKS: Mapping[str, int] = {
    State.ATTENTION: 0,
    State.BUILDING: 1,
    State.ACTIVE: 2,
    State.INACTIVE: 3,
    State.ARCHIVED: 4,
    State.GONE: 5,
}


class Action(StrEnum):
    """What a page offers beside a step; "" is nothing to press."""

    OPEN_AT_VENDOR = "open_at_vendor"
    REFRESH = "refresh"
    NONE = ""


@dataclass(frozen=True)
class Rule:
    """What one kind of finding means. Texts may use {subject}, {count}, {vendor} and {detail}.

    `raises` makes the state "attention"; `raises_when_off` does so even while the integration is switched off.
    `bare` is the sentence when the finding has no subject.
    """

    turn: str
    sentence: Callable[[Finding], str]
    title: str
    advice: str
    action: Action = Action.OPEN_AT_VENDOR
    raises: bool = True
    raises_when_off: bool = True


def _several(count: int, one: str, many: str) -> str:
    """ "1 error" or "3 errors"; without a number where the vendor gave none."""
    if count == 1:
        return f"1 {one}"
    return f"{count} {many}" if count else many


def _about(with_subject: str, bare: str) -> Callable[[Finding], str]:
    return lambda finding: with_subject.format(subject=finding.subject) if finding.subject else bare


def _missing_parameters(finding: Finding) -> str:
    if finding.count > 1:
        return f"{finding.count} parameters missing" + (f", first “{finding.subject}”" if finding.subject else "")
    return f"parameter “{finding.subject}” missing" if finding.subject else "parameters missing"


def _offline(finding: Finding) -> str:
    if finding.subject:
        return f"waiting for the tenant: bring {finding.subject} back online"
    return f"waiting for the tenant: {_several(finding.count, 'connection is', 'connections are')} offline"


def _behind(finding: Finding) -> str:
    if finding.subject and finding.count <= 1:
        return f"“{finding.subject}” behind the latest version"
    return (
        f"{_several(finding.count, 'workflow', 'workflows')} behind" if finding.count else "behind the latest version"
    )


# In order of importance: the first one an integration has makes its sentence.
RULES: Mapping[FindingCode, Rule] = {
    FindingCode.CONNECTION_DEFUNCT: Rule(
        Turn.TENANT,
        _about(
            "waiting for the tenant: reconnect {subject}",
            "waiting for the tenant: reconnect",
        ),
        "Reconnect {subject}",
        "Access is lost for good. Somebody at the tenant signs in to {subject} again; nothing runs until then.",
    ),
    FindingCode.CONNECTION_MISSING: Rule(
        Turn.TENANT,
        _about(
            "waiting for the tenant: connect {subject}",
            "waiting for the tenant: connect the app",
        ),
        "Connect {subject}",
        "It was never connected. Somebody at the tenant signs in to {subject} once.",
    ),
    FindingCode.ACTION_REQUIRED: Rule(
        Turn.TENANT,
        _about(
            "waiting for the tenant: action needed at {subject}",
            "waiting for the tenant: action needed",
        ),
        "The tenant has something to do",
        "{vendor} waits for somebody at the tenant and says what for.",
    ),
    FindingCode.SETUP_FAILED: Rule(
        Turn.OURS,
        lambda _: "set-up failed",
        "Look why the set-up failed",
        "{vendor} could not set it up. Read its message, mend the cause, then refresh here.",
    ),
    FindingCode.CONFIGURATION_ERROR: Rule(
        Turn.OURS,
        _about("configuration error in {subject}", "configuration error"),
        "Mend the configuration",
        "{vendor} cannot run it as it is configured.",
    ),
    FindingCode.MISSING_PARAMETERS: Rule(
        Turn.OURS,
        _missing_parameters,
        "Fill in what is missing",
        "Without it nothing is sent. Set the value at {vendor}, then refresh here.",
    ),
    FindingCode.CONNECTION_OFFLINE: Rule(
        Turn.TENANT,
        _offline,
        "Bring the connection back online",
        "{vendor} cannot reach it: mostly the app was down or the sign-in there ran out.",
    ),
    FindingCode.ERRORS: Rule(
        Turn.OURS,
        lambda finding: _several(finding.count, "error", "errors"),
        "Look at the errors",
        "They are kept at {vendor} until somebody resolves or retries them.",
    ),
    FindingCode.HALF_INSTALLED: Rule(
        Turn.OURS,
        lambda finding: (
            "half installed" + (f": {_several(finding.count, 'step', 'steps')} left" if finding.count else "")
        ),
        "Finish the installation",
        "Some steps of the installation were never done; go on where it stopped.",
    ),
    FindingCode.VERSION_BEHIND: Rule(
        Turn.OURS,
        _behind,
        "Upgrade to the latest version",
        "It runs, but not in the version that is current at {vendor}.",
        raises_when_off=False,
    ),
    FindingCode.CONNECTION_RETRYING: Rule(
        Turn.VENDOR,
        _about(
            "{subject} does not answer, the vendor tries again",
            "the vendor tries again",
        ),
        "Wait for {vendor}",
        "{vendor} lost the connection and tries again by itself. Refresh in a while.",
        action=Action.REFRESH,
        raises_when_off=False,
    ),
    FindingCode.UPDATE_IN_PROGRESS: Rule(
        Turn.VENDOR,
        lambda _: "update in progress",
        "Wait for {vendor}",
        "An update is under way there. Refresh in a while.",
        action=Action.REFRESH,
        raises=False,
    ),
    FindingCode.WORKFLOWS_OFF: Rule(
        Turn.NOBODY,
        lambda finding: f"{_several(finding.count, 'workflow', 'workflows')} switched off",
        "Some of it is switched off",
        "Nothing to do if that is on purpose.",
        raises=False,
    ),
    FindingCode.NEVER_USED: Rule(
        Turn.NOBODY,
        lambda finding: "never used" if finding.since is None else f"not used since {finding.since:%-d %b %Y}",
        "It is not in use",
        "Nothing to do if that is on purpose.",
        raises=False,
    ),
}
_ORDER = {code: number for number, code in enumerate(RULES)}


@dataclass(frozen=True)
class Verdict:
    """The state of one integration and its findings, the most important first."""

    state: str
    turn: str
    findings: tuple[Finding, ...]

    @property
    def rank(self) -> int:
        return RANKS[self.state]

    @property
    def main(self) -> Finding | None:
        return self.findings[0] if self.findings else None


def judge(remote: RemoteIntegration, now: datetime | None = None) -> Verdict:
    """The state of an integration as the vendor holds it. `now` decides only what counts as unused."""
    findings = sorted(
        _with_unused(remote, now or timezone.now()),
        key=lambda finding: _ORDER[finding.code],
    )
    state = _state(remote.lifecycle, findings)
    main = findings[0] if findings else None
    turn = RULES[main.code].turn if main and state not in (State.ARCHIVED, State.INACTIVE) else Turn.NOBODY
    return Verdict(state, turn, tuple(findings))


def _state(lifecycle: Lifecycle, findings: Iterable[Finding]) -> str:
    if lifecycle is Lifecycle.ARCHIVED:
        return State.ARCHIVED
    is_off = lifecycle is Lifecycle.INACTIVE
    rules = [RULES[finding.code] for finding in findings]
    if any(rule.raises and (rule.raises_when_off or not is_off) for rule in rules):
        return State.ATTENTION
    return State(lifecycle.value)


def is_unused(remote: RemoteIntegration, now: datetime) -> bool:
    """Whether it was used once, but not for UNUSED_AFTER: the one thing about it that changes while it does not."""
    return remote.last_used_at is not None and now - remote.last_used_at > UNUSED_AFTER


def _with_unused(remote: RemoteIntegration, now: datetime) -> list[Finding]:
    findings = list(remote.findings)
    is_noted = any(finding.code is FindingCode.NEVER_USED for finding in findings)
    if not is_noted and is_unused(remote, now):
        findings.append(Finding(FindingCode.NEVER_USED, since=remote.last_used_at))
    return findings


def sentence(integration: Integration) -> str:
    """Why it is in its state, lower case, without a full stop and without the "since": "2 workflows behind", or "".

    Built from the row alone, so that a list needs no second read.
    """
    vendor = registry.vendor(integration.vendor).label
    if integration.state == State.GONE:
        return f"not at {vendor} any more"
    if integration.missing_since is not None:
        return f"not in {vendor}'s last list, to be confirmed"
    if not integration.finding_code:
        return ""
    finding = Finding(
        FindingCode(integration.finding_code), integration.finding_subject, integration.finding_count,
        since=integration.last_used_at,
    )  # fmt: skip
    words = RULES[finding.code].sentence(finding)
    others = integration.findings_count - 1
    return f"{words} and {others} more" if others > 0 and integration.state == State.ATTENTION else words


@dataclass(frozen=True)
class NextStep:
    """One thing to do (or to know). `detail` is plain text, the vendor's own words in `vendor_words`."""

    code: str
    title: str
    detail: str
    turn: str
    action: str
    vendor_words: str = ""
    since: str = ""


def next_steps(integration: Integration, findings: Sequence[Mapping[str, Any]]) -> list[NextStep]:
    """What to do about an integration, most important first. `findings` is `IntegrationDocument.findings`."""
    vendor = registry.vendor(integration.vendor).label
    if integration.state == State.GONE:
        advice = f"It was removed at {vendor}, or this account may no longer see it. What we last knew is kept here."
        return [NextStep("gone", f"Gone from {vendor}", advice, Turn.NOBODY, Action.NONE)]
    return [_next_step(finding, vendor, has_page=bool(integration.remote_url)) for finding in findings]


def _next_step(finding: Mapping[str, Any], vendor: str, *, has_page: bool) -> NextStep:
    rule = RULES[FindingCode(finding["code"])]
    words = {"subject": finding["subject"] or "the app", "vendor": vendor}
    action = rule.action
    if action is Action.OPEN_AT_VENDOR and not has_page:
        action = Action.NONE
    return NextStep(
        code=finding["code"],
        title=rule.title.format(**words),
        detail=rule.advice.format(**words),
        turn=rule.turn,
        action=action,
        vendor_words=finding["detail"],
        since=finding["since"] or "",
    )


def turn_label(turn: str) -> str:
    """The words on the whose-turn pill, "" for nobody's."""
    return str(Turn(turn).label) if turn else ""
