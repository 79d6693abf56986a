"""A line of a mail: what it is, and what it says."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fact:
    label: str
    value: str
