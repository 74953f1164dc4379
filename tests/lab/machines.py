# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole Debian machines with systemd and SSH on kernels of their own, and a network for them.

    machines up DIR <SPEC       start them and wait until all can be logged in to; DIR keeps disks and consoles
    machines down DIR           end them, and everything else in their network
    machines off|on DIR NAME    pull one machine's plug, put it in again
    machines in DIR COMMAND…    as a client: in the namespace that has address 254 on every segment, and routes between them
    machines ssh DIR NAME [COMMAND…]
    machines console DIR NAME   what its kernel and systemd wrote

SPEC is JSON: {"segments": {SEGMENT: {"ipv4": "10.0.0.", "ipv6": "fd00::"}},
               "machines": {NAME: {"nics": {SEGMENT: NUMBER}, "manager": "networkd|NetworkManager|ifupdown", "memory": "256M",
                                 "kernel": "uml|debian"}}}
A machine's address on a segment is prefix and number; its default route leads to the first segment's 254. An SSH client
comes from 10.99.0.1, which is on no segment. A machine that goes off is started again: that is what a reboot is here.
Kernel debian is the distribution's own, in an emulated machine; with LAB_ACCEL=kvm in a virtual one.
With LAB_OWNER=PID all ends when that process does.
"""

import contextlib
import ctypes
import hashlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from balance import Balance
from run import end_session, own_processor

LAB = Path(__file__).resolve().parent
GATEWAY = 254
CLIENT = "10.99.0.1"
PATIENCE = 300  # seconds until all can be logged in to
NO_OFFLOADS = ("tx", "off", "tso", "off", "gso", "off", "gro", "off")
PR_SET_PDEATHSIG = 1
CLONE_NEWNET = 0x40000000
SSH = (
    "-o",
    "StrictHostKeyChecking=no",
    "-o",
    "UserKnownHostsFile=/dev/null",
    "-o",
    "LogLevel=ERROR",
    "-o",
    "ServerAliveInterval=10",
    "-o",
    f"BindAddress={CLIENT}",
)


class LabError(Exception):
    """The lab itself failed."""


def main():
    verbs = {"up": up, "down": down, "off": off, "on": on, "in": inside, "ssh": ssh, "console": console, "_keep": keep}
    if len(sys.argv) < 3 or sys.argv[1] not in verbs:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        return verbs[sys.argv[1]](Path(sys.argv[2]).absolute(), *sys.argv[3:]) or 0
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1


def up(directory):
    spec = json.load(sys.stdin)
    if os.geteuid() != 0:
        raise LabError("machines need root: their network is made of namespaces, bridges and taps")
    if running(directory):
        raise LabError(f"the machines of {directory} are up")
    down(directory)
    directory.mkdir(parents=True)
    (directory / "spec").write_text(json.dumps(spec))
    name = namespace(directory)
    network(name, spec)
    wrapper = directory / "ssh"
    options = " ".join([*SSH, "-i", str(made("machine") / "key")])
    wrapper.write_text(f'#!/bin/sh\nexec ip netns exec {name} ssh {options} "$@"\n')
    wrapper.chmod(0o755)
    log = (directory / "log").open("ab")
    subprocess.Popen(
        [sys.executable, __file__, "_keep", directory],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )
    waiting = set(spec["machines"])
    deadline = time.monotonic() + PATIENCE
    while waiting:
        time.sleep(0.2)
        waiting = {machine for machine in waiting if not (directory / f"{machine}.ready").exists()}
        if waiting and (time.monotonic() > deadline or not running(directory, starting=True)):
            tails = [
                f"{machine}: {line}" for machine in sorted(waiting) for line in console_lines(directory, machine)[-15:]
            ]
            tails += (directory / "log").read_text().splitlines()
            down(directory)
            raise LabError("\n".join([f"no login on {', '.join(sorted(waiting))} after {PATIENCE} s", *tails]))


def down(directory):
    """Also what an earlier one left that was killed."""
    keeper = running(directory)
    if keeper:
        os.kill(keeper, signal.SIGTERM)
        while running(directory):
            time.sleep(0.02)
    clear(namespace(directory))
    shutil.rmtree(directory, ignore_errors=True)


def off(directory, machine):
    (directory / f"{machine}.off").touch()
    while (directory / f"{machine}.pid").exists():
        time.sleep(0.02)


def on(directory, machine):
    (directory / f"{machine}.ready").unlink(missing_ok=True)
    (directory / f"{machine}.off").unlink(missing_ok=True)
    deadline = time.monotonic() + PATIENCE
    while not (directory / f"{machine}.ready").exists():
        if time.monotonic() > deadline:
            raise LabError(
                "\n".join([f"no login on {machine} after {PATIENCE} s", *console_lines(directory, machine)[-15:]])
            )
        time.sleep(0.1)


def inside(directory, *command):
    os.execvp("ip", ["ip", "netns", "exec", namespace(directory), *command])


def ssh(directory, machine, *command):
    spec = json.loads((directory / "spec").read_text())
    os.execvp(directory / "ssh", [str(directory / "ssh"), f"root@{login_address(spec, machine)}", *command])


def console(directory, machine):
    print(*console_lines(directory, machine), sep="\n")


# --- the process that keeps the machines


def keep(directory):
    # Mitogen keeps what it starts off the first processor: of two, all machines were on the other one
    os.sched_setaffinity(0, range(os.cpu_count()))
    (directory / "keeper").write_text(str(os.getpid()))
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda number, frame: sys.exit(0))
    spec = json.loads((directory / "spec").read_text())
    machines = [Machine(directory, spec, number) for number in range(len(spec["machines"]))]
    owner = os.environ.get("LAB_OWNER")
    watched = [os.pidfd_open(int(owner))] if owner else []
    balance = Balance()
    try:
        while not select.select(watched, [], [], 0.1)[0]:
            for machine in machines:
                machine.look()
            balance.look([machine.process.pid for machine in machines if machine.process and not machine.emulated])
    finally:
        for machine in machines:
            machine.end()
        (directory / "keeper").unlink(missing_ok=True)
    # nobody is left who would take it down
    shutil.rmtree(directory, ignore_errors=True)
    clear(namespace(directory))


class Machine:
    """One machine: its kernel's process, started whenever there is none, and whether one can log in."""

    def __init__(self, directory, spec, number):
        self.name = list(spec["machines"])[number]
        self.path = directory / self.name
        self.address = login_address(spec, self.name)
        self.emulated = spec["machines"][self.name].get("kernel") == "debian"
        self.command = (emulated if self.emulated else uml)(self.path, spec, number)
        self.process = None
        self.ssh = None
        self.starts = []

    def file(self, kind):
        return self.path.with_name(f"{self.name}.{kind}")

    def look(self):
        if self.file("off").exists():
            self.end()
            return
        if self.process is None or self.process.poll() is not None:
            self.start()
        elif not self.file("ready").exists() and self.answers():
            self.file("ready").touch()

    def answers(self):
        """Whether one can log in. A connection is waited for: on a slow machine each new one would make it slower."""
        self.ssh = self.ssh or connected(self.path.parent, self.address)
        if self.ssh is None or not select.select([self.ssh], [], [], 0)[0]:
            return False
        with contextlib.suppress(OSError), self.ssh as ssh:
            self.ssh = None
            return ssh.recv(3) == b"SSH"
        return False

    def start(self):
        self.file("ready").unlink(missing_ok=True)
        if self.ssh:
            self.ssh.close()
            self.ssh = None
        self.starts = [*self.starts[-2:], time.monotonic()]
        if len(self.starts) == 3 and self.starts[-1] - self.starts[0] < 2:
            raise LabError(f"{self.name} does not start")
        processors = os.sched_getaffinity(0) if self.emulated else {own_processor()}
        environment = {"HOME": str(self.path.parent), "TMPDIR": "/dev/shm", "PATH": os.environ["PATH"]}
        with self.file("console").open("ab") as console:
            self.process = subprocess.Popen(
                self.command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                start_new_session=True,
                preexec_fn=lambda: (os.sched_setaffinity(0, processors), die_with_parent()),
            )
        self.file("pid").write_text(str(self.process.pid))

    def end(self):
        if self.process is not None:
            end_session(self.process)
            self.process = None
        self.file("pid").unlink(missing_ok=True)


