# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ipvs_service
short_description: Manage one virtual service of the Linux Virtual Server (IPVS)
version_added: 0.1.0
description:
  - Adds, changes in place, or removes one virtual service in the IPVS table of a director.
  - A service is known by its address, port and protocol, or by a firewall mark and its family.
  - Its real servers are not touched, except that they go with a service that is removed. They are the business of
    M(linux.lvs.ipvs_server).
  - The virtual address itself has to be brought to the director by other means.
author:
  - the linux.lvs contributors (!UNKNOWN)
extends_documentation_fragment:
  - linux.lvs._attributes
  - linux.lvs._attributes.changes
  - linux.lvs._ipvs
  - linux.lvs._ipvs.changes
  - linux.lvs._drain
options:
  address:
    description:
      - Virtual IP address, IPv4 or IPv6, unicast, in any spelling; it is compared in its normal form.
      - Names are not resolved, and scope ids such as V(%eth0) are refused, as IPVS keeps none.
      - Either this with O(port), or O(fwmark).
    type: str
  port:
    description:
      - Port, V(0) to V(65535). Needed with O(address).
      - V(0) is all ports of the address, and needs a persistent service.
    type: int
  protocol:
    description:
      - Protocol; V(tcp) when left out. TCP and UDP on one address and port are two services.
      - With O(fwmark) an error, as a mark has packets of any protocol.
    type: str
    choices: [tcp, udp, sctp]
  fwmark:
    description:
      - Firewall mark, V(1) to V(4294967295), that something else (nftables, C(tc)) puts on the packets.
      - Instead of O(address), O(port) and O(protocol).
    type: int
  family:
    description:
      - Family of O(fwmark); V(ipv4) when left out. The same mark in both families is two services.
      - Not for O(address), whose family is its own.
    type: str
    choices: [ipv4, ipv6]
  scheduler:
    description:
      - How the server of a new connection is chosen. A new service gets V(wlc) when this is left out.
      - One of V(rr) (round robin), V(wrr) (weighted), V(lc) (least connections), V(wlc) (weighted), V(fo) (highest
        weight only), V(ovf) (overflow to the next by weight), V(lblc) and V(lblcr) (locality by destination), V(dh)
        and V(sh) (hash of destination, of source), V(mh) (Maglev hash of source), V(sed) (shortest expected delay),
        V(nq) (never queue), V(twos) (power of two choices), or any other that the kernel has. V(none) is a service
        that schedules nothing.
      - The kernel loads the scheduler's module (C(ip_vs_rr) and so on) itself. When it has none of that name, the
        error says which module would provide it.
    type: str
  scheduler_flags:
    description:
      - Flags of the scheduler. Their order has no meaning, and V([]) takes all away.
      - V(sh-fallback) and V(mh-fallback) move a client to another server when its own has weight 0, instead of
        refusing it. V(sh-port) and V(mh-port) hash the client's port too.
      - V(flag-1), V(flag-2), V(flag-3) are the bare names, for any scheduler. Under V(sh) and V(mh) the first two are
        fallback and port.
      - Flags of another scheduler are an error.
      - Left out, they stay as long as the scheduler stays. A change between V(sh) and V(mh) keeps fallback and port,
        which mean the same to both; every other change of the scheduler drops all flags, because a new scheduler
        would read them differently.
    type: list
    elements: str
    choices: [sh-fallback, sh-port, mh-fallback, mh-port, flag-1, flag-2, flag-3]
  persistence_timeout:
    description:
      - For how many seconds a client is sent to the same server again, up to V(2678400).
      - V(0) turns persistence off, and its netmask and engine go with it. A new service is not persistent.
    type: int
  persistence_netmask:
    description:
      - Which clients count as one. An IPv4 netmask (V(255.255.255.0)) or prefix length (V(24)); for IPv6 a prefix
        length from V(1) to V(128).
      - When persistence begins and this is left out, every client address is for itself.
      - Without persistence an error.
    type: str
  persistence_engine:
    description:
      - Persistence engine, which tells clients apart by what their packets say. The kernel has V(sip), for UDP, that
        keeps the packets of one call together.
      - An empty string takes it away.
      - Without persistence an error.
    type: str
  one_packet:
    description:
      - One-packet scheduling. Every UDP packet is scheduled anew, none makes a connection that lasts.
      - For UDP and firewall marks.
      - With servers that are forwarded to by V(nat) there is a warning, because their replies leave with the server's
        own address.
    type: bool
  state:
    description:
      - V(present) adds the service, or changes it in place where it differs.
      - V(absent) removes it with all its servers. One that does not exist is fine.
      - With V(absent) and O(drain_timeout) above zero all its servers get weight 0 first and their connections are
        waited for. Then the service is removed, whether all of them have ended or not.
      - Meanwhile it refuses new clients, also those that another service would take once it is gone (that on port 0 of the same
        address and protocol, of packets with a mark one by address).
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: linux.lvs.ipvs_server
  - module: linux.lvs.ipvs_info
