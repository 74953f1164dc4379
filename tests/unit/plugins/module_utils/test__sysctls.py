# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What sysctls take, when two values mean the same, what is told about those that are not there."""

from __future__ import annotations

import pytest
from ansible_collections.linux.lvs.plugins.module_utils._options import Reader
from ansible_collections.linux.lvs.plugins.module_utils._sysctls import (
    SYSCTLS,
    Wish,
    command,
    differing,
    format_cpus,
    missing,
    parse_cpus,
    read_wishes,
    unknown,
    unproven,
    why_not_kept,
)
from hypothesis import given
from hypothesis import strategies as st

CPUS = frozenset(range(8))


def wishes(values, cpus=CPUS):
    problems = []
    return {wish.name: wish.value for wish in read_wishes(Reader({"values": values}, "", problems), cpus)}, problems


TAKEN = [
    ("conntrack", True, 1),
    ("conntrack", False, 0),
    ("conntrack", 1, 1),
    ("conntrack", "0", 0),
    ("conntrack", "yes", 1),
    ("am_droprate", 1, 1),
    ("amemthresh", "2147483647", 2147483647),
    ("conn_lfactor", -8, -8),
    ("svc_lfactor", "8", 8),
    ("conn_max", 1 << 30, 1073741824),
    ("conn_reuse_mode", 3, 3),
    ("drop_entry", 0, 0),
    ("drop_entry", 1, 1),
    ("drop_packet", "2", 1),
    ("secure_tcp", 3, 3),
    ("est_nice", -20, -20),
    ("sync_ports", 1, 1),
    ("sync_ports", 64, 64),
    ("sync_qlen_max", 4294967295, 4294967295),
    ("sync_threshold", "3 50", "3 50"),
    ("sync_threshold", " 3\t 50\n", "3 50"),
    ("sync_threshold", [3, "50"], "3 50"),
    ("sync_threshold", "0 0", "0 0"),
    ("sync_threshold", "7 0", "7 0"),
    ("sync_threshold", "0 1", "0 1"),
    ("est_cpulist", "", ""),
    ("est_cpulist", [], ""),
    ("est_cpulist", " \n", ""),
    ("est_cpulist", 3, "3"),
    ("est_cpulist", "0-2", "0-2"),
    ("est_cpulist", "2,1,0", "0-2"),
    ("est_cpulist", "0-1, 5 7", "0-1,5,7"),
    ("est_cpulist", [0, "2-3"], "0,2-3"),
    ("est_cpulist", "all", "0-7"),
    ("est_cpulist", "ALL:1/4", "0,4"),
    ("est_cpulist", "N", "7"),
    ("est_cpulist", "0,1-N:1/2", "0-1,3,5,7"),
    ("est_cpulist", "0-6:2/3", "0-1,3-4,6"),
    ("some_news", " a \t b ", "a b"),
    ("some_news", "7", 7),
    ("some_news", 7, 7),
    ("some_news", True, 1),
]


@pytest.mark.parametrize(("name", "given_value", "value"), TAKEN)
def test_value_is_taken_in_its_normal_form(name, given_value, value):
    assert wishes({name: given_value}) == ({name: value}, [])


