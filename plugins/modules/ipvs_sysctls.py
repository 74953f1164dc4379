# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ipvs_sysctls
short_description: Set the sysctls of the Linux Virtual Server (IPVS)
version_added: 0.1.0
description:
  - Sets sysctls C(net.ipv4.vs.*) of a network namespace, in the running kernel only. They are gone after a reboot, and
    when the module C(ip_vs) is unloaded.
  - Values are compared as the kernel means them, so that a second run changes nothing. A boolean that shows V(7) is
    on, V(drop_entry), V(drop_packet) and V(secure_tcp) may move between V(1) and V(2) by themselves, and white space
    and the order of CPUs have no meaning.
  - Values that make no sense are refused before anything is set, also those that the kernel would take (V(am_droprate)
    of V(0), for example), all of them at once and each with the name of its sysctl.
  - Sysctls that are not named stay as they are.
author:
  - the linux.lvs contributors (!UNKNOWN)
extends_documentation_fragment:
  - linux.lvs._attributes
  - linux.lvs._ipvs
attributes:
  check_mode:
    support: full
    details:
      - Nothing is set, and nothing is loaded into the kernel. RV(commands) are those of the real run.
      - A host whose kernel has no IPVS loaded is predicted from the defaults of the kernel. A warning names a sysctl
        whose default depends on the host, and one that this kernel may not have.
  diff_mode:
    support: full
    details:
      - Shows the values that change, before and after.
  idempotent:
    support: full
options:
  values:
    description:
      - Names and values. A name is what comes after C(net.ipv4.vs.); the full name, also with slashes, is understood
        too. One name must not come twice. Numbers and booleans may be text.
      - A sysctl that this kernel lacks is an error, which says since when there is one. One that is not listed here
        but that the kernel has is set as it is, with a warning.
      - V(am_droprate), V(1) to V(2147483647), default V(10). One packet out of so many is dropped while
        V(drop_packet) is V(3).
      - V(amemthresh), V(0) to V(2147483647), default V(1024). Memory is short when fewer pages than this are
        available.
      - V(backup_only), boolean, default V(0), since Linux 3.9. Schedule nothing while a backup sync daemon runs, so
        that packets don't go round between directors that are real servers too. Not for a host that runs both sync
        daemons, which would serve nothing.
      - V(cache_bypass), boolean, default V(0). Send packets to where they were going when a transparent cache cluster
        has no server left.
      - V(conn_lfactor), V(-8) to V(8), since Linux 7.1. Size of the connection table. Each step down doubles it.
      - V(conn_max), V(0) to V(1073741824), which is the default too, since Linux 7.2. Most connections of the
        namespace. A 32-bit kernel takes no more than 16777216.
      - V(conn_reuse_mode), V(0) to V(3), default V(1), since Linux 4.1. What becomes of a new connection from the
        port of an old one. V(0) goes to the old server, V(1) is scheduled anew when that is safe, V(2) when the old
        one is being closed, too, and V(3) is both.
      - V(conntrack), boolean, default V(0), in kernels built with CONFIG_IP_VS_NFCT. Tell the connection tracking of
        the kernel about connections, which stateful rules and masquerading need.
      - V(debug_level), V(0) to V(2147483647), default V(0), in kernels built with CONFIG_IP_VS_DEBUG. How much is
        logged. It is one for the whole machine, and can be set in the initial network namespace only.
      - V(drop_entry), V(0) to V(3), default V(0). Drop half-open connections, never (V(0)), while memory is short
        (V(1) and V(2), which are the same wish and returned as V(1)), or always (V(3)).
      - V(drop_packet), V(0) to V(3), default V(0). Drop some packets, in the same modes.
      - V(est_cpulist), a list of CPUs, since Linux 6.2. On which CPUs rates are estimated, such as V(0-3,8), V(all),
        V(0-N:1/2) (every other one) or a list. An empty text is none, which stops the estimation as
        V(run_estimation) does. By default these are the CPUs that the system uses for its own work.
      - V(est_nice), V(-20) to V(19), default V(0), since Linux 6.2. Niceness of the estimation.
      - V(expire_nodest_conn), boolean, default V(0). End connections to a server that was removed at once, so that
        clients are told. Otherwise their packets are dropped until it comes back.
      - V(expire_quiescent_template), boolean, default V(0). Persistent clients of a server with weight 0 go to
        another server. Otherwise they keep coming, and the server does not drain.
      - V(ignore_tunneled), boolean, default V(0), since Linux 4.3. Leave tunnelled packets alone. For directors that
        are real servers behind a tunnel too.
      - V(lblc_expiration), V(1) to V(2147483), default V(86400), once the module C(ip_vs_lblc) is loaded, as by the
        first service with scheduler V(lblc). After how many seconds an unused entry of that scheduler goes.
      - V(lblcr_expiration), the same for C(ip_vs_lblcr), V(1) to V(2147483), default V(86400).
      - V(nat_icmp_send), boolean, default V(0). Answer packets of servers that belong to no connection with an ICMP
        error.
      - V(pmtu_disc), boolean, default V(1), since Linux 3.7. Refuse packets that are too long for the way to the
        server. With V(0) those that go into a tunnel are cut up.
      - V(run_estimation), boolean, default V(1), since Linux 5.16. Estimate rates, and add up totals. With V(0) both
        are frozen, which saves time where there are very many services. With V(1) again the totals catch up.
      - V(schedule_icmp), boolean, default V(0), since Linux 4.3. Schedule ICMP errors that belong to no connection,
        for directors that share their clients.
      - V(secure_tcp), V(0) to V(3), default V(0). A stricter table of TCP states, in the modes of V(drop_entry).
      - V(sloppy_sctp), boolean, default V(0), since Linux 3.11. As V(sloppy_tcp), for SCTP.
      - V(sloppy_tcp), boolean, default V(0), since Linux 3.11. Make a connection of any packet, not of the first
        only. For a director that takes over without having been told.
      - V(snat_reroute), boolean, default V(1). Look for the route of replies anew, as policy routing needs.
      - V(svc_lfactor), V(-8) to V(8), since Linux 7.1. Size of the table of services. Each step down doubles it.
      - V(sync_persist_mode), V(0) or V(1), default V(0), since Linux 3.11. With V(1) only the persistence of
        persistent services is synchronised, not their connections.
      - V(sync_ports), V(1) to V(64), a power of two, default V(1), since Linux 3.5. How many threads and ports a sync
        daemon uses that is started from now on. It has to be the same on all directors.
      - V(sync_qlen_max), V(1) to V(4294967295), since Linux 3.5. How many sync messages may wait. The default depends
        on the memory.
      - V(sync_refresh_period), V(0) to V(2147483), default V(0), since Linux 3.5. For so many seconds a connection
        that does not change state is not synchronised again.
      - V(sync_retries), V(0) to V(3), default V(0), since Linux 3.5. How often a sync message is repeated.
      - V(sync_sock_size), V(0) to V(2147483647), default V(0), since Linux 3.5. Buffer of the sync daemons' sockets in
        bytes, for those that are started from now on. V(0) leaves it to the system.
      - V(sync_threshold), two whole numbers, default V(3 50), also as a list. With which packet a connection is
        synchronised, and after how many more again. The first is below the second, or the second is V(0) for once
        only. Returned as text with one space.
      - V(sync_version), V(0) or V(1), default V(1). Format of sync messages. V(0) is for very old directors.
    type: dict
    required: true
