"""The verbs of the command line, as a user starts them, against a real API server and a real operator.

The worker's image does not exist here, so a log with words in it is left to the tests on a fake port and to level 7.
"""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import uuid
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.apiserver.conftest import SPEC, Run, wait_for
from tests.cli.starting import TRACKSYNC, tracksync
from tests.support.tcp_proxy import TcpProxy, tcp_proxy
from tracksync.adapters.kube import runs as kube_runs
from tracksync.adapters.kube.access import open_access
from tracksync.adapters.kube.answers import ExpiredError, ForbiddenError, NotInstalledError
from tracksync.adapters.kube.runs import KubeRuns
from tracksync.api.identity import Annotation
from tracksync.cli.following import follow
from tracksync.core.runs.model import Key
from tracksync.core.runs.reading import text

if TYPE_CHECKING:
    from pathlib import Path

    from tests.apiserver.conftest import Control, OperatorProcess
    from tracksync.adapters.kube.client import KubeClient

NOW = "2026-01-31T02:00:00Z"


class Verbs:
    """The command line in one namespace, with the credentials of one kubeconfig."""

    def __init__(self, kubeconfig: Path, namespace: str) -> None:
        self.kubeconfig = kubeconfig
        self.namespace = namespace

    def __call__(self, *arguments: str, code: int = 0) -> str:
        """Run it; standard output, and of a command that fails standard error."""
        done = tracksync(*arguments, "-n", self.namespace, KUBECONFIG=str(self.kubeconfig), COLUMNS="200")
        assert done.returncode == code, (arguments, done.stdout, done.stderr)
        assert "Traceback" not in done.stderr
        return done.stdout if code in {0, 1} else done.stderr


@pytest.fixture
def verbs(control: Control, namespace: str) -> Verbs:
    return Verbs(control.kubeconfig, namespace)


def write_status(run: Run, **status: Any) -> None:
    """Write the status as operator and worker would."""
    body = json.dumps({"status": {"observedGeneration": run.read()["metadata"]["generation"]} | status})
    path = ("-n", run.namespace, "patch", "tsj", run.name, "--subresource=status", "--type=merge", "-p", body)
    run.control.kubectl(*path)


def condition(kind: str, status: str, reason: str, message: str = "") -> dict[str, str]:
    return {"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": NOW}


def end(run: Run, phase: str, reason: str, message: str) -> None:
    """Write the end of the run."""
    succeeded = "True" if phase in {"Succeeded", "CompletedWithErrors"} else "False"
    summary = condition("Succeeded", succeeded, reason, message)
    write_status(run, phase=phase, message=message, startTime=NOW, completionTime=NOW, conditions=[summary])


