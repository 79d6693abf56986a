"""What the demo clinic is: its name, places, specialties and services."""

from __future__ import annotations

from dataclasses import dataclass

ORGANIZATION = {
    "name": "Centro Médico del Parque",
    "phone": "+541155550100",
    "urgent_phone": "107 (SAME)",
    "email": "turnos@centromedicodelparque.test",
    "min_notice_minutes": 60,
    "horizon_days": 60,
    "cancel_notice_hours": 24,
    "slot_step": 15,
    "show_prices": True,
    "request_expiry_hours": 72,
    "reminders": "48, 24",
}


@dataclass(frozen=True, slots=True)
class Place:
    slug: str
    name: str
    address: str
    directions: str
    phone: str
    rooms: tuple[str, ...]


PLACES = (
    Place(
        "parque",
        "Sede Parque Centenario",
        "Av. Ángel Gallardo 760, Ciudad Autónoma de Buenos Aires",
        "Subte B, estación Ángel Gallardo, a dos cuadras. Rampa y ascensor en la entrada.",
        "+541155550110",
        (
            "Consultorio 1",
            "Consultorio 2",
            "Consultorio 3",
            "Consultorio 4",
            "Sala de ecografías",
            "Sala de procedimientos",
            "Vacunatorio",
        ),
    ),
    Place(
        "belgrano",
        "Sede Belgrano",
        "Av. Cabildo 2380, piso 3, Ciudad Autónoma de Buenos Aires",
        "Subte D, estación Juramento, a una cuadra. Timbre 3, ascensor hasta el tercer piso.",
        "+541155550120",
        ("Consultorio A", "Consultorio B", "Consultorio C", "Gimnasio de kinesiología"),
    ),
)

#: Short name for links, and the name.
SPECIALTIES = {
    "clinica-medica": "Clínica médica",
    "pediatria": "Pediatría",
    "cardiologia": "Cardiología",
    "ginecologia": "Ginecología",
    "dermatologia": "Dermatología",
    "traumatologia": "Traumatología",
    "kinesiologia": "Kinesiología",
    "nutricion": "Nutrición",
}


#: Invented, in the way they are called: short name for links, and the name.
INSURERS = {
    "osmer": "OSMER Obra Social de la Mercadería",
    "salud-rioplatense": "Salud Rioplatense",
    "mutual-del-parque": "Mutual del Parque",
    "prevenir-medica": "Prevenir Médica",
    "ospel": "OSPEL Personal de Librerías",
    "medicina-austral": "Medicina Austral",
}


@dataclass(frozen=True, slots=True)
class Visit:
    """A service: its specialty, name and length, and what patients should know or bring."""

    specialty: str
    name: str
    minutes: int
    preparation: str = ""
    #: Where it has to take place, if not in any consulting room.
    room: str = ""
    #: Why people come. Reasons are theirs to give, so most leave them out.
    reasons: tuple[str, ...] = ()


