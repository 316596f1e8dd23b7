"""What surrounds the content of every page: head, scripts, navigation, footer, in the real pages' wire form.

A reader of the real site meets all of this first, so it is here: links to the site's own hosts, commented-out markup,
icons that repeat the class names of the rows, long runs of tabs. The text itself was written for the simulator, and
nothing in it makes a browser load anything from elsewhere.

Templates are lines of `depth|text`, because real tabs in source code do not survive editors and formatters.
"""

from __future__ import annotations

from typing import Final

from tracksync.simulator.menus import QUICK_LINKS, TRACK_MENU

_HEAD: Final = """\
0|<!DOCTYPE html>
0|<html lang="en">
0|
1|<head>
2|
2|<!-- Document Type -->
2|<meta charset="utf-8" />
2|<meta http-equiv="Content-Language" content="en-us" />
2|<meta http-equiv="Content-Type" content="text/html; charset=UTF-8" />
2|<meta http-equiv="X-UA-Compatible" content="IE=edge" />
2|<meta name="format-detection" content="telephone=no" />
2|<meta name="viewport" content="width=device-width, initial-scale=1" />
2|
2|<!-- Page Info -->
2|<title>@TITLE@</title>
2|<meta name="Copyright" content="TrackSync simulator" />
2|<meta name="Description" content="An invented source of invented tracks, made for tests and demonstrations." />
2|<meta name="robots" content="index, follow" />
2|
2|<!-- Icons, styles, fonts -->
2|<link rel="icon" type="image/x-icon" href="/static/images/favicon.png" />
2|<link rel="shortcut icon" type="image/x-icon" href="/static/images/favicon.png" />
2|<link href="/static/vendor/bootstrap/css/bootstrap.min.css" rel="stylesheet" />
2|<link href="/static/vendor/theme/css/theme.css" rel="stylesheet" />
2|<link rel="stylesheet" type="text/css" href="/static/vendor/font-awesome/css/font-awesome.min.css" />
2|<link rel="stylesheet" type="text/css" media="screen" href="/static/css/global.css?1" />
9|<link rel="stylesheet" type="text/css" media="screen" href="/static/css/@STYLE@.css?1" />
12|<link rel="stylesheet" type="text/css" media="screen" href="/static/css/@STYLE@.wide.css?1" />
7|
2|<!-- Scripts of the simulated page; none of these files exists -->
2|<script src="/static/lib/jquery.min.js"></script>
2|<script async="async" src="/static/lib/banners.js"></script>
2|<script type="text/javascript">
3|var banners = banners || {};
3|banners.queue = banners.queue || [];
3|
3|// zones that are filled later
3|var bannerZones = [];
3|
3|banners.queue.push(function()
3|{
4|//XS: 0-575
4|//SM: 576-767
4|//MD: 768-991
4|//LG: 992-1199
4|//XL: 1200+
4|
4|var sizes01 = banners.sizes().
5|atLeast([768, 200], [300, 100]). //MD and Up
5|atLeast([0, 0], [320, 50]). //XS-SM Only
5|done();
@BANNERS@
4|
4|banners.page().oneRequest();
4|banners.page().collapse(false);
4|banners.start();
3|});
3|
3|//fill the zones again every 2 minutes
3|setInterval(function()
3|{
4|if (bannerZones.length > 0 && !document.hidden) banners.page().refresh(bannerZones);
4|return false;
3|}, 120000);
2|</script>
2|
2|<script type="text/javascript">
3|var domain = '@DOMAIN@';
2|</script>
1|</head>
1|
"""

