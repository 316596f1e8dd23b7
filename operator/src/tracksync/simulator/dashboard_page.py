"""A track's dashboard in the real one's shape: tiles, address, map, description, totals, Facebook; about 20 KB."""

from __future__ import annotations

from typing import Final

from tracksync.simulator.frame import page_foot, page_top, wire
from tracksync.simulator.model import (
    Contact,
    Facebook,
    FacebookForm,
    Listing,
    Location,
    Logo,
    Profile,
    Status,
    Totals,
    Track,
)

_NAME_MARK: Final = "@NAME@"
_BREAK: Final = "\t" * 7 + "<br>"
"""Joins the lines of the address block: seven tabs and no line end between them."""

_TILE: Final = """\
1|
1|<!-- {comment} -->
1|<a href="/{page}/">
2|<div class="col-lg-3 col-md-6 col-xs-6">
3|<div class="panel panel-{colour}">
4|<div class="panel-heading">
5|<div class="row">
6|<div class="col-xs-3">
7|<i class="fa fa-{icon} fa-4x"></i>
6|</div>
6|<div class="col-xs-9 text-right">
7|<div class="huge">{huge}</div>
7|<div class="stats">{stats}</div>
6|</div>
5|</div>
4|</div>
4|<div class="panel-footer">
5|<span class="pull-left"><u>{link}</u></span>
5|<span class="pull-right"><i class="fa fa-arrow-circle-right"></i></span>
5|<div class="clearfix"></div>
4|</div>
3|</div>
2|</div>
1|</a>"""


class DashboardWriter:
    """Renders dashboards of one domain; what all of them share is built once."""

    def __init__(self, domain: str) -> None:
        top = page_top(
            title=f"{_NAME_MARK} :: Broadcast and Results :: LiveRC",
            style="dashboard",
            domain=domain,
            is_track_page=True,
        )
        self._above_name, _, self._below_name = top.partition(_NAME_MARK)
        self._tile = wire(_TILE)
        self._foot = page_foot()

    def render(self, track: Track, profile: Profile) -> bytes:
        """Return the track's page as the site would send it, UTF-8."""
        parts = (
            self._above_name,
            track.name,
            self._below_name,
            _heading(track.name),
            _tiles(self._tile, track.listing, profile),
            '<div class="row">\n\t\n\t<div class="col-lg-8">\n\t\t\n',
            _about(track.name, profile),
            _map(profile.location.map_query),
            '\t\t\t\t\n\t</div>\n\t\n\t<div class="col-lg-4">\n\t\t\n\t\t\t\t\n',
            _stats(profile.totals),
            _facebook(profile.facebook, track.name),
            "\t\t\t\t\n\t</div>\n\t\n</div>\n\n",
            self._foot,
        )
        return "".join(parts).encode()


def _heading(name: str) -> str:
    return (
        '<div class="row page-breadcrumb">\n\t<div class="col-lg-12">\n'
        f'\t\t<h1 class="page-header"><span class="fa fa-dashboard"></span> {name}\'s Dashboard</h1>\n'
        "\t</div>\n</div>\n\n"
    )


def _tiles(tile: str, listing: Listing | None, profile: Profile) -> str:
    is_live = listing is not None and listing.status is not Status.IDLE
    icon, word = ("check", "Live") if is_live else ("times", "Offline")
    live = {
        "huge": f'<i class="fa fa-{icon}"></i>',
        "stats": "\n" + "\t" * 14 + f"Track is {word}" + "\t" * 13,
    }
    counts = profile.tiles
    tiles = (
        tile.format(comment="Live", page="live", colour="red", icon="hourglass", link="Open the Live View", **live),
        tile.format(
            comment="Results",
            page="results",
            colour="green",
            icon="list-ol",
            link="Open the Event",
            **_count(counts.results, "Results"),
        ),
        tile.format(
            comment="Practice",
            page="practice",
            colour="primary",
            icon="clock-o",
            link="Open It",
            **_count(counts.sessions, "Sessions"),
        ),
        tile.format(
            comment="Videos",
            page="videos",
            colour="yellow",
            icon="video-camera",
            link="Open It",
            **_count(counts.videos, "Videos"),
        ),
    )
    return '<!-- Dashboard -->\n<div class="row dashboard_panels">\n' + "\n".join(tiles) + "\n\t\n</div>\n\n"


def _count(number: int, what: str) -> dict[str, str]:
    return {"huge": str(number), "stats": f"{what} This Month"}


def _about(name: str, profile: Profile) -> str:
    return (
        '\t\t<!-- About -->\n\t\t<div class="panel panel-default">\n'
        f'\t\t\t<div class="panel-heading"><i class="fa fa-flag fa-fw"></i> About {name}</div>\n'
        '\t\t\t<div class="panel-body">\n\t\t\t\t\n\t\t\t\t<div class="row">\n\t\t\t\t\t<div class="col-sm-4">\n'
        f"{_address(name, profile)}"
        '\t\t\t\t\t</div>\n\t\t\t\t\t\n\t\t\t\t\t<div class="col-sm-8">\n'
        f"{_logo(profile.logo)}\t\t\t\t\t</div>\n\t\t\t\t</div>\n\t\t\t\t\n"
        f"{_description(profile.description)}"
        "\t\t\t\t\t\t\t</div>\n\t\t\t<!-- /.panel-body -->\n\t\t</div>\n\t\t\n"
    )


