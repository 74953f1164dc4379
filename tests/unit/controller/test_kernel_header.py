# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names and numbers are those of the kernel's own header."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest
from ansible_collections.linux.lvs.plugins.module_utils import _model, _netlink, _wire

HEADER = Path("/usr/include/linux/ip_vs.h")
NETLINK = Path("/usr/include/linux/netlink.h")

ENUMS = (
    ("IPVS_CMD_", _wire.COMMANDS),
    ("IPVS_CMD_ATTR_", _wire.CMD_ATTRIBUTES),
    ("IPVS_SVC_ATTR_", _wire.SVC_ATTRIBUTES),
    ("IPVS_DEST_ATTR_", _wire.DEST_ATTRIBUTES),
    ("IPVS_STATS_ATTR_", _wire.STATS_ATTRIBUTES),
)
MESSAGES = (
    ("IPVS_INFO_ATTR_", _netlink.ipvsinfo),
    ("IPVS_CMD_ATTR_", _netlink.settingsmsg),
    ("IPVS_DAEMON_ATTR_", _netlink.daemon_attributes),
)
NUMBERS = (
    ("IP_VS_SVC_F_PERSISTENT", _wire.SVC_F_PERSISTENT),
    ("IP_VS_SVC_F_ONEPACKET", _wire.SVC_F_ONEPACKET),
    ("IP_VS_SVC_F_SCHED1", _wire.SVC_F_SCHED[1]),
    ("IP_VS_SVC_F_SCHED2", _wire.SVC_F_SCHED[2]),
    ("IP_VS_SVC_F_SCHED3", _wire.SVC_F_SCHED[3]),
    ("IP_VS_CONN_F_FWD_MASK", _wire.CONN_F_FWD_MASK),
    ("IPVS_GENL_VERSION", _wire.GENL_VERSION),
    ("IP_VS_SCHEDNAME_MAXLEN", _model.MAX_NAME + 1),
    ("IP_VS_PENAME_MAXLEN", _model.MAX_NAME + 1),
    ("IP_VS_IFNAME_MAXLEN", _model.MAX_INTERFACE + 1),
)
FORWARDING = {
    "IP_VS_CONN_F_MASQ": "nat",
    "IP_VS_CONN_F_LOCALNODE": "local",
    "IP_VS_CONN_F_TUNNEL": "tunnel",
    "IP_VS_CONN_F_DROUTE": "direct",
    "IP_VS_CONN_F_BYPASS": "bypass",
}
TUNNEL_FLAGS = {
    "IP_VS_TUNNEL_ENCAP_FLAG_NOCSUM": "none",
    "IP_VS_TUNNEL_ENCAP_FLAG_CSUM": "csum",
    "IP_VS_TUNNEL_ENCAP_FLAG_REMCSUM": "remcsum",
}
# those of mh are the same two bits, by names that the header does not export (ip_vs_mh.c)
FLAG_NAMES = {"IP_VS_SVC_F_SCHED_SH_FALLBACK": "fallback", "IP_VS_SVC_F_SCHED_SH_PORT": "port"}


@pytest.fixture(scope="module")
def header():
    assert HEADER.exists(), f"{HEADER} is missing: apt install linux-libc-dev"
    return re.sub(r"/\*.*?\*/", "", HEADER.read_text(encoding="utf-8"), flags=re.DOTALL)


def _define(header, name):
    """The number of a constant, which may be named after another one."""
    value = re.search(rf"^#define[ \t]+{name}[ \t]+\(?([^\n)]+)", header, re.MULTILINE).group(1).strip()
    if value.startswith("IP_VS_"):
        return _define(header, value)
    left, shift, right = value.partition("<<")
    return int(left, 0) << int(right) if shift else int(value, 0)


def _enums(header):
    """The names of every enum, in their order, which is their number."""
    for body in re.findall(r"enum \{(.*?)\}", header, re.DOTALL):
        names = [item.partition("=")[0].strip() for item in body.split(",")]
        yield [name for name in names if name and not name.startswith("__")]


