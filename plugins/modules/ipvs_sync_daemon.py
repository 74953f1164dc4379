# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ipvs_sync_daemon
short_description: Manage the connection synchronisation daemons of the Linux Virtual Server (IPVS)
version_added: 0.1.0
description:
  - Starts, changes or stops one of the two daemons of the kernel by which directors tell each other their connections,
    so that connections outlive a failover.
  - The V(master) sends the connections of this director by multicast, the V(backup) takes those of others. Both may
    run on one host, and are independent of each other.
  - Only connections are told. Services, servers and weights have to be declared on every director.
author:
  - the linux.lvs contributors (!UNKNOWN)
extends_documentation_fragment:
  - linux.lvs._attributes
  - linux.lvs._attributes.settings
  - linux.lvs._ipvs
  - linux.lvs._ipvs.settings
attributes:
  idempotent:
    support: full
options:
  role:
    description: Which of the two daemons.
    type: str
    choices: [master, backup]
    required: true
  interface:
    description:
      - Network interface that the messages go out of, or come in by; up to V(15) bytes. Alternative names are taken too.
      - It has to exist and to be up in the network namespace that this module works in. In check mode there is only a
        warning when it does not, as an earlier task may see to it.
      - Needed with O(state=present).
    type: str
  sync_id:
    description:
      - Number of the cluster, V(0) to V(255). A V(backup) takes messages with its own number only.
      - With V(0) a V(backup) takes the connections of every cluster on that network; a warning says so.
      - Needed with O(state=present).
    type: int
  sync_maxlen:
    description:
      - How many bytes a message may have, without the headers of IP and UDP. A V(backup) loses what is longer, so it
        must not be lower there than on the V(master).
      - V(1) to V(65507) for a V(master), V(1024) to V(65507) for a V(backup), with an IPv6 group up to V(65487).
      - With V(0), and when left out for a new daemon, the kernel chooses. A V(master) fits its messages into packets of
        1500 bytes, a V(backup) takes what fits into the MTU of its interface, and into 1500 bytes at least.
    type: int
  multicast_group:
    description:
      - Multicast address, IPv4 or IPv6, in any spelling. A new daemon gets V(224.0.0.81) when this is left out.
    type: str
  multicast_port:
    description:
      - UDP port, V(1) to V(65535). A new daemon gets V(8848) when this is left out.
      - While C(net.ipv4.vs.sync_ports) is above 1, the ports after it are used too.
    type: int
  multicast_ttl:
    description:
      - How many routers a message may pass, V(1) to V(255). A new daemon gets V(1) when this is left out.
      - It matters to the V(master).
    type: int
  state:
    description:
      - V(present) starts the daemon, or stops and starts it where it differs.
      - V(absent) stops it, whatever else it has. O(role) is all that is needed; other options make no difference, but
        wrong values are refused all the same.
    type: str
    choices: [present, absent]
    default: present
notes:
  - >-
    Options left out keep what a running daemon of the role has. The kernel can't change a daemon, so that one that
    differs is stopped and started. When the kernel does not take the new one, the old one is started again, and the
    error says so. Connections go on meanwhile; what happens to them in that moment is not told to other directors.
  - >-
    No daemon can run while a service has a server of the other family, behind a tunnel. The error names one.
  - >-
    Messages are neither encrypted nor authenticated. Give them a network of their own, or a firewall.
  - >-
    Directors understand each other when C(net.ipv4.vs.sync_ports), O(multicast_group) and O(multicast_port) are the
    same.
  - >-
    While C(net.ipv4.vs.backup_only) is 1, a host with a running V(backup) schedules nothing. Stop it there before the
    host takes over.
seealso:
  - module: linux.lvs.ipvs_info
"""

EXAMPLES = r"""
- name: Tell the connections of this director to others of cluster 7
  linux.lvs.ipvs_sync_daemon:
    role: master
    interface: eth1
    sync_id: 7

- name: And take theirs, so that this one can follow as well as lead
  linux.lvs.ipvs_sync_daemon:
    role: backup
    interface: eth1
    sync_id: 7

- name: Another group and port for both, all else as it is
  linux.lvs.ipvs_sync_daemon:
    role: "{{ item }}"
    interface: eth1
    sync_id: 7
    multicast_group: 239.192.0.81
    multicast_port: 8850
  loop:
    - master
    - backup

- name: Stop taking connections of others, as this director takes over
  linux.lvs.ipvs_sync_daemon:
    role: backup
    state: absent
"""

RETURN = r"""
commands:
  description:
    - The equivalent C(ipvsadm) commands in the order applied; in check mode those that would be.
    - A change is two of them. There is none when nothing differs.
  returned: success
  type: list
  elements: str
  sample:
    - >-
      ipvsadm --start-daemon master --mcast-interface eth1 --syncid 7 --mcast-group 224.0.0.81 --mcast-port 8848
      --mcast-ttl 1
before:
  description:
    - The daemon of the role as it was, in the shape of the options; empty when none ran.
  returned: success
  type: dict
  contains: &daemon
    role:
      description: Which of the two daemons.
      type: str
      returned: when one runs
      sample: master
    interface:
      description: Network interface.
      type: str
      returned: when one runs
      sample: eth1
    sync_id:
      description: Number of the cluster.
      type: int
      returned: when one runs
      sample: 7
    sync_maxlen:
      description: How many bytes a message may have.
      type: int
      returned: when one runs
      sample: 1472
    multicast_group:
      description: Multicast address.
      type: str
      returned: when one runs
      sample: 224.0.0.81
    multicast_port:
      description: UDP port.
      type: int
      returned: when one runs
      sample: 8848
    multicast_ttl:
      description: How many routers a message may pass.
      type: int
      returned: when one runs
      sample: 1
after:
  description:
    - The daemon of the role as the kernel has it now, in check mode as it would be; empty when none runs.
  returned: success
  type: dict
  contains: *daemon
"""

from ansible_collections.linux.lvs.plugins.module_utils._run_settings import run_sync_daemon


def main() -> None:
    run_sync_daemon()


if __name__ == "__main__":
    main()
