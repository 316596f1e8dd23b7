"""The page that lists all tracks, byte for byte in the real one's shape: one table, tab runs, about 565 bytes a row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tracksync.simulator.activity import relative_text
from tracksync.simulator.frame import page_foot, page_top, wire
from tracksync.simulator.model import Listing, Status, Track

if TYPE_CHECKING:
    from collections.abc import Iterable

_TITLE: Final = "LiveRC :: Watch Live R/C Car Racing (simulated) :: LiveRC"
_STATUS_ICONS: Final = {Status.RACING: "flag-checkered", Status.PRACTICE: "clock-o", Status.IDLE: "power-off"}

# The legend repeats the rows' icons outside the table; its last icon has no status class.
_ABOVE_ROWS: Final = """\
8|<script>
1|$(document).ready(function()
1|{
2|$('.track_list').DataTable(
2|{
3|'responsive': false,
3|'paging': true,
3|'pageLength': 100,
3|'filter': true,
3|'sort': false,
3|'info': false
2|});
1|});
0|</script>
0|
0|<div class="row page-breadcrumb">
1|<div class="col-lg-12">
2|<h1 class="page-header"><span class="fa fa-road"></span> Track List</h1>
1|</div>
0|</div>
0|
0|<div class="row">
0|
1|<div class="col-lg-6">
0|
2|<div class="panel panel-default">
3|<div class="panel-heading"><i class="fa fa-road fa-fw"></i> Tracks</div>
3|<div class="panel-body no_padding">
4|<ul class="list-inline padding_container">
5|<li><i class="fa fa-video-camera fa-fw status_video_1"></i> Video Now</li>
5|<li><i class="fa fa-star fa-fw status_featured"></i> Starred Event</li>
5|<li><i class="fa fa-flag-checkered fa-fw status_2"></i> Race Under Way</li>
5|<li><i class="fa fa-clock-o fa-fw status_1"></i> Practice Under Way</li>
5|<li><i class="fa fa-power-off fa-fw"></i> Nothing Going On</li>
4|</ul>
0|
4|<div class="table-responsive">
5|<table class="table table-striped track_list" cellspacing="0" width="100%">
6|<thead>
7|<tr>
8|<th class="col_min">Status</th>
8|<th>Track Name</th>
7|</tr>
6|</thead>
6|<tfoot>
7|<tr>
8|<th>Status</th>
8|<th>Track Name</th>
7|</tr>
6|</tfoot>
6|<tbody>"""
_BELOW_ROWS: Final = """\
21|</tbody>
5|</table>
4|</div>
0|
3|</div>
2|</div>
0|
1|</div>
0|
0|</div>
0|"""

_FIRST_ROW_GAP: Final = "\n" + "\t" * 34
_ROW_GAP: Final = "\n" + "\t" * 27
_CELL: Final = "\n" + "\t" * 11
_ICON: Final = "\n" + "\t" * 12
_STAR: Final = "\n" + "\t" * 25 + '<i class="fa fa-star fa-fw status_featured"></i>'
_AGE: Final = "\n" + "\t" * 24 + "<br /><small><small>"
_ROW_END: Final = "\n" + "\t" * 19 + "</tr>"


def render_catalogue(tracks: Iterable[Track], domain: str) -> bytes:
    """Return the page for these tracks in this order; without tracks it is whole, but has an empty table."""
    rows = [
        _row(track.name, track.slug_as_listed, track.listing, domain) for track in tracks if track.listing is not None
    ]
    parts = [
        page_top(title=_TITLE, style="tracks", domain=domain, is_track_page=False),
        wire(_ABOVE_ROWS),
        _FIRST_ROW_GAP if rows else "",
        _ROW_GAP.join(rows),
        "\n",
        wire(_BELOW_ROWS),
        "\n",
        page_foot(),
    ]
    return "".join(parts).encode()


def _row(name: str, slug: str, listing: Listing, domain: str) -> str:
    page = "results" if listing.status is Status.IDLE else "live"
    event = f'<div class="indent"><small>{listing.event}</small></div>' if listing.event is not None else ""
    return (
        f'<tr class="clickable-row" data-href="//{slug}.{domain}/{page}/">'
        f'{_CELL}<td class="text-nowrap">'
        f'{_ICON}<i class="fa fa-video-camera fa-fw status_video_{int(listing.has_video)}"></i>'
        f'{_ICON}<i class="fa fa-{_STATUS_ICONS[listing.status]} fa-fw status_{int(listing.status)}"></i>'
        f"{_STAR if listing.is_featured else ''}"
        f"{_AGE}{relative_text(listing.idle_minutes)}</small></small>"
        f"{_CELL}</td>"
        f'{_CELL}<td><span class="hidden">seRC</span>'
        f'<a href="//{slug}.{domain}/"><strong>{name}</strong></a>{event}</td>'
        f"{_ROW_END}"
    )
