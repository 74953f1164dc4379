# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""state save|compare NAME: what a machine's network, IPVS table, units and files are like, remembered or compared with what was.

Of files only those count that no package brought; which units are enabled is links among them. What is new in the kernel
after a comparison counts when it can carry packets: modules that stay loaded bring sysctls and idle devices. Packages stay
installed, and begin at boot as they came.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

MEMORY = Path("/var/tmp/lab-state")
DEFAULT_TIMEOUTS = ["Timeout (tcp tcpfin udp): 900 120 300"]  # of a machine without ipvsadm
TREES = (
    "/etc",
    "/usr/local",
    "/var/lib",
    "/srv",
    "/root",
    "/run/linux-lvs",
    "/run/systemd/network",
    "/run/NetworkManager/conf.d",
)
PASSING = re.compile(
    "/var/lib/(apt|dpkg|systemd|NetworkManager|private|dbus)/"
    r"|/etc/(ld\.so\.cache|mtab|machine-id|hostname|resolv\.conf|passwd-?|group-?|g?shadow-?|rc.\.d/.*|\.pwd\.lock)$"
    r"|/root/\.ansible/|/srv/packages/|__pycache__"
    r"|/run/linux-lvs/\w+\.lock$"  # of who ran since the boot
)
# what counts up, or depends on the moment
VOLATILE = re.compile(
    r"stat|_entries|random|\.nf_conntrack_count|base_reachable_time|stable_secret|route\.flush|\.neigh\.|hostname"
)


def said(*command):
    if shutil.which(command[0]) is None:
        return []
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    return done.stdout.splitlines() if done.returncode == 0 else []


def links():
    return {line.split()[0].partition("@")[0] for line in said("ip", "-br", "link", "show", "up")}


def state():
    said("systemctl", "is-system-running", "--wait")
    up = links()
    return {
        "links": sorted(up),
        "addresses": sorted(
            f"{word} {device}"
            for device, _state, *words in map(str.split, said("ip", "-br", "address"))
            for word in words
        ),
        "rules": [line for family in ("-4", "-6") for line in said("ip", family, "rule")],
        "routes": sorted(
            line
            for family in ("-4", "-6")
            for line in map(steady, said("ip", family, "route", "show", "table", "all"))
            if "multicast ff00::/8" not in line
        ),
        "nftables": said("nft", "list", "ruleset"),
        "sysctls": sysctls(up),
        "table": said("ipvsadm", "-Ln", "--thresholds") and [*said("ipvsadm", "-Sn"), *thresholds()],
        "timeouts": said("ipvsadm", "-L", "--timeout") or DEFAULT_TIMEOUTS,
        "daemons": sorted(said("ipvsadm", "-L", "--daemon")),
        "scripts": {str(path): "there" for path in Path("/etc").glob("rc[0-9S].d/*")},
        "running": said("systemctl", "list-units", "--no-legend", "--plain", "linux-lvs*"),
        "failed": said("systemctl", "list-units", "--failed", "--no-legend", "--plain"),
        "files": dict(files()),
    }


def steady(line):
    """A route without what counts down."""
    return re.sub(r" expires \d+sec|  *$", "", line).strip()


def thresholds():
    return [
        re.sub(r"\s+\d+\s+\d+\s*$", "", line) for line in said("ipvsadm", "-Ln", "--thresholds")[3:] if "->" in line
    ]


def sysctls(up):
    found = {}
    for root in ("/proc/sys/net/ipv4", "/proc/sys/net/ipv6", "/proc/sys/net/netfilter"):
        for path in Path(root).rglob("*"):
            parts = path.parts
            if ("conf" in parts and not {*parts} & {*up, "all", "default"}) or VOLATILE.search(
                str(path).replace("/", ".")
            ):
                continue
            try:
                found[str(path)] = path.read_text().strip()
            except OSError:
                continue
    return found


def files():
    packaged = {line for path in Path("/var/lib/dpkg/info").glob("*.list") for line in path.read_text().splitlines()}
    packaged |= {line.split()[0] for line in said("dpkg-query", "-W", "-f", "${Conffiles}\n") if line.split()}
    for tree in TREES:
        for directory, _directories, names in os.walk(tree):
            for name in names:
                path = os.path.join(directory, name)
                if path in packaged or PASSING.search(path):
                    continue
                if path.startswith("/run/linux-lvs/"):  # in which order things were added is no matter
                    yield path, "there"
                elif os.path.islink(path):
                    yield path, f"-> {os.readlink(path)}"
                elif os.path.isfile(path):
                    yield path, f"{os.stat(path).st_mode:o} {hashlib.sha256(Path(path).read_bytes()).hexdigest()[:16]}"


def differences(before, after):
    for what, was in before.items():
        now = after[what]
        if isinstance(was, dict):
            for key in sorted(was.keys() | now.keys()):
                if was.get(key) != now.get(key) and (key in was or what == "files"):
                    yield f"{what}: {key}: was {was.get(key, 'not there')}, is {now.get(key, 'not there')}"
        else:
            yield from (f"{what}: lost: {line}" for line in was if line not in now)
            yield from (f"{what}: new: {line}" for line in now if line not in was)


def main():
    verb, name = sys.argv[1:]
    path = MEMORY / name
    if verb == "save":
        MEMORY.mkdir(exist_ok=True)
        path.write_text(json.dumps(state()))
        return 0
    found = list(differences(json.loads(path.read_text()), state()))
    print(*found, sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
