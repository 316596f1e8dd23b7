"""The wire contract: models of the custom resources, of the worker's result and of the installation's sources.

A leaf: imports nothing of ours except `tracksync.errors`, and does no I/O. Rules, builders and clients live elsewhere.
"""
