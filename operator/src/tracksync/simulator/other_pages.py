"""Pages that are neither catalogue nor dashboard: errors, and what a session check or a guard in front would send."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tracksync.simulator.frame import page_foot, page_top

if TYPE_CHECKING:
    from http import HTTPStatus


def render_error(status: HTTPStatus, text: str) -> bytes:
    """Return a web server's short error page."""
    return (
        '<!DOCTYPE HTML PUBLIC "-//IETF//DTD HTML 2.0//EN">\n'
        f"<html><head>\n<title>{status.value} {status.phrase}</title>\n</head><body>\n"
        f"<h1>{status.phrase}</h1>\n<p>{text}</p>\n</body></html>\n"
    ).encode()


def render_login(domain: str) -> bytes:
    """Return a whole, well-formed page of the site that holds no track at all; it comes with status 200."""
    form = (
        '<div class="row page-breadcrumb">\n\t<div class="col-lg-12">\n'
        '\t\t<h1 class="page-header"><span class="fa fa-sign-in"></span> Log In</h1>\n\t</div>\n</div>\n\n'
        '<form action="/login/" method="post">\n'
        '\t<input type="text" name="user" placeholder="User name" />\n'
        '\t<input type="password" name="password" placeholder="Password" />\n'
        '\t<button type="submit">Log In</button>\n</form>\n'
    )
    return (
        page_top(title="Log In :: LiveRC", style="login", domain=domain, is_track_page=False) + form + page_foot()
    ).encode()


def render_captcha(domain: str) -> bytes:
    """Return the page by which a guard in front of the site asks for a person; it comes with status 200."""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8" />\n<title>One moment, please</title>\n'
        f"</head><body>\n<h1>Is somebody there?</h1>\n<p>{domain} wants to know that you are a person.</p>\n"
        '<form action="/check" method="post"><label><input type="checkbox" name="person" /> I am</label>\n'
        "<button>Go on</button></form>\n</body></html>\n"
    ).encode()