_NAVIGATION: Final = """\
1|<body>
2|
2|<!-- Page counter -->
2|<script>
3|(function(page, list){page.counter = page.counter || function(){
3|(page.counter.list = page.counter.list || list).push(arguments)};})(window, []);
3|counter('create', 'SIM-0000000-1', 'auto');
3|counter('send', 'pageview');
2|</script>
2|
2|<div id="fb-root"></div>
2|
2|<!-- Current User -->
2|<pre class="hidden" id="user_profile_data">false</pre>
2|
2|<!-- Wrapper -->
2|<div id="wrapper">
2|
3|<!-- Navigation -->
3|<nav class="navbar navbar-default navbar-static-top" role="navigation" style="margin-bottom: 0;">
4|<div class="navbar-header fixed">
5|<a class="navbar-brand" href="/"><div id="site-logo"></div></a>
5|
6|<button type="button" class="navbar-toggle" data-toggle="collapse" data-target=".navbar-collapse">
7|<span class="sr-only">Toggle navigation</span>
7|<span class="icon-bar"></span>
7|<span class="icon-bar"></span>
7|<span class="icon-bar"></span>
6|</button>
6|
12|<ul class="nav navbar-top-links navbar-right">
7|
7|<!--
7|<li class="dropdown">
8|<a class="dropdown-toggle" data-toggle="dropdown" href="#"><i class="fa fa-calendar fa-fw"></i><i class="fa fa-caret-down"></i></a>
8|<ul class="dropdown-menu dropdown-messages" id="calendar">
9|<li><a href="//live.@DOMAIN@/events/calendar/">Calendar of Covered Events</a></li>
8|</ul>
7|</li>
7|-->
0|
7|<!--
7|<li class="dropdown">
8|<a class="dropdown-toggle" data-toggle="dropdown" href="#"><i class="fa fa-edit fa-fw"></i><i class="fa fa-caret-down"></i></a>
8|<ul class="dropdown-menu dropdown-messages" id="headlines">
9|<li class="headline"><div class="loading block-with-text block-with-text-2">Loading Headlines...</div></li>
9|<li class="divider headline"></li>
9|<li><a class="text-center" href="https://www.@DOMAIN@" target="_blank"><strong>All Headlines</strong><i class="fa fa-angle-right"></i></a></li>
8|</ul>
7|</li>
7|-->
7|
14|
7|<li class="dropdown">
8|<a class="dropdown-toggle" data-toggle="dropdown" href="#"><i class="fa fa-user fa-fw"></i> <i class="fa fa-caret-down"></i></a>
8|<ul class="dropdown-menu dropdown-user">
19|<li><a href="https://www.@DOMAIN@/signup/" target="_blank"><i class="fa fa-user fa-fw"></i> Sign Up</a></li>
10|<li><a href="#" id="menu_log_in"><i class="fa fa-sign-in fa-fw"></i> Log In</a></li>
17|</ul>
7|</li>
7|
6|</ul>
11|
4|</div>
4|
4|<div class="navbar-default sidebar" role="navigation">
1|<div class="sidebar-nav navbar-collapse collapse">
2|<ul class="nav" id="side-menu">
3|
3|<!--
3|<li class="sidebar-search">
4|<form action="/drivers/" method="get">
5|<div class="input-group custom-search-form">
6|<input type="text" class="form-control" placeholder="Find a Driver...">
6|<span class="input-group-btn"><button class="btn btn-default" type="submit"><i class="fa fa-search"></i></button></span>
5|</div>
4|</form>
3|</li>
3|-->
0|
3|<li>
4|<div style="display: table-cell; width: 1%">&nbsp;&nbsp;&nbsp;&nbsp;&nbsp;</div>
3|</li>
0|
6|<li><a href="//live.@DOMAIN@"><i class="fa fa-road fa-fw"></i> Other Tracks</a></li>
@TRACK_MENU@
3|<li><a href="https://help.@DOMAIN@" target="_blank"><i class="fa fa-question fa-fw"></i> Help</a></li>
3|
3|<li><a href="https://forum.@DOMAIN@/" target="_blank"><i class="fa fa-comments fa-fw"></i> Forum</a></li>
3|
2|</ul>
2|
2|<!-- Timing by -->
2|<a href="https://www.@DOMAIN@" target="_blank">
3|<div id="timing_by">
4|<div class="txt">Timing By</div>
4|<div class="logo"><img src="/static/images/timing.png"></div>
3|</div>
2|</a>
1|</div>
1|
1|</div>
@QUICK_LINKS@
3|</nav>
3|
3|<div id="page-wrapper">
4|
8|
"""  # noqa: E501 - the wire form has these lines whole

_FOOT: Final = """\
4|
3|</div>
3|<!-- /#page-wrapper -->
3|
2|</div>
2|<!-- /#wrapper -->
0|
4|
2|<!-- Modals -->
2|<div id="modals"></div>
2|
2|<!-- Loading interface screen -->
2|<div id="loading_overlay">
3|<div id="user_status_modal" class="modal show" role="dialog">
4|<div class="vertical-alignment-helper">
5|<div class="modal-dialog vertical-align-center">
6|<div class="modal-content">
7|<div class="modal-body text-center">
8|<p><img src="/static/images/logo.png" width="250" /></p>
8|<p><img src="/static/images/loading.svg" width="75" /></p>
8|<p><strong>ONE MOMENT...</strong></p>
7|</div>
6|</div>
5|</div>
4|</div>
3|</div>
2|</div>
2|
2|<!-- Slide-in box -->
2|<div id="slide_in_bg"></div>
2|<div id="slide_in">
3|<div class="content">
4|<div class="close_slide_in">close X</div>
4|<div class="ad"></div>
3|</div>
2|</div>
2|
2|<!-- JavaScript Files -->
2|<script src="/static/js/global.min.js?1"></script>
2|<script src="/static/js/user.min.js?1"></script>
2|<script src="/static/vendor/js-cookie/js-cookie.js?1"></script>
2|<script src="/static/vendor/bootstrap/js/bootstrap.min.js"></script>
2|<script src="/static/vendor/menu/menu.min.js"></script>
2|
2|<script>
3|var showSlideIn = false;
2|</script>
2|
1|</body>
0|</html>"""

_BANNER: Final = (
    "4|bannerZones.push(banners.zone('/00000000/Simulated-Broadcast_{group}_{number}', [[300, 100], [320, 50]], "
    "'simulated_{group}_{number}')"
    ".withSizes(sizes01).collapseWhenEmpty(false).attachTo(banners.page()));"
)
_BANNER_GROUPS: Final = (("Live_Top", 4), ("All_HeaderFooter", 4), ("Live_UnderChat", 2), ("All_BetweenSections", 3))


def wire(template: str) -> str:
    """Return the template's lines with their depth turned into tabs; lines end in LF."""
    return "\n".join(
        "\t" * int(depth) + text for depth, _, text in (line.partition("|") for line in template.split("\n") if line)
    )


def page_top(*, title: str, style: str, domain: str, is_track_page: bool) -> str:
    """Return everything above a page's content; a track's own pages have further menus. Ends in LF."""
    template = _HEAD + _NAVIGATION
    template = template.replace("@BANNERS@", _banners())
    template = template.replace("@TRACK_MENU@", TRACK_MENU if is_track_page else "6|")
    template = template.replace("@QUICK_LINKS@", QUICK_LINKS if is_track_page else "0|")
    text = wire(template.replace("@DOMAIN@", domain).replace("@STYLE@", style)) + "\n"
    return text.replace("@TITLE@", title)


def page_foot() -> str:
    """Return everything below a page's content, down to the closing `</html>`."""
    return wire(_FOOT) + "\n"


def _banners() -> str:
    return "\n".join(
        _BANNER.format(group=group, number=number) for group, count in _BANNER_GROUPS for number in range(1, count + 1)
    )
