"""The site without its guards, for the proof that the race would see what they prevent.

No switch of the product leads here: lock and key are taken off from outside, and only
where the database is the red one of the race.
"""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

#: What the name of the database has to end with.
RED = "_race_red"

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clinic.settings")
application = get_wsgi_application()

from django.conf import settings  # noqa: E402

from appointments import locks, occupancy  # noqa: E402

_name = str(settings.DATABASES["default"]["NAME"])
if not _name.endswith(RED):
    raise RuntimeError(f"{_name!r} keeps its guards: they come off only on a database *{RED}.")
locks.hold = lambda **rows: None
occupancy.claim = lambda taker, keys: None
