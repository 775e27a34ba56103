from __future__ import annotations

from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    """An invitation carries the end, the reason and the ticket of the access that it will give."""

    dependencies: ClassVar = [("access", "0001_initial")]
    operations: ClassVar = [
        migrations.AddField("invitation", "access_expires_at", models.DateTimeField(blank=True, null=True)),
        migrations.AddField(
            "invitation", "reason", models.CharField(blank=True, max_length=300, default=""), preserve_default=False
        ),
        migrations.AddField(
            "invitation", "ticket", models.CharField(blank=True, max_length=80, default=""), preserve_default=False
        ),
    ]
