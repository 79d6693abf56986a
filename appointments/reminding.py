"""A reminder that reception sends with its own telephone: a link that opens a chat, prefilled."""

from __future__ import annotations

import datetime as dt
from urllib.parse import quote

import phonenumbers
from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _

from accounts.models import Patient
from appointments.models import Appointment
from appointments.transitions import Status
from clinic.models import Organization
from clinic.templatetags.clinic_times import local_datetime

#: Also where a country does not tell its mobile numbers apart.
_MOBILE = frozenset(
    {phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE}
)


def mobile_of(patient: Patient) -> str:
    """The digits of a mobile phone with its country, or nothing."""
    phone = patient.phone
    if not phone or not phone.is_valid() or phonenumbers.number_type(phone) not in _MOBILE:
        return ""
    return str(phone.as_e164).lstrip("+")


def chat_url(appointment: Appointment, organization: Organization, now: dt.datetime) -> str:
    """Opened by a click and sent by hand; nothing for what is not to come, or without a mobile.

    In the clinic's language. Says when and where, not what for nor with whom: others may
    read the patient's screen.
    """
    digits = mobile_of(appointment.patient)
    if not digits or appointment.status != Status.BOOKED or appointment.start <= now:
        return ""
    with translation.override(settings.LANGUAGE_CODE):
        text = _(
            "Hello, %(name)s. A reminder of your appointment at %(clinic)s: %(when)s, "
            "%(place)s (%(address)s). If you cannot come, let us know."
        ) % {
            "name": appointment.patient.first_name,
            "clinic": organization.name,
            "when": local_datetime(appointment.start, appointment.zone),
            "place": appointment.location.name,
            "address": appointment.location.address,
        }
    return f"https://wa.me/{digits}?text={quote(text)}"
