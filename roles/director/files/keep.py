# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps addresses, devices, routes and rules that a file lists, whatever a network manager does.

    keep run FILE              make it so, then watch and put back what goes; ends on SIGTERM and leaves all as it is
    keep once FILE             make it so, say what was done; exit status 1 when something was refused
    keep probe DEVICE ADDRESS…  says which addresses another machine has; exit status 3 when there are any
    keep reach DEVICE ADDRESS…  says which addresses no other machine has; exit status 3 when there are any
    keep look JSON             what the roles ask about this machine before they change it, as JSON: see look()

Lines of a file are arguments of ip(8), or one of
    sysctl PATH VALUE                                  what /proc/sys/PATH is to be
    defaults -4|-6 TABLE OVERHEAD                      the default routes once more in a table, with an MSS that leaves such room
    vip ADDRESS/LENGTH DEVICE                          an address that nobody else may have, announced, once its service is there
and comments. What a line added goes when the line does. What was there already is not ours and stays. After a line that is
refused none is done, but those of other addresses.
"""

import contextlib
import ctypes
import fcntl
import fnmatch
import functools
import json
import os
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path

STATE = Path("/run/linux-lvs")
PAUSE = 0.2  # s, for what comes together
PATIENCE = 60  # s, for another run of this program
RETRY = 5  # s, until what could not be done is tried again
ASKED = 3  # times
WAIT = 0.4  # s, for each answer
ETHERNET = 1  # ARPHRD_ETHER
ETH_P_ALL, ETH_P_ARP, ETH_P_IPV6 = 0x0003, 0x0806, 0x86DD
BROADCAST = b"\xff" * 6
SOLICITATION, ADVERTISEMENT = 135, 136  # RFC 4861
SO_ATTACH_FILTER, SO_RCVBUFFORCE = 26, 33
ROOM = 1 << 23  # bytes, for some thousand answers at once
LOAD16, LOAD8, EQUAL, RETURN = 0x28, 0x30, 0x15, 0x06  # of linux/filter.h: ldh, ldb, jeq, ret
ANSWERS = (  # code, steps to pass over if so, if not, and operand; offsets are those of a whole frame
    (LOAD16, 0, 0, 12),
    (EQUAL, 6, 0, ETH_P_ARP),
    (EQUAL, 0, 6, ETH_P_IPV6),
    (LOAD8, 0, 0, 20),
    (EQUAL, 0, 4, socket.IPPROTO_ICMPV6),
    (LOAD8, 0, 0, 54),
    (EQUAL, 1, 0, SOLICITATION),
    (EQUAL, 0, 1, ADVERTISEMENT),
    (RETURN, 0, 0, 0xFFFF),
    (RETURN, 0, 0, 0),
)
THERE = ("File exists", "already assigned")
PR_SET_PDEATHSIG = 1
IFF_UP = 1
ANY = b""  # instead of an address
NEXT_LINE = "\\"  # of ip -o
# of a default route: what its copy has in its own way, who made it and for how long, and how it is just now
ASIDE = re.compile(
    r" (?:(?:metric|advmss|proto|expires|nhid) (?:lock )?\S+|dead|linkdown|offload|trap|notify|unresolved|rt_\w+)(?= )"
)


def main():
    verbs = {"run": run, "once": once, "probe": probe, "reach": reach, "look": look}
    if len(sys.argv) < 3 or sys.argv[1] not in verbs:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        return verbs[sys.argv[1]](*sys.argv[2:])
    except (OSError, ValueError) as error:
        print(f"keep: {error}", file=sys.stderr)
        return 1


def run(path):
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    monitor = subprocess.Popen(
        ["ip", "-o", "monitor", "link", "address", "route", "rule", "netconf"],
        stdout=subprocess.PIPE,
        preexec_fn=lambda: ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM),
    )
    told = None
    careful = True  # others may have taken the addresses while this machine was off
    version = Path(__file__).read_bytes()
    while True:
        done, refused = apply(path, careful)
        if done:
            print(*done, sep="\n", flush=True)
        if refused and refused != told:
            print(*refused, sep="\n", file=sys.stderr, flush=True)
        told, careful = refused, bool(refused)
        notify("READY=1")
        if select.select([monitor.stdout], [], [], RETRY if refused else None)[0]:
            time.sleep(PAUSE)
            if not os.read(monitor.stdout.fileno(), 1 << 20):
                raise OSError("ip monitor ended")
        if Path(__file__).read_bytes() != version:  # a later release of this program, which nobody restarts
            monitor.terminate()
            os.execv(sys.executable, [sys.executable, *sys.argv])


def notify(text):
    """sd_notify(3)"""
    path = os.environ.get("NOTIFY_SOCKET")
    if path:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as peer:
            peer.sendto(text.encode(), "\0" + path[1:] if path[0] == "@" else path)


def once(path):
    done, refused = apply(path, careful=True)
    print(*done, sep="\n")
    print(*refused, sep="\n", file=sys.stderr)
    return 1 if refused else 0


def look(text):
    """Asked are: record (path), beside (path of the other role's), reach (addresses),
    vips (lists of address and interface, null for the one that has it or the default route's),
    kept (path of the file whose addresses are kept), ssh (the port that it comes to, where nothing tells),
    sysctls (patterns of names with slashes -> value that is wanted), after (base name of the file that sets them, if one does).
    """
    asked = json.loads(text)
    default = {family: default_interface(flag) for family, flag in (("ipv4", "-4"), ("ipv6", "-6"))}
    own = addresses()
    held = holders(asked.get("kept", os.devnull), own)
    vips = [
        (vip, device or held.get(vip) or default["ipv6" if ":" in vip else "ipv4"])
        for vip, device in asked.get("vips", [])
    ]
    taken, _unasked = who_has(vips, own)  # where nobody could be asked, they are refused when they are to come up
    table = list(entries()) if "vips" in asked else []  # only the role director wants to know
    there = served(table)
    answer = {
        "record": recorded(asked["record"]),
        "beside": recorded(asked.get("beside", os.devnull)),
        "default": default,
        "held": held,
        "loaded": loaded(table),
        "learned": sorted({route["dev"] for route in routes("-6") if route.get("protocol") == "ra"}),
        "links": shown("-d", "link"),
        "addresses": {device: sorted(found) for device, found in own.items()},
        "taken": [
            f"{address}: the machine with the hardware address {other} has it, seen on {device}"
            for address, device, other in taken
        ],
        "unserved": [vip for vip, _device in vips if not {packed(vip), ANY} & there],
        "ways": {address: way(address) for address in asked.get("reach", [])},
        "sysctls": {name: value(name) for name in names(asked.get("sysctls", {}))},
        "overriding": list(overriding(asked.get("after", ""), asked.get("sysctls", {}))),
        "ssh": int(next(ssh_ports(), asked.get("ssh", 22))),
        "ipvsadm": enabled("ipvsadm.service"),
        "packages": "apt" if shutil.which("apt-get") else "auto",
    }
    print(json.dumps(answer))
    return 0


def holders(path, own):
    """Which interface has each kept address that is up; an interface that has no other of its family is out of use."""
    lines = [line.split()[1:] for line in read(path) if line.startswith("vip ")]
    kept = {vip for vip, _device in lines}
    used = {
        (device, ":" in address)
        for device, found in own.items()
        for address in found
        if address not in kept and not address.startswith("fe80:")
    }
    return {
        vip.partition("/")[0]: device
        for vip, device in lines
        if vip in own.get(device, ()) and (device, ":" in vip) in used
    }


def ssh_ports(process="self"):
    """The ports that whoever plays this came to; sudo takes the variable away, but not from who called it."""
    while process != "0":
        try:
            variables = Path("/proc", process, "environ").read_bytes().split(b"\0")
            status = Path("/proc", process, "stat").read_text()
        except OSError:
            return
        yield from (word.split()[-1].decode() for word in variables if re.match(rb"SSH_CONNECTION=.*\d$", word))
        process = status.rpartition(")")[2].split()[1]


def recorded(path):
    return json.loads((read(path) or ["{}"])[0])


def enabled(unit):
    return told("systemctl", "is-enabled", unit).stdout.strip() or "not-found"


def routes(family):
    return [route for route in shown(family, "route", "show", "default") if "dev" in route]


def default_interface(family):
    return next((route["dev"] for route in routes(family)), None)


def way(address):
    """The route to an address: interface, own address, and whether a neighbour answers there."""
    found = next(iter(shown("-6" if ":" in address else "-4", "route", "get", address)), {})
    device = found.get("dev")
    there = device is not None and "gateway" not in found and address in ask(device, [address])
    return {"device": device, "source": found.get("prefsrc"), "neighbour": "gateway" not in found, "answers": there}


def names(patterns):
    """Those that there are, and those that are asked for by their whole name."""
    root = Path("/proc/sys")
    for pattern in patterns:
        yield from (str(path.relative_to(root)) for path in root.glob(pattern)) if "*" in pattern else (pattern,)


def value(name):
    """As it is now; None where there is none."""
    try:
        return Path("/proc/sys", name).read_text().strip()
    except OSError:
        return None


def overriding(own, patterns, root=Path("/")):
    """Files that give a sysctl another value when the machine starts, after the role's own file did (sysctl.d(5))."""
    files = {}
    for directory in ("usr/lib/sysctl.d", "usr/local/lib/sysctl.d", "run/sysctl.d", "etc/sysctl.d"):
        files.update({path.name: path for path in (root / directory).glob("*.conf")})
    for file in sorted(name for name in files if name > own):
        for line in read(files[file]):
            key, equals, wish = (word.strip() for word in line.lstrip("-").partition("="))
            if "/" not in key or 0 <= key.find(".") < key.find("/"):
                key = key.replace("/", "\0").replace(".", "/").replace("\0", ".")
            for pattern, wanted in patterns.items():
                if (
                    equals
                    and wanted is not None
                    and fnmatch.fnmatchcase(key, pattern)
                    and wish.split() != wanted.split()
                ):
                    yield f"{files[file]} sets {key} to {wish} when the host starts, where {wanted} is needed: take it out there"


def apply(path, careful):
    """Keeper.apply, one at a time and whole: what was added and not written down would stay for ever."""
    with alone(Path(path).name), undisturbed():
        return Keeper(path, careful).apply()


@contextlib.contextmanager
def alone(name):
    """A play and the service would each forget what the other one added."""
    STATE.mkdir(mode=0o700, exist_ok=True)
    lock = os.open(STATE / f"{name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    end = time.monotonic() + PATIENCE
    try:
        while not locked(lock):
            if time.monotonic() > end:
                raise OSError(f"another run of this program for {name} has not ended for {PATIENCE} seconds")
            time.sleep(PAUSE)
        yield
    finally:
        os.close(lock)


def locked(file):
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def undisturbed():
    """What asks this process to end waits."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGINT, signal.SIGHUP))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class Keeper:
    """One comparison of a file with the kernel."""

    def __init__(self, path, careful):
        self.state = STATE / (Path(path).name + ".added")
        self.lines = read(path)
        noted = self.state.read_bytes() if self.state.exists() else b""
        self.whole = noted.rfind(b"\n") + 1
        self.added = dict.fromkeys(noted[: self.whole].decode().splitlines())
        self.addresses = addresses()
        self.careful = careful
        self.taken = {}
        self.unasked = {}
        self.done = []
        self.refused = []

    def apply(self):
        """What was done, and what could not be done, in sentences."""
        wanted = set(self.lines)
        gone = [line for line in reversed(self.added) if line not in wanted]
        for line in gone:
            self.remove(line)
        if gone:  # only now: what goes twice is gone
            self.forget(gone)
        taken, self.unasked = who_has(self.doubtful_vips(), self.addresses)
        self.taken = {address: other for address, _device, other in taken}
        for line in self.lines:
            try:
                if self.add(*line.split()):
                    self.done.append(f"added: {line}")
                    self.remember(line)
            except OSError as error:
                self.refused.append(f"{line}: {error}")
                if not line.startswith("vip "):
                    break  # what comes later relies on it
        return self.done, self.refused

    def remember(self, line):
        """At once, and never half: in place of what a write left that was cut off."""
        if line not in self.added:
            text = f"{line}\n".encode()
            with self.state.open("ab") as file:
                file.truncate(self.whole)
                file.write(text)
            self.whole += len(text)
            self.added[line] = None

    def forget(self, gone):
        for line in gone:
            del self.added[line]
        new = self.state.with_suffix(".new")
        self.whole = new.write_bytes("".join(f"{line}\n" for line in self.added).encode())
        new.replace(self.state)

    def add(self, *words):
        """Whether something was added just now."""
        if words[0] == "sysctl":
            return self.set(*words[1:])
        if words[0] == "defaults":
            return copy_defaults(*words[1:])
        if words[0] == "vip":
            return self.add_vip(*words[1:])
        if words[0] == "fou" and receives(words[2:]):
            return False
        if words[-1] == "up":
            return not is_up(words[2]) and ip(*words)
        return ip(*words, there=THERE)

    def remove(self, line):
        words = line.split()
        if words[0] == "defaults":
            words = [words[1], "route", "flush", "table", words[2]]
        elif words[0] == "vip":
            words = ["address", "del", words[1], "dev", words[2]]
        elif words[:2] == ["link", "add"]:
            words = ["link", "del", words[2]]
        elif words[-1] == "up":
            words = [*words[:-1], "down"]
        else:
            words = ["del" if word == "add" else word for word in words if word not in ("nodad", "gue")]
        ip(*words, there=None)
        self.done.append(f"removed: {line}")

    def set(self, path, *values):
        file, value = Path("/proc/sys") / path, " ".join(values)
        if not file.exists():
            return False  # an interface that comes later, if at all
        if file.read_text().split() != list(values):
            file.write_text(f"{value}\n")  # nothing at all would not be written
            self.done.append(f"set: {path} to {value}")
        return False

    def doubtful_vips(self):
        """Those that others may have. What was ours a moment ago comes back at once, unless it has to be careful."""
        lines = [line for line in self.lines if line.startswith("vip ") and (self.careful or line not in self.added)]
        vips = [line.split()[1:] for line in lines]
        return [(vip.partition("/")[0], device) for vip, device in vips if vip not in self.addresses.get(device, ())]

    @functools.cached_property
    def served(self):
        return served(entries())

    def add_vip(self, vip, device):
        address = vip.partition("/")[0]
        if vip in self.addresses.get(device, ()):
            return False
        if address in self.taken:
            raise OSError(f"stays down, because the machine with the hardware address {self.taken[address]} has it")
        if device in self.unasked:
            raise OSError(f"stays down, because nobody can be asked for it on {device}: {self.unasked[device]}")
        if not {packed(address), ANY} & self.served:
            raise OSError("stays down, because the table of IPVS has no service for it")
        added = ip("address", "add", vip, "dev", device, "preferred_lft", "0", *["nodad"] * (":" in vip), there=THERE)
        try:
            announce(device, address)
        except OSError as error:  # it is there all the same, and ours to take away
            print(f"{vip}: not announced on {device}: {error.strerror}", file=sys.stderr, flush=True)
        return added


def addresses():
    """Of each device."""
    links = shown("address")
    return {
        link["ifname"]: {f"{entry['local']}/{entry['prefixlen']}" for entry in link["addr_info"] if "local" in entry}
        for link in links
        if link
    }


def is_up(device):
    try:
        return bool(int(Path("/sys/class/net", device, "flags").read_text(), 16) & IFF_UP)
    except FileNotFoundError:
        return False


def receives(wanted):
    """Whether a port takes tunnel packets. The kernel's answer to a second one is that of a port that somebody else has."""
    return any(
        set(wanted) == set(line.split()) & {*wanted, "-6"} for line in told("ip", "fou", "show").stdout.splitlines()
    )


def copy_defaults(family, table, overhead):
    """Whether the table was not as it should be. While it changes, it has a route all the same."""
    headers = 40 if family == "-4" else 60  # of IP and TCP
    wanted = {}
    for metric, mss, words in sorted(default_routes(family, "main"), key=precedence):
        while metric in wanted:  # routers that announce themselves share one, of which copies would become one route
            metric += 1
        mtus = [Path("/sys/class/net", device, "mtu").read_text() for device in after("dev", words)]
        room = min(map(int, [*mtus, *after("mtu", words)])) - int(overhead) - headers
        wanted[metric] = (min(room, mss or room), words)
    there = {metric: (mss, hops_of(words)) for metric, mss, words in default_routes(family, table)}
    missing = [metric for metric, (mss, words) in wanted.items() if there.get(metric) != (mss, hops_of(words))]
    refused = []
    for metric in missing:
        mss, words = wanted[metric]
        scope = ["scope", "global"]  # that of routes for which ip shows none, and not always what it takes for none
        attributes = [*scope, "metric", str(metric), "advmss", str(mss), *words.split()]
        try:
            ip(family, "route", "replace", "table", table, "default", *attributes)
        except OSError as error:  # others are copied all the same, and what is stale goes
            refused.append(error)
    gone = [
        ip(family, "route", "del", "default", "metric", str(metric), "table", table, there=None)
        for metric in there.keys() - wanted.keys()
    ]
    if refused:
        raise refused[0]
    return bool(missing) or any(gone)


def precedence(route):
    """Routers that announce themselves may say whom to prefer (RFC 4191)."""
    metric, _mss, words = route
    return metric, "pref high" not in words, "pref low" in words


def default_routes(family, table):
    """Of each the metric, the MSS or None, and all else that is to be copied, in words of ip."""
    for line in told("ip", "-o", family, "route", "show", "default", "table", table).stdout.splitlines():
        line = " ".join(line.replace(NEXT_LINE, " ").split())
        line = line.replace(" rto_min lock ", " rto_min ")  # which ip shows, but does not take
        route, *hops = f"{line} ".split("nexthop ")
        alive = [hop for hop in hops if " dead " not in hop]
        if len(alive) == 1:  # is a route like any other to the kernel
            route += re.sub(r" weight \d+", "", alive.pop())
        words = "nexthop ".join([route, *alive])
        # others refuse, which main does too, or are for some packets only
        if re.match("default (?!tos |from )", words) and " dev " in words:
            metric, mss = (next(map(int, after(name, words)), None) for name in ("metric", "advmss"))
            yield metric or 0, mss, ASIDE.sub("", words).partition(" ")[2].strip()


def hops_of(words):
    """To compare routes: ip shows what a next hop has in another order when it is the only one."""
    return [sorted(part.split()) for part in words.split("nexthop ")]


def after(name, words):
    """What is said of it, each time."""
    return re.findall(rf"(?:^| ){name} (?:lock )?(\S+)", words)


def read(path):
    try:
        lines = Path(path).read_text().splitlines()
    except FileNotFoundError:
        return []
    return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]


def ip(*words, there=()):
    """Whether it did anything; errors with one of the words of there mean that it is so already (None: all errors)."""
    done = subprocess.run(["ip", *words], stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode and there is not None and not any(text in done.stderr for text in there):
        raise OSError(" ".join(done.stderr.split()))
    return done.returncode == 0


def told(*words):
    """A command that has ended, with what it printed; it may fail, as for a table of routes that nobody has made yet."""
    return subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)


def shown(*words):
    """What ip shows; nothing when it can't."""
    done = told("ip", "-j", *words)
    return json.loads(done.stdout or "[]") if done.returncode == 0 else []


def entries(table=Path("/proc/net/ip_vs")):
    """Protocol, address, and port or mark of each service of IPVS, and its scheduler; "->" and the way to each of its servers."""
    for line in read(table)[3:]:
        protocol, name, way = line.split()[:3]
        host, _colon, number = name.rpartition(":")
        address = (packed(host[1:-1]) if host[0] == "[" else bytes.fromhex(host)) if host else ANY
        yield protocol.lower(), address, int(number, 16), way


def served(table):
    """The addresses that IPVS has services for. One by mark may be for any."""
    return {address for protocol, address, _number, _way in table if protocol != "->"}


def loaded(table):
    """The services of IPVS by their names, each with the families of its servers by NAT."""
    found, nat = {}, []
    for protocol, address, number, way in table:
        family = "ipv6" if len(address) == 16 else "ipv4"
        if protocol == "->":
            nat += [family] if way == "Masq" and family not in nat else []
            continue
        if protocol == "fwm":
            title = f"fwmark {number}"
        elif family == "ipv6":
            title = f"{protocol} [{socket.inet_ntop(socket.AF_INET6, address)}]:{number}"
        else:
            title = f"{protocol} {socket.inet_ntoa(address)}:{number}"
        nat = found.setdefault(title, [])
    return found


def packed(address):
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


# --- neighbours


def probe(device, *wanted):
    found = ask(device, wanted)
    for address, other in sorted(found.items()):
        print(f"{address} is in use: the machine with the hardware address {other} answers for it on {device}")
    return 3 if found else 0


def reach(device, *wanted):
    found = ask(device, wanted)
    missing = [address for address in wanted if address not in found]
    for address in missing:
        print(f"{address} does not answer on {device}")
    return 3 if missing else 0


def who_has(vips, there):
    """Of addresses with their devices, asked at once unless they are there: who has which, as (address, device, hardware
    address), and on which devices nobody could be asked, with the reason: they are down, for which others must not wait.
    """
    own = {vip.partition("/")[0] for found in there.values() for vip in found}
    wanted = {}
    for address, device in vips:
        if address not in own and device in there:
            wanted.setdefault(device, []).append(address)
    taken, unasked = [], {}
    for device, missing in wanted.items():
        try:
            taken += [(address, device, other) for address, other in ask(device, missing).items()]
        except OSError as error:
            unasked[device] = error.strerror
    return taken, unasked


def ask(device, wanted):
    """The hardware address of who has each address. Where there are none, as on tunnels, nobody is asked."""
    found = {}
    if int(Path("/sys/class/net", device, "type").read_text()) != ETHERNET:
        return found
    own = hardware(device)
    missing = {packed(address): address for address in wanted}
    with listening(device) as wire:
        for _time in range(ASKED):
            for address in missing.values():
                wire.send(solicitation(own, address) if ":" in address else arp(own, bytes(4), address))
            end = time.monotonic() + WAIT
            # there may always be one more frame
            while missing and (left := end - time.monotonic()) > 0 and select.select([wire], [], [], left)[0]:
                frame = wire.recv(2048)
                address, other = arp_sender(frame) or advertiser(frame) or (None, None)
                if address in missing and other != own:
                    found[missing.pop(address)] = ":".join(f"{byte:02x}" for byte in other)
    return found


def listening(device):
    """A socket that gets ARP and neighbour discovery, and nothing else that a busy interface brings: answers have room."""
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)  # of no protocol yet
    program = b"".join(struct.pack("=HBBI", *step) for step in ANSWERS)
    steps = ctypes.create_string_buffer(program)
    wire.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("@HP", len(ANSWERS), ctypes.addressof(steps)))
    with contextlib.suppress(PermissionError):  # in a container that has not all rights
        wire.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, ROOM)
    wire.bind((device, ETH_P_ALL))
    return wire


