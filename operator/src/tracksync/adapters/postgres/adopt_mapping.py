"""Which column of a predecessor's table becomes which of ours: what the mapping file says, completed with defaults."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from tracksync.adapters.postgres.columns import TRACK_COLUMNS
from tracksync.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

REQUIRED: Final = ("id", "slug", "name", "is_active")
"""Columns that every adopted row has to have; everything else has a default, or may be unknown."""
_NO_CONSTANTS: Final = frozenset({"id", "slug", "source"})
_PARTS: Final = frozenset({"columns", "constants", "ignore"})

Constant = str | int | float | bool


class ZeroTotals(StrEnum):
    """What a total of 0 in the predecessor's table means."""

    UNKNOWN = "unknown"
    KEEP = "keep"


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """What a mapping file says.

    Attributes:
        columns: their column by ours.
        constants: the value of every row, by our column.
        ignored: our columns that are not taken over although theirs is named alike.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, Constant] = field(default_factory=dict)
    ignored: frozenset[str] = frozenset()

    def completed(self, their_columns: frozenset[str], *, table: str) -> Mapping[str, str]:
        """Return their column for each of ours: what the file says, else the one of the same name.

        Raises:
            SettingsError: the file names a column that they do not have, or one of REQUIRED has none.
        """
        for ours, theirs in self.columns.items():
            if theirs not in their_columns:
                known = ", ".join(sorted(their_columns))
                raise SettingsError(f'--mapping: columns.{ours}: {table} has no column "{theirs}"; it has {known}')
        alike: dict[str, str] = {
            name: name for name in TRACK_COLUMNS if name in their_columns and name not in self.ignored
        }
        alike.update(self.columns)
        chosen = {ours: theirs for ours, theirs in alike.items() if ours not in self.constants}
        for name in REQUIRED:
            if name not in chosen and name not in self.constants:
                other = ", or [constants] is_active = true when all are" if name == "is_active" else ""
                raise SettingsError(
                    f'--mapping: {table} has no column "{name}"; say which one it is: [columns] {name} = "their column"'
                    f"{other}"
                )
        return chosen


def read_mapping(path: Path) -> ColumnMapping:
    """Return what the TOML file says.

    Raises:
        SettingsError: it cannot be read, or says something about a column that there is not.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"--mapping: the file cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"--mapping: the file is no TOML: {error}") from None
    return mapping_of(document)


def mapping_of(document: Mapping[str, Any]) -> ColumnMapping:
    """Return the mapping that a document describes; SettingsError names what is wrong with it."""
    unknown = document.keys() - _PARTS
    if unknown:
        raise SettingsError(f"--mapping: {', '.join(sorted(unknown))}: no such part; there are {_listed(_PARTS)}")
    columns, constants, ignored = (_part(document, name) for name in ("columns", "constants", "ignore"))
    for part, names in (("columns", columns), ("constants", constants), ("ignore", ignored)):
        _refuse_unknown(part, names)
    for name, theirs in columns.items():
        if not isinstance(theirs, str) or not theirs:
            raise SettingsError(f'--mapping: columns.{name}: must be the name of their column, as text ("…")')
    for name, value in constants.items():
        _refuse_constant(name, value, is_mapped=name in columns)
    return ColumnMapping(columns, constants, frozenset(ignored))


def _part(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    part = document.get(name, [] if name == "ignore" else {})
    if name == "ignore" and isinstance(part, list) and all(isinstance(column, str) for column in part):
        return dict.fromkeys(part)
    if name == "ignore" or not isinstance(part, dict):
        expected = "a list of our columns" if name == "ignore" else f"a table: [{name}]"
        raise SettingsError(f"--mapping: {name}: must be {expected}")
    return part


def _refuse_unknown(part: str, names: Mapping[str, object]) -> None:
    for name in names:
        if name not in TRACK_COLUMNS:
            raise SettingsError(f"--mapping: {part}.{name}: tracks has no such column; it has {_listed(TRACK_COLUMNS)}")


def _refuse_constant(name: str, value: object, *, is_mapped: bool) -> None:
    if name in _NO_CONSTANTS:
        remedy = "give --source-name" if name == "source" else "map it to a column"
        raise SettingsError(f"--mapping: constants.{name}: cannot be one value for all rows; {remedy}")
    if is_mapped:
        raise SettingsError(f"--mapping: {name}: is in [columns] and in [constants]; leave it in one of them")
    if not isinstance(value, Constant):
        raise SettingsError(f"--mapping: constants.{name}: must be a text, a number, true or false")


def _listed(names: tuple[str, ...] | frozenset[str]) -> str:
    return ", ".join(sorted(names) if isinstance(names, frozenset) else names)
