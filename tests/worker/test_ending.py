"""How an error becomes outcome, reason, message and exit code: one row per class of `tracksync.errors`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from tests.worker.running import RUN_ID, SETTING, a_request
from tracksync import errors
from tracksync.api.identity import Stage
from tracksync.api.job import Results, WithheldStatus, WorkerStatus
from tracksync.api.result import Outcome
from tracksync.errors import ExitCode
from tracksync.worker.ending import MAX_MESSAGE, completed, ending_of, exit_code_of, name_some, result_of

if TYPE_CHECKING:
    from tracksync.worker.ending import Ending

CASES = [
    (errors.TrackSyncError("x"), Outcome.FAILED, 1),
    (errors.ConfigurationError("x"), Outcome.FAILED, 30),
    (errors.SettingsError("x"), Outcome.FAILED, 30),
    (errors.SourceNotAllowedError("x"), Outcome.FAILED, 30),
    (errors.DatabaseCredentialsError("x"), Outcome.FAILED, 30),
    (errors.SchemaMismatchError("x"), Outcome.FAILED, 30),
    (errors.TransientError("x"), Outcome.FAILED, 20),
    (errors.DatabaseUnavailableError("x"), Outcome.FAILED, 20),
    (errors.SourceUnavailableError("x"), Outcome.FAILED, 20),
    (errors.SourceOffError("x"), Outcome.FAILED, 20),
    (errors.ClusterUnavailableError("x"), Outcome.FAILED, 20),
    (errors.TooManyFailedItemsError("x"), Outcome.FAILED, 20),
    (errors.ListingInvalidError("x"), Outcome.FAILED, 40),
    (errors.RunCancelledError("x"), Outcome.CANCELLED, 50),
    (errors.OwnerGoneError("x"), Outcome.CANCELLED, 50),
    (errors.FencedError("x"), Outcome.FAILED, 60),
    (errors.LeaseHeldError("x", expires_at=datetime(2026, 1, 31, tzinfo=UTC)), Outcome.FAILED, 70),
    (KeyError("x"), Outcome.FAILED, 1),
]


@pytest.mark.parametrize(("error", "outcome", "code"), CASES, ids=[type(case[0]).__name__ for case in CASES])
def test_each_error_has_its_outcome_and_exit_code(error: Exception, outcome: Outcome, code: int) -> None:
    ending = ending_of(error, stage=Stage.METADATA, database_setting=SETTING)
    result = result_of(ending, a_request().identity, WorkerStatus())
    assert (result.outcome, result.run_id) == (outcome, RUN_ID)
    assert exit_code_of(result, item_errors=ExitCode.DONE) == code


@pytest.mark.parametrize(
    "error",
    [errors.DatabaseCredentialsError("x"), errors.DatabaseUnavailableError("x"), errors.SchemaMismatchError("x")],
    ids=lambda error: type(error).__name__,
)
def test_a_database_error_names_the_setting_that_led_to_the_database(error: Exception) -> None:
    assert SETTING in ending_of(error, stage=Stage.PREFLIGHT, database_setting=SETTING).message


def test_a_failure_after_the_commit_says_that_the_tracks_are_merged() -> None:
    error = errors.DatabaseUnavailableError("the connection to the database was lost")
    assert "already merged" in ending_of(error, stage=Stage.REPORT, database_setting=SETTING, merged=True).message


def test_a_long_message_still_fits_into_the_status() -> None:
    ending = ending_of(errors.SettingsError("x" * 5000), stage=None, database_setting=SETTING)
    assert result_of(ending, a_request().identity, WorkerStatus()).message == ending.message


def test_a_run_with_failed_items_is_completed_with_errors() -> None:
    assert completed(Results(listed=9, failed_items=1)).outcome is Outcome.COMPLETED_WITH_ERRORS
    assert completed(Results(listed=9)).outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize(
    ("results", "dashboards"),
    [
        pytest.param(Results(listed=9, fetched=9), "dashboards: 9 fetched", id="all"),
        pytest.param(Results(listed=9, fetched=1), "dashboards: 1 fetched, 8 not due", id="a few were due"),
        pytest.param(Results(listed=9), "dashboards: 0 fetched, 9 not due", id="none was due"),
        pytest.param(
            Results(listed=1090, fetched=130, not_modified=24, failed_items=2),
            "dashboards: 130 fetched, 24 not modified, 934 not due; 2 could not be had",
            id="a bit of everything",
        ),
    ],
)
def test_the_message_of_a_finished_run_says_what_became_of_the_dashboards(results: Results, dashboards: str) -> None:
    message = completed(results).message
    assert dashboards in message
    assert len(message) < 200


WITHHELD = WithheldStatus(count=545, active_before=1090, reasons=("maxPercent", "maxCount"))


@pytest.mark.parametrize(
    ("ending", "words"),
    [
        pytest.param(
            completed(Results(listed=9, deactivated=3, reactivated=1)), "1 reactivated, 3 deactivated;", id="moved"
        ),
        pytest.param(
            completed(Results(listed=545, withheld=545), withheld=WITHHELD),
            "545 vanished tracks stay active (maxPercent, maxCount)",
            id="withheld",
        ),
        pytest.param(
            completed(Results(listed=9), withheld=WithheldStatus(count=1, active_before=3, reasons=("maxPercent",))),
            "1 vanished track stays active (maxPercent)",
            id="one",
        ),
        pytest.param(
            completed(Results(listed=1), missing=2, missing_names=("a", "b")),
            "2 wanted but not listed: a, b",
            id="wanted tracks that are not listed",
        ),
        pytest.param(completed(Results(listed=1), missing=2), "2 wanted but not listed", id="resumed: names unknown"),
    ],
)
def test_what_does_not_happen_every_day_is_told_when_it_did(ending: Ending, words: str) -> None:
    assert words in ending.message
    assert ending.outcome is Outcome.SUCCEEDED


def test_an_ordinary_run_tells_of_none_of_it() -> None:
    message = completed(Results(listed=9, fetched=9)).message
    assert not [word for word in ("activated", "stay", "wanted") if word in message]


def test_a_withheld_deactivation_and_missing_tracks_leave_item_errors_what_they_are() -> None:
    ending = completed(Results(listed=9, failed_items=1), withheld=WITHHELD, missing=1)
    assert ending.outcome is Outcome.COMPLETED_WITH_ERRORS


def test_many_long_names_still_fit_into_the_status() -> None:
    names = [f"{number:063}" for number in range(200)]
    assert name_some(names).endswith(" and 195 more")
    ending = completed(Results(listed=1), withheld=WITHHELD, missing=200, missing_names=names)
    assert len(ending.message) < MAX_MESSAGE
