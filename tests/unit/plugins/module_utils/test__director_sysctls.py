# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sysctls of a director: what is set, what was found, and what becomes as it was."""

from __future__ import annotations

from ansible_collections.linux.lvs.plugins.module_utils._director_sysctls import asked_sysctls, director_sysctls

FORWARD4, FORWARD6 = "net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"
REDIRECTS, VPN = "net/ipv4/conf/all/accept_redirects", "net/ipv4/conf/wg0/forwarding"
OTHER = "net/ipv4/conf/eth0/forwarding"
LISTENS = "net/ipv6/conf/eth0/accept_ra"
CONNTRACK = "net/ipv4/vs/conntrack"
BARE = {FORWARD4: "0", REDIRECTS: "0", VPN: "1", OTHER: "0", CONNTRACK: "0"}


def sysctls(now, recorded=None, forwarding=("ipv4",), own=None, learned=(), nat=(), derived=True):
    needs = {
        "forwarding": list(forwarding),
        "forwarding_derived": derived,
        "sysctls": {"conntrack": "1"} if own is None else own,
    }
    looked = {"sysctls": now, "record": {"sysctls": recorded or {}}, "learned": list(learned)}
    return director_sysctls({"needs": needs, "looked": looked, "nat": list(nat)})


def test_everything_that_is_read_is_asked_for():
    assert asked_sysctls(["ipv4", "ipv6"], {"conntrack": "1"}) == {
        REDIRECTS: None,
        "net/ipv4/conf/*/forwarding": None,
        "net/ipv6/conf/*/forwarding": None,
        "net/ipv6/conf/*/accept_ra": None,
        FORWARD4: "1",
        FORWARD6: "1",
        CONNTRACK: "1",
    }
    # what an earlier run needed may have to stay
    assert asked_sysctls([], {}) == {
        REDIRECTS: None,
        "net/ipv4/conf/*/forwarding": None,
        "net/ipv6/conf/*/forwarding": None,
        "net/ipv6/conf/*/accept_ra": None,
        FORWARD4: None,
    }


def test_what_the_kernel_would_not_put_back_is_remembered():
    found = sysctls(BARE)
    assert found["wanted"] == {FORWARD4: "1", CONNTRACK: "1"}
    assert found["general"] == {FORWARD4: "1"}
    assert found["found"] == {FORWARD4: "0", REDIRECTS: "0", VPN: "1", CONNTRACK: "0"}
    assert next(iter(found["found"])) == FORWARD4  # which moves the others
    assert REDIRECTS not in sysctls({**BARE, REDIRECTS: "1"})["found"]


def test_a_host_that_forwards_already_is_left_alone():
    assert sysctls({**BARE, FORWARD4: "1"})["found"] == {FORWARD4: "1", CONNTRACK: "0"}


def test_the_next_run_takes_nothing_else_for_what_was_there():
    """An interface that came meanwhile forwards because all do."""
    first = sysctls(BARE)["found"]
    now = {FORWARD4: "1", REDIRECTS: "0", VPN: "1", OTHER: "1", CONNTRACK: "1"}
    assert sysctls(now, first)["found"] == first
    assert sysctls(now, first)["gone"] == {}


def test_what_is_no_longer_needed_goes_back_forwarding_first():
    recorded = {REDIRECTS: "0", CONNTRACK: "0", VPN: "1", FORWARD4: "0"}
    found = sysctls({CONNTRACK: "1"}, recorded, forwarding=())
    assert list(found["gone"].items()) == [(FORWARD4, "0"), (REDIRECTS, "0"), (VPN, "1")]
    assert found["found"] == {CONNTRACK: "0"}


def test_servers_by_nat_that_stay_are_forwarded_to_as_before():
    now = {FORWARD4: "1", FORWARD6: "1", REDIRECTS: "0", LISTENS: "2"}
    recorded = {FORWARD4: "0", FORWARD6: "0", REDIRECTS: "0", LISTENS: "1"}
    left = sysctls(now, recorded, forwarding=(), own={}, nat=["ipv4", "ipv6"])
    assert (left["found"], left["gone"]) == (recorded, {})
    assert left["general"] == {FORWARD4: "1", FORWARD6: "1", LISTENS: "2"}
    one = sysctls(now, recorded, forwarding=(), own={}, nat=["ipv6"])
    assert one["gone"] == {FORWARD4: "0", REDIRECTS: "0"}
    # where it was said, or where no run had switched it on, it is as it is
    assert sysctls(now, recorded, forwarding=(), own={}, nat=["ipv4", "ipv6"], derived=False)["gone"] == recorded
    assert sysctls(now, {}, forwarding=(), own={}, nat=["ipv4"])["general"] == {}


def test_families_are_told_apart():
    now = {FORWARD4: "1", FORWARD6: "0", "net/ipv6/conf/eth0/forwarding": "1", REDIRECTS: "0"}
    recorded = {FORWARD4: "0", REDIRECTS: "0"}
    found = sysctls(now, recorded, forwarding=["ipv6"], own={})
    assert found["gone"] == recorded
    assert found["found"] == {FORWARD6: "0", "net/ipv6/conf/eth0/forwarding": "1"}


def test_routers_are_listened_to_before_the_host_forwards():
    now = {FORWARD6: "0", LISTENS: "1", "net/ipv6/conf/eth1/accept_ra": "1", CONNTRACK: None}
    found = sysctls(now, forwarding=["ipv6"], own={}, learned=["eth0"])
    assert list(found["wanted"].items()) == [(LISTENS, "2"), (FORWARD6, "1")]
    assert list(found["found"].items()) == [(FORWARD6, "0"), (LISTENS, "1")]
    later = sysctls({**now, LISTENS: "2"}, found["found"], forwarding=["ipv6"], own={})
    assert (later["wanted"], later["found"]) == (found["wanted"], found["found"])


def test_where_a_network_manager_listens_the_kernel_does_not():
    assert sysctls({FORWARD6: "0", LISTENS: "0"}, forwarding=["ipv6"], own={}, learned=["eth0"])["wanted"] == {
        FORWARD6: "1"
    }


def test_a_sysctl_that_the_host_lacks_was_nothing():
    assert sysctls({**BARE, CONNTRACK: None})["found"] == {FORWARD4: "0", REDIRECTS: "0", VPN: "1"}
