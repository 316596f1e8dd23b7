"""The operator: kopf's events wake one level-based `reconcile`, which observes, decides, applies and publishes.

Rules live in `tracksync.core.runs`; the API server is behind the port `Cluster`. Only `app.py` knows adapters and
settings (and `install.py` the declared rights); kopf is known to `app`, `framework`, `handlers` and `health` only.
"""
