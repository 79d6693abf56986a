"""Addresses of the agenda, of the practitioner's time, and of the desk's day."""

from collections.abc import Callable

from django.http import HttpResponse
from django.urls import URLPattern, path

from appointments import converters  # noqa: F401  (registers <day:…> and <week:…>)
from appointments.views import (
    agenda,
    coming,
    desk,
    desk_patients,
    desk_visit,
    desk_waiting,
    exporting,
    giving,
    overrides,
    requests,
    schedule,
    services,
    staff_moving,
    time_off,
    undo,
    visit,
    why,
)

#: The pages of a practice, which stand twice: see ``views.practice``.
PRACTICE: list[tuple[str, Callable[..., HttpResponse], str]] = [
    ("calendario/", coming.coming, "coming"),
    ("horarios/", schedule.hours, "hours"),
    ("horarios/<slug:location>/", schedule.hours_at, "hours_at"),
    ("horarios/<slug:location>/desde/", schedule.hours_from, "hours_from"),
    ("excepciones/", overrides.overrides, "overrides"),
    ("excepciones/nueva/", overrides.add, "override_add"),
    ("excepciones/<slug:location>/<day:day>/", overrides.change, "override_change"),
    ("excepciones/<slug:location>/<day:day>/quitar/", overrides.remove, "override_remove"),
    ("bloqueos/", time_off.time_off, "time_off"),
    ("bloqueos/dias/", time_off.add_days, "time_off_add"),
    ("bloqueos/horas/", time_off.add_hours, "time_off_add_hours"),
    ("bloqueos/semanal/", time_off.add_weekly, "time_off_add_weekly"),
    ("bloqueos/<int:pk>/quitar/", time_off.remove, "time_off_remove"),
    ("servicios/", services.services, "services"),
    ("servicios/<slug:location>/<slug:service>/", services.service_edit, "service_edit"),
]


def practice_paths() -> list[URLPattern]:
    """One's own under /agenda/, a practitioner's of the desk under /recepcion/."""
    own = [path(f"agenda/{route}", view, name=name) for route, view, name in PRACTICE]
    theirs = "recepcion/profesionales/<slug:practitioner>"
    desk = [path(f"{theirs}/{route}", view, name=f"desk_{name}") for route, view, name in PRACTICE]
    return [*own, *desk]


urlpatterns = [
    path("agenda/", agenda.today, name="agenda"),
    path("agenda/semana/", agenda.this_week, name="agenda_this_week"),
    path("agenda/semana/<week:monday>/", agenda.week, name="agenda_week"),
    path("agenda/turnos/<uuid:public_id>/", visit.appointment, name="agenda_appointment"),
    path("agenda/turnos/<uuid:public_id>/cancelar/", visit.cancel, name="agenda_cancel"),
    path("agenda/turnos/<uuid:public_id>/mover/", staff_moving.move_own, name="agenda_move"),
    path("agenda/turnos/<uuid:public_id>/<slug:verb>/", visit.act, name="agenda_action"),
    path("agenda/pacientes/<uuid:public_id>/", agenda.patient_history, name="patient_history"),
    path("agenda/solicitudes/", requests.in_practice, name="agenda_requests"),
    path("agenda/dar-turno/", giving.give, name="give"),
    path("agenda/exportar/", exporting.export, name="export"),
    path("agenda/por-que/", why.own_times, name="why"),
    path("agenda/cambios/<uuid:public_id>/", undo.change, name="change"),
    path("agenda/<day:day>/", agenda.day, name="agenda_day"),
    path("recepcion/", desk.desk, name="desk"),
    path("recepcion/turnos/<uuid:public_id>/mover/", staff_moving.move_at_desk, name="desk_move"),
    path("recepcion/solicitudes/", requests.at_desk, name="desk_requests"),
    path("recepcion/avisos/", desk_waiting.waiting_at_desk, name="desk_waiting"),
    path(
        "recepcion/avisos/<uuid:public_id>/terminar/",
        desk_waiting.waiting_end,
        name="desk_waiting_end",
    ),
    path("recepcion/avisos/oferta/<uuid:public_id>/", desk_waiting.answer, name="desk_offer"),
    path(
        "recepcion/pacientes/<uuid:public_id>/aviso/",
        desk_waiting.waiting_new,
        name="desk_waiting_new",
    ),
    path("recepcion/dar-turno/", giving.give_at_desk, name="desk_give"),
    path("recepcion/exportar/", exporting.export_at_desk, name="desk_export"),
    path("recepcion/turnos/<uuid:public_id>/", desk_visit.appointment, name="desk_appointment"),
    path("recepcion/turnos/<uuid:public_id>/cancelar/", desk_visit.cancel, name="desk_cancel"),
    path("recepcion/turnos/<uuid:public_id>/<slug:verb>/", desk_visit.act, name="desk_action"),
    path("recepcion/pacientes/", desk_patients.patients, name="desk_patients"),
    path("recepcion/pacientes/nuevo/", desk_patients.register, name="desk_patient_new"),
    path("recepcion/pacientes/<uuid:public_id>/", desk_patients.patient, name="desk_patient"),
    path(
        "recepcion/pacientes/<uuid:public_id>/datos/",
        desk_patients.edit,
        name="desk_patient_edit",
    ),
    path("recepcion/por-que/", why.times_at_desk, name="desk_why"),
    path("recepcion/cambios/<uuid:public_id>/", undo.change, name="desk_change"),
    path("recepcion/profesionales/", desk.practitioners, name="desk_practitioners"),
    *practice_paths(),
]
