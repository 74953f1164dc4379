# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which services keepalived.conf declares.

keepalived/*.save is what `ipvsadm -S -n` showed of a kernel (7.2) after keepalived 2.2.7 had been started with the file
of the same name and `-i other`; a mark above 2147483647, which ipvsadm writes as a negative number, is written out.
"""

from __future__ import annotations

from pathlib import Path
from unittest import mock

import pytest
from ansible_collections.linux.lvs.plugins.module_utils import _keepalived
from ansible_collections.linux.lvs.plugins.module_utils._blocks import Found, Source, read_tree
from ansible_collections.linux.lvs.plugins.module_utils._ipvsadm import parse
from ansible_collections.linux.lvs.plugins.module_utils._keepalived import MAX_ADDRESSES, declared_services
from ansible_collections.linux.lvs.plugins.module_utils._owners import Host
from hypothesis import given
from hypothesis import strategies as st

FILES = sorted((Path(__file__).parent / "keepalived").glob("*.conf"))
PATH = "/etc/keepalived/keepalived.conf"
SERVER = "real_server 198.51.100.1 80 {\n}\n"

WORDS = st.sampled_from(
    [
        *(
            "virtual_server",
            "virtual_server_group",
            "real_server",
            "sorry_server",
            "protocol",
            "TCP",
            "fwmark",
            "group",
        ),
        *("global_defs", "lvs_flush", "lvs_sync_daemon", "vrrp_instance", "lvs_sync_daemon_interface", "inst"),
        *("lvs_method", "TUN", "ip_family", "inet6", "persistence_granularity", "net_namespace", "{", "}", "\n", " "),
        *("192.0.2.1", "192.0.2.1-9", "192.0.2.0/24", "192.0.2.9-192.0.2.1", "2001:db8::1", "2001:db8::1-ffff", "::/0"),
        *("2001:db8::1-10000", "0.0.0.0-255.255.255.255", "80", "0", "99999999999", "G", '"', "-", "/", ":", "."),
    ]
)


def declared(text, path=PATH):
    return declared_services(read_tree(Source(path, text), lambda pattern: Found(), "other").statements)


def keys(text):
    return [str(claim.key) for claim in declared(text).claims]


def warnings(text):
    return [warning.replace(PATH, "conf") for warning in declared(text).warnings]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_services_are_those_that_keepalived_makes(path):
    tree = read_tree(Source(str(path), path.read_text()), Host().find, "other")
    found = {claim.key for claim in declared_services(tree.statements).claims}
    assert found == set(parse(path.with_suffix(".save").read_text()))
    assert tree.warnings == ()


def test_places_are_those_of_the_services_within_groups_too():
    text = f"virtual_server group G {{\n{SERVER}}}\nvirtual_server_group G {{\n192.0.2.1 80\nfwmark 1\n}}\n"
    assert [str(claim.place) for claim in declared(text).claims] == [f"{PATH}:6", f"{PATH}:7"]


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("virtual_server 192.0.2.256 80 {", "'192.0.2.256' is not an IPv4 or IPv6 address (names are not resolved)"),
        ("virtual_server www 80 {", "'www' is not an IPv4 or IPv6 address (names are not resolved)"),
        ("virtual_server [::1] 80 {", "'[::1]' is not an address without brackets, as keepalived takes it"),
        ("virtual_server 192.0.2.1 http {", "'http' is not a whole number between 1 and 65535"),
        ("virtual_server fwmark 0 {", "0 is not between 1 and 4294967295"),
        ("virtual_server fwmark {", "'' is not a whole number between 1 and 4294967295"),
        ("virtual_server {", "'' is not an IPv4 or IPv6 address (names are not resolved)"),
        ("virtual_server group G {", "there is no virtual_server_group of this name"),
    ],
)
def test_service_that_is_not_understood_is_a_warning(text, warning):
    assert warnings(f"\n{text}\n{SERVER}}}") == [f"conf:2: {text[:-2]}: {warning}"]


@pytest.mark.parametrize("servers", ["", "real_server 198.51.100.256 80 {\n}\n", "real_server ::1 80 {\n}\n"])
def test_service_without_servers_is_a_warning(servers):
    (warning,) = warnings(f"virtual_server 192.0.2.1 80 {{\n{servers}}}")
    assert "no real server of it can be used" in warning


@pytest.mark.parametrize(
    ("text", "warning"),
    [
        ("192.0.2.1-256", "'256' is not the end of a range"),
        ("192.0.2.1-2001:db8::1", "'2001:db8::1' is of another family than the begin of the range"),
        ("2001:db8::1-1ffff", "'1ffff' is not the end of a range"),
        ("2001:db8::/64", "'2001:db8::/64' is not a range of 1 to 65536 addresses"),
    ],
)
def test_wrong_line_of_a_group_is_a_warning_and_the_others_count(text, warning):
    group = f"virtual_server_group G {{\n{text} 80\n192.0.2.9 80\n}}\nvirtual_server group G {{\n{SERVER}}}\n"
    assert warnings(group) == [f"conf:2: {text} 80: {warning}"]
    assert keys(group) == ["udp 192.0.2.9:80"]


def test_server_by_name_is_one_without_being_resolved():
    assert keys("virtual_server 192.0.2.1 80 {\nreal_server web1.example.com 80 {\n}\n}") == ["udp 192.0.2.1:80"]


@pytest.mark.parametrize(
    ("servers", "family"),
    [
        ("persistence_granularity 64\nreal_server web1 {\n}", "ipv6"),
        ("persistence_granularity 255.0.0.0\nreal_server web1 {\n}", "ipv4"),
        ("sorry_server ::1\nsorry_server_lvs_method TUN\nreal_server ::2 {\nlvs_method TUN\n}", "ipv6"),
        ("sorry_server ::1\nlvs_method TUN\nreal_server 192.0.2.2 {\nlvs_method DR\n}", "ipv4"),
        ("lb_kind TUN\nreal_server ::1 {\n}\nreal_server 192.0.2.2 {\n}", "ipv4"),
    ],
)
def test_family_of_a_mark_follows_from_the_servers(servers, family):
    assert keys(f"virtual_server fwmark 1 {{\n{servers}\n}}") == [f"fwmark 1 ({family})"]


WEB = f"virtual_server 192.0.2.1 80 {{\n{SERVER}}}\n"


def settings(text, **options):
    tree = read_tree(Source(PATH, text), lambda pattern: Found(), "other")
    return [
        (each.place.line, f"{each.name} {each.value}".rstrip())
        for each in declared_services(tree.statements, **options).settings
    ]


# As seen of keepalived 2.2.7 on a kernel (7.2) beside a service, timeouts and sync daemons of somebody else
@pytest.mark.parametrize(
    ("words", "setting"),
    [
        ("lvs_flush", "lvs_flush"),
        ("lvs_flush no", "lvs_flush no"),  # whatever stands behind it
        ("lvs_flush_on_stop", "lvs_flush_on_stop"),
        ("lvs_flush_onstop", "lvs_flush_on_stop"),
        ("lvs_flush_on_stop VS", None),
        ("lvs_timeouts tcp 900 udp 300", "lvs_timeouts tcp 900 udp 300"),
        ("lvs_sync_daemon eth0 id 3", "lvs_sync_daemon eth0 id 3"),
        ("lvs_netlink_cmd_rcv_bufs 1000", None),
        ("lvs_notify_fifo /run/fifo", None),
        ("@other lvs_flush", "lvs_flush"),
        ("@else lvs_flush", None),
    ],
)
def test_settings_for_the_whole_table(words, setting):
    text = f"global_defs {{\n{words}\n}}\n"
    assert settings(text + WEB) == settings(f"{text}{WEB}global_defs {{\n}}\n") == ([(2, setting)] if setting else [])
    assert settings(words + WEB) == []
    assert settings(text) == settings(text + WEB, checks=False) == []


@pytest.mark.parametrize(
    ("text", "setting"),
    [
        ("global_defs {\nlvs_sync_daemon eth0 inst V id 3\n}", "lvs_sync_daemon eth0 inst V id 3"),
        ("global_defs {\nlvs_sync_daemon eth0 id 3 inst V\n}", "lvs_sync_daemon eth0 id 3 inst V"),
        ("global_defs {\nlvs_sync_daemon eth0 V\n}", "lvs_sync_daemon eth0 V"),
        ("vrrp_instance V {\nlvs_sync_daemon_interface eth0\n}", "lvs_sync_daemon eth0"),
    ],
)
def test_sync_daemons_that_follow_vrrp_need_no_services(text, setting):
    assert settings(text) == settings(text, checks=False) == [(2, setting)]


@pytest.mark.parametrize(
    ("text", "netns"),
    [
        ("", None),
        ("net_namespace edge", "edge"),
        ("net_namespace_ipvs inner\nnet_namespace edge", "inner"),
        ("net_namespace edge\nnet_namespace_ipvs", None),
    ],
)
def test_namespace_is_that_of_the_table(text, netns):
    assert declared(text).netns == netns


def test_more_services_than_anybody_has_are_not_read():
    group = f"virtual_server_group G {{\n2001:db8::0-ffff 80\n}}\nvirtual_server group G {{\nprotocol TCP\n{SERVER}}}\n"
    text = group.replace(SERVER, "real_server ::9 80 {\n}\n")
    assert len(declared(text).claims) == MAX_ADDRESSES
    found = declared(f"{text}{text.partition('}')[2]}virtual_server 192.0.2.1 80 {{\n{SERVER}}}\n")
    assert len(found.claims) == 2 * MAX_ADDRESSES
    (warning,) = found.warnings
    assert warning.endswith(f"nothing is read from here on, there are more than {MAX_ADDRESSES} services")


@given(st.lists(WORDS).map(" ".join))
def test_any_text_of_its_words_is_read(text):
    with mock.patch.object(_keepalived, "MAX_ADDRESSES", 1000):  # a second for each text that has so many
        found = declared(text)
    assert all(claim.place.path == PATH for claim in found.claims)
    assert all(warning.startswith(f"{PATH}:") for warning in found.warnings)
