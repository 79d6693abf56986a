"""The administration of the catalogue. What everybody above shares is in ``base``."""

from clinic.admin import catalogue, icons

__all__ = ["catalogue"]

icons.install()
