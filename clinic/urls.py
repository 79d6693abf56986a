from django.contrib import admin
from django.urls import include, path
from django.views.i18n import set_language

from appointments.views import public
from clinic import views

urlpatterns = [
    path("", public.home, name="home"),
    path("", include("appointments.urls")),
    path("inicio/", views.start, name="start"),
    path("idioma/", set_language, name="set_language"),
    path("healthz", views.healthz, name="healthz"),
    path("cuenta/", include("allauth.account.urls")),
    path("", include("accounts.urls")),
    path("", include("notifications.urls")),
    path("admin/", admin.site.urls),
]

handler400 = "clinic.views.bad_request"
handler403 = "clinic.views.forbidden"
handler404 = "clinic.views.not_found"
handler500 = "clinic.views.server_error"
