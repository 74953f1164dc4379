# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How connections are waited for before something is taken out of the table.

Private to linux.lvs: may change in any release.
"""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  drain_timeout:
    description:
      - How many seconds to wait at most for connections to end. V(0) does not wait.
      - Choose it with the protocol in mind. A TCP connection whose peer vanished stays established for up to 900 s,
        an entry of UDP stays for 300 s after its last packet; M(linux.lvs.ipvs_timeouts) changes both.
    type: int
    default: 0
  drain_wait_for:
    description:
      - Which connections have to end. The number of each of these has to be seen to be zero twice.
      - V(active) are those that the kernel counts as established. A client that has closed its own side and is still
        receiving is not among them, but in V(inactive).
      - V(inactive) are those being closed, and everything of UDP, of which the kernel knows no other state.
      - V(persistent) are the memories that a client belongs to a server. One lives on for the service's persistence
        timeout after the client's last connection.
      - When left out, V(active) for TCP and SCTP, V(inactive) for UDP, both for a firewall mark. V(persistent) is
        added for a persistent service while C(net.ipv4.vs.expire_quiescent_template) is 0 in its namespace, because
        until then the kernel goes on sending those clients to a server of weight 0; a warning names the sysctl.
    type: list
    elements: str
    choices: [active, inactive, persistent]
notes:
  - >-
    A server of weight 0 gets no new connections, with two exceptions. Clients of a persistent service keep coming to
    it while C(net.ipv4.vs.expire_quiescent_template) is 0; counted without V(persistent) such a drain may look
    finished in a quiet moment and the client comes back. And a UDP client that keeps sending from one port stays
    where it is, since each packet renews its entry: such a drain does not end before the client does.
  - >-
    Draining refuses clients instead of moving them under some schedulers: with V(sh) without V(sh-fallback), V(mh)
    without V(mh-fallback), and V(dh), which has no fallback, a client whose server has weight 0 is refused. A warning
    says so.
"""
