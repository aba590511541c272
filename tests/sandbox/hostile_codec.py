"""What code that took over a decoding process tries, by system calls of its own, and what the kernel says to it.

`infect` puts it in a codec's place: a "photo" that begins with `ORDER` is then obeyed. As a script it does the same
without a decoding process, in a jail or, to see that each deed is one, without: python hostile_codec.py MODE UID,
where `free` and `jailed` read orders, and `victim` and `hidden` have a secret.
"""

import ctypes
import errno
import json
import mmap
import os
import platform
import sys

from tellapart.data import photo
from tellapart.errors import PhotoError
from tellapart.sandbox import decoder, jail

ORDER = b"OBEY "
SECRET = b"what other visitors sent"
N_NUMBERS = 600  # system calls have smaller numbers than that, yet
X32_BIT = 0x4000_0000
INT80_GETPID = bytes.fromhex("b814000000cd80c3")  # mov eax, 20; int 0x80; ret
READ_IMPLIES_EXEC = 0x0400000
NOBODY = 65534
ARM = platform.machine() == "aarch64"
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)  # found in the process
page.write(INT80_GETPID)
memory = ctypes.create_string_buffer(1 << 16)  # for whatever a call writes


class Vector(ctypes.Structure):
    _fields_ = (("at", ctypes.c_void_p), ("length", ctypes.c_size_t))


def call(x86, arm, *arguments):
    """What a system call gives: "done", or the name of its error."""
    given = [ctypes.cast(a, ctypes.c_void_p) if isinstance(a, bytes) else a for a in arguments]
    given = [ctypes.c_long(a) if isinstance(a, int) else a for a in given]
    ctypes.set_errno(0)
    got = libc.syscall(ctypes.c_long(arm if ARM else x86), *given)
    if got >= 0:
        return "done"
    return errno.errorcode.get(ctypes.get_errno(), "?")


def child(x86, arm, *arguments):
    """The same, for a call that may make a process."""
    parent = os.getpid()
    said = call(x86, arm, *arguments)
    if os.getpid() != parent:
        os._exit(0)
    return said


def touch(x86, arm, victim, mine):
    ours = Vector(ctypes.cast(mine, ctypes.c_void_p), len(SECRET))
    theirs = Vector(victim["address"], len(SECRET))
    return call(x86, arm, victim["pid"], ctypes.byref(ours), 1, ctypes.byref(theirs), 1, 0)


def limits(x86, arm, pid, limit):
    return call(x86, arm, pid, limit, (ctypes.c_ulong * 2)(1 << 20, 1 << 20), None)


def run_memory():
    got = libc.mmap(None, ctypes.c_size_t(4096), 7, 0x22, -1, ctypes.c_long(0))
    return "done" if got != ctypes.c_void_p(-1).value else errno.errorcode[ctypes.get_errno()]


