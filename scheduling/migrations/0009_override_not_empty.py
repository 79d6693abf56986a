"""An exception from 9:00 to 9:00 opened twenty-four hours, which nobody meant to say.

Such rows keep what they opened, except for its last five minutes: 9:00 to 8:55 of the next day.
Whoever is booked there stays inside the hours, and the row is there to be seen and mended.
"""

import datetime as dt

from django.db import migrations, models
from django.db.models import F, Q

_ANY_DAY = dt.date(2026, 1, 1)
_STEP = dt.timedelta(minutes=5)


def shorten(apps, schema_editor):
    overrides = apps.get_model("scheduling", "DateOverride").objects
    for row in overrides.filter(start=F("end")):
        end = (dt.datetime.combine(_ANY_DAY, row.start) - _STEP).time()
        overrides.filter(pk=row.pk).update(end=end)


class Migration(migrations.Migration):
    dependencies = [("scheduling", "0008_days_in_reach")]

    operations = [
        migrations.RunPython(shorten, migrations.RunPython.noop),
        migrations.AddConstraint(
            model_name="dateoverride",
            constraint=models.CheckConstraint(
                condition=~Q(start=F("end")),
                name="override_not_empty",
                violation_error_message="The end has to differ from the start.",
            ),
        ),
    ]
