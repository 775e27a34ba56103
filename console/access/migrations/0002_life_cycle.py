from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies: ClassVar = [
        ('access', '0001_initial'),
    ]

    operations: ClassVar = [
        migrations.AlterField(
            model_name='rolepermission',
            name='permission',
            field=models.CharField(choices=[('integration.view', 'see integrations and their history'), ('job.view', 'see jobs'), ('integration.sync', 'sync and refresh integrations'), ('integration.search', 'search live at the vendor'), ('snapshot.create', 'take snapshots'), ('revision.create', 'have the vendor take revisions'), ('archive.inspect', 'fetch template archives and look inside'), ('vendor_account.test', 'test vendor accounts'), ('job.control', 'cancel and retry jobs'), ('integration.edit', 'edit and restore integrations, switch and run flows, deal with errors'), ('integration.create', 'create and clone integrations'), ('integration.install', 'run install steps'), ('connection.register', 'register connections'), ('archive.download', 'download template archives'), ('integration.delete', 'delete and uninstall integrations'), ('vendor_account.view', 'see vendor accounts'), ('vendor_account.manage', 'add, change and remove vendor accounts'), ('credential.manage', 'set and replace secrets'), ('people.view', 'see who has access'), ('people.manage', 'give and take access'), ('tenant.settings', "change the tenant's settings"), ('audit.view', 'read the audit log')], max_length=40),
        ),
    ]
