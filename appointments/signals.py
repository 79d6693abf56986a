"""The signals of the clinic, sent inside the transaction of the change.

A receiver that fails undoes the change: write rows, send nothing.
"""

from django.dispatch import Signal

#: Sent by ``appointments.store`` with every change of an appointment.
#: Arguments: ``appointment`` (as it is now), ``event`` (its AppointmentEvent),
#: ``tell_at`` (when people are to be told; missing or None: at once) and ``away`` (cancelled
#: because a change of the rules left no time for it).
appointment_changed = Signal()

#: Sent by ``appointments.offers`` when a freed time is offered to somebody who waits, and
#: when the offer is over. Argument: ``offer`` (as it is now).
offer_changed = Signal()

#: A question of ``appointments.freed`` before anything is offered, outside of transactions:
#: a receiver that answers True says that nobody can be told now. Argument: ``now``.
nobody_can_be_told = Signal()
