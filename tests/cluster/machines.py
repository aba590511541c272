"""Machines of a Ray cluster, started and killed for real: in network namespaces where root allows, else processes."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from socket import create_server

WAITING_S = 120
BRIDGE = f"ttbr{os.getpid()}"
SETTINGS = {"RAY_USAGE_STATS_ENABLED": "0", "OMP_NUM_THREADS": "1"}
OPEN = {"RAY_AUTH_MODE": "disabled"}  # whatever token the person has who runs the tests
RAY = "import sys; from ray.scripts.scripts import main; sys.argv[0] = 'ray'; main()"
MAKING = "ray::Worker.make"  # what Ray calls a process while it makes a shard


def waited_for(what, *, why):
    """The first true value of `what()`."""
    deadline = time.monotonic() + WAITING_S
    while not (found := what()):
        assert time.monotonic() < deadline, why
        time.sleep(0.02)
    return found


def free_port(ip):
    """One that nobody listens at; other test runs on this machine have others."""
    with create_server((ip, 0)) as listening:
        return listening.getsockname()[1]


def namespace_name(number):
    """Of a machine; other test runs have others."""
    return f"tt{os.getpid()}-{number}"


def may_have_namespaces():
    """Whether this process may make networks and mounts of its own."""
    if os.name != "posix" or os.geteuid() or not shutil.which("ip") or not shutil.which("unshare"):
        return False
    tried = subprocess.run(["unshare", "--net", "--mount", "ip", "link", "add", "x", "type", "bridge"], check=False,
                           capture_output=True)  # fmt: skip
    return tried.returncode == 0


def below(pid):
    """All processes that came of a process, and itself."""
    parents = {}
    for entry in Path("/proc").iterdir():
        with suppress(OSError, ValueError, IndexError):
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


def title(pid):
    """What a process calls itself."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    return ""


class Machine:
    """A node of Ray with a temporary folder of its own; in a namespace, with an address and a /tmp of its own."""

    def __init__(self, folder, number, cores, head=None, *, gpus=0, namespace=False, program=RAY, settings=OPEN):
        self.number, self.cores, self.namespace = number, cores, namespace_name(number) if namespace else None
        self.ip = f"10.77.0.{number}" if namespace else f"127.0.0.{number + 1}"  # one address each
        self.port = free_port("127.0.0.1" if namespace else self.ip)  # a namespace has all of its own
        self.address = f"{self.ip}:{self.port}" if head is None else head
        self._own = folder / f"m{number}"
        self._own.mkdir()
        options = ["--block", "--disable-usage-stats", f"--num-cpus={cores}", f"--num-gpus={gpus}"]
        options += ["--object-store-memory=80000000", f"--node-ip-address={self.ip}"]
        if head is None:
            options += ["--include-dashboard=false", "--head", f"--port={self.port}", f"--temp-dir={self._temporary()}"]
        else:
            options += [f"--address={head}"]
        self._log = (self._own / "log").open("wb")
        self._process = subprocess.Popen(
            self.inside([sys.executable, "-c", program, "start", *options]), stdout=self._log, stderr=subprocess.STDOUT,
            env={**os.environ, **SETTINGS, **settings}, start_new_session=True,
        )  # fmt: skip
        self.started = time.monotonic()

    def _temporary(self):
        return "/tmp/ray" if self.namespace else self._own / "t"

    def inside(self, command):
        """The command on this machine: with its network and its /tmp/ray where it has them."""
        if not self.namespace:
            return command
        script = 'mkdir -p /tmp/ray; mount --bind "$0" /tmp/ray; exec "$@"'
        enter = ["ip", "netns", "exec", self.namespace, "unshare", "--mount", "--propagation", "private"]
        return [*enter, "sh", "-c", script, self._own, *command]

    def ready(self):
        """Wait until it is part of the cluster."""
        waited_for(lambda: b"--block" in self.log() or self._process.poll() is not None, why=self.log())
        assert self._process.poll() is None, self.log()
        return self

    def log(self):
        return (self._own / "log").read_bytes()

    def making(self):
        """The process here that makes a shard now."""
        return next((pid for pid in below(self._process.pid) if title(pid).startswith(MAKING)), None)

    def kill(self):
        """As if the power failed."""
        for pid in below(self._process.pid):
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()
        self._log.close()

    def kill_head(self):
        """Kill what the whole cluster asks, and nothing else."""
        for pid in below(self._process.pid):
            if "gcs_server" in title(pid).split(" ")[0]:
                os.kill(pid, signal.SIGKILL)


@contextmanager
def cluster(*cores, namespaces=False, program=RAY, settings=OPEN):
    """Machines with so many cores for work; the first is the head."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tt", ignore_cleanup_errors=True)))
        if namespaces:
            stack.enter_context(_bridge(len(cores)))
        machines = []
        for i, n in enumerate(cores):
            head = machines[0].address if machines else None
            machines.append(Machine(folder, i + 1, n, head, namespace=namespaces, program=program, settings=settings))
            stack.callback(machines[-1].kill)
            if i == 0 or not namespaces:  # two that begin at once on one machine get in each other's way
                machines[-1].ready()
        for machine in machines:
            machine.ready()
        yield machines


@contextmanager
def _bridge(n):
    def ip(*words, check=True):
        subprocess.run(["ip", *words], check=check, capture_output=True)

    def cable(i):
        return f"tv{os.getpid()}-{i}"

    def clear():
        for i in range(1, n + 1):
            ip("link", "del", cable(i), check=False)  # a namespace goes, and takes it along, when its last process ends
            ip("netns", "del", namespace_name(i), check=False)
        ip("link", "del", BRIDGE, check=False)

    clear()
    try:
        ip("link", "add", BRIDGE, "type", "bridge")
        ip("link", "set", BRIDGE, "up")
        for i in range(1, n + 1):
            ip("netns", "add", namespace_name(i))
            ip("link", "add", cable(i), "type", "veth", "peer", "name", "eth0", "netns", namespace_name(i))
            ip("link", "set", cable(i), "master", BRIDGE, "up")
            inside = ("-n", namespace_name(i))
            ip(*inside, "addr", "add", f"10.77.0.{i}/24", "dev", "eth0")
            ip(*inside, "link", "set", "eth0", "up")
            ip(*inside, "link", "set", "lo", "up")
        yield
    finally:
        clear()
