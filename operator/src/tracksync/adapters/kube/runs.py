"""What the command line asks of the API server, one request each; the right that each needs stands beside it."""

from __future__ import annotations

import base64
import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, NamedTuple

from tracksync.adapters.kube.answers import (
    ConflictError,
    ExpiredError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    NotInstalledError,
    NotReadyError,
)
from tracksync.adapters.kube.client import Reply
from tracksync.adapters.kube.rbac import needs
from tracksync.api.identity import APP_NAME, GROUP, JOB_KIND, JOB_PLURAL, VERSION, WORKER_CONTAINER, Label
from tracksync.core.runs.reading import items, mapping, text, whole
from tracksync.errors import ClusterUnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from tracksync.adapters.kube.answers import AnswerError
    from tracksync.adapters.kube.client import KubeClient
    from tracksync.core.runs.model import Key, Manifest

FIELD_MANAGER: Final = f"{APP_NAME}-cli"
WATCH_SECONDS: Final = 300
"""How long the API server keeps one watch open; the next one goes on where it ended."""
_IDLE_SECONDS: Final = WATCH_SECONDS + 15.0
_LOG_IDLE_SECONDS: Final = 4 * 3600.0
"""A worker may say nothing for long, such as while its source asked for a pause."""
_PAGE: Final = "500"
_MAX_PAGES: Final = 1000
_MAX_WORDS: Final = 600
_REFUSALS: Final = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.CONFLICT,
    HTTPStatus.GONE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
)
_INSTALL: Final = (
    "Have an admin install TrackSync (`tracksync admin install --image IMAGE | kubectl apply -f -` and "
    "`tracksync admin crd`), or name another cluster with --context."
)


class _Asked(NamedTuple):
    """What a request is about, for the words of a refusal."""

    verb: str
    resource: str
    namespace: str | None
    name: str = ""

    @property
    def where(self) -> str:
        return f"in the namespace {self.namespace!r}" if self.namespace else "in all namespaces"


