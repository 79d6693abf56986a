"""How many random cases a property test looks at: few in `make test`, many in `make properties`."""

import os

#: Set by `make properties`, 100,000; without it each test says how few it takes.
FULL = int(os.environ.get("HYPOTHESIS_EXAMPLES", "0"))


def schedules(few: int) -> int:
    """Of what free time stands on: every one of the full run."""
    return FULL or few


def lesser(few: int) -> int:
    """Of the arithmetic below it: a tenth."""
    return FULL // 10 or few


def with_rows(few: int) -> int:
    """Where each case writes rows of its own to a database: a two-hundredth."""
    return FULL // 200 or few


def part(number: int, parts: int) -> int:
    """The share of each, where several tests look at so many together."""
    return -(-number // parts)
