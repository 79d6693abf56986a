"""Who comes when: fills the open time of the demo's schedules, past and to come.

The same day always gets the same visits; what became of them follows from the hour
at which the demo is loaded.
"""

from __future__ import annotations

import datetime as dt
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence

from clinic.demo.book import Book, Desk, Treated, Visit
from clinic.demo.days import FUTURE_DAYS, PAST_DAYS
from clinic.demo.histories import FATES
from clinic.demo.places import SERVICES
from clinic.demo.staff import DOCTOR, FULL, Offer
from clinic.demo.wishes import WISHES, Wish
from scheduling.intervals import Interval, to_instant
from scheduling.models import ServiceOffering
from scheduling.selectors import open_time
from scheduling.wallclock import day_bounds, local_day

#: For so many days from today the practitioner everybody wants has nothing left.
FULL_DAYS = 11
#: From this age on somebody is no longer seen by the pediatrician.
ADULT = 16

#: The open intervals of each schedule (by id), by day.
Opened = dict[int, dict[dt.date, list[Interval]]]


def fill(book: Book, desks: Sequence[Desk]) -> None:
    """Write the visits of three months back and six weeks ahead into the book."""
    zone = desks[0].schedule.location.zone
    today = local_day(book.now, zone)
    first, last = today - dt.timedelta(days=PAST_DAYS), today + dt.timedelta(days=FUTURE_DAYS)
    opened = _open(desks, first, last)
    for wish in WISHES:
        grant(book, wish, desks, opened, today)
    for n in range((last - first).days + 1):
        day = first + dt.timedelta(days=n)
        for desk in desks:
            _fill_day(book, desk, opened[desk.schedule.pk][day], day, today)


def _open(desks: Sequence[Desk], first: dt.date, last: dt.date) -> Opened:
    """From the rules that patients meet, too."""
    zone = desks[0].schedule.location.zone
    bounds = to_instant(day_bounds(first, zone)[0]), to_instant(day_bounds(last, zone)[1])
    found: Opened = {}
    for schedule_id, time in open_time([d.schedule for d in desks], *bounds).items():
        days = found[schedule_id] = defaultdict(list)
        for span in time.free_of_blocks:
            days[local_day(to_instant(span[0]), zone)].append(span)
    return found


# --- the visits that have to be there --------------------------------------------


def grant(book: Book, wish: Wish, desks: Sequence[Desk], opened: Opened, today: dt.date) -> None:
    """Place the wish on its day, or on the nearest further from today."""
    step = dt.timedelta(days=1 if wish.days >= 0 else -1)
    offers = list(_offers(wish, desks))
    day = today + dt.timedelta(days=wish.days)
    for _n in range(28):
        for desk, offer, offering in offers:
            who = _wisher(book, wish, offer, day)
            at = _place(book, wish, desk, offering, opened[desk.schedule.pk][day])
            if who and at:
                book.add(Visit(desk, offer, offering, who, at, wish.fate))
                return
        day += step
    raise LookupError(f"There is no time for {wish}.")


def _offers(wish: Wish, desks: Sequence[Desk]) -> Iterator[tuple[Desk, Offer, ServiceOffering]]:
    for desk in desks:
        for offer, offering in desk.offerings:
            if desk.doctor.slug == wish.doctor and offer.service == wish.service:
                yield desk, offer, offering


def _wisher(book: Book, wish: Wish, offer: Offer, day: dt.date) -> Treated | None:
    rng = random.Random(f"{wish} {day}")
    if wish.who:
        family = book.people[:3]
        found = next(t for t in family if t.person.first_name == wish.who)
        return found if book.may_come(found, day) else None
    # Only who has an account can ask for something online.
    return _somebody(book, offer, day, rng, with_account=wish.fate == "waits")


def _place(
    book: Book, wish: Wish, desk: Desk, offering: ServiceOffering, spans: Sequence[Interval]
) -> int | None:
    starts = [
        at
        for start, end in spans
        for at in range(start, end - offering.minutes + 1, desk.step)
        if book.is_free(desk.practitioner, desk.span(offering, at))
    ]
    if not starts:
        return None
    return starts[-1] if wish.late else random.Random(str(wish)).choice(starts)


# --- the others ------------------------------------------------------------------


def _fill_day(
    book: Book, desk: Desk, spans: Sequence[Interval], day: dt.date, today: dt.date
) -> None:
    rng = random.Random(f"{desk.doctor.slug} {desk.schedule.location.slug} {day}")
    share = _share(desk, (day - today).days)
    for start, end in spans:
        at = start
        while at < end:
            visit = None
            if rng.random() < share:
                visit = _visit(book, desk, at, end, rng, upcoming=day >= today)
            if visit is None:
                at += desk.step
                continue
            book.add(visit)
            if not visit.fate.endswith("cancels"):
                # On to the next time that is offered.
                at = start + -(-(visit.span[1] - start) // desk.step) * (desk.step)


def _share(desk: Desk, days: int) -> float:
    """How much of that day is booked: much around today, less and less further ahead."""
    past, near = desk.doctor.load
    if desk.doctor.slug == FULL and 0 <= days <= FULL_DAYS:
        return 1
    if desk.doctor.slug == DOCTOR and days == 0:
        return 0.85
    if days < -7:
        return past
    return min(near, 0.6) * (1 - max(0, days - 4) / FUTURE_DAYS)


def _visit(
    book: Book, desk: Desk, at: int, end: int, rng: random.Random, *, upcoming: bool
) -> Visit | None:
    """Somebody for this minute, if anything that is offered fits in before ``end``."""
    fitting = [
        (offer, offering)
        for offer, offering in desk.offerings
        if at + offering.minutes <= end and book.is_free(desk.practitioner, desk.span(offering, at))
    ]
    if not fitting:
        return None
    offer, offering = rng.choices(fitting, [offer.weight for offer, _o in fitting])[0]
    day = local_day(to_instant(at), desk.schedule.location.zone)
    fate = rng.choices(list(FATES), list(FATES.values()))[0]
    if offer.asked_for and rng.random() < (0.4 if upcoming else 0.05):
        fate = "waits"
    treated = _somebody(book, offer, day, rng)
    return Visit(desk, offer, offering, treated, at, fate) if treated else None


def _somebody(
    book: Book, offer: Offer, day: dt.date, rng: random.Random, *, with_account: bool = False
) -> Treated | None:
    """Anybody who would come for this and does nothing else here that day."""
    # The demo account's own family has its wishes and no surprises.
    for treated in rng.sample(book.people[3:], 60):
        if (
            _would_come(treated, offer, day)
            and book.may_come(treated, day)
            and (treated.user or not with_account)
        ):
            return treated
    return None


def _would_come(treated: Treated, offer: Offer, day: dt.date) -> bool:
    person, age = treated.person, treated.person.age(day)
    match SERVICES[offer.service].specialty:
        case "pediatria":
            return age < ADULT
        case "ginecologia":
            if offer.service == "ecografia-obstetrica":
                return person.woman and 20 <= age <= 42
            return person.woman and age >= ADULT
        case "cardiologia":
            return age >= 35
        case _:
            return age >= ADULT
