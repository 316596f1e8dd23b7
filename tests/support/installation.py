"""TrackSync with a database and a simulator on this checkout's cluster: shared by demo, e2e tests and benchmarks."""

from __future__ import annotations

import hashlib
import json
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from tests.cluster.image import build_images
from tests.cluster.names import TRACKSYNC_IMAGE
from tests.cluster.waiting import wait_until
from tracksync.api.identity import OPERATOR_NAMESPACE
from tracksync.api.schema import crd_documents
from tracksync.api.source import SourceEntry
from tracksync.controller.install import install_documents, worker_access_documents

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.cluster.contract import Cluster

MANIFESTS: Final = Path(__file__).resolve().parents[2] / "manifests"
RESTRICTED: Final = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
DEPLOYMENT: Final = "deployment/tracksync-operator"


def demo_source(namespace: str, **changes: object) -> SourceEntry:
    """Return the source entry of a namespace's simulator: 100 requests/s are fine, it is nobody's web site."""
    entry = {
        "name": "liverc",
        "scheme": "http",
        "connect_to": f"simulator.{namespace}.svc.cluster.local:8080",
        "requests_per_second": 100,
        "concurrency": 16,
        "allow_private_addresses": True,
    }
    return SourceEntry.model_validate(entry | changes)


def install_operator(cluster: Cluster, sources: Iterable[SourceEntry]) -> None:
    """Apply CRDs and operator with these sources, restart it when something changed, and wait until it is available."""
    apply(cluster, crd_documents().values())
    cluster.kubectl("wait", "--for=condition=Established", "--timeout=30s", "crd", "--all")
    documents = install_documents(TRACKSYNC_IMAGE)
    listed = yaml.safe_dump({"sources": [source.to_wire() for source in sources]}, sort_keys=False)
    for document in documents:
        if document["kind"] == "ConfigMap":
            document["data"] = {"sources.yaml": listed}
        if document["kind"] == "Deployment":
            annotations = document["spec"]["template"]["metadata"].setdefault("annotations", {})
            annotations["tracksync.test/sources"] = listed
            annotations["tracksync.test/image"] = build_images()[0].stem  # a new build restarts it
    apply(cluster, documents)
    cluster.kubectl("-n", OPERATOR_NAMESPACE, "rollout", "status", DEPLOYMENT, "--timeout=120s")


def apply(cluster: Cluster, documents: Iterable[dict[str, Any]], *, namespace: str | None = None) -> None:
    """Apply objects by server-side apply."""
    scope = ("-n", namespace) if namespace else ()
    text = yaml.safe_dump_all(list(documents), sort_keys=False)
    cluster.kubectl(*scope, "apply", "--server-side", "--force-conflicts", "-f", "-", stdin=text)


