# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What several tests need: tables out of the whole attribute space, and a table that operations are applied to."""

from __future__ import annotations

from ansible_collections.linux.lvs.plugins.module_utils._address import (
    IPV4,
    IPV6,
    family_of,
    host_netmask,
    is_host,
    unpack,
)
from ansible_collections.linux.lvs.plugins.module_utils._model import (
    FORWARDINGS,
    MAX_INT,
    MAX_MARK,
    MAX_NAME,
    MAX_PERSISTENCE,
    PROTOCOLS,
    SCHEDULERS,
    TUNNEL_CHECKSUMS,
    TUNNEL_TYPES,
    Entry,
    Server,
    ServerKey,
    Service,
    ServiceKey,
    server_problems,
    service_problems,
)
from hypothesis import strategies as st

PORTS = st.integers(1, 65535)
NAMES = st.sampled_from((*SCHEDULERS, "none")) | st.text("abcz019_-", min_size=1, max_size=MAX_NAME)
THRESHOLDS = st.just(0) | st.integers(0, MAX_INT)
WEIGHTS = st.integers(0, 3) | st.integers(0, MAX_INT)

# Few, so that two tables have entries in common
NEAR_SERVICES = (
    ServiceKey(IPV4, "tcp", "192.0.2.1", 80),
    ServiceKey(IPV4, "udp", "192.0.2.1", 80),
    ServiceKey(IPV6, "sctp", "2001:db8::1", 80),
    ServiceKey(IPV4, fwmark=7),
    ServiceKey(IPV6, fwmark=7),
)
NEAR_SERVERS = tuple(ServerKey(f"198.51.100.{number}", 80) for number in range(1, 5))


def addresses(family):
    size = 4 if family == IPV4 else 16
    return st.binary(min_size=size, max_size=size).map(lambda data: unpack(family, data))


def _far_services(family):
    protocols, address = st.sampled_from(PROTOCOLS), addresses(family)
    by_address = st.tuples(st.just(family), protocols, address, PORTS).map(lambda values: ServiceKey(*values))
    by_mark = st.integers(1, MAX_MARK).map(lambda mark: ServiceKey(family, fwmark=mark))
    return by_address | by_mark


FAR_SERVICES = _far_services(IPV4) | _far_services(IPV6)
FAR_SERVERS = st.builds(ServerKey, (addresses(IPV4) | addresses(IPV6)).filter(is_host), st.integers(0, 65535))


# Strategies are made once and drawn from: making them anew for each entry takes most of the time
TIMEOUTS = st.none() | st.integers(1, MAX_PERSISTENCE)
NETMASKS = {
    IPV4: st.just(host_netmask(IPV4)) | addresses(IPV4),
    IPV6: st.just(host_netmask(IPV6)) | st.integers(1, 128).map(str),
}
FLAGS = st.frozensets(st.integers(1, 3))
ENGINES = st.sampled_from(("", "sip"))
TUNNELS = st.sampled_from(TUNNEL_TYPES)
CHECKSUMS = st.sampled_from(TUNNEL_CHECKSUMS)
METHODS = st.sampled_from(FORWARDINGS)
NEAR_SCHEDULERS = st.sampled_from(("rr", "sh"))
NEAR_METHODS = st.sampled_from(("nat", "direct"))
NEAR_WEIGHTS = st.integers(0, 3)
BOOLEANS = st.booleans()


def _any_service(draw, key):
    timeout = draw(TIMEOUTS)
    return Service(
        key,
        scheduler=draw(NAMES),
        scheduler_flags=draw(FLAGS),
        persistence_timeout=timeout,
        persistence_netmask=draw(NETMASKS[key.family]) if timeout else None,
        persistence_engine=draw(ENGINES),
        one_packet=draw(BOOLEANS),
    )


def _any_server(draw, key):
    forwarding = draw(METHODS)
    tunnel_type = draw(TUNNELS) if forwarding == "tunnel" else None
    lower, upper = sorted((draw(THRESHOLDS), draw(THRESHOLDS)))
    return Server(
        key,
        forwarding=forwarding,
        weight=draw(WEIGHTS),
        upper_threshold=upper,
        lower_threshold=lower,
        tunnel_type=tunnel_type,
        tunnel_port=draw(PORTS) if tunnel_type == "gue" else None,
        tunnel_checksum=draw(CHECKSUMS) if tunnel_type in ("gue", "gre") else None,
    )


def _near_service(draw, key):
    return Service(key, scheduler=draw(NEAR_SCHEDULERS), one_packet=draw(BOOLEANS))


def _near_server(draw, key):
    return Server(key, forwarding=draw(NEAR_METHODS), weight=draw(NEAR_WEIGHTS))


# Services and servers that often differ, and in little
near_services = st.composite(_near_service)
near_servers = st.composite(_near_server)


@st.composite
def _tables(draw, service_keys, server_keys, service_of, server_of):
    table = {}
    for key in draw(service_keys):
        table[key] = Entry(service_of(draw, key), {name: server_of(draw, name) for name in draw(server_keys)})
    return table


def _some(keys):
    return st.lists(keys, unique=True, max_size=3)


def _tunnelled(table):
    """The table with servers of the other family behind tunnels, as the kernel has none that are not."""
    return {
        key: Entry(entry.service, {name: _server_for(key, server) for name, server in entry.servers.items()})
        for key, entry in table.items()
    }


def _server_for(service, server):
    if server.forwarding == "tunnel" or family_of(server.key.address) == service.family:
        return server
    return server._replace(forwarding="tunnel", tunnel_type="ipip")


NEAR = (_some(st.sampled_from(NEAR_SERVICES)), _some(st.sampled_from(NEAR_SERVERS)))
ANY_TABLES = _tables(_some(FAR_SERVICES), _some(FAR_SERVERS), _any_service, _any_server).map(_tunnelled)
TABLES = _tables(*NEAR, _near_service, _near_server).map(_tunnelled)


def sensible(table):
    """The services of it that users may declare."""
    return {
        key: entry
        for key, entry in table.items()
        if not service_problems(entry.service)
        and not any(server_problems(key, server) for server in entry.servers.values())
    }


FATES = st.sampled_from(("as drawn", "same", "some servers", "service"))


@st.composite
def changed_tables(draw, table):
    """Another table that has most of this one's entries, some of them a little different."""
    other = dict(draw(TABLES))
    for key, entry in table.items():
        fate = draw(FATES)
        if fate == "same":
            other[key] = entry
        elif fate == "some servers":
            added = other[key].servers if key in other else {}
            kept = {name: server for name, server in entry.servers.items() if draw(BOOLEANS)}
            other[key] = Entry(entry.service, {**kept, **added})
        elif fate == "service":
            other[key] = Entry(_near_service(draw, key), entry.servers)
    return other


def applied(table, operations):
    """The table after these operations; each has to find what it supposes, as the kernel would see to."""
    table = dict(table)
    for operation in operations:
        entry = table.get(operation.service)
        if operation.server is None:
            assert operation.before == (entry.service if entry else None), operation
            if operation.after is None:
                del table[operation.service]
            else:
                table[operation.service] = Entry(operation.after, entry.servers if entry else {})
        else:
            assert entry is not None, operation
            assert operation.before == entry.servers.get(operation.server), operation
            left = {name: server for name, server in entry.servers.items() if name != operation.server}
            if operation.after is not None:
                left[operation.server] = operation.after
            table[operation.service] = Entry(entry.service, left)
    return table