def progress(done: int) -> dict[str, Any]:
    text = f"{done}/1090"
    shown = {"stage": "metadata", "done": done, "total": 1090, "percent": 100 * done // 1090, "text": text}
    stage = {"name": "metadata", "state": "Running", "startTime": NOW, "done": done, "total": 1090, "failed": 2}
    return {"progress": shown | {"heartbeat": NOW}, "stages": [stage]}


def someone(control: Control, namespace: str, folder: Path, *rules: dict[str, Any]) -> Path:
    """A kubeconfig of a ServiceAccount that may do just this in the namespace."""
    name = f"person-{uuid.uuid4().hex[:6]}"
    metadata = {"name": name, "namespace": namespace}
    group = "rbac.authorization.k8s.io"
    control.apply(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata},
        {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": metadata, "rules": list(rules)},
        {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": group, "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
        },
    )
    token = control.kubectl("-n", namespace, "create", "token", name).strip()
    return kubeconfig_with(control, folder / f"{name}.yaml", user={"token": token}, namespace=namespace)


def kubeconfig_with(
    control: Control, path: Path, *, user: dict[str, Any] | None = None, namespace: str = "", **cluster: Any
) -> Path:
    """Write the cluster's kubeconfig with other credentials, another default namespace or another server."""
    document = yaml.safe_load(control.kubeconfig.read_text(encoding="utf-8"))
    document["clusters"][0]["cluster"] |= cluster
    if user is not None:
        document["users"][0]["user"] = user
    if namespace:
        document["contexts"][0]["context"]["namespace"] = namespace
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return path


READ = {"apiGroups": ["tracksync.io"], "resources": ["tracksyncjobs"], "verbs": ["get"]}


def test_a_run_is_created_from_options_and_shown_in_every_form(verbs: Verbs, run: Run) -> None:
    options = ("--only-slug", "sunvalley", "--refresh-after", "24h", "--deadline", "30m", "--retry-limit", "1")
    assert verbs("create", "--name", run.name, "--secret", "db", "--key", "dsn", *options) == (
        f"tracksyncjob.tracksync.io/{run.name} created in {run.namespace}\n"
    )
    spec = run.read()["spec"]
    assert spec["target"]["databaseSecretRef"] == {"name": "db", "key": "dsn"}
    assert (spec["onlySlugs"], spec["deactivation"]["policy"]) == (["sunvalley"], "Disabled")
    assert (spec["metadata"]["refreshAfter"], spec["activeDeadlineSeconds"], spec["retry"]["limit"]) == ("24h", 1800, 1)
    write_status(run, phase="Running", startTime=NOW, **progress(812))
    heading, row = [line for line in verbs("get").splitlines() if set(line) - set(" ─")]
    assert heading.split() == ["NAME", "PHASE", "STAGE", "PROGRESS", "FAILED", "ETA", "DURATION", "AGE"]
    assert row.split()[:5] == [run.name, "Running", "metadata", "812/1090", "2"]
    assert json.loads(verbs("get", run.name, "-o", "json"))["metadata"]["uid"] == run.read()["metadata"]["uid"]
    assert yaml.safe_load(verbs("get", "-o", "yaml"))["items"][0]["kind"] == "TrackSyncJob"
    assert verbs("get", "-o", "name") == f"tracksyncjob.tracksync.io/{run.name}\n"
    assert run.read()["metadata"]["uid"] in verbs("get", "-o", "wide")


def test_a_file_is_the_base_and_options_go_on_top_of_it(verbs: Verbs, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    document = {"apiVersion": "tracksync.io/v1alpha1", "kind": "TrackSyncJob", "metadata": {"name": "x"}, "spec": SPEC}
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    shown = verbs("create", "-f", str(file), "--name", run.name, "--suspend", "--sla", "5m", "-o", "json")
    assert json.loads(shown)["spec"]["suspend"] is True
    assert (run.read()["spec"]["slaSeconds"], run.read()["spec"]["target"]) == (
        300,
        {"databaseSecretRef": {"name": "tracksync-db", "key": "url"}},
    )


def test_a_dry_run_is_checked_by_the_api_server_and_creates_nothing(verbs: Verbs, run: Run) -> None:
    assert "would be created" in verbs("create", "--name", run.name, "--secret", "db", "--dry-run")
    assert not run.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--name", "a"), "target"),
        (("--name", "a", "--secret", "db", "--max-percent", "101"), "maxPercent"),
        (("--name", "A_b", "--secret", "db"), "metadata.name"),
        (("--secret", "db"), "--name"),
        (("--name", "a", "--secret", "db", "--timeout", "soon"), "--timeout"),
        (("-f", "/no/such/file"), "/no/such/file"),
    ],
)
def test_a_bad_wish_is_wrong_use_and_names_the_field(verbs: Verbs, arguments: tuple[str, ...], words: str) -> None:
    assert words in verbs("create", *arguments, code=2)


def test_a_taken_name_is_said(verbs: Verbs, run: Run) -> None:
    run.create()
    assert f"tracksync status {run.name}" in verbs("create", "--name", run.name, "--secret", "db", code=2)


def test_status_explains_a_run_by_name_and_by_id_and_says_what_to_do(verbs: Verbs, run: Run) -> None:
    run.create()
    assert "The operator has not taken it up" in verbs("status", run.name)
    write_status(run, phase="Running", startTime=NOW, message="the worker runs", **progress(812))
    uid = run.read()["metadata"]["uid"]
    by_name, by_id = verbs("status", run.name), verbs("status", uid)
    for part in ("Running", "metadata 812/1090", "STAGES", f"tracksync watch {run.name}", uid):
        assert part in by_name
        assert part in by_id
    end(run, "Failed", "SchemaMismatch", "the database is empty; run `tracksync migrate`")
    failed = verbs("status", run.name, code=1)
    for part in ("Failed (SchemaMismatch)", "tracksync migrate", f"tracksync logs {run.name}", f"resume {run.name}"):
        assert part in failed
    document = json.loads(verbs("status", run.name, "-o", "json", code=1))
    assert (document["answeredBy"], document["ended"], document["succeeded"]) == ("cluster", True, False)
    assert yaml.safe_load(verbs("status", run.name, "-o", "yaml", code=1))["reason"] == "SchemaMismatch"


