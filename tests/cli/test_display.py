"""A run's progress on a terminal and elsewhere."""

from __future__ import annotations

import io
import re
from datetime import timedelta

import pytest
from rich.console import Console

from tests.support.clocks import START
from tracksync.adapters.memory import ManualClock
from tracksync.api.identity import Stage
from tracksync.api.job import ProgressStatus, WorkerStatus
from tracksync.cli.display import BarDisplay, LineDisplay, describe
from tracksync.core.tracks.model import FailedItem, Traffic
from tracksync.errors import ItemErrorClass
from tracksync.worker.progress import RunProgress


def a_status(stage: Stage, done: int, total: int) -> WorkerStatus:
    text = f"{done}/{total}" if total else ""
    return WorkerStatus(progress=ProgressStatus(stage=stage, done=done, total=total, text=text, heartbeat=START))


def test_a_description_has_done_total_rate_and_time_left() -> None:
    progress = ProgressStatus(
        stage=Stage.METADATA,
        done=812,
        total=1090,
        text="812/1090",
        items_per_minute=240.0,
        eta=START + timedelta(seconds=69.6),
        heartbeat=START,
    )
    assert describe(progress) == "812/1090  240/min  ETA 1:10"


async def test_elsewhere_each_report_is_one_line_and_none_is_repeated() -> None:
    written = io.StringIO()
    with LineDisplay(Console(file=written)) as display:
        for status in (
            WorkerStatus(),
            a_status(Stage.CATALOGUE, 0, 0),
            a_status(Stage.CATALOGUE, 0, 0),
            a_status(Stage.METADATA, 5, 9),
        ):
            await display.publish(status)
    assert written.getvalue() == "catalogue\nmetadata 5/9\n"


async def test_on_a_terminal_each_stage_keeps_its_bar_with_what_it_came_to() -> None:
    written = io.StringIO()
    report = RunProgress(ManualClock(), Traffic)
    with BarDisplay(Console(file=written, force_terminal=True, width=80, color_system=None)) as display:
        with report.in_stage(Stage.CATALOGUE):
            await display.publish(report.snapshot())
            report.expect(9)
            report.finish_items(9)
        with report.in_stage(Stage.METADATA, total=9):
            report.finish_items(8)
            report.fail_item(FailedItem("a", ItemErrorClass.TIMEOUT))
            report.retry_item()
            report.skip_items(70)
        with report.in_stage(Stage.MERGE, total=9):
            await display.publish(report.snapshot())
    last = written.getvalue()[-400:]
    assert re.search(r"catalogue .* 9/9 ", last)
    assert re.search(r"metadata .* 9/9  1 failed  1 retried  70 skipped", last)
    assert re.search(r"merge .* 0/9", last)


@pytest.mark.parametrize("kind", [BarDisplay, LineDisplay])
async def test_nobody_can_go_on_with_a_run_on_a_terminal(kind: type[BarDisplay | LineDisplay]) -> None:
    assert await kind(Console(file=io.StringIO())).is_abandoned() is True
