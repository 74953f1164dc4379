# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ipvs_info
short_description: Read the virtual services, settings and connections of the Linux Virtual Server (IPVS)
version_added: 0.1.0
description:
  - Reads the IPVS table of a director from its kernel.
  - What is configured (RV(services), RV(timeouts), RV(daemons)) and what was observed (RV(stats), RV(connections)) are
    kept apart. RV(services) does not differ between two runs just because there was traffic.
  - The kernel may change a table while it is being read, and does not say so. Therefore it is read until two readings
    agree.
  - A kernel that has not loaded IPVS is left so, and pyroute2 is not needed then.
author:
  - the linux.lvs contributors (!UNKNOWN)
extends_documentation_fragment:
  - linux.lvs._attributes
  - linux.lvs._attributes.info
  - linux.lvs._ipvs
  - linux.lvs._service
options:
  gather:
    description:
      - What to read. What is not wanted is not asked of the kernel, so leave V(stats) out where only the table
        matters.
      - All but V(connections) when left out, as a director may have a million of them.
    type: list
    elements: str
    choices: [services, timeouts, daemons, stats, connections, version]
    default: [services, timeouts, daemons, stats, version]
  service:
    description:
      - Only this virtual service. When it does not exist, the lists are empty.
      - It matters to V(services), V(stats) and V(connections). Of a service on all ports these are the connections to
        its address for which there is no other service. Which connections came by a firewall mark the kernel does not
        say; of such a service only the memories of persistent clients are listed, and a warning says so.
seealso:
  - module: linux.lvs.ipvs_service
  - module: linux.lvs.ipvs_server
  - module: linux.lvs.ipvs_sync_daemon
  - module: linux.lvs.ipvs_timeouts
"""

EXAMPLES = r"""
- name: Read the whole table
  linux.lvs.ipvs_info:
  register: ipvs

- name: Show it as it would be declared
  ansible.builtin.debug:
    msg: "{{ ipvs.services | ansible.builtin.to_nice_yaml }}"

- name: Show the servers that are drained
  ansible.builtin.debug:
    msg: "{{ ipvs.services | map(attribute='servers') | flatten | selectattr('weight', 'equalto', 0) }}"

- name: Read what one service does
  linux.lvs.ipvs_info:
    gather:
      - stats
    service:
      address: 192.168.0.1
      port: 80
  register: http

- name: Show its established connections
  ansible.builtin.debug:
    msg: "{{ http.stats | map(attribute='servers') | flatten | map(attribute='active') | sum }}"

- name: Read who is connected to it
  linux.lvs.ipvs_info:
    gather:
      - connections
    service:
      address: 192.168.0.1
      port: 80
  register: http

- name: Show those clients
  ansible.builtin.debug:
    msg: "{{ http.connections | rejectattr('persistent') | map(attribute='client_address') | unique }}"
"""

RETURN = r"""
services:
  description:
    - The virtual services with their servers, in the shape of the options of M(linux.lvs.ipvs_service) and
      M(linux.lvs.ipvs_server), so that what was read can be declared again.
    - Services by address come before those by firewall mark.
    - Empty when the kernel has no IPVS loaded.
  returned: when V(services) is gathered
  type: list
  elements: dict
  contains:
    address:
      description: Virtual address.
      type: str
      returned: for a service by address
      sample: 192.168.0.1
    port:
      description: Port.
      type: int
      returned: for a service by address
      sample: 80
    protocol:
      description: Protocol.
      type: str
      returned: for a service by address
      sample: tcp
    fwmark:
      description: Firewall mark.
      type: int
      returned: for a service by firewall mark
      sample: 1
    family:
      description: Family of the firewall mark.
      type: str
      returned: for a service by firewall mark
      sample: ipv4
    scheduler:
      description: Scheduler.
      type: str
      returned: success
      sample: wlc
    scheduler_flags:
      description: Flags of the scheduler, by the names that it gives them.
      type: list
      elements: str
      returned: success
      sample: []
    persistence_timeout:
      description: Persistence timeout in seconds, V(0) when the service is not persistent.
      type: int
      returned: success
      sample: 600
    persistence_netmask:
      description: Netmask, or prefix length for IPv6.
      type: str
      returned: when the service is persistent
      sample: 255.255.255.255
    persistence_engine:
      description: Persistence engine, an empty string for none.
      type: str
      returned: when the service is persistent
      sample: ''
    one_packet:
      description: One-packet scheduling.
      type: bool
      returned: success
      sample: false
    servers:
      description: Its real servers.
      type: list
      elements: dict
      returned: success
      contains:
        address:
          description: Address.
          type: str
          returned: success
          sample: 172.16.0.1
        port:
          description: Port.
          type: int
          returned: success
          sample: 80
        forwarding:
          description: Forwarding method.
          type: str
          returned: success
          sample: nat
        weight:
          description: Weight.
          type: int
          returned: success
          sample: 1
        upper_threshold:
          description: Connections at which it gets no more, V(0) for no limit.
          type: int
          returned: success
          sample: 0
        lower_threshold:
          description: Connections below which it gets some again.
          type: int
          returned: success
          sample: 0
        tunnel_type:
          description: How packets are wrapped.
          type: str
          returned: with V(tunnel) forwarding
          sample: gue
        tunnel_port:
          description: UDP port.
          type: int
          returned: with tunnel type V(gue)
          sample: 6080
        tunnel_checksum:
          description: Checksum of the tunnel's packets.
          type: str
          returned: with tunnel types V(gue) and V(gre)
          sample: none
