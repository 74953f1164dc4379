# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""ipvs_owner_info on a host with files of other programs, without IPVS's library and as anybody."""

from __future__ import annotations

import shlex

import pytest

SERVER = "real_server 198.51.100.1 80 {{\n}}\n"
FILES = {
    "default/keepalived": 'DAEMON_ARGS="-D"\n',
    "keepalived/keepalived.conf": "virtual_server 192.0.2.1 80 {\nreal_server 198.51.100.1 80 {\n}\n}\nvirtual_server x\n",
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
    edge = FILES["keepalived/keepalived.conf"].replace("192.0.2.1", "192.0.2.9")
    files = {**FILES, "keepalived/edge.conf": f"net_namespace {netns.name}\n{edge}"}
    assert netns
    played = ansible.play("owners.yml", "-e", f"netns={netns.name}", prefix=with_files(files))
    assert played.recap["failed"] == 0
    assert "Traceback" not in played.text