"""

EXAMPLES = r"""
- name: A virtual HTTP service, round robin
  linux.lvs.ipvs_service:
    address: 192.168.0.1
    port: 80
    scheduler: rr

- name: HTTPS, a client's whole network stays with one server for ten minutes
  linux.lvs.ipvs_service:
    address: 192.168.0.1
    port: 443
    persistence_timeout: 600
    persistence_netmask: 255.255.255.0

- name: Another scheduler in place, with the persistence and the connections as they are
  linux.lvs.ipvs_service:
    address: 192.168.0.1
    port: 443
    scheduler: wrr

- name: DNS over IPv6, every packet for itself
  linux.lvs.ipvs_service:
    address: 2001:db8::1
    port: 53
    protocol: udp
    scheduler: rr
    one_packet: true

- name: A consistent hash that does not refuse the clients of a drained server
  linux.lvs.ipvs_service:
    address: 192.168.0.2
    port: 8080
    scheduler: mh
    scheduler_flags:
      - mh-fallback
      - mh-port

- name: SIP, all packets of one call to one server
  linux.lvs.ipvs_service:
    address: 192.168.0.1
    port: 5060
    protocol: udp
    scheduler: rr
    persistence_timeout: 60
    persistence_engine: sip

- name: Whatever the firewall marks with 1, in both families
  linux.lvs.ipvs_service:
    fwmark: 1
    family: "{{ item }}"
    scheduler: wlc
    persistence_timeout: 300
  loop:
    - ipv4
    - ipv6

- name: Take a service away, once its connections have ended or after a minute
  linux.lvs.ipvs_service:
    address: 192.168.0.2
    port: 8080
    state: absent
    drain_timeout: 60
"""

RETURN = r"""
commands:
  description:
    - The equivalent C(ipvsadm) commands in the order applied; in check mode those that would be.
    - Run by hand on the table as it was, they lead to the same table. A warning tells what C(ipvsadm) can't say.
  returned: success
  type: list
  elements: str
  sample:
    - ipvsadm -A -t 192.168.0.1:80 -s rr
before:
  description:
    - The service with its servers as it was; an empty list when it did not exist or nothing changes.
    - In the shape of RV(linux.lvs.ipvs_info#module:services).
  returned: success
  type: list
  elements: dict
  sample: []
after:
  description:
    - The service with its servers as the kernel has it now, in check mode as it would be; an empty list when it is
      gone or nothing changes.
    - In the shape of RV(linux.lvs.ipvs_info#module:services).
  returned: success
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
drains:
  description: Each server whose connections were to end, and how that went.
  returned: success
  type: list
  elements: dict
  contains:
    service:
      description: The service, as option O(linux.lvs.ipvs_server#module:service) names it.
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
      description: Whether all connections that were waited for had ended, seen twice.
      type: bool
      returned: success
      sample: true
"""

from ansible_collections.linux.lvs.plugins.module_utils._run_table import run_service


def main() -> None:
    run_service()


if __name__ == "__main__":
    main()
