# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ipvs_timeouts
short_description: Set the connection time-outs of the Linux Virtual Server (IPVS)
version_added: 0.1.0
description:
  - Sets after how many seconds without a packet a director forgets a connection.
  - The time-outs are those of the whole network namespace. A connection gets a new one with its next packet.
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
  tcp:
    description:
      - Seconds for an established TCP connection, V(1) to V(2678400). The kernel begins with 900.
      - Where clients keep connections idle for longer, it has to be above the time after which they send keepalives, or
        the director forgets the connections under their hands.
    type: int
  tcp_fin:
    description: Seconds for a TCP connection of which a FIN was seen, V(1) to V(2678400). The kernel begins with 120.
    type: int
  udp:
    description: Seconds since the last UDP packet, V(1) to V(2678400). The kernel begins with 300.
    type: int
notes:
  - >-
    At least one of O(tcp), O(tcp_fin) and O(udp) is needed. Those left out stay as they are.
  - >-
    V(0) is an error, because the kernel would take it as leaving the time-out as it is.
  - >-
    The kernel counts time-outs in ticks of its clock. Kernels with 1000 of them a second (C(CONFIG_HZ)) take no more
    than 2147483 s, and the error says so.
seealso:
  - module: linux.lvs.ipvs_info
"""

EXAMPLES = r"""
- name: Idle connections of a database, whose clients send keepalives every two hours
  linux.lvs.ipvs_timeouts:
    tcp: 7500

- name: Forget UDP flows sooner, and closed connections too
  linux.lvs.ipvs_timeouts:
    tcp_fin: 60
    udp: 30
"""

RETURN = r"""
commands:
  description:
    - The equivalent C(ipvsadm) command, in which V(0) leaves a time-out as it is; in check mode that which would be.
      There is none when nothing differs.
  returned: success
  type: list
  elements: str
  sample:
    - ipvsadm --set 7500 0 0
before:
  description: The time-outs as they were, in the shape of the options.
  returned: success
  type: dict
  contains: &timeouts
    tcp:
      description: Seconds for an established TCP connection.
      type: int
      returned: success
      sample: 7500
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
after:
  description: The time-outs as the kernel has them now, in check mode as they would be.
  returned: success
  type: dict
  contains: *timeouts
"""

from ansible_collections.linux.lvs.plugins.module_utils._run_settings import run_timeouts


def main() -> None:
    run_timeouts()


if __name__ == "__main__":
    main()
