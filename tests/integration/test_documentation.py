# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is shown to users is played: the modules' examples and the README's playbooks."""

from __future__ import annotations

import importlib
import re
import textwrap
from pathlib import Path

from ansible_collections.linux.lvs.tests.integration.conftest import play_of_tasks

REPOSITORY = Path(__file__).parents[2]
MODULES = [
    *("ipvs_counters", "ipvs_info", "ipvs_owner_info", "ipvs_server", "ipvs_service", "ipvs_sync_daemon"),
    *("ipvs_sysctls", "ipvs_table", "ipvs_timeouts"),
]
WEB = [
    "-A -t 192.168.0.1:80 -s rr",
    "-a -t 192.168.0.1:80 -r 172.16.0.1:80 -m -w 1",
    "-a -t 192.168.0.1:80 -r 172.16.0.2:80 -m -w 1",
]
TABLES = {
    "ipvs_counters": ["-A -t 192.168.0.1:80 -s wlc"],
    "ipvs_info": [],
    "ipvs_owner_info": [],
    "ipvs_server": [
        "-A -f 1 -s wlc -p 300",
        "-A -t 192.168.0.1:80 -s rr",
        "-A -u [2001:db8::1]:53 -s wrr",
        "-a -f 1 -r 192.0.2.11:0 -g -w 1",
        "-a -f 1 -r 192.0.2.12:0 -g -w 1",
        "-a -t 192.168.0.1:80 -r 172.16.0.1:80 -m -w 3",
        "-a -t 192.168.0.1:80 -r 172.16.0.2:80 -m -w 1",
        "-a -u [2001:db8::1]:53 -r 198.51.100.11:53 -i -w 1 --tun-type gue --tun-port 6080 --tun-csum",
        "-a -u [2001:db8::1]:53 -r [2001:db8::11]:53 -g -w 1",
    ],
    "ipvs_service": [
        "-A -f 1 -6 -s wlc -p 300",
        "-A -f 1 -s wlc -p 300",
        "-A -t 192.168.0.1:443 -s wrr -p 600 -M 255.255.255.0",
        "-A -t 192.168.0.1:80 -s rr",
        "-A -u 192.168.0.1:5060 -s rr -p 60 --pe sip",
        "-A -u [2001:db8::1]:53 -s rr -o",
    ],
    "ipvs_table": [
        "-A -t 192.168.0.1:80 -s rr",
        "-a -t 192.168.0.1:80 -r 172.16.0.1:80 -m -w 1",
        "-a -t 192.168.0.1:80 -r 172.16.0.3:80 -m -w 1",
    ],
    "ipvs_sysctls": [],
    "ipvs_sync_daemon": [],
    "ipvs_timeouts": [],
}
SETTINGS = {
    "ipvs_sync_daemon": (
        "--daemon",
        "master sync daemon (mcast=eth1, syncid=7, maxlen=1472, group=239.192.0.81, port=8850, ttl=1)\n",
    ),
    "ipvs_timeouts": ("--timeout", "Timeout (tcp tcpfin udp): 7500 60 30\n"),
}
LOCAL = "ansible_connection=local ansible_python_interpreter='{{ ansible_playbook_python }}'"


def with_eth1(netns):
    """The namespace with the interface of the examples."""
    netns.run("ip", "link", "add", "eth1", "type", "dummy")
    netns.run("ip", "link", "set", "eth1", "up")
    return netns


def examples(module, netns):
    text = importlib.import_module(f"ansible_collections.linux.lvs.plugins.modules.{module}").EXAMPLES
    return play_of_tasks(f"Examples of {module}", netns.name, text)


def test_examples_of_all_modules_play_from_top_to_bottom_on_an_empty_table(patient_ansible, make_netns):
    """In one file, since Ansible's start takes longer than a task."""
    namespaces = {module: with_eth1(make_netns()) for module in MODULES}
    plays = "".join(examples(module, netns) for module, netns in namespaces.items())
    assert patient_ansible.play(plays).recap["failed"] == 0
    assert {module: netns.save() for module, netns in namespaces.items()} == TABLES
    for module, (word, shown) in SETTINGS.items():
        assert namespaces[module].ipvsadm("-L", word) == shown


