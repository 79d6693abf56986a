"""Addresses of the agenda, of the practitioner's time, and of the desk's day."""

from django.urls import path

from appointments import converters  # noqa: F401  (registers <day:…> and <week:…>)
from appointments.views import agenda, desk, schedule, time_off, visit

urlpatterns = [
    path("agenda/", agenda.today, name="agenda"),
    path("agenda/semana/", agenda.this_week, name="agenda_this_week"),
    path("agenda/semana/<week:monday>/", agenda.week, name="agenda_week"),
    path("agenda/turnos/<uuid:public_id>/", visit.appointment, name="agenda_appointment"),
    path("agenda/turnos/<uuid:public_id>/cancelar/", visit.cancel, name="agenda_cancel"),
    path("agenda/turnos/<uuid:public_id>/<slug:verb>/", visit.act, name="agenda_action"),
    path("agenda/pacientes/<uuid:public_id>/", agenda.patient_history, name="patient_history"),
    path("agenda/horarios/", schedule.hours, name="hours"),
    path("agenda/horarios/<slug:location>/", schedule.hours_at, name="hours_at"),
    path("agenda/bloqueos/", time_off.time_off, name="time_off"),
    path("agenda/bloqueos/dias/", time_off.add_days, name="time_off_add"),
    path("agenda/bloqueos/horas/", time_off.add_hours, name="time_off_add_hours"),
    path("agenda/bloqueos/semanal/", time_off.add_weekly, name="time_off_add_weekly"),
    path("agenda/bloqueos/<int:pk>/quitar/", time_off.remove, name="time_off_remove"),
    path("agenda/servicios/", schedule.services, name="services"),
    path(
        "agenda/servicios/<slug:location>/<slug:service>/",
        schedule.service_edit,
        name="service_edit",
    ),
    path("agenda/<day:day>/", agenda.day, name="agenda_day"),
    path("recepcion/", desk.desk, name="desk"),
]
