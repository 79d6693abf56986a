"""The administration of appointments, and of everything whose change may hit one."""

from appointments.admin import appointment, hold, rules, waiting

__all__ = ["appointment", "hold", "rules", "waiting"]
