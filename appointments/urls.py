"""Addresses of the patient's pages; the agenda's stand in urls_agenda."""

from django.urls import include, path

from appointments.views import booking, feed, moving, patient, public

app_name = "appointments"
urlpatterns = [
    path("horarios/", public.times, name="times"),
    path("profesionales/", public.practitioners, name="practitioners"),
    path("profesionales/<slug:slug>/", public.practitioner, name="practitioner"),
    path("reservar/", booking.book, name="book"),
    path("turnos/", patient.appointment_list, name="list"),
    path("turnos/<uuid:public_id>/", patient.appointment_detail, name="detail"),
    path("turnos/<uuid:public_id>/cancelar/", patient.cancel, name="cancel"),
    path("turnos/<uuid:public_id>/mover/", moving.move, name="move"),
    path("turnos/<uuid:public_id>/turno.ics", patient.calendar, name="calendar"),
    path("mis-datos/calendario/", feed.feed_settings, name="feed_settings"),
    path("calendario/<str:token>.ics", feed.feed, name="feed"),
    path("", include("appointments.urls_agenda")),
]
