"""The life of a TrackSyncJob as pure rules: what was observed, what to do next, what the status says, what to build."""
