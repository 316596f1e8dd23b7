"""One process at a time: a lock file that the kernel releases when its holder dies."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.console import Teller
from tests.cluster.waiting import wait_until


@contextmanager
def exclusive(path: Path, *, waiting: str, tell: Teller, seconds: float = 3600) -> Iterator[None]:
    """Hold the lock for the block; says once what is waited for when another process holds it.

    Raises:
        TimeoutError: another process kept the lock for that long.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as handle:
        if not _try_lock(handle.fileno()):
            tell(waiting)
            if not wait_until(lambda: _try_lock(handle.fileno()), seconds=seconds, every=0.2):
                raise TimeoutError(f"{path} was held by another process for {seconds:.0f} s")
        yield


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
