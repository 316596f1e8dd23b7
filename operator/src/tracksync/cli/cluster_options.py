"""Options of the commands that talk to a cluster: which one, which namespace, and how they print."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

_CLUSTER_PANEL = "Cluster"


class ClusterOutput(StrEnum):
    """How a command that shows resources prints."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


class StatusOutput(StrEnum):
    """How a command that explains one run prints."""

    TEXT = "text"
    JSON = "json"
    YAML = "yaml"


Namespace = Annotated[
    str | None,
    typer.Option(
        "--namespace",
        "-n",
        metavar="NAME",
        show_default=False,
        rich_help_panel=_CLUSTER_PANEL,
        help="Namespace. [default: that of the kubeconfig's context, or of the pod]",
    ),
]
Context = Annotated[
    str | None,
    typer.Option(
        "--context",
        metavar="NAME",
        show_default=False,
        rich_help_panel=_CLUSTER_PANEL,
        help="Context of the kubeconfig. [default: its current one]",
    ),
]
Kubeconfig = Annotated[
    Path | None,
    typer.Option(
        "--kubeconfig",
        metavar="FILE",
        show_default=False,
        rich_help_panel=_CLUSTER_PANEL,
        help="Credentials for the cluster. [default: KUBECONFIG, ~/.kube/config, else the pod's service account]",
    ),
]
Timeout = Annotated[
    str | None,
    typer.Option(
        "--timeout",
        metavar="TIME",
        show_default=False,
        help="Give up waiting after so long, such as 90s, 10m or 1h30m; exit code 4. The run goes on. "
        "[default: wait for ever]",
    ),
]
RunName = Annotated[str, typer.Argument(metavar="NAME", help="Name of the TrackSyncJob.", show_default=False)]


class ModeChoice(StrEnum):
    """What a run is for."""

    APPLY = "Apply"
    PLAN = "Plan"


class DeactivationChoice(StrEnum):
    """What a run does with tracks that vanished from the catalogue."""

    APPLY = "Apply"
    WITHHOLD = "Withhold"
    DISABLED = "Disabled"
