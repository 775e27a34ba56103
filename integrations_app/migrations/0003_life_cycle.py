from __future__ import annotations

from typing import Any, ClassVar

import django.db.models.deletion
import django.utils.timezone
import uuid
from django.conf import settings
from django.db import migrations, models


_OF_A_TENANT = ("archiveentry", "listing", "revisionpolicy", "templatearchive", "vendorwrite", "writebatch")
_RULE = (
    "(SELECT current_setting('console.scope', true)) = '*' OR tenant_id IN (SELECT console_tenants_in_scope())"
)


def _lock(apps: Any, schema_editor: Any) -> None:
    """Row-level security, as in 0002."""
    if schema_editor.connection.vendor != "postgresql":
        return
    for table in _OF_A_TENANT:
        schema_editor.execute(f"ALTER TABLE integrations_app_{table} ENABLE ROW LEVEL SECURITY")
        schema_editor.execute(f"ALTER TABLE integrations_app_{table} FORCE ROW LEVEL SECURITY")
        schema_editor.execute(f"CREATE POLICY tenant_scope ON integrations_app_{table} USING ({_RULE})")


def _unlock(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor != "postgresql":
        return
    for table in _OF_A_TENANT:
        schema_editor.execute(f"DROP POLICY tenant_scope ON integrations_app_{table}")


class Migration(migrations.Migration):

    dependencies: ClassVar = [
        ('access', '0002_life_cycle'),
        ('integrations_app', '0002_row_security'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations: ClassVar = [
        migrations.CreateModel(
            name='ArchiveEntry',
            fields=[
                ('id', models.BigAutoField(primary_key=True, serialize=False)),
                ('number', models.PositiveIntegerField()),
                ('path', models.CharField(max_length=500)),
                ('title', models.CharField(blank=True, max_length=200)),
                ('kind', models.CharField(choices=[('json', 'JSON'), ('text', 'Text'), ('binary', 'Binary'), ('archive', 'Archive, not opened'), ('folder', 'Folder')], max_length=8)),
                ('size_bytes', models.BigIntegerField()),
                ('packed_bytes', models.BigIntegerField()),
                ('digest', models.BinaryField(max_length=32)),
                ('redacted', models.BinaryField(null=True)),
                ('secrets_count', models.PositiveIntegerField(default=0)),
                ('secret_paths', models.JSONField(default=list)),
                ('note', models.CharField(blank=True, max_length=200)),
            ],
            options={
                'ordering': ['archive', 'number'],
            },
        ),
        migrations.CreateModel(
            name='Listing',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('kind', models.CharField(max_length=40)),
                ('scope', models.CharField(blank=True, max_length=200)),
                ('items', models.BinaryField(default=b'[]')),
                ('count', models.PositiveIntegerField(default=0)),
                ('bad_count', models.PositiveIntegerField(default=0)),
                ('is_whole', models.BooleanField(default=True)),
                ('newest_at', models.DateTimeField(null=True)),
                ('read_at', models.DateTimeField(null=True)),
                ('failed_at', models.DateTimeField(null=True)),
                ('failure', models.CharField(blank=True, max_length=300)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
            ],
        ),
        migrations.CreateModel(
            name='RevisionPolicy',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('is_nightly', models.BooleanField(default=False)),
                ('before_writes', models.BooleanField(default=False)),
                ('version', models.PositiveIntegerField(default=1, editable=False)),
            ],
            options={
                'ordering': ['id'],
            },
        ),
        migrations.CreateModel(
            name='TemplateArchive',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('state', models.CharField(choices=[('kept', 'Kept'), ('refused', 'Refused'), ('expired', 'Expired')], max_length=8)),
                ('remote_name', models.CharField(blank=True, max_length=200)),
                ('digest', models.BinaryField(max_length=32, null=True)),
                ('size_bytes', models.BigIntegerField(default=0)),
                ('chunk_count', models.PositiveIntegerField(default=0)),
                ('entry_count', models.PositiveIntegerField(default=0)),
                ('unpacked_bytes', models.BigIntegerField(default=0)),
                ('secrets_count', models.PositiveIntegerField(default=0)),
                ('refusal_code', models.CharField(blank=True, max_length=40)),
                ('refusal', models.CharField(blank=True, max_length=300)),
                ('taken_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('expires_at', models.DateTimeField(null=True)),
            ],
            options={
                'ordering': ['-taken_at', '-id'],
            },
        ),
        migrations.CreateModel(
            name='VendorWrite',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('operation', models.CharField(max_length=40)),
                ('title', models.CharField(max_length=300)),
                ('key', models.CharField(max_length=64)),
                ('state', models.CharField(choices=[('checking', 'Being checked'), ('ready', 'Waiting for confirmation'), ('queued', 'Confirmed'), ('sent', 'Sent, no answer yet'), ('done', 'Done'), ('not_done', 'Not done'), ('unknown', 'Unknown, needs a person'), ('abandoned', 'Given up')], default='checking', max_length=10)),
                ('sealed', models.BinaryField(null=True)),
                ('sealed_plan', models.BinaryField(null=True)),
                ('plan', models.JSONField(default=dict)),
                ('guard', models.CharField(blank=True, max_length=64)),
                ('result', models.JSONField(default=dict)),
                ('sentence', models.CharField(blank=True, max_length=500)),
                ('error_code', models.CharField(blank=True, max_length=40)),
                ('vendor_status', models.PositiveSmallIntegerField(null=True)),
                ('vendor_request_id', models.CharField(blank=True, max_length=100)),
                ('reason', models.CharField(blank=True, max_length=300)),
                ('requested_by_label', models.CharField(blank=True, max_length=320)),
                ('confirmed_by_label', models.CharField(blank=True, max_length=320)),
                ('settled_by_label', models.CharField(blank=True, max_length=320)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('checked_at', models.DateTimeField(null=True)),
                ('confirmed_at', models.DateTimeField(null=True)),
                ('sent_at', models.DateTimeField(null=True)),
                ('over_at', models.DateTimeField(null=True)),
                ('after_digest', models.BinaryField(max_length=32, null=True)),
            ],
            options={
                'ordering': ['-created_at', '-id'],
            },
        ),
        migrations.CreateModel(
            name='WriteBatch',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('operation', models.CharField(max_length=40)),
                ('title', models.CharField(max_length=300)),
                ('key', models.CharField(max_length=64)),
                ('state', models.CharField(choices=[('checking', 'Dry run'), ('ready', 'Waiting for confirmation'), ('running', 'Running'), ('over', 'Over'), ('abandoned', 'Given up')], default='checking', max_length=10)),
                ('sealed', models.BinaryField(null=True)),
                ('reason', models.CharField(blank=True, max_length=300)),
                ('requested_by_label', models.CharField(blank=True, max_length=320)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
            ],
            options={
                'ordering': ['-created_at', '-id'],
            },
        ),
        migrations.AddField(
            model_name='vendoraccount',
            name='list_doubt',
            field=models.CharField(blank=True, max_length=300),
        ),
        migrations.AlterField(
            model_name='snapshot',
            name='cause',
            field=models.CharField(choices=[('drift', 'Before a change at the vendor'), ('manual', 'Taken by a person'), ('write', 'Before a change made here')], max_length=8),
        ),
        migrations.AddIndex(
            model_name='snapshot',
            index=models.Index(fields=['tenant', '-taken_at', '-id'], name='snapshot_by_tenant'),
        ),
        migrations.AddField(
            model_name='archiveentry',
            name='tenant',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='access.tenant'),
        ),
        migrations.AddField(
            model_name='listing',
            name='integration',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='listings', to='integrations_app.integration'),
        ),
        migrations.AddField(
            model_name='listing',
            name='tenant',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='access.tenant'),
        ),
        migrations.AddField(
            model_name='listing',
            name='vendor_account',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='listings', to='integrations_app.vendoraccount'),
        ),
        migrations.AddField(
            model_name='revisionpolicy',
            name='tenant',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='access.tenant'),
        ),
        migrations.AddField(
            model_name='revisionpolicy',
            name='vendor_account',
            field=models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='revision_policy', to='integrations_app.vendoraccount'),
        ),
        migrations.AddField(
            model_name='templatearchive',
            name='integration',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='archives', to='integrations_app.integration'),
        ),
        migrations.AddField(
            model_name='templatearchive',
            name='job',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='archives', to='integrations_app.job'),
        ),
        migrations.AddField(
            model_name='templatearchive',
            name='taken_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='templatearchive',
            name='tenant',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='access.tenant'),
        ),
        migrations.AddField(
            model_name='archiveentry',
            name='archive',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='entries', to='integrations_app.templatearchive'),
        ),
        migrations.AddField(
            model_name='vendorwrite',
            name='also_tenant',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='access.tenant'),
        ),
        migrations.AddField(
            model_name='vendorwrite',
            name='confirmed_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='vendorwrite',
            name='integration',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='writes', to='integrations_app.integration'),
        ),
        migrations.AddField(
            model_name='vendorwrite',
            name='job',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='writes', to='integrations_app.job'),
        ),
        migrations.AddField(
            model_name='vendorwrite',
            name='made',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='made_by', to='integrations_app.integration'),
        ),
        migrations.AddField(
            model_name='vendorwrite',
            name='requested_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='vendorwrite',
            name='snapshot',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='writes', to='integrations_app.snapshot'),
        ),
        migrations.AddField(
            model_name='vendorwrite',
            name='tenant',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='access.tenant'),
        ),
        migrations.AddField(
            model_name='vendorwrite',
            name='vendor_account',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='writes', to='integrations_app.vendoraccount'),
        ),
        migrations.AddField(
            model_name='writebatch',
            name='job',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='integrations_app.job'),
        ),
        migrations.AddField(
            model_name='writebatch',
            name='requested_by',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='writebatch',
            name='tenant',
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='access.tenant'),
        ),
        migrations.AddField(
            model_name='vendorwrite',
            name='batch',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.CASCADE, related_name='writes', to='integrations_app.writebatch'),
        ),
        migrations.AddConstraint(
            model_name='listing',
            constraint=models.UniqueConstraint(condition=models.Q(('integration__isnull', False)), fields=('integration', 'kind', 'scope'), name='listing_once'),
        ),
        migrations.AddConstraint(
            model_name='listing',
            constraint=models.UniqueConstraint(condition=models.Q(('integration__isnull', True)), fields=('vendor_account', 'kind'), name='listing_of_account_once'),
        ),
        migrations.AddIndex(
            model_name='templatearchive',
            index=models.Index(fields=['integration', '-taken_at', '-id'], name='archive_by_integration'),
        ),
        migrations.AddIndex(
            model_name='templatearchive',
            index=models.Index(fields=['state', 'expires_at'], name='archive_by_expiry'),
        ),
        migrations.AddConstraint(
            model_name='templatearchive',
            constraint=models.UniqueConstraint(condition=models.Q(('job__isnull', False)), fields=('job',), name='one_archive_per_job'),
        ),
        migrations.AddConstraint(
            model_name='archiveentry',
            constraint=models.UniqueConstraint(fields=('archive', 'number'), name='archive_entry_number_once'),
        ),
        migrations.AddIndex(
            model_name='writebatch',
            index=models.Index(fields=['tenant', '-created_at', '-id'], name='batch_by_tenant'),
        ),
        migrations.AddConstraint(
            model_name='writebatch',
            constraint=models.UniqueConstraint(fields=('tenant', 'key'), name='batch_once_per_form'),
        ),
        migrations.AddIndex(
            model_name='vendorwrite',
            index=models.Index(fields=['tenant', '-created_at', '-id'], name='write_by_tenant'),
        ),
        migrations.AddIndex(
            model_name='vendorwrite',
            index=models.Index(fields=['integration', '-created_at', '-id'], name='write_by_integration'),
        ),
        migrations.AddIndex(
            model_name='vendorwrite',
            index=models.Index(fields=['state', 'sent_at'], name='write_in_flight'),
        ),
        migrations.AddIndex(
            model_name='vendorwrite',
            index=models.Index(fields=['batch', 'created_at', 'id'], name='write_by_batch'),
        ),
        migrations.AddConstraint(
            model_name='vendorwrite',
            constraint=models.UniqueConstraint(fields=('tenant', 'key'), name='write_once_per_form'),
        ),
        migrations.AddConstraint(
            model_name='vendorwrite',
            constraint=models.UniqueConstraint(condition=models.Q(('state', 'sent')), fields=('integration',), name='one_write_in_flight'),
        ),
        migrations.RunPython(_lock, _unlock),
    ]