LIST = "is not a list of CPUs such as 0-3,8 or all, or an empty text for none"
PAIR = "is not two whole numbers such as '3 50'"
WRONG = [
    ("conntrack", 2, "2 is neither true nor false"),
    ("conntrack", "on off", "'on off' is neither true nor false"),
    ("am_droprate", 0, "0 is not between 1 and 2147483647"),
    ("am_droprate", -1, "-1 is not between 1 and 2147483647"),
    ("amemthresh", -1, "-1 is not between 0 and 2147483647"),
    ("conn_lfactor", -9, "-9 is not between -8 and 8"),
    ("conn_max", (1 << 30) + 1, "1073741825 is not between 0 and 1073741824"),
    ("conn_reuse_mode", 4, "4 is not between 0 and 3"),
    ("drop_entry", 4, "4 is not between 0 and 3"),
    ("drop_entry", True, "True is not a whole number between 0 and 3"),
    ("est_nice", 20, "20 is not between -20 and 19"),
    ("lblc_expiration", 0, "0 is not between 1 and 2147483"),
    ("sync_persist_mode", 2, "2 is not between 0 and 1"),
    ("sync_ports", 0, "0 is not between 1 and 64"),
    ("sync_ports", 3, "3 is not a power of two between 1 and 64"),
    ("sync_ports", 128, "128 is not between 1 and 64"),
    ("sync_qlen_max", 0, "0 is not between 1 and 4294967295"),
    ("sync_refresh_period", "1h", "'1h' is not a whole number between 0 and 2147483"),
    ("sync_sock_size", -1, "-1 is not between 0 and 2147483647"),
    ("sync_threshold", 3, f"3 {PAIR}"),
    ("sync_threshold", "3", f"'3' {PAIR}"),
    ("sync_threshold", "3 50 7", f"'3 50 7' {PAIR}"),
    ("sync_threshold", {"a": 1}, f"{{'a': 1}} {PAIR}"),
    ("sync_threshold", "3,50", f"'3,50' {PAIR}"),
    ("sync_threshold", "-1 5", "-1 is not between 0 and 2147483647"),
    ("sync_threshold", "5 5", "threshold 5 is not below the period 5, which may be 0 for once only"),
    ("est_cpulist", "x", f"'x' {LIST}"),
    ("est_cpulist", "all-3", f"'all-3' {LIST}"),
    ("est_cpulist", "-1", f"'-1' {LIST}"),
    ("est_cpulist", True, f"True {LIST}"),
    ("est_cpulist", "0-3:1", f"'0-3:1' {LIST}"),
    ("est_cpulist", "3-1", "'3-1' begins after its end"),
    ("est_cpulist", "N-0", "'N-0' begins after its end"),
    ("est_cpulist", "0-3:0/2", "'0-3:0/2' asks for 0 of every 2 CPUs"),
    ("est_cpulist", "0-3:3/2", "'0-3:3/2' asks for 3 of every 2 CPUs"),
    ("est_cpulist", "0-999999999", "'0-999999999' is not within the CPUs of this host, 0-7"),
    ("est_cpulist", [0, 8], "'8' is not within the CPUs of this host, 0-7"),
    ("some_news", 1.5, "1.5 is neither a number nor a line of text"),
    ("some_news", [1], "[1] is neither a number nor a line of text"),
    ("some_news", "a\nb", "'a\\nb' is neither a number nor a line of text"),
]


@pytest.mark.parametrize(("name", "value", "message"), WRONG)
def test_wrong_value_is_told(name, value, message):
    assert wishes({name: value})[1] == [f"values.{name}: {message}"]


def test_wrong_values_are_told_all_at_once():
    assert wishes({"sync_ports": 3, "conntrack": 1, "est_nice": "x"})[1] == [
        "values.sync_ports: 3 is not a power of two between 1 and 64",
        "values.est_nice: 'x' is not a whole number between -20 and 19",
    ]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (None, "values: is required: a dictionary such as {conntrack: true, sync_threshold: 3 50}"),
        ({}, "values: is empty; give at least one sysctl, such as conntrack"),
        (7, "values: 7 is not a dictionary"),
        (
            {"../../ip_forward": 1},
            "values.../../ip_forward: '../../ip_forward' is not the name of a sysctl of IPVS, such as conntrack or"
            " net.ipv4.vs.conntrack",
        ),
        (
            {"net.ipv4.ip_forward": 1},
            "values.net.ipv4.ip_forward: 'net.ipv4.ip_forward' is not the name of a sysctl of IPVS, such as conntrack"
            " or net.ipv4.vs.conntrack",
        ),
        (
            {"net.ipv4.vs.": 1},
            "values.net.ipv4.vs.: 'net.ipv4.vs.' is not the name of a sysctl of IPVS, such as conntrack or"
            " net.ipv4.vs.conntrack",
        ),
        (
            {"conntrack": 1, "net.ipv4.vs.conntrack": 1},
            "values.net.ipv4.vs.conntrack: is the same sysctl as values.conntrack; give it once",
        ),
        (
            {"net/ipv4/vs/conntrack": 1, "conntrack": 0},
            "values.conntrack: is the same sysctl as values.net/ipv4/vs/conntrack; give it once",
        ),
    ],
)
def test_wrong_dictionary_is_told(values, message):
    assert wishes(values)[1] == [message]


