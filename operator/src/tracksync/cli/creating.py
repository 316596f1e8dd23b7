"""A TrackSyncJob from a file or from options, created in the cluster and, if wanted, waited for."""

from __future__ import annotations

import sys
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import typer
import yaml

from tracksync.api.identity import API_VERSION, JOB_KIND
from tracksync.cli.asking import Exit, UsageProblem
from tracksync.cli.run_view import view_of
from tracksync.cli.showing import name_of, write_run
from tracksync.cli.waiting import Goal, wait_for
from tracksync.core.runs.reading import mapping, text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tracksync.cli.asking import Runs
    from tracksync.cli.cluster_options import ClusterOutput
    from tracksync.core.runs.model import Manifest

STDIN: Final = Path("-")
_LARGEST_FILE: Final = 1_000_000
"""Bytes; the API server takes no more than that anyway."""


@dataclass(frozen=True, slots=True)
class CreateWish:
    """What `tracksync create` was asked for.

    Attributes:
        file: where the TrackSyncJob is written; the options are put on top of it.
        fields: values of spec fields by their path, such as ("target", "databaseSecretRef", "name").
        wait_seconds: how long to wait for its end at most; None for ever.
    """

    file: Path | None
    name: str | None
    fields: Mapping[tuple[str, ...], object]
    labels: Mapping[str, str] = field(default_factory=dict)
    is_dry_run: bool = False
    is_waited_for: bool = False
    wait_seconds: float | None = None
    output: ClusterOutput | None = None


def manifest_of(wish: CreateWish, namespace: str | None) -> tuple[Manifest, str | None]:
    """Return the TrackSyncJob and the namespace that it is for, when somebody says one.

    Raises:
        UsageProblem: the file is unusable, there is no name, or file and option name different namespaces.
    """
    manifest = _read(wish.file) if wish.file is not None else {"apiVersion": API_VERSION, "kind": JOB_KIND}
    metadata = dict(mapping(manifest, "metadata"))
    if wish.name is not None:
        metadata.pop("generateName", None)
        metadata["name"] = wish.name
    if not metadata.get("name") and not metadata.get("generateName"):
        raise UsageProblem("the TrackSyncJob has no name", "Give --name NAME, or -f FILE with metadata.name.")
    if wish.labels:
        metadata["labels"] = {**mapping(metadata, "labels"), **wish.labels}
    wanted = text(metadata, "namespace") or None
    if namespace is not None and wanted is not None and namespace != wanted:
        raise UsageProblem(
            f"the file is for the namespace {wanted!r}, --namespace says {namespace!r}", "Make them the same."
        )
    spec = deepcopy(dict(mapping(manifest, "spec")))
    for path, value in wish.fields.items():
        _put(spec, path, value)
    manifest.pop("status", None)
    return {**manifest, "metadata": metadata, "spec": spec}, namespace or wanted


def _read(path: Path) -> dict[str, Any]:
    shown = "standard input" if path == STDIN else str(path)
    try:
        source = sys.stdin.buffer.read(_LARGEST_FILE + 1) if path == STDIN else _head(path)
        documents = [document for document in yaml.safe_load_all(source) if document is not None]
    except OSError as error:
        raise UsageProblem(f"-f: cannot read {shown}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        place = getattr(error, "problem_mark", None)
        line = f" (line {place.line + 1})" if place is not None else ""
        raise UsageProblem(f"-f: {shown} is no YAML{line}", "Give one TrackSyncJob in YAML or JSON.") from None
    if len(source) > _LARGEST_FILE:
        raise UsageProblem(f"-f: {shown} is larger than {_LARGEST_FILE} bytes", "Give one TrackSyncJob.")
    if len(documents) != 1 or not isinstance(documents[0], dict):
        raise UsageProblem(f"-f: {shown} holds {len(documents)} documents", "Give exactly one TrackSyncJob.")
    document: dict[str, Any] = documents[0]
    if (document.get("apiVersion"), document.get("kind")) != (API_VERSION, JOB_KIND):
        raise UsageProblem(
            f"-f: {shown} is no {JOB_KIND} of {API_VERSION}", "`kubectl create -f` takes everything else."
        )
    return document


def _head(path: Path) -> bytes:
    with path.expanduser().open("rb") as file:
        return file.read(_LARGEST_FILE + 1)


def _put(spec: dict[str, Any], path: tuple[str, ...], value: object) -> None:
    """Set the value at the path; a value on the way that is no mapping is refused by the API server, not here."""
    node = spec
    for name in path[:-1]:
        below = node.get(name)
        node[name] = dict(below) if isinstance(below, dict) else {}
        node = node[name]
    node[path[-1]] = value


async def create_run(runs: Runs, wish: CreateWish, namespace: str | None) -> int:
    """Create the TrackSyncJob, say so, and wait for its end if that is wanted."""
    manifest, named = manifest_of(wish, namespace)
    where = named or runs.default_namespace
    created = await runs.create(manifest, where, dry_run=wish.is_dry_run)
    view = view_of(created)
    if wish.output is not None:
        write_run(created, wish.output, now=datetime.now(UTC))
    else:
        done = "would be created (checked by the API server, not created)" if wish.is_dry_run else "created"
        typer.echo(f"{name_of(view)} {done} in {view.key.namespace}")
    if not wish.is_waited_for or wish.is_dry_run:
        return Exit.OK
    return await wait_for(runs, view.key, Goal(), seconds=wish.wait_seconds, first=created)
