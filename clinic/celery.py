import os

from celery import Celery
from kombu.transport import TRANSPORT_ALIASES

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clinic.settings")

# Messages as files, without the moment in which they are there and empty.
TRANSPORT_ALIASES["filesystem"] = "clinic.broker:Transport"

app = Celery("clinic")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
