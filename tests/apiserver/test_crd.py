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

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tracksync.adapters.kube.client import KubeClient, Reply

Path = tuple[str, ...]
ITEM = "[]"


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


def text_of(node: dict[str, Any], length: int) -> str:
    """A text of this length that the node's pattern takes, as far as its length is possible at all."""
    if "[0-9]{1,5}h" not in node.get("pattern", ""):
        return "a" * length
    return "99999h99999m9999999s"[:length] if length >= MOST_DURATION else "9h"[2 - length :]


MOST_DURATION = 20
"""Characters of the longest duration."""


def cases_of(  # noqa: C901, PLR0912 -- one branch for each keyword
    keyword: str, value: Any, node: dict[str, Any], path: Path
) -> Iterator[Case]:
    name = f"{'.'.join(path) or 'spec'} {keyword}"
    match keyword:
        case "description" | "default" | "properties" | "items" | "x-kubernetes-validations" | "exclusiveMinimum":
            return  # no rule, or has its own test below, or part of `minimum`
        case "type" if "enum" in node:
            yield Case(name, path, node["enum"][0], 7)
        case "type":
            good, bad = {
                "string": (text_of(node, 2), 7),
                "boolean": (True, "yes"),
                "integer": (10, 1.5),
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
            yield Case(name, path, [f"s{number}" for number in range(value)], [f"s{n}" for n in range(value + 1)])
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


CASES = list(rules_of(spec_schema()))


def manifest(name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": API_VERSION, "kind": JOB_KIND, "metadata": {"name": name}, "spec": spec}


def spec_with(path: Path, value: Any) -> dict[str, Any]:
    """The shortest spec with this value at the path; None leaves it as it is, "(missing)" takes it out.

    A path that ends in ITEM sets a list's only item; what that list needs beside it is added.
    """
    if path[-1:] == (ITEM,):
        path, value = path[:-1], [] if value is None else [value]
    spec = copy.deepcopy(SPEC)
    if path == ("onlySlugs",):
        spec["deactivation"] = {"policy": "Disabled"}
    node: Any = spec
    for name in path[:-1]:
        node = node.setdefault(name, {})
    if value == "(missing)":
        del node[path[-1]]
    elif value is not None:
        node[path[-1]] = value
    return spec


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
    named = [name for name in case.path if name != ITEM]
    assert named[-1] in str(rejected.document["message"]), "the message names the field"


async def test_a_field_that_nobody_knows_is_refused_when_asked_to_be_strict(client: KubeClient) -> None:
    reply = await try_to_create(client, SPEC | {"mode": "Apply"})
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
    "metadata": {"metadata": {"enabled": False}},
    "onlySlugs": {"onlySlugs": ["sunvalley"]},
    "deactivation.policy": {"deactivation": {"policy": "Withhold"}},
    "deactivation.maxPercent": {"deactivation": {"maxPercent": 100}},
    "deactivation.maxCount": {"deactivation": {"maxCount": 1000}},
}


def fields_with_rules(node: dict[str, Any], path: Path = ()) -> Iterator[str]:
    for name, child in node.get("properties", {}).items():
        if "x-kubernetes-validations" in child:
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


def test_the_deadline_and_an_approval_can_be_changed(control: Control, run: Run) -> None:
    run.create()
    patch = json.dumps({"spec": {"activeDeadlineSeconds": 77, "deactivation": {"approvedCeiling": 545}}})
    control.kubectl("-n", run.namespace, "patch", "tsj", run.name, "--type=merge", "-p", patch)
    spec = run.read()["spec"]
    assert (spec["activeDeadlineSeconds"], spec["deactivation"]["approvedCeiling"]) == (77, 545)


OPERATOR_HALF = OperatorStatus.model_validate({"phase": "Running", "attempts": [{"number": 1, "jobName": "j"}]})
WORKER_HALF = WorkerStatus.model_validate(
    {
        "progress": {
            "stage": "metadata",
            "done": 812,
            "total": 1090,
            "text": "812/1090",
            "heartbeat": "2026-01-31T02:00:00Z",
        },
        "results": {"withheld": 545},
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
    assert header.split() == ["NAME", "PHASE", "STAGE", "PROGRESS", "AGE"]
    assert row.split()[:4] == ["nightly", "Running", "metadata", "812/1090"]


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
    assert "status" not in run.read()


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
