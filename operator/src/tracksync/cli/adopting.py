"""`tracksync adopt`: takes over a predecessor's table of tracks, or says what would happen."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tracksync.cli.options import DatabaseUrl, DataDir, PageOutput, ZeroTotalsChoice

if TYPE_CHECKING:
    from tracksync.adapters.postgres.adopt import AdoptionReport


def adopt(
    *,
    table: Annotated[
        str,
        typer.Option(
            "--from", metavar="SCHEMA.TABLE", show_default=False, help="The predecessor's table, in the same database."
        ),
    ],
    mapping: Annotated[
        Path | None,
        typer.Option(
            "--mapping",
            metavar="FILE",
            show_default=False,
            help="TOML file that says which of its columns is which of ours; columns that are named alike need none.",
        ),
    ] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Do it. Without this nothing is written.")] = False,
    zero_totals: Annotated[
        ZeroTotalsChoice,
        typer.Option("--zero-totals", help="Whether a total of 0 in the old table means that it was never known."),
    ] = ZeroTotalsChoice.UNKNOWN,
    source_name: Annotated[
        str, typer.Option("--source-name", metavar="NAME", help="Source that the tracks belong to (column `source`).")
    ] = "liverc",
    domain: Annotated[
        str, typer.Option("--domain", metavar="NAME", help="The source's domain; missing addresses are made from it.")
    ] = "liverc.com",
    database_url: DatabaseUrl = None,
    data_dir: DataDir = None,
    output: Annotated[
        PageOutput, typer.Option("--output", "-o", help="table for people; json for programs.")
    ] = PageOutput.TABLE,
) -> None:
    """Take over a predecessor's table of tracks with its ids, in one transaction; without --apply only say how it goes.

    Run it as the owner of the tables. Exit codes: 0 nothing stands in the way, 30 something does and nothing is
    written, 70 a run is writing into the tracks.
    """
    from tracksync.adapters.postgres.adopt import AdoptionWish
    from tracksync.adapters.postgres.adopt import adopt as take_over
    from tracksync.adapters.postgres.adopt_mapping import ColumnMapping, ZeroTotals, read_mapping
    from tracksync.cli.databases import choose_database, opened, refuse_missing
    from tracksync.errors import ConfigurationError

    wish = AdoptionWish(
        table=table,
        mapping=ColumnMapping() if mapping is None else read_mapping(mapping),
        source=source_name,
        domain=domain,
        zero_totals=ZeroTotals(zero_totals.value),
        is_applied=apply,
    )
    choice = choose_database(database_url, data_dir)
    refuse_missing(choice)
    with opened(choice) as url:
        report = take_over(url, wish)
    _print(report, output)
    if not report.is_clean:
        raise ConfigurationError(
            f"--from: {table}: {report.refused_rows} rows are refused, and {len(report.conflicts)} conflicts are named "
            "above; nothing was written"
        )


def _print(report: "AdoptionReport", output: PageOutput) -> None:
    if output is PageOutput.JSON:
        from tracksync.cli.render import write_json

        write_json(_document(report))
        return
    for line in _lines(report):
        typer.echo(line)


def _document(report: "AdoptionReport") -> dict[str, object]:
    return {
        "from": report.table,
        "source": report.source,
        "applied": report.run_id is not None,
        "runId": report.run_id,
        "rows": report.rows,
        "adopted": report.adopted,
        "alreadyHere": report.already_here,
        "followed": report.followed,
        "unknownTotals": report.unknown_totals,
        "conflicts": list(report.conflicts),
        "refusedRows": report.refused_rows,
        "refused": [{"slug": each.slug, "column": each.column, "why": each.why} for each in report.refused],
    }


def _lines(report: "AdoptionReport") -> list[str]:
    is_applied = report.run_id is not None
    lines = [
        f"{'adopted' if is_applied else 'would adopt':<14}{report.adopted} of {report.rows} rows of {report.table}",
        f"{'already here':<14}{report.already_here}",
        f"{'followed':<14}{report.followed}",
        f"{'totals of 0':<14}{report.unknown_totals} taken as unknown",
        f"{'conflicts':<14}{len(report.conflicts)}",
        *(f"  {line}" for line in report.conflicts),
        f"{'refused':<14}{report.refused_rows}",
        *(f"  {each.line}" for each in report.refused),
    ]
    if report.refused_rows > len(report.refused):
        lines.append(f"  and {report.refused_rows - len(report.refused)} more")
    lines.append(f"run {report.run_id}" if is_applied else _next_step(report))
    return lines


def _next_step(report: "AdoptionReport") -> str:
    return "nothing was written; --apply does it" if report.is_clean else "nothing was written"
