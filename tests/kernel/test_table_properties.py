# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules that every table has to follow, on the kernel: tables out of all that ipvsadm can say and the kernel takes."""

from __future__ import annotations

import shlex

import pytest
from ansible_collections.linux.lvs.plugins.module_utils._address import IPV4, IPV6, host_netmask, is_host, unpack
from ansible_collections.linux.lvs.plugins.module_utils._ipvsadm import render
from ansible_collections.linux.lvs.plugins.module_utils._model import (
    FORWARDINGS,
    MAX_INT,
    MAX_MARK,
    MAX_PERSISTENCE,
    PROTOCOLS,
    SCHEDULERS,
    TUNNEL_TYPES,
    Entry,
    Server,
    ServerKey,
    Service,
    ServiceKey,
    table_to_options,
)
from helpers import ok, seen
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

# the namespaces serve all examples, each of which flushes them first
shared = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])

AVAILABLE = [*(name for name in SCHEDULERS if name != "twos"), "none"]  # few kernels are built with twos
PORTS = st.integers(1, 65535)
NUMBERS = st.sampled_from((0, 1, 2, 50, MAX_INT)) | st.integers(0, MAX_INT)
CHECKSUMS = {
    "ipip": st.none(),
    "gre": st.sampled_from(("none", "csum")),
    "gue": st.sampled_from(("none", "csum", "remcsum")),
}
V4, V6 = (st.binary(min_size=size, max_size=size) for size in (4, 16))
MASKS4 = V4.map(lambda data: unpack(IPV4, data))
VIPS = {IPV4: MASKS4.filter(is_host), IPV6: V6.map(lambda data: unpack(IPV6, data)).filter(is_host)}
# unicast whatever the rest is
RIPS = {
    IPV4: V4.map(lambda data: unpack(IPV4, bytes([10]) + data[1:])),
    IPV6: V6.map(lambda data: unpack(IPV6, b"\x20\x01" + data[2:])),
}
FAMILIES = st.sampled_from((IPV4, IPV6))
# often the same, so that two tables have entries in common
NEAR_VIPS = {IPV4: st.just("192.0.2.1"), IPV6: st.just("2001:db8::1")}
NEAR_RIPS = {
    IPV4: st.sampled_from([f"198.51.100.{number}" for number in range(1, 5)]),
    IPV6: st.sampled_from([f"2001:db8:1::{number}" for number in range(1, 5)]),
}


@st.composite
def service_keys(draw):
    family = draw(FAMILIES)
    if draw(st.integers(0, 3)) == 0:
        return ServiceKey(family, fwmark=draw(st.sampled_from((1, 7, 2**31, MAX_MARK)) | st.integers(1, MAX_MARK)))
    address = draw(NEAR_VIPS[family] | VIPS[family])
    return ServiceKey(family, draw(st.sampled_from(PROTOCOLS)), address, draw(st.sampled_from((0, 80)) | PORTS))


@st.composite
def services(draw, key):
    persistent = (key.port == 0 and not key.fwmark) or draw(st.booleans())
    any_protocol = key.protocol in (None, "udp")
    netmasks = {IPV4: MASKS4, IPV6: st.integers(1, 128).map(str)}[key.family]
    return Service(
        key,
        scheduler=draw(st.sampled_from(AVAILABLE)),
        scheduler_flags=draw(st.frozensets(st.integers(1, 3))),
        persistence_timeout=draw(st.sampled_from((1, 360, MAX_PERSISTENCE)) | st.integers(1, MAX_PERSISTENCE))
        if persistent
        else None,
        persistence_netmask=draw(st.just(host_netmask(key.family)) | netmasks) if persistent else None,
        persistence_engine=draw(st.sampled_from(("", "sip"))) if persistent and any_protocol else "",
        one_packet=any_protocol and draw(st.booleans()),
    )