notes:
  - >-
    pyroute2 is needed only where the kernel has no IPVS loaded. It is used to have the kernel load it.
  - >-
    Everything but V(debug_level) belongs to a network namespace. A new one begins with the defaults, not with what
    another one has. In a rootless container the kernel shows some sysctls read-only, or none at all.
  - >-
    After setting, the kernel is read again and compared with what was asked for. When it refuses a value half-way,
    what the task set before is led back as far as nobody else changed it meanwhile; the error names the sysctl and
    says what was led back.
  - >-
    Runs of this collection lock each other out. Each value that is set is written to the system log as the equivalent
    C(sysctl) command.
seealso:
  - module: linux.lvs.ipvs_service
  - module: linux.lvs.ipvs_server
  - module: ansible.posix.sysctl
  - name: IPVS sysctls
    description: The kernel's own description.
    link: https://docs.kernel.org/networking/ipvs-sysctl.html
"""

EXAMPLES = r"""
- name: Connections are known to stateful rules, and end at once when their server is removed
  linux.lvs.ipvs_sysctls:
    values:
      conntrack: true
      expire_nodest_conn: true

- name: Persistent clients leave a server that is drained
  linux.lvs.ipvs_sysctls:
    values:
      expire_quiescent_template: true

- name: Idle connections survive a failover of two directors
  linux.lvs.ipvs_sysctls:
    values:
      sync_threshold: 2 0
      sync_refresh_period: 10
      sloppy_tcp: true

- name: Defend against floods while memory is short, by full name
  linux.lvs.ipvs_sysctls:
    values:
      net.ipv4.vs.drop_entry: 1
      net.ipv4.vs.drop_packet: 1
      net.ipv4.vs.secure_tcp: 1
"""

RETURN = r"""
commands:
  description:
    - The equivalent C(sysctl) commands in the order applied; in check mode those that would be.
  returned: success
  type: list
  elements: str
  sample:
    - sysctl -w net.ipv4.vs.conntrack=1
    - sysctl -w 'net.ipv4.vs.sync_threshold=2 0'
before:
  description:
    - The sysctls that were asked for, by short name, as they were. Booleans are V(0) and V(1), the automatic modes of
      V(drop_entry) and its like are V(1), what is more than one number is text.
    - In check mode, where the kernel has no IPVS loaded, without those whose default is not known.
  returned: success
  type: dict
  sample:
    conntrack: 0
    expire_nodest_conn: 1
    sync_threshold: 3 50
after:
  description: The same sysctls as the kernel has them now, in check mode as they would be.
  returned: success
  type: dict
  sample:
    conntrack: 1
    expire_nodest_conn: 1
    sync_threshold: 2 0
"""

from ansible_collections.linux.lvs.plugins.module_utils._run_sysctls import run_sysctls


def main() -> None:
    run_sysctls()


if __name__ == "__main__":
    main()
