"""One run on real pods: success, cancel, operator killed, and each kind of bad input.

Left out here: suspend, resume, retry and queue (they do not exist yet); chart and upgrade.
"""

from __future__ import annotations

import html
import json
import re
from typing import TYPE_CHECKING

import pytest

from tests.cluster.waiting import wait_until
from tests.support.captures import captures_or_none
from tests.support.installation import Tenant, demo_source, install_operator
from tests.support.levels import record_not_run
from tracksync.api.identity import OPERATOR_NAMESPACE, Label

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.cluster.contract import Cluster

TRACKS = 1090


def checksum(tenant: Tenant) -> str:
    """Return a digest of every row of `tracks`, physical versions included."""
    return tenant.query("SELECT md5(coalesce(string_agg(xmin::text || t::text, '|' ORDER BY id), '')) FROM tracks t")


def jobs_of(tenant: Tenant, name: str) -> list[str]:
    return [job["metadata"]["name"] for job in tenant.items("jobs", f"{Label.JOB}={name}")]


def pods_of(tenant: Tenant, name: str) -> list[str]:
    return [pod["metadata"]["name"] for pod in tenant.items("pods", f"{Label.JOB}={name}")]


def until_metadata(tenant: Tenant, name: str) -> None:
    tenant.wait_status(
        name,
        lambda status: status.get("progress", {}).get("stage") == "metadata" and status["progress"]["done"] > 0,
        seconds=60,
        what="progress in the metadata stage",
    )


def test_a_run_stores_every_track_that_the_source_lists(tenant: Tenant, name: str) -> None:
    tenant.create(name)
    status = tenant.wait_terminal(name)
    assert (status["phase"], status["progress"]["text"]) == ("Succeeded", f"{TRACKS}/{TRACKS}"), status.get("message")
    assert status["results"]["listed"] == TRACKS
    truth = tenant.simulator_call("/_truth")["tracks"]
    stored = json.loads(tenant.query("SELECT json_agg(t) FROM tracks t WHERE is_active"))
    by_slug = {row["slug"]: row for row in stored}
    differing = {
        (row["slug"], column)
        for row in truth
        for column, value in row.items()
        if column in by_slug[row["slug"]] and by_slug[row["slug"]][column] != value
    }
    assert len(by_slug) == TRACKS
    assert not differing
    columns = tenant.kubectl("get", "tracksyncjobs", name).splitlines()
    assert columns[0].split()[:4] == ["NAME", "PHASE", "STAGE", "PROGRESS"]
    assert columns[1].split()[:2] == [name, "Succeeded"]


def test_a_second_run_over_the_same_source_touches_no_row(tenant: Tenant, name: str) -> None:
    before = checksum(tenant)
    tenant.create(name, metadata={"enabled": False})
    status = tenant.wait_terminal(name)
    assert status["phase"] == "Succeeded"
    assert status["results"]["unchanged"] == TRACKS
    assert checksum(tenant) == before


def test_deleting_a_run_in_its_metadata_stage_ends_the_pod_and_leaves_the_tracks(tenant: Tenant, name: str) -> None:
    before = checksum(tenant)
    tenant.create(name, source={"name": "slow"})
    until_metadata(tenant, name)
    run_id = tenant.status(name)["runId"]
    tenant.kubectl("delete", "tracksyncjob", name, "--wait", "--timeout=45s")
    assert wait_until(lambda: not pods_of(tenant, name), seconds=15)
    assert tenant.get(name) is None
    assert tenant.query(f"SELECT state FROM runs WHERE run_id = '{run_id}'") == "cancelled"
    assert tenant.query(f"SELECT count(*) FROM sync_items WHERE run_id = '{run_id}'") == "0"
    assert checksum(tenant) == before


def test_an_operator_killed_in_mid_run_brings_the_run_to_success_with_one_job(tenant: Tenant, name: str) -> None:
    tenant.create(name, source={"name": "slow", "requestsPerSecond": 20}, metadata={"enabled": True})
    until_metadata(tenant, name)
    job = jobs_of(tenant, name)
    tenant.cluster.kubectl(
        "-n",
        OPERATOR_NAMESPACE,
        "delete",
        "pod",
        "-l",
        "app.kubernetes.io/component=operator",
        "--grace-period=0",
        "--force",
    )
    status = tenant.wait_terminal(name, seconds=240)
    assert status["phase"] == "Succeeded"
    assert jobs_of(tenant, name) == job
    assert len(job) == 1
    assert len(status["attempts"]) == 1


@pytest.mark.parametrize(
    ("fault", "reason"),
    [("empty", "SourceInvalid"), ("cut", "SourceInvalid"), ("error", "SourceUnavailable")],
)
def test_an_unusable_catalogue_fails_the_run_and_touches_no_track(
    tenant: Tenant, name: str, fault: str, reason: str
) -> None:
    before = checksum(tenant)
    tenant.simulator_call("/_faults", {"catalogue_fault": fault})
    try:
        tenant.create(name)
        status = tenant.wait_terminal(name, seconds=90)
    finally:
        tenant.simulator_call("/_faults", {"catalogue_fault": "none"})
    assert status["phase"] == "Failed"
    assert tenant.condition(name, "Succeeded")["reason"] == reason
    assert checksum(tenant) == before


