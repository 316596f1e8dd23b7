"""The few calls that the harness itself makes to the API server, with the admin's certificate."""

import http.client
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.errors import ClusterError


@dataclass(frozen=True, slots=True)
class Api:
    """The API server at an address; each call is one connection."""

    address: str
    port: int
    pki: Path

    def ready(self) -> bool:
        """Whether the API server answers that it is ready."""
        try:
            return self._call("GET", "/readyz")[0] == http.client.OK
        except (OSError, http.client.HTTPException):
            return False

    def ready_nodes(self) -> set[str]:
        """Return the names of the nodes that are Ready; empty while the API server does not answer."""
        try:
            status, body = self._call("GET", "/api/v1/nodes")
        except (OSError, http.client.HTTPException):
            return set()
        items = json.loads(body)["items"] if status == http.client.OK else []
        return {node["metadata"]["name"] for node in items if _is_ready(node)}

    def exists(self, path: str) -> bool:
        """Whether the object at the path exists."""
        return self._call("GET", path)[0] == http.client.OK

    def apply(self, path: str, content: Mapping[str, Any]) -> None:
        """Make the object at the path as stated, by server-side apply.

        Raises:
            ClusterError: the API server refused it.
        """
        query = "?fieldManager=tracksync-cluster&force=true"
        status, body = self._call("PATCH", path + query, json.dumps(content))
        if status >= http.client.BAD_REQUEST:
            raise ClusterError(f"the API server refused {path} ({status}): {body[:500]}")

    def _call(self, method: str, path: str, body: str | None = None) -> tuple[int, str]:
        context = ssl.create_default_context(cafile=str(self.pki / "ca.crt"))
        context.load_cert_chain(self.pki / "admin.crt", self.pki / "admin.key")
        connection = http.client.HTTPSConnection(self.address, self.port, timeout=5, context=context)
        try:
            connection.request(method, path, body, {"Content-Type": "application/apply-patch+yaml"})
            answer = connection.getresponse()
            return answer.status, answer.read().decode(errors="replace")
        finally:
            connection.close()


def _is_ready(node: Mapping[str, Any]) -> bool:
    conditions = node.get("status", {}).get("conditions", [])
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)
