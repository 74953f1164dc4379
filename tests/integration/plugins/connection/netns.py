# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hosts that are network namespaces of this machine: what is run on one is run in the namespace that ansible_host names.

One whose name is also that of a file in $LVS_UNREACHABLE can't be reached.
"""

from __future__ import annotations

import os

from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.connection.local import Connection as Local

DOCUMENTATION = """
name: netns
short_description: Run in a network namespace
description: Run in the network namespace of this machine that the host's address names.
author: the linux.lvs contributors (!UNKNOWN)
options: {}
extends_documentation_fragment:
  - connection_pipelining
"""


class Connection(Local):
    """As the connection plugin ``local``, in a namespace."""

    transport = "netns"

    def exec_command(self, cmd, in_data=None, sudoable=True):
        """Runs a command line."""
        name = self._play_context.remote_addr
        if os.path.exists(os.path.join(os.environ["LVS_UNREACHABLE"], name)):
            raise AnsibleConnectionFailure(f"{name} is cut off")
        return super().exec_command(f"ip netns exec {name} {cmd}", in_data=in_data, sudoable=sudoable)