@pytest.mark.parametrize(
    "key", ["conntrack", "net.ipv4.vs.conntrack", "net/ipv4/vs/conntrack", "/proc/sys/net/ipv4/vs/conntrack"]
)
def test_name_is_understood_in_every_form(key):
    assert wishes({key: True}) == ({"conntrack": 1}, [])


def test_wishes_are_in_order_of_their_names_and_remember_what_the_user_wrote():
    found = read_wishes(Reader({"values": {"net.ipv4.vs.pmtu_disc": 1, "conntrack": 1}}, "", []), CPUS)
    assert [(wish.name, wish.path) for wish in found] == [
        ("conntrack", "values.conntrack"),
        ("pmtu_disc", "values.net.ipv4.vs.pmtu_disc"),
    ]


# name, two texts of the kernel that mean the same
ALIKE = [
    ("conntrack", "1\n", "7\n"),
    ("conntrack", "1\n", "-1\n"),
    ("run_estimation", "0\n", " 0"),
    ("drop_entry", "1\n", "2\n"),
    ("drop_packet", "1\n", "2\n"),
    ("secure_tcp", "1\n", "2\n"),
    ("sync_threshold", "3\t50\n", "3 50"),
    ("est_cpulist", "0-3\n", "0,1,2,3\n"),
    ("est_cpulist", "\n", ""),
    ("some_news", "a\tb\n", "a b"),
]
DIFFERENT = [
    ("conntrack", "0\n", "1\n"),
    ("drop_entry", "1\n", "3\n"),
    ("drop_entry", "0\n", "1\n"),
    ("conn_reuse_mode", "1\n", "2\n"),
    ("sync_persist_mode", "1\n", "5\n"),
    ("sync_threshold", "3\t50\n", "3\t5\n"),
    ("est_cpulist", "0-3\n", "0-2\n"),
    ("sync_refresh_period", "0\n", "-18262276632972456101\n"),
    ("conntrack", "0\n", "what now\n"),
    ("est_cpulist", "0\n", "what now\n"),
]


@pytest.mark.parametrize(("name", "one", "other"), ALIKE)
def test_what_means_the_same_is_equal(name, one, other):
    normal = SYSCTLS.get(name, Wish("", name, 0).sysctl).kind.normal
    assert normal(one) == normal(other)


@pytest.mark.parametrize(("name", "one", "other"), DIFFERENT)
def test_what_means_something_else_is_not_equal(name, one, other):
    normal = SYSCTLS[name].kind.normal
    assert normal(one) != normal(other)


@pytest.mark.parametrize("name", SYSCTLS)
def test_default_is_a_value_in_normal_form(name):
    sysctl = SYSCTLS[name]
    if sysctl.default is not None:
        assert sysctl.kind.normal(str(sysctl.default)) == sysctl.default
        assert sysctl.kind.parse(sysctl.default, CPUS) == sysctl.default


ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.lists(st.integers()),
    st.dictionaries(st.text(), st.text()),
)


@pytest.mark.parametrize("name", [*SYSCTLS, "some_news"])
@given(value=st.one_of(ANYTHING, st.text("0123456789-N,:/al \t")))
def test_whatever_is_given_is_a_problem_or_a_value_that_stays_itself_through_the_kernel(name, value):
    """What is written must read back as equal, or the second run would change something."""
    found, problems = wishes({name: value})
    assert all(problem.startswith(("values: ", f"values.{name}: ")) for problem in problems)
    if not problems:
        assert Wish("", name, 0).sysctl.kind.normal(f"{found[name]}\n") == found[name]


@given(st.frozensets(st.integers(0, 300)))
def test_cpus_are_the_same_set_as_text(cpus):
    assert parse_cpus(format_cpus(cpus)) == cpus


def test_only_what_differs_is_to_be_done():
    conntrack, pair = Wish("values.conntrack", "conntrack", 1), Wish("values.sync_threshold", "sync_threshold", "2 0")
    assert differing([conntrack, pair], {"conntrack": 1, "sync_threshold": "3 50"}) == (pair,)
    assert differing([conntrack], {"conntrack": 1}) == ()
    assert differing([conntrack], {}) == (conntrack,)


