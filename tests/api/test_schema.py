"""The generated CRD: everything bounded and described, nothing open, equal to the committed file."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from pydantic import BaseModel, Field

from tests.support.runs import SPEC
from tracksync.api.base import timedelta_of
from tracksync.api.job import OperatorStatus, TrackSyncJobSpec, WorkerStatus
from tracksync.api.schema import LIST_MAP_KEYS, crd_documents, job_crd, structural_schema

if TYPE_CHECKING:
    from collections.abc import Iterator

CRDS = Path(__file__).resolve().parents[2] / "crds"


def crd() -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(json.dumps(job_crd()))
    return plain


def version() -> dict[str, Any]:
    [only] = crd()["spec"]["versions"]
    assert isinstance(only, dict)
    return only


def nodes(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every node of the schema with its path; the API server's own fields are left out."""
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        if path or name in {"spec", "status"}:
            yield from nodes(child, f"{path}.{name}")
    if "items" in schema:
        yield from nodes(schema["items"], f"{path}[]")


def every_node() -> list[tuple[str, dict[str, Any]]]:
    return [entry for entry in nodes(version()["schema"]["openAPIV3Schema"]) if entry[0]]


def test_every_string_and_list_is_bounded() -> None:
    for path, node in every_node():
        if node["type"] == "string":
            assert "maxLength" in node or "enum" in node or node.get("format") == "date-time", path
        if node["type"] == "array":
            assert "maxItems" in node, path
        if "additionalProperties" in node:
            assert "maxProperties" in node, path
            assert "size(name)" in node["x-kubernetes-validations"][0]["rule"], path


def test_every_field_is_described_on_one_line() -> None:
    for path, node in every_node():
        if not path.endswith("[]"):
            assert node.get("description"), path
            assert "\n" not in node["description"], path


def test_nothing_is_open_and_every_name_is_camel_case() -> None:
    for path, node in every_node():
        assert node.get("additionalProperties", {"maxLength": 1}).keys() >= {"maxLength"}, path
        assert "x-kubernetes-preserve-unknown-fields" not in node, path
        assert re.fullmatch(r"(\.[a-z][A-Za-z0-9]*(\[\])?)+", path), path


def test_nothing_in_the_status_is_defaulted_but_that_nobody_has_seen_it() -> None:
    """An object without a status is taken for done by kstatus."""
    found = [(path, node["default"]) for path, node in every_node() if "default" in node]
    defaults = {path: default for path, default in found if path.startswith(".status")}
    assert defaults == {".status": {"observedGeneration": -1}}


