"""How kopf is told to behave: patient, silent, and without any state of its own. The only module with its settings."""

from __future__ import annotations

import logging
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import kopf
from typing_extensions import override  # in `typing` from Python 3.12 on; pydantic brings it

from tracksync.api.identity import KOPF_FINALIZER, KOPF_PREFIX
from tracksync.controller.handlers import CHILD_SELECTOR

if TYPE_CHECKING:
    from collections.abc import Iterator

EXIT_SECONDS: Final = 20.0
"""After SIGTERM; below the pod's grace period of 30 s."""
_LONGEST_BACKOFF: Final = 30.0
_CREDENTIALS_LIFETIME: Final = timedelta(minutes=10)


def _drop_extras(record: logging.LogRecord) -> bool:
    """Take from kopf's record what is no information (its whole settings object, every time), and keep the record."""
    for name in ("settings", "k8s_skip"):
        record.__dict__.pop(name, None)
    return True


def quieten_kopf() -> None:
    """Let kopf speak of problems only: it would log a line for every event that it routes and every probe."""
    for name in ("kopf.objects", "kopf.activities", "aiohttp.access"):
        logger = logging.getLogger(name)
        logger.setLevel(logging.WARNING)
        logger.addFilter(_drop_extras)


def register_login(registry: kopf.OperatorRegistry) -> None:
    """Let kopf use the pod's service account, else the file that KUBECONFIG names; an own registry has no default."""

    @kopf.on.login(id="login", registry=registry)
    async def login(**kwargs: Any) -> kopf.ConnectionInfo | None:
        info = kopf.login_with_service_account(**kwargs) or kopf.login_with_kubeconfig(**kwargs)
        if info is None:
            return None
        return replace(info, expiration=datetime.now(UTC) + _CREDENTIALS_LIFETIME)


class EndlessBackoff:
    """Delays between kopf's tries of one API request: exponential with jitter, capped, and never at their end.

    kopf drops the event whose request ran out of tries (reliability §3.1).
    """

    def __iter__(self) -> Iterator[float]:
        """Start anew for each request."""
        ceiling = 1.0
        while True:
            yield random.uniform(ceiling / 2, ceiling)  # noqa: S311 -- jitter
            ceiling = min(_LONGEST_BACKOFF, ceiling * 2)


class NoDifferences(kopf.DiffBaseStorage):
    """Remembers nothing: no handler asks what changed, and kopf would copy each object for it (4 ms an event)."""

    @override
    def build(self, *, body: kopf.Body, extra_fields: object = None) -> kopf.BodyEssence:
        """Return nothing to compare."""
        return kopf.BodyEssence()

    @override
    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:
        """Return that nothing was remembered."""
        return None

    @override
    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        """Write nothing."""


def kopf_settings(*, namespaced: bool) -> kopf.OperatorSettings:
    """Return kopf's settings; the reasons are in the design's reliability page, section 3."""
    settings = kopf.OperatorSettings()
    settings.networking.error_backoffs = EndlessBackoff()
    settings.networking.request_timeout = 30
    settings.networking.connect_timeout = 10
    settings.watching.server_timeout = 300
    settings.watching.client_timeout = 330
    settings.watching.connect_timeout = 10
    settings.watching.inactivity_timeout = 70
    settings.watching.chunk_size = 500
    for kind in ("jobs", "pods"):
        settings.watching.label_selectors["batch" if kind == "jobs" else "", "v1", kind] = CHILD_SELECTOR
    settings.queueing.worker_limit = None
    settings.queueing.exit_timeout = 10
    settings.queueing.error_delays = (1, 2, 5, 10, 20, 30, 60)
    settings.process.ultimate_exiting_timeout = EXIT_SECONDS
    settings.execution.max_workers = 2
    settings.posting.enabled = False
    settings.scanning.disabled = namespaced
    settings.persistence.finalizer = KOPF_FINALIZER
    settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=KOPF_PREFIX)
    settings.persistence.diffbase_storage = NoDifferences()
    return settings
