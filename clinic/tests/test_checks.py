"""Each system check: silent when all is well, and its id when the one thing is wrong."""

import pytest
from django.apps import apps
from django.core import checks
from django.db import connection
from django.db.models import UniqueConstraint

from clinic.checks import check_collation, check_isolation, check_sqlite_locks


@pytest.fixture
def production(settings):
    settings.EMBEDDED = False
    settings.DEMO = False
    settings.BASE_URL = "https://turnos.example.com"
    settings.BASE_URL_GIVEN = True
    settings.REDIS_URL = "redis://127.0.0.1:6379/0"
    settings.EMAIL_URL = "smtp://localhost:25"
    return settings


def found() -> list[str | None]:
    return [message.id for message in checks.run_checks(tags=["clinic"])]


def test_production_as_it_should_be_is_silent(production):
    assert found() == []


def test_the_embedded_default_is_silent(settings):
    settings.EMBEDDED = True
    settings.DEMO = True
    settings.BASE_URL_GIVEN = False
    settings.REDIS_URL = settings.EMAIL_URL = ""
    assert found() == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("EMBEDDED", False),
        ("HTTPS", True),
        ("EMAIL_URL", "smtp://localhost:25"),
        ("EMAIL_URL", "smtp+tls://clinic:secret@smtp.example.com:587"),
    ],
)
def test_the_demo_is_refused_where_people_may_be(settings, name, value):
    settings.EMBEDDED = True
    settings.DEMO = True
    settings.EMAIL_URL = ""
    setattr(settings, name, value)
    assert "clinic.E001" in found()


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("DEMO", True, "clinic.E001"),
        ("BASE_URL_GIVEN", False, "clinic.E002"),
        ("BASE_URL", "http://turnos.example.com", "clinic.W003"),
        ("REDIS_URL", "", "clinic.W004"),
        ("EMAIL_URL", "", "clinic.W005"),
    ],
)
def test_what_production_cannot_do_without(production, name, value, expected):
    setattr(production, name, value)
    assert found() == [expected]


@pytest.mark.parametrize(("mode", "expected"), [("IMMEDIATE", []), ("DEFERRED", ["clinic.E006"])])
def test_sqlite_takes_its_lock_when_a_transaction_begins(settings, monkeypatch, mode, expected):
    database = settings.DATABASES["default"]
    monkeypatch.setitem(database, "ENGINE", "django.db.backends.sqlite3")
    monkeypatch.setitem(database, "OPTIONS", {"transaction_mode": mode})
    assert [message.id for message in check_sqlite_locks(None)] == expected


def test_every_message_says_how_to_mend_it(production):
    production.DEMO = True
    production.BASE_URL_GIVEN = False
    production.REDIS_URL = production.EMAIL_URL = ""
    messages = checks.run_checks(tags=["clinic"])
    assert len(messages) == 4
    assert all(message.hint for message in messages)


@pytest.mark.django_db
def test_the_database_of_the_tests_is_as_production_wants_it():
    assert check_isolation(None, databases=["default"]) == []
    assert check_collation(None, databases=["default"]) == []


def test_without_a_named_database_no_connection_is_opened():
    assert check_isolation(None) == []
    assert check_collation(None, databases=[]) == []


@pytest.mark.mariadb
@pytest.mark.django_db
def test_repeatable_read_is_refused():
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    try:
        assert [m.id for m in check_isolation(None, databases=["default"])] == ["clinic.E007"]
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")


@pytest.mark.mariadb
@pytest.mark.django_db(transaction=True)
def test_a_table_with_an_accent_blind_collation_is_refused():
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE zz_blind (name varchar(5)) COLLATE utf8mb4_unicode_ci")
    try:
        (message,) = check_collation(None, databases=["default"])
        assert message.id == "clinic.E008"
        assert "utf8mb4_unicode_ci" in message.msg
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP TABLE zz_blind")


@pytest.mark.mariadb
@pytest.mark.django_db(transaction=True)
def test_a_database_with_an_accent_blind_collation_is_refused():
    with connection.cursor() as cursor:
        cursor.execute("ALTER DATABASE COLLATE utf8mb4_unicode_ci")
    try:
        (message,) = check_collation(None, databases=["default"])
        assert message.id == "clinic.E008"
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER DATABASE COLLATE utf8mb4_bin")


@pytest.mark.parametrize(
    "label", ["clinic", "accounts", "scheduling", "appointments", "notifications"]
)
def test_no_unique_key_that_mysql_would_leave_out(label):
    """Conditional and expression keys are silently not made there, and the check is silenced."""
    keys = [
        (model, constraint)
        for model in apps.get_app_config(label).get_models()
        for constraint in model._meta.constraints
        if isinstance(constraint, UniqueConstraint)
    ]
    assert [key for key in keys if key[1].condition or key[1].expressions] == []
