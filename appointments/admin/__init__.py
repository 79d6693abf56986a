"""The administration of appointments, and of everything whose change may hit one."""

from appointments.admin import appointment, rules

__all__ = ["appointment", "rules"]
