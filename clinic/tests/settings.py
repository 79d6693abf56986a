"""The settings of the tests: the product's own, minus what is slow or belongs to this machine.

No ``.env`` and no variable of the shell reaches a test, except DATABASE_URL, which
chooses between the two databases the suite runs on.
"""

import atexit
import os
import re
import shutil
import tempfile
from pathlib import Path

_REPOSITORY = Path(__file__).resolve().parent.parent.parent
for _name in re.findall(r"^#?([A-Z_]+)=", (_REPOSITORY / ".env.example").read_text(), re.MULTILINE):
    if _name != "DATABASE_URL":
        os.environ.pop(_name, None)

# Each process has a folder of its own, so that parallel runs do not meet.
_FOLDER = tempfile.mkdtemp(prefix="clinic-tests-")
atexit.register(shutil.rmtree, _FOLDER, ignore_errors=True)
os.environ["ENV_FILE"] = os.devnull
os.environ["VAR_DIR"] = _FOLDER
os.environ["SECRET_KEY"] = "only-for-tests-" * 4
os.environ["LOG_LEVEL"] = "WARNING"
# Playwright's loop runs in the thread of the test.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"

from clinic.settings import *  # noqa: E402

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
# whitenoise looks its files up itself instead of wanting collectstatic.
WHITENOISE_AUTOREFRESH = True
WHITENOISE_USE_FINDERS = True
# A browser in a test lives later than the site: a minute would be over before it began.
WHITENOISE_MAX_AGE = 10 * 365 * 24 * 60 * 60

if EMBEDDED:
    # A file, not memory: threads and other processes of a test get connections of their own.
    DATABASES["default"]["TEST"] = {"NAME": f"{_FOLDER}/test.sqlite3"}
    DATABASES["default"]["OPTIONS"]["init_command"] = (
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;"
    )
