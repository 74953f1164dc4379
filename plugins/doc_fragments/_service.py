# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a virtual service is named by modules that work on something of it.

Private to linux.lvs: may change in any release.
"""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  service:
    type: dict
    suboptions:
      address:
        description:
          - Virtual IP address, IPv4 or IPv6, in any spelling.
          - Either this with O(service.port), or O(service.fwmark).
        type: str
      port:
        description: Port, V(0) for a service on all ports. Needed with O(service.address).
        type: int
      protocol:
        description:
          - Protocol; V(tcp) when left out.
          - With O(service.fwmark) an error, as a mark has packets of any protocol.
        type: str
        choices: [tcp, udp, sctp]
      fwmark:
        description:
          - Firewall mark, V(1) to V(4294967295).
          - Instead of O(service.address), O(service.port) and O(service.protocol).
        type: int
      family:
        description:
          - Family of O(service.fwmark); V(ipv4) when left out. The same mark in both families is two services.
          - Not for O(service.address), whose family is its own.
        type: str
        choices: [ipv4, ipv6]
"""
