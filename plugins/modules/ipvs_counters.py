# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: ipvs_counters
short_description: Zero the counters of the Linux Virtual Server (IPVS)
version_added: 0.1.0
description:
  - Zeroes what the kernel has counted of connections, packets and bytes, of one virtual service with its servers or of
    the whole network namespace.
  - The numbers of connections that there are now (active, inactive, persistent) are no such counters, and stay.
author:
  - the linux.lvs contributors (!UNKNOWN)
extends_documentation_fragment:
  - linux.lvs._attributes
  - linux.lvs._attributes.settings
  - linux.lvs._ipvs
  - linux.lvs._ipvs.settings
  - linux.lvs._service
attributes:
  idempotent:
    support: none
    details:
      - It counts as changed always, as there is no telling whether anything was counted since.
options:
  service:
    description:
      - Only this virtual service and its servers. All of them when left out, and the totals of the namespace too.
      - When it does not exist, that is an error. In check mode it is a warning, as an earlier task may add it.
  state:
    description: V(zeroed) is all that there is.
    type: str
    choices: [zeroed]
    default: zeroed
notes:
  - >-
    The kernel adds up every two seconds. What it has not added up yet is not zeroed and shows a moment later, or while
    estimation is stopped (C(net.ipv4.vs.run_estimation), C(net.ipv4.vs.est_cpulist)), once it goes on.
seealso:
  - module: linux.lvs.ipvs_info
"""

EXAMPLES = r"""
- name: A virtual HTTP service
  linux.lvs.ipvs_service:
    address: 192.168.0.1
    port: 80

- name: Count anew what it does
  linux.lvs.ipvs_counters:
    service:
      address: 192.168.0.1
      port: 80

- name: Count everything anew
  linux.lvs.ipvs_counters:
"""

RETURN = r"""
commands:
  description: The equivalent C(ipvsadm) command; in check mode that which would be.
  returned: success
  type: list
  elements: str
  sample:
    - ipvsadm -Z -t 192.168.0.1:80
before:
  description: What was counted of the service, or of the whole network namespace.
  returned: success
  type: dict
  contains: &counters
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
after:
  description: The same, read again; in check mode zeros.
  returned: success
  type: dict
  contains: *counters
"""

from ansible_collections.linux.lvs.plugins.module_utils._run_settings import run_counters


def main() -> None:
    run_counters()


if __name__ == "__main__":
    main()
