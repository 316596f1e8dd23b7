"""Models -> structural schemas -> CustomResourceDefinitions; pure.

pydantic writes JSON Schema 2020-12, a CRD wants OpenAPI 3.0 in structural form. Whatever this module does not know how
to translate raises, so that a new construct in a model can never reach a cluster half translated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from tracksync.api.identity import (
    CATEGORY,
    GROUP,
    JOB_KIND,
    JOB_PLURAL,
    JOB_SHORT_NAME,
    JOB_SINGULAR,
    VERSION,
)
from tracksync.api.job import OperatorStatus, TrackSyncJobSpec, WorkerStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel

Schema = dict[str, object]

LIST_MAP_KEYS: Final = {"conditions": "type", "stages": "name", "attempts": "number"}
"""Lists that server-side apply merges by this key; others are replaced as a whole, unless the model says `set`."""

UNSEEN_GENERATION: Final = -1
"""What `status.observedGeneration` is before the operator's first look."""

SELECTABLE_FIELDS: Final = ("status.phase", "spec.target.databaseSecretRef.name")
"""What the API server can filter lists by, so that a look into the queue costs what is in it (Kubernetes 1.31)."""

_COLUMNS: Final = (
    ("Phase", "string", ".status.phase"),
    ("Stage", "string", ".status.progress.stage"),
    ("Progress", "string", ".status.progress.text"),
    ("Failed", "integer", ".status.results.failedItems"),
    ("ETA", "string", ".status.progress.eta"),
    ("Duration", "string", ".status.duration"),
)
_WIDE_COLUMNS: Final = (
    ("Reason", "string", '.status.conditions[?(@.type=="Succeeded")].reason'),
    ("Deactivated", "integer", ".status.results.deactivated"),
    ("Attempt", "integer", ".status.attempts[-1:].number"),
    ("Queue", "integer", ".status.queuePosition"),
    ("Run-ID", "string", ".status.runId"),
)

_COPIED: Final = frozenset(
    {
        "type",
        "enum",
        "format",
        "pattern",
        "minimum",
        "maximum",
        "minLength",
        "maxLength",
        "minItems",
        "maxItems",
        "maxProperties",
        "required",
        "x-kubernetes-list-type",
        "x-kubernetes-validations",
    }
)
_EXCLUSIVE: Final = {"exclusiveMinimum": "minimum", "exclusiveMaximum": "maximum"}


def crd_documents() -> dict[str, Schema]:
    """Return every CustomResourceDefinition by the name of its file in `crds/`."""
    return {f"{JOB_PLURAL}.yaml": job_crd()}


