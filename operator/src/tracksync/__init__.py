"""TrackSync keeps a PostgreSQL table equal to the public LiveRC track catalogue, as a Kubernetes operator."""

__version__ = "0.1.0"
