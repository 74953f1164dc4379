# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sysctls of a director, by names with slashes: which it needs, what they were before, which become that again.

Private to linux.lvs: may change in any release.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any, Iterator, Mapping, Sequence

from ._address import FAMILIES, IPV4, IPV6

FORWARDING = {IPV4: "net/ipv4/ip_forward", IPV6: "net/ipv6/conf/all/forwarding"}
_REDIRECTS = "net/ipv4/conf/all/accept_redirects"
_LISTENS = "net/ipv6/conf/{}/accept_ra"
# what the kernel sets itself when it ceases to forward, and then the other way when it begins
# (inet_forward_change in net/ipv4/devinet.c, addrconf_forward_change in net/ipv6/addrconf.c)
_ENDS_WITH = {
    IPV4: ((_REDIRECTS, "1"), ("net/ipv4/conf/*/forwarding", "0")),
    IPV6: (("net/ipv6/conf/*/forwarding", "0"),),
}


def asked_sysctls(forwarding: Sequence[str], sysctls: Mapping[str, str]) -> dict[str, str | None]:
    """What has to be known of a host: patterns of names, each with the value that it is to have, or None."""
    beside = [pattern for family in FAMILIES for pattern, _value in _ENDS_WITH[family]]
    wanted = {FORWARDING[family]: "1" for family in forwarding}
    # of a family that is needed no more too, as the kernel may have servers by NAT that nobody declared
    return {**dict.fromkeys([FORWARDING[IPV4], *beside, _LISTENS.format("*")]), **wanted, **_ipvs(sysctls)}


def director_sysctls(facts: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """``general`` and ``wanted`` (those and the ones of IPVS) to be set, in this order; ``found``, as they were before the
    first run; ``gone``, those of an earlier run that are to be as they were, in this order.

    ``facts``: ``needs`` of the director, what the role ``looked`` at, and ``nat``, the families of servers by NAT that are in
    the kernel and stay there though they were not declared: what an earlier run made them forward, is forwarded.
    """
    needs, looked = facts["needs"], facts["looked"]
    recorded = looked["record"].get("sysctls", {})
    now = {name: value for name, value in looked["sysctls"].items() if value is not None}
    kept = [family for family in facts["nat"] if needs["forwarding_derived"] and FORWARDING[family] in recorded]
    families = [family for family in FAMILIES if family in {*needs["forwarding"], *kept}]
    forwarding = [FORWARDING[family] for family in families]
    # in this order: a kernel that begins to forward drops what it learned on interfaces that don't listen all the same
    listening = _listening(looked["learned"], recorded, now) if IPV6 in families else ()
    general = {**dict.fromkeys(listening, "2"), **dict.fromkeys(forwarding, "1")}
    wanted = {**general, **_ipvs(needs["sysctls"])}
    moved = {name for family in families for name in _moved(family, recorded, now)}
    before = {**now, **recorded}
    found = {name: before[name] for name in _forwarding_first(before) if name in wanted or name in moved}
    gone = {name: recorded[name] for name in _forwarding_first(recorded) if name not in found}
    return {"general": general, "wanted": wanted, "found": found, "gone": gone}


def _ipvs(sysctls: Mapping[str, str]) -> dict[str, str]:
    return {f"net/ipv4/vs/{name}": value for name, value in sysctls.items()}


def _listening(learned: Sequence[str], recorded: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    """Where the kernel itself listens to routers (where a network manager does it is 0), and has a default route by that now
    or had one in an earlier run.
    """
    for name in dict.fromkeys([*map(_LISTENS.format, learned), *recorded]):
        if fnmatchcase(name, _LISTENS.format("*")) and now.get(name) in ("1", "2"):
            yield name


def _moved(family: str, recorded: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    """What would not be as it was when the host ceases to forward; once it forwards, nobody can tell who changed what."""
    begins = FORWARDING[family] not in recorded and now.get(FORWARDING[family]) == "0"
    for pattern, value in _ENDS_WITH[family]:
        for name in {**now, **recorded}:
            if fnmatchcase(name, pattern) and (name in recorded or (begins and now[name] != value)):
                yield name


def _forwarding_first(names: Mapping[str, str]) -> list[str]:
    """Since it moves others."""
    return sorted(names, key=lambda name: name not in FORWARDING.values())
