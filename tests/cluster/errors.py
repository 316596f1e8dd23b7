"""What can go wrong around the cluster, told to the person who typed the command."""


class ClusterError(Exception):
    """The cluster cannot do what was asked; the message names the cause and the remedy."""
