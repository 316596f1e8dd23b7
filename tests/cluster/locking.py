"""One process at a time: a lock file that the kernel releases when its holder dies."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
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
    with ExitStack() as held:
        if not _taken(path, held):
            tell(waiting)
            if not wait_until(lambda: _taken(path, held), seconds=seconds, every=0.2):
                raise TimeoutError(f"{path} was held by another process for {seconds:.0f} s")
        yield


def _taken(path: Path, held: ExitStack) -> bool:
    """Try to take the lock; it counts only on the file that has the name: its last holder may have removed it."""
    handle = path.open("a")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        is_current = path.stat().st_ino == os.fstat(handle.fileno()).st_ino
    except (BlockingIOError, FileNotFoundError):
        is_current = False
    if is_current:
        held.enter_context(handle)
    else:
        handle.close()
    return is_current