def test_nested_defaults_start_at_the_outermost_optional_object() -> None:
    properties = version()["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]
    assert {name for name, node in properties.items() if node.get("default") == {}} == {
        "source",
        "metadata",
        "deactivation",
        "write",
        "failureThreshold",
        "retry",
        "worker",
    }


def test_lists_with_a_key_merge_by_it_and_require_it() -> None:
    status = version()["schema"]["openAPIV3Schema"]["properties"]["status"]["properties"]
    for name, key in LIST_MAP_KEYS.items():
        assert (status[name]["x-kubernetes-list-type"], status[name]["x-kubernetes-list-map-keys"]) == ("map", [key])
        assert key in status[name]["items"]["required"]


def test_only_lists_say_how_they_merge() -> None:
    """A number may have the name of a list: the spec's `attempts` and the status's."""
    merging = {path for path, node in every_node() if any(key.startswith("x-kubernetes-list") for key in node)}
    assert merging == {path for path, node in every_node() if node["type"] == "array"}


@pytest.mark.parametrize("duration", ["168h", "90m", "1h30m", "0s", "1h2m3s", "99999h"])
def test_the_server_takes_a_duration_that_a_run_understands(duration: str) -> None:
    node = dict(every_node())[".spec.metadata.refreshAfter"]
    assert re.search(node["pattern"], duration)
    assert timedelta_of(duration) >= timedelta(0)


@pytest.mark.parametrize("duration", ["7d", "h", "1.5h", "-1h", "1m1h", "168", "100000h"])
def test_the_server_refuses_what_a_run_would_not_understand(duration: str) -> None:
    node = dict(every_node())[".spec.metadata.refreshAfter"]
    assert not re.search(node["pattern"], duration)
    with pytest.raises(ValueError, match="no duration"):
        timedelta_of(duration)


def test_the_two_halves_of_the_status_share_no_field() -> None:
    assert not OperatorStatus.model_fields.keys() & WorkerStatus.model_fields.keys()


def test_kubectl_shows_what_matters_and_more_when_asked() -> None:
    columns = version()["additionalPrinterColumns"]
    shown = {wide: [column["name"] for column in columns if column.get("priority", 0) == wide] for wide in (0, 1)}
    assert shown[0] == ["Phase", "Stage", "Progress", "Failed", "ETA", "Duration", "Age"]
    assert shown[1] == ["Reason", "Deactivated", "Attempt", "Queue", "Run-ID"]


def test_the_status_is_a_subresource_and_the_names_are_the_promised_ones() -> None:
    names = crd()["spec"]["names"]
    assert version()["subresources"] == {"status": {}}
    assert (names["shortNames"], names["categories"]) == (["tsj"], ["tracksync"])


@pytest.mark.parametrize(
    "name",
    [
        "source",
        "target",
        "metadata",
        "onlySlugs",
        "deactivation.policy",
        "deactivation.maxPercent",
        "deactivation.maxCount",
    ],
)
def test_what_a_run_is_bound_to_is_immutable_and_says_what_to_do(name: str) -> None:
    [rule] = dict(every_node())[f".spec.{name}"]["x-kubernetes-validations"]
    assert rule["rule"] == "self == oldSelf"
    assert "create a new TrackSyncJob" in rule["message"]


@pytest.mark.parametrize("name", ["activeDeadlineSeconds", "deactivation", "deactivation.approvedCeiling"])
def test_the_deadline_and_an_approval_may_be_changed(name: str) -> None:
    assert "x-kubernetes-validations" not in dict(every_node())[f".spec.{name}"]


def test_a_run_of_a_part_must_not_ask_for_deactivation() -> None:
    [rule] = dict(every_node())[".spec"]["x-kubernetes-validations"]
    assert "size(self.onlySlugs) > 0 && self.deactivation.policy == 'Apply'" in rule["rule"]
    assert "Disabled" in rule["message"]
    assert "Withhold" in rule["message"]


def test_slugs_are_a_set_so_that_their_order_is_no_change() -> None:
    node = dict(every_node())[".spec.onlySlugs"]
    assert (node["x-kubernetes-list-type"], node["maxItems"], node["default"]) == ("set", 200, [])


def test_words_of_an_enum_come_with_their_default() -> None:
    node = dict(every_node())[".spec.deactivation.policy"]
    assert (node["type"], node["enum"], node["default"]) == ("string", ["Apply", "Withhold", "Disabled"], "Apply")


def test_every_field_of_the_spec_is_in_the_full_sample() -> None:
    sample = yaml.safe_load((CRDS.parent / "manifests" / "samples" / "full.yaml").read_text(encoding="utf-8"))
    TrackSyncJobSpec.model_validate(sample["spec"])
    expected = {path for path, _ in every_node() if path.startswith(".spec") and "[]" not in path}
    assert set(paths_of(sample["spec"], ".spec")) == expected


def paths_of(value: Any, path: str) -> Iterator[str]:
    yield path
    for name, child in value.items() if isinstance(value, dict) else ():
        yield from paths_of(child, f"{path}.{name}")


@pytest.mark.parametrize("name", crd_documents())
def test_the_committed_file_is_what_the_models_say(name: str) -> None:
    text = (CRDS / name).read_text(encoding="utf-8")
    assert yaml.safe_load(text) == crd_documents()[name], "run `tracksync admin crd --output-dir crds`"
    assert text.startswith("# Generated by ")


def test_no_other_crd_is_committed() -> None:
    assert {path.name for path in CRDS.iterdir()} == set(crd_documents())


def test_a_spec_survives_the_round_trip() -> None:
    spec = TrackSyncJobSpec.model_validate(SPEC | {"source": {"name": "liverc", "requestsPerSecond": 0.5}})
    assert TrackSyncJobSpec.model_validate(yaml.safe_load(yaml.safe_dump(spec.to_wire()))) == spec


class Bounded(BaseModel):
    size: float = Field(gt=1, lt=2)


class Mixed(BaseModel):
    either: int | str


class Open(BaseModel):
    anything: dict[str, int]


def test_exclusive_bounds_take_their_openapi_form() -> None:
    node = structural_schema(Bounded, defaults=True)["properties"]
    assert node == {
        "size": {
            "minimum": 1.0,
            "exclusiveMinimum": True,
            "maximum": 2.0,
            "exclusiveMaximum": True,
            "type": "number",
        }
    }


@pytest.mark.parametrize(("model", "named"), [(Mixed, "either"), (Open, "additionalProperties")])
def test_a_construct_without_translation_raises_and_is_named(model: type[BaseModel], named: str) -> None:
    with pytest.raises(TypeError, match=named):
        structural_schema(model, defaults=True)