def test_examples_of_ipvs_sysctls_set_what_they_show(newest_ansible, netns):
    assert newest_ansible.play(examples("ipvs_sysctls", netns)).recap["changed"] == 4
    assert newest_ansible.play(examples("ipvs_sysctls", netns)).recap["changed"] == 0
    shown = netns.run(
        "sysctl", "-n", *(f"net.ipv4.vs.{name}" for name in ("conntrack", "sync_threshold", "drop_entry"))
    )
    assert shown.stdout.split() == ["1", "2", "0", "1"]


def test_examples_of_ipvs_info_play_on_a_table(newest_ansible, netns):
    netns.restore("\n".join([*WEB, "-e -t 192.168.0.1:80 -r 172.16.0.2:80 -m -w 0\n"]))
    played = newest_ansible.play(examples("ipvs_info", netns))
    assert '"weight": 0' in played.of_task("Show the servers that are drained")
    assert re.search(r'"msg": "?0"?$', played.of_task("Show its established connections"), re.MULTILINE)


def blocks_of(path):
    return re.findall(r"^```yaml\n(.*?)^```", (REPOSITORY / path).read_text(), re.MULTILINE | re.DOTALL)


def test_playbooks_of_the_readme_play(newest_ansible, netns, tmp_path):
    set_up, drain, table = (text for text in blocks_of("README.md") if "hosts:" in text and "roles:" not in text)
    inventory = tmp_path / "hosts"
    inventory.write_text(f"[directors]\nlocalhost {LOCAL}\n")
    inside = ["ip", "netns", "exec", netns.name]
    assert newest_ansible.play(set_up, "-i", inventory, prefix=inside).recap["changed"] == 2
    assert netns.save() == WEB
    assert newest_ansible.play(set_up, "-i", inventory, prefix=inside).recap["changed"] == 0
    edge = drain.replace("netns: edge", f"netns: {netns.name}")
    assert edge != drain
    assert newest_ansible.play(edge, "-i", inventory).recap["changed"] == 1
    assert netns.save() == [*WEB[:2], WEB[2].replace("-w 1", "-w 0")]
    assert newest_ansible.play(table, "-i", inventory, prefix=inside).recap["changed"] == 1
    assert newest_ansible.play(table, "-i", inventory, prefix=inside).recap["changed"] == 0
    assert netns.save() == [
        "-A -t 192.168.0.1:80 -s wrr",
        "-A -u [2001:db8::1]:53 -s wlc",
        "-a -t 192.168.0.1:80 -r 172.16.0.1:80 -m -w 3",
        "-a -t 192.168.0.1:80 -r 172.16.0.2:80 -m -w 1",
        "-a -u [2001:db8::1]:53 -r [2001:db8::11]:53 -g -w 1",
    ]


def test_ansible_doc_shows_every_module(ansible):
    text = ansible.run("ansible-doc", *(f"linux.lvs.{module}" for module in MODULES)).stdout
    assert text.count("EXAMPLES:") == text.count("OPTIONS (") == len(MODULES)


def test_ansible_doc_lists_all_modules(ansible):
    listed = ansible.run("ansible-doc", "--list", "linux.lvs").stdout
    assert re.findall(r"^linux\.lvs\.(\w+)", listed, re.MULTILINE) == MODULES


def test_guide_of_the_table_plays(patient_ansible, netns, tmp_path):
    text = (REPOSITORY / "docs/docsite/rst/table_guide.rst").read_text()
    variables, *tasks = [
        textwrap.dedent(block)
        for block in re.findall(r"^\.\. code-block:: \S+\n\n((?:    .*\n|\n)+)", text, re.MULTILINE)
    ]
    (tmp_path / "vars.yml").write_text(variables)
    played = patient_ansible.play(
        play_of_tasks("Guide", netns.name, "\n".join(tasks)), "-e", f"@{tmp_path / 'vars.yml'}"
    )
    assert played.recap["failed"] == 0
    assert played.recap["changed"] == 3
    assert netns.save() == [
        "-A -t 192.168.0.1:25 -s rr",
        "-A -t 192.168.0.1:80 -s wrr",
        "-a -t 192.168.0.1:25 -r 172.16.0.1:25 -m -w 1",
        "-a -t 192.168.0.1:80 -r 172.16.0.1:80 -m -w 3",
        "-a -t 192.168.0.1:80 -r 172.16.0.2:80 -m -w 1",
    ]
