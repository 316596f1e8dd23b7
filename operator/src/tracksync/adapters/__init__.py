"""The real ends of the ports and their in-memory twins: one family a package, and the families do not know each other.

What belongs here talks to the world (a database, the cluster, the web) and nothing else: rules live in
`tracksync.core`. A module that stands directly in this package is shared by families and does no I/O. Every library of
the outside world is imported in its own family only.
"""
