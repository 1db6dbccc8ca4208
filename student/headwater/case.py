"""The shape of the table's rows."""

from __future__ import annotations

from typing import NamedTuple


class Cause(NamedTuple):
    id: str
    why: str
    fix: str
    probe: str
    step: str | None = None
    general: dict | None = None  # words for the page where those of cases.GENERAL do not fit


class Case(NamedTuple):
    id: str
    title: str
    symptoms: tuple
    causes: tuple
