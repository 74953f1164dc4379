# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every attribute: set on a new entry, changed in place, left out, and removed, for every kind of service.

All kinds of services stand side by side in one namespace. Each step is run in check mode, for real, and again, and
what its ``commands`` do by hand in a twin of the namespace is compared.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass

import pytest
from helpers import ok, played, seen


@dataclass(frozen=True)
class Kind:
    """A kind of service: how our options and ipvsadm's words name it, and two servers for it."""

    options: dict
    words: str
    port: int
    server: str
    wide: str  # a persistence netmask
    narrow: str
    host: str  # the default one

    @property
    def protocol(self):
        return self.options.get("protocol")

    @property
    def real(self):
        """The server as ipvsadm writes it."""
        return f"[{self.server}]:{self.port}" if ":" in self.server else f"{self.server}:{self.port}"

    def proc_service(self, words):
        """(protocol, address and port, scheduler) as /proc/net/ip_vs writes them."""
        scheduler = words.split()[1]
        if "fwmark" in self.options:
            return "FWM", f"{self.options['fwmark']:08X}", scheduler
        return self.protocol.upper(), proc_endpoint(self.options["address"], self.port), scheduler

    def proc_server(self, words):
        """(address and port, forwarding, weight) as /proc/net/ip_vs writes them."""
        letter, _w, weight, *_rest = words.split()
        return proc_endpoint(self.server, self.port), {"-m": "Masq", "-g": "Route", "-i": "Tunnel"}[letter], weight


def proc_endpoint(address, port):
    if ":" not in address:
        return f"{socket.inet_aton(address).hex().upper()}:{port:04X}"
    digits = socket.inet_pton(socket.AF_INET6, address).hex()
    return f"[{':'.join(digits[at : at + 4] for at in range(0, 32, 4))}]:{port:04X}"


def in_proc(table):
    """Services and servers of /proc/net/ip_vs, apart, in order."""
    rows = [line.split() for line in table.proc]
    services = [tuple(row[:3]) for row in rows if row[0] in ("TCP", "UDP", "SCTP", "FWM")]
    servers = [tuple(row[1:4]) for row in rows if row[0] == "->" and row[1] != "RemoteAddress:Port"]
    assert len(services) + len(servers) == len(rows) - 3, table.proc
    return sorted(services), sorted(servers)


