# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ipvs_owner_info on a host with the files of other programs."""

from __future__ import annotations

import shlex

import pytest

KEEPALIVED = """\
net_namespace {netns}
virtual_server 192.0.2.1 80 {{
    real_server 198.51.100.1 80 {{
    }}
}}
virtual_server x
global_defs {{
    lvs_timeouts tcp 900
}}
"""
FILES = {
    "default/keepalived": 'DAEMON_ARGS="-D"\n',
    "ldirectord.cf": "virtual=192.0.2.2:80\n        real=198.51.100.1:80 gate\n",
    "default/ipvsadm": 'AUTO="false"\n',
}


@pytest.fixture
def with_files(tmp_path):
    """with_files(files) -> the begin of a command line whose /etc has these files, and nothing of other programs."""

    def make(files):
        (tmp_path / "etc").mkdir()
        for name, text in files.items():
            path = tmp_path / "etc" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        script = f"""
            set -e
            new={shlex.quote(str(tmp_path))}
            mkdir $new/upper
            mount -t tmpfs none $new/upper
            mkdir $new/upper/etc $new/upper/work
            mount -t overlay none -o lowerdir=/etc,upperdir=$new/upper/etc,workdir=$new/upper/work /etc
            rm -rf /etc/keepalived /etc/default/keepalived /etc/ldirectord.cf /etc/ha.d /etc/ipvsadm.rules
            cp -r $new/etc/. /etc
            exec "$@"
        """
        return ["unshare", "--mount", "bash", "-c", script, "with_files"]

    return make


def test_owners_are_found_in_the_files_of_the_host(ansible, netns, with_files):
    files = {**FILES, "keepalived/keepalived.conf": KEEPALIVED.format(netns=netns.name)}
    played = ansible.play("owners.yml", "-e", f"netns={netns.name}", prefix=with_files(files))
    assert played.recap["failed"] == 0
    assert "Traceback" not in played.text