DEEDS = {
    "open a file": lambda v: call(257, 56, -100, b"/etc/passwd", 0),
    "openat2": lambda v: call(437, 437, -100, b"/etc/passwd", (ctypes.c_ulong * 3)(), 24),
    "write a file": lambda v: call(257, 56, -100, v["folder"].encode() + b"/evil", 0o101, 0o600),
    "its own memory as a file": lambda v: call(257, 56, -100, b"/proc/self/mem", 2),
    "the victim's memory as a file": lambda v: call(257, 56, -100, b"/proc/%d/mem" % v["pid"], 2),
    "list a folder": lambda v: call(217, 61, 0, memory, 100),
    "look at a file": lambda v: call(332, 291, -100, b"/etc/passwd", 0, 0x7FF, memory),
    "delete a file": lambda v: call(263, 35, -100, b"/no/such", 0),
    "socket": lambda v: call(41, 198, 2, 1, 0),
    "socketpair": lambda v: call(53, 199, 1, 1, 0, memory),
    "connect what is open": lambda v: call(42, 203, 0, b"\x02\x00\x00\x50\x7f\x00\x00\x01" + bytes(8), 16),
    "send over what is open": lambda v: call(46, 211, 0, memory, 0),
    "another descriptor": lambda v: call(32, 23, 0),
    "signals by a descriptor": lambda v: call(72, 25, 0, 8, v["pid"]),
    "write to a terminal": lambda v: call(16, 29, 0, 0x5412, memory),
    "a file in memory": lambda v: call(319, 279, b"evil", 0),
    "fork": lambda v: child(*((220, 220) if ARM else (57, 57)), 17, 0, 0, 0, 0),
    "clone": lambda v: child(56, 220, 17, 0, 0, 0, 0),
    "clone with its files": lambda v: child(56, 220, 0x400 | 17, 0, 0, 0, 0),
    "clone3": lambda v: child(435, 435, (ctypes.c_ulong * 11)(*[0] * 4, 17), 88),
    "exec": lambda v: call(59, 221, b"/no/such", 0, 0),
    "exec of what is open": lambda v: call(322, 281, 0, b"", 0, 0, 0x1000),
    "kill": lambda v: call(62, 129, v["pid"], 0),
    "tgkill": lambda v: call(234, 131, v["pid"], v["pid"], 0),
    "a signal with a message": lambda v: call(129, 138, v["pid"], 0, bytes(8) + b"\xff" * 4 + bytes(120)),
    "pidfd_open": lambda v: call(434, 434, v["pid"], 0),
    "pidfd_send_signal": lambda v: call(424, 424, -1, 0, 0, 0),
    "pidfd_getfd": lambda v: call(438, 438, -1, 0, 0),
    "ptrace": lambda v: call(101, 117, 0x4206, v["pid"], 0, 0),
    "read the victim's memory": lambda v: touch(310, 270, v, memory),
    "write the victim's memory": lambda v: touch(311, 271, v, ctypes.create_string_buffer(b"O" * len(SECRET))),
    "compare with the victim": lambda v: call(312, 272, v["pid"], v["pid"], 1, 0, 0),
    "io_uring": lambda v: call(425, 425, 4, ctypes.create_string_buffer(120)),
    "bpf": lambda v: call(321, 280, 0, memory, 72),
    "perf_event_open": lambda v: call(298, 241, memory, 0, -1, -1, 0),
    "userfaultfd": lambda v: call(323, 282, 1),
    "keyctl": lambda v: call(250, 219, 0, -3, 0),
    "add_key": lambda v: call(248, 217, b"user", b"evil", b"x", 1, -1),
    "shared memory": lambda v: call(29, 194, 0, 4096, 0o1600),
    "message queue": lambda v: call(68, 186, 0, 0o600),
    "unshare": lambda v: call(272, 97, 0x0400),
    "setns": lambda v: call(308, 268, -1, 0),
    "mount": lambda v: call(165, 40, 0, 0, 0, 0, 0),
    "chroot": lambda v: call(161, 51, b"/"),
    "change the folder": lambda v: call(80, 49, b"/"),
    "dumpable again": lambda v: call(157, 167, 4, 1, 0, 0, 0),
    "a filter of its own": lambda v: call(317, 277, 1, 0, 0),
    "memory that runs when read": lambda v: call(135, 92, READ_IMPLIES_EXEC),
    "memory that runs": lambda v: run_memory(),
    "make memory run": lambda v: call(10, 226, page_address, mmap.PAGESIZE, 7),
    "make memory run, with a key": lambda v: call(329, 288, page_address, mmap.PAGESIZE, 7, -1),
    "more files": lambda v: limits(302, 261, 0, 7),
    "more processes": lambda v: limits(302, 261, 0, 6),
    "more memory": lambda v: limits(302, 261, 0, 9),
    "longer files": lambda v: limits(302, 261, 0, 1),
    "core dumps": lambda v: limits(302, 261, 0, 4),
    "the victim's limits": lambda v: limits(302, 261, v["pid"], 0),
    "the victim's priority": lambda v: call(141, 140, 0, v["pid"], 0),
    "the victim's processors": lambda v: call(203, 122, v["pid"], 8, memory),
    "a signal handler": lambda v: call(13, 134, 10, 0, memory, 8),
    "a timer": lambda v: call(38, 103, 0, memory, 0),
    "capabilities": lambda v: call(126, 91, (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()),
    "another user": lambda v: call(105, 146, v["uid"]),
}
page_address = ctypes.addressof(ctypes.c_char.from_buffer(page))


def sweep(allowed):
    """Numbers of system calls that are not in `allowed` and were not refused."""
    return [n for n in range(N_NUMBERS) if n not in allowed and call(n, n, 0, 0, 0, 0, 0, 0) != "EPERM"]


def obey(order):
    """The order's outcome, as JSON."""
    said = json.loads(order)
    if said["deed"] == "all":
        return {name: deed(said["victim"]) for name, deed in DEEDS.items()}
    if said["deed"] == "sweep":
        return sweep(said["allowed"])
    if said["deed"] == "environment":
        return sorted(os.environ)
    if said["deed"] == "int 0x80":
        return ctypes.CFUNCTYPE(ctypes.c_long)(page_address)()
    return call(X32_BIT | 39, 0)  # x32


def infect():
    """From now on, `photo.decode` obeys."""
    decode = photo.decode

    def obedient(data, **options):
        if data.startswith(ORDER):
            raise PhotoError(json.dumps(obey(data[len(ORDER) :])), code="obeyed", hint="")
        return decode(data, **options)

    photo.decode = obedient


def become(uid):
    """Another user, whose processes may look at each other as those of people do."""
    if uid != os.getuid():
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
        libc.prctl(4, 1, 0, 0, 0)


def main(mode, uid):
    become(uid)
    if mode == "hidden":
        jail.guard()
    if mode in ("victim", "hidden"):
        secret = ctypes.create_string_buffer(SECRET)
        print(json.dumps({"pid": os.getpid(), "address": ctypes.addressof(secret), "uid": uid}), flush=True)
        sys.stdin.readline()
        print(json.dumps(secret.raw.startswith(SECRET)))
        return
    missing = decoder._lock_up() if mode == "jailed" else None
    for order in sys.stdin.buffer:
        print(json.dumps({"missing": missing, "said": obey(order)}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