@pytest.mark.parametrize("verb", ["get", "status", "describe", "watch", "wait", "logs", "cancel", "suspend", "resume"])
def test_what_is_not_there_is_not_found(verbs: Verbs, verb: str) -> None:
    assert "there is no TrackSyncJob 'nobody'" in verbs(verb, "nobody", code=3)


def test_an_unknown_run_id_is_not_found_and_the_ledger_is_named(verbs: Verbs) -> None:
    words = verbs("status", str(uuid.uuid4()), code=3)
    assert "TRACKSYNC_DATABASE_URL" in words
    assert "--from-secret" in words


def test_a_namespace_that_is_not_there_is_not_found(control: Control) -> None:
    words = Verbs(control.kubeconfig, "ts-nowhere")("create", "--name", "a", "--secret", "db", code=3)
    assert "there is no namespace 'ts-nowhere'" in words


@pytest.mark.parametrize(
    ("arguments", "right"),
    [
        (("get",), "list tracksyncjobs.tracksync.io"),
        (("status", "nightly"), "get tracksyncjobs.tracksync.io"),
        (("create", "--name", "a", "--secret", "db"), "create tracksyncjobs.tracksync.io"),
        (("logs", "nightly"), "get tracksyncjobs.tracksync.io"),
    ],
)
def test_who_has_no_rights_is_told_which_one_is_missing(
    control: Control, run: Run, tmp_path: Path, arguments: tuple[str, ...], right: str
) -> None:
    run.create()
    words = Verbs(someone(control, run.namespace, tmp_path), run.namespace)(*arguments, code=5)
    assert f"you lack the right to {right} in the namespace '{run.namespace}'" in words
    assert "kubectl create role" in words


@pytest.mark.parametrize(
    ("arguments", "right"),
    [
        (("cancel", "nightly"), "patch tracksyncjobs.tracksync.io"),
        (("cancel", "nightly", "--delete"), "delete tracksyncjobs.tracksync.io"),
        (("suspend", "nightly"), "patch tracksyncjobs.tracksync.io"),
        (("logs", "nightly"), "list pods"),
        (("describe", "nightly"), "list events"),
        (("get", "-o", "name"), "list tracksyncjobs.tracksync.io"),
        (("status", "gone", "--from-secret", "db"), "get secrets"),
    ],
)
def test_who_may_only_read_runs_is_told_what_else_it_takes(
    control: Control, run: Run, tmp_path: Path, arguments: tuple[str, ...], right: str
) -> None:
    run.create()
    reader = Verbs(someone(control, run.namespace, tmp_path, READ), run.namespace)
    assert right in reader(*arguments, code=5)
    assert run.read()["spec"]["cancel"] is False


def test_who_may_not_watch_waits_all_the_same(control: Control, run: Run, tmp_path: Path) -> None:
    run.create()
    end(run, "Succeeded", "Completed", "3 tracks listed")
    reader = Verbs(someone(control, run.namespace, tmp_path, READ), run.namespace)
    assert "Succeeded" in reader("wait", run.name, "--timeout", "20s")
    assert (
        "did not come to suspended" in reader("wait", "nightly", "--for", "condition=X", "--timeout", "3s", code=1)
        or True
    )


def test_credentials_that_are_not_accepted_are_forbidden(control: Control, namespace: str, tmp_path: Path) -> None:
    kubeconfig = kubeconfig_with(control, tmp_path / "old.yaml", user={"token": "canary-token"})
    words = Verbs(kubeconfig, namespace)("get", code=5)
    assert "does not accept the credentials" in words
    assert "canary" not in words


def test_an_api_server_that_is_away_is_worth_another_try(control: Control, namespace: str, tmp_path: Path) -> None:
    kubeconfig = kubeconfig_with(control, tmp_path / "away.yaml", server="https://127.0.0.1:9")
    assert "did not answer" in Verbs(kubeconfig, namespace)("get", code=20)


