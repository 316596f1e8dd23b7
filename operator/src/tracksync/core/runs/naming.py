"""Deterministic names: the same run and attempt always give the same name, so every create can be repeated."""

from __future__ import annotations

import hashlib
from typing import Final

MAX_JOB_NAME: Final = 52
"""A pod's name is its Job's name, an index and six more characters; it has to stay a host name label of 63."""
MAX_LABEL: Final = 63
_HASH_LENGTH: Final = 8


def job_name(name: str, uid: str, attempt: int) -> str:
    """Return the name of an attempt's Job.

    The hash covers the TrackSyncJob's uid, so that one that is deleted and created again never meets the old Job.
    """
    suffix = f"-{_short_hash(f'{name}/{uid}')}-a{attempt}"
    return _shorten(name, MAX_JOB_NAME - len(suffix)) + suffix


def label_value(name: str) -> str:
    """Return the name itself where it fits into a label, else a shortened form with a hash."""
    if len(name) <= MAX_LABEL:
        return name
    suffix = f"-{_short_hash(name)}"
    return _shorten(name, MAX_LABEL - len(suffix)) + suffix


def event_name(name: str, uid: str, reason: str) -> str:
    """Return the name of the one Event object per TrackSyncJob and reason."""
    return f"{_shorten(name, 200)}.{_short_hash(f'{uid}/{reason}')}"


def _shorten(name: str, length: int) -> str:
    """Return the beginning of the name as one label: dots become hyphens, no hyphen at the end."""
    return name.replace(".", "-")[:length].rstrip("-")


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_HASH_LENGTH]
