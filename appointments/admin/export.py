"""Appointments as a file for spreadsheets."""

from __future__ import annotations

import csv
from collections.abc import Iterable

from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils.translation import gettext

from appointments.models import Appointment
from clinic.templatetags.clinic_times import in_zone

#: A cell that starts like this is a formula to a spreadsheet, whoever typed it.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def safe(cell: object) -> str:
    text = str(cell)
    return f"'{text}" if text.startswith(_FORMULA) else text


def heading() -> list[str]:
    return [
        gettext("Reference"),
        gettext("Date"),
        gettext("From"),
        gettext("To"),
        gettext("Time zone"),
        gettext("Patient"),
        gettext("Practitioner"),
        gettext("Service"),
        gettext("Location"),
        gettext("State"),
    ]


def cells(appointment: Appointment) -> list[str]:
    """Times of the location's clock. The reason of the visit stays in the record."""
    start, end = (in_zone(i, appointment.zone) for i in (appointment.start, appointment.end))
    row = [
        appointment.reference,
        f"{start:%Y-%m-%d}",
        f"{start:%H:%M}",
        f"{end:%H:%M}",
        appointment.location.time_zone,
        appointment.patient,
        appointment.practitioner,
        appointment.service,
        appointment.location,
        appointment.get_status_display(),
    ]
    return [safe(cell) for cell in row]


def as_csv(appointments: QuerySet[Appointment]) -> HttpResponse:
    """UTF-8 with a mark at its start, without which spreadsheets read accents wrongly."""
    response = HttpResponse("\ufeff", content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="appointments.csv"'
    rows: Iterable[Appointment] = appointments.iterator(chunk_size=2000)
    writer = csv.writer(response)
    writer.writerow(heading())
    writer.writerows(cells(appointment) for appointment in rows)
    return response
