"""Handing a record over, taking it over, and who else looks after one's own."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters

from accounts import handover, services
from accounts.doors import person
from accounts.exceptions import AccountRefusal
from accounts.forms.handover import OfferForm, TakeOverForm
from accounts.models import RecordOffer, User
from accounts.roles import Actor
from accounts.views.people import one_in_care


def family_hand_over(request: HttpRequest, public_id: uuid.UUID) -> HttpResponse:
    """A link by mail to whoever has grown up; as long as it is open, it can be taken back."""
    patient, by = one_in_care(request, public_id).patient, Actor.patient(person(request))
    if request.POST.get("do") == "withdraw":
        handover.withdraw_offer(patient=patient, by=by)
        messages.success(request, _("The invitation no longer works."))
        return redirect("accounts:family")
    form = OfferForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            handover.offer_record(patient=patient, email=form.cleaned_data["email"], by=by)
        except AccountRefusal as refusal:
            form.add_error(None, str(refusal))
        else:
            text = _("The invitation is on its way to %(email)s.")
            messages.success(request, text % {"email": form.cleaned_data["email"]})
            return redirect("accounts:family")
    context = {"form": form, "patient": patient, "offer": handover.open_offer(patient)}
    status = 422 if request.method == "POST" else 200
    return render(request, "accounts/family_hand_over.html", context, status=status)


@never_cache
@sensitive_post_parameters("password1")
def take_over(request: HttpRequest, token: str) -> HttpResponse:
    """Opening the link changes nothing and names nobody; the button takes the record over."""
    offer = handover.read_token(token)
    if offer is None:
        return render(request, "accounts/offer_over.html", status=404)
    user = person(request) if request.user.is_authenticated else None
    if user is None and User.objects.filter(email=offer.email).exists():
        return render(request, "accounts/take_over_login.html", {"email": offer.email})
    new = None if user else User(email=offer.email, name=offer.patient.full_name)
    form = TakeOverForm(request.POST or None, new_account=new)
    if request.method == "POST" and form.is_valid():
        if handover.prove(offer=offer, birth_date=form.cleaned_data["birth_date"]):
            return _take(request, offer, user, form)
        form.add_error("birth_date", _("This is not the date in the record."))
    context = {"form": form, "email": offer.email, "account": user}
    status = 422 if request.method == "POST" else 200
    return render(request, "accounts/take_over.html", context, status=status)


def _take(
    request: HttpRequest, offer: RecordOffer, user: User | None, form: TakeOverForm
) -> HttpResponse:
    try:
        if user:
            handover.accept_offer(offer=offer, user=user)
        else:
            password = form.cleaned_data["password1"]
            handover.accept_with_new_account(offer=offer, password=password)
    except AccountRefusal as refusal:
        context = {"refusal": refusal}
        return render(request, "accounts/take_over_refused.html", context, status=409)
    if user:
        messages.success(request, _("The record is yours now, with all its appointments."))
        return redirect("accounts:profile")
    messages.success(request, _("Your account is ready. Log in with the e-mail and the password."))
    return redirect("account_login")


def access_end(request: HttpRequest, pk: int) -> HttpResponse:
    """Somebody no longer looks after my record. Asks once."""
    access = get_object_or_404(services.others_who_see(person(request)), pk=pk)
    if request.method == "POST":
        services.end_access(access=access, by=Actor.patient(person(request)))
        text = _("%(name)s no longer sees your record.")
        messages.success(request, text % {"name": access.user.get_full_name()})
        return redirect("accounts:profile")
    return render(request, "accounts/access_confirm_end.html", {"access": access})
