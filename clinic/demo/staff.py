"""Who works in the demo clinic: when, where, and what each of them offers."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from clinic.models import OnlineFor

#: The doctor whose agenda the demo account opens.
DOCTOR = "lucia-arrieta"
#: So sought after that the next days are full.
FULL = "soledad-maidana"


@dataclass(frozen=True, slots=True)
class Offer:
    service: str
    minutes: int | None = None
    price: int | None = None
    asked_for: bool = False
    #: Empty: whom the clinic lets book online.
    online_for: str = ""
    after: int = 0
    #: How often it is booked, compared with the others.
    weight: int = 3


@dataclass(frozen=True, slots=True)
class Desk:
    """A practitioner at one location. ``week``: "135 08:00-12:30" (1 is Monday).

    ``step`` None: as the clinic.
    """

    place: str
    step: int | None
    week: tuple[str, ...]
    offers: tuple[Offer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Doctor:
    slug: str
    title: str
    first_name: str
    last_name: str
    licence: str
    specialties: tuple[str, ...]
    biography: str
    desks: tuple[Desk, ...]
    email: str = ""
    #: Weekly time off, as in ``Desk.week``, with its reason.
    weekly_off: tuple[tuple[str, str], ...] = ()
    #: Weeks from now, length in days, reason.
    away: tuple[tuple[int, int, str], ...] = ()
    #: Share of the time that is booked: in the past, and in the days around today.
    load: tuple[float, float] = (0.05, 0.2)


def hours(lines: tuple[str, ...] | str) -> Iterator[tuple[int, dt.time, dt.time]]:
    """``"13 08:00-12:30"`` → (0, 8:00, 12:30), (2, 8:00, 12:30)."""
    for line in (lines,) if isinstance(lines, str) else lines:
        days, _, span = line.partition(" ")
        start, end = (dt.time.fromisoformat(part) for part in span.split("-"))
        for day in days:
            yield int(day) - 1, start, end


STAFF = (
    Doctor(
        slug=DOCTOR,
        title="Dra.",
        first_name="Lucía",
        last_name="Arrieta",
        licence="MN 118402",
        email="medica@demo.test",
        specialties=("clinica-medica",),
        biography="Médica clínica por la Universidad de Buenos Aires. Hizo su residencia en un "
        "hospital público de la ciudad y acompaña a sus pacientes desde 2009. Le interesan la "
        "prevención y las enfermedades crónicas. Atiende también en inglés.",
        desks=(
            Desk(
                "parque",
                20,
                ("135 08:00-18:00", "6 09:00-14:00"),
                (
                    Offer("consulta-clinica", price=32000, weight=6),
                    Offer("chequeo-anual", price=48000, asked_for=True, weight=2),
                    Offer("apto-fisico", price=25000),
                ),
            ),
            Desk(
                "belgrano",
                20,
                ("24 09:00-13:00", "24 15:00-19:00"),
                (
                    Offer("consulta-clinica", price=32000, weight=6),
                    Offer("chequeo-anual", price=48000, asked_for=True, weight=2),
                ),
            ),
        ),
        weekly_off=(("135 13:00-14:00", "Almuerzo"), ("5 12:20-13:00", "Ateneo clínico")),
        load=(0.1, 0.6),
    ),
    Doctor(
        slug="martin-olmedo",
        title="Dr.",
        first_name="Martín",
        last_name="Olmedo",
        licence="MN 97315",
        email="martin.olmedo@demo.test",
        specialties=("clinica-medica",),
        biography="Especialista en clínica médica, con dedicación a personas mayores. Atiende por "
        "la tarde, para quienes trabajan.",
        desks=(
            Desk(
                "parque",
                20,
                ("12345 14:00-20:00",),
                (Offer("consulta-clinica", price=30000, weight=6), Offer("apto-fisico")),
            ),
        ),
    ),
    Doctor(
        slug="ines-barreiro",
        title="Dra.",
        first_name="Inés",
        last_name="Barreiro",
        licence="MN 164877",
        specialties=("clinica-medica",),
        biography="Médica clínica. Se sumó al equipo este año y atiende los martes y jueves.",
        desks=(
            Desk("belgrano", 30, ("24 08:30-12:30",), (Offer("consulta-clinica", minutes=30),)),
        ),
        load=(0.04, 0.13),
    ),
    Doctor(
        slug="paula-quiroga",
        title="Dra.",
        first_name="Paula",
        last_name="Quiroga",
        licence="MN 109640",
        email="paula.quiroga@demo.test",
        specialties=("pediatria",),
        biography="Pediatra de cabecera, desde el nacimiento hasta la adolescencia. Responde "
        "dudas de lactancia y sueño, y coordina el vacunatorio de la sede.",
        desks=(
            Desk(
                "parque",
                None,
                ("12345 09:00-13:00", "1245 15:00-18:00"),
                (
                    Offer("consulta-pediatrica", price=30000, weight=5),
                    Offer("control-nino-sano", price=34000),
                    Offer("vacunacion", weight=2),
                ),
            ),
        ),
        load=(0.05, 0.18),
    ),
    Doctor(
        slug="esteban-villalba",
        title="Dr.",
        first_name="Esteban",
        last_name="Villalba",
        licence="MN 131958",
        email="esteban.villalba@demo.test",
        specialties=("pediatria",),
        biography="Pediatra, con formación en alergia infantil. Atiende los sábados por la mañana.",
        desks=(
            Desk(
                "belgrano",
                20,
                ("135 14:00-20:00", "6 09:00-13:00"),
                (Offer("consulta-pediatrica", weight=5), Offer("control-nino-sano")),
            ),
        ),
        load=(0.04, 0.13),
    ),
    Doctor(
        slug="carolina-iturbe",
        title="Dra.",
        first_name="Carolina",
        last_name="Iturbe",
        licence="MN 102233",
        email="carolina.iturbe@demo.test",
        specialties=("cardiologia", "clinica-medica"),
        biography="Cardióloga clínica. Trabaja en prevención cardiovascular e hipertensión, en "
        "las dos sedes.",
        desks=(
            Desk(
                "parque",
                None,
                ("13 08:00-13:00",),
                (
                    Offer("consulta-cardiologica", price=42000, weight=5),
                    Offer("electrocardiograma", price=18000),
                ),
            ),
            Desk(
                "belgrano",
                30,
                ("24 14:00-19:00",),
                (Offer("consulta-cardiologica", price=42000),),
            ),
        ),
    ),
    Doctor(
        slug="ricardo-sanabria",
        title="Dr.",
        first_name="Ricardo",
        last_name="Sanabria",
        licence="MN 74190",
        email="ricardo.sanabria@demo.test",
        specialties=("cardiologia",),
        biography="Cardiólogo con más de treinta años de consultorio. Dirige el laboratorio de "
        "ergometría.",
        desks=(
            Desk(
                "parque",
                None,
                ("245 08:00-16:00",),
                (
                    Offer("consulta-cardiologica", price=45000, weight=4),
                    Offer("ergometria", price=60000, asked_for=True, after=15),
                    Offer("electrocardiograma", price=18000, weight=2),
                ),
            ),
        ),
        weekly_off=(("245 12:00-12:45", "Almuerzo"),),
        away=((2, 12, "Vacaciones"),),
    ),
    Doctor(
        slug="veronica-lujan",
        title="Dra.",
        first_name="Verónica",
        last_name="Luján",
        licence="MN 88526",
        email="veronica.lujan@demo.test",
        specialties=("ginecologia",),
        biography="Ginecóloga y obstetra. Acompaña el embarazo y los controles de toda edad.",
        desks=(
            Desk(
                "parque",
                30,
                ("124 08:00-14:00",),
                (
                    Offer("consulta-ginecologica", price=38000, weight=5),
                    Offer("papanicolaou", price=41000),
                    Offer("ecografia-obstetrica", price=52000, asked_for=True, weight=2),
                ),
            ),
        ),
    ),
    Doctor(
        slug="natalia-ferrando",
        title="Dra.",
        first_name="Natalia",
        last_name="Ferrando",
        licence="MN 140071",
        email="natalia.ferrando@demo.test",
        specialties=("ginecologia",),
        biography="Ginecóloga, con dedicación a la adolescencia y a la anticoncepción.",
        desks=(
            Desk(
                "belgrano",
                30,
                ("35 13:00-19:00",),
                (Offer("consulta-ginecologica", weight=4), Offer("papanicolaou")),
            ),
        ),
    ),
    Doctor(
        slug=FULL,
        title="Dra.",
        first_name="Soledad",
        last_name="Maidana",
        licence="MN 95874",
        email="soledad.maidana@demo.test",
        specialties=("dermatologia",),
        biography="Dermatóloga. Control de lunares con dermatoscopía digital y enfermedades de la "
        "piel en la infancia.",
        desks=(
            Desk(
                "parque",
                20,
                ("135 09:00-13:00",),
                (
                    Offer("consulta-dermatologica", price=40000, weight=9),
                    Offer("crioterapia", minutes=20, online_for=OnlineFor.STAFF, weight=1),
                ),
            ),
        ),
        load=(0.12, 1.0),
    ),
    Doctor(
        slug="gonzalo-etchart",
        title="Dr.",
        first_name="Gonzalo",
        last_name="Etchart",
        licence="MN 121509",
        email="gonzalo.etchart@demo.test",
        specialties=("traumatologia",),
        biography="Traumatólogo y ortopedista. Rodilla, hombro y lesiones del deporte.",
        desks=(
            Desk(
                "belgrano",
                20,
                ("1234 08:00-12:00", "13 16:00-19:00"),
                (Offer("consulta-traumatologica", price=36000, weight=5),),
            ),
            Desk(
                "parque",
                30,
                ("5 14:00-18:00",),
                (
                    Offer("consulta-traumatologica", price=36000),
                    Offer("infiltracion", price=55000, asked_for=True, after=10, weight=2),
                ),
            ),
        ),
    ),
    Doctor(
        slug="federico-bustos",
        title="Lic.",
        first_name="Federico",
        last_name="Bustos",
        licence="MN 11873",
        email="federico.bustos@demo.test",
        specialties=("kinesiologia",),
        biography="Kinesiólogo. Rehabilitación después de operaciones de rodilla y cadera.",
        desks=(
            Desk(
                "belgrano",
                None,
                ("12345 08:00-16:00",),
                (Offer("sesion-kinesiologia", price=22000, weight=6), Offer("evaluacion-kinesica")),
            ),
        ),
        weekly_off=(("12345 12:00-13:00", "Almuerzo"),),
        load=(0.06, 0.22),
    ),
    Doctor(
        slug="mariela-ocampo",
        title="Lic.",
        first_name="Mariela",
        last_name="Ocampo",
        licence="MN 13406",
        email="mariela.ocampo@demo.test",
        specialties=("kinesiologia",),
        biography="Kinesióloga y osteópata. Columna, contracturas y reeducación de la postura.",
        desks=(
            Desk(
                "belgrano",
                None,
                ("2345 13:00-20:00", "6 09:00-13:00"),
                (Offer("sesion-kinesiologia", price=22000, weight=6), Offer("evaluacion-kinesica")),
            ),
        ),
        away=((-5, 7, "Vacaciones"),),
        load=(0.06, 0.22),
    ),
    Doctor(
        slug="julieta-caride",
        title="Lic.",
        first_name="Julieta",
        last_name="Caride",
        licence="MN 7719",
        email="julieta.caride@demo.test",
        specialties=("nutricion",),
        biography="Nutricionista. Alimentación en la diabetes, celiaquía y embarazo. Sin dietas "
        "imposibles.",
        desks=(
            Desk(
                "parque",
                30,
                ("24 10:00-18:00",),
                (
                    Offer("primera-nutricion", price=35000),
                    Offer("control-nutricion", price=26000, online_for=OnlineFor.KNOWN, weight=5),
                ),
            ),
        ),
        weekly_off=(("24 13:00-14:00", "Almuerzo"),),
    ),
)
