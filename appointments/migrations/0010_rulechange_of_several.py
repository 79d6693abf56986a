import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0003_insurers'),
        ('appointments', '0009_rulechange_about'),
    ]

    operations = [
        migrations.AlterField(
            model_name='rulechange',
            name='practitioner',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.practitioner'),
        ),
    ]