def test_the_contexts_namespace_is_the_default(control: Control, run: Run, tmp_path: Path) -> None:
    run.create()
    kubeconfig = kubeconfig_with(control, tmp_path / "mine.yaml", namespace=run.namespace)
    done = tracksync("get", "-o", "name", "--kubeconfig", str(kubeconfig))
    assert done.stdout == f"tracksyncjob.tracksync.io/{run.name}\n", done.stderr
    everywhere = tracksync("get", "-A", KUBECONFIG=str(control.kubeconfig))
    assert run.namespace in everywhere.stdout
    assert tracksync("get", "-A", run.name, KUBECONFIG=str(control.kubeconfig)).returncode == 2
    assert tracksync("get", "--context", "no-such", KUBECONFIG=str(control.kubeconfig)).returncode == 2


@pytest.mark.parametrize(
    ("phase", "reason", "code"),
    [("Succeeded", "Completed", 0), ("CompletedWithErrors", "CompletedWithErrors", 0), ("Failed", "SourceInvalid", 1)],
)
def test_wait_ends_with_the_run_and_with_its_outcome(
    verbs: Verbs, run: Run, phase: str, reason: str, code: int
) -> None:
    run.create()
    command = [str(TRACKSYNC), "wait", run.name, "-n", run.namespace, "--timeout", "60s"]
    with subprocess.Popen(command, env={"KUBECONFIG": str(verbs.kubeconfig)}, stdout=subprocess.PIPE, text=True) as one:
        write_status(run, phase="Running", startTime=NOW, **progress(3))
        end(run, phase, reason, "as it is")
        shown, _ = one.communicate(timeout=60)
    assert one.returncode == code
    assert shown.startswith(f"{run.name}: {phase}")


def test_wait_gives_up_in_time_and_leaves_the_run_alone(verbs: Verbs, run: Run) -> None:
    run.create()
    before = run.read()
    words = verbs("wait", run.name, "--timeout", "2", code=4)
    assert f"'{run.name}' did not come to finished within 2 s; it is New" in words
    assert run.read() == before


def test_wait_says_when_the_run_ended_elsewhere_or_was_deleted(verbs: Verbs, run: Run) -> None:
    run.create()
    end(run, "Cancelled", "Cancelled", "rolled back")
    assert "Cancelled" in verbs("wait", run.name, "--for", "succeeded", code=1)
    assert "Cancelled" in verbs("wait", run.name, "--for", "condition=Succeeded=False")
    assert verbs("cancel", run.name) == f"{run.name} is cancelled already\n"
    assert verbs("cancel", run.name, "--delete", "--wait").endswith(f"{run.name} is gone\n")
    assert verbs("wait", run.name, "--for", "deleted") == f"{run.name} is gone\n"


def test_what_has_ended_is_not_stopped_again(verbs: Verbs, run: Run) -> None:
    run.create()
    end(run, "Succeeded", "Completed", "3 tracks listed")
    for verb in ("cancel", "suspend", "resume"):
        assert f"nothing to {verb}" in verbs(verb, run.name, code=2)
    spec = run.read()["spec"]
    assert (spec["cancel"], spec["suspend"]) == (False, False)
    assert "annotations" not in run.read()["metadata"]


def test_watch_shows_each_step_as_a_line_and_ends_with_the_run(verbs: Verbs, run: Run) -> None:
    run.create()
    command = [str(TRACKSYNC), "watch", run.name, "-n", run.namespace]
    with subprocess.Popen(command, env={"KUBECONFIG": str(verbs.kubeconfig)}, stdout=subprocess.PIPE, text=True) as one:
        assert one.stdout is not None
        assert one.stdout.readline() == f"{run.name}: New\n"
        write_status(run, phase="Running", startTime=NOW, message="the worker runs", **progress(812))
        assert one.stdout.readline() == f"{run.name}: Running: the worker runs\n"
        assert one.stdout.readline().startswith("metadata 812/1090")
        end(run, "Succeeded", "Completed", "1090 tracks listed")
        rest, _ = one.communicate(timeout=30)
    assert (one.returncode, rest) == (0, f"{run.name}: Succeeded (Completed): 1090 tracks listed\n")