def test_a_source_that_the_installation_does_not_list_is_refused_before_any_job(tenant: Tenant, name: str) -> None:
    tenant.create(name, source={"name": "elsewhere"})
    status = tenant.wait_terminal(name, seconds=30)
    succeeded = tenant.condition(name, "Succeeded")
    assert (status["phase"], succeeded["reason"]) == ("Failed", "SourceNotAllowed")
    assert "spec.source.name" in succeeded["message"]
    assert not jobs_of(tenant, name)


def test_a_source_at_a_private_address_is_refused_unless_the_installation_allows_it(tenant: Tenant, name: str) -> None:
    tenant.create(name, source={"name": "private"})
    tenant.wait_terminal(name, seconds=60)
    assert tenant.condition(name, "Succeeded")["reason"] == "SourceNotAllowed"


@pytest.mark.parametrize(
    ("reference", "named"),
    [({"name": "no-such-secret"}, "no-such-secret"), ({"name": "tracksync-db", "key": "nokey"}, "nokey")],
)
def test_a_missing_secret_or_key_shows_as_the_reason_within_a_minute(
    tenant: Tenant, name: str, reference: dict[str, str], named: str
) -> None:
    tenant.create(name, target={"databaseSecretRef": reference})
    seen = wait_until(lambda: tenant.condition(name, "Running").get("reason") == "SecretMissing", seconds=60)
    condition = tenant.condition(name, "Running")
    assert seen, condition
    assert "databaseSecretRef" in condition["message"]
    assert named in condition["message"]
    tenant.kubectl("delete", "tracksyncjob", name, "--wait", "--timeout=45s")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("postgresql://tracksync:pw-canary@postgres:1/tracksync?sslmode=disable", "DatabaseUnavailable"),
        ("postgresql://tracksync:pw-canary@postgres:5432/tracksync?sslmode=disable", "DatabaseCredentialsInvalid"),
        ("not-a-url-pw-canary", "DatabaseCredentialsInvalid"),
    ],
)
def test_an_unusable_database_fails_the_run_and_shows_no_secret(
    tenant: Tenant, name: str, url: str, reason: str
) -> None:
    tenant.put_secret(name, {"url": url})
    tenant.create(name, target={"databaseSecretRef": {"name": name}})
    tenant.wait_terminal(name, seconds=120)
    assert tenant.condition(name, "Succeeded")["reason"] == reason
    log = tenant.kubectl("logs", "-l", f"{Label.JOB}={name}", "--tail=-1")
    assert "pw-canary" not in log + json.dumps(tenant.get(name))


def test_a_database_at_another_migration_is_refused_with_both_revisions(tenant: Tenant, name: str) -> None:
    revision = tenant.query("SELECT version_num FROM tracksync_version")
    tenant.query("UPDATE tracksync_version SET version_num = '9999'")
    try:
        tenant.create(name)
        tenant.wait_terminal(name, seconds=60)
    finally:
        tenant.query(f"UPDATE tracksync_version SET version_num = '{revision}'")
    condition = tenant.condition(name, "Succeeded")
    assert condition["reason"] == "SchemaMismatch"
    assert "9999" in condition["message"]
    assert revision in condition["message"]


@pytest.fixture
def replaying(cluster: Cluster, tenant: Tenant) -> Iterator[Tenant | None]:
    """Return a second tenant whose simulator replays the captured catalogue page; None when there is no capture."""
    captures = captures_or_none()
    if captures is None:
        record_not_run("real catalogue page", "no captures found", "TRACKSYNC_CAPTURES=FOLDER make test")
        yield None
        return
    second = Tenant(cluster, "tracksync-e2e-replay")
    second.create_namespace()
    second.start_database()
    second.start_replay(captures / "catalogue.html")
    second.migrate()
    install_operator(cluster, [demo_source(tenant.namespace), demo_source(second.namespace, name="replay")])
    second.wait_ready()
    yield second
    second.remove()


def test_the_real_catalogue_page_goes_through_the_whole_path(replaying: Tenant | None, name: str) -> None:
    if replaying is None:
        assert captures_or_none() is None
        return
    replaying.create(name, source={"name": "replay"})
    status = replaying.wait_terminal(name)
    assert status["phase"] == "Succeeded", status.get("message")
    assert replaying.query("SELECT count(*), count(DISTINCT slug) FROM tracks WHERE is_active") == f"{TRACKS}|{TRACKS}"
    captures = captures_or_none()
    assert captures is not None
    page = (captures / "catalogue.html").read_text(encoding="utf-8")
    shown = re.search(r'href="//snowbirdsoval\.liverc\.com/"><strong>([^<]+)</strong>', page)
    assert shown is not None
    assert replaying.query("SELECT name FROM tracks WHERE slug = 'snowbirdsoval'") == html.unescape(shown[1])
    mixed = replaying.query("SELECT slug, slug_as_listed FROM tracks WHERE slug <> slug_as_listed").splitlines()
    assert len(mixed) == 1
    stored, listed = mixed[0].split("|")
    assert stored == listed.lower() != listed
