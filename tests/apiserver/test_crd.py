"""The CRD on a real API server: a generated table of accepted and rejected manifests, defaults, updates, columns."""

from __future__ import annotations

import copy
import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.apiserver.conftest import SPEC, Control, Run
from tracksync.adapters.kube.cluster import KubeCluster
from tracksync.api.identity import (
    API_VERSION,
    GROUP,
    JOB_KIND,
    JOB_PLURAL,
    OPERATOR_FIELD_MANAGER,
    VERSION,
    WORKER_FIELD_MANAGER,
)
from tracksync.api.job import OperatorStatus, TrackSyncJobSpec, WorkerStatus
from tracksync.api.schema import job_crd
from tracksync.core.runs.model import Key
from tracksync.core.runs.reading import text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracksync.adapters.kube.client import KubeClient, Reply

Path = tuple[str, ...]
ITEM = "[]"
VALUE = "{}"
"""In a path: a list's only item, and the value of a map's only name."""


class Case(NamedTuple):
    """One rule of the schema with a value on each side of it."""

    name: str
    path: Path
    accepted: Any
    rejected: Any


def spec_schema() -> dict[str, Any]:
    plain = json.loads(json.dumps(job_crd()))
    schema: dict[str, Any] = plain["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    return schema


def rules_of(node: dict[str, Any], path: Path = ()) -> Iterator[Case]:
    """Every rule below the node; a keyword without a case here raises."""
    for keyword, value in node.items():
        yield from cases_of(keyword, value, node, path)
    for name, child in node.get("properties", {}).items():
        yield from rules_of(child, (*path, name))
    if "items" in node:
        yield from rules_of(node["items"], (*path, ITEM))
    if "additionalProperties" in node:
        yield from rules_of(node["additionalProperties"], (*path, VALUE))


def text_of(node: dict[str, Any], length: int) -> str:
    """A text of this length that the node's pattern takes, as far as its length is possible at all."""
    pattern = node.get("pattern", "")
    if "[0-9]{1,12}" in pattern:
        return {0: "", 1: "1", 2: "10"}.get(length, "123456789012.12345Mi")
    if "{0,251}" in pattern and length > MOST_NAME:
        return "a" * (length - MOST_NAME - 1) + "/" + "b" * MOST_NAME
    if "[0-9]{1,5}h" not in pattern:
        return "a" * length
    return "99999h99999m9999999s"[:length] if length >= MOST_DURATION else "9h"[2 - length :]


MOST_NAME = 63
"""Characters of a label's name, without its prefix."""
MOST_DURATION = 20
"""Characters of the longest duration."""


def cases_of(  # noqa: C901, PLR0912 -- one branch for each keyword
    keyword: str, value: Any, node: dict[str, Any], path: Path
) -> Iterator[Case]:
    name = f"{'.'.join(path) or 'spec'} {keyword}"
    match keyword:
        case _ if keyword in NO_RULES:
            return  # no rule, or has its own test below, or part of `minimum`
        case "type" if "enum" in node:
            yield Case(name, path, node["enum"][0], 7)
        case "type":
            good, bad = {
                "string": (text_of(node, 2), 7),
                "boolean": (True, "yes"),
                "integer": (node.get("maximum", 10), 1.5),
                "number": (1, "one"),
                "array": ([], "one"),
            }.get(value, (None, 7))
            if path:
                yield Case(name, path, good, bad)
        case "maxLength":
            yield Case(name, path, text_of(node, value), text_of(node, value) + "a")
        case "minLength":
            yield Case(name, path, text_of(node, value), text_of(node, value - 1))
        case "pattern":
            yield Case(name, path, text_of(node, 2), "A b!")
        case "enum":
            yield Case(name, path, value[-1], f"{value[-1]}d")
        case "maxItems":
            entries = [{"key": f"s{n}"} if node["items"]["type"] == "object" else f"s{n}" for n in range(value + 1)]
            yield Case(name, path, entries[1:], entries)
        case "maxProperties":
            names = [f"n{number}" for number in range(value + 1)]
            yield Case(name, path, dict.fromkeys(names[1:], ""), dict.fromkeys(names, ""))
        case "x-kubernetes-list-type" if value == "atomic":
            return
        case "x-kubernetes-list-type" if value == "set":
            yield Case(name, path, ["a", "b"], ["a", "a"])
        case "minimum":
            exclusive = node.get("exclusiveMinimum", False)
            yield Case(name, path, value + 1 if exclusive else value, value if exclusive else value - 1)
        case "maximum":
            yield Case(name, path, value, value + 1)
        case "required":
            for missing in value:
                yield Case(f"{name} {missing}", (*path, missing), None, "(missing)")
        case _:
            raise NotImplementedError(f"{name}: add a case for this rule")


NO_RULES = {"description", "default", "properties", "items", "additionalProperties", "exclusiveMinimum"} | {
    "x-kubernetes-validations"
}
CASES = list(rules_of(spec_schema()))


def manifest(name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": API_VERSION, "kind": JOB_KIND, "metadata": {"name": name}, "spec": spec}


def spec_with(path: Path, value: Any) -> dict[str, Any]:
    """The shortest spec with this value at the path; None leaves it as it is, "(missing)" takes it out."""
    spec = copy.deepcopy(SPEC)
    if path[0] == "onlySlugs":
        spec["deactivation"] = {"policy": "Disabled"}
    if value is None:
        return spec
    if value != "(missing)":
        return merged(spec, nested(path, value))
    node: Any = spec
    for name in path[:-1]:
        node = node.setdefault(name, {})
    del node[path[-1]]
    return spec


def nested(path: Path, value: Any) -> Any:
    """The value inside what its path says."""
    if not path:
        return value
    inner = nested(path[1:], value)
    return [inner] if path[0] == ITEM else {"some-name" if path[0] == VALUE else path[0]: inner}


def merged(base: Any, change: Any) -> Any:
    if not (isinstance(base, dict) and isinstance(change, dict)):
        return change
    return base | {name: merged(base.get(name), value) for name, value in change.items()}


async def try_to_create(client: KubeClient, spec: dict[str, Any]) -> Reply:
    path = f"/apis/{GROUP}/{VERSION}/namespaces/default/{JOB_PLURAL}"
    query = {"dryRun": "All", "fieldValidation": "Strict"}
    expected = (HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.BAD_REQUEST)
    return await client.send("POST", path, query=query, body=manifest("tried", spec), expected=expected)


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
async def test_each_rule_accepts_one_manifest_and_rejects_another(client: KubeClient, case: Case) -> None:
    accepted = await try_to_create(client, spec_with(case.path, case.accepted))
    assert accepted.status == HTTPStatus.CREATED, accepted.document
    rejected = await try_to_create(client, spec_with(case.path, case.rejected))
    assert rejected.status == HTTPStatus.UNPROCESSABLE_ENTITY, rejected.document
    named = [name for name in case.path if name not in {ITEM, VALUE}]
    assert named[-1] in str(rejected.document["message"]), "the message names the field"


async def test_a_field_that_nobody_knows_is_refused_when_asked_to_be_strict(client: KubeClient) -> None:
    reply = await try_to_create(client, SPEC | {"fromTheFuture": True})
    assert reply.status == HTTPStatus.BAD_REQUEST


async def test_the_servers_defaults_are_the_models(client: KubeClient) -> None:
    reply = await try_to_create(client, SPEC)
    stored: Any = reply.document["spec"]
    assert TrackSyncJobSpec.model_validate(stored) == TrackSyncJobSpec.model_validate(SPEC)
    assert stored == TrackSyncJobSpec.model_validate(SPEC).to_wire()


@pytest.mark.parametrize("slugs", [["sunvalley"], []])
@pytest.mark.parametrize("policy", ["Apply", "Withhold", "Disabled", None])
async def test_a_run_of_single_tracks_must_not_ask_for_deactivation(
    client: KubeClient, slugs: list[str], policy: str | None
) -> None:
    deactivation = {"policy": policy} if policy else {}
    reply = await try_to_create(client, SPEC | {"onlySlugs": slugs, "deactivation": deactivation})
    if slugs and policy in {"Apply", None}:
        assert reply.status == HTTPStatus.UNPROCESSABLE_ENTITY
        assert "set deactivation.policy to Disabled" in str(reply.document["message"])
    else:
        assert reply.status == HTTPStatus.CREATED, reply.document


CHANGES = {
    "source": {"source": {"requestsPerSecond": 1}},
    "target": {"target": {"databaseSecretRef": {"name": "another"}}},
    "mode": {"mode": "Plan"},
    "metadata": {"metadata": {"enabled": False}},
    "write": {"write": {"batchSize": 1}},
    "onlySlugs": {"onlySlugs": ["sunvalley"]},
    "deactivation.policy": {"deactivation": {"policy": "Withhold"}},
    "deactivation.maxPercent": {"deactivation": {"maxPercent": 100}},
    "deactivation.maxCount": {"deactivation": {"maxCount": 1000}},
}


def fields_with_rules(node: dict[str, Any], path: Path = ()) -> Iterator[str]:
    for name, child in node.get("properties", {}).items():
        if any(rule["rule"] == "self == oldSelf" for rule in child.get("x-kubernetes-validations", [])):
            yield ".".join((*path, name))
        yield from fields_with_rules(child, (*path, name))


def test_every_rule_about_updates_has_a_case() -> None:
    assert set(fields_with_rules(spec_schema())) == set(CHANGES)


@pytest.mark.parametrize("name", CHANGES)
def test_what_a_run_is_bound_to_cannot_be_changed(control: Control, run: Run, name: str) -> None:
    run.create()
    patch = json.dumps({"spec": CHANGES[name]})
    answer = control.kubectl("-n", run.namespace, "patch", "tsj", run.name, "--type=merge", "-p", patch, check=False)
    assert f"spec.{name}" in answer
    assert "create a new TrackSyncJob" in answer


CHANGEABLE = {
    "deactivation": {"approvedCeiling": 545},
    "activeDeadlineSeconds": 77,
    "slaSeconds": 77,
    "stallSeconds": 77,
    "ttlSecondsAfterFinished": 77,
    "suspend": True,
    "cancel": True,
    "failureThreshold": {"maxFailedPercent": 77},
    "retry": {"limit": 7},
    "worker": {"resources": {"limits": {"memory": "1Gi"}}},
}


@pytest.mark.parametrize("name", CHANGEABLE)
def test_what_a_run_can_follow_can_be_changed(control: Control, run: Run, name: str) -> None:
    run.create()
    patch = json.dumps({"spec": {name: CHANGEABLE[name]}})
    control.kubectl("-n", run.namespace, "patch", "tsj", run.name, "--type=merge", "-p", patch)
    assert merged(run.read()["spec"][name], CHANGEABLE[name]) == run.read()["spec"][name]


def test_a_cancellation_cannot_be_taken_back(control: Control, run: Run) -> None:
    run.create(cancel=True)
    patch = json.dumps({"spec": {"cancel": False}})
    answer = control.kubectl("-n", run.namespace, "patch", "tsj", run.name, "--type=merge", "-p", patch, check=False)
    assert "spec.cancel" in answer
    assert "tracksync.io/resume" in answer


@pytest.mark.parametrize(("length", "status"), [(317, HTTPStatus.CREATED), (318, HTTPStatus.UNPROCESSABLE_ENTITY)])
async def test_names_in_a_map_are_bounded(client: KubeClient, length: int, status: HTTPStatus) -> None:
    reply = await try_to_create(client, SPEC | {"worker": {"nodeSelector": {"a" * length: ""}}})
    assert reply.status == status, reply.document


async def test_the_api_server_lists_what_has_not_ended_and_by_secret(client: KubeClient, run: Run) -> None:
    """What the queue looks at: a run without a status counts as well."""
    cluster = KubeCluster(client)
    run.create()
    other = Run(run.control, run.namespace, "other")
    other.create(target={"databaseSecretRef": {"name": "another"}})

    async def unfinished(secret: str = "") -> set[str]:
        found = await cluster.list_unfinished(run.namespace, secret=secret)
        return {text(each, "metadata", "name") for each in found}

    assert await unfinished() == {"nightly", "other"}
    assert await unfinished("tracksync-db") == {"nightly"}
    for phase, expected in (("Queued", {"nightly", "other"}), ("Failed", {"nightly"})):
        found = await cluster.read_run(Key(run.namespace, "other"))
        assert found is not None
        await cluster.apply_operator_status(found, OperatorStatus.model_validate({"phase": phase}))
        assert await unfinished() == expected


async def test_only_the_version_that_was_seen_is_deleted(client: KubeClient, run: Run) -> None:
    run.create()
    cluster = KubeCluster(client)
    stale = await cluster.read_run(Key(run.namespace, run.name))
    assert stale is not None
    version = await cluster.apply_operator_status(stale, OPERATOR_HALF)
    await cluster.delete_run(stale)
    assert run.exists()
    found = await cluster.read_run(Key(run.namespace, run.name))
    assert found is not None
    assert text(found, "metadata", "resourceVersion") == version
    await cluster.delete_run(found)
    assert not run.exists()


OPERATOR_HALF = OperatorStatus.model_validate(
    {"phase": "Running", "attempts": [{"number": n, "jobName": "j"} for n in (1, 2)]}
)
WORKER_HALF = WorkerStatus.model_validate(
    {
        "progress": {
            "stage": "metadata",
            "done": 812,
            "total": 1090,
            "text": "812/1090",
            "heartbeat": "2026-01-31T02:00:00Z",
        },
        "results": {"withheld": 545, "failedItems": 0},
        "withheld": {"count": 545, "activeBefore": 1090, "reasons": ["maxPercent", "maxCount"]},
    }
)


async def test_two_field_managers_share_one_status(client: KubeClient, control: Control, run: Run) -> None:
    run.create()
    cluster = KubeCluster(client)
    key = Key(run.namespace, run.name)
    before = await cluster.read_run(key)
    assert before is not None
    assert await cluster.apply_worker_status(before, WORKER_HALF) is not None
    current = await cluster.read_run(key)
    assert current is not None
    assert await cluster.apply_operator_status(current, OPERATOR_HALF) is not None
    status = run.read()["status"]
    assert (status["phase"], status["progress"]["done"]) == ("Running", 812)
    assert (status["withheld"], status["results"]["withheld"]) == (WORKER_HALF.to_wire()["withheld"], 545)

    managed = control.get("tsj", run.name, "-n", run.namespace, "--show-managed-fields")["metadata"]["managedFields"]
    owners = {entry["manager"]: set(entry["fieldsV1"]["f:status"]) for entry in managed if entry.get("subresource")}
    assert owners[OPERATOR_FIELD_MANAGER] >= {"f:phase", "f:attempts"}
    assert owners[WORKER_FIELD_MANAGER] >= {"f:progress"}
    assert not owners[OPERATOR_FIELD_MANAGER] & owners[WORKER_FIELD_MANAGER]

    header, row = control.kubectl("-n", run.namespace, "get", "tsj", run.name).splitlines()
    assert header.split() == ["NAME", "PHASE", "STAGE", "PROGRESS", "FAILED", "ETA", "DURATION", "AGE"]
    assert row.split()[:5] == ["nightly", "Running", "metadata", "812/1090", "0"]
    header, row = control.kubectl("-n", run.namespace, "get", "tsj", run.name, "-o", "wide").splitlines()
    assert header.split()[7:] == ["REASON", "DEACTIVATED", "ATTEMPT", "QUEUE", "RUN-ID", "AGE"]
    assert row[header.index("ATTEMPT") :].split()[0] == "2"


async def test_a_status_is_applied_to_the_version_that_was_read_or_not_at_all(client: KubeClient, run: Run) -> None:
    run.create()
    cluster = KubeCluster(client)
    stale = await cluster.read_run(Key(run.namespace, run.name))
    assert stale is not None
    assert await cluster.apply_operator_status(stale, OPERATOR_HALF) is not None
    assert await cluster.apply_operator_status(stale, OperatorStatus.model_validate({"phase": "Failed"})) is None
    assert run.phase() == "Running"


async def test_a_status_is_never_applied_to_another_run_of_the_same_name(client: KubeClient, run: Run) -> None:
    run.create()
    cluster = KubeCluster(client)
    found = await cluster.read_run(Key(run.namespace, run.name))
    assert found is not None
    run.control.kubectl("-n", run.namespace, "delete", "tsj", run.name)
    run.create()
    assert await cluster.apply_worker_status(found, WORKER_HALF) is None
    assert "progress" not in run.read().get("status", {})


async def test_a_field_that_is_left_out_is_removed(client: KubeClient, run: Run) -> None:
    run.create()
    cluster = KubeCluster(client)
    for half in (OPERATOR_HALF, OperatorStatus.model_validate({"phase": "Pending"})):
        found = await cluster.read_run(Key(run.namespace, run.name))
        assert found is not None
        assert await cluster.apply_operator_status(found, half) is not None
    assert (run.phase(), "attempts" in run.read()["status"]) == ("Pending", False)


def test_kubectl_explain_reads_well(control: Control) -> None:
    text = control.kubectl("explain", "tracksyncjobs.spec.source")
    assert "Name of a source that the installation allows." in text
    assert "It may only lower the installation's limit" in " ".join(text.split())


@pytest.mark.parametrize("word", ["tsj", "tracksync", "tracksyncjob"])
def test_kubectl_knows_the_short_names(control: Control, run: Run, word: str) -> None:
    run.create()
    assert run.name in control.kubectl("-n", run.namespace, "get", word)
