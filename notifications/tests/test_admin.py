"""The outbox in the administration: looked at, sent again, withdrawn, never written."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts.tests.factories import administrator, patient_user
from notifications.models import Kind, Notification, State
from notifications.tests.factories import account_mail, booked, family, pending

LIST = reverse("admin:notifications_notification_changelist")

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("one_reminder")]


@pytest.fixture
def admin(client):
    client.force_login(administrator())
    return client


def listed(response):
    return [row.pk for row in response.context["cl"].result_list]


def act(client, action, rows):
    data = {"action": action, "_selected_action": [row.pk for row in rows]}
    return client.post(LIST, data, follow=True)


def page_of(row):
    return reverse("admin:notifications_notification_change", args=[row.pk])


def test_only_administrators_get_there(client):
    row = pending()
    for url in (LIST, page_of(row)):
        assert client.get(url).status_code == 302
    client.force_login(patient_user())
    for url in (LIST, page_of(row)):
        assert client.get(url).status_code == 403
        assert client.post(url).status_code == 403


def test_nothing_is_added_changed_or_deleted_by_hand(admin):
    row = pending()
    base = "admin:notifications_notification"
    assert admin.get(reverse(f"{base}_add")).status_code == 403
    assert admin.post(reverse(f"{base}_delete", args=[row.pk])).status_code == 403
    assert admin.post(page_of(row), {"to": "x@example.org"}).status_code == 403
    page = admin.get(page_of(row))
    assert page.status_code == 200
    assert b'name="_save"' not in page.content
    row.refresh_from_db()
    assert row.to != "x@example.org"


def test_what_a_code_said_is_not_shown(admin):
    row = account_mail(text="El código es ABC-123.", html="<p>ABC-123</p>")
    for url in (LIST, page_of(row)):
        assert "ABC-123" not in admin.get(url).content.decode()


def test_found_by_address_patient_and_reference(admin):
    user, patient = family(email="ana@example.org")
    patient.last_name = "Núñez"
    patient.save()
    appointment = booked(user=user, patient=patient)
    other = pending()
    theirs = set(Notification.objects.exclude(pk=other.pk).values_list("pk", flat=True))
    for query in ("nunez", appointment.reference, appointment.reference.lower()):
        assert set(listed(admin.get(LIST, {"q": query}))) == theirs
    assert len(listed(admin.get(LIST, {"q": "ANA@example"}))) == 2
    assert listed(admin.get(LIST, {"q": other.to})) == [other.pk]
    assert listed(admin.get(LIST, {"q": "nobody"})) == []


def test_filters(admin):
    now, failed = pending(), pending()
    Notification.objects.filter(pk=failed.pk).update(state=State.FAILED)
    booked()
    reminder = Notification.objects.get(kind=Kind.REMINDER)
    Notification.objects.filter(pk=reminder.pk).update(try_at="2999-01-01T00:00Z")
    Notification.objects.filter(pk=now.pk).update(try_at="2020-01-01T00:00Z")
    due = listed(admin.get(LIST, {"due": "now"}))
    assert now.pk in due
    assert failed.pk not in due
    assert reminder.pk not in due
    assert listed(admin.get(LIST, {"state__exact": "failed"})) == [failed.pk]
    assert listed(admin.get(LIST, {"kind__exact": "reminder"})) == [reminder.pk]
    assert len(listed(admin.get(LIST, {"due": "nonsense"}))) == Notification.objects.count()


def test_withdrawing_and_sending_again(admin):
    first, second, sent = pending(), pending(), pending()
    Notification.objects.filter(pk=sent.pk).update(state=State.SENT)
    page = act(admin, "withdraw", [first, second, sent])
    states = dict(Notification.objects.values_list("pk", "state"))
    assert states == {first.pk: State.VOID, second.pk: State.VOID, sent.pk: State.SENT}
    levels = [message.level_tag for message in page.context["messages"]]
    assert sorted(levels) == ["success", "warning"]
    booked()
    row = Notification.objects.get(kind=Kind.BOOKED)
    Notification.objects.filter(pk=row.pk).update(
        state=State.FAILED, useful_until="2999-01-01T00:00Z"
    )
    act(admin, "send_again", [row])
    row.refresh_from_db()
    assert row.state == State.PENDING


def test_the_list_asks_the_same_number_of_questions(admin):
    def questions():
        with CaptureQueriesContext(connection) as context:
            assert len(listed(admin.get(LIST))) == Notification.objects.count()
        return len(context)

    pending()
    questions()  # the first page of a session asks more
    for_one = questions()
    for _n in range(29):
        pending()
    assert questions() == for_one
