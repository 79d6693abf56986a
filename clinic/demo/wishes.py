"""The visits that have to be in the demo whatever else chance brings."""

from __future__ import annotations

from dataclasses import dataclass

from clinic.demo.staff import DOCTOR


@dataclass(frozen=True, slots=True)
class Wish:
    """A visit so many days from today, or on the nearest day further on that has room."""

    days: int
    doctor: str
    service: str
    #: First name in the family of paciente@demo.test; empty: anybody.
    who: str = ""
    fate: str = "comes"
    #: As late in the day as it goes, so that it is still to come for most of the day.
    late: bool = False


WISHES = (
    # Mariana, the patient of the demo.
    Wish(-84, DOCTOR, "consulta-clinica", "Mariana"),
    Wish(-61, "veronica-lujan", "papanicolaou", "Mariana"),
    Wish(-40, "julieta-caride", "primera-nutricion", "Mariana", "stays away"),
    Wish(-26, "carolina-iturbe", "electrocardiograma", "Mariana"),
    Wish(-12, DOCTOR, "chequeo-anual", "Mariana"),
    Wish(-5, "gonzalo-etchart", "consulta-traumatologica", "Mariana", "patient cancels"),
    Wish(1, DOCTOR, "consulta-clinica", "Mariana", late=True),
    Wish(8, "veronica-lujan", "ecografia-obstetrica", "Mariana", "waits"),
    Wish(15, "julieta-caride", "primera-nutricion", "Mariana"),
    Wish(20, "carolina-iturbe", "consulta-cardiologica", "Mariana", "clinic cancels"),
    # Her children.
    Wish(-70, "paula-quiroga", "control-nino-sano", "Tomás"),
    Wish(-33, "paula-quiroga", "consulta-pediatrica", "Tomás"),
    Wish(4, "paula-quiroga", "control-nino-sano", "Tomás"),
    Wish(-50, "paula-quiroga", "vacunacion", "Julia"),
    Wish(-18, "esteban-villalba", "consulta-pediatrica", "Julia"),
    Wish(10, "paula-quiroga", "vacunacion", "Julia"),
    # What waits for the doctor's answer, on each of her next days.
    Wish(0, DOCTOR, "chequeo-anual", fate="waits", late=True),
    Wish(1, DOCTOR, "chequeo-anual", fate="waits", late=True),
    Wish(2, DOCTOR, "chequeo-anual", fate="waits"),
    Wish(3, DOCTOR, "chequeo-anual", fate="waits"),
    Wish(5, DOCTOR, "chequeo-anual", fate="waits"),
)
