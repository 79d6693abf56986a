from django.urls import path

from notifications import views, views_links

app_name = "notifications"
urlpatterns = [
    path("correo/<slug:purpose>/<str:token>/", views_links.link, name="link"),
    path("mis-datos/correos/", views.choices, name="choices"),
    path("demo/correos/", views.demo_mail, name="demo_mail"),
    path("demo/correos/<slug:name>/", views.demo_message, name="demo_message"),
]
