# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every module of the collection takes and needs.

Private to linux.lvs: may change in any release.
"""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  netns:
    description:
      - Name of the network namespace to work in, as C(ip netns list) shows it. It has to exist, in check mode too, and
        entering it takes CAP_SYS_ADMIN.
      - Without it the namespace that Ansible's connection works in.
    type: str
requirements:
  - Linux with IPVS, as module C(ip_vs) or built into the kernel (the module is loaded by the kernel itself when it is
    first needed)
  - root, usually by C(become=true); or CAP_NET_ADMIN in the initial user namespace, and for modules that change
    something, out of check mode, write access to F(/run/linux-lvs), where their lock is
  - pyroute2 >= 0.5.14
notes:
  - >-
    The Python library pyroute2 is needed on the managed host. Its distribution's own package will do:
    C(python3-pyroute2) in Debian 12 (0.7.2), Debian 13 (0.7.7), Ubuntu 24.04 (0.7.11), Fedora and EPEL 10 (0.7.12),
    EPEL 9 (0.5.14). On Python 3.8 take a version below 0.9, as pip offers one there that can't be imported.
  - >-
    The kernel gives IPVS to nobody but C(CAP_NET_ADMIN) in the initial user namespace. A container that was given the
    capability by root works, a rootless container can't, whatever it was given.
"""

    # Used together with the standard part, by modules that change what is not the table
    SETTINGS = r"""
options: {}
notes:
  - >-
    Values that make no sense are refused before anything is changed, all of them at once and each with the name of its
    option.
  - >-
    After every change the kernel is read again. What is done is written to the system log as the equivalent C(ipvsadm)
    command. C(ipvsadm) itself is not needed on the host.
"""

    # Used together with the standard part, by modules that change the table
    CHANGES = r"""
options: {}
notes:
  - >-
    The table is edited in place. Options left out keep what an existing entry has; a new entry takes the defaults of
    C(ipvsadm). Entries of the table that are not named stay as they are, and so do the connections.
  - >-
    Options that make sense only with another one follow it: what depends on a value that is given up goes with it,
    and giving it without that value is an error.
  - >-
    Values that make no sense are refused before anything is changed, also those that the kernel would take (direct or
    tunnel forwarding to another port, for example), all of them at once and each with the name of its option. An
    entry that would not change is never refused, nor a server of which only the weight would, so that it can always be
    taken out of service and put back: when it holds what this module would not create, there is a warning.
  - >-
    After every change the kernel is read again and compared with what was asked for. When the kernel refuses an
    operation half-way, what the task changed before is led back as far as nobody else changed it meanwhile; the error
    names the entry and says what was done.
  - >-
    Runs of this collection lock each other out, but not while they wait for connections to end; after the wait the
    table is read and planned again. When the lock stays busy, the error says who holds it. When another program
    changes the table meanwhile, it is read and decided again, a few times at most.
  - >-
    Each operation is written to the system log as the equivalent C(ipvsadm) command. C(ipvsadm) itself is not needed
    on the host.
"""