timeouts:
  description:
    - After how many seconds without a packet a connection is forgotten, in the shape of the options of
      M(linux.lvs.ipvs_timeouts).
    - What the kernel begins with when it has no IPVS loaded.
  returned: when V(timeouts) are gathered
  type: dict
  contains:
    tcp:
      description: Seconds for an established TCP connection.
      type: int
      returned: success
      sample: 900
    tcp_fin:
      description: Seconds for a TCP connection of which a FIN was seen.
      type: int
      returned: success
      sample: 120
    udp:
      description: Seconds since the last UDP packet.
      type: int
      returned: success
      sample: 300
daemons:
  description:
    - The sync daemons that run, in the shape of the options of M(linux.lvs.ipvs_sync_daemon), the V(master) first.
    - Empty when the kernel has no IPVS loaded.
  returned: when V(daemons) are gathered
  type: list
  elements: dict
  contains:
    role:
      description: Whether it is the V(master), which sends, or the V(backup), which receives.
      type: str
      returned: success
      sample: master
    interface:
      description: Network interface.
      type: str
      returned: success
      sample: eth1
    sync_id:
      description: Number of the cluster.
      type: int
      returned: success
      sample: 7
    sync_maxlen:
      description: How many bytes a message may have.
      type: int
      returned: success
      sample: 1472
    multicast_group:
      description: Multicast address.
      type: str
      returned: success
      sample: 224.0.0.81
    multicast_port:
      description: UDP port.
      type: int
      returned: success
      sample: 8848
    multicast_ttl:
      description: How many routers a message may pass.
      type: int
      returned: success
      sample: 1
