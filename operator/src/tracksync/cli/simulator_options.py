"""The fault switches of `tracksync simulate` as options; `tracksync.simulator.faults.Switches` says what they do."""

from typing import Annotated

import typer

_PANEL = "Faults"

LatencyMs = Annotated[
    int,
    typer.Option("--latency-ms", metavar="MS", rich_help_panel=_PANEL, help="Delay before each answer, milliseconds."),
]
LatencySpreadMs = Annotated[
    int,
    typer.Option(
        "--latency-spread-ms",
        metavar="MS",
        rich_help_panel=_PANEL,
        help="Further delay from 0 to so many milliseconds, always the same for a host.",
    ),
]
CatalogueLatencyMs = Annotated[
    int,
    typer.Option(
        "--catalogue-latency-ms",
        metavar="MS",
        rich_help_panel=_PANEL,
        help="Further delay before the catalogue, milliseconds.",
    ),
]
CatalogueFaultKind = Annotated[
    str,
    typer.Option(
        "--catalogue-fault",
        metavar="KIND",
        rich_help_panel=_PANEL,
        help="What is wrong with the catalogue: none, empty (no row), cut, half (of the rows gone), broken-rows (three "
        "more: without link, name, legal host), duplicate-rows (a hundredth again), www-hosts (in half of the rows), "
        "list-changes (rows move between two reads, and some occur twice); error (503), forbidden (403), rate-limited "
        "(429 with Retry-After); generic-page, captcha, blank or not-html (200, but no catalogue); redirect-host, "
        "redirect-foreign, redirect-loop, redirect-http, redirect-private; time-out (no answer), drip, oversize, "
        "nested, wrong-charset, invalid-utf8 or hostile-text (control and bidi characters in names).",
    ),
]
CatalogueFaultTimes = Annotated[
    int | None,
    typer.Option(
        "--catalogue-fault-times",
        metavar="NUMBER",
        show_default="always",
        rich_help_panel=_PANEL,
        help="The catalogue is wrong for its first so many reads, and right afterwards.",
    ),
]
CatalogueCutAt = Annotated[
    float,
    typer.Option(
        "--catalogue-cut-at",
        metavar="FRACTION",
        rich_help_panel=_PANEL,
        help="Where a cut catalogue or dashboard ends, as a fraction of its bytes from 0 to below 1.",
    ),
]
DashboardFaults = Annotated[
    list[str] | None,
    typer.Option(
        "--dashboard-fault",
        metavar="KIND=RATE[:TIMES]",
        show_default="none",
        rich_help_panel=_PANEL,
        help="A share of the hosts (RATE from 0 to 1) has a fault, for its first TIMES requests or always; may be "
        "repeated. KIND: http-403, http-404, http-410, http-429 (with Retry-After), http-500, http-503, "
        "http-503-retry-after; login-page, captcha, blank or not-html (200, but no dashboard); redirect-host, "
        "redirect-foreign, redirect-loop, redirect-http, redirect-private; time-out (no answer), cut, drip, oversize, "
        "nested, wrong-charset, invalid-utf8 or hostile-text (control and bidi characters in values).",
    ),
]
PauseAt = Annotated[
    int | None,
    typer.Option(
        "--pause-at",
        metavar="NUMBER",
        show_default="no pause",
        rich_help_panel=_PANEL,
        help="Answer so many dashboards, then let all further ones wait until released.",
    ),
]
DiesAt = Annotated[
    int | None,
    typer.Option(
        "--dies-at",
        metavar="NUMBER",
        show_default="never",
        rich_help_panel=_PANEL,
        help="Answer so many requests of the domain, of every kind; from the next one on all of it is dead.",
    ),
]
DiesAs = Annotated[
    str,
    typer.Option(
        "--dies-as",
        metavar="KIND",
        rich_help_panel=_PANEL,
        help="How a dead domain answers: http-503 (without Retry-After), reset (of the connection) or silence.",
    ),
]
RetryAfterFormat = Annotated[
    str,
    typer.Option(
        "--retry-after-form",
        metavar="FORM",
        rich_help_panel=_PANEL,
        help="How Retry-After is written where a fault sends it: seconds, date, absurd (ten years), past (a date an "
        "hour ago), garbage or none (no header).",
    ),
]
RetryAfterSeconds = Annotated[
    int,
    typer.Option(
        "--retry-after-s",
        metavar="SECONDS",
        rich_help_panel=_PANEL,
        help="How long Retry-After asks to wait, seconds, 0 to 86,400.",
    ),
]
DripSeconds = Annotated[
    float,
    typer.Option(
        "--drip-s",
        metavar="SECONDS",
        rich_help_panel=_PANEL,
        help="Seconds from byte to byte of a dripping page, 0.001 to 86,400.",
    ),
]
OversizeBytes = Annotated[
    int,
    typer.Option(
        "--oversize-bytes",
        metavar="BYTES",
        rich_help_panel=_PANEL,
        help="Bytes that an oversize page has beside its content, 1 to 67,108,864.",
    ),
]
NestedBytes = Annotated[
    int,
    typer.Option(
        "--nested-bytes",
        metavar="BYTES",
        rich_help_panel=_PANEL,
        help="Bytes of nested elements in a nested page, 1 to 67,108,864.",
    ),
]
ValidatorKind = Annotated[
    str,
    typer.Option(
        "--validators",
        metavar="KIND",
        rich_help_panel=_PANEL,
        help="Validators of catalogue and dashboards, honoured with 304: none, etag, last-modified, both or lying-etag "
        "(it never changes, though the page does).",
    ),
]
RobotsKind = Annotated[
    str,
    typer.Option(
        "--robots",
        metavar="KIND",
        rich_help_panel=_PANEL,
        help="What hosts have at /robots.txt: missing (404), allow, disallow, forbidden (403), error (503), "
        "rate-limited (429 with Retry-After), crawl-delay, huge (rules below 2 MiB of comments), redirect (to the file "
        "of live.NAME) or redirect-loop.",
    ),
]
RobotsRate = Annotated[
    float,
    typer.Option(
        "--robots-rate",
        metavar="RATE",
        rich_help_panel=_PANEL,
        help="Share of the hosts that have this robots.txt, 0 to 1; the others have none.",
    ),
]
RobotsTimes = Annotated[
    int | None,
    typer.Option(
        "--robots-times",
        metavar="NUMBER",
        show_default="always",
        rich_help_panel=_PANEL,
        help="Each such host has it for its first so many requests, and a file that allows afterwards.",
    ),
]
CrawlDelaySeconds = Annotated[
    float,
    typer.Option(
        "--crawl-delay-s",
        metavar="SECONDS",
        rich_help_panel=_PANEL,
        help="Seconds in the Crawl-delay line, 0 to 86,400.",
    ),
]
ClockOffsetSeconds = Annotated[
    int,
    typer.Option(
        "--clock-offset-s",
        metavar="SECONDS",
        rich_help_panel=_PANEL,
        help="How far the clock of the source is ahead, or behind if negative, seconds, up to ten years.",
    ),
]
