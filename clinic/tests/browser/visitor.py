"""Somebody in front of a browser: who they are, what they see it with, where they go."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.test import Client
from playwright.sync_api import BrowserContext, Page
from playwright.sync_api import Error as PlaywrightError

from accounts.models import User
from accounts.roles import Role
from clinic.demo.load import ADMINISTRATOR, RECEPTION
from clinic.tests.browser.stops import Stop

EMAILS = {
    Role.PATIENT: "paciente@demo.test",
    Role.PRACTITIONER: "medica@demo.test",
    Role.RECEPTION: RECEPTION,
    Role.ADMINISTRATOR: ADMINISTRATOR,
}
EVERYBODY: list[Role | None] = [None, *EMAILS]

#: Looks at an open page; says what is wrong with it.
Check = Callable[[Page], list[str]]


@dataclass(frozen=True, slots=True)
class Look:
    """How somebody sees the site."""

    width: int = 1280
    height: int = 900
    dark: bool = False
    language: str = "es"
    javascript: bool = True

    def __str__(self) -> str:
        return f"{self.width}-{'dark' if self.dark else 'light'}-{self.language}"


WIDE = Look()
#: The longer words go onto the smaller screen.
PHONE = Look(320, 640, dark=True)
#: Everything is walked through in these two: both screens, both languages, light and dark.
WALKS = [Look(language="en"), PHONE]


@dataclass(slots=True)
class Visitor:
    """Opens the site as anybody, with any screen."""

    base: str
    new_context: Callable[..., BrowserContext]

    @property
    def host(self) -> str:
        return urlsplit(self.base).netloc

    def browser(self, role: Role | None = None, look: Look = WIDE) -> BrowserContext:
        """A fresh browser; somebody with a role is logged in already."""
        context = self.new_context(
            base_url=self.base,
            viewport={"width": look.width, "height": look.height},
            color_scheme="dark" if look.dark else "light",
            java_script_enabled=look.javascript,
        )
        context.set_default_timeout(20_000)
        cookies = {settings.LANGUAGE_COOKIE_NAME: look.language}
        if role is not None:
            client = Client()
            user = User.objects.get(email=EMAILS[role])
            # Who chose a language while logged in has it after the next login, too.
            User.objects.filter(pk=user.pk).update(language=look.language)
            client.force_login(user)
            cookies[settings.SESSION_COOKIE_NAME] = client.cookies["sessionid"].value
        context.add_cookies([{"name": k, "value": v, "url": self.base} for k, v in cookies.items()])
        return context

    def page(self, role: Role | None = None, look: Look = WIDE) -> Page:
        return self.browser(role, look).new_page()

    def survey(
        self, page: Page, stops: Iterable[Stop], checks: Callable[[Stop], list[Check]]
    ) -> dict[str, list[str]]:
        """Opens these pages; what the checks find wrong there, by page."""
        found = {}
        for stop in stops:
            try:
                wrong = visit(page, stop)
                wrong += [line for check in checks(stop) for line in check(page)]
            except PlaywrightError as error:
                wrong = [str(error)[:500]]
            if wrong:
                found[str(stop)] = wrong
        return found


def visit(page: Page, stop: Stop) -> list[str]:
    """Goes there and does what is to be done; the answer, if it is another than expected."""
    response: Any = page.goto(stop.path)
    if stop.act:
        response = stop.act(page) or response
    return [] if response.status == stop.status else [f"answered {response.status}"]


def told(found: dict[str, list[str]]) -> str:
    """What was found, to be read at the end of a failed test."""
    return "\n".join([f"\n{place}\n    {line}" for place, lines in found.items() for line in lines])
