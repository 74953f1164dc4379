# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who declares services on a host: which files are looked at, who starts with the host, and who runs."""

from __future__ import annotations

import os

import pytest
from ansible_collections.linux.lvs.plugins.module_utils import _owners
from ansible_collections.linux.lvs.plugins.module_utils._owners import Host, find_owners
from hypothesis import given
from hypothesis import strategies as st

CONF = "/etc/keepalived/keepalived.conf"
WEB = "virtual_server 192.0.2.1 80 {\nprotocol TCP\nreal_server 198.51.100.1 80 {\n}\n}\n"
DNS = WEB.replace("192.0.2.1 80", "192.0.2.2 53").replace("TCP", "UDP")
LDIRECTORD = "virtual=192.0.2.3:80\n        real=198.51.100.1:80 gate\n"
RULES = "# saved\n-A -t 192.0.2.4:80 -s rr\n-a -t 192.0.2.4:80 -r 198.51.100.1:80 -g\n-A -f 9 -6 -s rr\n"
WANTS = "/etc/systemd/system/multi-user.target.wants"


@pytest.fixture
def place(tmp_path):
    """place({path: text}) -> a Host with these files; None is a symbolic link to nowhere."""

    def make(files):
        for path, text in files.items():
            file = tmp_path / path.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            if text is None:
                file.symlink_to("/nowhere")
            else:
                file.write_text(text)
        return Host(str(tmp_path))

    return make


def found(host, is_here=lambda name: False):
    return find_owners(host, is_here)


def shown(owners):
    return [(owner.program, str(owner.claim.key), owner.enabled, owner.running) for owner in owners]


def process(number, *words):
    return {f"/proc/{number}/cmdline": "".join(f"{word}\0" for word in words)}


def test_bare_host_has_no_owners(place):
    host = place({})
    assert found(host) == []
    assert (list(host.files), list(host.warnings)) == ([], [])


def test_owner_is_returned_as_documented(place):
    (owner,) = found(place({CONF: f"\n{WEB}"}))
    assert owner.to_options() == {
        "program": "keepalived",
        "path": CONF,
        "line": 2,
        "enabled": False,
        "running": False,
        "service": {"address": "192.0.2.1", "port": 80, "protocol": "tcp"},
    }


def test_settings_are_returned_as_documented(place):
    conf = f"{WEB}include defs.conf\n"
    host = place({CONF: conf, "/etc/keepalived/defs.conf": "global_defs {\nlvs_flush\n}\n", **process(7, "keepalived")})
    assert found(host)[1].to_options() == {
        "program": "keepalived",
        "path": "/etc/keepalived/defs.conf",
        "line": 2,
        "enabled": False,
        "running": True,
        "name": "lvs_flush",
        "value": "",
    }


def test_keepalived_that_does_vrrp_only_owns_nothing(place):
    host = place({CONF: "vrrp_instance V {\nvirtual_ipaddress {\n192.0.2.1\n}\n}\n"})
    assert found(host) == []
    assert list(host.files) == [CONF]


def test_included_files_are_read(place):
    conf = "include conf.d/*.conf\ninclude extra.conf\ninclude nothing.conf\ninclude none/*.conf\ninclude dir\n"
    files = {"conf.d/b.conf": DNS, "conf.d/a.conf": WEB, "extra.conf": "include conf.d/a.conf", "dir/x": ""}
    host = place({CONF: conf, **{f"/etc/keepalived/{name}": text for name, text in files.items()}})
    assert [owner.claim.place.path.rpartition("/")[2] for owner in found(host)] == ["a.conf", "b.conf", "a.conf"]
    assert list(host.files) == [
        CONF,
        *(f"/etc/keepalived/{name}" for name in ("conf.d/a.conf", "conf.d/b.conf", "extra.conf")),
    ]
    assert list(host.warnings) == [f"{CONF}:3: include nothing.conf: there is no such file"]


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("/etc/default/keepalived", 'DAEMON_ARGS="-D -f /etc/k.conf"'),
        ("/etc/default/keepalived", "export DAEMON_ARGS='--use-file=/etc/k.conf' # comment"),
        ("/etc/sysconfig/keepalived", 'KEEPALIVED_OPTIONS="-D --use /etc/k.conf -i here"'),
        ("/etc/sysconfig/keepalived", "KEEPALIVED_OPTIONS=-Dnf/etc/k.conf"),
    ],
)
def test_file_of_keepalived_is_that_of_its_options(place, file, line):
    host = place({CONF: DNS, "/etc/k.conf": WEB, file: f"# DAEMON_ARGS=-f/etc/none\n{line}\n"})
    assert [str(owner.claim.key) for owner in found(host)] == ["tcp 192.0.2.1:80"]


@pytest.mark.parametrize("option", ["-P", "--vrrp", "-DP"])
def test_keepalived_that_is_told_to_do_vrrp_only_owns_sync_daemons_at_most(place, option):
    conf = f"{WEB}global_defs {{\nlvs_flush\nlvs_sync_daemon eth0 inst V\n}}\n"
    (owner,) = found(place({CONF: conf, "/etc/default/keepalived": f"DAEMON_ARGS={option}"}))
    assert owner.claim.name == "lvs_sync_daemon"


