# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ipvs_owner_info
short_description: Say who else declares services of the Linux Virtual Server (IPVS)
version_added: 0.1.0
description:
  - Reads which virtual services the configuration files of other programs on the managed host declare, so that two owners
    of one service are found before they undo each other's work.
  - The programs are keepalived (its C(virtual_server) blocks), ldirectord, and the service of C(ipvsadm) itself that
    loads a saved table when the host starts.
  - Also reads what keepalived sets for the whole table, since that concerns services, sync daemons and timeouts of others too.
  - Only files are read. Neither IPVS in the kernel nor pyroute2 nor the programs are needed.
  - What can't be understood is a warning with the name of the file and the number of the line, never an error, since it
    may be what another version of the program understands.
author:
  - the linux.lvs contributors (!UNKNOWN)
extends_documentation_fragment:
  - linux.lvs._attributes
  - linux.lvs._attributes.info
options:
  netns:
    description:
      - Name of the network namespace whose table is meant, as C(ip netns list) shows it. It has to exist.
      - Services that keepalived declares for another namespace (C(net_namespace), C(net_namespace_ipvs)) are left out. Files are
        those of the host, whatever the namespace.
      - Without it the namespace that Ansible's connection works in.
    type: str
notes:
  - >-
    C(become=true) is needed where only root can read the files, and with O(netns). A file that can't be read is a
    warning.
  - >-
    The files of keepalived are those of its options C(-f), as it runs now and as F(/etc/default/keepalived) or
    F(/etc/sysconfig/keepalived) have them, else F(/etc/keepalived/keepalived.conf); with all that they include, with
    definitions, C(~SEQ), C(~LST) and lines for this host (C(@id)) as keepalived 2.2 understands them. For ldirectord
    they are those of its command line and of F(/etc/default/ldirectord), else F(ldirectord.cf) in F(/etc/ha.d),
    F(/etc/ha.d/conf) and F(/etc), as it looks for them.
  - >-
    A program in a container, or under another name, is not seen.
seealso:
  - module: linux.lvs.ipvs_table
  - module: linux.lvs.ipvs_info
"""

EXAMPLES = r"""
- name: Look who else declares services
  linux.lvs.ipvs_owner_info:
  register: others

- name: Show who starts with the host or runs now
  ansible.builtin.debug:
    msg: "{{ item.path }}:{{ item.line }}: {{ item.program }} declares {{ item.service }}"
  loop: "{{ others.owners }}"
  when: item.enabled or item.running

- name: Show what would happen to services of others
  ansible.builtin.debug:
    msg: "{{ item.path }}:{{ item.line }}: {{ item.name }} {{ item.value }}"
  loop: "{{ others.settings }}"

- name: Refuse a service that has an owner
  ansible.builtin.assert:
    that: service not in others.owners | map(attribute='service') | list
    fail_msg: "{{ service }} has an owner"
  vars:
    service:
      address: 192.168.0.1
      port: 80
      protocol: tcp
"""

RETURN = r"""
owners:
  description:
    - One entry for every service that another program declares, in the order of the files. One block of keepalived may
      declare many.
    - Empty when nobody else declares any. keepalived that does VRRP only is not among them.
  returned: success
  type: list
  elements: dict
  contains:
    program:
      description: Which program, V(keepalived), V(ldirectord) or V(ipvsadm).
      type: str
      returned: success
      sample: keepalived
    path:
      description: File that declares the service.
      type: str
      returned: success
      sample: /etc/keepalived/conf.d/web.conf
    line:
      description:
        - Line of the file where that begins, counted from 1. Of a C(virtual_server_group) it is the line of the address or mark
          within the group.
      type: int
      returned: success
      sample: 12
    enabled:
      description: Whether the program starts with the host, as the links of systemd, SysV and OpenRC say.
      type: bool
      returned: success
      sample: true
    running:
      description: Whether the program runs now. Never for V(ipvsadm), which is no daemon.
      type: bool
      returned: success
      sample: true
    service:
      description:
        - Which service, in the normal form in which M(linux.lvs.ipvs_info) returns services, so that the two can be compared.
      type: dict
      returned: success
      contains:
        address:
          description: Virtual IP address.
          type: str
          returned: for a service by address
          sample: 192.168.0.1
        port:
          description: Port, V(0) for a service on all ports.
          type: int
          returned: for a service by address
          sample: 80
        protocol:
          description: Protocol, V(tcp), V(udp) or V(sctp).
          type: str
          returned: for a service by address
          sample: tcp
        fwmark:
          description: Firewall mark.
          type: int
          returned: for a service by firewall mark
          sample: 1
        family:
          description: Family of the firewall mark, V(ipv4) or V(ipv6).
          type: str
          returned: for a service by firewall mark
          sample: ipv4
settings:
  description:
    - One entry for everything that another program sets and that concerns more than the services that it declares, in the
      order of the files.
    - C(lvs_flush_on_stop VS) is not among them, since it removes only keepalived's own services. Without any
      C(virtual_server) keepalived does nothing of this but for sync daemons that follow a VRRP instance; the rest is left out.
  returned: success
  type: list
  elements: dict
  contains:
    program:
      description: Which program, V(keepalived).
      type: str
      returned: success
      sample: keepalived
    path:
      description: File that says so.
      type: str
      returned: success
      sample: /etc/keepalived/keepalived.conf
    line:
      description: Line of the file, counted from 1.
      type: int
      returned: success
      sample: 3
    enabled:
      description: Whether the program starts with the host, as for RV(owners).
      type: bool
      returned: success
      sample: true
    running:
      description: Whether the program runs now.
      type: bool
      returned: success
      sample: true
    name:
      description:
        - V(lvs_flush) removes all services of the table whenever keepalived starts, V(lvs_flush_on_stop) whenever it stops.
        - V(lvs_sync_daemon) starts sync daemons, and stops them with keepalived, those of others too.
        - V(lvs_timeouts) sets timeouts whenever keepalived starts, and puts back all three when it stops.
        - Older names (C(lvs_flush_onstop), C(lvs_sync_daemon_interface) of a C(vrrp_instance)) are returned as these.
      type: str
      returned: success
      sample: lvs_timeouts
    value:
      description: What stands behind the name; empty when that is nothing.
      type: str
      returned: success
      sample: tcp 900 udp 300
files:
  description: The files that were read, in that order, so that an empty RV(owners) can be told from a file that was not found.
  returned: success
  type: list
  elements: str
  sample:
    - /etc/keepalived/keepalived.conf
    - /etc/keepalived/conf.d/web.conf
"""

from ansible_collections.linux.lvs.plugins.module_utils._run_owners import run_owners


def main() -> None:
    run_owners()


if __name__ == "__main__":
    main()