def kinds():
    letters = {"tcp": "-t", "udp": "-u", "sctp": "--sctp-service"}
    ipv4 = {"server": "198.51.100.1", "wide": "255.255.0.0", "narrow": "255.255.255.240", "host": "255.255.255.255"}
    ipv6 = {"server": "2001:db8:1::1", "wide": "48", "narrow": "120", "host": "128"}
    for family, address, shown, rest in (
        ("ipv4", "192.0.2.1", "192.0.2.1", ipv4),
        ("ipv6", "2001:db8::1", "[2001:db8::1]", ipv6),
    ):
        for protocol, letter in letters.items():
            options = {"address": address, "port": 80, "protocol": protocol}
            yield f"{protocol}-{family}", Kind(options, f"{letter} {shown}:80", 80, **rest)
        six = " -6" if family == "ipv6" else ""
        yield f"mark-{family}", Kind({"fwmark": 4294967295 // 2, "family": family}, f"-f 2147483647{six}", 0, **rest)


KINDS = dict(kinds())


@dataclass(frozen=True)
class Case:
    """Steps of (what is done, our options, what ipvsadm -S shows after the entry's name[, thresholds])."""

    steps: tuple
    base: dict | None = None  # options that make a service what a case about servers needs
    needs: tuple = ("tcp", "udp", "sctp", None)


SERVICES = {
    "presence": Case(
        (
            ("defaults of a new one", {}, "-s wlc"),
            ("left out", {}, "-s wlc"),
            ("removed", {"state": "absent"}, None),
            ("added again", {"state": "present"}, "-s wlc"),
        )
    ),
    "scheduler": Case(
        (
            ("set on new", {"scheduler": "wrr"}, "-s wrr"),
            ("changed", {"scheduler": "lblcr"}, "-s lblcr"),
            ("left out", {"persistence_timeout": 60}, "-s lblcr -p 60"),
            ("none at all", {"scheduler": "none"}, "-s none -p 60"),
            ("reset", {"scheduler": "wlc"}, "-s wlc -p 60"),
        )
    ),
    "scheduler_flags of sh": Case(
        (
            ("set on new", {"scheduler": "sh", "scheduler_flags": ["sh-port"]}, "-s sh -b sh-port"),
            ("changed", {"scheduler_flags": ["sh-port", "sh-fallback"]}, "-s sh -b sh-fallback,sh-port"),
            ("left out", {"persistence_timeout": 60}, "-s sh -p 60 -b sh-fallback,sh-port"),
            ("by number", {"scheduler_flags": ["flag-1"]}, "-s sh -p 60 -b sh-fallback"),
            ("removed", {"scheduler_flags": []}, "-s sh -p 60"),
        )
    ),
    "scheduler_flags of mh": Case(
        (
            (
                "set on new",
                {"scheduler": "mh", "scheduler_flags": ["mh-port", "mh-fallback"]},
                "-s mh -b mh-fallback,mh-port",
            ),
            ("changed", {"scheduler_flags": ["mh-port"]}, "-s mh -b mh-port"),
            ("left out", {"scheduler": "mh"}, "-s mh -b mh-port"),
            ("follows the scheduler", {"scheduler": "rr"}, "-s rr"),
        )
    ),
    "scheduler_flags by number": Case(
        (
            ("set on new", {"scheduler": "rr", "scheduler_flags": ["flag-3", "flag-1"]}, "-s rr -b flag-1,flag-3"),
            ("changed", {"scheduler_flags": ["flag-2"]}, "-s rr -b flag-2"),
            ("left out", {"persistence_timeout": 60}, "-s rr -p 60 -b flag-2"),
            ("removed", {"scheduler_flags": []}, "-s rr -p 60"),
        )
    ),
    "persistence_timeout": Case(
        (
            ("set on new", {"persistence_timeout": 600}, "-s wlc -p 600"),
            ("changed", {"persistence_timeout": 2678400}, "-s wlc -p 2678400"),
            ("left out", {"scheduler": "rr"}, "-s rr -p 2678400"),
            ("removed", {"persistence_timeout": 0}, "-s rr"),
            ("set on an existing one", {"persistence_timeout": 1}, "-s rr -p 1"),
        )
    ),
    "persistence_netmask": Case(
        (
            ("set on new", {"persistence_timeout": 60, "persistence_netmask": "{wide}"}, "-s wlc -p 60 -M {wide}"),
            ("changed", {"persistence_netmask": "{narrow}"}, "-s wlc -p 60 -M {narrow}"),
            ("left out", {"persistence_timeout": 90}, "-s wlc -p 90 -M {narrow}"),
            ("reset", {"persistence_netmask": "{host}"}, "-s wlc -p 90"),
            ("set again", {"persistence_netmask": "{wide}"}, "-s wlc -p 90 -M {wide}"),
            ("follows persistence", {"persistence_timeout": 0}, "-s wlc"),
            ("does not come back", {"persistence_timeout": 90}, "-s wlc -p 90"),
        )
    ),
    "persistence_engine": Case(
        (
            ("set on new", {"persistence_timeout": 60, "persistence_engine": "sip"}, "-s wlc -p 60 --pe sip"),
            ("left out", {"persistence_timeout": 90}, "-s wlc -p 90 --pe sip"),
            ("removed", {"persistence_engine": ""}, "-s wlc -p 90"),
            ("set on an existing one", {"persistence_engine": "sip"}, "-s wlc -p 90 --pe sip"),
            ("follows persistence", {"persistence_timeout": 0}, "-s wlc"),
        ),
        needs=("udp", None),
    ),
    "one_packet": Case(
        (
            ("set on new", {"one_packet": True}, "-s wlc -o"),
            ("left out", {"scheduler": "rr"}, "-s rr -o"),
            ("removed", {"one_packet": False}, "-s rr"),
            ("set on an existing one", {"one_packet": True}, "-s rr -o"),
        ),
        needs=("udp", None),
    ),
}

SERVERS = {
    "presence": Case(
        (
            ("defaults of a new one", {}, "-g -w 1"),
            ("left out", {}, "-g -w 1"),
            ("removed", {"state": "absent"}, None),
            ("added again", {"state": "present"}, "-g -w 1"),
            ("drained", {"state": "drained"}, "-g -w 0"),
        )
    ),
    "forwarding": Case(
        (
            ("set on new", {"forwarding": "nat"}, "-m -w 1"),
            ("changed", {"forwarding": "tunnel"}, "-i -w 1 --tun-type ipip"),
            ("left out", {"weight": 3}, "-i -w 3 --tun-type ipip"),
            ("reset", {"forwarding": "direct"}, "-g -w 3"),
        )
    ),
    "weight": Case(
        (
            ("set on new", {"weight": 2147483647}, "-g -w 2147483647"),
            ("lowered", {"weight": 10}, "-g -w 10"),
            ("raised", {"weight": 11}, "-g -w 11"),
            ("left out", {"upper_threshold": 5}, "-g -w 11", (5, 0)),
            ("zero", {"weight": 0}, "-g -w 0", (5, 0)),
            ("left out at zero", {"upper_threshold": 6}, "-g -w 0", (6, 0)),
            ("reset", {"weight": 1}, "-g -w 1", (6, 0)),
        )
    ),
    "weight zero": Case((("set on new", {"weight": 0}, "-g -w 0"), ("left out", {}, "-g -w 0"))),
    "thresholds": Case(
        (
            ("set on new", {"upper_threshold": 100, "lower_threshold": 50}, "-g -w 1", (100, 50)),
            (
                "both changed",
                {"upper_threshold": 2147483647, "lower_threshold": 2147483646},
                "-g -w 1",
                (2147483647, 2147483646),
            ),
            ("lower changed", {"lower_threshold": 7}, "-g -w 1", (2147483647, 7)),
            ("upper changed", {"upper_threshold": 8}, "-g -w 1", (8, 7)),
            ("left out", {"weight": 3}, "-g -w 3", (8, 7)),
            ("lower removed", {"lower_threshold": 0}, "-g -w 3", (8, 0)),
            ("upper removed", {"upper_threshold": 0}, "-g -w 3", (0, 0)),
        )
    ),
    "tunnel_type": Case(
        (
            ("set on new", {"forwarding": "tunnel", "tunnel_type": "gre"}, "-i -w 1 --tun-type gre --tun-nocsum"),
            ("left out", {"weight": 2}, "-i -w 2 --tun-type gre --tun-nocsum"),
            (
                "changed",
                {"tunnel_type": "gue", "tunnel_port": 6080},
                "-i -w 2 --tun-type gue --tun-port 6080 --tun-nocsum",
            ),
            ("reset", {"tunnel_type": "ipip"}, "-i -w 2 --tun-type ipip"),
            ("set again", {"tunnel_type": "gre"}, "-i -w 2 --tun-type gre --tun-nocsum"),
            ("follows forwarding", {"forwarding": "nat"}, "-m -w 2"),
            ("does not come back", {"forwarding": "tunnel"}, "-i -w 2 --tun-type ipip"),
        )
    ),
    "tunnel_port": Case(
        (
            (
                "set on new",
                {"forwarding": "tunnel", "tunnel_type": "gue", "tunnel_port": 258},
                "-i -w 1 --tun-type gue --tun-port 258 --tun-nocsum",
            ),
            ("changed", {"tunnel_port": 65535}, "-i -w 1 --tun-type gue --tun-port 65535 --tun-nocsum"),
            ("left out", {"weight": 2}, "-i -w 2 --tun-type gue --tun-port 65535 --tun-nocsum"),
            ("follows the type", {"tunnel_type": "gre"}, "-i -w 2 --tun-type gre --tun-nocsum"),
        )
    ),
    "tunnel_checksum of gue": Case(
        (
            (
                "set on new",
                {"forwarding": "tunnel", "tunnel_type": "gue", "tunnel_port": 6080, "tunnel_checksum": "remcsum"},
                "-i -w 1 --tun-type gue --tun-port 6080 --tun-remcsum",
            ),
            ("changed", {"tunnel_checksum": "csum"}, "-i -w 1 --tun-type gue --tun-port 6080 --tun-csum"),
            ("left out", {"weight": 2}, "-i -w 2 --tun-type gue --tun-port 6080 --tun-csum"),
            ("kept by the other type that knows it", {"tunnel_type": "gre"}, "-i -w 2 --tun-type gre --tun-csum"),
            ("reset", {"tunnel_checksum": "none"}, "-i -w 2 --tun-type gre --tun-nocsum"),
        )
    ),
    "tunnel_checksum of gre": Case(
        (
            (
                "set on new",
                {"forwarding": "tunnel", "tunnel_type": "gre", "tunnel_checksum": "csum"},
                "-i -w 1 --tun-type gre --tun-csum",
            ),
            ("follows the type", {"tunnel_type": "ipip"}, "-i -w 1 --tun-type ipip"),
        )
    ),
}


def takes(step, run, kinds, netns, twin, before):
    """One step for all these kinds: in check mode, for real, once more; and by hand in the twin."""
    predicted = {name: ok(run(kind, check=True)) for name, kind in kinds.items()}
    assert seen(netns) == before, f"{step}: check mode changed the table"
    done = {name: ok(run(kind)) for name, kind in kinds.items()}
    after = seen(netns)
    for name, result in done.items():
        for key in ("changed", "commands", "before", "after"):
            assert predicted[name][key] == result[key], f"{step}: {name}: {key}"
        assert result["changed"] is bool(result["commands"]), f"{step}: {name}"
    for name, kind in kinds.items():
        again = ok(run(kind))
        assert (again["changed"], again["commands"]) == (False, []), f"{step}: {name}"
    assert seen(netns) == after, f"{step}: the second run changed the table"
    by_hand = played([command for result in done.values() for command in result["commands"]], netns, twin)
    assert by_hand.configuration == after.configuration, f"{step}: by hand it comes out otherwise"
    return after


def for_kind(value, kind):
    """A value of a case with the netmasks that suit a kind."""
    return value.format(wide=kind.wide, narrow=kind.narrow, host=kind.host) if isinstance(value, str) else value


def kinds_of(case):
    return {name: kind for name, kind in KINDS.items() if kind.protocol in case.needs}


@pytest.mark.parametrize("case", SERVICES.values(), ids=SERVICES)
def test_attribute_of_a_service(netns, make_netns, quick, case):
    kinds, twin, now = kinds_of(case), make_netns(), seen(netns)
    for step, options, expected in case.steps:

        def run(kind, check=False, options=options):
            given = {name: for_kind(value, kind) for name, value in options.items()}
            return quick("ipvs_service", check=check, **kind.options, **given)

        now = takes(step, run, kinds, netns, twin, now)
        lines = [f"-A {kind.words} {for_kind(expected, kind)}" for kind in kinds.values() if expected]
        assert now.save == tuple(sorted(lines)), step
        services = [kind.proc_service(for_kind(expected, kind)) for kind in kinds.values() if expected]
        assert in_proc(now) == (sorted(services), []), step


@pytest.mark.parametrize("case", SERVERS.values(), ids=SERVERS)
def test_attribute_of_a_server(netns, make_netns, quick, case):
    kinds, twin = kinds_of(case), make_netns()
    services = [f"-A {kind.words} -s wlc" for kind in kinds.values()]
    for namespace in (netns, twin):
        namespace.restore("".join(f"{line}\n" for line in services))
    now = seen(netns)
    for step, options, expected, *limits in case.steps:

        def run(kind, check=False, options=options):
            return quick("ipvs_server", check=check, service=kind.options, address=kind.server, **options)

        now = takes(step, run, kinds, netns, twin, now)
        lines = [f"-a {kind.words} -r {kind.real} {expected}" for kind in kinds.values() if expected]
        assert now.save == tuple(sorted(services + lines)), step
        assert in_proc(now) == (
            sorted(kind.proc_service("-s wlc") for kind in kinds.values()),
            sorted(kind.proc_server(expected) for kind in kinds.values() if expected),
        ), step
        assert now.limits == {kind.real: limits[0] if limits else (0, 0) for kind in kinds.values() if expected}, step
