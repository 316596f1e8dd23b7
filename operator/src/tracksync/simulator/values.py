"""JSON values of switches, read strictly: SettingsError names the switch and what would do."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

from tracksync.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable

Choice = TypeVar("Choice", bound=StrEnum)


def whole_number(name: str, value: object) -> int:
    """Return an integer; a boolean is none."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise SettingsError(f"{name} is {value!r}; give a whole number")


def whole_number_or_none(name: str, value: object) -> int | None:
    """Return an integer, or None for null."""
    return None if value is None else whole_number(name, value)


def number(name: str, value: object) -> float:
    """Return a number; a boolean is none."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    raise SettingsError(f"{name} is {value!r}; give a number")


def choice(kinds: type[Choice], name: str, value: object) -> Choice:
    """Return one of the kinds."""
    try:
        return kinds(str(value))
    except ValueError as error:
        raise SettingsError(f"{name} is {value!r}; give one of {', '.join(kinds)}") from error


def choice_of(kinds: type[Choice]) -> Callable[[str, object], Choice]:
    """Return a reader of values for one of these kinds."""
    return lambda name, value: choice(kinds, name, value)
