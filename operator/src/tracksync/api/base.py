"""What every model of the wire contract shares: camelCase, frozen, nothing unknown, bounded types."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer
from pydantic.alias_generators import to_camel


def format_timestamp(moment: datetime) -> str:
    """Return the moment as Kubernetes writes it: UTC, whole seconds, a `Z` at the end."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


Timestamp = Annotated[datetime, PlainSerializer(format_timestamp, return_type=str, when_used="json")]
"""A UTC instant that is written as `2026-01-31T02:00:00Z`."""

_DURATION_PATTERN: Final = r"^([0-9]{1,5}h)?([0-9]{1,5}m)?([0-9]{1,7}s)?$"
Duration = Annotated[str, Field(min_length=2, max_length=20, pattern=_DURATION_PATTERN)]
"""A span of time as hours, minutes and seconds, such as `168h`, `90m` or `1h30m`."""


def timedelta_of(duration: str) -> timedelta:
    """Return the span that a `Duration` names; ValueError when it is none."""
    match = re.fullmatch(_DURATION_PATTERN, duration)
    if match is None or not duration:
        raise ValueError(f"{duration!r} is no duration such as 168h, 90m or 1h30m")
    hours, minutes, seconds = (int(part[:-1]) if part else 0 for part in match.groups())
    return timedelta(hours=hours, minutes=minutes, seconds=seconds)


ShortText = Annotated[str, Field(max_length=256)]
Message = Annotated[str, Field(max_length=1024)]
"""Text for people; long enough for a cause and a remedy, short enough for a status."""


class ApiModel(BaseModel):
    """Base of all models: immutable, camelCase on the wire, unknown fields refused."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        use_attribute_docstrings=True,
    )

    def to_wire(self) -> dict[str, object]:
        """Return the model as the API server expects it: camelCase, without unset optional values."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class StoredModel(ApiModel):
    """Base of what is read back from a cluster: a newer version's unknown fields are ignored, not refused."""

    model_config = ConfigDict(extra="ignore")


class ConditionStatus(StrEnum):
    """The three values of a Kubernetes condition."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(StoredModel):
    """One observation about the resource, in the form of the Kubernetes API conventions."""

    type: ShortText
    """Name of the condition, such as Succeeded."""
    status: ConditionStatus
    """True, False or Unknown."""
    reason: ShortText
    """CamelCase word for programs; never empty."""
    message: Message = ""
    """Explanation for people, with the remedy where there is one."""
    last_transition_time: Timestamp
    """When the status last changed from one value to another."""
    observed_generation: Annotated[int, Field(ge=0)] | None = None
    """Generation of the spec that this condition was derived from."""
