"""Settings of the processes, read once from the environment by a composition root and handed down frozen.

The only module that reads the environment. Precedence: TrackSyncJob spec, then these settings, then the defaults.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from tracksync.api.identity import TERMINATION_LOG_PATH
from tracksync.api.job import TrackSyncJobSpec  # noqa: TC001 -- pydantic resolves the annotation at run time
from tracksync.api.source import SourceEntry
from tracksync.core.tracks.history import KEEP_DAYS, LEAST_KEEP_DAYS
from tracksync.errors import SettingsError

_PREFIX = "TRACKSYNC_"
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]
HistoryDays = Annotated[int, Field(ge=LEAST_KEEP_DAYS, le=36_500)]


class _Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, frozen=True, extra="ignore", use_attribute_docstrings=True, env_parse_none_str=""
    )

    @classmethod
    def read(cls, **overrides: Any) -> Self:
        """Read the environment.

        Raises:
            SettingsError: a variable is missing or unusable; each one is named, without its value.
        """
        try:
            return cls(**overrides)
        except ValidationError as error:
            raise SettingsError(explain(error, prefix=str(cls.model_config["env_prefix"]))) from None


def explain(error: ValidationError, *, prefix: str = "") -> str:
    """Return one line that names each bad field and what is wrong with it; values are left out, they may be secret."""
    return "; ".join(
        f"{_field_name(problem['loc'], prefix)}: {problem['msg']}"
        for problem in error.errors(include_url=False, include_input=False, include_context=False)
    )


def _field_name(location: tuple[str | int, ...], prefix: str) -> str:
    """Return the environment variable's name, or the dotted path in a document when there is no prefix."""
    path = ".".join(str(part) for part in location)
    return f"{prefix}{path.upper()}" if prefix else path


class WorkerSettings(_Settings):
    """What the operator tells a worker pod; nothing of it is secret."""

    run_namespace: str
    """Namespace of the TrackSyncJob."""
    run_name: str
    """Name of the TrackSyncJob."""
    run_id: str
    """The TrackSyncJob's uid, which is the run's id in the ledger."""
    attempt: Annotated[int, Field(ge=1)] = 1
    """Number of the attempt."""
    spec: TrackSyncJobSpec
    """The TrackSyncJob's spec, as JSON."""
    source: SourceEntry
    """The installation's entry of the source, as JSON."""
    database_url_file: Path
    """File with the database URL, mounted from the secret."""
    termination_log: Path = Path(TERMINATION_LOG_PATH)
    """Where the kubelet expects the last word."""
    history_days: HistoryDays = KEEP_DAYS
    """Days for which the ledger remembers finished runs."""
    log_level: LogLevel = "INFO"
    """DEBUG, INFO, WARNING or ERROR."""


class ApiServerSettings(_Settings):
    """Where a pod finds its API server, as the kubelet tells every container."""

    model_config = SettingsConfigDict(env_prefix="KUBERNETES_")

    service_host: str = "kubernetes.default.svc"
    """Address of the API server; the default is its name in the cluster's DNS."""
    service_port: Annotated[int, Field(ge=1, le=65535)] = 443
    """Port of the API server."""

    @property
    def url(self) -> str:
        """URL of the API server."""
        host = f"[{self.service_host}]" if ":" in self.service_host else self.service_host
        return f"https://{host}:{self.service_port}"


class OperatorSettings(_Settings):
    """What the installation tells the operator."""

    worker_image: str
    """Image of the worker pods; normally the operator's own."""
    worker_image_pull_policy: str = "IfNotPresent"
    """Image pull policy of the worker pods."""
    sources_file: Path
    """YAML list of the sources that this installation allows (see `api.source.SourceEntry`)."""
    watch_namespaces: str = ""
    """Comma-separated namespaces to watch; empty watches the whole cluster."""
    resync_seconds: Annotated[float, Field(ge=1)] = 120.0
    """How often every TrackSyncJob is looked at without an event, in seconds."""
    max_active_runs: Annotated[int, Field(ge=0)] = 0
    """Runs that may be active at once in the whole installation; 0 is no limit. The others are Queued."""
    max_active_runs_per_namespace: Annotated[int, Field(ge=0)] = 0
    """Runs that may be active at once in one namespace; 0 is no limit. The others are Queued."""
    history_days: HistoryDays = KEEP_DAYS
    """Days for which a database's ledger remembers finished runs; every worker forgets older ones at its end."""
    liveness_port: Annotated[int, Field(ge=0, le=65535)] = 8080
    """Port of the liveness probe; 0 switches it off (an operator started by hand)."""
    log_level: LogLevel = "INFO"
    """DEBUG, INFO, WARNING or ERROR."""

    @property
    def namespaces(self) -> tuple[str, ...]:
        """Namespaces to watch; empty for the whole cluster."""
        return tuple(name.strip() for name in self.watch_namespaces.split(",") if name.strip())


class CliSettings(_Settings):
    """Defaults of the command line's options."""

    database_url: str | None = None
    """PostgreSQL URL of the commands that need a database."""
    data_dir: Annotated[Path, Field(default_factory=lambda: Path.home() / ".local" / "share" / "tracksync")]
    """Where `tracksync run` keeps its embedded database when no URL is given."""


def read_sources(path: Path) -> dict[str, SourceEntry]:
    """Return the installation's sources by name.

    Raises:
        SettingsError: the file is unreadable or an entry is invalid; the entry and field are named.
    """
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise SettingsError(f"TRACKSYNC_SOURCES_FILE: cannot read {path}: {error}") from error
    entries = document.get("sources") if isinstance(document, dict) else None
    if not isinstance(entries, list) or not entries:
        raise SettingsError(f"{path}: expected a mapping with a non-empty list `sources`")
    try:
        sources = [SourceEntry.model_validate(entry) for entry in entries]
    except ValidationError as error:
        raise SettingsError(f"{path}: sources: {explain(error)}") from None
    return {source.name: source for source in sources}
