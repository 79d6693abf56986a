from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('scheduling', '0006_what_was_usual_is_as_the_clinic'),
    ]

    operations = [
        migrations.RemoveField(
            model_name='serviceoffering',
            name='is_online',
        ),
        migrations.RemoveField(
            model_name='serviceoffering',
            name='known_only',
        ),
    ]
