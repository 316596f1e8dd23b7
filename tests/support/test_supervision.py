"""The harness's own judgement of what is dead; its other promises are proven with real clusters in tests/cluster."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

from tests.cluster.supervision import kill_all, start_time
from tests.cluster.waiting import wait_until

HALF_DEAD = """
import ctypes, threading
threading.Thread(target=threading.Event().wait).start()
ctypes.CDLL(None).syscall({exit_of_one_thread}, 0)
"""
EXIT_OF_ONE_THREAD = {"x86_64": 60, "aarch64": 93}


def test_a_process_whose_first_thread_has_ended_lives_until_the_last_one_has() -> None:
    """Seen: a killed API server was called dead while its other threads still held the port."""
    program = HALF_DEAD.format(exit_of_one_thread=EXIT_OF_ONE_THREAD[platform.machine()])
    process = subprocess.Popen([sys.executable, "-c", program])
    try:
        stat = Path(f"/proc/{process.pid}/stat")
        assert wait_until(lambda: ") Z " in stat.read_text(), seconds=10)
        assert start_time(process.pid) is not None
    finally:
        kill_all([process.pid])
    assert start_time(process.pid) is None
    process.returncode = 0  # reaped by the harness
