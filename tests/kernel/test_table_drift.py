# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A table that was changed behind the back of whoever declares it; and a large one."""

from __future__ import annotations

import pytest
from helpers import ok, proved

# As keepalived declares it
DECLARED = """\
-A -t 192.0.2.1:80 -s wlc -p 60
-a -t 192.0.2.1:80 -r 198.51.100.1:80 -m -w 3
-a -t 192.0.2.1:80 -r 198.51.100.2:80 -m -w 3
-A -t 192.0.2.1:443 -s wlc
-a -t 192.0.2.1:443 -r 198.51.100.1:443 -m -w 1
"""
# Somebody deletes a service, drains a server, adds a server and a service, tunes what was not declared
BEHIND = """\
-D -t 192.0.2.1:443
-e -t 192.0.2.1:80 -r 198.51.100.1:80 -m -w 0
-e -t 192.0.2.1:80 -r 198.51.100.2:80 -m -w 3 -x 100
-a -t 192.0.2.1:80 -r 203.0.113.66:80 -m -w 1
-E -t 192.0.2.1:80 -s wlc -p 60 -M 255.255.255.0
-A -t 203.0.113.1:80 -s rr
-a -t 203.0.113.1:80 -r 203.0.113.66:80 -m -w 1
"""
FIRST, SECOND, FOREIGN = (
    f"-a -t 192.0.2.1:80 -r {address}:80 -m -w" for address in ("198.51.100.1", "198.51.100.2", "203.0.113.66")
)
DELETED = ["-A -t 192.0.2.1:443 -s wlc", "-a -t 192.0.2.1:443 -r 198.51.100.1:443 -m -w 1"]
FOREIGN_SERVICE = ["-A -t 203.0.113.1:80 -s rr", "-a -t 203.0.113.1:80 -r 203.0.113.66:80 -m -w 1"]
WIDE, NARROW = "-A -t 192.0.2.1:80 -s wlc -p 60 -M 255.255.255.0", "-A -t 192.0.2.1:80 -s wlc -p 60"

# state, further options, the lines afterwards, whether the threshold that somebody added is still there
CASES = {
    "merged": ("merged", {}, [WIDE, f"{FIRST} 3", f"{SECOND} 3", f"{FOREIGN} 1", *DELETED, *FOREIGN_SERVICE], True),
    "replaced": ("replaced", {}, [NARROW, f"{FIRST} 3", f"{SECOND} 3", *DELETED, *FOREIGN_SERVICE], False),
    "overridden": ("overridden", {}, [NARROW, f"{FIRST} 3", f"{SECOND} 3", *DELETED], False),
    "overridden, drained by hand stays so": (
        "overridden",
        {"keep_weights": "zero"},
        [NARROW, f"{FIRST} 0", f"{SECOND} 3", *DELETED],
        False,
    ),
    "overridden, the foreign service excluded": (
        "overridden",
        {"exclude": [{"network": "203.0.113.0/24"}]},
        [NARROW, f"{FIRST} 3", f"{SECOND} 3", *DELETED, *FOREIGN_SERVICE],
        False,
    ),
}


def declared(quick):
    return ok(quick("ipvs_table", state="parsed", running_config=DECLARED))["parsed"]


def minimal(services):
    """Only what the text says: no defaults, as people write it."""
    names = ("address", "port", "weight", "forwarding", "persistence_timeout")
    return [
        {
            **{name: service[name] for name in names if service.get(name)},
            "servers": [{name: server[name] for name in names if name in server} for server in service["servers"]],
        }
        for service in services
    ]


@pytest.mark.parametrize(("state", "options", "lines", "limited"), CASES.values(), ids=CASES)
def test_drift_is_met_as_the_state_says(netns, make_netns, quick, state, options, lines, limited):
    services = minimal(declared(quick))
    twin = make_netns()
    for namespace in (netns, twin):
        namespace.restore(DECLARED)
    assert ok(quick("ipvs_table", state="overridden", services=services))["changed"] is False
    for namespace in (netns, twin):
        namespace.restore(BEHIND)
    proved(quick, netns, twin, state=state, services=services, **options)
    assert netns.save() == sorted(lines)
    assert (netns.thresholds()["TCP 192.0.2.1:80"]["198.51.100.2:80"] == (100, 0)) is limited


# A thousand services with ten servers each

MANY, EACH = 1000, 10


def many(weight):
    return [
        {
            "address": f"10.{number // 250}.{number % 250}.1",
            "port": 80,
            "scheduler": "wrr",
            "servers": [
                {"address": f"172.16.{server}.{number % 250 + 1}", "forwarding": "nat", "weight": weight}
                for server in range(EACH)
            ],
        }
        for number in range(MANY)
    ]


def test_large_table(netns, quick):
    services = many(weight=7)
    result = ok(quick("ipvs_table", state="overridden", services=services))
    assert len(result["commands"]) == MANY * (EACH + 1)
    lines = netns.save()
    assert len(lines) == MANY * (EACH + 1)
    assert lines[0] == "-A -t 10.0.0.1:80 -s wrr"
    assert "-a -t 10.0.0.1:80 -r 172.16.0.1:80 -m -w 7" in lines
    assert "-a -t 10.3.249.1:80 -r 172.16.9.250:80 -m -w 7" in lines
    services[-1]["servers"][-1]["weight"] = 8
    assert ok(quick("ipvs_table", state="overridden", services=services))["commands"] == [
        f"ip netns exec {netns.name} ipvsadm -e -t 10.3.249.1:80 -r 172.16.9.250:80 -m -w 8"
    ]
    assert ok(quick("ipvs_table", state="overridden", services=services))["changed"] is False