def job_crd() -> Schema:
    """Return the CustomResourceDefinition of TrackSyncJob."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{JOB_PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": JOB_KIND,
                "listKind": f"{JOB_KIND}List",
                "plural": JOB_PLURAL,
                "singular": JOB_SINGULAR,
                "shortNames": [JOB_SHORT_NAME],
                "categories": [CATEGORY],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}},
                    "selectableFields": [{"jsonPath": f".{path}"} for path in SELECTABLE_FIELDS],
                    "additionalPrinterColumns": _printer_columns(),
                    "schema": {"openAPIV3Schema": _job_schema()},
                }
            ],
        },
    }


def _printer_columns() -> list[Schema]:
    """Return the columns that `kubectl get` shows after NAME."""
    columns = [(*column, 0) for column in _COLUMNS] + [(*column, 1) for column in _WIDE_COLUMNS]
    columns.append(("Age", "date", ".metadata.creationTimestamp", 0))
    return [
        {"name": name, "type": kind, "jsonPath": path} | ({"priority": priority} if priority else {})
        for name, kind, path, priority in columns
    ]


def _job_schema() -> Schema:
    return {
        "description": "One run of the sync: LiveRC's catalogue of tracks into a PostgreSQL database.",
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string", "description": f"Always {GROUP}/{VERSION}."},
            "kind": {"type": "string", "description": f"Always {JOB_KIND}."},
            "metadata": {"type": "object"},
            "spec": structural_schema(TrackSyncJobSpec, defaults=True),
            "status": _status_schema(),
        },
    }


def _status_schema() -> Schema:
    """Return both halves of the status as one object; nothing in it is defaulted, so each field keeps its one owner.

    A TrackSyncJob without a status has the one that says that the operator has not seen it: kstatus would take it for
    done otherwise.
    """
    properties: Schema = {}
    for half in (OperatorStatus, WorkerStatus):
        properties |= _mapping(structural_schema(half, defaults=False)["properties"])
    return {
        "description": "What the operator and the worker report about the run.",
        "type": "object",
        "properties": properties,
        "default": {"observedGeneration": UNSEEN_GENERATION},
    }


def structural_schema(model: type[BaseModel], *, defaults: bool) -> Schema:
    """Return the model's structural schema, with or without the defaults that the API server shall fill in.

    Raises:
        TypeError: the model uses a construct that has no translation here; the construct is named.
    """
    source = model.model_json_schema(by_alias=True)
    definitions = _mapping(source.pop("$defs", {}))
    return _Translation(definitions, defaults=defaults).translate(source, path=model.__name__)


class _Translation:
    """One model's translation: its shared definitions, and whether defaults are wanted."""

    def __init__(self, definitions: Mapping[str, object], *, defaults: bool) -> None:
        self._definitions = definitions
        self._defaults = defaults

    def translate(self, source: Mapping[str, object], *, path: str) -> Schema:
        """Return the structural form of one JSON schema node."""
        node = self._resolve(source, path=path)
        result: Schema = {}
        for keyword, value in node.items():
            self._translate_keyword(keyword, value, into=result, path=path)
        if "type" not in result:
            raise TypeError(f"{path}: no type: {sorted(node)}")
        return result

    def _resolve(self, source: Mapping[str, object], *, path: str) -> Schema:
        """Return the node with its reference inlined and its `X or null` reduced to X; its own keywords win."""
        own = {key: value for key, value in source.items() if key not in {"$ref", "anyOf"}}
        if "$ref" in source:
            name = str(source["$ref"]).removeprefix("#/$defs/")
            return self._resolve(_mapping(self._definitions[name]), path=path) | own
        if "anyOf" in source:
            variants = [_mapping(variant) for variant in cast("list[object]", source["anyOf"])]
            real = [variant for variant in variants if variant.get("type") != "null"]
            if len(real) != 1 or len(real) == len(variants):
                raise TypeError(f"{path}: only `X | None` can be translated, not {variants}")
            return self._resolve(real[0], path=path) | own
        return own

    def _translate_keyword(self, keyword: str, value: object, *, into: Schema, path: str) -> None:
        match keyword:
            case "title" | "additionalProperties" if keyword == "title" or value is False:
                return  # unknown fields are pruned or refused by the API server itself
            case "description":
                into["description"] = " ".join(str(value).split())
            case "default":
                if self._defaults and value is not None:
                    into["default"] = value
            case "const":
                into["enum"] = [value]
            case "exclusiveMinimum" | "exclusiveMaximum":
                into[_EXCLUSIVE[keyword]] = value
                into[keyword] = True
            case "items" | "properties" | "patternProperties" | "propertyNames":
                into |= self._translate_parts(keyword, _mapping(value), path=path)
            case known if known in _COPIED:
                into[keyword] = value
            case _:
                raise TypeError(f"{path}: {keyword} has no translation into a structural schema")

    def _translate_parts(self, keyword: str, value: Schema, *, path: str) -> Schema:
        """Return what a list, an object or a map holds."""
        match keyword:
            case "items":
                return {"items": self.translate(value, path=f"{path}[]")}
            case "properties":
                return {"properties": self._translate_properties(value, path=path)}
            case "propertyNames":  # an API server has no keyword for the length of a map's names
                return {"x-kubernetes-validations": [_short_names(cast("int", value["maxLength"]))]}
            case _:
                [values] = value.values()
                return {"additionalProperties": self.translate(_mapping(values), path=f"{path}{{}}")}

    def _translate_properties(self, properties: Mapping[str, object], *, path: str) -> Schema:
        return {name: self._translate_property(name, _mapping(value), path=path) for name, value in properties.items()}

    def _translate_property(self, name: str, source: Mapping[str, object], *, path: str) -> Schema:
        schema = self.translate(source, path=f"{path}.{name}")
        if schema["type"] == "array" and name in LIST_MAP_KEYS:
            schema |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [LIST_MAP_KEYS[name]]}
        elif schema["type"] == "array":
            schema.setdefault("x-kubernetes-list-type", "atomic")
        # pydantic writes no default for `default_factory=Model`; without `{}` the server would fill in nothing below it
        if self._defaults and schema["type"] == "object" and "required" not in schema and "anyOf" not in source:
            schema["default"] = {}
        return schema


def _short_names(longest: int) -> Schema:
    return {
        "rule": f"self.all(name, size(name) <= {longest})",
        "message": f"a name in it is longer than {longest} characters",
    }


def _mapping(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise TypeError(f"expected a mapping, found {type(value).__name__}")
    return value
