"""One settings file for every place the clinic runs in.

Without any environment variable this is the embedded default: SQLite, a broker
made of files and mails written to ``var/``; one machine, no server of any kind.
Production sets the variables listed in ``.env.example``.
"""

from pathlib import Path
from urllib.parse import urlsplit

import environ
from csp.constants import NONE, SELF
from django.utils.translation import gettext_lazy as _

from clinic.environment import (
    development_secret_key,
    embedded_database,
    folder_broker,
    log_level,
    production_database,
    redis_address,
    redis_broker,
    web_address,
    whole_number,
    words,
    yes_or_no,
)

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.Env()
# What the environment already says wins over the file.
environ.Env.read_env(env.str("ENV_FILE", default=str(BASE_DIR / ".env")))

#: Everything the clinic writes on this machine: static files, and on the embedded
#: default the database, the mails and the broker too.
VAR_DIR = Path(env.str("VAR_DIR", default="") or BASE_DIR / "var")

# --- what kind of place this is ---------------------------------------------
DATABASE_URL = env.str("DATABASE_URL", default="")
#: No DATABASE_URL means the embedded default, for one machine and for trying out.
EMBEDDED = not DATABASE_URL
DEBUG = yes_or_no(env, "DEBUG", default=False)
#: Shows the demo accounts and the mails that were "sent". Refused outside the embedded default, and
#: beside an https:// address or a mail server.
DEMO = yes_or_no(env, "DEMO", default=False)
SECRET_KEY = env.str("SECRET_KEY", default="") or development_secret_key(VAR_DIR, EMBEDDED)
#: Every link in every mail starts with this; the Host header of a request never reaches a mail.
BASE_URL = web_address(env, "BASE_URL", default="http://localhost:8000")
BASE_URL_GIVEN = bool(env.str("BASE_URL", default=""))
#: On one machine, the names it has for itself and the one in the links.
OWN_HOSTS = ["localhost", "127.0.0.1", "[::1]", urlsplit(BASE_URL).hostname or ""]
ALLOWED_HOSTS = words(env, "ALLOWED_HOSTS", default=OWN_HOSTS if EMBEDDED else [])

# --- apps --------------------------------------------------------------------
INSTALLED_APPS = [
    "clinic.apps.ClinicConfig",
    "accounts.apps.AccountsConfig",
    "scheduling.apps.SchedulingConfig",
    "appointments.apps.AppointmentsConfig",
    "notifications.apps.NotificationsConfig",
    "clinic.apps.ClinicAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.forms",
    "allauth",
    "allauth.account",
    "crispy_forms",
    "crispy_bootstrap5",
    "phonenumber_field",
    "csp",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "clinic.middleware.CautionMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.middleware.gzip.GZipMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "clinic.middleware.SpanishFirstMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "clinic.middleware.PolicyMiddleware",
]

ROOT_URLCONF = "clinic.urls"
WSGI_APPLICATION = "clinic.wsgi.application"
ASGI_APPLICATION = "clinic.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "clinic.context_processors.clinic",
            ],
        },
    }
]
FORM_RENDERER = "django.forms.renderers.TemplatesSetting"
CRISPY_ALLOWED_TEMPLATE_PACKS = "bootstrap5"
CRISPY_TEMPLATE_PACK = "bootstrap5"

# --- database ----------------------------------------------------------------
if EMBEDDED:
    SQLITE_PATH = env.str("SQLITE_PATH", default="") or str(VAR_DIR / "clinic.sqlite3")
    DATABASES = {"default": embedded_database(SQLITE_PATH)}
else:
    DATABASES = {"default": production_database(DATABASE_URL)}

# --- cache and sessions: in the database, so that no page depends on Redis ----
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "clinic_cache",
        # The limits on tries live here: nobody washes them out with many new ones.
        "OPTIONS": {"MAX_ENTRIES": 100_000},
    }
}
SESSION_ENGINE = "django.contrib.sessions.backends.db"
# A message may name a patient: it stays on the server, not in a cookie.
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
SESSION_COOKIE_AGE = 60 * 60 * 24 * 14
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"

# --- people ------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "start"
ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_FORMS = {
    "signup": "accounts.forms.entrance.SignupForm",
    "login": "accounts.forms.entrance.LoginForm",
    "confirm_email_verification_code": "accounts.forms.entrance.CodeForm",
    "reset_password": "accounts.forms.entrance.ResetPasswordForm",
    "reset_password_from_key": "accounts.forms.entrance.ResetPasswordKeyForm",
    "change_password": "accounts.forms.entrance.ChangePasswordForm",
    "add_email": "accounts.forms.entrance.ChangeEmailForm",
}
ACCOUNT_UNIQUE_EMAIL = True
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = True
# Six figures are quickly typed on a telephone; five tries, two further codes and the
# hourly limit below keep guessing hopeless.
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_FORMAT = {"numeric": True, "length": 6, "dashed": False}
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_MAX_ATTEMPTS = 5
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_TIMEOUT = 15 * 60
ACCOUNT_EMAIL_VERIFICATION_SUPPORTS_RESEND = True
#: On top of allauth's own limits (30 logins a minute and address of the network, 5 wrong
#: passwords in 5 minutes for one e-mail …).
ACCOUNT_RATE_LIMITS = {"confirm_email": "1/10s/key,10/h/key"}
#: One e-mail per account; the old one is told when it changes.
ACCOUNT_CHANGE_EMAIL = True
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = True
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ALLAUTH_TRUSTED_PROXY_COUNT = whole_number(env, "TRUSTED_PROXY_COUNT", default=0)

