"""The form refuses years that nobody means. Rows stay as they are: the pages read them all."""

from django.db import migrations, models

from clinic.fields import day_in_reach


class Migration(migrations.Migration):
    dependencies = [("clinic", "0015_defaults_of_booking")]

    operations = [
        migrations.AlterField(
            model_name="closure",
            name="first_day",
            field=models.DateField(validators=[day_in_reach], verbose_name="first day"),
        ),
        migrations.AlterField(
            model_name="closure",
            name="last_day",
            field=models.DateField(validators=[day_in_reach], verbose_name="last day"),
        ),
    ]
