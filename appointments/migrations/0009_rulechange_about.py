from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('appointments', '0008_cell_has_one_taker'),
    ]

    operations = [
        migrations.AddField(
            model_name='rulechange',
            name='about',
            field=models.CharField(default='', max_length=200),
            preserve_default=False,
        ),
    ]