# --- words, numbers, zones ---------------------------------------------------
LANGUAGE_CODE = "es"
LANGUAGES = [("es", _("Spanish")), ("en", _("English"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
USE_I18N = True
USE_TZ = True
#: The zone of the admin's date and time columns. Appointments use their location's zone.
TIME_ZONE = env.str("CLINIC_TIME_ZONE", default="") or "America/Argentina/Buenos_Aires"
PHONENUMBER_DEFAULT_REGION = env.str("CLINIC_PHONE_REGION", default="") or "AR"
FIRST_DAY_OF_WEEK = 1

# --- files -------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

# --- mail --------------------------------------------------------------------
EMAIL_URL = env.str("EMAIL_URL", default="")
if EMAIL_URL:
    vars().update(env.email_url("EMAIL_URL"))
    EMAIL_TIMEOUT = 10
else:
    EMAIL_BACKEND = "notifications.backends.EmlFileBackend"
EMAIL_FILE_PATH = env.str("EMAIL_FILE_PATH", default="") or str(VAR_DIR / "mail")
DEFAULT_FROM_EMAIL = (
    env.str("DEFAULT_FROM_EMAIL", default="") or f"Turnos <turnos@{urlsplit(BASE_URL).hostname}>"
)
SERVER_EMAIL = DEFAULT_FROM_EMAIL

# --- background work ---------------------------------------------------------
REDIS_URL = redis_address(env, "REDIS_URL")
CELERY_TIMEZONE = "UTC"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_TIME_LIMIT = 120
CELERY_TASK_SOFT_TIME_LIMIT = 90
CELERY_TASK_PUBLISH_RETRY = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# A worker looks for its broker as long as it takes; a hundred times is an hour.
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BEAT_SCHEDULER = "notifications.clock:Clock"
CELERY_BEAT_MAX_LOOP_INTERVAL = 10
CELERY_BEAT_SCHEDULE = {
    "deliver-what-is-due": {
        "task": "notifications.tasks.sweep",
        "schedule": 10.0,
        "options": {"expires": 30},
    },
    "owe-missing-reminders": {
        "task": "notifications.tasks.owe_missing_reminders",
        "schedule": 300.0,
        "options": {"expires": 300},
    },
    "owe-lists-and-words": {
        "task": "notifications.tasks.owe_digests",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "expire-unanswered-requests": {
        "task": "appointments.tasks.expire_requests",
        "schedule": 300.0,
        "options": {"expires": 300},
    },
    "offer-freed-time": {
        "task": "appointments.tasks.offer_freed_time",
        "schedule": 20.0,
        "options": {"expires": 60},
    },
    "forget-ended-holds": {
        "task": "appointments.tasks.forget_ended_holds",
        "schedule": 300.0,
        "options": {"expires": 300},
    },
    "forget-ended-sessions": {
        "task": "accounts.tasks.forget_ended_sessions",
        "schedule": 300.0,
        "options": {"expires": 300},
    },
}
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR_DIR / "celerybeat-schedule")
if REDIS_URL:
    CELERY_BROKER_URL = REDIS_URL
    CELERY_BROKER_TRANSPORT_OPTIONS = redis_broker()
else:
    CELERY_BROKER_URL = "filesystem://localhost"
    CELERY_BROKER_TRANSPORT_OPTIONS = folder_broker(VAR_DIR)

# --- safety ------------------------------------------------------------------
HTTPS = BASE_URL.startswith("https://")
SECURE_SSL_REDIRECT = HTTPS and yes_or_no(env, "SECURE_SSL_REDIRECT", default=True)
SECURE_PROXY_SSL_HEADER = (
    ("HTTP_X_FORWARDED_PROTO", "https") if ALLAUTH_TRUSTED_PROXY_COUNT else None
)
SECURE_HSTS_SECONDS = 60 * 60 * 24 * 365 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = HTTPS
if HTTPS:
    # Browsers take cookies of this name from this very host only, and only over TLS.
    SESSION_COOKIE_NAME, CSRF_COOKIE_NAME = "__Host-session", "__Host-csrf"
CSRF_COOKIE_HTTPONLY = LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "clinic.views.csrf_failure"
CSRF_TRUSTED_ORIGINS = [BASE_URL] if HTTPS else []
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "manifest-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
    }
}
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2000
# MySQL and MariaDB do not make allauth's conditional unique keys; the plain unique e-mail of
# the account stands in for them. A test keeps our own models free of such keys.
SILENCED_SYSTEM_CHECKS = ["models.W036"]

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "filters": {"keys": {"()": "clinic.logs.HideKeys"}},
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": "plain", "filters": ["keys"]}
    },
    "root": {"handlers": ["console"], "level": log_level(env, "LOG_LEVEL")},
}
