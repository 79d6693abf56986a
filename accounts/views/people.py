"""Own data, and the people in one's care."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.contrib import messages
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.i18n import set_language

from accounts import services
from accounts.adapter import next_page
from accounts.doors import person
from accounts.exceptions import AccountRefusal
from accounts.forms.people import (
    AccountForm,
    DependantForm,
    OwnDataForm,
    OwnRecordForm,
    details_of,
)
from accounts.forms.people import today as clinic_today
from accounts.language import remember_language
from accounts.models import Patient, PatientAccess, Relation, User
from accounts.roles import Actor, Role
from accounts.rules import IN_CARE
from clinic.models import Organization


def profile(request: HttpRequest) -> HttpResponse:
    """What we know about this person: as a patient, or else as an account."""
    user = person(request)
    patient = services.own_record(user)
    form = _profile_form(request, user, patient)
    if request.method == "POST":
        if not form.is_valid():
            return _profile_page(request, form, patient, status=422)
        if isinstance(form, OwnDataForm) and patient:
            by = Actor.patient(user)
            services.update_patient(patient=patient, details=form.details, said=form.said, by=by)
        services.update_account(
            user=user,
            by=_actor(user),
            name=form.cleaned_data.get("name"),
            language=form.cleaned_data["language"],
        )
        with translation.override(user.language):
            messages.success(request, _("Your details are saved."))
        response = redirect("accounts:profile")
        remember_language(response, user.language)
        return response
    return _profile_page(request, form, patient)


def _profile_form(request: HttpRequest, user: User, patient: Patient | None) -> BaseForm:
    data = request.POST if request.method == "POST" else None
    if patient:
        initial = {**details_of(patient), "language": user.language}
        return OwnDataForm(data, initial=initial, patient=patient)
    return AccountForm(data, initial={"name": user.name, "language": user.language})


def _profile_page(
    request: HttpRequest, form: BaseForm, patient: Patient | None, *, status: int = 200
) -> HttpResponse:
    has_calendar = bool(person(request).roles & {Role.PATIENT, Role.PRACTITIONER})
    others = services.others_who_see(person(request))
    context = {"form": form, "patient": patient, "has_calendar": has_calendar, "others": others}
    return render(request, "accounts/profile.html", context, status=status)


def own_record(request: HttpRequest) -> HttpResponse:
    """Somebody who works here becomes a patient too, and goes on to where they were going."""
    user, wanted = person(request), next_page(request)
    if services.own_record(user):
        return redirect(wanted or "accounts:profile")
    form = OwnRecordForm(request.POST or None, initial=_names_of(user))
    context = {"form": form, "wanted": wanted}
    if request.method != "POST":
        return render(request, "accounts/own_record.html", context)
    if not form.is_valid():
        return render(request, "accounts/own_record.html", context, status=422)
    services.create_own_record(user=user, details=form.details, by=Actor.patient(user))
    messages.success(request, _("You can book appointments for yourself now."))
    return redirect(wanted or "accounts:profile")


def _names_of(user: User) -> dict[str, str]:
    if practitioner := getattr(user, "practitioner", None):
        return {"first_name": practitioner.first_name, "last_name": practitioner.last_name}
    first, _space, last = user.name.rpartition(" ")
    return {"first_name": first or last, "last_name": last if first else ""}


def family(request: HttpRequest) -> HttpResponse:
    """Everybody in this account's care."""
    own = PatientAccess.objects.live().filter(patient=OuterRef("patient"), relation=Relation.SELF)
    accesses = _in_care(request).annotate(has_own_account=Exists(own))
    day, adult_age = clinic_today(), Organization.current().adult_age
    people = [
        {
            "access": access,
            "age": age,
            "may_hand_over": (age is not None and age >= adult_age and not access.has_own_account),
        }
        for access in accesses.select_related("patient").order_by("patient__search_text")
        for age in [access.patient.age_on(day)]
    ]
    return render(request, "accounts/family_list.html", {"people": people})


def family_add(request: HttpRequest) -> HttpResponse:
    user = person(request)
    form = DependantForm(request.POST or None)
    if request.method != "POST":
        return render(request, "accounts/family_form.html", {"form": form})
    if form.is_valid():
        try:
            access = _add(user, form)
        except AccountRefusal as refusal:
            form.add_error(None, str(refusal))
        else:
            text = _("You can book appointments for %(name)s now.")
            messages.success(request, text % {"name": access.patient.full_name})
            return redirect("accounts:family")
    return render(request, "accounts/family_form.html", {"form": form}, status=422)


@transaction.atomic
def _add(user: User, form: DependantForm) -> PatientAccess:
    by, relation = Actor.patient(user), form.cleaned_data["relation"]
    return services.add_dependant(
        user=user, relation=relation, details=form.details, said=form.said, by=by
    )


def family_edit(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    access = one_in_care(request, public_id)
    patient, initial = access.patient, DependantForm.initial_of(access)
    form = DependantForm(request.POST or None, initial=initial, patient=patient)
    context = {"form": form, "patient": patient}
    if request.method != "POST":
        return render(request, "accounts/family_form.html", context)
    if not form.is_valid():
        return render(request, "accounts/family_form.html", context, status=422)
    by, relation = Actor.patient(person(request)), form.cleaned_data["relation"]
    services.update_dependant(
        access=access, relation=relation, details=form.details, said=form.said, by=by
    )
    messages.success(request, _("The details are saved."))
    return redirect("accounts:family")


def family_end(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """Asks once; the record and its appointments stay with the clinic."""
    access = one_in_care(request, public_id)
    name = access.patient.full_name
    if request.method == "POST":
        services.end_access(access=access, by=Actor.patient(person(request)))
        text = _("%(name)s is no longer in your list.")
        messages.success(request, text % {"name": name})
        return redirect("accounts:family")
    others = access.patient.accesses.live().exclude(pk=access.pk)
    context = {"patient": access.patient, "is_last": not others.exists()}
    return render(request, "accounts/family_confirm_end.html", context)


def choose_language(request: HttpRequest) -> HttpResponse:
    """The switch in the header; an account remembers it for its mails."""
    language = request.POST.get("language", "")
    if request.user.is_authenticated and language in dict(settings.LANGUAGES):
        user = person(request)
        services.update_account(user=user, language=language, by=_actor(user))
    response: HttpResponse = set_language(request)
    return response


def _actor(user: User) -> Actor:
    """For changes of the account itself, where the role does not matter."""
    return Actor(user, next(iter(sorted(user.roles)), Role.PATIENT))


def _in_care(request: HttpRequest) -> QuerySet[PatientAccess]:
    return person(request).patient_accesses.live().filter(relation__in=IN_CARE)


def one_in_care(request: HttpRequest, public_id: uuid.UUID) -> PatientAccess:
    """404 for a stranger's, an ended one's and an invented id alike."""
    mine = _in_care(request).select_related("patient")
    found: PatientAccess = get_object_or_404(mine, patient__public_id=public_id)
    return found