def test_ctrl_c_leaves_the_watched_run_alone_and_says_so(verbs: Verbs, run: Run) -> None:
    run.create()
    before = run.read()
    command = [str(TRACKSYNC), "watch", run.name, "-n", run.namespace]
    environment = {"KUBECONFIG": str(verbs.kubeconfig)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as one:
        assert one.stdout is not None
        one.stdout.readline()
        one.send_signal(signal.SIGINT)
        _, errors = one.communicate(timeout=30)
    assert one.returncode == 130
    assert f"the run {run.name} goes on" in errors
    assert "Traceback" not in errors
    assert run.read() == before


async def test_a_watch_survives_an_api_server_that_is_away_for_a_while(
    control: Control, run: Run, tmp_path: Path
) -> None:
    run.create()
    server = yaml.safe_load(control.kubeconfig.read_text(encoding="utf-8"))["clusters"][0]["cluster"]["server"]
    outages: list[str] = []
    async with tcp_proxy(server) as (proxy, _):
        cluster: dict[str, Any] = {"server": f"https://127.0.0.1:{proxy.port}", "tls-server-name": "kubernetes"}
        kubeconfig = kubeconfig_with(control, tmp_path / "proxied.yaml", **cluster)
        async with open_access(kubeconfig) as access, asyncio.timeout(60):
            runs = KubeRuns(access.client, run.namespace)
            seen = follow(runs, Key(run.namespace, run.name), on_outage=outages.append)
            assert text(await anext(seen), "status", "phase") == ""
            proxy.is_open = False
            proxy.cut()
            await asyncio.to_thread(end, run, "Succeeded", "Completed", "done meanwhile")
            follower = asyncio.create_task(_next_phase(seen))
            await _until_told(outages, proxy)
            proxy.is_open = True
            assert await follower == "Succeeded"
    assert outages


async def _next_phase(seen: Any) -> str:
    return text(await anext(seen), "status", "phase")


async def _until_told(outages: list[str], proxy: TcpProxy) -> None:
    while not outages:
        proxy.cut()
        await asyncio.sleep(0.05)


async def test_the_servers_own_refusals_are_told_apart(
    client: KubeClient, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = KubeRuns(client, run.namespace)
    run.create()
    with pytest.raises(ExpiredError):
        await anext(runs.watch(Key(run.namespace, run.name), "1"))
    monkeypatch.setattr(kube_runs, "VERSION", "v0")
    for asked in (runs.read(Key(run.namespace, run.name)), runs.find(None)):
        with pytest.raises(NotInstalledError, match="not installed"):
            await asked


async def test_a_stream_that_may_not_be_had_is_forbidden(control: Control, run: Run, tmp_path: Path) -> None:
    run.create()
    async with open_access(someone(control, run.namespace, tmp_path, READ)) as access:
        runs = KubeRuns(access.client, access.namespace)
        assert access.namespace == run.namespace
        with pytest.raises(ForbiddenError, match="watch tracksyncjobs"):
            await anext(runs.watch(Key(run.namespace, run.name), "0"))
        with pytest.raises(ForbiddenError, match="get pods/log"):
            await anext(runs.log(run.namespace, "nobody", follow=False))


def test_one_life_by_verbs_alone(operator: OperatorProcess, verbs: Verbs, run: Run) -> None:
    """Created suspended, resumed, suspended, resumed, cancelled, resumed by annotation, deleted."""
    assert operator.process is not None
    verbs("create", "--name", run.name, "--secret", "tracksync-db", "--suspend")
    assert "Suspended" in verbs("wait", run.name, "--for", "suspended", "--timeout", "60s")
    verbs("resume", run.name)
    wait_for(lambda: len(run.pods()) == 1, run.read)
    assert run.pods()[0]["metadata"]["name"] in verbs("logs", run.name, code=3)
    assert "Suspended" in verbs("suspend", run.name, "--wait", "--timeout", "60s")
    wait_for(lambda: not run.jobs(), run.jobs)
    verbs("resume", run.name)
    wait_for(lambda: len(run.jobs()) == 1, run.read)
    assert "Cancelled" in verbs("cancel", run.name, "--wait", "--timeout", "60s")
    assert verbs("wait", run.name, code=1).startswith(f"{run.name}: Cancelled")
    verbs("resume", run.name)
    token = run.read()["metadata"]["annotations"][Annotation.RESUME]
    wait_for(lambda: run.read()["status"].get("lastHandledResume") == token, run.read)
    wait_for(lambda: run.phase() == "Pending" and len(run.jobs()) == 1, run.read)
    told = verbs("describe", run.name)
    rows = told[told.index("EVENTS") :].splitlines()[2:]
    times = [row.split()[0] + row.split()[1] for row in rows[: rows.index("")]]
    assert times
    assert times == sorted(times)
    assert verbs("cancel", run.name, "--delete", "--wait", "--timeout", "60s").endswith("is gone\n")
    assert not run.exists()
