"""A child who has grown up takes over their own record: offered by mail, taken by them alone.

Whoever looked after the record keeps seeing it until they, the grown child or the clinic
end that. Two people with one link: the record's row is locked, and it is one's own once.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.core import signing
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone

from accounts import mail, rules
from accounts.exceptions import (
    AccountExists,
    BirthDateNeeded,
    HasOwnAccount,
    HasOwnRecord,
    LooksAfterIt,
    NotAllowed,
    NotTheirAddress,
    OfferOver,
    TooManyOffers,
    TooYoung,
)
from accounts.language import current_language
from accounts.models import Patient, PatientAccess, RecordOffer, Relation, User, UserManager
from accounts.roles import Actor, Role
from accounts.services import is_of_age, mark_email_verified, own_record
from clinic import audit

VALID_FOR = dt.timedelta(days=14)
#: Wrong birth dates after which the link is over: it may have gone to a wrong address.
MOST_TRIES = 5
#: A link can be mistyped twice; more is a machine that sends mails to others.
MOST_A_DAY = 5
_SALT = "accounts.handover"


# --- offering -----------------------------------------------------------------


@transaction.atomic
def offer_record(*, patient: Patient, email: str, by: Actor) -> RecordOffer:
    """Send the link. An earlier one is over. The clinic may at any age, families of those of age.

    Refuses: NotAllowed, HasOwnAccount, BirthDateNeeded, TooYoung, NotTheirAddress, TooManyOffers.
    """
    access = patient.accesses.live().filter(user=by.user).first() if by.user else None
    if not rules.may_act_for(by, access):
        raise NotAllowed
    patient = Patient.objects.select_for_update().get(pk=patient.pk)
    email, now = UserManager.normalize_email(email), timezone.now()
    if owner_of(patient):
        raise HasOwnAccount
    if patient.birth_date is None:
        raise BirthDateNeeded
    if by.role == Role.PATIENT and not is_of_age(patient, timezone.localdate()):
        raise TooYoung
    if by.user and by.user.email == email:
        raise NotTheirAddress
    if patient.offers.filter(created_at__gt=now - dt.timedelta(days=1)).count() >= MOST_A_DAY:
        raise TooManyOffers
    patient.offers.filter(closed_at=None).update(closed_at=now)
    offer = RecordOffer.objects.create(patient=patient, email=email, created_at=now)
    _send(offer)
    audit.record(actor=str(by), action="record.offer", target=patient, offer=offer.pk)
    return offer


def _send(offer: RecordOffer) -> None:
    """Without a name: the address may be a mistyped one."""
    account = User.objects.filter(email=offer.email).first()
    path = reverse("accounts:take_over", args=[make_token(offer)])
    mail.send(
        template="account/email/record_offer",
        to=offer.email,
        language=account.language if account else current_language(),
        user=account,
        context={"offer_url": mail.absolute(path), "days": VALID_FOR.days},
        lives_for=VALID_FOR,
    )


@transaction.atomic
def withdraw_offer(*, patient: Patient, by: Actor) -> None:
    """The link leads nowhere any more."""
    access = patient.accesses.live().filter(user=by.user).first() if by.user else None
    if not rules.may_act_for(by, access):
        raise NotAllowed
    if patient.offers.filter(closed_at=None).update(closed_at=timezone.now()):
        audit.record(actor=str(by), action="record.withdraw_offer", target=patient)


def open_offer(patient: Patient) -> RecordOffer | None:
    """The one whose link still works."""
    since = timezone.now() - VALID_FOR
    return patient.offers.filter(closed_at=None, created_at__gt=since).order_by("-pk").first()


def owner_of(patient: Patient) -> PatientAccess | None:
    return patient.accesses.live().filter(relation=Relation.SELF).first()


# --- the link -----------------------------------------------------------------


def make_token(offer: RecordOffer) -> str:
    return signing.dumps(offer.pk, salt=_SALT)


def read_token(token: str) -> RecordOffer | None:
    """What this link still offers; None for a used, old, taken back or invented one."""
    try:
        pk: Any = signing.loads(token, salt=_SALT, max_age=VALID_FOR)
    except signing.BadSignature:
        return None
    found = RecordOffer.objects.select_related("patient").filter(pk=pk, closed_at=None).first()
    return found if found and found.patient.is_active else None


# --- taking -------------------------------------------------------------------


@transaction.atomic
def prove(*, offer: RecordOffer, birth_date: dt.date) -> bool:
    """Whether whoever holds the link knows whose record it is. Too many errors close it."""
    row = RecordOffer.objects.select_for_update().select_related("patient").get(pk=offer.pk)
    if row.closed_at is not None:
        return False
    if row.patient.birth_date == birth_date:
        return True
    row.tries += 1
    if row.tries >= MOST_TRIES:
        row.closed_at = timezone.now()
        audit.record(
            actor=str(Actor.system()),
            action="record.offer_closed",
            target=row.patient,
            offer=row.pk,
        )
    row.save(update_fields=["tries", "closed_at"])
    return False


@transaction.atomic
def accept_offer(*, offer: RecordOffer, user: User) -> PatientAccess:
    """From now on the record is this account's own.

    Refuses: OfferOver, LooksAfterIt, HasOwnRecord.
    """
    patient = Patient.objects.select_for_update().get(pk=offer.patient_id)
    row = RecordOffer.objects.select_for_update().get(pk=offer.pk)
    if row.closed_at is not None or not patient.is_active or owner_of(patient):
        raise OfferOver
    User.objects.select_for_update().get(pk=user.pk)
    if patient.accesses.live().filter(user=user).exists():
        raise LooksAfterIt
    if own_record(user):
        raise HasOwnRecord
    access, _new = PatientAccess.objects.update_or_create(
        user=user, patient=patient, defaults={"relation": Relation.SELF, "ended_at": None}
    )
    row.closed_at, row.accepted_by = timezone.now(), user
    row.save(update_fields=["closed_at", "accepted_by"])
    audit.record(actor=user.email, action="record.take_over", target=patient, offer=row.pk)
    return access


@transaction.atomic
def accept_with_new_account(*, offer: RecordOffer, password: str) -> User:
    """The same for somebody without an account; the link reached them, so the address is theirs.

    Refuses also: AccountExists.
    """
    name = offer.patient.full_name
    try:
        with transaction.atomic():
            user = User.objects.create_user(
                offer.email, password, name=name, language=current_language()
            )
    except IntegrityError as error:
        raise AccountExists from error
    accept_offer(offer=offer, user=user)
    mark_email_verified(user=user)
    audit.record(actor=user.email, action="account.sign_up", target=user)
    return user
