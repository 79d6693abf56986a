"""allauth's pages under /cuenta/, by the names allauth knows them by.

Only what we use has an address: allauth's other pages do not exist here.
"""

from django.urls import path, re_path

from accounts.views import entrance

urlpatterns = [
    path("ingresar/", entrance.LoginView.as_view(), name="account_login"),
    path("salir/", entrance.LogoutView.as_view(), name="account_logout"),
    path("cerrada/", entrance.AccountInactiveView.as_view(), name="account_inactive"),
    path("crear/", entrance.SignupView.as_view(), name="account_signup"),
    path("crear/otra-vez/", entrance.StartAgainView.as_view(), name="account_start_again"),
    path("codigo/", entrance.CodeView.as_view(), name="account_email_verification_sent"),
    path("correo/", entrance.EmailView.as_view(), name="account_email"),
    path("clave/", entrance.PasswordChangeView.as_view(), name="account_change_password"),
    path("clave/olvidada/", entrance.PasswordResetView.as_view(), name="account_reset_password"),
    path(
        "clave/olvidada/enviada/",
        entrance.PasswordResetDoneView.as_view(),
        name="account_reset_password_done",
    ),
    re_path(
        r"^clave/nueva/(?P<uidb36>[0-9A-Za-z]{1,13})-(?P<key>[-0-9A-Za-z]{1,120})/$",
        entrance.PasswordResetFromKeyView.as_view(),
        name="account_reset_password_from_key",
    ),
]
