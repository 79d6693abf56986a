"""Refusals: sentences a person can act on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

if TYPE_CHECKING:
    from accounts.models import Practitioner
    from appointments.models import Appointment


class Refusal(Exception):
    """The clinic says no, and why. ``code`` is stable; ``sentence`` is translated."""

    code = "refused"
    sentence: str | Promise = _("This is not possible.")

    def __init__(self, sentence: str | Promise | None = None, **facts: Any) -> None:
        if sentence is not None:
            self.sentence = sentence
        self.facts = facts
        super().__init__(self.code)

    def __str__(self) -> str:
        return str(self.sentence)


class SlotTaken(Refusal):
    code = "taken"
    sentence = _("This time has just been taken.")


class SlotHeld(SlotTaken):
    """Not an appointment yet: another account keeps it for some minutes."""

    code = "held"
    sentence = _(
        "Somebody else is booking this time right now. If they do not, it is free again in a"
        " few minutes."
    )


class SlotOffered(SlotHeld):
    """Kept for whoever was asked from the waiting list."""

    code = "offered"
    sentence = _("This time is offered to somebody on the waiting list.")


class TimeGivenAway(SlotTaken):
    """Who was noted as not having come is here after all, too late."""

    code = "given_away"
    sentence = _(
        "In the meantime this time or its room has been given to somebody else. Give the patient"
        " another time."
    )


class SlotPast(Refusal):
    code = "past"
    sentence = _("This time has already passed.")


class SlotTooSoon(Refusal):
    code = "too_soon"
    sentence = _("This time is too close to be booked online. Call the clinic.")


class SlotTooFar(Refusal):
    code = "too_far"
    sentence = _("This date is not open for booking yet.")


class SlotClosed(Refusal):
    code = "closed"
    sentence = _("There are no appointments at this time any more: the hours have changed.")


class TooNearElsewhere(Refusal):
    code = "too_near_elsewhere"
    sentence = _(
        "Since then the practitioner has an appointment at another location, and there is no"
        " time to get there. Nothing was changed."
    )


class OnlyKnownPatients(Refusal):
    code = "only_known"
    sentence = _("Online this is for patients seen before. Call the clinic for the first visit.")


class OfferingWithdrawn(Refusal):
    code = "withdrawn"
    sentence = _("This service can no longer be booked here.")


class PatientBusy(Refusal):
    """The patient is somewhere else at that hour; ``appointment`` says where."""

    code = "patient_busy"
    sentence = _("There is already an appointment for this patient at that time.")

    def __init__(self, appointment: Appointment | None = None) -> None:
        super().__init__(appointment=appointment)
        self.appointment = appointment


class RoomTaken(Refusal):
    code = "room_taken"
    sentence = _("Somebody else has this room at that time. Choose another room, or none.")


class SameDay(Refusal):
    """Not an error: a second appointment on one day is asked about once."""

    code = "same_day"
    sentence = _("There is already an appointment for this patient on that day.")

    def __init__(self, appointment: Appointment) -> None:
        super().__init__(appointment=appointment)
        self.appointment = appointment


class LimitReached(Refusal):
    """The clinic wants to speak with whoever books more than this online."""

    code = "limit"


class TooManyAhead(LimitReached):
    code = "too_many_ahead"

    def __init__(self, most: int) -> None:
        sentence = ngettext_lazy(
            "There is already %(most)d appointment ahead for this patient, as many as can be"
            " booked online. To book another one, call the clinic.",
            "There are already %(most)d appointments ahead for this patient, as many as can be"
            " booked online. To book another one, call the clinic.",
            "most",
        )
        super().__init__(sentence % {"most": most})


class TooManyCancelled(LimitReached):
    code = "too_many_cancelled"

    def __init__(self, times: int, days: int, practitioner: Practitioner) -> None:
        sentence = ngettext_lazy(
            "In the last %(days)d days %(times)d appointment of this patient with %(name)s has"
            " been cancelled here. To find a time that suits, call the clinic.",
            "In the last %(days)d days %(times)d appointments of this patient with %(name)s have"
            " been cancelled here. To find a time that suits, call the clinic.",
            "times",
        )
        super().__init__(sentence % {"times": times, "days": days, "name": practitioner})


class TooManyWaiting(LimitReached):
    code = "too_many_waiting"

    def __init__(self, most: int) -> None:
        sentence = ngettext_lazy(
            "You already have %(most)d alert, as many as there can be. End one to add another.",
            "You already have %(most)d alerts, as many as there can be. End one to add another.",
            "most",
        )
        super().__init__(sentence % {"most": most})


class PatientWaitsTooMuch(TooManyWaiting):
    """The same, said to the desk."""

    def __init__(self, most: int) -> None:
        sentence = ngettext_lazy(
            "There is already %(most)d alert for this patient's account, as many as there can be."
            " End one to add another.",
            "There are already %(most)d alerts for this patient's account, as many as there can"
            " be. End one to add another.",
            "most",
        )
        LimitReached.__init__(self, sentence % {"most": most})


class OfferOver(Refusal):
    """Answered before, let lapse, or its time was needed otherwise."""

    code = "offer_over"
    sentence = _("We no longer keep this time for you.")


class MoveNotAllowed(Refusal):
    code = "not_allowed"
    sentence = _("The appointment has changed in the meantime; this is no longer possible.")


class NotYet(Refusal):
    code = "not_yet"
    sentence = _("This can be noted once the day of the appointment has come.")


class DayOver(NotYet):
    code = "day_over"
    sentence = _("This could only be noted on the day of the appointment.")


class RequestLapsed(NotYet):
    code = "lapsed"
    sentence = _(
        "The time to answer this request is over: it can no longer be confirmed or moved. If the"
        " patient still wants to come, give them a new appointment."
    )


class VisitOver(NotYet):
    code = "visit_over"
    sentence = _(
        "The time of this appointment is over, so it can no longer be moved. Note whether the"
        " patient came, and give them another appointment."
    )


class TooLateToCallOff(NotYet):
    code = "too_late_to_call_off"
    sentence = _(
        "The day of this appointment is over, so it can no longer be cancelled. Note whether the"
        " patient came."
    )


class TooLateToCancel(Refusal):
    code = "too_late"
    sentence = _("It is too late to cancel here. Call the clinic.")


class TooLateToMove(TooLateToCancel):
    sentence = _("It is too late to change the time here. Call the clinic.")


class AskedAlready(Refusal):
    """One open question at a time; ``appointment`` is the request."""

    code = "asked_already"
    sentence = _(
        "You have already asked to move this appointment. Withdraw that request first, or wait"
        " for the answer."
    )

    def __init__(self, appointment: Appointment | None = None) -> None:
        super().__init__(appointment=appointment)
        self.appointment = appointment


class TouchesTheOld(Refusal):
    code = "touches_the_old"
    sentence = _(
        "This time touches the appointment you have, which stays until the new time is"
        " confirmed. Choose another time or call the clinic."
    )


class SameTime(Refusal):
    code = "same_time"
    sentence = _("The appointment has this time already. Choose another one.")


class ReasonNeeded(Refusal):
    code = "reason_needed"
    sentence = _("Write the reason: the patient will read it.")


class OverbookingNotAllowed(Refusal):
    code = "no_overbooking"
    sentence = _("This account may not overbook. Choose a free time.")


class OverbookingReasonNeeded(ReasonNeeded):
    sentence = _("Write why this time is overbooked: the staff reads it.")


class NothingToUndo(Refusal):
    code = "nothing_to_undo"
    sentence = _("There is no step of the last ten minutes to undo here.")


class UndoTheChange(Refusal):
    code = "undo_the_change"
    sentence = _("It was cancelled together with a change of the hours. Undo that change.")


class ClosedPath(TypeError):
    """A programmer tried to write an appointment past ``appointments.store``."""
