"""Who may open which address. What has no row here is closed to everybody.

The middleware asks this table before any view runs; a generated test runs every
address × role × method against it. Whose object it is, the view decides
(``of_patients_of``, ``of_practitioner``; 404 for the stranger).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from accounts.roles import Role


class Door(enum.Enum):
    """Doors that are not a role."""

    PUBLIC = "anybody"
    LOGGED_IN = "anybody with an account"


GET = frozenset({"GET", "HEAD"})
POST = frozenset({"POST"})
BOTH = GET | POST


@dataclass(frozen=True, slots=True)
class Row:
    who: Door | frozenset[Role]
    methods: frozenset[str] = GET


def public(methods: frozenset[str] = GET) -> Row:
    return Row(Door.PUBLIC, methods)


def logged_in(methods: frozenset[str] = GET) -> Row:
    return Row(Door.LOGGED_IN, methods)


def only(*roles: Role, methods: frozenset[str] = GET) -> Row:
    return Row(frozenset(roles), methods)


PATIENT, PRACTITIONER, RECEPTION, ADMINISTRATOR = (
    Role.PATIENT,
    Role.PRACTITIONER,
    Role.RECEPTION,
    Role.ADMINISTRATOR,
)

#: The pages of a practice: the practitioner's own, and at the desk on their behalf.
PRACTICE_PAGES = {
    "coming": GET,
    "hours": GET,
    "hours_at": BOTH,
    "hours_from": BOTH,
    "overrides": GET,
    "override_add": BOTH,
    "override_change": BOTH,
    "override_remove": BOTH,
    "time_off": GET,
    "time_off_add": BOTH,
    "time_off_add_hours": BOTH,
    "time_off_add_weekly": BOTH,
    "time_off_remove": BOTH,
    "services": GET,
    "service_edit": BOTH,
}


def _practice_rows() -> dict[str, Row]:
    rows = {}
    for name, methods in PRACTICE_PAGES.items():
        rows[f"appointments:{name}"] = only(PRACTITIONER, methods=methods)
        rows[f"appointments:desk_{name}"] = only(RECEPTION, ADMINISTRATOR, methods=methods)
    return rows


POLICY: dict[str, Row] = {
    # --- for everybody
    "home": public(),
    "healthz": public(),
    "mail_healthz": public(),
    "set_language": public(POST),
    "start": logged_in(),
    "send_again": logged_in(),
    # The letter box of the demo; outside the demo its views answer 404.
    "notifications:demo_mail": public(),
    "notifications:demo_message": public(),
    # A link in a mail: its token is the key, for one purpose. All others answer 404.
    "notifications:link": public(BOTH),
    # --- appointments: finding and booking
    "appointments:times": public(),
    "appointments:practitioners": public(),
    "appointments:practitioner": public(),
    # Asks for the login itself, so that what was typed survives it.
    "appointments:book": public(BOTH),
    "appointments:list": only(PATIENT),
    "appointments:detail": only(PATIENT),
    "appointments:cancel": only(PATIENT, methods=BOTH),
    "appointments:move": only(PATIENT, methods=BOTH),
    "appointments:calendar": only(PATIENT),
    "appointments:feed_settings": only(PATIENT, PRACTITIONER, methods=BOTH),
    # The address is the key: calendar programs cannot log in. Unknown ones answer 404.
    "appointments:feed": public(),
    "appointments:waiting": only(PATIENT),
    "appointments:waiting_new": only(PATIENT, methods=BOTH),
    "appointments:waiting_end": only(PATIENT, methods=POST),
    "appointments:offer": only(PATIENT, methods=BOTH),
    # --- appointments: the agenda of a practitioner
    "appointments:agenda": only(PRACTITIONER),
    "appointments:agenda_day": only(PRACTITIONER),
    "appointments:agenda_this_week": only(PRACTITIONER),
    "appointments:agenda_week": only(PRACTITIONER),
    "appointments:agenda_requests": only(PRACTITIONER),
    "appointments:agenda_appointment": only(PRACTITIONER),
    "appointments:agenda_action": only(PRACTITIONER, methods=POST),
    "appointments:agenda_cancel": only(PRACTITIONER, methods=BOTH),
    "appointments:agenda_move": only(PRACTITIONER, methods=BOTH),
    "appointments:patient_history": only(PRACTITIONER),
    "appointments:give": only(PRACTITIONER, methods=BOTH),
    "appointments:export": only(PRACTITIONER, methods=BOTH),
    **_practice_rows(),
    "appointments:change": only(PRACTITIONER, methods=BOTH),
    "appointments:desk_change": only(RECEPTION, ADMINISTRATOR, methods=BOTH),
    "appointments:why": only(PRACTITIONER),
    # --- appointments: the desk
    "appointments:desk": only(RECEPTION, ADMINISTRATOR),
    "appointments:desk_requests": only(RECEPTION, ADMINISTRATOR),
    "appointments:desk_waiting": only(RECEPTION, ADMINISTRATOR),
    "appointments:desk_waiting_new": only(RECEPTION, ADMINISTRATOR, methods=BOTH),
    "appointments:desk_waiting_end": only(RECEPTION, ADMINISTRATOR, methods=POST),
    "appointments:desk_offer": only(RECEPTION, ADMINISTRATOR, methods=POST),
    "appointments:desk_move": only(RECEPTION, ADMINISTRATOR, methods=BOTH),
    "appointments:desk_give": only(RECEPTION, ADMINISTRATOR, methods=BOTH),
    "appointments:desk_export": only(RECEPTION, ADMINISTRATOR, methods=BOTH),
    "appointments:desk_appointment": only(RECEPTION, ADMINISTRATOR),
    "appointments:desk_action": only(RECEPTION, ADMINISTRATOR, methods=POST),
    "appointments:desk_cancel": only(RECEPTION, ADMINISTRATOR, methods=BOTH),
    "appointments:desk_patients": only(RECEPTION, ADMINISTRATOR, methods=BOTH),
    "appointments:desk_patient_new": only(RECEPTION, ADMINISTRATOR, methods=BOTH),
    "appointments:desk_patient": only(RECEPTION, ADMINISTRATOR),
    "appointments:desk_patient_edit": only(RECEPTION, ADMINISTRATOR, methods=BOTH),
    "appointments:desk_why": only(RECEPTION, ADMINISTRATOR),
    "appointments:desk_practitioners": only(RECEPTION, ADMINISTRATOR),
    # --- the way in: allauth's pages, each by name
    "account_login": public(BOTH),
    "account_logout": public(BOTH),
    "account_inactive": public(),
    "account_signup": public(BOTH),
    "account_start_again": public(POST),
    "account_email_verification_sent": public(BOTH),
    "account_reset_password": public(BOTH),
    "account_reset_password_done": public(),
    "account_reset_password_from_key": public(BOTH),
    "account_change_password": logged_in(BOTH),
    "account_email": logged_in(BOTH),
    # The signed link is the key; it ends with the first password.
    "accounts:invitation": public(BOTH),
    # --- one's own data and family: staff can be patients and parents too
    "accounts:profile": logged_in(BOTH),
    "notifications:choices": logged_in(BOTH),
    "accounts:own_record": logged_in(BOTH),
    "accounts:family": logged_in(),
    "accounts:family_add": logged_in(BOTH),
    "accounts:family_edit": logged_in(BOTH),
    "accounts:family_end": logged_in(BOTH),
    "accounts:family_hand_over": logged_in(BOTH),
    "accounts:access_end": logged_in(BOTH),
    # The signed link is the key, with the birth date beside it; it works once.
    "accounts:take_over": public(BOTH),
}

#: Every address of these namespaces, whatever its name.
NAMESPACES: dict[str, Row] = {
    # The admin checks each model's permission itself; nobody else gets that far.
    "admin": only(ADMINISTRATOR, methods=BOTH),
}


def row_for(view_name: str) -> Row | None:
    if (row := POLICY.get(view_name)) is not None:
        return row
    namespace, _colon, _name = view_name.rpartition(":")
    return NAMESPACES.get(namespace)
