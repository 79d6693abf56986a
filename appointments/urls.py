"""Addresses of the patient's pages; the agenda's stand in urls_agenda."""

from django.urls import include, path

from appointments.views import booking, feed, moving, patient, public, waiting

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
    path("avisos/", waiting.waiting_list, name="waiting"),
    path("avisos/nuevo/", waiting.waiting_new, name="waiting_new"),
    path("avisos/<uuid:public_id>/terminar/", waiting.waiting_end, name="waiting_end"),
    path("avisos/oferta/<uuid:public_id>/", waiting.offer, name="offer"),
    path("", include("appointments.urls_agenda")),
]
