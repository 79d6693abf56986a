"""Strict readers of the environment: what is wrong is said with how to mend it."""

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured
from django.core.management.utils import get_random_secret_key

YES = frozenset({"1", "true", "yes", "on"})
NO = frozenset({"", "0", "false", "no", "off"})
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def yes_or_no(env: environ.Env, name: str, *, default: bool) -> bool:
    raw = env.str(name, default="").strip().lower()
    if not raw:
        return default
    if raw not in YES | NO:
        raise ImproperlyConfigured(f"{name}={raw!r}: write true or false.")
    return raw in YES


def whole_number(env: environ.Env, name: str, *, default: int) -> int:
    raw = env.str(name, default="").strip() or str(default)
    if not raw.isascii() or not raw.isdigit() or len(raw) > 9:
        raise ImproperlyConfigured(f"{name}={raw!r}: write a whole number, for example {default}.")
    return int(raw)


def words(env: environ.Env, name: str, *, default: list[str]) -> list[str]:
    """A list with commas between its words; blanks around them do not count."""
    found = [word.strip() for word in env.str(name, default="").split(",")]
    return [word for word in found if word] or default


def web_address(env: environ.Env, name: str, *, default: str) -> str:
    """Scheme and host, perhaps a port: what links are built on. No path."""
    raw: str = env.str(name, default="").strip().rstrip("/") or default
    parts = urlsplit(raw)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path or parts.query:
        raise ImproperlyConfigured(
            f"{name}={raw!r}: write the address of the site without a path, "
            "for example https://turnos.example.com."
        )
    return raw


def log_level(env: environ.Env, name: str) -> str:
    raw: str = env.str(name, default="").strip().upper() or "INFO"
    if raw not in LOG_LEVELS:
        raise ImproperlyConfigured(f"{name}={raw!r}: write one of {', '.join(LOG_LEVELS)}.")
    return raw


def redis_address(env: environ.Env, name: str) -> str:
    raw: str = env.str(name, default="").strip()
    if raw and not raw.startswith(("redis://", "rediss://", "redis+socket://")):
        raise ImproperlyConfigured(
            f"{name}={raw!r}: it must start with redis://, for example redis://127.0.0.1:6379/0."
        )
    return raw


def development_secret_key(folder: Path, embedded: bool) -> str:
    """The embedded default makes its own key, once, readable only by its owner."""
    if not embedded:
        raise ImproperlyConfigured(
            "SECRET_KEY is missing. Put a long random value into .env, for example the output of: "
            "python3 -c 'import secrets; print(secrets.token_urlsafe(50))'"
        )
    path = folder / "secret_key"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        draft = folder / f"secret_key.{os.getpid()}"
        draft.touch(mode=0o600)
        draft.write_text(get_random_secret_key())
        try:
            # The first of two processes that start at once wins; nobody reads half a key.
            path.hardlink_to(draft)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text()


def embedded_database(path: str) -> dict[str, Any]:
    """SQLite for one machine, with what the guard relies on pinned."""
    if path != ":memory:":
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "OPTIONS": {
            # A write transaction takes the lock when it begins: "lock, look, write"
            # holds although SQLite ignores SELECT … FOR UPDATE.
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
    }


def production_database(url: str) -> dict[str, Any]:
    """A MySQL or MariaDB database from its URL, with what the guard relies on pinned."""
    config: dict[str, Any] = dict(environ.Env.db_url_config(url))
    if config.get("ENGINE") != "django.db.backends.mysql":
        raise ImproperlyConfigured(
            "DATABASE_URL must start with mysql:// (MySQL or MariaDB). "
            "Leave it empty for the embedded default."
        )
    config["CONN_MAX_AGE"] = 60
    config["CONN_HEALTH_CHECKS"] = True
    config["OPTIONS"] = {
        **config.get("OPTIONS", {}),
        "charset": "utf8mb4",
        # Under REPEATABLE READ, anything read before the lock brings double bookings back.
        "isolation_level": "read committed",
        "init_command": "SET sql_mode='STRICT_TRANS_TABLES', innodb_lock_wait_timeout=10",
        "connect_timeout": 10,
    }
    # Exact collation: josé@x and jose@x are two people.
    config["TEST"] = {"CHARSET": "utf8mb4", "COLLATION": "utf8mb4_bin"}
    return config


def folder_broker(folder: Path) -> dict[str, Any]:
    """Celery's messages as files, for the embedded default: no server, one machine."""
    messages, control = folder / "broker", folder / "broker-control"
    for each in (messages, control):
        each.mkdir(parents=True, exist_ok=True)
    return {
        "data_folder_in": str(messages),
        "data_folder_out": str(messages),
        "control_folder": str(control),
        "polling_interval": 0.1,
    }


def redis_broker() -> dict[str, Any]:
    """Celery's messages in Redis. One that is down or frozen must not freeze a page.

    Publishing tries once, for half a second; the sweep does what could not be said.
    The worker looks for its broker again as long as it takes.
    """
    return {
        "max_retries": 0,
        "socket_timeout": 0.5,
        "socket_connect_timeout": 0.5,
        "visibility_timeout": 600,
    }