SERVICES = {
    "consulta-clinica": Visit(
        "clinica-medica",
        "Consulta de clínica médica",
        20,
        "Traer los estudios anteriores y la lista de los medicamentos que toma.",
        reasons=("Control de presión", "Cansancio", "Dolor de cabeza", "Traigo resultados"),
    ),
    "chequeo-anual": Visit(
        "clinica-medica",
        "Chequeo anual",
        40,
        "Ayuno de 8 horas. Se puede tomar agua. Traer el carnet de vacunación.",
        reasons=("Chequeo de todos los años",),
    ),
    "apto-fisico": Visit(
        "clinica-medica",
        "Certificado de apto físico",
        20,
        "Venir con ropa cómoda. Traer el formulario del club o de la escuela, si lo hay.",
        reasons=("Apto para el gimnasio", "Apto para correr", "Apto para la pileta"),
    ),
    "consulta-pediatrica": Visit(
        "pediatria",
        "Consulta pediátrica",
        20,
        "Traer la libreta sanitaria.",
        reasons=("Fiebre desde ayer", "Tos de noche", "Le duele un oído", "No quiere comer"),
    ),
    "control-nino-sano": Visit(
        "pediatria",
        "Control de niño sano",
        30,
        "Traer la libreta sanitaria y el carnet de vacunas.",
        reasons=("Control del mes", "Control para la escuela"),
    ),
    "vacunacion": Visit(
        "pediatria",
        "Vacunación",
        15,
        "Traer el carnet de vacunas. Después se esperan 15 minutos en la sala.",
        room="Vacunatorio",
    ),
    "consulta-cardiologica": Visit(
        "cardiologia",
        "Consulta cardiológica",
        30,
        "Traer los electrocardiogramas y análisis anteriores.",
        reasons=("Control anual", "Palpitaciones", "Ajuste de la medicación"),
    ),
    "electrocardiograma": Visit(
        "cardiologia",
        "Electrocardiograma",
        20,
        "No ponerse crema en el pecho ese día.",
        room="Sala de procedimientos",
    ),
    "ergometria": Visit(
        "cardiologia",
        "Ergometría",
        45,
        "Ropa y calzado deportivos. Comida liviana hasta 2 horas antes. "
        "Preguntar antes si hay que suspender algún medicamento.",
        room="Sala de procedimientos",
    ),
    "consulta-ginecologica": Visit(
        "ginecologia",
        "Consulta ginecológica",
        30,
        "Traer el último papanicolaou y la última ecografía, si los tiene.",
        reasons=("Control anual", "Traigo resultados"),
    ),
    "papanicolaou": Visit(
        "ginecologia",
        "Papanicolaou y colposcopía",
        30,
        "No usar óvulos ni cremas en las 48 horas anteriores.",
    ),
    "ecografia-obstetrica": Visit(
        "ginecologia",
        "Ecografía obstétrica",
        30,
        "Tomar dos vasos de agua una hora antes. Traer las ecografías anteriores.",
        room="Sala de ecografías",
    ),
    "consulta-dermatologica": Visit(
        "dermatologia",
        "Consulta dermatológica",
        20,
        "Venir sin maquillaje ni esmalte en las uñas.",
        reasons=("Control de lunares", "Acné", "Mancha en la espalda", "Picazón en los brazos"),
    ),
    "crioterapia": Visit(
        "dermatologia",
        "Crioterapia de lesiones",
        30,
        "Después no hay que tomar sol en la zona durante dos semanas.",
        room="Sala de procedimientos",
    ),
    "consulta-traumatologica": Visit(
        "traumatologia",
        "Consulta de traumatología",
        20,
        "Traer radiografías y resonancias, en papel o en CD.",
        reasons=("Dolor de rodilla", "Dolor de espalda", "Esguince", "Control del yeso"),
    ),
    "infiltracion": Visit(
        "traumatologia",
        "Infiltración",
        30,
        "Avisar si toma anticoagulantes. Venir con alguien que acompañe a la vuelta.",
        room="Sala de procedimientos",
    ),
    "sesion-kinesiologia": Visit(
        "kinesiologia",
        "Sesión de kinesiología",
        45,
        "Traer la orden médica, una toalla y ropa cómoda.",
        room="Gimnasio de kinesiología",
    ),
    "evaluacion-kinesica": Visit(
        "kinesiologia",
        "Evaluación kinésica",
        60,
        "Traer la orden médica y los estudios.",
        reasons=("Después de la operación de rodilla", "Contractura de cuello"),
    ),
    "primera-nutricion": Visit(
        "nutricion",
        "Primera consulta de nutrición",
        60,
        "Anotar lo que come durante tres días y traer los últimos análisis de sangre.",
        reasons=("Quiero comer mejor", "Me lo indicó la cardióloga", "Celiaquía"),
    ),
    "control-nutricion": Visit(
        "nutricion",
        "Control de nutrición",
        30,
        "Traer el registro de comidas.",
    ),
}

#: Why the clinic itself had to cancel: the patient reads it.
CANCELLED_BY_STAFF = (
    "Suspendimos la atención de ese día por enfermedad. Puede elegir otro horario.",
    "El equipo está en reparación. Llámenos para elegir otro día.",
    "Ese día hay un congreso y no se atiende.",
    "Hay un corte de luz programado en la sede.",
    "Cancelado a pedido suyo, por teléfono.",
)
