"""`tracksync watch`, `wait`, `logs`, `cancel`, `suspend` and `resume`: one run in a cluster, followed and told."""

from typing import Annotated

import typer

from tracksync.cli.cluster_options import Context, Kubeconfig, Namespace, RunName, Timeout

_Wait = Annotated[bool, typer.Option("--wait", help="Wait until it is so.")]


def watch(
    name: RunName, *, namespace: Namespace = None, context: Context = None, kubeconfig: Kubeconfig = None
) -> None:
    """Show a run live until it ends: bars on a terminal, lines elsewhere. Ctrl-C leaves the run alone.

    Exit codes: 0 it ended well, 1 it failed or was cancelled.
    """
    from tracksync.cli.asking import Place, ask
    from tracksync.cli.watching import interrupted_words, make_live, watch_run
    from tracksync.core.runs.model import Key

    ask(
        Place(namespace, context, kubeconfig),
        lambda runs: watch_run(runs, Key(runs.default_namespace, name), make_live()),
        interrupted=interrupted_words(name),
    )


def wait(
    name: RunName,
    *,
    wanted: Annotated[
        str,
        typer.Option(
            "--for",
            metavar="WHAT",
            help="finished, succeeded, deleted, a phase such as running or suspended, or condition=TYPE[=STATUS].",
        ),
    ] = "finished",
    timeout: Timeout = None,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Wait until a run has ended, or has come to something else.

    Exit codes: 0 it came, and with `finished` the run ended well; 1 the run failed, or ended elsewhere; 4 not in time.
    """
    from tracksync.cli.asking import Place, ask, seconds_of
    from tracksync.cli.waiting import goal_of, wait_for
    from tracksync.core.runs.model import Key

    goal, seconds = goal_of(wanted), seconds_of("--timeout", timeout)
    ask(
        Place(namespace, context, kubeconfig),
        lambda runs: wait_for(runs, Key(runs.default_namespace, name), goal, seconds=seconds),
        interrupted="stopped waiting; the run goes on",
    )


def logs(
    name: RunName,
    *,
    follow: Annotated[
        bool,
        typer.Option("--follow", "-f", help="Go on until the run ends, over replaced pods and further attempts."),
    ] = False,
    attempt: Annotated[
        int | None,
        typer.Option(
            "--attempt", metavar="NUMBER", min=1, show_default=False, help="Of this attempt. [default: latest]"
        ),
    ] = None,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Print the log of a run's worker."""
    from tracksync.cli.asking import Place, ask
    from tracksync.cli.pod_logs import print_logs
    from tracksync.core.runs.model import Key

    ask(
        Place(namespace, context, kubeconfig),
        lambda runs: print_logs(runs, Key(runs.default_namespace, name), follow=follow, attempt=attempt),
        interrupted="stopped following; the run goes on",
    )


def cancel(
    name: RunName,
    *,
    delete: Annotated[
        bool, typer.Option("--delete", help="Delete the TrackSyncJob as well; the ledger keeps the run's record.")
    ] = False,
    wait_for_it: _Wait = False,
    timeout: Timeout = None,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Stop a run for good: its worker rolls back, no track is changed. `tracksync resume` can still go on from it."""
    from tracksync.cli.asking import Place, ask, seconds_of
    from tracksync.cli.steering import cancel_run, delete_run
    from tracksync.core.runs.model import Key

    act, seconds = (delete_run if delete else cancel_run), seconds_of("--timeout", timeout)
    ask(
        Place(namespace, context, kubeconfig),
        lambda runs: act(runs, Key(runs.default_namespace, name), wait=wait_for_it, seconds=seconds),
    )


def suspend(
    name: RunName,
    *,
    wait_for_it: _Wait = False,
    timeout: Timeout = None,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Stop a run for now; what it has fetched is kept, and `tracksync resume` goes on from there."""
    from tracksync.cli.asking import Place, ask, seconds_of
    from tracksync.cli.steering import suspend_run
    from tracksync.core.runs.model import Key

    seconds = seconds_of("--timeout", timeout)
    ask(
        Place(namespace, context, kubeconfig),
        lambda runs: suspend_run(runs, Key(runs.default_namespace, name), wait=wait_for_it, seconds=seconds),
    )


def resume(
    name: RunName,
    *,
    wait_for_it: Annotated[bool, typer.Option("--wait", help="Wait for the run's end.")] = False,
    timeout: Timeout = None,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Let a suspended run go on, or start the next attempt of one that failed or was cancelled."""
    from tracksync.cli.asking import Place, ask, seconds_of
    from tracksync.cli.steering import resume_run
    from tracksync.core.runs.model import Key

    seconds = seconds_of("--timeout", timeout)
    ask(
        Place(namespace, context, kubeconfig),
        lambda runs: resume_run(runs, Key(runs.default_namespace, name), wait=wait_for_it, seconds=seconds),
        interrupted="stopped waiting; the run goes on",
    )
