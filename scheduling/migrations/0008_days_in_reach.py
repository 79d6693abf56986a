"""The forms refuse years that nobody means. Rows stay as they are: the pages read them all."""

from django.db import migrations, models

from clinic.fields import day_in_reach


class Migration(migrations.Migration):
    dependencies = [("scheduling", "0007_one_field_for_who_books_online")]

    operations = [
        migrations.AlterField(
            model_name="workinghours",
            name="valid_from",
            field=models.DateField(
                blank=True, null=True, validators=[day_in_reach], verbose_name="valid from"
            ),
        ),
        migrations.AlterField(
            model_name="workinghours",
            name="valid_until",
            field=models.DateField(
                blank=True, null=True, validators=[day_in_reach], verbose_name="valid until"
            ),
        ),
        migrations.AlterField(
            model_name="dateoverride",
            name="date",
            field=models.DateField(validators=[day_in_reach], verbose_name="date"),
        ),
        migrations.AlterField(
            model_name="timeoff",
            name="starts_at",
            field=models.DateTimeField(
                blank=True, null=True, validators=[day_in_reach], verbose_name="starts"
            ),
        ),
        migrations.AlterField(
            model_name="timeoff",
            name="ends_at",
            field=models.DateTimeField(
                blank=True, null=True, validators=[day_in_reach], verbose_name="ends"
            ),
        ),
    ]