@pytest.mark.parametrize(("name", "key"), [("a", "tcp 192.0.2.1:80"), ("b", "tcp 192.0.2.2:80")])
def test_lines_for_a_host_are_those_of_its_name(place, name, key):
    conf = WEB.replace("192.0.2.1", "$IP")
    host = place(
        {CONF: f"@a $IP=192.0.2.1\n@b $IP=192.0.2.2\n{conf}", "/etc/default/keepalived": f"DAEMON_ARGS='-i {name}'"}
    )
    assert [str(owner.claim.key) for owner in found(host)] == [key]


def test_name_of_the_host_is_the_first_part_of_its_own(place):
    name = os.uname().nodename.partition(".")[0]
    assert len(found(place({CONF: f"@{name} $IP=192.0.2.1\n{WEB.replace('192.0.2.1', '$IP')}"}))) == 1


def test_wrong_options_are_a_warning(place):
    host = place({CONF: WEB, "/etc/default/keepalived": "DAEMON_ARGS='--what -f'"})
    assert len(found(host)) == 1
    assert list(host.warnings) == ["keepalived --what -f: option --what not recognized"]


def test_namespace_that_is_not_ours_is_left_out(place):
    host = place({CONF: f"net_namespace_ipvs edge\n{WEB}"})
    assert found(host, lambda name: name == "other") == []
    assert len(found(host, lambda name: name == "edge")) == 1


def test_namespace_of_the_options_goes_before_that_of_the_file(place):
    host = place({CONF: f"net_namespace edge\n{WEB}", "/etc/default/keepalived": "DAEMON_ARGS='-s other'"})
    assert found(host, lambda name: name == "edge") == []
    assert len(found(host, lambda name: name == "other")) == 1


@pytest.mark.parametrize(
    ("link", "enabled"),
    [
        (f"{WANTS}/keepalived.service", True),
        ("/usr/lib/systemd/system/sysinit.target.requires/keepalived.service", True),
        ("/etc/rc3.d/S01keepalived", True),
        ("/etc/runlevels/default/keepalived", True),
        ("/etc/rc3.d/K01keepalived", False),
        ("/etc/rc0.d/S01keepalived", False),
        (f"{WANTS}/keepalived2.service", False),
    ],
)
def test_what_starts_with_the_host_is_what_links_say(place, link, enabled):
    (owner,) = found(place({CONF: WEB, link: None}))
    assert owner.enabled == enabled


def test_masked_unit_does_not_start(place, tmp_path):
    host = place({CONF: WEB, f"{WANTS}/keepalived.service": None, "/etc/rc3.d/S01keepalived": None})
    (tmp_path / "etc/systemd/system/keepalived.service").symlink_to(os.devnull)
    (owner,) = found(host)
    assert not owner.enabled


def test_what_runs_is_told_from_what_starts_with_the_host(place):
    files = {CONF: WEB, "/etc/other.conf": DNS, f"{WANTS}/keepalived.service": None}
    files.update(process(7, "/usr/sbin/keepalived", "--dont-fork", "-f", "/etc/other.conf"))
    files.update(process(8, "vi", CONF))
    assert shown(found(place(files))) == [
        ("keepalived", "tcp 192.0.2.1:80", True, False),
        ("keepalived", "udp 192.0.2.2:53", False, True),
    ]


def test_children_are_no_further_owners(place):
    files = {CONF: WEB, **process(7, "/usr/sbin/keepalived", "-D"), **process(8, "/usr/sbin/keepalived", "-D")}
    assert shown(found(place(files))) == [("keepalived", "tcp 192.0.2.1:80", False, True)]


@pytest.mark.parametrize(
    "words",
    [
        ["keepalived"],
        ["/usr/sbin/keepalived", "--dont-fork"],
        ["/bin/sh", "/usr/local/sbin/keepalived"],
        ["python3.11", "-u", "/opt/keepalived"],
    ],
    ids=" ".join,
)
def test_program_and_interpreter_of_a_script_run_it(place, words):
    assert shown(found(place({CONF: WEB, **process(7, *words)})))[0][3] is True


@pytest.mark.parametrize(
    "words",
    [
        ["systemctl", "status", "keepalived"],
        ["journalctl", "-u", "keepalived", "-f"],
        ["ls", "-l", "/etc/keepalived"],
        ["vi", "keepalived"],
        ["sh", "-c", "ls /etc/keepalived"],
        ["bash", "-ec", "keepalived"],
        ["/usr/bin/perl", "-we", "print @ARGV", "keepalived"],
        ["python3", "-m", "keepalived"],
        ["perl"],
        ["sh", "-"],
        ["keepalived tcp:192.0.2.1:80"],
        [""],
        [],
    ],
    ids=" ".join,
)
def test_process_that_has_the_name_as_an_argument_does_not_run_it(place, words):
    assert shown(found(place({CONF: WEB, **process(7, *words)}))) == [("keepalived", "tcp 192.0.2.1:80", False, False)]


