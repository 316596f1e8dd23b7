"""Waiting for a condition with a deadline: the only form of waiting in the harness."""

import threading
import time
from collections.abc import Callable

_PAUSE = threading.Event()


def wait_until(condition: Callable[[], bool], *, seconds: float, every: float = 0.05) -> bool:
    """Return whether the condition came true within the time; it is tested at least once."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            return False
        _PAUSE.wait(every)
    return True
