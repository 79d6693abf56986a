"""What the rows of the desk's day offer besides their buttons."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils import timezone

from appointments.models import Appointment
from appointments.reminding import chat_url

register = template.Library()


@register.simple_tag(takes_context=True)
def chat_link(context: Any, appointment: Appointment) -> str:
    """The address of the prefilled chat, or nothing."""
    return chat_url(appointment, context["organization"], timezone.now())