@pytest.mark.parametrize(("kind", "running"), [("net", False), ("pid", False), ("mnt", True)])
def test_process_of_another_namespace_or_container_is_not_ours(place, tmp_path, kind, running):
    host = place({CONF: WEB, **process(7, "keepalived"), "/ours": "", "/theirs": ""})
    for directory, namespace in (("thread-self", "ours"), ("7", "theirs")):
        links = tmp_path / "proc" / directory / "ns"
        links.mkdir(parents=True)
        for each in ("net", "pid", "mnt"):
            (links / each).symlink_to(tmp_path / (namespace if each == kind else "ours"))
    assert shown(found(host)) == [("keepalived", "tcp 192.0.2.1:80", False, running)]


@pytest.mark.parametrize(
    "path", ["/etc/ha.d/ldirectord.cf", "/etc/ha.d/conf/ldirectord-web.cf", "/etc/ldirectord.cf", "/srv/web.cf"]
)
def test_files_of_ldirectord_are_found(place, path):
    host = place(
        {path: LDIRECTORD, "/etc/default/ldirectord": "CONFIG_FILE=/srv/web.cf\n", f"{WANTS}/ldirectord.service": None}
    )
    assert shown(found(host)) == [("ldirectord", "tcp 192.0.2.3:80", True, False)]


@pytest.mark.parametrize(
    ("words", "path"),
    [
        (["/usr/sbin/ldirectord", "start"], "/etc/ha.d/ldirectord.cf"),
        (["/usr/bin/perl", "-w", "/usr/sbin/ldirectord", "web.cf", "start"], "/etc/ha.d/conf/web.cf"),
        (["ldirectord", "/srv/web.cf", "restart"], "/srv/web.cf"),
    ],
)
def test_ldirectord_that_runs_names_its_file(place, words, path):
    host = place({path: LDIRECTORD, **process(7, *words)})
    assert shown(found(host)) == [("ldirectord", "tcp 192.0.2.3:80", False, True)]


@pytest.mark.parametrize(
    ("automatic", "link", "enabled"), [("true", True, True), ("false", True, False), ("true", False, False)]
)
def test_rules_of_ipvsadm_are_loaded_when_its_settings_say_so(place, automatic, link, enabled):
    files = {"/etc/ipvsadm.rules": RULES, "/etc/default/ipvsadm": f'AUTO="{automatic}"\n'}
    host = place({**files, **({"/etc/rc2.d/S01ipvsadm": None} if link else {})})
    assert shown(found(host)) == [
        ("ipvsadm", "tcp 192.0.2.4:80", enabled, False),
        ("ipvsadm", "fwmark 9 (ipv6)", enabled, False),
    ]


def test_unit_of_ipvsadm_loads_its_own_file(place):
    host = place({"/etc/sysconfig/ipvsadm": RULES, f"{WANTS}/ipvsadm.service": None})
    assert shown(found(host))[0] == ("ipvsadm", "tcp 192.0.2.4:80", True, False)


def test_rule_that_is_not_understood_is_a_warning(place):
    host = place({"/etc/ipvsadm.rules": f"{RULES}-A -t web:http -s rr\n"})
    assert len(found(host)) == 2
    (warning,) = host.warnings
    assert warning.startswith("/etc/ipvsadm.rules:5: --tcp-service: 'web' is not an IPv4 or IPv6 address")


def test_ports_by_name_are_those_of_the_host(place):
    host = place({"/etc/ldirectord.cf": LDIRECTORD.replace(":80", ":gopherx", 1)})
    assert found(host) == []
    (warning,) = host.warnings
    assert "'gopherx' is not a port, nor a service of tcp that /etc/services names" in warning


def test_what_can_not_be_read_is_a_warning(place, tmp_path):
    host = place({CONF: f"include pipe\n{WEB}", "/etc/ipvsadm.rules/x": "", "/etc/default/ipvsadm": "\0'"})
    os.mkfifo(tmp_path / "etc/keepalived/pipe")
    assert len(found(host)) == 1
    assert list(host.warnings) == [
        f"{CONF}:1: include pipe: /etc/keepalived/pipe can't be read: it is not a regular file",
        "/etc/ipvsadm.rules: can't be read: Is a directory",
    ]


def test_file_without_an_end_is_a_warning(place, monkeypatch):
    monkeypatch.setattr(_owners, "MAX_BYTES", 10)
    host = place({CONF: WEB})
    assert found(host) == []
    assert list(host.warnings) == [f"{CONF}: can't be read: it has more than 10 bytes"]


@given(data=st.binary())
def test_any_bytes_are_read(tmp_path_factory, data):
    root = tmp_path_factory.mktemp("root")
    for path in (CONF, "/etc/ldirectord.cf", "/etc/ipvsadm.rules", "/etc/default/keepalived", "/proc/7/cmdline"):
        (root / path.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
        (root / path.lstrip("/")).write_bytes(data)
    found(Host(str(root)))
