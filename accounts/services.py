"""The verbs about people. Each is one transaction and leaves one audit line.

An audit line names fields, never what stood in them.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, replace

from allauth.account.models import EmailAddress
from django.db import transaction
from django.db.models import QuerySet
from django.urls import reverse
from django.utils import timezone

from accounts import invitations, mail, rules
from accounts.coverage import Said, set_coverage
from accounts.exceptions import (
    AccountClosed,
    AddressTaken,
    AlreadyJoined,
    NotAllowed,
    TooManyPeople,
)
from accounts.models import (
    Patient,
    PatientAccess,
    Practitioner,
    Receptionist,
    Relation,
    User,
    UserManager,
)
from accounts.roles import Actor, Role
from clinic import audit
from clinic.models import Location, Organization
from clinic.text import normalise

#: Enough for a family of three generations; more is a mistake or a machine.
MOST_PEOPLE = 15


@dataclass(frozen=True, slots=True)
class Details:
    """What a person is called and how to reach them. None: leave it as it is."""

    first_name: str
    last_name: str
    birth_date: dt.date | None
    document_number: str = ""
    phone: str | None = None
    email: str | None = None


# --- patients and who acts for them -------------------------------------------


@transaction.atomic
def sign_up(*, email: str, password: str, language: str, details: Details) -> User:
    """An account with its own patient record, and nothing more: roles are never asked for."""
    name = f"{details.first_name} {details.last_name}"
    user = User.objects.create_user(email, password, name=name, language=language)
    _new_patient(user, Relation.SELF, details)
    audit.record(actor=user.email, action="account.sign_up", target=user)
    return user


@transaction.atomic
def create_own_record(*, user: User, details: Details, by: Actor) -> Patient:
    """The patient record of somebody who so far only works here. Twice makes one."""
    User.objects.select_for_update().get(pk=user.pk)
    if own := own_record(user):
        return own
    access = _new_patient(user, Relation.SELF, details)
    audit.record(actor=str(by), action="patient.create_own", target=access.patient)
    return access.patient


def own_record(user: User) -> Patient | None:
    access = user.patient_accesses.live().filter(relation=Relation.SELF).first()
    return access.patient if access else None


@transaction.atomic
def add_dependant(
    *, user: User, relation: str, details: Details, by: Actor, said: Said | None = None
) -> PatientAccess:
    """Somebody new in this account's care. The same person twice is the one already there.

    A record that exists elsewhere is never joined by name or document: that would hand
    it to whoever knows them.
    """
    if relation not in rules.IN_CARE:
        raise NotAllowed
    # Two clicks at once have to see each other.
    User.objects.select_for_update().get(pk=user.pk)
    known = list(user.patient_accesses.live().select_related("patient"))
    for access in known:
        if is_same_person(access.patient, details):
            _note(access.patient, said, by)
            return access
    if len(known) >= MOST_PEOPLE:
        raise TooManyPeople
    access = _new_patient(user, relation, details)
    audit.record(
        actor=str(by),
        action="access.add",
        target=access,
        patient=access.patient_id,
        relation=relation,
    )
    _note(access.patient, said, by)
    return access


def is_same_person(patient: Patient, details: Details) -> bool:
    return patient.birth_date == details.birth_date and normalise(patient.full_name) == normalise(
        f"{details.first_name} {details.last_name}"
    )


def _new_patient(user: User, relation: str, details: Details) -> PatientAccess:
    patient = create_record(details)
    return PatientAccess.objects.create(user=user, patient=patient, relation=relation)


def create_record(details: Details, request_key: uuid.UUID | None = None) -> Patient:
    """Of somebody whose name the caller has looked for already, and written down that it is new."""
    return Patient.objects.create(
        first_name=details.first_name,
        last_name=details.last_name,
        birth_date=details.birth_date,
        document_number=details.document_number,
        phone=details.phone or "",
        email=details.email or "",
        request_key=request_key,
    )


@transaction.atomic
def update_patient(
    *, patient: Patient, details: Details, by: Actor, said: Said | None = None
) -> list[str]:
    """Write what changed; the account of the person themself takes the new name."""
    access = patient.accesses.filter(user=by.user).first() if by.user else None
    if not rules.may_act_for(by, access):
        raise NotAllowed
    own = patient.accesses.live().filter(relation=Relation.SELF).select_related("user").first()
    if own and by.role == Role.PATIENT and own.user != by.user:
        # Whether somebody is of age, and so may end the care, is not for who cares to change.
        details = replace(details, birth_date=patient.birth_date)
    _note(patient, said, by)
    changed = _apply(patient, details)
    if not changed:
        return []
    patient.save(update_fields=changed)
    if own and {"first_name", "last_name"} & set(changed):
        own.user.name = patient.full_name
        own.user.save(update_fields=["name"])
    audit.record(actor=str(by), action="patient.update", target=patient, fields=changed)
    return changed


def _note(patient: Patient, said: Said | None, by: Actor) -> None:
    """What the form says about who pays, if it asked."""
    if said is not None:
        set_coverage(patient=patient, said=said, by=by)


def _apply(patient: Patient, details: Details) -> list[str]:
    changed = [
        name
        for name in ("first_name", "last_name", "birth_date", "document_number")
        if getattr(patient, name) != getattr(details, name)
    ]
    for name in changed:
        setattr(patient, name, getattr(details, name))
    if details.phone is not None and str(patient.phone or "") != str(details.phone):
        patient.phone = details.phone
        changed.append("phone")
    if details.email is not None and patient.email != details.email:
        patient.email = details.email
        changed.append("email")
    return changed


@transaction.atomic
def update_dependant(
    *,
    access: PatientAccess,
    relation: str,
    details: Details,
    by: Actor,
    said: Said | None = None,
) -> None:
    if not rules.may_end(by, access) or relation not in rules.IN_CARE:
        raise NotAllowed
    update_patient(patient=access.patient, details=details, by=by, said=said)
    if access.relation != relation:
        access.relation = relation
        access.save(update_fields=["relation"])
        audit.record(actor=str(by), action="access.update", target=access, fields=["relation"])


@transaction.atomic
def end_access(*, access: PatientAccess, by: Actor) -> None:
    """From now on this account does not see that patient. Record and appointments stay.

    Also the last one: the clinic then looks after the record, and the log says so.
    """
    own = by.user is not None and is_their_own(by.user, access.patient)
    if not rules.may_end(by, access, is_own_record=own):
        raise NotAllowed
    access.ended_at = timezone.now()
    access.save(update_fields=["ended_at"])
    left = access.patient.accesses.live().count()
    audit.record(
        actor=str(by), action="access.end", target=access, patient=access.patient_id, left=left
    )


def is_their_own(user: User, patient: Patient) -> bool:
    """Whether this is the record of the account itself, and the person is of age."""
    own = user.patient_accesses.live().filter(patient=patient, relation=Relation.SELF)
    return own.exists() and is_of_age(patient, timezone.localdate())


def others_who_see(user: User) -> QuerySet[PatientAccess]:
    """The accesses of others to this account's own record, which ``end_access`` may end."""
    own = own_record(user)
    if own is None or not is_of_age(own, timezone.localdate()):
        return PatientAccess.objects.none()
    return own.accesses.live().filter(relation__in=rules.IN_CARE).select_related("user", "patient")


