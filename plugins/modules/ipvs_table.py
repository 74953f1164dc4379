# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ipvs_table
short_description: Manage the whole table of the Linux Virtual Server (IPVS) in one task
version_added: 0.1.0
description:
  - Makes many virtual services with their real servers as they are declared, in one task, by the smallest list of
    operations that leads there from the table that the kernel has.
  - The order of the operations never leaves a service without a server that has one before and after. New servers and
    greater weights come first, removals last.
  - A fresh table is filled in one order, whatever the order of the input, because V(sh) and V(mh) map clients by the
    order in which servers were added. Directors that are filled from nothing map equally; one whose servers came one
    by one may map otherwise.
author:
  - the linux.lvs contributors (!UNKNOWN)
extends_documentation_fragment:
  - linux.lvs._attributes
  - linux.lvs._attributes.changes
  - linux.lvs._ipvs
  - linux.lvs._ipvs.changes
  - linux.lvs._drain
options:
  services:
    description:
      - The virtual services. Required with the states V(merged), V(replaced), V(overridden) and V(rendered).
      - Numbers and booleans may be text, as templates make them. Everything that is wrong is reported at once, each
        problem with its path (C(services[2].servers[0].weight)).
      - What M(linux.lvs.ipvs_info) or O(state=gathered) returned can be given as it is.
    type: list
    elements: dict
    suboptions:
      address:
        description:
          - Virtual IP address, IPv4 or IPv6, unicast, in any spelling.
          - Either this with O(services[].port), or O(services[].fwmark).
        type: str
      port:
        description: Port, V(0) for all ports of a persistent service. Needed with O(services[].address).
        type: int
      protocol:
        description: Protocol; V(tcp) when left out. Not with O(services[].fwmark).
        type: str
        choices: [tcp, udp, sctp]
      fwmark:
        description: Firewall mark, V(1) to V(4294967295), instead of address, port and protocol.
        type: int
      family:
        description: Family of O(services[].fwmark); V(ipv4) when left out.
        type: str
        choices: [ipv4, ipv6]
      scheduler:
        description: Scheduler; V(wlc) for a new service. See O(linux.lvs.ipvs_service#module:scheduler).
        type: str
      scheduler_flags:
        description: Flags of the scheduler. See O(linux.lvs.ipvs_service#module:scheduler_flags).
        type: list
        elements: str
        choices: [sh-fallback, sh-port, mh-fallback, mh-port, flag-1, flag-2, flag-3]
      persistence_timeout:
        description: Seconds for which a client stays with a server, up to V(2678400); V(0) turns persistence off.
        type: int
      persistence_netmask:
        description: Which clients count as one, an IPv4 netmask or a prefix length. Needs persistence.
        type: str
      persistence_engine:
        description: Persistence engine (V(sip)), an empty string for none. Needs persistence.
        type: str
      one_packet:
        description: One-packet scheduling, for UDP and firewall marks.
        type: bool
      servers:
        description:
          - The real servers of this service. Left out, they are not managed and stay as they are; V([]) is none.
          - With O(state=merged) servers that are not listed stay, with V(replaced) and V(overridden) they go.
        type: list
        elements: dict
        suboptions:
          address:
            description:
              - Address of the real server. One of the other family than the service's needs
                O(services[].servers[].forwarding=tunnel).
            type: str
            required: true
          port:
            description:
              - Port; the service's when left out, V(0) for a firewall mark. Another one needs
                O(services[].servers[].forwarding=nat).
            type: int
          forwarding:
            description: How packets get to the server; V(direct) for a new one.
            type: str
            choices: [nat, direct, tunnel]
          weight:
            description: Share of new connections, V(0) to V(2147483647); V(1) for a new server.
            type: int
          upper_threshold:
            description: At this many connections the server gets no more, V(0) for no limit.
            type: int
          lower_threshold:
            description: Below this many connections a full server is chosen again, V(0) to leave that to the kernel.
            type: int
          tunnel_type:
            description: How V(tunnel) wraps packets; V(ipip) when left out.
            type: str
            choices: [ipip, gue, gre]
          tunnel_port:
            description: UDP port of V(gue), V(1) to V(65535).
            type: int
          tunnel_checksum:
            description: Checksum of the packets of V(gue) and V(gre); V(none) when left out.
            type: str
            choices: [none, csum, remcsum]
  state:
    description:
      - V(merged) adds and changes what is listed, and removes nothing. Options left out keep what an entry has.
      - V(replaced) makes each listed service exactly what is listed. Options left out go back to their defaults, and
        servers that are not listed go (unless O(services[].servers) is left out altogether). Other services stay.
      - V(overridden) is V(replaced), and the whole table becomes exactly this; every service that is not listed goes.
      - V(deleted) removes the listed services with their servers. All of them when O(services) is left out, none
        with V([]).
      - V(gathered) reads the table, and returns it under RV(gathered).
      - V(rendered) returns O(services) as lines in the format of C(ipvsadm-save -n), with the thresholds that
        C(ipvsadm-save) leaves out. Nothing of the host is needed, and so entries that some kernel holds though they make
        no sense are refused like new ones.
      - V(parsed) returns the services of O(running_config). Nothing of the host is needed.
    type: str
    choices: [merged, replaced, overridden, deleted, gathered, rendered, parsed]
    default: merged
  running_config:
    description: Text in the format of C(ipvsadm-save -n), for O(state=parsed) only.
    type: str
  keep_weights:
    description:
      - Whose business the weights are. With V(none) they become what is declared.
      - V(zero) keeps the weight of a server that has weight 0 in the kernel, because somebody drained it.
      - V(all) keeps the weight of every server that is there, because a health checker or somebody else sets it. New
        servers get what is declared.
    type: str
    choices: [none, zero, all]
    default: none
  exclude:
    description:
      - Services that no state touches, nor their servers. O(state=gathered) and O(state=parsed) leave them out.
      - Listing an excluded service is an error that names both.
    type: list
    elements: dict
    suboptions:
      network:
        description: Services with an address in this network, such as V(192.0.2.0/24) or V(2001:db8::/64).
        type: str
      protocol:
        description: Those of this protocol only.
        type: str
        choices: [tcp, udp, sctp]
      port:
        description: Those on this port only.
        type: int
      fwmark:
        description: The service of this firewall mark; instead of the other three.
        type: int
      family:
        description: The firewall mark in this family only; both when left out.
        type: str
        choices: [ipv4, ipv6]
  allowed_actions:
    description:
      - Which kinds of operation a run may use. A plan that needs another fails before anything is changed, and says
        what it would have done.
      - The weight 0 of what is drained before it is removed belongs to the removal.
    type: list
    elements: str
    choices: [add, update, remove]
    default: [add, update, remove]
  minimum_active:
    description:
      - Refuse a plan after which a service has fewer servers with weight above 0 than this, if it had more before.
      - Services that are removed as a whole are not asked.
    type: int
    default: 0
  allow_empty:
    description: Let O(state=overridden) with an empty list of O(services) empty the table.
    type: bool
    default: false
notes:
  - >-
    With O(drain_timeout) the servers and services that go get weight 0 first and are waited for together. The wait is
    as long as the longest of them, not the sum. The lock is given back meanwhile, and the table is read and planned
    again afterwards. A wait that is longer than the connection to the host lives is a case for C(async) and C(poll);
    the system log tells every half minute what is left.
  - >-
    A service that goes refuses new clients as long as it is drained, also those that another service would take once it
    is gone. When that is the service on port 0 of the same address and protocol, a warning says so. Packets of a firewall
    mark may then meet a service by address, which this module can't know. Where clients are to be handed over at once,
    remove such a service without O(drain_timeout).
seealso:
  - module: linux.lvs.ipvs_service
  - module: linux.lvs.ipvs_server
  - module: linux.lvs.ipvs_info
"""

EXAMPLES = r"""
- name: Two services with their servers
  linux.lvs.ipvs_table:
    services:
      - address: 192.168.0.1
        port: 80
        scheduler: rr
        servers:
          - address: 172.16.0.1
            forwarding: nat
          - address: 172.16.0.2
            forwarding: nat
      - address: 2001:db8::1
        port: 53
        protocol: udp
        servers:
          - address: 2001:db8::11

- name: More weight for one server, with all else as it is
  linux.lvs.ipvs_table:
    services:
      - address: 192.168.0.1
        port: 80
        servers:
          - address: 172.16.0.1
            weight: 3

- name: Exactly these servers; a server that somebody drained stays drained, and what goes may take five minutes to end
  linux.lvs.ipvs_table:
    state: replaced
    keep_weights: zero
    drain_timeout: 300
    minimum_active: 1
    services:
      - address: 192.168.0.1
        port: 80
        scheduler: rr
        servers:
          - address: 172.16.0.1
            forwarding: nat
          - address: 172.16.0.3
            forwarding: nat

- name: What would have to be removed for the table to be exactly this, without doing it
  linux.lvs.ipvs_table:
    state: overridden
    services:
      - address: 192.168.0.1
        port: 80
        scheduler: rr
        servers:
          - address: 172.16.0.1
            forwarding: nat
          - address: 172.16.0.3
            forwarding: nat
    exclude:
      - network: 10.96.0.0/12
      - fwmark: 7
  check_mode: true
  register: plan

- name: Show it
  ansible.builtin.debug:
    var: plan.commands

- name: A removal that waits in the background for up to an hour
  linux.lvs.ipvs_table:
    state: deleted
    drain_timeout: 3600
    services:
      - address: 2001:db8::1
        port: 53
        protocol: udp
  async: 3700
  poll: 5

- name: Read the table
  linux.lvs.ipvs_table:
    state: gathered
  register: current

- name: Declare again what was read, which changes nothing
  linux.lvs.ipvs_table:
    state: overridden
    services: "{{ current.gathered }}"

- name: Read a file of ipvsadm-save
  linux.lvs.ipvs_table:
    state: parsed
    running_config: |
      -A -t 192.168.0.1:443 -s wlc -p 600
      -a -t 192.168.0.1:443 -r 172.16.0.1:443 -m -w 1
  register: file

- name: Write it as lines for ipvsadm-restore
  linux.lvs.ipvs_table:
    state: rendered
    services: "{{ file.parsed }}"
"""

RETURN = r"""
commands:
  description:
    - The equivalent C(ipvsadm) commands in the order applied; in check mode those that would be.
    - Run by hand on the table as it was, they lead to the same table. A warning tells what C(ipvsadm) can't say.
  returned: with the states V(merged), V(replaced), V(overridden) and V(deleted)
  type: list
  elements: str
  sample:
    - ipvsadm -e -t 192.168.0.1:80 -r 172.16.0.1:80 -m -w 3
before:
  description:
    - Those services that something changes in, with their servers, as they were.
    - In the shape of RV(linux.lvs.ipvs_info#module:services).
  returned: with the states V(merged), V(replaced), V(overridden) and V(deleted)
  type: list
  elements: dict
  sample:
    - address: 192.168.0.1
      port: 80
      protocol: tcp
      scheduler: rr
      scheduler_flags: []
      persistence_timeout: 0
      one_packet: false
      servers:
        - address: 172.16.0.1
          port: 80
          forwarding: nat
          weight: 1
          upper_threshold: 0
          lower_threshold: 0
after:
  description:
    - Those services that something changed in, with their servers, as the kernel has them now; in check mode as they
      would be.
    - In the shape of RV(linux.lvs.ipvs_info#module:services).
  returned: with the states V(merged), V(replaced), V(overridden) and V(deleted)
  type: list
  elements: dict
  sample:
    - address: 192.168.0.1
      port: 80
      protocol: tcp
      scheduler: rr
      scheduler_flags: []
      persistence_timeout: 0
      one_packet: false
      servers:
        - address: 172.16.0.1
          port: 80
          forwarding: nat
          weight: 3
          upper_threshold: 0
          lower_threshold: 0
drains:
  description: Each server whose connections were to end, and how that went.
  returned: with the states V(merged), V(replaced), V(overridden) and V(deleted)
  type: list
  elements: dict
  contains:
    service:
      description: The service.
      type: dict
      returned: success
      sample:
        address: 192.168.0.1
        port: 80
        protocol: tcp
    address:
      description: Address of the server.
      type: str
      returned: success
      sample: 172.16.0.1
    port:
      description: Port of the server.
      type: int
      returned: success
      sample: 80
    seconds:
      description: How long was waited.
      type: float
      returned: success
      sample: 12.5
    connections:
      description: Connections that were left.
      type: dict
      returned: success
      contains:
        active:
          description: Established connections.
          type: int
          returned: success
          sample: 0
        inactive:
          description: Connections being closed, and those of UDP.
          type: int
          returned: success
          sample: 3
        persistent:
          description: Clients that persistence remembers.
          type: int
          returned: success
          sample: 0
    finished:
      description:
        - Whether all connections that were waited for had ended, seen twice.
        - With O(drain_timeout=0) whether there were none at the one look that was taken.
      type: bool
      returned: success
      sample: true
gathered:
  description:
    - The table, without the services of O(exclude). In the shape of O(services).
    - A warning tells what the options can't say.
  returned: with O(state=gathered)
  type: list
  elements: dict
  sample:
    - address: 192.168.0.1
      port: 80
      protocol: tcp
      scheduler: rr
      scheduler_flags: []
      persistence_timeout: 0
      one_packet: false
      servers: []
rendered:
  description: O(services) as lines that C(ipvsadm -R) takes.
  returned: with O(state=rendered)
  type: list
  elements: str
  sample:
    - -A -t 192.168.0.1:80 -s rr
    - -a -t 192.168.0.1:80 -r 172.16.0.1:80 -m -w 1 -x 100
parsed:
  description: The services of O(running_config), in the shape of O(services).
  returned: with O(state=parsed)
  type: list
  elements: dict
  sample:
    - address: 192.168.0.1
      port: 443
      protocol: tcp
      scheduler: wlc
      scheduler_flags: []
      persistence_timeout: 600
      persistence_netmask: 255.255.255.255
      persistence_engine: ""
      one_packet: false
      servers: []
"""

from ansible_collections.linux.lvs.plugins.module_utils._run_table import run_table


def main() -> None:
    run_table()


if __name__ == "__main__":
    main()