class KubeRuns:
    """TrackSyncJobs and what belongs to them, as a person asks for them.

    Every method raises a subclass of `AnswerError` that says what to do, or ClusterUnavailableError.
    """

    def __init__(self, client: KubeClient, namespace: str) -> None:
        self._client = client
        self._namespace = namespace

    @property
    def default_namespace(self) -> str:
        """The namespace that is meant when none is named."""
        return self._namespace

    @needs(GROUP, JOB_PLURAL, "get")
    async def read(self, key: Key) -> Manifest:
        """Return the TrackSyncJob as it is now."""
        asked = _Asked("get", f"{JOB_PLURAL}.{GROUP}", key.namespace, key.name)
        return await self._send(asked, "GET", _runs_path(key.namespace, key.name))

    @needs(GROUP, JOB_PLURAL, "list")
    async def find(self, namespace: str | None) -> Sequence[Manifest]:
        """Return all TrackSyncJobs of the namespace, or of the cluster."""
        found = await self._list(_Asked("list", f"{JOB_PLURAL}.{GROUP}", namespace), _runs_path(namespace), {})
        # A list has no kind for each of its objects; `-o yaml` shall be something that can be applied.
        return [{"apiVersion": f"{GROUP}/{VERSION}", "kind": JOB_KIND} | entry for entry in found]

    @needs(GROUP, JOB_PLURAL, "create")
    async def create(self, manifest: Mapping[str, object], namespace: str, *, dry_run: bool) -> Manifest:
        """Create the TrackSyncJob, or have the API server only check it; unknown fields are refused."""
        query = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"} | ({"dryRun": "All"} if dry_run else {})
        asked = _Asked("create", f"{JOB_PLURAL}.{GROUP}", namespace, text(manifest, "metadata", "name"))
        return await self._send(asked, "POST", _runs_path(namespace), query=query, body=manifest)

    @needs(GROUP, JOB_PLURAL, "patch")
    async def change(self, key: Key, patch: Mapping[str, object]) -> Manifest:
        """Merge the patch into the TrackSyncJob and return it."""
        asked = _Asked("patch", f"{JOB_PLURAL}.{GROUP}", key.namespace, key.name)
        path, query = _runs_path(key.namespace, key.name), {"fieldManager": FIELD_MANAGER}
        return await self._send(asked, "PATCH", path, query=query, body=patch, media="merge")

    @needs(GROUP, JOB_PLURAL, "delete")
    async def delete(self, key: Key, uid: str) -> None:
        """Delete exactly this TrackSyncJob; another one of the same name stays."""
        asked = _Asked("delete", f"{JOB_PLURAL}.{GROUP}", key.namespace, key.name)
        body = {"propagationPolicy": "Background", "preconditions": {"uid": uid}}
        await self._send(asked, "DELETE", _runs_path(key.namespace, key.name), body=body)

    @needs(GROUP, JOB_PLURAL, "list", "watch")
    async def watch(self, key: Key, version: str) -> AsyncIterator[tuple[str, Manifest]]:
        """Give each change of the TrackSyncJob after this version as its type and the object, for some minutes.

        Raises:
            ExpiredError: the version is too old.
        """
        asked = _Asked("watch", f"{JOB_PLURAL}.{GROUP}", key.namespace, key.name)
        query = {
            "watch": "1",
            "fieldSelector": f"metadata.name={key.name}",
            "resourceVersion": version,
            "timeoutSeconds": str(WATCH_SECONDS),
            "allowWatchBookmarks": "true",
        }
        async with self._client.stream(_runs_path(key.namespace), query=query, idle_seconds=_IDLE_SECONDS) as lines:
            if isinstance(lines, Reply):
                raise _refusal(asked, lines)
            async for line in lines:
                kind, manifest = _watch_event(line)
                if kind == "ERROR":
                    raise _refusal(asked, Reply(whole(manifest, "code") or 500, dict(manifest)))
                yield kind, manifest

    @needs("", "events", "list")
    async def events(self, namespace: str, uid: str) -> Sequence[Manifest]:
        """Return the Events about the object with this uid."""
        path = f"/api/v1/namespaces/{namespace}/events"
        return await self._list(
            _Asked("list", "events", namespace), path, {"fieldSelector": f"involvedObject.uid={uid}"}
        )

    @needs("", "pods", "list")
    async def pods(self, namespace: str, run_id: str) -> Sequence[Manifest]:
        """Return the run's pods."""
        path = f"/api/v1/namespaces/{namespace}/pods"
        return await self._list(_Asked("list", "pods", namespace), path, {"labelSelector": f"{Label.RUN_ID}={run_id}"})

    @needs("", "pods/log", "get")
    async def log(self, namespace: str, pod: str, *, follow: bool, since: str = "") -> AsyncIterator[bytes]:
        """Give the lines of the worker's log, each with its time before it; those of the last second may come again.

        Raises:
            NotReadyError: the container has not started yet.
        """
        asked = _Asked("get", "pods/log", namespace, pod)
        query = {"container": WORKER_CONTAINER, "timestamps": "true"}
        query |= {"follow": "true"} if follow else {}
        query |= {"sinceTime": since} if since else {}
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log"
        async with self._client.stream(path, query=query, idle_seconds=_LOG_IDLE_SECONDS) as lines:
            if isinstance(lines, Reply):
                raise _log_refusal(asked, lines)
            async for line in lines:
                yield line

    @needs("", "secrets", "get")
    async def secret_value(self, namespace: str, name: str, key: str) -> str:
        """Return the text under a Secret's key."""
        asked = _Asked("get", "secrets", namespace, name)
        document = await self._send(asked, "GET", f"/api/v1/namespaces/{namespace}/secrets/{name}")
        encoded = text(document, "data", key)
        if not encoded:
            names = ", ".join(sorted(map(str, mapping(document, "data")))) or "none"
            raise NotFoundError(f"the Secret {name!r} {asked.where} has no key {key!r}", f"Its keys: {names}.")
        try:
            return base64.b64decode(encoded).decode().strip()
        except ValueError:
            raise InvalidError(f"the key {key!r} of the Secret {name!r} is no text", "Correct the Secret.") from None

    async def _send(  # noqa: PLR0913 -- a request is these things
        self,
        asked: _Asked,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
        media: str = "json",
    ) -> Manifest:
        reply = await self._client.send(method, path, query=query, body=body, media=media, expected=_REFUSALS)
        if reply.status in _REFUSALS:
            raise _refusal(asked, reply)
        return reply.document

    async def _list(self, asked: _Asked, path: str, query: Mapping[str, str]) -> list[Manifest]:
        """Return all objects of the list, page by page."""
        found: list[Manifest] = []
        token = ""
        for _ in range(_MAX_PAGES):
            page = {"limit": _PAGE} | dict(query) | ({"continue": token} if token else {})
            document = await self._send(asked, "GET", path, query=page)
            found += [dict(entry) for entry in items(document, "items")]
            token = text(document, "metadata", "continue")
            if not token:
                break
        return found


