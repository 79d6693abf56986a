"""Text as people search for it, without accents, case or doubled spaces; and what leads away."""

import re
import unicodedata
import uuid

MAX_QUERY = 100
#: Between things in one line. It stays with what comes before: no line begins with it.
APART = "\N{NO-BREAK SPACE}· "
#: What mail programs would turn into a link: ``://``, ``www.`` or ``word.tld/``.
WEB_ADDRESS = re.compile(r"://|\bwww\.|\w\.[^\W\d_]{2,}/", re.IGNORECASE)


def normalise(value: str) -> str:
    """``"  Pérez  GÓMEZ "`` → ``"perez gomez"``; the same on every database."""
    decomposed = unicodedata.normalize("NFKD", value)
    plain = "".join(c for c in decomposed if not unicodedata.combining(c))
    return " ".join(plain.casefold().split())


def search_words(query: str) -> list[str]:
    """The words of a query; each has to occur. What nobody types by hand is cut off."""
    return normalise(query[:MAX_QUERY].replace("\x00", " ")).split()[:8]


def uuid_of(text: str) -> uuid.UUID | None:
    """What stands in an address or a hidden field; None if it is none."""
    try:
        return uuid.UUID(text[:40])
    except ValueError:
        return None