@pytest.mark.parametrize(
    ("name", "value", "netns", "line"),
    [
        ("conntrack", 1, None, "sysctl -w net.ipv4.vs.conntrack=1"),
        ("sync_threshold", "3 50", None, "sysctl -w 'net.ipv4.vs.sync_threshold=3 50'"),
        ("est_cpulist", "", None, "sysctl -w net.ipv4.vs.est_cpulist="),
        ("est_cpulist", "0-3,8", "edge", "ip netns exec edge sysctl -w net.ipv4.vs.est_cpulist=0-3,8"),
        ("conn_lfactor", -4, "a b", "ip netns exec 'a b' sysctl -w net.ipv4.vs.conn_lfactor=-4"),
    ],
)
def test_command_line_is_quoted(name, value, netns, line):
    assert command(name, value, netns) == line


def wish(name):
    return Wish(f"values.{name}", name, 1)


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("run_estimation", ", which there is since Linux 5.16"),
        ("est_cpulist", ", which there is since Linux 6.2"),
        ("est_nice", ", which there is since Linux 6.2"),
        ("conn_lfactor", ", which there is since Linux 7.1"),
        ("conn_max", ", which there is since Linux 7.2"),
        ("debug_level", ", which there is only in kernels built with CONFIG_IP_VS_DEBUG, which few are"),
        ("conntrack", ", which there is only in kernels built with CONFIG_IP_VS_NFCT"),
        (
            "lblc_expiration",
            ", which there is only with the scheduler's module ip_vs_lblc loaded, as the first service with scheduler"
            " lblc does",
        ),
        ("drop_entry", ""),
        ("some_news", "; there are conntrack, drop_entry"),
    ],
)
def test_missing_sysctl_is_told_with_what_it_takes_to_have_it(name, end):
    told = missing(wish(name), {"drop_entry", "conntrack"}, "5.4.0-1")
    assert told == f"values.{name}: this kernel (5.4.0-1) has no net.ipv4.vs.{name}{end}"


def test_cpus_that_the_kernel_would_leave_out_are_told():
    def told(name, value, allowed):
        return why_not_kept(Wish(f"values.{name}", name, value), allowed)

    assert told("est_cpulist", "0-3", "0-1,3") == (
        "the kernel takes only those CPUs that this process may run on, 0-1,3"
    )
    assert told("est_cpulist", "0-1", "0-1,3") is None
    assert told("est_cpulist", "", "0") is None
    assert told("est_cpulist", "0-3", None) is None
    assert told("sync_ports", 4, "0") is None


NOT_YET = "can't be told before IPVS is loaded"


@pytest.mark.parametrize(
    ("name", "release", "told"),
    [
        ("conntrack", "6.1.0-49-amd64", []),
        ("debug_level", "6.1.0-49-amd64", ["kernels built with CONFIG_IP_VS_DEBUG"]),
        ("lblc_expiration", "6.1.0-49-amd64", ["module ip_vs_lblc loaded"]),
        ("drop_entry", "6.1.0-49-amd64", []),
        ("run_estimation", "6.1.0-49-amd64", []),
        ("run_estimation", "5.10.0-28-amd64", ["since Linux 5.16"]),
        ("est_nice", "6.1.0-49-amd64", ["since Linux 6.2"]),
        ("est_nice", "6.12.0", []),
        ("est_cpulist", "6.12.0", ["by default"]),
        ("est_cpulist", "6.1.0", ["since Linux 6.2", "by default"]),
        ("sync_qlen_max", "6.1.0", ["by default"]),
        ("some_news", "7.2.7", ["has it", "by default"]),
    ],
)
def test_what_can_not_be_known_before_ipvs_is_loaded_is_told(name, release, told):
    found = list(unproven(wish(name), release))
    assert len(found) == len(told)
    for text, words in zip(found, told):
        assert text.startswith(f"values.{name}: ")
        assert words in text
        assert NOT_YET in text


def test_only_what_is_not_known_is_warned_of():
    assert list(unknown(wish("conntrack"))) == []
    assert list(unknown(wish("some_news"))) == [
        "values.some_news: net.ipv4.vs.some_news is not known to this collection, so its value is not checked and"
        " compared as text"
    ]