def uml(path, spec, number):
    kernel, image = made("kernel"), made("machine")
    machine = spec["machines"][path.name]
    words = [
        *("seccomp=on", f"umid={namespace(path.parent)}.{path.name}", f"mem={machine.get('memory', '256M')}"),
        *(f"ubd0={path}.cow,{image / 'base.img'}", "root=/dev/ubda", "rw"),
        *("con=null", "con0=null,fd:1", "quiet", "net.ifnames=0", "systemd.show_status=0"),
        "pty.legacy_count=0",  # each of 256 would be a unit that systemd reads again and again
        *own_words(spec, path.name),
    ]
    for nic in range(len(machine["nics"])):
        words.append(f"vec{nic}:transport=tap,ifname={tap(number, nic)},depth=128,gro=1,mac={mac(number, nic)}")
    return ["ip", "netns", "exec", namespace(path.parent), kernel / "bin" / "linux.uml", *words]


def emulated(path, spec, number):
    kernel, image = made("stock-kernel"), made("machine")
    machine = spec["machines"][path.name]
    disk = f"{path}.qcow2"  # user-mode kernels lock what is behind it, though they don't write there
    run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", image / "base.img", disk)
    virtual = os.environ.get("LAB_ACCEL") == "kvm"
    words = [
        *("-accel", "kvm" if virtual else "tcg,thread=multi", "-cpu", "host" if virtual else "max", "-M", "q35"),
        *("-m", machine.get("memory", "512M"), "-nodefaults", "-display", "none", "-serial", "stdio", "-no-reboot"),
        *("-kernel", kernel / "vmlinuz", "-initrd", kernel / "initrd"),
        *("-drive", f"file={disk},format=qcow2,if=virtio,cache=unsafe,backing.file.locking=off"),
        *("-drive", f"file={kernel / 'modules.img'},format=raw,if=virtio,readonly=on"),
        *(
            "-append",
            # no_timer_check: on a busy machine an emulated timer comes too late for the kernel, which then halts
            f"console=ttyS0 quiet no_timer_check net.ifnames=0 systemd.show_status=0 {' '.join(own_words(spec, path.name))}",
        ),
    ]
    for nic in range(len(machine["nics"])):
        words += ["-netdev", f"tap,id=n{nic},ifname={tap(number, nic)},script=no,downscript=no,vnet_hdr=off"]
        words += ["-device", f"virtio-net-pci,netdev=n{nic},mac={mac(number, nic)}"]
    return ["ip", "netns", "exec", namespace(path.parent), "qemu-system-x86_64", *words]