@st.composite
def servers(draw, service):
    forwarding = draw(st.sampled_from(FORWARDINGS))
    family = draw(FAMILIES) if forwarding == "tunnel" else service.family
    port = draw(st.just(service.port) | PORTS) if forwarding == "nat" else service.port
    upper = draw(NUMBERS)
    tunnel_type = draw(st.sampled_from(TUNNEL_TYPES)) if forwarding == "tunnel" else None
    return Server(
        ServerKey(draw(NEAR_RIPS[family] | RIPS[family]), port),
        forwarding=forwarding,
        weight=draw(NUMBERS),
        upper_threshold=upper,
        lower_threshold=draw(NUMBERS.filter(lambda lower: lower <= upper) if upper < 50 else st.integers(0, upper)),
        tunnel_type=tunnel_type,
        tunnel_port=draw(PORTS) if tunnel_type == "gue" else None,
        tunnel_checksum=draw(CHECKSUMS[tunnel_type]) if tunnel_type else None,
    )


@st.composite
def tables(draw):
    keys = draw(st.lists(service_keys(), unique=True, max_size=5))
    return {key: Entry(draw(services(key)), draw(_some_servers(key))) for key in keys}


def _some_servers(key):
    return st.lists(servers(key), max_size=4).map(lambda drawn: {server.key: server for server in drawn})


@st.composite
def pairs(draw):
    """Two tables that have much in common."""
    table, other = draw(tables()), draw(tables())
    for key, entry in table.items():
        fate = draw(st.sampled_from(("goes", "stays", "service changes", "servers change", "all changes")))
        if fate == "goes":
            continue
        service = draw(services(key)) if fate in ("service changes", "all changes") else entry.service
        kept = entry.servers
        if fate in ("servers change", "all changes"):
            kept = {name: server for name, server in kept.items() if draw(st.booleans())}
            kept = {**kept, **draw(_some_servers(key))}
        other[key] = Entry(service, kept)
    return table, other


def filled(netns, table):
    """The table of a namespace that ipvsadm emptied and filled."""
    return seen(netns, f"ipvsadm -C\nipvsadm -R <<'END'\n{render(table)}END").configuration


@shared
@given(tables())
def test_table_that_was_gathered_is_restored(netns, quick, table):
    before = filled(netns, table)
    gathered = ok(quick("ipvs_table", state="gathered"))["gathered"]
    assert gathered == table_to_options(table)
    unchanged = ok(quick("ipvs_table", state="overridden", services=gathered, allow_empty=True))
    assert (unchanged["changed"], unchanged["commands"]) == (False, [])
    netns.ipvsadm("-C")
    ok(quick("ipvs_table", state="overridden", services=gathered, allow_empty=True))
    assert seen(netns).configuration == before
    # of the third flag, which ipvsadm -S does not show, we are the only judge
    assert ok(quick("ipvs_table", state="gathered"))["gathered"] == gathered


@pytest.fixture
def twins(netns, make_netns):
    return netns, make_netns(), make_netns()


@shared
@given(pairs())
def test_any_table_becomes_any_other(twins, quick, pair):
    """As ipvsadm -R fills it, as predicted, also by the commands run by hand; the second run changes nothing."""
    current, wanted = pair
    netns, by_hand, fresh = twins
    before, expected = filled(netns, current), filled(fresh, wanted)
    assert filled(by_hand, current) == before
    options = {"state": "overridden", "services": table_to_options(wanted), "allow_empty": True}
    predicted = ok(quick("ipvs_table", check=True, **options))
    assert seen(netns).configuration == before
    done = ok(quick("ipvs_table", **options))
    for key in ("changed", "commands", "before", "after"):
        assert predicted[key] == done[key], key
    assert done["changed"] is (current != wanted)
    assert seen(netns).configuration == expected
    again = ok(quick("ipvs_table", **options))
    assert (again["changed"], again["commands"]) == (False, [])
    prefix = f"ip netns exec {netns.name} "
    lines = [shlex.join(command[len(prefix) :].split()) for command in done["commands"]]
    assert seen(by_hand, "\n".join(lines) or "true").configuration == expected
    assert ok(quick("ipvs_table", netns=by_hand.name, **options))["changed"] is False
