"""Several reminders instead of one, and the hours in which none leaves."""

import datetime

import django.core.validators
from django.db import migrations, models

import clinic.fields


def keep(apps, schema_editor):
    """A clinic that runs already goes on reminding as it did."""
    Organization = apps.get_model("clinic", "Organization")
    for clinic_row in Organization.objects.all():
        Organization.objects.filter(pk=clinic_row.pk).update(reminders=str(clinic_row.reminder_hours))


def back(apps, schema_editor):
    Organization = apps.get_model("clinic", "Organization")
    for clinic_row in Organization.objects.all():
        nearest = min(clinic.fields.hours_from(clinic_row.reminders), default=24)
        Organization.objects.filter(pk=clinic_row.pk).update(reminder_hours=nearest)


class Migration(migrations.Migration):
    dependencies = [("clinic", "0012_offer_minutes")]

    operations = [
        migrations.AddField(
            model_name="organization",
            name="reminders",
            field=models.CharField(
                blank=True,
                default="48, 24",
                help_text="Separated by commas, for example “48, 24”. Empty: nobody is reminded.",
                max_length=40,
                validators=[clinic.fields.hours_in_a_list],
                verbose_name="reminders (hours before)",
            ),
        ),
        migrations.RunPython(keep, back),
        migrations.RemoveField(model_name="organization", name="reminder_hours"),
        migrations.AddField(
            model_name="organization",
            name="quiet_from",
            field=models.TimeField(
                default=datetime.time(21, 0),
                help_text="On each location’s clock.",
                verbose_name="no reminder leaves from",
            ),
        ),
        migrations.AddField(
            model_name="organization",
            name="quiet_until",
            field=models.TimeField(
                default=datetime.time(8, 0),
                help_text="What would leave meanwhile leaves before. The same hour twice: at any time.",
                verbose_name="until",
            ),
        ),
        migrations.AddField(
            model_name="organization",
            name="requests_told_after",
            field=models.PositiveIntegerField(
                default=60,
                help_text="One message for all that nobody has answered so long. 0: none.",
                validators=[django.core.validators.MaxValueValidator(10080)],
                verbose_name="tell reception of requests after (minutes)",
            ),
        ),
        migrations.AddField(
            model_name="organization",
            name="names_to_practitioners",
            field=models.BooleanField(
                default=False,
                help_text="Otherwise the e-mail says how many come and when the first one does.",
                verbose_name="names of patients in the list of the day",
            ),
        ),
        migrations.AddField(
            model_name="organization",
            name="service_in_mails",
            field=models.BooleanField(
                default=False,
                help_text="It can tell whoever reads over the shoulder why somebody comes.",
                verbose_name="name of the service in e-mails",
            ),
        ),
    ]
