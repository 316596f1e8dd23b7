"""`tracksync admin`: manifests and grants that an admin applies, generated from what operator and worker use."""

from pathlib import Path
from typing import Annotated

import typer

from tracksync.cli.options import ReaderRole, WriterRole

app = typer.Typer(
    help="Print or write what installs TrackSync: the manifests of a cluster, the grants of a database.",
    no_args_is_help=True,
)


@app.command("crd")
def crd(
    output_dir: Annotated[
        Path, typer.Option("--output-dir", metavar="DIR", help="Directory that the files are written to.")
    ] = Path("crds"),
) -> None:
    """Write the custom resource definitions, one file each."""
    from tracksync.api.schema import crd_documents
    from tracksync.cli.manifests import as_yaml, write_file

    for name, document in sorted(crd_documents().items()):
        path = write_file(output_dir / name, as_yaml([document], command="tracksync admin crd"))
        typer.echo(f"wrote {path}")


@app.command("install")
def install(
    image: Annotated[
        str, typer.Option("--image", metavar="IMAGE", show_default=False, help="Image of the operator and its workers.")
    ],
) -> None:
    """Print the operator's namespace, permissions, sources and Deployment."""
    from tracksync.cli.manifests import as_yaml
    from tracksync.controller.install import install_documents

    command = f"tracksync admin install --image {image}"
    typer.echo(as_yaml(install_documents(image), command=command), nl=False)


@app.command("worker-access")
def worker_access(
    namespace: Annotated[
        str,
        typer.Option("--namespace", metavar="NAME", show_default=False, help="Namespace in which TrackSyncJobs run."),
    ],
) -> None:
    """Print what a namespace needs before TrackSyncJobs can run in it: the workers' service account and permissions."""
    from tracksync.cli.manifests import as_yaml
    from tracksync.controller.install import worker_access_documents

    command = f"tracksync admin worker-access --namespace {namespace}"
    typer.echo(as_yaml(worker_access_documents(namespace), command=command), nl=False)


@app.command("grants")
def grants(*, writer: WriterRole = None, reader: ReaderRole = None) -> None:
    """Print the SQL that gives a database's roles exactly the rights that they need; run it after each migration."""
    from tracksync.adapters.postgres.roles import Roles, grants_script

    typer.echo(grants_script(Roles(writer=writer, reader=reader)), nl=False)