def _runs_path(namespace: str | None, name: str = "") -> str:
    scope = f"/namespaces/{namespace}" if namespace else ""
    return f"/apis/{GROUP}/{VERSION}{scope}/{JOB_PLURAL}" + (f"/{name}" if name else "")


def _watch_event(line: bytes) -> tuple[str, Manifest]:
    """Return the type and the object of a line of a watch.

    Raises:
        ClusterUnavailableError: it is none: something between us and the API server cut or changed it.
    """
    try:
        event = json.loads(line)
    except ValueError:
        raise ClusterUnavailableError("the Kubernetes API sent a line that is no watch event") from None
    return text(event, "type"), dict(mapping(event, "object"))


def _refusal(  # noqa: PLR0911 -- one answer for each status
    asked: _Asked, reply: Reply
) -> AnswerError | ClusterUnavailableError:
    words = str(reply.document.get("message", ""))[:_MAX_WORDS] or f"status {reply.status}"
    match reply.status:
        case HTTPStatus.UNAUTHORIZED:
            return ForbiddenError(
                "the API server does not accept the credentials", "Log in anew, or name other ones with --context."
            )
        case HTTPStatus.FORBIDDEN:
            return _forbidden(asked, words)
        case HTTPStatus.NOT_FOUND:
            return _not_found(asked, reply)
        case HTTPStatus.GONE:
            return ExpiredError(f"the API server forgot the version that was asked for: {words}")
        case HTTPStatus.CONFLICT if text(reply.document, "reason") == "AlreadyExists":
            remedy = f"Choose another --name; `tracksync status {asked.name}` shows the one that is there."
            return ConflictError(f"there is already a TrackSyncJob {asked.name!r} {asked.where}", remedy)
        case HTTPStatus.CONFLICT:
            return ConflictError(words, "It changed in this moment: run the command again.")
        case HTTPStatus.BAD_REQUEST | HTTPStatus.UNPROCESSABLE_ENTITY:
            return InvalidError(f"the API server refuses it: {words}", "Correct the named field.")
        case _:
            return ClusterUnavailableError(f"the API server answered with {reply.status}: {words}")


def _forbidden(asked: _Asked, words: str) -> ForbiddenError:
    """Return the error that names the missing right; a refusal for another cause, such as a policy, keeps its words."""
    if "cannot" not in words:
        return ForbiddenError(f"the API server refuses it: {words}", "Its message says who may, or what to change.")
    right = f"{asked.verb} {asked.resource} {asked.where}"
    kind = "role" if asked.namespace else "clusterrole"
    command = f"kubectl create {kind} NAME --verb={asked.verb} --resource={asked.resource}"
    scope = f" -n {asked.namespace}" if asked.namespace else ""
    return ForbiddenError(
        f"you lack the right to {right}: {words}",
        f"Ask an admin for it (`{command}{scope}`, then a {kind}binding for you).",
    )


def _not_found(asked: _Asked, reply: Reply) -> NotFoundError:
    if asked.resource.endswith(GROUP) and not mapping(reply.document, "details").get("kind"):
        # An API that does not exist is answered without an object's name, often not even in JSON.
        return NotInstalledError("this cluster knows no TrackSyncJobs: TrackSync is not installed in it", _INSTALL)
    what = {f"{JOB_PLURAL}.{GROUP}": "TrackSyncJob", "secrets": "Secret", "pods/log": "pod"}.get(asked.resource)
    if asked.verb == "create":
        return NotFoundError(f"there is no namespace {asked.namespace!r}", "Create it, or name another one with -n.")
    listing = "`tracksync get -A` lists them in all namespaces." if what == "TrackSyncJob" else ""
    return NotFoundError(f"there is no {what or asked.resource} {asked.name!r} {asked.where}", listing)


def _log_refusal(asked: _Asked, reply: Reply) -> AnswerError | ClusterUnavailableError:
    """Return the error of a log; the kubelet's refusals of one that does not exist yet come as bad requests."""
    if reply.status == HTTPStatus.BAD_REQUEST:
        words = str(reply.document.get("message", ""))[:_MAX_WORDS]
        return NotReadyError(f"the pod {asked.name!r} has no log yet: {words}", "Try again, or follow it with -f.")
    return _refusal(asked, reply)


def rights_needed(methods: Sequence[str]) -> dict[str, list[str]]:
    """Return the verbs on each resource that these methods need."""
    needed: dict[str, list[str]] = {}
    for method in methods:
        for right in getattr(getattr(KubeRuns, method), "rights", ()):
            resource = f"{right.resource}.{right.group}" if right.group else right.resource
            if right.verb not in needed.setdefault(resource, []):
                needed[resource].append(right.verb)
    return needed
