"""The system-call filter: what no answer to a coding question needs, Linux refuses it (seccomp).

A list of what is refused rather than of what is allowed: an answer must not be judged wrong for
what another Python or C library calls under the surface. Numbers come from the kernel's
`unistd.h` (x86_64 and the generic table that aarch64 uses); calls newer than the newest number
known here do not exist for the process, so libraries fall back to older ones.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys

NEWEST = 462
"""Highest number looked at for the lists below (`mseal`)."""

ARCHITECTURES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}
"""Audit architecture, and the column of the table."""

# Name: (x86_64, aarch64); -1 where the architecture has no such call.
NETWORK = {
    "socket": (41, 198),
    "connect": (42, 203),
    "bind": (49, 200),
    "listen": (50, 201),
    "accept": (43, 202),
    "accept4": (288, 242),
    "sendmsg": (46, 211),
    "sendmmsg": (307, 269),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
}
PROCESSES = {
    "fork": (57, -1),
    "vfork": (58, -1),
    "execve": (59, 221),
    "execveat": (322, 281),
    "unshare": (272, 97),
    "setns": (308, 268),
    "setsid": (112, 157),
    "setpgid": (109, 154),
}
OTHERS = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    "kcmp": (312, 272),
    "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "setpriority": (141, 140),
    "sched_setaffinity": (203, 122),
    "sched_setscheduler": (144, 119),
    "sched_setparam": (142, 118),
    "sched_setattr": (314, 274),
    "ioprio_set": (251, 30),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
}
KERNEL = {
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "move_mount": (429, 429),
    "open_tree": (428, 428),
    "fsopen": (430, 430),
    "fsmount": (432, 432),
    "fsconfig": (431, 431),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "personality": (135, 92),
    "fanotify_init": (300, 262),
}
REMAINS = {
    # What would outlive the process, or make its folder hard to clear away.
    "shmget": (29, 194),
    "msgget": (68, 186),
    "semget": (64, 190),
    "mq_open": (240, 180),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "mkdir": (83, -1),
    "mkdirat": (258, 34),
    "symlink": (88, -1),
    "symlinkat": (266, 36),
    "link": (86, -1),
    "linkat": (265, 37),
    "mknod": (133, -1),
    "mknodat": (259, 33),
    "chmod": (90, -1),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
}
CLONE, CLONE3 = (56, 220), (435, 435)
KILL, TGKILL = (62, 129), (234, 131)
FCNTL, IOCTL, PRCTL = (72, 25), (16, 29), (157, 167)
PRLIMIT64, SENDTO = (302, 261), (44, 206)

CLONE_THREAD = 0x10000
OWNERS_OF_SIGNALS = (8, 10, 15)
"""fcntl's F_SETOWN, F_SETSIG, F_SETOWN_EX: they make the kernel send any signal to any process."""
OWNERS_OF_TERMINALS = (0x8901, 0x8902, 0x5412, 0x541C, 0x540E)
"""ioctl's FIOSETOWN and SIOCSPGRP (the same again), TIOCSTI, TIOCLINUX, TIOCSCTTY."""
PR_SET_PDEATHSIG = 1

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL = 0x7FFF0000, 0x80000000


def _refuse(number: int) -> int:
    return 0x00050000 | number


def available() -> bool:
    """Whether this machine's system calls are the ones in the table."""
    return sys.platform == "linux" and platform.machine() in ARCHITECTURES and sys.maxsize > 2**32


def install() -> bool:
    """Filter this process's system calls from now on. Returns whether the kernel took it.

    The process must have given up gaining privileges (`PR_SET_NO_NEW_PRIVS`).
    """
    program = _program(*ARCHITECTURES[platform.machine()], os.getpid())

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_char_p))

    packed = b"".join(struct.pack("=HBBI", *line) for line in program)
    block = Program(len(program), packed)
    libc = ctypes.CDLL(None, use_errno=True)
    set_seccomp, mode_filter = 22, 2
    return bool(libc.prctl(set_seccomp, mode_filter, ctypes.byref(block), 0, 0) == 0)


Line = tuple[int, int, int, int]


def _program(architecture: int, column: int, pid: int) -> list[Line]:
    eperm = _refuse(errno.EPERM)
    lines: list[Line] = [
        (_LOAD, 0, 0, 4),
        (_EQUAL, 1, 0, architecture),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, 0),
        (_AT_LEAST, 0, 1, NEWEST + 1),
        (_RETURN, 0, 0, _refuse(errno.ENOSYS)),
    ]
    for table in (NETWORK, PROCESSES, OTHERS, KERNEL, REMAINS):
        for numbers in table.values():
            if numbers[column] >= 0:
                lines += [(_EQUAL, 0, 1, numbers[column]), (_RETURN, 0, 0, eperm)]
    lines += [
        (_EQUAL, 0, 1, CLONE3[column]),
        # Its flags lie in memory, where a filter cannot look; libraries then take clone.
        (_RETURN, 0, 0, _refuse(errno.ENOSYS)),
    ]
    lines += _where(
        CLONE[column],
        [_argument(0), (_ANY_BIT, 0, 1, CLONE_THREAD), (_RETURN, 0, 0, _ALLOW)],
        otherwise=eperm,
    )
    for call in (KILL, TGKILL):
        lines += _where(call[column], _is_one_of(0, (pid,), _ALLOW), otherwise=eperm)
    lines += _where(PRLIMIT64[column], _is_one_of(0, (0, pid), _ALLOW), otherwise=eperm)
    lines += _where(FCNTL[column], _is_one_of(1, OWNERS_OF_SIGNALS, eperm), otherwise=_ALLOW)
    lines += _where(IOCTL[column], _is_one_of(1, OWNERS_OF_TERMINALS, eperm), otherwise=_ALLOW)
    lines += _where(PRCTL[column], _is_one_of(0, (PR_SET_PDEATHSIG,), eperm), otherwise=_ALLOW)
    # A datagram with an address could reach other programs' sockets; a pair's own end has none.
    no_address = [_argument(4), (_EQUAL, 0, 3, 0), _argument(4, high=True), (_EQUAL, 0, 1, 0)]
    lines += _where(SENDTO[column], [*no_address, (_RETURN, 0, 0, _ALLOW)], otherwise=eperm)
    return [*lines, (_RETURN, 0, 0, _ALLOW)]


def _argument(index: int, *, high: bool = False) -> Line:
    """Load half of a call's argument; both architectures put the low half first."""
    return (_LOAD, 0, 0, 16 + 8 * index + (4 if high else 0))


def _is_one_of(index: int, values: tuple[int, ...], then: int) -> list[Line]:
    lines = [_argument(index)]
    for value in values:
        lines += [(_EQUAL, 0, 1, value), (_RETURN, 0, 0, then)]
    return lines


def _where(number: int, body: list[Line], *, otherwise: int) -> list[Line]:
    """`body` for one call, which ends with `otherwise`; other calls go past it."""
    whole = [*body, (_RETURN, 0, 0, otherwise)]
    return [(_EQUAL, 0, len(whole), number), *whole]
