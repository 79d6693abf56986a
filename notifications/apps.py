from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class NotificationsConfig(AppConfig):
    name = "notifications"
    verbose_name = _("Messages and log")

    def ready(self) -> None:
        # Here alone: the receivers need the models, and must listen before anything happens.
        from notifications import receivers  # noqa: PLC0415

        receivers.listen()
