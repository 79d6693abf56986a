"""Who may do what with accounts and records: predicates, each with a table of truth as test."""

from __future__ import annotations

from accounts.models import PatientAccess, Practitioner, Receptionist, Relation, User
from accounts.roles import Actor, Role

#: What somebody can be to the account that looks after them.
IN_CARE = (Relation.CHILD, Relation.PARENT, Relation.OTHER)


def may_invite(by: Actor) -> bool:
    """Only administrators, and commands of the clinic's own machine, make staff accounts."""
    return by.role in {Role.ADMINISTRATOR, Role.SYSTEM}


def awaits_invitation(user: User) -> bool:
    """Whoever has been inside once has a password of their own: no link may replace it."""
    return user.is_active and user.last_login is None


def may_register(by: Actor) -> bool:
    """Who makes records of people without an account."""
    return by.role in {Role.RECEPTION, Role.ADMINISTRATOR}


def may_act_for(by: Actor, access: PatientAccess | None) -> bool:
    """Staff by their role; everybody else only through a live access of their own."""
    if by.role in {Role.RECEPTION, Role.ADMINISTRATOR}:
        return True
    return (
        by.user is not None
        and access is not None
        and access.user_id == by.user.pk
        and access.ended_at is None
    )


def may_end(by: Actor, access: PatientAccess, *, is_own_record: bool = False) -> bool:
    """Care of somebody else can end, from either side; nobody gives away their own record.

    ``is_own_record``: the actor is the patient themself, and of age.
    """
    may = may_act_for(by, access) or is_own_record
    return may and access.relation in IN_CARE and access.ended_at is None


def may_overbook(by: Actor, practitioner: Practitioner) -> bool:
    """Administrators, who treats there, and receptionists to whom it was given."""
    if by.role == Role.ADMINISTRATOR:
        return True
    if by.user is None:
        return False
    if by.role == Role.PRACTITIONER:
        return practitioner.user_id == by.user.pk
    given = Receptionist.objects.filter(user=by.user, is_active=True, may_overbook=True)
    return by.role == Role.RECEPTION and given.exists()