def _address(name: str, profile: Profile) -> str:
    location = profile.location
    lines = "".join(_BREAK + line for line in (location.street, _city_line(location), location.country.name))
    return (
        f'\t\t\t\t\t\t<address class="small">\n\t\t\t\t\t\t\t<strong>{name}</strong>\n'
        f"{lines}{_BREAK}\n"
        f'{_BREAK}<abbr title="Phone">P:</abbr> {_phone(profile.phone)}'
        f'{_BREAK}<abbr title="Website">W:</abbr> {_website(profile.website)}'
        f'{_BREAK}<abbr title="E-Mail">E:</abbr> {_email(profile.email)}'
        "\t\t\t\t\t\t</address>\n"
    )


def _city_line(location: Location) -> str:
    """Return "City, ST ZIP", "City ZIP" or whatever remains of it."""
    region = f"{location.state} {location.postal.shown}".strip()
    if not region:
        return location.city
    return f"{location.city}{', ' if location.state else ' '}{region}"


def _phone(phone: Contact) -> str:
    return "N/A" if phone.shown is None else f'<a href="tel:{phone.shown}">{phone.shown}</a>'


def _website(website: Contact) -> str:
    return "N/A" if website.shown is None else f'<a href="{website.shown}" target="_blank">{website.shown}</a>'


def _email(email: str | None) -> str:
    """Return the link that hides an address from simple harvesters: arguments of a script, text as decimal entities."""
    if email is None:
        return "N/A"
    user, _, host = email.partition("@")
    entities = "".join(f"&#{ord(char)};" for char in email)
    return f"<a href=\"javascript:noSpam('{user}', '{host}');\" target=\"_blank\">{entities}</a>"


def _logo(logo: Logo | None) -> str:
    if logo is None:
        return "\t\t\t\t\t\t"
    return f'\t\t\t\t\t\t<img class="img-responsive" src="{logo.url}?dt={logo.stamp}" />\n'


def _description(lines: tuple[str, ...]) -> str:
    if not lines:
        return ""
    text = "<br />\n".join(lines)
    return (
        '\t\t\t\t<div class="row">\n\t\t\t\t\t<div class="col-md-12">\n\t\t\t\t\t\t<hr />\n'
        f"\t\t\t\t\t\t{text}\t\t\t\t\t</div>\n\t\t\t\t</div>\n"
    )


def _map(query: str | None) -> str:
    if query is None:
        return ""
    return (
        '\t\t<!-- Track Map -->\n\t\t<div class="panel panel-default">\n'
        '\t\t\t<div class="panel-heading"><i class="fa fa-map-marker fa-fw"></i> Track Map</div>\n'
        '\t\t\t<div class="panel-body no-padding">\n'
        '\t\t\t\t<iframe width="100%" onload="$(this).css(\'height\', ($(this).width()*.6)+\'px\');" frameborder="0"'
        f' style="border: 0" src="https://www.google.com/maps/embed/v1/place?key=SIMULATED-KEY&q={query}"'
        " allowfullscreen></iframe>\n"
        "\t\t\t</div>\n\t\t\t<!-- /.panel-body -->\n\t\t</div>\n\t\t\n"
    )


def _stats(totals: Totals) -> str:
    figures = {
        "Laps": totals.laps,
        "Practice Sessions": totals.practice_sessions,
        "Races": totals.races,
        "Entries": totals.entries,
        "Events": totals.events,
    }
    rows = "".join(
        f"\t\t\t\t\t\t<tr>\n\t\t\t\t\t\t\t<th>{label}</th>\n"
        f'\t\t\t\t\t\t\t<td class="text-right">{value:,}</td>\n\t\t\t\t\t\t</tr>\n'
        for label, value in figures.items()
    )
    return (
        '\t\t<!-- Lifetime Track Stats -->\n\t\t<div class="panel panel-default">\n'
        '\t\t\t<div class="panel-heading"><i class="fa fa-line-chart fa-fw"></i> Lifetime Track Stats</div>\n'
        '\t\t\t<div class="panel-body no_padding">\n\t\t\t\t\n\t\t\t\t<table class="table">\n\t\t\t\t\t<tbody>\n'
        f"{rows}"
        "\t\t\t\t\t</tbody>\n\t\t\t\t</table>\n\t\t\t\t\n\t\t\t</div>\n\t\t</div>\n\t\t\n"
    )


def _facebook(facebook: Facebook | None, name: str) -> str:
    if facebook is None:
        return "\t\t<!-- Facebook -->\n"
    match facebook.form:
        case FacebookForm.FEED:
            heading = "Facebook Feed"
            body = (
                f'<div class="fb-page" data-href="{facebook.url}" data-tabs="timeline" data-width="500">'
                f'<blockquote cite="{facebook.url}" class="fb-xfbml-parse-ignore">'
                f'<a href="{facebook.url}">{name}</a></blockquote></div>'
            )
        case FacebookForm.PAGE:
            heading = "Facebook Page"
            body = f'<p class="padding_container"><a href="{facebook.url}" target="_blank">{facebook.url}</a></p>'
    return (
        '\t\t<!-- Facebook -->\n\t\t<div class="panel panel-default">\n'
        f'\t\t\t<div class="panel-heading"><i class="fa fa-facebook fa-fw"></i> {heading}</div>\n'
        f'\t\t\t<div class="panel-body no_padding">\n\t\t\t\t{body}\n\t\t\t</div>\n\t\t</div>\n\t\t\n'
    )
