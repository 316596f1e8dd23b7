"""A stand-in for LiveRC: a seeded world of invented tracks, its pages in wire shape, faults on demand, a journal.

What may live here: everything needed to *be* the source, down to the truth that a correct sync must reach. What may
not: any code of the reading side. It imports nothing of ours except `tracksync.errors`, because a mistake shared with
the parser would pass every test. Nothing in it is copied from the real site's data: names, places and numbers are made
up.
"""
