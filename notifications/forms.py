"""Which messages somebody wants."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import forms
from django.utils.text import capfirst
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from accounts.models import User
from accounts.roles import Role
from clinic.models import Organization
from notifications.choices import choices_of
from notifications.models import MailChoices

#: The switches of a practitioner: names of fields of ``MailChoices``.
AT_WORK = (
    "practitioner_request",
    "practitioner_new",
    "practitioner_moved",
    "practitioner_cancelled",
)
#: From five in the morning to noon, each half hour.
LIST_TIMES = [dt.time(hour, minute) for hour in range(5, 12) for minute in (0, 30)]
LIST_TIMES.append(dt.time(12))


def distance(hours: int) -> str:
    """``1 day before``, or in hours what is no whole day."""
    days, rest = divmod(hours, 24)
    if rest:
        text = ngettext("%(count)d hour before", "%(count)d hours before", hours)
        return text % {"count": hours}
    return ngettext("%(count)d day before", "%(count)d days before", days) % {"count": days}


def _name_of(switch: str) -> str:
    field: Any = MailChoices._meta.get_field(switch)
    return capfirst(str(field.verbose_name))


class ChoicesForm(forms.Form):
    """Asks what concerns this account: as a patient, a practitioner, at the desk."""

    #: Nothing has to be filled in, so nothing is marked "(optional)".
    is_search = True

    reminders = forms.TypedMultipleChoiceField(
        label=_("Reminders of appointments"),
        required=False,
        coerce=int,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("For yourself and the people in your care. Tick none to get none."),
    )
    at_work = forms.MultipleChoiceField(
        label=_("Changes in my agenda"), required=False, widget=forms.CheckboxSelectMultiple
    )
    day_list_at = forms.ChoiceField(
        label=_("List of the day"),
        required=False,
        help_text=_("Only on days with appointments."),
    )
    requests = forms.BooleanField(
        label=_("Tell me when requests wait for an answer at the desk"), required=False
    )

    def __init__(self, data: Any = None, *, user: User) -> None:
        self.mine = choices_of(user)
        self.hours = Organization.current().reminder_hours
        super().__init__(data, initial=self._initial())
        roles = user.roles
        at_work = roles & {Role.PRACTITIONER, Role.RECEPTION, Role.ADMINISTRATOR}
        self.for_patient = Role.PATIENT in roles or not at_work
        if not (self.hours and self.for_patient):
            del self.fields["reminders"]
        else:
            self._offer("reminders", [(hours, distance(hours)) for hours in self.hours])
        if Role.PRACTITIONER in roles:
            self._offer("at_work", [(name, _name_of(name)) for name in AT_WORK])
            self._offer("day_list_at", self._times())
        else:
            del self.fields["at_work"], self.fields["day_list_at"]
        if Role.RECEPTION not in roles:
            del self.fields["requests"]

    def _offer(self, name: str, choices: list[tuple[Any, Any]]) -> None:
        self.fields[name].choices = choices  # type: ignore[attr-defined]

    def _times(self) -> list[tuple[str, str]]:
        mine = self.mine.day_list_at
        times = sorted({*LIST_TIMES, *([mine] if mine else [])})
        return [("", gettext("No list")), *((f"{t:%H:%M}", f"{t:%-H:%M}") for t in times)]

    def _initial(self) -> dict[str, Any]:
        mine = self.mine
        wanted = [hours for hours in self.hours if hours not in mine.declined_hours]
        return {
            "reminders": wanted if mine.reminders else [],
            "at_work": [name for name in AT_WORK if getattr(mine, name)],
            "day_list_at": f"{mine.day_list_at:%H:%M}" if mine.day_list_at else "",
            "requests": mine.requests,
        }

    @property
    def choices(self) -> dict[str, Any]:
        """What was chosen, as ``choices.choose`` takes it: only what was asked."""
        data = self.cleaned_data
        said: dict[str, Any] = {}
        if "reminders" in data:
            wanted = data["reminders"]
            said["reminders"] = bool(wanted)
            others = [hours for hours in self.mine.declined_hours if hours not in self.hours]
            declined = [hours for hours in self.hours if hours not in wanted]
            said["declined_hours"] = sorted([*others, *declined]) if wanted else []
        if "at_work" in data:
            said |= {name: name in data["at_work"] for name in AT_WORK}
            text = data["day_list_at"]
            said["day_list_at"] = dt.time.fromisoformat(text) if text else None
        if "requests" in data:
            said["requests"] = data["requests"]
        return said
