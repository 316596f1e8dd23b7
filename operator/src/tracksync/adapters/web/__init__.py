"""The source's web site behind the `Source` port: transport, request budget, and parsing in a child process.

Everything that arrives here is hostile until `liverc` has read it. No database, no Kubernetes, no rule about tracks.
"""
