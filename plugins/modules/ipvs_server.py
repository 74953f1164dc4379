# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ipvs_server
short_description: Manage one real server of a virtual service of the Linux Virtual Server (IPVS)
version_added: 0.1.0
description:
  - Adds, changes in place, drains, or removes one real server of one virtual service in the IPVS table of a director.
  - A server is known by its address and port within its service.
  - The service has to exist (M(linux.lvs.ipvs_service)); check mode assumes that an earlier task would have created
    it, and warns. With O(state=absent) and O(state=drained) a service that does not is fine, as it has no servers.
author:
  - the linux.lvs contributors (!UNKNOWN)
extends_documentation_fragment:
  - linux.lvs._attributes
  - linux.lvs._attributes.changes
  - linux.lvs._ipvs
  - linux.lvs._ipvs.changes
  - linux.lvs._service
  - linux.lvs._drain
options:
  service:
    description: The virtual service that the server belongs to.
    required: true
  address:
    description:
      - Address of the real server, IPv4 or IPv6, in any spelling; it is compared in its normal form.
      - Names are not resolved, and scope ids such as V(%eth0) are refused, as IPVS keeps none.
      - An address of the other family than the service's needs O(forwarding=tunnel).
    type: str
    required: true
  port:
    description:
      - Port of the real server, V(0) to V(65535). The service's port when left out; for a firewall mark V(0), which
        is the packet's own.
      - Another port than the service's needs O(forwarding=nat).
    type: int
  forwarding:
    description:
      - How packets get to the server. A new server gets V(direct) when this is left out.
      - V(nat) rewrites the destination (masquerading). Replies have to come back through the director.
      - V(direct) sends the packet to the server's link layer address. The server has the virtual address too, and
        does not answer ARP for it.
      - V(tunnel) wraps the packet, as O(tunnel_type) says.
    type: str
    choices: [nat, direct, tunnel]
  weight:
    description:
      - Share of new connections, V(0) to V(2147483647). A new server gets V(1) when this is left out.
      - V(0) gets no new connections, except from persistent clients and from UDP clients that it serves already (see
        the notes).
      - With O(state=drained) an error.
    type: int
  upper_threshold:
    description: At this many connections the server gets no more, V(0) for no limit, which a new server gets.
    type: int
  lower_threshold:
    description:
      - Below this many connections a server that was full is chosen again, V(0) to leave that to the kernel (three
        quarters of O(upper_threshold)), which a new server gets.
      - Not above O(upper_threshold).
    type: int
  tunnel_type:
    description:
      - How V(tunnel) wraps packets. V(ipip) when O(forwarding) becomes V(tunnel) and this is left out.
      - Without O(forwarding=tunnel) an error.
    type: str
    choices: [ipip, gue, gre]
  tunnel_port:
    description: UDP port to send GUE to, V(1) to V(65535). Needed with O(tunnel_type=gue), an error with the others.
    type: int
  tunnel_checksum:
    description:
      - Checksum of the tunnel's packets, V(none) when left out. For V(gue) all of them, for V(gre) V(none) and
        V(csum). An error with V(ipip).
      - V(remcsum) is remote checksum offload. The receiving end has to be set up for what is chosen.
    type: str
    choices: [none, csum, remcsum]
  state:
    description:
      - V(present) adds the server, or changes it in place where it differs.
      - V(drained) sets its weight to 0, keeps it in the table, and waits for its connections to end. When
        O(drain_timeout) is over before that, the task fails, and says how many of which kind are left and why they
        could not end. With O(drain_timeout=0) it sets the weight, reports what is left, and succeeds. A server that
        does not exist is fine.
      - V(absent) removes it. One that does not exist is fine. With O(drain_timeout) above zero it gets weight 0 first
        and its connections are waited for; then it is removed, whether all of them have ended or not.
      - What becomes of connections to a removed server is the business of C(net.ipv4.vs.expire_nodest_conn). With 0,
        the kernel's default, their packets vanish without an answer; with 1 clients are told at once.
    type: str
    choices: [present, absent, drained]
    default: present
  minimum_active:
    description:
      - With O(state=drained) and O(state=absent); not looked at with O(state=present), O(weight=0) included, so that it
        may be a default of a whole play. Refuse when fewer than this many other servers of the service with
        weight above 0 would remain.
      - Not asked when nothing would change.
    type: int
    default: 0
