# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages that pyroute2 carries: what is packed is what is unpacked. How they look on the wire is judged on a kernel."""

from __future__ import annotations

import pytest
from ansible_collections.linux.lvs.plugins.module_utils._model import DEFAULT_MULTICAST_GROUP, SyncDaemon
from ansible_collections.linux.lvs.plugins.module_utils._netlink import pack_daemon, unpack_daemon

DAEMONS = (
    SyncDaemon("master", "eth0", 0, 1, "224.0.0.81", 1, 1),
    SyncDaemon("backup", "eth0.100", 255, 65487, "ff02::81", 65535, 255),
)


@pytest.mark.parametrize("daemon", DAEMONS, ids=str)
def test_packed_daemon_is_unpacked(daemon):
    assert unpack_daemon(dict(pack_daemon(daemon)).get) == daemon


def test_what_is_left_to_the_kernel_is_left_out():
    assert "IPVS_DAEMON_ATTR_SYNC_MAXLEN" not in dict(pack_daemon(SyncDaemon("master", "eth0", 1)))


def test_daemon_of_an_old_kernel_has_what_can_not_be_chosen_there():
    said = {"IPVS_DAEMON_ATTR_STATE": 2, "IPVS_DAEMON_ATTR_MCAST_IFN": "eth0", "IPVS_DAEMON_ATTR_SYNC_ID": 7}
    daemon = unpack_daemon(said.get)
    assert daemon == SyncDaemon("backup", "eth0", 7)
    assert (daemon.multicast_group, daemon.sync_maxlen) == (DEFAULT_MULTICAST_GROUP, None)
