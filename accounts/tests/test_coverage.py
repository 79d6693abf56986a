"""Who pays a patient's visits: who says it, who sees it, and where it never stands."""

import pytest
from django.utils import translation

from accounts import coverage
from accounts.coverage import Said, set_coverage
from accounts.exceptions import NotAllowed
from accounts.models import Coverage, Patient
from accounts.roles import Actor
from accounts.tests.conftest import new_visitor
from accounts.tests.factories import (
    PatientAccessFactory,
    PatientFactory,
    administrator,
    patient_user,
)
from accounts.tests.test_people_views import ADD, CHILD, OWN, PROFILE
from clinic.models import AuditEvent, Insurer

pytestmark = pytest.mark.django_db

NUMBER = "canary-62-001234"


@pytest.fixture
def osde() -> Insurer:
    return Insurer.objects.create(name="OSDE", slug="osde")


@pytest.fixture
def ana():
    return patient_user(first_name="Ana", last_name="Gómez")


def logged_in(user):
    client = new_visitor()
    client.force_login(user)
    return client


def told(osde):
    return {"insurance": "osde", "plan": "210", "member_number": NUMBER}


def test_own_coverage_is_said_changed_and_taken_back(ana, osde):
    client = logged_in(ana)
    patient = Patient.objects.of(ana).get()
    assert client.post(PROFILE, {**OWN, **told(osde)}).status_code == 302
    row = Coverage.objects.get()
    assert (row.patient, row.insurer, row.plan, row.member_number) == (patient, osde, "210", NUMBER)
    page = client.get(PROFILE).content.decode()
    assert '<option value="osde" selected>' in page
    assert f'value="{NUMBER}"' in page
    client.post(PROFILE, {**OWN, "insurance": "private", "plan": "210", "member_number": NUMBER})
    row = Coverage.objects.get()
    assert (row.insurer, row.plan, row.member_number) == (None, "", "")
    client.post(PROFILE, {**OWN, "insurance": ""})
    assert not Coverage.objects.exists()


def test_a_plan_without_an_insurer_is_asked_about(ana, osde):
    response = logged_in(ana).post(PROFILE, {**OWN, "plan": "210"})
    assert response.status_code == 422
    assert "Choose whose plan it is." in response.content.decode()


def test_an_insurer_that_was_closed_stays_with_who_has_it_and_is_offered_to_nobody(ana, osde):
    client = logged_in(ana)
    client.post(PROFILE, {**OWN, **told(osde)})
    Insurer.objects.update(is_active=False)
    assert client.post(PROFILE, {**OWN, **told(osde)}).status_code == 302
    assert Coverage.objects.get().insurer == osde
    assert "OSDE" not in logged_in(patient_user()).get(PROFILE).content.decode()


def test_a_childs_coverage(ana, osde):
    client = logged_in(ana)
    client.post(ADD, {**CHILD, **told(osde)})
    child = Patient.objects.get(first_name="Tomás")
    assert child.coverage.insurer == osde
    url = f"/familia/{child.public_id}/"
    assert NUMBER in client.get(url).content.decode()
    client.post(url, {**CHILD, **told(osde), "plan": "310"})
    assert Coverage.objects.get(patient=child).plan == "310"


def test_a_strangers_coverage_is_not_found(ana, osde):
    child = PatientAccessFactory.create(relation="child").patient
    answer = logged_in(ana).post(f"/familia/{child.public_id}/", {**CHILD, **told(osde)})
    assert answer.status_code == 404
    assert not Coverage.objects.exists()


def test_the_verb_refuses_whoever_does_not_look_after_the_record(ana, osde):
    patient = PatientFactory.create()
    with pytest.raises(NotAllowed):
        set_coverage(patient=patient, said=Said(True, osde), by=Actor.patient(ana))
    ended = PatientAccessFactory.create(user=ana, patient=patient, ended_at="2026-01-01T00:00Z")
    with pytest.raises(NotAllowed):
        set_coverage(patient=patient, said=Said(True, osde), by=Actor.patient(ended.user))


def test_the_log_says_that_it_changed_and_not_to_what(ana, osde):
    patient, by = Patient.objects.of(ana).get(), Actor.patient(ana)
    said = Said(True, osde, "210", NUMBER)
    assert set_coverage(patient=patient, said=said, by=by) is True
    assert set_coverage(patient=patient, said=said, by=by) is False
    line = AuditEvent.objects.get(action="patient.coverage")
    assert (line.actor, line.details) == (ana.email, {})
    assert NUMBER not in str(list(AuditEvent.objects.values()))


def test_the_administration_reads_and_writes_it(ana, osde):
    client = new_visitor()
    client.force_login(administrator())
    patient = Patient.objects.of(ana).get()
    url = f"/admin/accounts/patient/{patient.pk}/change/"
    page = client.get(url)
    data = {
        "first_name": "Ana",
        "last_name": "Gómez",
        "is_active": "on",
        "accesses-TOTAL_FORMS": "0",
        "accesses-INITIAL_FORMS": "0",
        **told(osde),
    }
    assert "Nobody has said" in page.content.decode()
    assert client.post(url, data).status_code == 302
    assert Coverage.objects.get().member_number == NUMBER
    assert NUMBER in client.get(url).content.decode()
    assert NUMBER not in str(list(AuditEvent.objects.values()))


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (Coverage(insurer=Insurer(name="OSDE"), plan="210", member_number="1"), "OSDE, 210 plan"),
        (Coverage(insurer=Insurer(name="OSDE"), member_number="1"), "OSDE"),
    ],
)
def test_its_words_never_hold_the_number(row, words):
    with translation.override("en"):
        assert str(row) == words


def test_nothing_said_is_nothing_known():
    assert coverage.Said() == Said(False, None, "", "")
    assert PatientFactory.create().known_coverage is None