seealso:
  - module: linux.lvs.ipvs_service
  - module: linux.lvs.ipvs_info
"""

EXAMPLES = r"""
- name: A virtual HTTP service
  linux.lvs.ipvs_service:
    address: 192.168.0.1
    port: 80
    scheduler: rr

- name: Two masqueraded servers for it
  linux.lvs.ipvs_server:
    service:
      address: 192.168.0.1
      port: 80
    address: "{{ item }}"
    forwarding: nat
  loop:
    - 172.16.0.1
    - 172.16.0.2

- name: A third one on another port, for a hundred connections at most
  linux.lvs.ipvs_server:
    service:
      address: 192.168.0.1
      port: 80
    address: 172.16.0.3
    port: 8080
    forwarding: nat
    weight: 2
    upper_threshold: 100
    lower_threshold: 80

- name: More weight for one, with all else as it is
  linux.lvs.ipvs_server:
    service:
      address: 192.168.0.1
      port: 80
    address: 172.16.0.1
    weight: 3

- name: A virtual DNS service over IPv6
  linux.lvs.ipvs_service:
    address: 2001:db8::1
    port: 53
    protocol: udp
    scheduler: wrr

- name: A server on the same network, which answers clients itself (direct routing)
  linux.lvs.ipvs_server:
    service:
      address: 2001:db8::1
      port: 53
      protocol: udp
    address: 2001:db8::11
    forwarding: direct

- name: A server of that service in another data centre, through a GUE tunnel over IPv4
  linux.lvs.ipvs_server:
    service:
      address: 2001:db8::1
      port: 53
      protocol: udp
    address: 198.51.100.11
    forwarding: tunnel
    tunnel_type: gue
    tunnel_port: 6080
    tunnel_checksum: csum

- name: A service of whatever the firewall marks with 1
  linux.lvs.ipvs_service:
    fwmark: 1
    scheduler: wlc
    persistence_timeout: 300

- name: Its servers get the packets on the port that they were sent to
  linux.lvs.ipvs_server:
    service:
      fwmark: 1
    address: "{{ item }}"
    forwarding: direct
  loop:
    - 192.0.2.11
    - 192.0.2.12

- name: Take a server out of service before it is upgraded, as long as another one is left
  linux.lvs.ipvs_server:
    service:
      address: 192.168.0.1
      port: 80
    address: 172.16.0.2
    state: drained
    drain_timeout: 300
    minimum_active: 1

- name: Put it back
  linux.lvs.ipvs_server:
    service:
      address: 192.168.0.1
      port: 80
    address: 172.16.0.2
    weight: 1

- name: Remove a server once its connections have ended, or after ten minutes
  linux.lvs.ipvs_server:
    service:
      address: 192.168.0.1
      port: 80
    address: 172.16.0.3
    port: 8080
    state: absent
    drain_timeout: 600
"""

RETURN = r"""
commands:
  description:
    - The equivalent C(ipvsadm) commands in the order applied; in check mode those that would be.
    - Run by hand on the table as it was, they lead to the same table. A warning tells what C(ipvsadm) can't say.
  returned: success, and when O(drain_timeout) ran out
  type: list
  elements: str
  sample:
    - ipvsadm -e -t 192.168.0.1:80 -r 172.16.0.1:80 -m -w 3
before:
  description:
    - The service with its servers as it was; an empty list when it did not exist or nothing changes.
    - In the shape of RV(linux.lvs.ipvs_info#module:services).
  returned: success, and when O(drain_timeout) ran out
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
    - The service with its servers as the kernel has it now, in check mode as it would be; an empty list when it is
      gone or nothing changes.
    - In the shape of RV(linux.lvs.ipvs_info#module:services).
  returned: success, and when O(drain_timeout) ran out
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
  returned: success, and when O(drain_timeout) ran out
  type: list
  elements: dict
  contains:
    service:
      description: The service, as option O(service) names it.
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
"""

from ansible_collections.linux.lvs.plugins.module_utils._run_table import run_server


def main() -> None:
    run_server()


if __name__ == "__main__":
    main()
