"""Every event type with its sentence, "<who> <sentence>". `{target}` is the target's label, the rest is `detail`'s."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import models


class _Blank(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "?"


class Event(models.TextChoices):
    """The label is the sentence's pattern."""

    USER_SIGNED_IN = "user.signed_in", "signed in"
    USER_SIGN_IN_FAILED = "user.sign_in_failed", "failed to sign in"
    USER_SIGNED_OUT = "user.signed_out", "signed out"
    USER_CREATED = "user.created", "created the account of {target}"
    USER_CHANGED = "user.changed", "changed the profile of {target}"
    USER_SIGN_IN_CHANGED = "user.sign_in_changed", "changed how {target} signs in: {what}"

    TENANT_CREATED = "tenant.created", "added the tenant {target}"
    TENANT_CHANGED = "tenant.changed", "changed the settings of {target}: {fields}"

    GRANT_GIVEN = "grant.given", "gave {subject} the role {role}"
    GRANT_REMOVED = "grant.removed", "took the role {role} from {subject}"
    TEAM_CREATED = "team.created", "made the team {target} with {members}"
    INVITATION_SENT = "invitation.sent", "invited {target} as {role}"
    INVITATION_ACCEPTED = "invitation.accepted", "accepted the invitation as {role}"
    INVITATION_WITHDRAWN = "invitation.withdrawn", "withdrew the invitation of {target}"

    CREDENTIAL_CREATED = "credential.created", "set the secret of {target}"
    CREDENTIAL_REPLACED = "credential.replaced", "replaced the secret of {target}"
    CREDENTIAL_CHANGED = "credential.changed", "changed {target}: {fields}"
    CREDENTIAL_REMOVED = "credential.removed", "removed the credential {target}"
    CREDENTIAL_BOUND = "credential.bound", "bound the shared credential {credential} to {target}"

    VENDOR_ACCOUNT_ADDED = "vendor_account.added", "added the vendor account {target}"
    VENDOR_ACCOUNT_CHANGED = "vendor_account.changed", "changed the vendor account {target}: {fields}"
    VENDOR_ACCOUNT_TESTED = "vendor_account.tested", "tested the vendor account {target}: {state}"
    VENDOR_ACCOUNT_REMOVED = "vendor_account.removed", "removed the vendor account {target}"
    SCHEDULE_CHANGED = "schedule.changed", "changed the schedule of {target}: {schedule}"

    KEYS_REWRAPPED = "keys.rewrapped", "wrapped {count} data keys anew with the encryption key {key}"

    JOB_REQUESTED = "job.requested", "asked for: {target}"
    JOB_CANCELLED = "job.cancelled", "cancelled: {target}"
    JOB_RETRIED = "job.retried", "tried again: {target}"
    JOB_FINISHED = "job.finished", "finished: {target}, {state}"

    INTEGRATIONS_SYNCED = "integrations.synced", "synced {target}: {changed} changed, {added} new, {gone} gone"
    INTEGRATION_DRIFTED = "integration.drifted", "found {target} changed at the vendor"
    SNAPSHOT_TAKEN = "snapshot.taken", "took a snapshot of {target}"
    WRITE_CONFIRMED = "write.confirmed", "confirmed: {what}"
    WRITE_DONE = "write.done", "did: {what}"
    WRITE_NOT_DONE = "write.not_done", "tried in vain: {what}"
    WRITE_UNKNOWN = "write.unknown", "sent, with the answer lost: {what}"
    WRITE_SETTLED = "write.settled", "said that it {verdict}: {what}"
    WRITE_ABANDONED = "write.abandoned", "gave up: {what}"
    REVISION_POLICY_CHANGED = "revision_policy.changed", "changed when revisions of {target} are taken: {policy}"
    HISTORY_EXPORTED = "history.exported", "exported the history of {target}"
    ARCHIVE_FETCHED = "archive.fetched", "fetched the template archive of {target}: {entries} entries"
    ARCHIVE_REFUSED = "archive.refused", "refused the template archive of {target}: {why}"
    ARCHIVE_DOWNLOADED = "archive.downloaded", "downloaded the template archive of {target}"
    ARCHIVE_EXPIRED = "archive.expired", "removed the file of a template archive of {target}, its time being over"
    LIVE_SEARCHED = "vendor.searched", "searched live at {target}"

    def sentence(self, target: str, detail: Mapping[str, Any]) -> str:
        """The sentence without its subject, for a log line: "gave Ana the role Editor"."""
        return self.label.format_map(_Blank({**detail, "target": target}))
