"""Appointments as a file for spreadsheets."""

from __future__ import annotations

import csv
import datetime as dt
import re
from collections.abc import Iterator, Sequence
from typing import Any

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.utils.translation import get_language, gettext

from appointments.models import Appointment
from appointments.transitions import Status
from clinic.templatetags.clinic_times import comes_twice, in_zone

#: What starts like this is a formula to a spreadsheet, whoever typed it. A cell starts wherever
#: the spreadsheet splits, which may be at another sign than the one the file is written with.
_FORMULA = re.compile(r"""(^|[;,|\t\r\n])([\s"]*)(?=[=+\-@＝＋－＠])""")
_BLANK = ("\t", "\r", "\n")
#: Without this at its start spreadsheets read the accents of UTF-8 wrongly.
_MARK = "\ufeff"
#: So many days are exported at once at the desk and in the agenda.
MOST_DAYS = 92


def safe(cell: object) -> str:
    """As text, with an apostrophe before whatever a spreadsheet would calculate."""
    text = _FORMULA.sub(r"\1\2'", str(cell))
    return f"'{text}" if text.startswith(_BLANK) else text


def separator() -> str:
    """Where the comma is for decimals, spreadsheets split at the semicolon and at nothing else."""
    return ";" if (get_language() or "").startswith("es") else ","


def heading(*, contact: bool = False) -> list[str]:
    columns = [
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
    if contact:
        columns += [gettext("Document number"), gettext("Phone"), gettext("E-mail")]
        columns += [gettext("Overbooked")]
    return columns


def _zone(start: dt.datetime) -> str:
    """``Europe/Madrid``; ``Europe/Madrid +02:00`` where the clock shows that time twice."""
    offset = start.isoformat()[-6:]
    return f"{start.tzinfo} {offset}" if comes_twice(start) else str(start.tzinfo)


def cells(
    appointment: Appointment, *, contact: bool = False, words: dict[str, str] | None = None
) -> list[str]:
    """Times of the location's clock. The reason of the visit stays in the record."""
    start, end = (in_zone(i, appointment.zone) for i in (appointment.start, appointment.end))
    words = words or _words()
    row: list[object] = [
        appointment.reference,
        f"{start:%Y-%m-%d}",
        f"{start:%H:%M}",
        f"{end:%H:%M}",
        _zone(start),
        appointment.patient,
        appointment.practitioner,
        appointment.service,
        appointment.location,
        words[appointment.status],
    ]
    if contact:
        patient = appointment.patient
        phone = getattr(patient.phone, "as_international", "")
        over = words["yes"] if appointment.overbooked else ""
        row += [patient.document_number, phone, patient.email, over]
    return [safe(cell) for cell in row]


def as_csv(
    appointments: QuerySet[Appointment], *, name: str = "appointments", contact: bool = False
) -> StreamingHttpResponse:
    """RFC 4180, line by line as the database gives the rows; see docs/decisions/0017."""
    writer = csv.writer(_Line(), delimiter=separator())
    response = StreamingHttpResponse(
        _lines(writer, appointments, heading(contact=contact), _words(), contact=contact),
        content_type="text/csv; charset=utf-8",
    )
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response


def _words() -> dict[str, str]:
    """In the language of the request: while the lines leave, another one may be active."""
    return {**{value: str(Status(value).label) for value in Status}, "yes": gettext("Yes")}


class _Line:
    """What a csv writer writes into: hands each line on."""

    def write(self, line: str) -> str:
        return line


def _lines(
    writer: Any,
    appointments: QuerySet[Appointment],
    columns: Sequence[str],
    words: dict[str, str],
    *,
    contact: bool,
) -> Iterator[str]:
    yield _MARK + writer.writerow(columns)
    for appointment in appointments.iterator(chunk_size=2000):
        yield writer.writerow(cells(appointment, contact=contact, words=words))


def file_name(first: dt.date, last: dt.date) -> str:
    """``turnos-2026-11-24`` or ``turnos-2026-11-24-2026-11-30``."""
    word = gettext("appointments")
    days = [first.isoformat()] if first == last else [first.isoformat(), last.isoformat()]
    return "-".join([word, *days])