def _enum(header, prefix):
    (found,) = [names for names in _enums(header) if names[0] == f"{prefix}UNSPEC"]
    return found


@pytest.mark.parametrize(("prefix", "names"), ENUMS, ids=[case[0] for case in ENUMS])
def test_names_are_those_of_the_header_in_their_order(header, prefix, names):
    assert [f"{prefix}{name}" for name in names] == _enum(header, prefix)[: len(names)]


@pytest.mark.parametrize(("prefix", "message"), MESSAGES, ids=[case[0] for case in MESSAGES])
def test_attributes_are_those_of_the_header_in_their_order(header, prefix, message):
    ours = [name for name, _format in message.nla_map]
    assert ours == _enum(header, prefix)[: len(ours)]


@pytest.mark.parametrize("name", ["NLM_F_REQUEST", "NLM_F_ACK", "NLM_F_DUMP", "NLMSG_ERROR", "NLMSG_DONE"])
def test_numbers_of_netlink_are_those_of_its_header(name):
    text = NETLINK.read_text(encoding="utf-8")
    ours = _numbers(text, name)
    assert getattr(_wire, name) == sum(ours)


def _numbers(text, name):
    """The numbers of a constant of netlink.h, which may be named after others."""
    (value,) = re.findall(rf"^#define[ \t]+{name}[ \t]+([^/\n]+)", text, re.MULTILINE)
    words = re.findall(r"\w+", value)
    return [number for word in words for number in ([int(word, 0)] if word[0].isdigit() else _numbers(text, word))]


@pytest.mark.parametrize(("name", "number"), NUMBERS, ids=[case[0] for case in NUMBERS])
def test_number_is_that_of_the_header(header, name, number):
    assert number == _define(header, name)


def test_family_has_the_name_of_the_header(header):
    assert f'#define IPVS_GENL_NAME\t\t"{_netlink.GENL_NAME}"' in header


def test_forwarding_methods_are_those_of_the_header(header):
    assert {_define(header, name): word for name, word in FORWARDING.items()} == _wire.FORWARDING


def test_roles_of_daemons_are_those_of_the_header(header):
    assert {_define(header, f"IP_VS_STATE_{role.upper()}"): role for role in _model.ROLES} == _wire.ROLE


def test_tunnel_types_are_those_of_the_header_in_their_order(header):
    (found,) = [names for names in _enums(header) if names[0] == "IP_VS_CONN_F_TUNNEL_TYPE_IPIP"]
    words = [name.rpartition("_")[2].lower() for name in found if not name.endswith("_MAX")]
    assert dict(enumerate(words)) == _wire.TUNNEL_TYPE
    assert tuple(words) == _model.TUNNEL_TYPES


def test_tunnel_flags_are_those_of_the_header(header):
    assert {_define(header, name): word for name, word in TUNNEL_FLAGS.items()} == _wire.TUNNEL_FLAGS


@pytest.mark.parametrize("name", FLAG_NAMES)
def test_flags_of_schedulers_are_those_of_the_header(header, name):
    (bit,) = [bit for bit, value in _wire.SVC_F_SCHED.items() if value == _define(header, name)]
    assert _model.FLAG_NAMES["sh"][bit] == f"sh-{FLAG_NAMES[name]}"
    assert _model.FLAG_NAMES["mh"][bit] == f"mh-{FLAG_NAMES[name]}"


def test_mask_leaves_the_kernels_own_flag_alone(header):
    assert not _wire.SVC_F_MASK & _define(header, "IP_VS_SVC_F_HASHED")


def test_families_and_protocols_are_the_systems():
    assert _wire.FAMILY == {socket.AF_INET: "ipv4", socket.AF_INET6: "ipv6"}
    protocols = {socket.IPPROTO_TCP: "tcp", socket.IPPROTO_UDP: "udp", socket.IPPROTO_SCTP: "sctp"}
    assert protocols == _wire.PROTOCOL
