"""The menus that only a track's own pages have, as templates of `frame`."""

from __future__ import annotations

from typing import Final

TRACK_MENU: Final = """\
6|
7|
4|<li><a href="/"><i class="fa fa-dashboard fa-fw"></i> Dashboard of the Track</a></li>
4|
4|<li><a href="/live/"><i class="fa fa-hourglass fa-fw"></i> Live Now</a></li>
4|
4|<li><a href="/results/"><i class="fa fa-list-ol fa-fw"></i> Results</a></li>
4|
4|<!--<li><a href="/events/"><i class="fa fa-calendar fa-fw"></i> Earlier Events</a></li>-->
8|<li><a href="/practice/"><i class="fa fa-clock-o fa-fw"></i> Practice</a></li>
4|
4|<li><a href="/track_map/"><i class="fa fa-globe fa-fw"></i> Map of the Track</a></li>
8|<!--
4|<li><a href="/videos/"><i class="fa fa-video-camera fa-fw status_video_1"></i> Videos</a></li>
4|
4|<li><a href="/drivers/"><i class="fa fa-male fa-fw"></i> Drivers</a></li>
4|-->
6|"""

QUICK_LINKS: Final = """\
4|
9|<!--<div class="navbar-quicklinks hidden-sm hidden-md hidden-lg hidden-xl">-->
5|<div class="navbar-quicklinks">
6|<ul class="list-inline">
15|<li><a style="padding-top:5px; padding-bottom:0px" href="//live.@DOMAIN@"><i style="font-size:1.75em" class="fa fa-road fa-fw"></i><div style="font-size:0.85em">Tracks</div></a></li>
14|<li><a style="padding-top:5px; padding-bottom:0px" href="/"><i style="font-size:1.75em" class="fa fa-dashboard fa-fw"></i><div style="font-size:0.85em">Dashboard</div></a></li>
7|<li><a style="padding-top:5px; padding-bottom:0px" href="/live/"><i style="font-size:1.75em" class="fa fa-hourglass fa-fw"></i><div style="font-size:0.85em">Live</div></a></li>
7|<li><a style="padding-top:5px; padding-bottom:0px" href="/results/"><i style="font-size:1.75em" class="fa fa-list-ol fa-fw"></i><div style="font-size:0.85em">Results</div></a></li>
7|<!--<li><a style="padding-top:5px; padding-bottom:0px" href="/events/"><i style="font-size:1.75em" class="fa fa-calendar fa-fw"></i><div style="font-size:0.85em">Events</div></a></li>-->
15|<li><a style="padding-top:5px; padding-bottom:0px" href="/practice/"><i style="font-size:1.75em" class="fa fa-clock-o fa-fw"></i><div style="font-size:0.85em">Practice</div></a></li>
8|<li><a style="padding-top:5px; padding-bottom:0px" href="/track_map/"><i style="font-size:1.75em" class="fa fa-globe fa-fw"></i><div style="font-size:0.85em">Map</div></a></li>
13|</ul>
5|</div>
8|"""  # noqa: E501 - the wire form has these lines whole
