"""TrackSyncJobs on standard output: a table, whole objects, or one run explained."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, assert_never

import yaml

from tracksync.api.identity import GROUP, JOB_SINGULAR
from tracksync.cli.advice import next_steps
from tracksync.cli.cluster_options import ClusterOutput, StatusOutput
from tracksync.cli.display import describe
from tracksync.cli.render import printable, write_grid, write_json
from tracksync.cli.run_view import RunView, age, view_of, written

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tracksync.core.runs.model import Manifest

COLUMNS: Final = ("NAME", "PHASE", "STAGE", "PROGRESS", "FAILED", "ETA", "DURATION", "AGE")
WIDE_COLUMNS: Final = ("REASON", "DEACTIVATED", "ATTEMPT", "RUN-ID")
_WORD: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Block:
    """A heading with a table below it; without rows it is left out."""

    title: str
    headings: tuple[str, ...]
    rows: Sequence[tuple[object, ...]]


def write_runs(found: Sequence[Manifest], output: ClusterOutput, *, with_namespace: bool, now: datetime) -> None:
    """Write the TrackSyncJobs."""
    match output:
        case ClusterOutput.TABLE | ClusterOutput.WIDE:
            wide = output is ClusterOutput.WIDE
            headings = (*(("NAMESPACE",) if with_namespace else ()), *COLUMNS, *(WIDE_COLUMNS if wide else ()))
            views = sorted(map(view_of, found), key=lambda view: (view.key.namespace, view.created or now))
            write_grid(headings, (_cells(view, now, wide=wide, with_namespace=with_namespace) for view in views))
        case ClusterOutput.NAME:
            for manifest in found:
                sys.stdout.write(f"{name_of(view_of(manifest))}\n")
        case ClusterOutput.JSON | ClusterOutput.YAML:
            write_document({"apiVersion": "v1", "kind": "List", "items": list(found)}, output)
        case _:
            assert_never(output)


def write_run(manifest: Manifest, output: ClusterOutput, *, now: datetime) -> None:
    """Write one TrackSyncJob."""
    if output in {ClusterOutput.JSON, ClusterOutput.YAML}:
        write_document(manifest, output)
    else:
        write_runs([manifest], output, with_namespace=False, now=now)


def write_document(document: Mapping[str, object], output: ClusterOutput | StatusOutput) -> None:
    """Write the document as JSON or YAML, both in ASCII."""
    if output.value == StatusOutput.JSON.value:
        write_json(document)
    else:
        plain = json.loads(json.dumps(document, default=str))
        sys.stdout.write(yaml.safe_dump(plain, sort_keys=False, width=120))


def name_of(view: RunView) -> str:
    """Return the TrackSyncJob's name as `kubectl -o name` writes it."""
    return f"{JOB_SINGULAR}.{GROUP}/{printable(view.key.name)}"


def _cells(view: RunView, now: datetime, *, wide: bool, with_namespace: bool) -> tuple[object, ...]:
    progress, results, seconds = view.worker.progress, view.worker.results, view.seconds(now)
    failed = sum(stage.failed for stage in view.worker.stages) if results is None else results.failed_items
    cells: tuple[object, ...] = (
        view.key.name,
        view.phase_word,
        progress.stage if progress is not None else None,
        progress.text if progress is not None else None,
        failed if view.worker.stages or results is not None else None,
        written(progress.eta) if progress is not None and not view.is_ended else None,
        age(seconds) if seconds is not None else None,
        age((now - view.created).total_seconds()) if view.created is not None else None,
    )
    if with_namespace:
        cells = (view.key.namespace, *cells)
    if wide:
        attempts = view.operator.attempts
        deactivated = results.deactivated if results is not None else None
        cells = (*cells, view.reason, deactivated, attempts[-1].number if attempts else None, view.uid)
    return cells


def write_status(view: RunView, output: StatusOutput, *, now: datetime, events: Sequence[Manifest] = ()) -> None:
    """Write one run explained, with its Events when there are any."""
    if output is not StatusOutput.TEXT:
        write_document(status_document(view) | ({"events": list(events)} if events else {}), output)
        return
    blocks = [*status_blocks(view, now), *([event_block(events)] if events else [])]
    sys.stdout.write(_laid_out(list(_facts(view, now)), blocks, next_steps(view)))