def announce(device, address):
    """A gratuitous ARP (RFC 5227), or an unsolicited neighbour advertisement (RFC 4861, 7.2.6)."""
    if int(Path("/sys/class/net", device, "type").read_text()) != ETHERNET:
        return
    own = hardware(device)
    for _time in range(ASKED):
        frame = advertisement(own, address) if ":" in address else arp(own, socket.inet_aton(address), address)
        wire().sendto(frame, (device, 0))


@functools.lru_cache(maxsize=None)
def wire():
    """One for all that is announced: with each that is closed the kernel waits for all processors."""
    return socket.socket(socket.AF_PACKET, socket.SOCK_RAW)


def hardware(device):
    return bytes.fromhex(Path("/sys/class/net", device, "address").read_text().strip().replace(":", ""))


def arp(own, sender, address):
    """A request; one whose sender is the address itself is an announcement."""
    head = BROADCAST + own + struct.pack("!H", ETH_P_ARP) + struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1)
    return head + own + sender + bytes(6) + socket.inet_aton(address)


def arp_sender(frame):
    """Its address and hardware address."""
    asked = frame[12:14] == struct.pack("!H", ETH_P_ARP) and len(frame) >= 42
    return (frame[28:32], frame[22:28]) if asked else None


def solicitation(own, address):
    """From the unspecified address, as for duplicate address detection: the answer goes to all nodes."""
    target = socket.inet_pton(socket.AF_INET6, address)
    group = bytes.fromhex("ff0200000000000000000001ff") + target[13:]
    return icmp6(b"\x33\x33" + group[12:], own, bytes(16), group, struct.pack("!BBHI", SOLICITATION, 0, 0, 0) + target)


