"""Exceptions of a practitioner win over holidays. What is closed already stays closed to all."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("clinic", "0013_reminders")]

    operations = [
        migrations.AddField(
            model_name="closure",
            name="can_be_worked",
            field=models.BooleanField(
                default=False,
                help_text=(
                    "As on a holiday: with an exception for the date. "
                    "Without this nobody works, whatever their exceptions say."
                ),
                verbose_name="practitioners can work on it",
            ),
        ),
    ]