def status_document(view: RunView) -> dict[str, object]:
    """Return what `-o json` of a run in the cluster has; the ledger's answer has the same first keys."""
    operator, worker = view.operator.to_wire(), view.worker.to_wire()
    return {
        "answeredBy": "cluster",
        "name": view.key.name,
        "namespace": view.key.namespace,
        "runId": view.uid,
        "phase": view.phase_word,
        "reason": view.reason,
        "message": view.operator.message or "",
        "ended": view.is_ended,
        "succeeded": view.is_done if view.is_ended else None,
        **{name: operator.get(name) for name in ("startTime", "completionTime", "queuePosition")},
        **{name: operator.get(name, []) for name in ("conditions", "attempts")},
        **{name: worker.get(name) for name in ("progress", "results", "withheld")},
        **{name: worker.get(name, []) for name in ("stages", "failedSamples")},
        "next": next_steps(view),
    }


def _facts(view: RunView, now: datetime) -> Iterator[tuple[str, str]]:
    yield "Name", view.key.name
    yield "Namespace", view.key.namespace
    yield "Run id", view.uid
    yield "Phase", f"{view.phase_word} ({view.reason})" if view.reason else view.phase_word
    if view.operator.message:
        yield "Message", view.operator.message
    if view.operator.queue_position is not None:
        yield "Place in queue", str(view.operator.queue_position)
    for title, instant in (
        ("Created", view.created),
        ("Started", view.operator.start_time),
        ("Next attempt", view.operator.next_attempt_time),
        ("Ended", view.operator.completion_time),
    ):
        if instant is not None:
            yield title, written(instant)
    seconds = view.seconds(now)
    if seconds is not None:
        yield "Duration", age(seconds)
    progress = view.worker.progress
    if progress is not None and not view.is_ended:
        heard = age((now - progress.heartbeat).total_seconds())
        yield "Progress", f"{progress.stage} {describe(progress)} (heard {heard} ago)"


def status_blocks(view: RunView, now: datetime) -> list[Block]:
    """Return conditions, stages, counters, attempts and failed tracks."""
    del now
    results = view.worker.results
    counters = results.to_wire() if results is not None else {}
    return [
        Block(
            "CONDITIONS",
            ("type", "status", "reason", "since", "message"),
            [
                (entry.type, entry.status.value, entry.reason, written(entry.last_transition_time), entry.message)
                for entry in view.operator.conditions
            ],
        ),
        Block(
            "STAGES",
            ("stage", "state", "done", "failed", "retried", "skipped", "seconds"),
            [
                (
                    stage.name.value,
                    stage.state.value,
                    f"{stage.done}/{stage.total}" if stage.total else "",
                    stage.failed,
                    stage.retried,
                    stage.skipped,
                    f"{stage.duration_seconds:.1f}" if stage.duration_seconds is not None else "",
                )
                for stage in view.worker.stages
            ],
        ),
        Block(
            "COUNTERS",
            ("counter", "number"),
            [(_WORD.sub(" ", name).lower(), number) for name, number in counters.items()],
        ),
        Block(
            "ATTEMPTS",
            ("number", "job", "pod", "node", "started", "ended", "exit", "reason"),
            [
                (
                    attempt.number,
                    attempt.job_name,
                    attempt.pod_name,
                    attempt.node,
                    written(attempt.start_time),
                    written(attempt.completion_time),
                    attempt.exit_code,
                    attempt.reason,
                )
                for attempt in view.operator.attempts
            ],
        ),
        Block(
            "FAILED TRACKS (the first ones)",
            ("slug", "class", "status"),
            [(sample.slug, sample.error_class, sample.http_status) for sample in view.worker.failed_samples],
        ),
    ]


def event_block(events: Sequence[Manifest]) -> Block:
    """Return the Events, oldest first; sorted by when each was seen last."""
    from tracksync.core.runs.reading import read_event, text, whole

    seen = sorted(
        ((read_event(event).last_seen or datetime.min.replace(tzinfo=UTC), event) for event in events),
        key=lambda pair: pair[0],
    )
    rows = [
        (written(last), text(event, "type"), text(event, "reason"), whole(event, "count") or 1, text(event, "message"))
        for last, event in seen
    ]
    return Block("EVENTS", ("last seen", "type", "reason", "times", "message"), rows)


def _laid_out(facts: Sequence[tuple[str, str]], blocks: Sequence[Block], steps: Sequence[str]) -> str:
    width = max(len(title) for title, _ in facts) + 1
    lines = [f"{title + ':':<{width}} {printable(value)}" for title, value in facts]
    for block in blocks:
        if block.rows:
            lines += ["", block.title, *_grid((block.headings, *block.rows))]
    lines += ["", "NEXT", *(f"  {step}" for step in steps)]
    return "\n".join(lines) + "\n"


def _grid(rows: Sequence[tuple[object, ...]]) -> Iterator[str]:
    texts = [tuple(printable(cell) for cell in row) for row in rows]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    for row in texts:
        yield f"  {'  '.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))}".rstrip()
