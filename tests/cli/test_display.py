"""A run's progress on a terminal and elsewhere."""

from __future__ import annotations

import io
from datetime import timedelta

from rich.console import Console

from tests.support.clocks import START
from tracksync.api.identity import Stage
from tracksync.api.job import ProgressStatus, WorkerStatus
from tracksync.cli.display import BarDisplay, LineDisplay, describe


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


async def test_on_a_terminal_each_stage_keeps_its_full_bar() -> None:
    written = io.StringIO()
    with BarDisplay(Console(file=written, force_terminal=True, width=80, color_system=None)) as display:
        await display.publish(a_status(Stage.METADATA, 5, 9))
        await display.publish(a_status(Stage.MERGE, 9, 9))
    last = written.getvalue()
    assert "metadata" in last
    assert "merge" in last
    assert "9/9" in last
