"""The filter of system calls, read step by step as the kernel reads it, for both kinds of processor."""

import re
import struct
from pathlib import Path

import pytest

from tellapart.sandbox.seccomp import ALLOWED, AUDIT_ARCH, CLONE3, THREADS, X32_BIT, program

ALLOW, END, EPERM, ENOSYS = 0x7FFF0000, 0x80000000, 0x50001, 0x50026
SEND_SIGNAL_AT_END = 17  # what `fork` asks `clone` for
CLONE_NEWNS = 0x20000
HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}
machines = pytest.mark.parametrize("machine", AUDIT_ARCH)


def verdict(machine, number, *arguments, arch=None):
    """What the filter says to a call; only the instructions of ours are known here, by their numbers in linux/bpf.h."""
    arguments = (*arguments, *(0,) * (6 - len(arguments)))
    seen = struct.pack("<IIQ6Q", number, AUDIT_ARCH[machine] if arch is None else arch, 0, *arguments)
    steps = list(struct.iter_unpack("<HBBI", program(machine)))
    at, value = 0, 0
    while True:
        code, if_true, if_false, constant = steps[at]
        if code == 0x06:
            return constant
        if code == 0x20:
            [value] = struct.unpack_from("<I", seen, constant)
        else:
            true = {0x15: value == constant, 0x35: value >= constant, 0x45: bool(value & constant)}[code]
            at += if_true if true else if_false
        at += 1


def number(machine, name):
    return ALLOWED[name][list(AUDIT_ARCH).index(machine)]


@machines
def test_only_what_is_named_is_allowed(machine):
    column = list(AUDIT_ARCH).index(machine)
    harmless = {"mmap": (0, 4096, 3), "mprotect": (0, 4096, 1), "prlimit64": (0, 0), "clone": (THREADS[0],)}
    allowed = {numbers[column]: harmless.get(name, ()) for name, numbers in ALLOWED.items()}
    for call in range(1000):
        expected = ALLOW if call in allowed else ENOSYS if call == CLONE3[column] else EPERM
        assert verdict(machine, call, *allowed.get(call, ())) == expected


@machines
@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("mmap", (0, 4096, 7), EPERM),
        ("mmap", (0, 4096, 4), EPERM),
        ("mmap", (0, 4096, 0), ALLOW),
        ("mprotect", (0, 4096, 5), EPERM),
        ("prlimit64", (0, 7), EPERM),
        ("prlimit64", (1, 0), EPERM),
        ("prlimit64", (2**31, 0), EPERM),
        ("prlimit64", (2**32 - 1, 0), EPERM),
        ("clone", (THREADS[1],), ALLOW),
        ("clone", (SEND_SIGNAL_AT_END,), EPERM),
        ("clone", (THREADS[0] | CLONE_NEWNS,), EPERM),
        ("clone", (0,), EPERM),
    ],
)
def test_arguments_are_looked_at(machine, name, arguments, expected):
    assert verdict(machine, number(machine, name), *arguments) == expected


@machines
def test_calls_of_another_kind_of_program_end_the_process(machine):
    for arch in (0x40000003, 0x40000028, 0xC00000F3, *AUDIT_ARCH.values()):  # i386, arm, riscv64
        expected = ALLOW if arch == AUDIT_ARCH[machine] else END
        assert verdict(machine, number(machine, "read"), arch=arch) == expected
    assert verdict("x86_64", X32_BIT | 0) == END
    assert verdict("x86_64", 2**32 - 1) == END


@machines
def test_numbers_are_those_of_the_kernels_headers(machine):
    if not HEADERS[machine].exists():
        pytest.skip("the kernel's headers are not on this machine")
    known = dict(re.findall(r"#define __NR(?:3264)?_(\w+) (\d+)", HEADERS[machine].read_text()))
    column = list(AUDIT_ARCH).index(machine)
    expected = {name: int(known[name]) for name in (*ALLOWED, "clone3") if name in known}
    assert {name: numbers[column] for name, numbers in {**ALLOWED, "clone3": CLONE3}.items()} == expected
