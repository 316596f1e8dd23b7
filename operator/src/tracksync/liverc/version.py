"""The parser's version: rows that an older one read are fetched and read again."""

from __future__ import annotations

from typing import Final

PARSER_VERSION: Final = 1
"""Raise it whenever the same page would give other values than before."""
