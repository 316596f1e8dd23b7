"""Choosing the kind of cluster for this machine."""

from tests.cluster.contract import Cluster
from tests.cluster.kind import KindCluster
from tests.cluster.paths import CHECKOUT, Layout, layout_of
from tests.cluster.processes import ProcessCluster
from tests.cluster.system import docker_answers


def select_cluster(layout: Layout | None = None) -> Cluster:
    """Return this checkout's cluster: the one it has, else kind where a Docker engine answers, else processes."""
    place = layout or layout_of(CHECKOUT)
    own = ProcessCluster(place)
    # An engine that was started meanwhile must not hide the cluster that is there.
    if own.exists() or not docker_answers():
        return own
    return KindCluster(place)
