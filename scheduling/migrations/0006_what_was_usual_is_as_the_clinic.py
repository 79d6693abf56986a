"""What a row says as the model did by default is from now on said by the clinic, in the same words.

Back again, each row says itself what held for it at that moment.
"""

from typing import Any

from django.db import migrations

#: By model and field: what the field said when nobody chose, and what says nothing.
USUAL: list[tuple[str, str, Any, Any]] = [
    ("Schedule", "slot_step", 15, None),
    ("ServiceOffering", "buffer_before", 0, None),
    ("ServiceOffering", "buffer_after", 0, None),
    ("ServiceOffering", "show_price", False, None),
    ("ServiceOffering", "confirmation", "automatic", ""),
]
CLINIC = {"show_price": "show_prices"}


def forwards(apps: Any, schema_editor: Any) -> None:
    for model, field, usual, empty in USUAL:
        rows = apps.get_model("scheduling", model).objects
        rows.filter(**{field: usual}).update(**{field: empty})
    offerings = apps.get_model("scheduling", "ServiceOffering").objects
    offerings.filter(known_only=True).update(booked_online_by="known")
    offerings.filter(is_online=False).update(booked_online_by="staff")


def backwards(apps: Any, schema_editor: Any) -> None:
    organization = apps.get_model("clinic", "Organization")
    clinic = organization.objects.filter(pk=1).first() or organization()
    for model, field, _usual, empty in USUAL:
        rows = apps.get_model("scheduling", model).objects
        says = getattr(clinic, CLINIC.get(field, field))
        rows.filter(**{field: empty}).update(**{field: says})
    offerings = apps.get_model("scheduling", "ServiceOffering").objects
    offerings.filter(booked_online_by="").update(booked_online_by=clinic.booked_online_by)
    offerings.filter(booked_online_by="known").update(known_only=True)
    offerings.filter(booked_online_by="staff").update(is_online=False)


class Migration(migrations.Migration):
    dependencies = [("scheduling", "0005_empty_is_as_the_clinic")]

    operations = [migrations.RunPython(forwards, backwards)]
