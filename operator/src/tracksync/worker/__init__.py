"""One run of the sync: five stages over the ports, what they report, and the process around them.

What may live here: the order of the work, when it is reported, how it ends. What may not: SQL, HTTP, HTML or rules
about tracks (`adapters`, `liverc`, `core`). Only `worker.app` touches adapters and settings; `tracksync run` uses the
same `worker.run` without a cluster.
"""
