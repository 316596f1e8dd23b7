"""The command line of the cluster: python -m tests.cluster COMMAND."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from tests.cluster.build import ensure_binaries
from tests.cluster.console import tell
from tests.cluster.errors import ClusterError
from tests.cluster.image import build_images
from tests.cluster.processes import ProcessCluster
from tests.cluster.select import select_cluster
from tests.cluster.system import obstacles

_INTERRUPTED = 130

app = typer.Typer(
    name="python -m tests.cluster",
    help=(
        "A real Kubernetes of this checkout's own: through kind where a Docker engine answers, "
        "otherwise as processes (as root on Linux). It never reads or writes your own kube context."
    ),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.command()
def up(
    nodes: Annotated[int, typer.Option(min=1, max=2, help="How many nodes; 2 also adds one to a running cluster.")] = 1,
) -> None:
    """Start the cluster, or find the one that runs; builds and installs what is missing.

    The first time on a machine this takes about 15 minutes on 2 cores, afterwards some seconds.
    """
    cluster = select_cluster()
    cluster.up(nodes)
    tell(f"the cluster ({cluster.kind}) is ready; its kubeconfig: {cluster.kubeconfig}")
    tell("try: python -m tests.cluster kubectl get nodes")


@app.command()
def down() -> None:
    """Remove the cluster and everything in it; also clears away what a killed `up` left behind."""
    select_cluster().down()
    tell("the cluster is gone")


@app.command()
def status() -> None:
    """Show whether a cluster runs and its parts; exit code 1 when none does."""
    cluster = select_cluster()
    if not cluster.running():
        tell("no cluster runs here; start one with: python -m tests.cluster up")
        for reason in obstacles():
            tell(f"  obstacle: {reason}")
        raise typer.Exit(1)
    typer.echo(f"kind:        {cluster.kind}")
    typer.echo(f"kubeconfig:  {cluster.kubeconfig}")
    typer.echo(f"nodes:       {', '.join(node.name for node in cluster.nodes())}")
    if isinstance(cluster, ProcessCluster):
        for name, pid in cluster.process_table().items():
            typer.echo(f"  {name:<26}{'not running' if pid is None else f'pid {pid}'}")


@app.command()
def possible() -> None:
    """Say what keeps this machine from having a cluster; exit code 1 when something does."""
    reasons = obstacles()
    for reason in reasons:
        tell(f"no cluster can be had on this machine: {reason}")
    raise typer.Exit(1 if reasons else 0)


@app.command()
def build() -> None:
    """Build the cluster's programs into your cache folder without starting anything."""
    tell(f"the programs are in {ensure_binaries().search_path.replace(os.pathsep, ' ')}")


@app.command()
def image(
    *,
    load: Annotated[bool, typer.Option("--load", help="Also make the images available on every node.")] = False,
) -> None:
    """Build the images of the product and of PostgreSQL; takes no time when nothing changed.

    Prints the path of each archive, a docker-archive tar.
    """
    archives = build_images()
    for archive in archives:
        typer.echo(str(archive))
    if load:
        cluster = select_cluster()
        for archive in archives:
            cluster.load_image(archive)


@app.command("load-image")
def load_image(
    path: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A docker-archive tar.")],
) -> None:
    """Make an image available on every node; pods name it as the archive does."""
    select_cluster().load_image(path)


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
)
def kubectl() -> None:
    """Run kubectl against this cluster, for example: kubectl get pods -A."""
    # As typed: the option parser would swallow the `--` of `kubectl exec`.
    arguments = sys.argv[sys.argv.index("kubectl") + 1 :]
    command = select_cluster().kubectl_command(*arguments)
    raise typer.Exit(subprocess.run(command, check=False).returncode)


@app.command()
def logs(component: Annotated[str, typer.Argument(help="For example kube-apiserver, kubelet, audit.")]) -> None:
    """Print the log of one part of the cluster."""
    typer.echo(select_cluster().logs(component))


def main() -> None:
    """Run the command line and leave the process: 0 done, 1 not possible, 2 wrong usage, 130 interrupted."""
    try:
        app()
    except ClusterError as error:
        tell(f"error: {error}")
        sys.exit(1)
    except SystemExit as leaving:
        if leaving.code == _INTERRUPTED:
            tell("stopped; a repeated command goes on from here, `down` clears away what is half done")
        raise


if __name__ == "__main__":
    main()
