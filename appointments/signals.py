"""The one signal of the clinic."""

from django.dispatch import Signal

#: Sent by ``appointments.store`` inside the transaction of every change.
#: Arguments: ``appointment`` (as it is now) and ``event`` (its AppointmentEvent).
#: A receiver that fails undoes the change: write rows, send nothing.
appointment_changed = Signal()
