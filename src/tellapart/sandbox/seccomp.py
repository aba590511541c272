"""A filter in the kernel: from now on this process may call what decoding needs, and nothing else.

What is refused fails with EPERM, as if a right were missing, rather than ending the process: codecs and Python try
things that they can do without, such as to look up how many processors there are, and then one photo is refused at
most. Calls of another kind of program (32 bits on x86-64, x32) have other numbers and end the process: no library makes
them.

Written with ctypes: the bindings on PyPI need libseccomp on the machine, or are a few months old (decision 8).
"""

import ctypes
import platform
import struct
import sys
from typing import Final

# Numbers of calls on (x86-64, 64-bit ARM). The most frequent first, because the filter is read from the top.
ALLOWED: Final = {
    "read": (0, 63),  # a photo comes in; only what was open before can be read
    "write": (1, 64),  # pixels go out
    "mmap": (9, 222),  # memory; only such as cannot be run, see _conditions
    "munmap": (11, 215),
    "getrusage": (98, 165),  # how much processor time was used
    "prlimit64": (302, 261),  # the next photo's processor time; only that limit, only our own
    "futex": (202, 98),  # locks
    "brk": (12, 214),  # memory
    "mremap": (25, 216),
    "madvise": (28, 233),
    "mprotect": (10, 226),  # the stack of a thread; only such as cannot be run
    "clone": (56, 220),  # a thread of this process: libde265 decodes in one, however few are asked for
    "set_robust_list": (273, 99),  # a thread's start
    "rseq": (334, 293),
    "gettid": (186, 178),
    "exit": (60, 93),  # a thread's end
    "sched_yield": (24, 124),
    "rt_sigprocmask": (14, 135),  # no signal while a thread starts
    "rt_sigreturn": (15, 139),
    "restart_syscall": (219, 128),  # a wait goes on after the process was stopped
    "clock_gettime": (228, 113),  # where the kernel's shared page does not tell the time
    "gettimeofday": (96, 169),
    "getrandom": (318, 278),
    "close": (3, 57),  # a tidy end
    "exit_group": (231, 94),
}
CLONE3: Final = (
    435,
    435,
)  # its flags lie in memory, where a filter cannot look; told that there is no such call, the C
# library uses `clone`
AUDIT_ARCH: Final = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}  # linux/audit.h
SECCOMP: Final = {"x86_64": 317, "aarch64": 277}  # the number of the call that installs a filter
X32_BIT: Final = 0x4000_0000
PROT_EXEC: Final = 4
OURSELVES: Final = 0
RLIMIT_CPU: Final = 0
THREADS: Final = (0x3D0F00, 0x7D0F00)  # the flags that glibc and musl start a thread with; a process has others
EPERM, ENOSYS = 1, 38

# linux/bpf_common.h and linux/seccomp.h: load a word, compare it with a constant, return
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCH = 0, 4  # where they lie in what the kernel shows the filter
_ALLOW, _END = 0x7FFF_0000, 0x8000_0000
_REFUSE, _UNKNOWN = 0x0005_0000 | EPERM, 0x0005_0000 | ENOSYS
_SET_MODE_FILTER, _ALL_THREADS = 1, 1


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def program(machine: str) -> bytes:
    """The filter in the kernel's language, for "x86_64" or "aarch64"."""
    column = list(AUDIT_ARCH).index(machine)
    code = [_step(_LOAD, _ARCH), _step(_EQUAL, AUDIT_ARCH[machine], 1, 0), _step(_RETURN, _END), _step(_LOAD, _NUMBER)]
    if machine == "x86_64":
        code += [_step(_AT_LEAST, X32_BIT, 0, 1), _step(_RETURN, _END)]
    for name, numbers in ALLOWED.items():
        steps = [*_conditions(name), _step(_RETURN, _ALLOW)]
        code += [_step(_EQUAL, numbers[column], 0, len(steps)), *steps]
    code += [_step(_EQUAL, CLONE3[column], 0, 1), _step(_RETURN, _UNKNOWN)]
    return b"".join([*code, _step(_RETURN, _REFUSE)])


def _conditions(name: str) -> list[bytes]:
    """Refuses an allowed call unless its arguments are as they must be: 32-bit numbers, so one half is looked at."""
    refuse = _step(_RETURN, _REFUSE)
    match name:
        case "mmap" | "mprotect":
            return [_argument(2), _step(_ANY_BIT, PROT_EXEC, 0, 1), refuse]
        case "prlimit64":
            return [
                _argument(0),
                _step(_EQUAL, OURSELVES, 1, 0),
                refuse,
                _argument(1),
                _step(_EQUAL, RLIMIT_CPU, 1, 0),
                refuse,
            ]
        case "clone":
            return [_argument(0), _step(_EQUAL, THREADS[0], 2, 0), _step(_EQUAL, THREADS[1], 1, 0), refuse]
    return []


def _argument(index: int) -> bytes:
    return _step(_LOAD, 16 + 8 * index)  # the lower half lies first: both processors are little-endian


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("<HBBI", code, if_true, if_false, value)


def install() -> str | None:
    """Filter all threads of this process, for ever; what was in the way, in words, or None.

    PR_SET_NO_NEW_PRIVS must be set before.
    """
    machine = platform.machine()
    if machine not in AUDIT_ARCH or sys.maxsize < 2**32:
        return f"no filter of system calls is written for this processor ({machine})"
    code = program(machine)
    ready = _Program(len(code) // 8, code)
    libc = ctypes.CDLL(None, use_errno=True)
    done = libc.syscall(
        ctypes.c_long(SECCOMP[machine]),
        ctypes.c_ulong(_SET_MODE_FILTER),
        ctypes.c_ulong(_ALL_THREADS),
        ctypes.byref(ready),
    )
    return None if done == 0 else "the kernel takes no filter of system calls (seccomp)"
