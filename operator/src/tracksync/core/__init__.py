"""The rules, as pure functions over frozen values: no I/O, no async, no clock of its own, no framework.

`core.runs` decides about TrackSyncJobs, `core.tracks` about tracks; the two know nothing of each other. Whatever talks
to the world belongs behind a port (`tracksync.ports`) and lives in `tracksync.adapters`.
"""
