"""System checks: what is set up wrongly, said with how to mend it.

E… stops every command. W… warns; ``check --deploy --fail-level WARNING`` stops there too.
The checks of the database run in ``migrate`` and in ``check --database default``.
"""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core import checks
from django.db import connections

Messages = list[checks.CheckMessage]

DEMO_FOR_REAL = checks.Error(
    "DEMO is on beside a database server, https or a mail server: "
    "everybody could read the mails, and log in with the password of the demo.",
    hint="Set DEMO=false, or remove it from .env. For the demo, remove DATABASE_URL and EMAIL_URL, "
    "and any BASE_URL that starts with https://.",
    id="clinic.E001",
)
BASE_URL_MISSING = checks.Error(
    "BASE_URL is missing: links in mails would lead to localhost.",
    hint="Set BASE_URL to the address of the site, for example https://turnos.example.com.",
    id="clinic.E002",
)
BASE_URL_PLAIN = checks.Warning(
    "BASE_URL does not start with https://: passwords and health data travel readably.",
    hint="Put a proxy with TLS in front and set BASE_URL=https://… (docs/operations.md).",
    id="clinic.W003",
)
REDIS_MISSING = checks.Warning(
    "REDIS_URL is missing: background work goes through files and reaches this machine only.",
    hint="Start Redis and set REDIS_URL, for example redis://127.0.0.1:6379/0.",
    id="clinic.W004",
)
EMAIL_MISSING = checks.Warning(
    "EMAIL_URL is missing: mails are written to files and reach nobody.",
    hint="Set EMAIL_URL, for example smtp+tls://user:password@smtp.example.com:587.",
    id="clinic.W005",
)
SQLITE_NOT_IMMEDIATE = checks.Error(
    "SQLite transactions do not start with BEGIN IMMEDIATE: appointments could overlap.",
    hint='Set OPTIONS["transaction_mode"] of the database to "IMMEDIATE".',
    id="clinic.E006",
)
WRONG_ISOLATION = checks.Error(
    "The database does not run under READ COMMITTED: appointments could overlap.",
    hint='Set OPTIONS["isolation_level"] of the database to "read committed".',
    id="clinic.E007",
)
WRONG_COLLATION = "clinic.E008"


@checks.register("clinic")
def check_demo(app_configs: Any, **kwargs: Any) -> Messages:
    """The demo is for one machine: what reaches out to people is no place for it."""
    sends = settings.EMAIL_URL.startswith("smtp")
    real = not settings.EMBEDDED or settings.HTTPS or sends
    return [DEMO_FOR_REAL] if settings.DEMO and real else []


@checks.register("clinic")
def check_production_environment(app_configs: Any, **kwargs: Any) -> Messages:
    """What the embedded default can do without, and production cannot."""
    if settings.EMBEDDED:
        return []
    found: Messages = []
    if not settings.BASE_URL_GIVEN:
        found.append(BASE_URL_MISSING)
    elif not settings.BASE_URL.startswith("https://"):
        found.append(BASE_URL_PLAIN)
    if not settings.REDIS_URL:
        found.append(REDIS_MISSING)
    if not settings.EMAIL_URL:
        found.append(EMAIL_MISSING)
    return found


@checks.register("clinic")
def check_sqlite_locks(app_configs: Any, **kwargs: Any) -> Messages:
    """Without IMMEDIATE, two transactions may both look before either writes."""
    return [
        SQLITE_NOT_IMMEDIATE
        for database in settings.DATABASES.values()
        if database["ENGINE"] == "django.db.backends.sqlite3"
        and database.get("OPTIONS", {}).get("transaction_mode") != "IMMEDIATE"
    ]


@checks.register(checks.Tags.database)
def check_isolation(
    app_configs: Any, databases: Sequence[str] | None = None, **kwargs: Any
) -> Messages:
    found: Messages = []
    for alias in _mysql(databases):
        with connections[alias].cursor() as cursor:
            # MariaDB up to 11.0 knows the first name only, MySQL 8 the second.
            cursor.execute(
                "SHOW VARIABLES WHERE Variable_name IN ('tx_isolation', 'transaction_isolation')"
            )
            if {value for _, value in cursor.fetchall()} != {"READ-COMMITTED"}:
                found.append(WRONG_ISOLATION)
    return found


@checks.register(checks.Tags.database)
def check_collation(
    app_configs: Any, databases: Sequence[str] | None = None, **kwargs: Any
) -> Messages:
    """Under any other collation, josé@example.com and jose@example.com are one account."""
    found: Messages = []
    for alias in _mysql(databases):
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT DATABASE(), @@collation_database")
            name, collation = cursor.fetchone()
            if collation.endswith("_bin"):
                cursor.execute(
                    "SELECT MIN(table_collation) FROM information_schema.tables "
                    "WHERE table_schema = DATABASE() AND RIGHT(table_collation, 4) <> '_bin'"
                )
                collation = cursor.fetchone()[0]
        if collation:
            found.append(
                checks.Error(
                    f"The database {name}, or a table in it, has the collation {collation}: "
                    "addresses that differ only by an accent count as the same.",
                    hint=f"ALTER DATABASE {name} CHARACTER SET utf8mb4 COLLATE utf8mb4_bin; "
                    "each table that exists already: ALTER TABLE … CONVERT TO "
                    "CHARACTER SET utf8mb4 COLLATE utf8mb4_bin.",
                    id=WRONG_COLLATION,
                )
            )
    return found


def _mysql(databases: Sequence[str] | None) -> list[str]:
    return [alias for alias in databases or () if connections[alias].vendor == "mysql"]
