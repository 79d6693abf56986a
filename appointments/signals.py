"""The one signal of the clinic."""

from django.dispatch import Signal

#: Sent by ``appointments.store`` inside the transaction of every change.
#: Arguments: ``appointment`` (as it is now), ``event`` (its AppointmentEvent) and
#: ``tell_at`` (when people are to be told; missing or None: at once).
#: A receiver that fails undoes the change: write rows, send nothing.
appointment_changed = Signal()
