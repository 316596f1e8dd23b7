"""One pass over one TrackSyncJob: observe -> decide -> apply -> publish. Nothing depends on which event caused it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, assert_never

import structlog

from tracksync.api.identity import FINALIZER
from tracksync.controller.observe import observe
from tracksync.core.runs.decide import after_refusal, decide
from tracksync.core.runs.plan import (
    AddFinalizer,
    ChangeDeadline,
    CreateJob,
    DeleteJob,
    DeleteRun,
    RemoveFinalizer,
    ReportForWorker,
    WakeAt,
)
from tracksync.core.runs.queue import gives_way, needs_turn
from tracksync.core.runs.reading import mapping
from tracksync.core.runs.status import events, project
from tracksync.errors import ClusterRefusedError

if TYPE_CHECKING:
    from datetime import datetime

    from tracksync.api.job import OperatorStatus
    from tracksync.controller.observe import Ports
    from tracksync.core.runs.model import Key, Manifest, Observed
    from tracksync.core.runs.plan import Action, Plan

_log = structlog.get_logger(__name__)


async def reconcile(key: Key, ports: Ports) -> datetime | None:
    """Bring one TrackSyncJob a step further; return when to look again without an event, or None.

    Raises:
        ClusterUnavailableError: the API server could not be asked; the same pass may be repeated at any time.
    """
    run = await ports.cluster.read_run(key)
    if run is None:
        await ports.queues.wake_next(key.namespace)  # gone, with whatever it held
        return None
    observed = await observe(run, ports)
    if not needs_turn(observed):
        return await _proceed(observed, run, ports)
    async with ports.queues.deciding(run) as turn:
        return await _proceed(replace(observed, turn=turn), run, ports)


async def _proceed(observed: Observed, run: Manifest, ports: Ports) -> datetime | None:
    """Decide, apply, publish; wake whoever waited for what this run gives back."""
    plan, current = await apply(decide(observed), observed, run, ports)
    if current is None:
        return observed.now  # it changed under our hands: look again
    after = project(observed, plan)
    if not await publish(plan, observed, after, current, ports):
        return observed.now
    if gives_way(observed, after):
        await ports.queues.wake_next(observed.key.namespace)
    return min((action.time for action in plan.actions if isinstance(action, WakeAt)), default=None)


async def apply(plan: Plan, observed: Observed, run: Manifest, ports: Ports) -> tuple[Plan, Manifest | None]:
    """Execute the plan's actions; return what remains to be told, and the TrackSyncJob at its new version.

    A refusal by the API server is not an error of the pass: it becomes part of what the status says.
    """
    current: Manifest | None = run
    try:
        for action in plan.actions:
            if current is None:
                break
            current = await _execute(action, observed, current, ports)
    except ClusterRefusedError as refusal:
        _log.warning("action_refused", run=observed.key.text, words=str(refusal))
        return after_refusal(plan, observed, str(refusal)), current
    return plan, current


async def _execute(action: Action, observed: Observed, run: Manifest, ports: Ports) -> Manifest | None:
    """Execute one action; return the TrackSyncJob at its new version, or None when it changed or went meanwhile."""
    cluster, namespace = ports.cluster, observed.key.namespace
    match action:
        case AddFinalizer():
            return _at(run, await cluster.write_finalizers(run, (*observed.finalizers, FINALIZER)))
        case RemoveFinalizer():
            kept = [name for name in observed.finalizers if name != FINALIZER]
            return _at(run, await cluster.write_finalizers(run, kept))
        case CreateJob(manifest):
            # False = the name is taken: the next pass reads whose Job it is, and decides
            return run if await cluster.create_job(manifest) else None
        case DeleteJob(name, uid):
            await cluster.delete_job(namespace, name, uid)
        case DeleteRun():
            await cluster.delete_run(run)
        case ChangeDeadline(name, seconds):
            await cluster.change_deadline(namespace, name, seconds)
        case ReportForWorker(status):
            return _at(run, await cluster.apply_worker_status(run, status))
        case WakeAt():
            pass  # the caller's business
        case _:
            assert_never(action)
    return run


def _at(run: Manifest, version: str | None) -> Manifest | None:
    """Return the manifest with another resource version, or None when there is none."""
    if version is None:
        return None
    return run | {"metadata": dict(mapping(run, "metadata")) | {"resourceVersion": version}}


async def publish(plan: Plan, observed: Observed, after: OperatorStatus, run: Manifest, ports: Ports) -> bool:
    """Write the status if it changed, and tell of transitions; False when the TrackSyncJob changed meanwhile."""
    before = observed.status
    if after.to_wire() == before.to_wire():
        return True
    if await ports.cluster.apply_operator_status(run, after) is None:
        return False
    if before.phase is not after.phase:
        _log.info("run_moved", run=observed.key.text, run_id=observed.uid, phase=after.phase, message=after.message)
    for event in (*plan.events, *events(before, after)):
        try:
            await ports.cluster.record_event(run, event)
        except ClusterRefusedError as refusal:
            _log.warning("event_refused", run=observed.key.text, words=str(refusal))
    return True
