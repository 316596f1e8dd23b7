"""LiveRC's pages, read: HTML text in, values out.

Only pure functions live here: no I/O, no clock, no logging. What a value is lies in `core.tracks.model`; fetching pages
and the child process in which these functions run lie in `adapters.web`.
"""
