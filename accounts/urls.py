from django.urls import path

from accounts.views import handover, invitation, people

app_name = "accounts"
urlpatterns = [
    path("mis-datos/", people.profile, name="profile"),
    path("mis-datos/ficha/", people.own_record, name="own_record"),
    path("familia/", people.family, name="family"),
    path("familia/agregar/", people.family_add, name="family_add"),
    path("familia/<uuid:public_id>/", people.family_edit, name="family_edit"),
    path("familia/<uuid:public_id>/quitar/", people.family_end, name="family_end"),
    path("familia/<uuid:public_id>/entregar/", handover.family_hand_over, name="family_hand_over"),
    path("mis-datos/accesos/<int:pk>/quitar/", handover.access_end, name="access_end"),
    path("cuenta/ficha/<str:token>/", handover.take_over, name="take_over"),
    path("cuenta/invitacion/<str:token>/", invitation.invitation, name="invitation"),
]
