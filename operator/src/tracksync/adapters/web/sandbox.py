"""What the parser process gives up before it sees a page: memory, files, processes, the network.

A page that took over the process could read and write its two pipes, and nothing else: no other file, no socket, no
other process. The filter of system calls is written for the two machines that images are built for; where the kernel or
the machine has none, the limits alone hold.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import struct
import sys
from dataclasses import dataclass
from errno import EPERM
from typing import Final

_OPEN_FILES: Final = 16
_LARGEST_32_BIT: Final = 2**31 - 1
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_SECCOMP: Final = 22
_PR_SET_NO_NEW_PRIVS: Final = 38
_SECCOMP_MODE_FILTER: Final = 2
_RETURN_ERROR: Final = 0x0005_0000 | EPERM
_RETURN_ALLOW: Final = 0x7FFF_0000

# Classic BPF: the code, how far to jump when true and when false, and a constant.
_INSTRUCTION: Final = struct.Struct("=HBBI")
_LOAD: Final = 0x20
_JUMP_IF_EQUAL: Final = 0x15
_JUMP_IF_NOT_LESS: Final = 0x35
_RETURN: Final = 0x06
_OFFSET_OF_NUMBER: Final = 0
_OFFSET_OF_MACHINE: Final = 4


# Numbers on x86_64 and on aarch64, which has no calls of the oldest kind.
FORBIDDEN: Final[dict[str, tuple[int, int | None]]] = {
    # files and directories by name
    "open": (2, None),
    "openat": (257, 56),
    "openat2": (437, 437),
    "creat": (85, None),
    "open_by_handle_at": (304, 265),
    "name_to_handle_at": (303, 264),
    "rename": (82, None),
    "renameat": (264, 38),
    "renameat2": (316, 276),
    "mkdir": (83, None),
    "mkdirat": (258, 34),
    "rmdir": (84, None),
    "link": (86, None),
    "linkat": (265, 37),
    "unlink": (87, None),
    "unlinkat": (263, 35),
    "symlink": (88, None),
    "symlinkat": (266, 36),
    "mknod": (133, None),
    "mknodat": (259, 33),
    "chmod": (90, None),
    "fchmodat": (268, 53),
    "chown": (92, None),
    "fchownat": (260, 54),
    "lchown": (94, None),
    "truncate": (76, 45),
    "utimensat": (280, 88),
    # sockets
    "socket": (41, 198),
    "socketpair": (53, 199),
    "connect": (42, 203),
    "bind": (49, 200),
    "listen": (50, 201),
    "accept": (43, 202),
    "accept4": (288, 242),
    "sendto": (44, 206),
    "sendmsg": (46, 211),
    "sendmmsg": (307, 269),
    "recvfrom": (45, 207),
    "recvmsg": (47, 212),
    "recvmmsg": (299, 243),
    # processes and programs
    "fork": (57, None),
    "vfork": (58, None),
    "clone": (56, 220),
    "clone3": (435, 435),
    "execve": (59, 221),
    "execveat": (322, 281),
    # memory and signals of other processes
    "kill": (62, 129),
    "tkill": (200, 130),
    "tgkill": (234, 131),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "pidfd_open": (434, 434),
    "pidfd_send_signal": (424, 424),
    "pidfd_getfd": (438, 438),
    "process_madvise": (440, 440),
    "kcmp": (312, 272),
    # namespaces, mounts, keys, and code in the kernel
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "chdir": (80, 49),
    "fchdir": (81, 50),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "swapon": (167, 224),
    "reboot": (169, 142),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "fanotify_init": (300, 262),
    "inotify_init": (253, None),
    "inotify_init1": (294, 26),
    "memfd_create": (319, 279),
    "seccomp": (317, 277),
    # whatever else these can do
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
}
"""System calls that fail from the moment on that pages are read."""


@dataclass(frozen=True, slots=True)
class _Machine:
    """A kind of machine: its audit number, its place in FORBIDDEN, and where the numbers of a foreign ABI begin."""

    audit_number: int
    column: int
    foreign_from: int


_MACHINES: Final = {
    "x86_64": _Machine(audit_number=0xC000_003E, column=0, foreign_from=0x4000_0000),
    "aarch64": _Machine(audit_number=0xC000_00B7, column=1, foreign_from=0x8000_0000),
}


class _Program(ctypes.Structure):
    """The kernel's `struct sock_fprog`."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def limit_resources(memory_bytes: int) -> None:
    """Give up memory beyond this, core dumps, writing files and further rights; end with the parent."""
    for limit, value in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
    ):
        resource.setrlimit(limit, (value, value))
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def forbid_system_calls() -> bool:
    """Let the kernel refuse files by name, sockets, processes and the like from now on; False where it cannot.

    `limit_resources` has to come first: the kernel takes a filter only from who can gain no further rights.
    """
    machine = _MACHINES.get(os.uname().machine) if sys.platform == "linux" else None
    if machine is None or sys.maxsize <= _LARGEST_32_BIT:
        return False
    instructions = _filter_for(machine)
    program = _Program(len(instructions) // _INSTRUCTION.size, instructions)
    failed: int = ctypes.CDLL(None).prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0)
    return not failed


def _filter_for(machine: _Machine) -> bytes:
    """Return the filter's instructions: another machine's calls and the forbidden ones fail with EPERM."""
    numbers = (calls[machine.column] for calls in FORBIDDEN.values())
    checks = [(_JUMP_IF_NOT_LESS, machine.foreign_from)]
    checks += [(_JUMP_IF_EQUAL, number) for number in numbers if number is not None]
    instructions = [
        (_LOAD, 0, 0, _OFFSET_OF_MACHINE),
        (_JUMP_IF_EQUAL, 1, 0, machine.audit_number),
        (_RETURN, 0, 0, _RETURN_ERROR),
        (_LOAD, 0, 0, _OFFSET_OF_NUMBER),
        # From each check to the error behind the last one, over the checks in between and the permission.
        *((code, len(checks) - index, 0, constant) for index, (code, constant) in enumerate(checks)),
        (_RETURN, 0, 0, _RETURN_ALLOW),
        (_RETURN, 0, 0, _RETURN_ERROR),
    ]
    return b"".join(_INSTRUCTION.pack(*instruction) for instruction in instructions)
