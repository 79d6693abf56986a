"""Addresses of a practice's pages, through whichever door the page was opened."""

from __future__ import annotations

from typing import Any

from django import template

from appointments.views.practice import Practice

register = template.Library()


@register.simple_tag
def practice_url(practice: Practice, name: str, *args: Any) -> str:
    """``{% practice_url practice "hours_at" location.slug %}``"""
    return practice.url(name, *args)