def own_words(spec, name):
    """What lab-net on the machine reads from its kernel's command line."""
    machine = spec["machines"][name]
    yield f"lab.name={name}"
    yield f"lab.manager={machine.get('manager', 'networkd')}"
    for nic, (segment, number) in enumerate(machine["nics"].items()):
        prefix4, prefix6 = spec["segments"][segment]["ipv4"], spec["segments"][segment]["ipv6"]
        gateways = "" if nic else f",{prefix4}{GATEWAY},{prefix6}{GATEWAY}"
        yield f"lab.nic={segment},{prefix4}{number}/24,{prefix6}{number}/64{gateways}"


def connected(directory, address):
    """A connection to the port for SSH; None while there is nobody."""
    with in_network(directory):
        ssh = socket.socket()
    ssh.settimeout(0.2)
    try:
        ssh.bind((CLIENT, 0))
        ssh.connect((address, 22))
    except OSError:
        ssh.close()
        return None
    return ssh


@contextlib.contextmanager
def in_network(directory):
    """A socket stays where it was made. (os.setns came with Python 3.12.)"""
    setns = ctypes.CDLL(None).setns
    with open("/proc/self/ns/net") as own, open(f"/run/netns/{namespace(directory)}") as network:
        setns(network.fileno(), CLONE_NEWNET)
        try:
            yield
        finally:
            setns(own.fileno(), CLONE_NEWNET)


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


# --- the network


def network(name, spec):
    run("ip", "netns", "add", name)
    here = ("ip", "netns", "exec", name)
    for setting in (
        "net.ipv4.ip_forward=1",
        "net.ipv6.conf.all.forwarding=1",
        "net.ipv4.conf.all.rp_filter=0",
        "net.ipv4.conf.default.rp_filter=0",
    ):
        run(*here, "sysctl", "-q", "-w", setting)
    lines = ["link set lo up", f"address add {CLIENT}/32 dev lo"]
    for segment, prefix in spec["segments"].items():
        lines += [
            f"link add {segment} type bridge",
            f"link set {segment} up",
            f"address add {prefix['ipv4']}{GATEWAY}/24 dev {segment}",
            f"address add {prefix['ipv6']}{GATEWAY}/64 dev {segment} nodad",
        ]
    taps = []
    for number, machine in enumerate(spec["machines"].values()):
        for nic, segment in enumerate(machine["nics"]):
            taps.append(tap(number, nic))
            lines += [f"tuntap add {taps[-1]} mode tap", f"link set {taps[-1]} master {segment} up"]
    run("ip", "-netns", name, "-batch", "-", input="\n".join(lines))
    for device in [*spec["segments"], *taps]:  # checksums that are never worked out would be dropped behind the bridge
        run(*here, "ethtool", "-K", device, *NO_OFFLOADS)


def clear(name):
    """End what runs in the network, such as connections that SSH keeps open, and remove it."""
    if not Path("/run/netns", name).exists():
        return
    while pids := run("ip", "netns", "pids", name).split():
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        time.sleep(0.02)
    run("ip", "netns", "delete", name)


def namespace(directory):
    return "lvs-" + hashlib.sha256(str(directory).encode()).hexdigest()[:8]


def tap(number, nic):
    return f"tap{number}.{nic}"


def mac(number, nic):
    """Always the same: neighbours keep one for longer than a reboot takes."""
    return f"52:54:00:00:{number:02x}:{nic:02x}"


def login_address(spec, name):
    segment, number = next(iter(spec["machines"][name]["nics"].items()))
    return f"{spec['segments'][segment]['ipv4']}{number}"


# --- small things


def running(directory, starting=False):
    """The keeper's process id, or None."""
    try:
        pid = int((directory / "keeper").read_text())
        return pid if b"_keep" in Path("/proc", str(pid), "cmdline").read_bytes() else None
    except FileNotFoundError:
        return starting or None
    except (OSError, ValueError):
        return None


def console_lines(directory, machine):
    path = directory / f"{machine}.console"
    return path.read_text(errors="replace").splitlines() if path.exists() else []


def made(thing):
    found = subprocess.run([LAB / "env", thing], stdout=subprocess.PIPE, text=True, check=False)
    if found.returncode:
        raise LabError(f"no {thing} (see above)")
    return Path(found.stdout.strip())


def run(*command, input=None):
    done = subprocess.run(command, input=input, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"{' '.join(map(str, command))}: {done.stderr.strip()}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
