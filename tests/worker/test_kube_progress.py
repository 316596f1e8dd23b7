"""The worker's status writes: what is sent, and what each answer means. TLS and real conflicts: tests/e2e."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from tests.support.apiserver import StatusEndpoint, status_endpoint
from tests.worker.running import RUN_ID, a_request
from tracksync.adapters.kube.progress import ApiServer, KubeProgress
from tracksync.api.job import Results, WorkerStatus
from tracksync.errors import OwnerGoneError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, MutableMapping
    from pathlib import Path

STATUS = WorkerStatus(results=Results(listed=3))


@asynccontextmanager
async def a_display(credentials: Path) -> AsyncIterator[tuple[KubeProgress, StatusEndpoint]]:
    (credentials / "token").write_text("first-token\n", encoding="ascii")
    async with status_endpoint() as endpoint:
        endpoint.uid = RUN_ID
        server = ApiServer(endpoint.url, credentials)
        async with KubeProgress(server, a_request().identity) as display:
            yield display, endpoint


async def test_the_whole_half_is_applied_to_the_status_of_this_very_object(tmp_path: Path) -> None:
    async with a_display(tmp_path) as (display, endpoint):
        await display.publish(STATUS)
    ((path, query, headers),) = endpoint.requests
    assert path == "/apis/tracksync.io/v1alpha1/namespaces/racing/tracksyncjobs/nightly/status"
    assert query == {"fieldManager": "tracksync-worker", "force": "true"}
    assert headers["Content-Type"] == "application/apply-patch+yaml"
    assert endpoint.bodies == [
        {
            "apiVersion": "tracksync.io/v1alpha1",
            "kind": "TrackSyncJob",
            "metadata": {"name": "nightly", "namespace": "racing", "resourceVersion": "0"},
            "status": STATUS.to_wire(),
        }
    ]


async def test_a_renewed_token_is_used_from_the_next_request_on(tmp_path: Path) -> None:
    async with a_display(tmp_path) as (display, endpoint):
        await display.publish(STATUS)
        (tmp_path / "token").write_text("second-token", encoding="ascii")
        await display.publish(STATUS)
    sent = [headers["Authorization"] for _, _, headers in endpoint.requests]
    assert sent == ["Bearer first-token", "Bearer second-token"]


async def test_a_missing_object_ends_the_run(tmp_path: Path) -> None:
    async with a_display(tmp_path) as (display, endpoint):
        endpoint.answer = (404, 'tracksyncjobs.tracksync.io "nightly" not found')
        with pytest.raises(OwnerGoneError, match="racing/nightly"):
            await display.publish(STATUS)


async def test_another_object_of_the_same_name_ends_the_run_and_is_not_written_to(tmp_path: Path) -> None:
    async with a_display(tmp_path) as (display, endpoint):
        endpoint.uid = "another"
        with pytest.raises(OwnerGoneError, match="racing/nightly"):
            await display.publish(STATUS)
    assert endpoint.bodies == []


async def test_after_a_conflict_the_object_is_read_again_a_few_times(tmp_path: Path) -> None:
    async with a_display(tmp_path) as (display, endpoint):
        endpoint.answer = (409, "the object has been modified")
        await display.publish(STATUS)
    assert [body["metadata"]["resourceVersion"] for body in endpoint.bodies] == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (422, "status.progress.done: Invalid value"),
        (401, "Unauthorized"),
        (403, "forbidden"),
        (429, "too many requests"),
        (500, "etcdserver: leader changed"),
        (503, ""),
    ],
)
async def test_every_other_refusal_is_only_logged(
    tmp_path: Path, code: int, message: str, logged: list[MutableMapping[str, object]]
) -> None:
    async with a_display(tmp_path) as (display, endpoint):
        endpoint.answer = (code, message)
        await display.publish(STATUS)
        endpoint.answer = (200, "")
        await display.publish(STATUS)
    assert [entry.get("status") for entry in logged] == [code]
    assert len(endpoint.bodies) == 2


async def test_an_unreachable_server_or_a_missing_token_is_only_logged(
    tmp_path: Path, logged: list[MutableMapping[str, object]]
) -> None:
    for server in (ApiServer("http://127.0.0.1:9", tmp_path), ApiServer("https://127.0.0.1:9", tmp_path / "none")):
        (tmp_path / "token").write_text("token", encoding="ascii")
        async with KubeProgress(server, a_request().identity) as display:
            await display.publish(STATUS)
    assert [entry["event"] for entry in logged] == ["API server not reached"] * 2


@pytest.mark.parametrize(
    ("uid", "deleted_at", "answer", "is_abandoned"),
    [
        pytest.param(RUN_ID, None, 200, False, id="it is there"),
        pytest.param(RUN_ID, "2026-01-31T02:00:00Z", 200, True, id="it is being deleted"),
        pytest.param("another", None, 200, True, id="another one took its name"),
        pytest.param(RUN_ID, None, 404, True, id="it is gone"),
        pytest.param(RUN_ID, None, 403, False, id="the server does not say"),
        pytest.param(RUN_ID, None, 500, False, id="the server is ill"),
    ],
)
async def test_a_stopped_run_is_abandoned_when_its_object_is_gone_or_going(
    tmp_path: Path, uid: str, deleted_at: str | None, answer: int, *, is_abandoned: bool
) -> None:
    async with a_display(tmp_path) as (display, endpoint):
        endpoint.uid, endpoint.deleted_at, endpoint.read_status = uid, deleted_at, answer
        assert await display.is_abandoned() is is_abandoned
    assert endpoint.bodies == []


async def test_a_run_whose_server_is_away_is_not_abandoned(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("token", encoding="ascii")
    for server in (ApiServer("http://127.0.0.1:9", tmp_path), ApiServer("http://127.0.0.1:9", tmp_path / "none")):
        async with KubeProgress(server, a_request().identity) as display:
            assert await display.is_abandoned() is False
