"""What a process may still do once it reads what strangers send: compute, read and write what is open, and end.

Each wall holds for the rest of the process's life, also for a codec that was taken over. Some are there on every system
(limits), some on Linux alone, and some only where its kernel was built with them. What is missing is said in words, for
people who run a server.
"""

import ctypes
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from tellapart.sandbox import seccomp

if sys.platform != "win32":
    import resource

# What Python, our package and its libraries need to start, and to compute as the parent does; nothing that is secret.
ENVIRONMENT: Final = frozenset(
    [
        *("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH", "VIRTUAL_ENV"),
        *("HOME", "TMPDIR", "TZ", "LANG", "LC_ALL", "LC_CTYPE"),
        *("PYTHONPATH", "PYTHONHOME", "PYTHONUSERBASE", "PYTHONNOUSERSITE", "PYTHONUTF8", "PYTHONWARNINGS"),
        *("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX", "NPY_DISABLE_CPU_FEATURES", "GLIBC_TUNABLES"),
        *("SYSTEMROOT", "TEMP", "TMP", "APPDATA", "USERPROFILE"),  # Windows
    ]
)
PROMISE: Final = "can open no file, reach no network, start no program and touch no other process"
# linux/prctl.h, linux/capability.h, linux/landlock.h
_SET_DUMPABLE, _SET_NO_NEW_PRIVS = 4, 38
_CAPABILITIES_VERSION: Final = 0x2008_0522
_LANDLOCK_CREATE, _LANDLOCK_RESTRICT = 444, 446  # on every processor
_ASK_ABI: Final = 1  # the flag that asks for the kernel's version of it
_FILE_RIGHTS: Final = ((1, 13), (2, 14), (3, 15), (5, 16))  # since that ABI so many kinds of access to files
_NETWORK_ABI, _SCOPE_ABI = 4, 6
_TCP: Final = 0b11  # listen, connect
_SCOPES: Final = 0b11  # abstract sockets and signals, to processes outside


def environment(parent: Mapping[str, str], *, also: tuple[str, ...] = ()) -> dict[str, str]:
    """What of the parent's environment a child is given: no token, no password, nothing of other programs.

    Args:
        parent: all of it.
        also: how further names begin that this child goes by.
    """
    return {
        name: value for name, value in parent.items() if name.upper() in ENVIRONMENT or name.upper().startswith(also)
    }


def runs_as_root() -> bool:
    """Whether whoever takes over this process owns the machine, or the container."""
    return hasattr(os, "geteuid") and os.geteuid() == 0


def guard() -> None:
    """Linux: from now on no process of the same user may read or change this one's memory, and no right is gained.

    Root still may. The kernel writes no core dump either, and programs that are started gain nothing by a set-user bit.
    """
    if sys.platform == "linux":
        libc = _libc()
        libc.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        libc.prctl(_SET_DUMPABLE, 0, 0, 0, 0)


def describe(missing: Sequence[str]) -> str:
    """What the jail of the processes that decode is worth, in a sentence, given what it lacks."""
    if missing:
        return f"The processes that photos are decoded in lack walls here: {'; '.join(missing)}."
    return f"Photos are decoded in processes that {PROMISE}."


def close_inherited() -> None:
    """Closes whatever the parent left open, but for standard input, output and error; Linux only, elsewhere it does."""
    if sys.platform == "linux":
        for name in os.listdir("/proc/self/fd"):
            if int(name) > 2:
                with suppress(OSError):  # the listing's own
                    os.close(int(name))


def lock_up(memory_bytes: int) -> tuple[str, ...]:
    """Puts up all walls that this system has; which are missing, in words, the gravest first.

    Args:
        memory_bytes: that may be taken from now on, where the kernel is Linux.
    """
    if sys.platform == "win32":
        return ("Windows limits them in nothing",)
    if sys.platform != "linux":
        _limit()
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
        return ("only Linux can keep them from starting programs and from other processes",)
    mapped_bytes = (
        int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    )  # before files are out of reach
    libc = _libc()
    guard()
    without_files = _restrict_files(libc)
    _drop_capabilities(libc)
    resource.setrlimit(resource.RLIMIT_AS, (mapped_bytes + memory_bytes,) * 2)
    _limit()
    unfiltered = seccomp.install()
    if unfiltered:
        unfiltered += ", and HEIC is refused"
        # Not beside the filter: on Linux the limit counts threads, which HEIC needs, and the filter refuses processes.
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
    return tuple(filter(None, (unfiltered, without_files)))


def _limit() -> None:
    """No core dump, no file that grows, no file more than are open."""
    for limit in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE):
        resource.setrlimit(limit, (0, 0))


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _drop_capabilities(libc: ctypes.CDLL) -> None:
    """Root is from now on an ordinary user who owns root's files."""
    libc.capset((ctypes.c_uint32 * 2)(_CAPABILITIES_VERSION, 0), (ctypes.c_uint32 * 6)())


def _restrict_files(libc: ctypes.CDLL) -> str | None:
    """No file, no TCP connection, no signal to others, by Landlock; what is missing of it, in words, or None."""
    abi = libc.syscall(ctypes.c_long(_LANDLOCK_CREATE), None, ctypes.c_size_t(0), ctypes.c_uint32(_ASK_ABI))
    if abi < 1:
        return "the kernel has no Landlock"
    if len(os.listdir("/proc/self/task")) > 1:
        return "a library's threads escape Landlock"
    n_rights = max(n for since, n in _FILE_RIGHTS if abi >= since)
    handled = ((1 << n_rights) - 1, _TCP * (abi >= _NETWORK_ABI), _SCOPES * (abi >= _SCOPE_ABI))
    rules = (ctypes.c_uint64 * len(handled))(*handled)
    ruleset = libc.syscall(
        ctypes.c_long(_LANDLOCK_CREATE), rules, ctypes.c_size_t(ctypes.sizeof(rules)), ctypes.c_uint32(0)
    )
    if ruleset < 0 or libc.syscall(ctypes.c_long(_LANDLOCK_RESTRICT), ctypes.c_int(ruleset), ctypes.c_uint32(0)):
        return "the kernel refuses Landlock"
    os.close(ruleset)
    return None
