"""Synthetic pages in the wire shape of the real ones: tabs, long white space runs, raw ampersands."""

from __future__ import annotations

ROW_INDENT = "\t" * 43
CELL_INDENT = "\t" * 11


def a_row(
    slug: str = "exampletrack",
    name: str = "Example Track",
    *,
    status: int = 0,
    video: int = 0,
    featured: bool = False,
    updated: str = "2 days ago",
    event: str | None = "Winter Series #1",
    link: str | None = None,
) -> str:
    """Return one catalogue row; `link` replaces the whole content of the link's cell in front of the event."""
    gap = "\t" * 20
    end = "\t" * 41
    star = f'{CELL_INDENT}\t\t<i class="fa fa-star fa-fw status_featured"></i>\n' if featured else ""
    shown = f'<a href="//{slug}.liverc.com/"><strong>{name}</strong></a>' if link is None else link
    indent = f'<div class="indent"><small>{event}</small></div>' if event is not None else ""
    return (
        f'{ROW_INDENT}<tr class="clickable-row" data-href="//{slug}.liverc.com/results/">\n'
        f'{CELL_INDENT}<td class="text-nowrap">\n'
        f'{CELL_INDENT}\t<i class="fa fa-video-camera fa-fw status_video_{video}"></i>\n'
        f'{CELL_INDENT}\t<i class="fa fa-power-off fa-fw status_{status}"></i>\n{star}'
        f"{CELL_INDENT}\t{gap}<br /><small><small>{updated}</small></small>\n{CELL_INDENT}</td>\n"
        f'{CELL_INDENT}<td><span class="hidden">seRC</span>{shown}{indent}</td>\n{end}</tr>\n'
    )


def rows(count: int) -> str:
    """Return that many ordinary rows."""
    return "".join(a_row(f"track{number}", f"Track {number}") for number in range(count))


def a_catalogue(
    body: str, *, table_class: str = "table table-striped track_list", second_heading: str = "Track Name"
) -> str:
    """Return a whole catalogue page around these rows, with the legend that repeats the rows' icons."""
    headings = f'<tr>\n\t<th class="col_min">Status</th>\n\t<th>{second_heading}</th>\n</tr>'
    return (
        '<!DOCTYPE html>\n<html lang="en">\n\n\t<head>\n\t\t<meta charset="utf-8" />\n'
        "\t\t<title>LiveRC :: Watch Live R/C Car Racing :: LiveRC</title>\n\t</head>\n\t<body>\n"
        '\t\t<a href="//live.liverc.com/">Tracks</a> <a href="//www.liverc.com/">News</a>\n'
        '\t\t<ul class="list-inline"><li><i class="fa fa-star fa-fw status_featured"></i> Featured Event</li>\n'
        '\t\t<li><i class="fa fa-flag-checkered fa-fw status_2"></i> Racing in Progress</li></ul>\n'
        f'\t\t<table class="{table_class}" cellspacing="0" width="100%">\n'
        f"<thead>{headings}</thead>\n<tfoot>{headings}</tfoot>\n"
        f"<tbody>\n{body}</tbody>\n</table>\n\t</body>\n</html>"
    )


PHONE = '<a href="tel:+1 555-010-0100">+1 555-010-0100</a>'
WEBSITE = '<a href="http://www.example.org" target="_blank">http://www.example.org</a>'


def an_email(user: str = "info", host: str = "example.org", *, shown: str | None = None) -> str:
    """Return the link that hides an address: script arguments, and decimal entities as its text."""
    text = "".join(f"&#{ord(char)};" for char in (f"{user}@{host}" if shown is None else shown))
    return f"<a href=\"javascript:noSpam('{user}', '{host}');\" target=\"_blank\">{text}</a>"


def an_address(
    *lines: str,
    phone: str | None = PHONE,
    website: str | None = WEBSITE,
    email: str | None = None,
    name: str = "Example Track",
) -> str:
    """Return an address block; a contact that is None has no label at all."""
    email = an_email() if email is None else email
    contacts = (("Phone", "P", phone), ("Website", "W", website), ("E-Mail", "E", email))
    labels = "\t\t<br>".join(
        f'<abbr title="{title}">{letter}:</abbr> {value}' for title, letter, value in contacts if value is not None
    )
    location = "".join(f"\t\t\t\t\t\t\t<br>{line}" for line in lines)
    return f'<address class="small">\n\t\t<strong>{name}</strong>\n{location}\t\t<br>\n\t\t<br>{labels}\n</address>'


HOME = ("12 Example Road", "Springfield, NC 27000", "United States")
TOTALS = {"Laps": "123,456", "Practice Sessions": "8,001", "Races": "77", "Entries": "1,234", "Events": "9"}


def a_dashboard(
    *,
    address: str | None = None,
    map_query: str | None = "12 Example Road,Springfield,NC+27000,US",
    heading: str = "Example Track's Dashboard",
    about: str = "About Example Track",
    description: str = "",
    logo: str = "",
    facebook: str = "",
    totals: dict[str, str] | None = None,
    totals_heading: str = "Lifetime Track Stats",
    end: str = "\t</body>\n</html>",
) -> str:
    """Return a whole dashboard; every part can be exchanged."""
    address = an_address(*HOME) if address is None else address
    frame = (
        '<iframe width="100%" frameborder="0" src="https://www.google.com/maps/embed/v1/place'
        f'?key=NO-KEY&q={map_query}" allowfullscreen></iframe>'
        if map_query is not None
        else ""
    )
    second_row = (
        f'<div class="row">\n\t<div class="col-md-12">\n\t\t<hr />\n\t\t{description}\t\t\t</div>\n</div>'
        if description
        else ""
    )
    cells = "".join(
        f'\t<tr>\n\t\t<th>{label}</th>\n\t\t<td class="text-right">{value}</td>\n\t</tr>\n'
        for label, value in (TOTALS if totals is None else totals).items()
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n\t<head>\n'
        "\t\t<title>Example Track :: Broadcast and Results :: LiveRC</title>\n\t</head>\n"
        f'\t<body>\n<h1 class="page-header"><span class="fa fa-dashboard"></span> {heading}</h1>\n'
        '<div class="panel panel-red"><div class="panel-heading">'
        '<div class="huge">30</div>Results This Month</div></div>\n'
        '<div class="panel panel-default">\n\t<div class="panel-heading">'
        f'<i class="fa fa-flag fa-fw"></i> {about}</div>\n'
        f'\t<div class="panel-body">\n\t\t<div class="row">\n\t\t\t<div class="col-sm-4">{address}</div>\n'
        f'\t\t\t<div class="col-sm-8">{logo}</div>\n\t\t</div>\n{second_row}\n\t</div>\n</div>\n'
        '<div class="panel panel-default"><div class="panel-heading">'
        '<i class="fa fa-map-marker fa-fw"></i> Track Map</div>\n'
        f'\t<div class="panel-body no-padding">{frame}</div></div>\n'
        '<div class="panel panel-default">\n\t<div class="panel-heading">'
        f'<i class="fa fa-line-chart fa-fw"></i> {totals_heading}</div>\n'
        '\t<div class="panel-body no_padding">\n\t\t<table class="table">\n'
        f"<tbody>\n{cells}</tbody>\n</table>\n\t</div>\n</div>\n"
        f"{facebook}\n{end}"
    )


def a_facebook_panel(heading: str, body: str) -> str:
    """Return a Facebook panel."""
    return (
        '<div class="panel panel-default"><div class="panel-heading">'
        f'<i class="fa fa-facebook fa-fw"></i> {heading}</div>'
        f'<div class="panel-body">{body}</div></div>'
    )
