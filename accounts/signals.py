"""The one thing accounts says upwards: a mail is owed. Who sends it is not its business."""

from django.dispatch import Signal

#: A mail about an account (code, reset, invitation), rendered and ready to leave.
#: ``send(sender=…, to: str, language: str, subject: str, text: str, html: str,
#: user: User | None, lives_for: timedelta)``. After ``lives_for`` its code or link has run
#: out and it is not sent any more; left away, a day. Sent inside the transaction of the
#: change it tells of, so that receivers write what they owe with it; a receiver that
#: fails takes the change back.
account_mail = Signal()
