// A static program for the cluster's own needs; standard library only.
module tracksync.local/cluster/probe

go 1.26.0
