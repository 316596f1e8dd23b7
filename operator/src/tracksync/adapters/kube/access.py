"""Whose cluster the command line talks to: a kubeconfig's context as `kubectl` picks it, else the pod that it is in."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from tracksync.adapters.kube.answers import NoClusterError
from tracksync.adapters.kube.client import KubeClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

DEFAULT_NAMESPACE: Final = "default"
_POD_NAMESPACE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


@dataclass(frozen=True, slots=True)
class Access:
    """A cluster that was found, and the namespace that is meant when none is named."""

    client: KubeClient
    namespace: str


@asynccontextmanager
async def open_access(kubeconfig: Path | None = None, context: str | None = None) -> AsyncIterator[Access]:
    """Connect to the cluster of a kubeconfig (the given one, KUBECONFIG, ~/.kube/config), else to the pod's own.

    Raises:
        NoClusterError: there is no kubeconfig and this is no pod, or the kubeconfig or its context is unusable.
    """
    from kubernetes.aio import client, config  # noqa: PLC0415 -- 700 ms and 46 MiB: only when a cluster is talked to

    if kubeconfig is not None and not _is_file(kubeconfig):
        raise NoClusterError(f"--kubeconfig: there is no file {kubeconfig}")
    configuration = client.Configuration()
    if kubeconfig is None and context is None and not _has_default_kubeconfig():
        namespace = _load_pod(config, configuration)
    else:
        namespace = await _load_kubeconfig(config, configuration, kubeconfig, context)
    async with client.ApiClient(configuration) as api:
        yield Access(KubeClient(cast("Any", api)), namespace)


def _has_default_kubeconfig() -> bool:
    from kubernetes.aio.config import kube_config  # noqa: PLC0415 -- see above

    places = str(kube_config.KUBE_CONFIG_DEFAULT_LOCATION).split(kube_config.ENV_KUBECONFIG_PATH_SEPARATOR)
    try:
        return any(place and Path(place).expanduser().exists() for place in places)
    except RuntimeError:  # a user without a home, as pods may have
        return False


def _is_file(path: Path) -> bool:
    return path.is_file()


def _load_pod(config: Any, configuration: Any) -> str:
    try:
        config.load_incluster_config(client_configuration=configuration)
    except config.ConfigException as error:
        raise NoClusterError("there is no kubeconfig in KUBECONFIG or ~/.kube/config, and this is no pod") from error
    try:
        return _POD_NAMESPACE.read_text(encoding="utf-8").strip() or DEFAULT_NAMESPACE
    except OSError:
        return DEFAULT_NAMESPACE


async def _load_kubeconfig(config: Any, configuration: Any, path: Path | None, context: str | None) -> str:
    location = {"config_file": str(path)} if path is not None else {}
    named = f" {path}" if path is not None else ""
    try:
        loader = await config.load_kube_config(
            client_configuration=configuration, context=context, persist_config=False, **location
        )
        namespace = loader.current_context["context"].get("namespace")
    except (config.ConfigException, OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        wanted = f"the context {context!r}" if context is not None else "a current context"
        raise NoClusterError(
            f"the kubeconfig{named} has no usable credentials for {wanted}: {_words(error)}"
        ) from error
    return str(namespace or DEFAULT_NAMESPACE)


def _words(error: Exception) -> str:
    """Return the error without what a kubeconfig holds: parser errors quote it."""
    text = str(error)
    return text if type(error).__name__ == "ConfigException" and len(text) <= 200 else type(error).__name__  # noqa: PLR2004 -- a sentence
