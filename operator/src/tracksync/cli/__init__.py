"""The command line: options, output and exit codes of `tracksync` and `kubectl tracksync`.

What may live here: parsing, display, and the choice of adapters for a run on one machine. What may not: rules and
queries. Modules that define commands import only typer and the standard library; whatever is heavy is imported inside
the command that needs it.
"""