def is_of_age(patient: Patient, day: dt.date) -> bool:
    """As the clinic counts; of somebody whose birth date is not known nobody can say."""
    age = patient.age_on(day)
    return age is not None and age >= Organization.current().adult_age


# --- the account itself -------------------------------------------------------


@transaction.atomic
def update_account(*, user: User, by: Actor, name: str | None = None, language: str = "") -> None:
    changed = []
    if name is not None and name != user.name:
        user.name = name
        changed.append("name")
    if language and language != user.language:
        user.language = language
        changed.append("language")
    if changed:
        user.save(update_fields=changed)
        audit.record(actor=str(by), action="account.update", target=user, fields=changed)


@transaction.atomic
def mark_email_verified(*, user: User) -> None:
    """Whoever came through a link in their mailbox has shown that it is theirs."""
    address, _new = EmailAddress.objects.get_or_create(user=user, email=user.email)
    if not (address.verified and address.primary):
        EmailAddress.objects.filter(user=user, primary=True).exclude(pk=address.pk).update(
            primary=False
        )
        address.verified = address.primary = True
        address.save(update_fields=["verified", "primary"])


# --- invitations --------------------------------------------------------------


@transaction.atomic
def invite_practitioner(*, practitioner: Practitioner, email: str, by: Actor) -> User:
    """Link an account to the practitioner and send the way in.

    Again, with the same address or a corrected one, as long as they never logged in.
    An account that exists and is in use keeps its password and is only told.
    Refuses: NotAllowed, AlreadyJoined, AddressTaken, AccountClosed.
    """
    if not rules.may_invite(by):
        raise NotAllowed
    practitioner = Practitioner.objects.lock(practitioner.pk)
    user = _account_to_invite(practitioner.user, email, practitioner.full_name)
    if practitioner.user_id != user.pk:
        if Practitioner.objects.filter(user=user).exists():
            raise AddressTaken
        practitioner.user = user
        practitioner.save(update_fields=["user"])
    _send_invitation(user)
    audit.record(actor=str(by), action="practitioner.invite", target=practitioner, user=user.pk)
    return user


