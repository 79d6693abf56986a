from django.urls import path

from notifications import views

app_name = "notifications"
urlpatterns = [
    path("demo/correos/", views.demo_mail, name="demo_mail"),
    path("demo/correos/<slug:name>/", views.demo_message, name="demo_message"),
]