@dataclass(frozen=True, slots=True)
class Tenant:
    """A namespace with a database, a simulator and the right to run TrackSyncJobs."""

    cluster: Cluster
    namespace: str

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl in this namespace."""
        return self.cluster.kubectl("-n", self.namespace, *arguments, stdin=stdin)

    def create_namespace(self) -> None:
        """Create the namespace, with the restricted Pod Security profile enforced, and the worker's access."""
        metadata = {"name": self.namespace, "labels": RESTRICTED}
        apply(self.cluster, [{"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}])
        apply(self.cluster, worker_access_documents(self.namespace))

    def remove(self) -> None:
        """Delete the namespace with everything in it, and its database's volume."""
        self.cluster.kubectl("delete", "namespace", self.namespace, "--timeout=120s")
        instance = f"app.kubernetes.io/instance={self.namespace}"
        self.cluster.kubectl("delete", "pv", "-l", instance, "--wait=false")

    def start_database(self) -> None:
        """Start PostgreSQL on a volume, create the Secret `tracksync-db` and migrate; a second call changes nothing."""
        password = self._password()
        url = f"postgresql://tracksync:{password}@postgres.{self.namespace}.svc.cluster.local:5432/tracksync?sslmode=disable"
        self.put_secret("postgres-password", {"password": password})
        self.put_secret("tracksync-db", {"url": url})
        # A volume outlives its namespace, and the password in it with it: another password, another volume.
        volume = f"postgres-{self.namespace}-{hashlib.sha256(password.encode()).hexdigest()[:8]}"
        text = (MANIFESTS / "demo" / "postgres.yaml").read_text(encoding="utf-8")
        values = {
            "@NAMESPACE@": self.namespace,
            "@NODE@": self.cluster.nodes()[0].name,
            "@VOLUME@": volume,
            "@VOLUME_PATH@": self.cluster.local_volume(volume),
        }
        for placeholder, value in values.items():
            text = text.replace(placeholder, value)
        self.kubectl("apply", "--server-side", "-f", "-", stdin=text)

    def start_simulator(self, *arguments: str) -> None:
        """Start the simulator; arguments replace those of the manifest after `simulate`."""
        documents = list(yaml.safe_load_all((MANIFESTS / "demo" / "simulator.yaml").read_text(encoding="utf-8")))
        if arguments:
            container = documents[1]["spec"]["template"]["spec"]["containers"][0]
            container["args"] = ["simulate", "--host", "0.0.0.0", "--port", "8080", *arguments]
        apply(self.cluster, documents, namespace=self.namespace)

    def start_replay(self, page: Path) -> None:
        """Start the simulator with a captured catalogue page, mounted from a ConfigMap, byte for byte."""
        text = page.read_text(encoding="utf-8")
        document = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "capture"},
            "data": {"catalogue.html": text},
        }
        apply(self.cluster, [document], namespace=self.namespace)
        service, deployment = yaml.safe_load_all((MANIFESTS / "demo" / "simulator.yaml").read_text(encoding="utf-8"))
        pod = deployment["spec"]["template"]["spec"]
        pod["volumes"].append({"name": "capture", "configMap": {"name": "capture"}})
        container = pod["containers"][0]
        container["volumeMounts"].append({"name": "capture", "mountPath": "/capture", "readOnly": True})
        container["args"] += ["--replay-catalogue", "/capture/catalogue.html"]
        apply(self.cluster, [service, deployment], namespace=self.namespace)

    def migrate(self) -> None:
        """Bring the database to this version's schema."""
        self.kubectl("delete", "job", "migrate", "--ignore-not-found", "--wait")
        self.kubectl("apply", "-f", str(MANIFESTS / "demo" / "migrate.yaml"))

    def wait_ready(self) -> None:
        """Wait until database, schema and simulator are usable."""
        self.kubectl("rollout", "status", "statefulset/postgres", "--timeout=120s")
        self.kubectl("wait", "--for=condition=Complete", "--timeout=120s", "job/migrate")
        self.kubectl("rollout", "status", "deployment/simulator", "--timeout=120s")

    def put_secret(self, name: str, values: dict[str, str]) -> None:
        """Create or replace a Secret."""
        document = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": values}
        apply(self.cluster, [document], namespace=self.namespace)

    def _password(self) -> str:
        """Return the database's password: the stored one, else a new one."""
        stored = self.kubectl(
            "get",
            "secret",
            "postgres-password",
            "--ignore-not-found",
            "-o",
            "go-template={{.data.password | base64decode}}",
        )
        return stored.strip() or secrets.token_hex(16)

    def query(self, sql: str) -> str:
        """Run SQL in the database pod and return the unaligned rows."""
        command = (
            "exec",
            "statefulset/postgres",
            "--",
            "psql",
            "-U",
            "tracksync",
            "-d",
            "tracksync",
            "-AtXc",
            sql,
        )
        return self.kubectl(*command).strip()

    def create(self, name: str, **spec: Any) -> None:
        """Apply a TrackSyncJob with these fields in its spec; it has one attempt unless `retry` says more."""
        full = {"target": {"databaseSecretRef": {"name": "tracksync-db"}}, "retry": {"limit": 0}} | spec
        document = {
            "apiVersion": "tracksync.io/v1alpha1",
            "kind": "TrackSyncJob",
            "metadata": {"name": name, "namespace": self.namespace},
            "spec": full,
        }
        self.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(document))

    def get(self, name: str, kind: str = "tracksyncjob") -> dict[str, Any] | None:
        """Return an object, or None when there is none."""
        text = self.kubectl("get", kind, name, "--ignore-not-found", "-o", "json")
        loaded: dict[str, Any] | None = json.loads(text) if text.strip() else None
        return loaded

    def status(self, name: str) -> dict[str, Any]:
        """Return a TrackSyncJob's status, empty when there is none yet."""
        status: dict[str, Any] = (self.get(name) or {}).get("status", {})
        return status

    def items(self, kind: str, selector: str = "") -> list[dict[str, Any]]:
        """Return the namespace's objects of a kind."""
        scope = ("-l", selector) if selector else ()
        found: list[dict[str, Any]] = json.loads(self.kubectl("get", kind, *scope, "-o", "json"))["items"]
        return found

    def wait_status(
        self, name: str, condition: Callable[[dict[str, Any]], bool], *, seconds: float, what: str
    ) -> dict[str, Any]:
        """Wait until the TrackSyncJob's status meets a condition and return it."""
        deadline = time.monotonic() + seconds
        while True:
            status = self.status(name)
            if condition(status):
                return status
            if time.monotonic() > deadline:
                raise TimeoutError(
                    f"{name}: {what} not seen within {seconds} s; last status: {json.dumps(status)[:2000]}"
                )
            wait_until_next_poll()

    def wait_terminal(self, name: str, *, seconds: float = 180) -> dict[str, Any]:
        """Wait until the run has ended and return its status."""
        return self.wait_status(
            name, lambda status: "completionTime" in status, seconds=seconds, what="the end of the run"
        )

    def condition(self, name: str, condition_type: str) -> dict[str, Any]:
        """Return one condition of a TrackSyncJob, empty when it has none."""
        found = [item for item in self.status(name).get("conditions", []) if item["type"] == condition_type]
        return found[0] if found else {}

    def simulator_call(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Call a control path of the simulator from inside its own pod and return the JSON answer."""
        script = (
            "import json,sys,urllib.request as u;"
            "b=sys.argv[2].encode() if sys.argv[2] else None;"
            "print(u.urlopen(u.Request('http://127.0.0.1:8080'+sys.argv[1],data=b,"
            "headers={'Content-Type':'application/json'})).read().decode() or '{}')"
        )
        data = json.dumps(body) if body is not None else ""
        answer: dict[str, Any] = json.loads(
            self.kubectl("exec", "deployment/simulator", "--", "python3", "-c", script, path, data)
        )
        return answer


def wait_until_next_poll(seconds: float = 0.25) -> None:
    """Pause between two looks at a condition that has a deadline."""
    deadline = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() >= deadline, seconds=seconds + 1)
