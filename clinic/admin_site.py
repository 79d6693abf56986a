"""The administration: Django's admin behind the clinic's own login."""

from django.contrib.admin import AdminSite


class ClinicAdminSite(AdminSite):
    pass