def advertisement(own, address):
    target = socket.inet_pton(socket.AF_INET6, address)
    nodes = socket.inet_pton(socket.AF_INET6, "ff02::1")
    override = 0x20000000
    body = struct.pack("!BBHI", ADVERTISEMENT, 0, 0, override) + target + b"\x02\x01" + own
    return icmp6(b"\x33\x33" + nodes[12:], own, target, nodes, body)


def advertiser(frame):
    """Address and hardware address of who answers; a solicitation from the unspecified address is another one that wants it
    just now.
    """
    packet = frame[14:]
    if frame[12:14] != struct.pack("!H", ETH_P_IPV6) or len(packet) < 64 or packet[6] != socket.IPPROTO_ICMPV6:
        return None
    wants = packet[40] == SOLICITATION and packet[8:24] == bytes(16)
    return (packet[48:64], frame[6:12]) if packet[40] == ADVERTISEMENT or wants else None


def icmp6(to, own, source, target, body):
    pseudo = source + target + struct.pack("!II", len(body), socket.IPPROTO_ICMPV6)
    body = body[:2] + struct.pack("!H", checksum(pseudo + body)) + body[4:]
    head = struct.pack("!IHBB", 6 << 28, len(body), socket.IPPROTO_ICMPV6, 255)
    return to + own + struct.pack("!H", ETH_P_IPV6) + head + source + target + body


def checksum(data):
    """RFC 1071"""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


if __name__ == "__main__":
    sys.exit(main())