@transaction.atomic
def invite_receptionist(
    *, email: str, name: str, locations: Iterable[Location], by: Actor
) -> Receptionist:
    """The same for somebody at the desk of these locations."""
    if not rules.may_invite(by):
        raise NotAllowed
    user = _account_to_invite(None, email, name)
    receptionist, _new = Receptionist.objects.get_or_create(user=user)
    receptionist.locations.set(locations)
    _send_invitation(user)
    audit.record(actor=str(by), action="receptionist.invite", target=receptionist, user=user.pk)
    return receptionist


def _account_to_invite(linked: User | None, email: str, name: str) -> User:
    email = UserManager.normalize_email(email)
    known = User.objects.filter(email=email).first()
    if linked is not None:
        if not linked.is_active:
            raise AccountClosed
        if not rules.awaits_invitation(linked):
            raise AlreadyJoined
        if known is None:
            # The first address was mistyped. Its links die with it.
            EmailAddress.objects.filter(user=linked).delete()
            linked.email = email
            linked.save(update_fields=["email"])
        elif known != linked:
            raise AddressTaken
        return linked
    if known is None:
        return User.objects.create_user(email, None, name=name)
    if not known.is_active:
        raise AccountClosed
    if rules.awaits_invitation(known) and known.has_usable_password():
        # Somebody typed this address into the sign-up and never showed that it is theirs:
        # their password must not open what the invitation gives.
        known.set_unusable_password()
        known.save(update_fields=["password"])
    return known


def _send_invitation(user: User) -> None:
    if not rules.awaits_invitation(user):
        mail.send(
            template="account/email/staff_access",
            to=user.email,
            language=user.language,
            user=user,
        )
        return
    path = reverse("accounts:invitation", args=[invitations.make_token(user)])
    mail.send(
        template="account/email/invitation",
        to=user.email,
        language=user.language,
        user=user,
        context={"invitation_url": mail.absolute(path), "days": invitations.VALID_FOR.days},
        lives_for=invitations.VALID_FOR,
    )


@transaction.atomic
def accept_invitation(*, user: User, password: str) -> None:
    """Their own password; the link reached them, so the address is theirs."""
    if not rules.awaits_invitation(user):
        raise AlreadyJoined
    user.set_password(password)
    user.save(update_fields=["password"])
    mark_email_verified(user=user)
    audit.record(actor=user.email, action="account.accept_invitation", target=user)
