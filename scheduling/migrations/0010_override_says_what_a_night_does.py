"""Only words."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("scheduling", "0009_override_not_empty")]

    operations = [
        migrations.AlterField(
            model_name="dateoverride",
            name="kind",
            field=models.CharField(
                choices=[
                    ("closed", "closed"),
                    ("instead", "these hours instead of the usual ones"),
                    ("extra", "these hours on top of the usual ones"),
                ],
                help_text=(
                    "A shift that began the evening before goes on after midnight. "
                    "Time off closes it too."
                ),
                max_length=10,
                verbose_name="what",
            ),
        ),
    ]
