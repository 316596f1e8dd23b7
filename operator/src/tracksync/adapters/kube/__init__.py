"""The Kubernetes API: the operator's port `Cluster`, and the rights that each of its methods needs, as data.

The only package that imports a Kubernetes client library. No decision is made here; what an answer means is decided in
`tracksync.core.runs`.
"""