stats:
  description:
    - What the kernel counted, of each service and its servers. Totals are since the entry was added or its counters
      were zeroed; the kernel adds up every two seconds. Figures for a second are its estimate over the last seconds.
      Both stand still while C(net.ipv4.vs.run_estimation) is 0 or C(net.ipv4.vs.est_cpulist) is empty, and a warning
      says so. Connections by kind do not.
    - Empty when the kernel has no IPVS loaded.
  returned: when V(stats) is gathered
  type: list
  elements: dict
  contains:
    service:
      description: The service, as option O(linux.lvs.ipvs_server#module:service) names it.
      type: dict
      returned: success
      contains:
        address:
          description: Virtual address.
          type: str
          returned: for a service by address
          sample: 192.168.0.1
        port:
          description: Port.
          type: int
          returned: for a service by address
          sample: 80
        protocol:
          description: Protocol.
          type: str
          returned: for a service by address
          sample: tcp
        fwmark:
          description: Firewall mark.
          type: int
          returned: for a service by firewall mark
          sample: 1
        family:
          description: Family of the firewall mark.
          type: str
          returned: for a service by firewall mark
          sample: ipv4
    counters:
      description: What the service has done.
      type: dict
      returned: success
      contains:
        connections:
          description: Connections scheduled.
          type: int
          returned: success
          sample: 1204
        packets_in:
          description: Packets from clients.
          type: int
          returned: success
          sample: 8428
        packets_out:
          description: Packets back through the director, which is with V(nat) forwarding only.
          type: int
          returned: success
          sample: 7224
        bytes_in:
          description: Bytes from clients.
          type: int
          returned: success
          sample: 574312
        bytes_out:
          description: Bytes back through the director.
          type: int
          returned: success
          sample: 3180144
        connections_per_second:
          description: Connections in a second.
          type: int
          returned: success
          sample: 12
        packets_in_per_second:
          description: Packets from clients in a second.
          type: int
          returned: success
          sample: 84
        packets_out_per_second:
          description: Packets back through the director in a second.
          type: int
          returned: success
          sample: 72
        bytes_in_per_second:
          description: Bytes from clients in a second.
          type: int
          returned: success
          sample: 5743
        bytes_out_per_second:
          description: Bytes back through the director in a second.
          type: int
          returned: success
          sample: 31801
    servers:
      description: Its real servers.
      type: list
      elements: dict
      returned: success
      contains:
        address:
          description: Address.
          type: str
          returned: success
          sample: 172.16.0.1
        port:
          description: Port.
          type: int
          returned: success
          sample: 80
        active:
          description: Established connections.
          type: int
          returned: success
          sample: 4
        inactive:
          description: Connections being closed, and those of UDP.
          type: int
          returned: success
          sample: 17
        persistent:
          description: Clients that persistence remembers.
          type: int
          returned: success
          sample: 0
        counters:
          description: What the server has done, in the same figures as those of the service.
          type: dict
          returned: success
          contains:
            connections:
              description: Connections scheduled.
              type: int
              returned: success
              sample: 1204
            packets_in:
              description: Packets from clients.
              type: int
              returned: success
              sample: 8428
            packets_out:
              description: Packets back through the director, which is with V(nat) forwarding only.
              type: int
              returned: success
              sample: 7224
            bytes_in:
              description: Bytes from clients.
              type: int
              returned: success
              sample: 574312
            bytes_out:
              description: Bytes back through the director.
              type: int
              returned: success
              sample: 3180144
            connections_per_second:
              description: Connections in a second.
              type: int
              returned: success
              sample: 12
            packets_in_per_second:
              description: Packets from clients in a second.
              type: int
              returned: success
              sample: 84
            packets_out_per_second:
              description: Packets back through the director in a second.
              type: int
              returned: success
              sample: 72
            bytes_in_per_second:
              description: Bytes from clients in a second.
              type: int
              returned: success
              sample: 5743
            bytes_out_per_second:
              description: Bytes back through the director in a second.
              type: int
              returned: success
              sample: 31801
connections:
  description:
    - The entries of the kernel's connection table by virtual address and client. The kernel may change it while it is
      being read; what comes or goes meanwhile may be missing.
    - Among them are the memories that a persistent client belongs to a server, see RV(connections[].persistent).
    - Empty when the kernel has no IPVS loaded.
  returned: when V(connections) are gathered
  type: list
  elements: dict
  contains:
    protocol:
      description: Protocol, other than those of services by its number, as in V(protocol-47).
      type: str
      returned: except for a memory of a service by firewall mark
      sample: tcp
    virtual_address:
      description: Address that the client speaks to.
      type: str
      returned: except for a memory of a service by firewall mark
      sample: 192.168.0.1
    virtual_port:
      description: Port that the client speaks to; V(0) for a memory of a service on all ports.
      type: int
      returned: except for a memory of a service by firewall mark
      sample: 80
    fwmark:
      description: Firewall mark.
      type: int
      returned: for a memory of a service by firewall mark
      sample: 1
    family:
      description: Family of the firewall mark.
      type: str
      returned: for a memory of a service by firewall mark
      sample: ipv4
    client_address:
      description: Address of the client; of a memory, under the service's persistence netmask.
      type: str
      returned: success
      sample: 192.168.0.100
    client_port:
      description: Port of the client, V(0) for a memory.
      type: int
      returned: success
      sample: 33798
    server_address:
      description: Address of the real server.
      type: str
      returned: success
      sample: 172.16.0.1
    server_port:
      description: Port of the real server.
      type: int
      returned: success
      sample: 80
    state:
      description: State by the kernel's name for it. A memory is V(ASSURED) once its client was answered.
      type: str
      returned: success
      sample: ESTABLISHED
    expires:
      description: In how many seconds the entry goes when nothing happens.
      type: int
      returned: success
      sample: 897
    persistent:
      description: Whether this is a memory of persistence instead of a connection.
      type: bool
      returned: success
      sample: false
    persistence_engine:
      description: Persistence engine.
      type: str
      returned: for a memory of a service with a persistence engine
      sample: sip
    persistence_data:
      description: What the engine tells clients apart by, the Call-ID for V(sip).
      type: str
      returned: for a memory of a service with a persistence engine
      sample: a84b4c76e66710@pc33.example.org
version:
  description: What the kernel has, V(null) when it has no IPVS loaded.
  returned: when V(version) is gathered
  type: dict
  contains:
    ipvs:
      description: Version of IPVS.
      type: str
      returned: when IPVS is loaded
      sample: 1.2.1
    connection_table_size:
      description:
        - Buckets of the connection table.
        - Kernels in which the table grows by itself (7.2 does) say V(0) until there is a service.
      type: int
      returned: when IPVS is loaded
      sample: 4096
"""

from ansible_collections.linux.lvs.plugins.module_utils._run_info import run_info


def main() -> None:
    run_info()


if __name__ == "__main__":
    main()
