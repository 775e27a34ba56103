from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies: ClassVar = [
        ('audit', '0001_initial'),
    ]

    operations: ClassVar = [
        migrations.AlterField(
            model_name='auditevent',
            name='event',
            field=models.CharField(choices=[('user.signed_in', 'signed in'), ('user.sign_in_failed', 'failed to sign in'), ('user.signed_out', 'signed out'), ('user.created', 'created the account of {target}'), ('user.changed', 'changed the profile of {target}'), ('user.sign_in_changed', 'changed how {target} signs in: {what}'), ('tenant.created', 'added the tenant {target}'), ('tenant.changed', 'changed the settings of {target}: {fields}'), ('grant.given', 'gave {subject} the role {role}'), ('grant.removed', 'took the role {role} from {subject}'), ('team.created', 'made the team {target} with {members}'), ('invitation.sent', 'invited {target} as {role}'), ('invitation.accepted', 'accepted the invitation as {role}'), ('invitation.withdrawn', 'withdrew the invitation of {target}'), ('credential.created', 'set the secret of {target}'), ('credential.replaced', 'replaced the secret of {target}'), ('credential.changed', 'changed {target}: {fields}'), ('credential.removed', 'removed the credential {target}'), ('credential.bound', 'bound the shared credential {credential} to {target}'), ('vendor_account.added', 'added the vendor account {target}'), ('vendor_account.changed', 'changed the vendor account {target}: {fields}'), ('vendor_account.tested', 'tested the vendor account {target}: {state}'), ('vendor_account.removed', 'removed the vendor account {target}'), ('schedule.changed', 'changed the schedule of {target}: {schedule}'), ('keys.rewrapped', 'wrapped {count} data keys anew with the encryption key {key}'), ('job.requested', 'asked for: {target}'), ('job.cancelled', 'cancelled: {target}'), ('job.retried', 'tried again: {target}'), ('job.finished', 'finished: {target}, {state}'), ('integrations.synced', 'synced {target}: {changed} changed, {added} new, {gone} gone'), ('integration.drifted', 'found {target} changed at the vendor'), ('snapshot.taken', 'took a snapshot of {target}'), ('write.confirmed', 'confirmed: {what}'), ('write.done', 'did: {what}'), ('write.not_done', 'tried in vain: {what}'), ('write.unknown', 'sent, with the answer lost: {what}'), ('write.settled', 'said that it {verdict}: {what}'), ('write.abandoned', 'gave up: {what}'), ('revision_policy.changed', 'changed when revisions of {target} are taken: {policy}'), ('history.exported', 'exported the history of {target}'), ('archive.fetched', 'fetched the template archive of {target}: {entries} entries'), ('archive.refused', 'refused the template archive of {target}: {why}'), ('archive.downloaded', 'downloaded the template archive of {target}'), ('archive.expired', 'removed the file of a template archive of {target}, its time being over'), ('vendor.searched', 'searched live at {target}')], max_length=60),
        ),
    ]
