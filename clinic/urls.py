from django.contrib import admin
from django.urls import include, path

from accounts.views import people
from appointments.views import public
from clinic import views

urlpatterns = [
    path("", public.home, name="home"),
    path("", include("appointments.urls")),
    path("inicio/", views.start, name="start"),
    path("enviar-otra-vez/", views.send_again, name="send_again"),
    path("idioma/", people.choose_language, name="set_language"),
    path("healthz", views.healthz, name="healthz"),
    path("healthz/mail", views.mail_healthz, name="mail_healthz"),
    path("cuenta/", include("accounts.entrance_urls")),
    path("", include("accounts.urls")),
    path("", include("notifications.urls")),
    path("admin/", admin.site.urls),
]

handler400 = "clinic.views.bad_request"
handler403 = "clinic.views.forbidden"
handler404 = "clinic.views.not_found"
handler500 = "clinic.views.server_error"
