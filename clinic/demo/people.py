"""The patients of the demo: families, couples, people alone. All of them invented."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from accounts.models import Relation
from clinic.text import normalise

PATIENTS = 150
FAMILIES = 26


def names(lines: str) -> list[str]:
    return lines.split()


WOMEN = names(
    """
    Agustina Alejandra Alicia Ana Andrea Ángela Antonella Beatriz Brenda Camila Candela Carla
    Cecilia Clara Daniela Elena Elsa Florencia Gabriela Graciela Guadalupe Irene Jimena
    Josefina Karina Lorena Luciana Magdalena Malena Marcela Marta Micaela Mónica Noemí Norma
    Patricia Pilar Rocío Rosa Sabrina Silvia Sofía Susana Teresa Valentina Victoria Yanina
    Zulema
    """
)
MEN = names(
    """
    Adrián Agustín Alberto Andrés Ariel Bautista Bruno Carlos Claudio Damián Daniel Darío
    Diego Eduardo Emilio Enrique Ernesto Fabián Facundo Felipe Fernando Francisco Gabriel
    Germán Guillermo Gustavo Héctor Hernán Horacio Hugo Ignacio Iván Joaquín Jorge Julián
    Leandro Lucas Marcelo Mateo Matías Nicolás Norberto Oscar Pablo Rubén Santiago Sergio
    Tobías Vicente
    """
)
SURNAMES = names(
    """
    Abate Aguirre Alegre Almada Alsina Amaya Arce Arias Avellaneda Ayala Baigorria Barrios
    Basualdo Benegas Bianchi Bordón Brizuela Burgos Cabral Cáceres Campos Cardozo Carranza
    Castillo Centurión Chaves Colombo Córdoba Coronel Correa Costa Cuello Dávila Domínguez
    Duarte Escobar Esquivel Farías Figueroa Franco Funes Galeano Gallardo Gauna Giménez Godoy
    Guerra Heredia Ibarra Juárez Ledesma Leiva Lezcano Lucero Luna Maldonado Mansilla Medina
    Miranda Montenegro Moreyra Moyano Navarro Núñez Ojeda Ortega Páez Palacios Pereyra Ponce
    Quinteros Rearte Rinaldi Robles Roldán Rossi Saavedra Salinas Sequeira Sosa Tapia Toledo
    Uribe Valdez Vallejos Vázquez Vega Velázquez Yáñez Zárate
    """
)


@dataclass(slots=True)
class Person:
    """A patient to be; ``email`` with an ``account``, or only to be written to."""

    first_name: str
    last_name: str
    born: dt.date
    woman: bool
    email: str = ""
    account: bool = False
    phone: str = ""
    document: str = ""
    #: The person whose account acts for this one, and as what.
    cared_for_by: Person | None = None
    relation: Relation = Relation.SELF

    def age(self, today: dt.date) -> int:
        return (today - self.born).days // 365


@dataclass(slots=True)
class Registry:
    """Hands out names, numbers and birth dates, none of them twice."""

    today: dt.date
    rng: random.Random
    used: set[str] = field(default_factory=set)
    phones: int = 0

    def person(
        self, *, age: tuple[int, int], last_name: str = "", woman: bool | None = None
    ) -> Person:
        is_woman = self.rng.random() < 0.54 if woman is None else woman
        while True:
            first = self.rng.choice(WOMEN if is_woman else MEN)
            last = last_name or self.rng.choice(SURNAMES)
            if f"{first} {last}" not in self.used:
                break
        self.used.add(f"{first} {last}")
        days = self.rng.randint(age[0] * 365 + 10, age[1] * 365 + 300)
        born = self.today - dt.timedelta(days=days)
        return Person(first, last, born, is_woman, document=self.document(born))

    def document(self, born: dt.date) -> str:
        """Eight digits, about as high as those given out in that year."""
        millions = max(5, min(70, 10 + (born.year - 1950) * 2 // 3 + max(0, born.year - 2004)))
        return str(millions * 1_000_000 + self.rng.randint(0, 999_999))

    def telephone(self) -> str:
        self.phones += 1
        return f"+549115555{1000 + self.phones:04d}"

    def reachable(self, person: Person, *, account: float, email: float) -> None:
        """Adults have a telephone; some write e-mails, some have an account."""
        person.phone = self.telephone()
        lot = self.rng.random()
        if lot < account + email:
            name = normalise(f"{person.first_name}.{person.last_name}").replace(" ", "")
            person.email = f"{name}@demo.test"
            person.account = lot < account


def demo_family(registry: Registry) -> list[Person]:
    """The one behind paciente@demo.test: a mother and her three children."""
    today = registry.today
    mother = Person("Mariana", "Sosa", dt.date(today.year - 38, 4, 12), woman=True)
    mother.email, mother.account = "paciente@demo.test", True
    mother.phone = registry.telephone()
    children = [
        Person("Tomás", "Acosta Sosa", dt.date(today.year - 9, 2, 20), woman=False),
        Person("Julia", "Acosta Sosa", dt.date(today.year - 4, 1, 8), woman=True),
    ]
    # Of age now: she could have an account of her own.
    children.append(Person("Carla", "Acosta Sosa", dt.date(today.year - 19, 1, 5), woman=True))
    for child in children:
        child.cared_for_by, child.relation = mother, Relation.CHILD
    for person in (mother, *children):
        person.document = registry.document(person.born)
        registry.used.add(f"{person.first_name} {person.last_name}")
    return [mother, *children]


def family(registry: Registry) -> Iterator[Person]:
    """A parent with an account, children, sometimes the other parent or a grandmother."""
    rng = registry.rng
    parent = registry.person(age=(27, 46))
    registry.reachable(parent, account=1, email=0)
    yield parent
    for _n in range(rng.choice((1, 1, 2, 2, 3))):
        child = registry.person(age=(0, 14), last_name=parent.last_name)
        child.cared_for_by, child.relation = parent, Relation.CHILD
        yield child
    if rng.random() < 0.4:
        partner = registry.person(age=(27, 50), woman=not parent.woman)
        registry.reachable(partner, account=0.3, email=0.4)
        yield partner
    if rng.random() < 0.25:
        elder = registry.person(age=(66, 88), last_name=parent.last_name)
        elder.phone = parent.phone
        elder.cared_for_by, elder.relation = parent, Relation.PARENT
        yield elder


def everybody(today: dt.date, rng: random.Random) -> list[Person]:
    """The 150, the demo account's family first."""
    registry = Registry(today, rng)
    found = demo_family(registry)
    for _n in range(FAMILIES):
        found.extend(family(registry))
    while len(found) < PATIENTS:
        person = registry.person(age=rng.choice(((16, 30), (30, 60), (55, 90))))
        registry.reachable(person, account=0.25, email=0.3)
        found.append(person)
    return found[:PATIENTS]
