"""The kinds that switches choose from: what is wrong with the catalogue, a dashboard, robots.txt, a header, the domain.

Catalogue and dashboards share most kinds; the same word means the same for both.
"""

from __future__ import annotations

from enum import StrEnum


class CatalogueFault(StrEnum):
    """What is wrong with the catalogue."""

    NONE = "none"
    EMPTY = "empty"
    """A whole page, status 200, with no row."""
    CUT = "cut"
    """Status 200, but the body ends early; length and compression are right for what was sent."""
    ERROR = "error"
    """Status 503."""
    FORBIDDEN = "forbidden"
    """Status 403."""
    HALF = "half"
    """Half of the rows are gone; which ones: by seed and slug. The page is whole."""
    BROKEN_ROWS = "broken-rows"
    """Beside all true rows three that are none: without link, without name, without a legal host."""
    DUPLICATE_ROWS = "duplicate-rows"
    """One row in a hundred (at least one) occurs again at the end, with its slug in capitals and another name."""
    WWW_HOSTS = "www-hosts"
    """Half of the rows link to `https://www.SLUG.domain/`; which ones: by seed and slug."""
    GENERIC_PAGE = "generic-page"
    """Status 200 and a whole page, which is no catalogue."""
    RATE_LIMITED = "rate-limited"
    """Status 429 with Retry-After."""
    CAPTCHA = "captcha"
    """Status 200 and a page that asks whether a person is there."""
    BLANK = "blank"
    """Status 200 and no byte."""
    NOT_HTML = "not-html"
    """Status 200 and a JSON document, declared as such."""
    LIST_CHANGES = "list-changes"
    """Every read but the first finds another list: a hundredth of the rows (at least two) has moved to the end, half of
    them are still at their old place as well; which ones: by seed and number of the read."""
    REDIRECT_HOST = "redirect-host"
    REDIRECT_FOREIGN = "redirect-foreign"
    REDIRECT_LOOP = "redirect-loop"
    REDIRECT_HTTP = "redirect-http"
    REDIRECT_PRIVATE = "redirect-private"
    TIME_OUT = "time-out"
    DRIP = "drip"
    OVERSIZE = "oversize"
    NESTED = "nested"
    WRONG_CHARSET = "wrong-charset"
    INVALID_UTF8 = "invalid-utf8"
    HOSTILE_TEXT = "hostile-text"


class DashboardFault(StrEnum):
    """What is wrong with a track's dashboard."""

    HTTP_500 = "http-500"
    HTTP_404 = "http-404"
    LOGIN_PAGE = "login-page"
    """Status 200 and a whole page, which is no dashboard."""
    HTTP_403 = "http-403"
    HTTP_410 = "http-410"
    HTTP_429 = "http-429"
    """With Retry-After."""
    HTTP_503 = "http-503"
    """Without Retry-After."""
    HTTP_503_RETRY_AFTER = "http-503-retry-after"
    REDIRECT_HOST = "redirect-host"
    """To another host of the domain."""
    REDIRECT_FOREIGN = "redirect-foreign"
    """To a host of another domain, which has no address."""
    REDIRECT_LOOP = "redirect-loop"
    """To itself."""
    REDIRECT_HTTP = "redirect-http"
    """To the same host without encryption."""
    REDIRECT_PRIVATE = "redirect-private"
    """To an address of a private network."""
    TIME_OUT = "time-out"
    """No answer ever."""
    DRIP = "drip"
    """The right page, one byte at a time."""
    OVERSIZE = "oversize"
    """The right page with a comment of so many bytes in it."""
    NESTED = "nested"
    """The right page with elements nested so deeply that parsing takes seconds."""
    WRONG_CHARSET = "wrong-charset"
    """The right page in UTF-8, declared as UTF-16 in the header."""
    CAPTCHA = "captcha"
    """Status 200 and a page that asks whether a person is there."""
    BLANK = "blank"
    """Status 200 and no byte."""
    NOT_HTML = "not-html"
    """Status 200 and a JSON document, declared as such."""
    CUT = "cut"
    """Status 200, but the body ends early; length and compression are right for what was sent."""
    INVALID_UTF8 = "invalid-utf8"
    """The right page with bytes in its texts that no UTF-8 has."""
    HOSTILE_TEXT = "hostile-text"
    """The right page with NUL, terminal escapes, bidi overrides and invisible characters in its texts; what remains
    without them is the truth."""


class RetryAfterForm(StrEnum):
    """How a Retry-After header is written."""

    SECONDS = "seconds"
    DATE = "date"
    """An HTTP-date by the source's own clock."""
    ABSURD = "absurd"
    """Ten years, in seconds."""
    PAST = "past"
    """An HTTP-date that has passed."""
    GARBAGE = "garbage"
    NONE = "none"
    """No header."""


class RobotsFault(StrEnum):
    """What a host has at /robots.txt."""

    MISSING = "missing"
    """Status 404."""
    ALLOW = "allow"
    DISALLOW = "disallow"
    FORBIDDEN = "forbidden"
    """Status 403, which means: no rules."""
    ERROR = "error"
    """Status 503."""
    RATE_LIMITED = "rate-limited"
    """Status 429 with Retry-After."""
    CRAWL_DELAY = "crawl-delay"
    HUGE = "huge"
    """Rules that allow, below 2 MiB of comments."""
    REDIRECT = "redirect"
    """To the catalogue host's file, which allows; that host itself has the file."""
    REDIRECT_LOOP = "redirect-loop"


class Death(StrEnum):
    """How a dead domain answers: every request of every host, robots.txt included."""

    HTTP_503 = "http-503"
    """Status 503 without Retry-After."""
    RESET = "reset"
    """The connection is reset without an answer."""
    SILENCE = "silence"
    """No answer ever."""


class Validators(StrEnum):
    """Which validators come with pages, and are honoured with 304."""

    NONE = "none"
    ETAG = "etag"
    LAST_MODIFIED = "last-modified"
    BOTH = "both"
    LYING_ETAG = "lying-etag"
    """The ETag of a page never changes: 304 even when the page is another."""
