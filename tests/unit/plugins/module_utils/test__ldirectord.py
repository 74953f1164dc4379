# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which services the file of ldirectord declares.

ldirectord/forms.save is what `ipvsadm -S -n` showed of a kernel (7.2) after ldirectord 4.12.0 had been started with forms.cf.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.linux.lvs.plugins.module_utils._ipvsadm import parse
from ansible_collections.linux.lvs.plugins.module_utils._ldirectord import declared_services
from hypothesis import given
from hypothesis import strategies as st

FORMS = Path(__file__).parent / "ldirectord" / "forms.cf"
PATH = "/etc/ha.d/ldirectord.cf"
PORTS = {("domain", "udp"): 53, ("http", "tcp"): 80}
PIECES = st.sampled_from(
    [
        *(
            "virtual",
            "virtual6",
            "=",
            "\n",
            "        ",
            "\t",
            " ",
            "#",
            "protocol=",
            "udp",
            "fwm",
            "192.0.2.1",
            ":",
            "80",
            "http",
        ),
        *("[2001:db8::1]", "[", "]", "99999999999", "0", "real=", "\0", "\u00e9", "\u0661"),
    ]
)


def port_of(name, protocol):
    try:
        return PORTS[name, protocol]
    except KeyError:
        raise ValueError("no such port") from None


def declared(text):
    return declared_services(PATH, text, port_of)


def test_services_are_those_that_ldirectord_makes():
    found = declared_services(str(FORMS), FORMS.read_text(), port_of)
    assert {claim.key for claim in found.claims} == set(parse(FORMS.with_suffix(".save").read_text()))
    assert found.warnings == []


def test_places_are_those_of_the_services():
    text = "# a\nvirtual=192.0.2.1:80\n        real=198.51.100.1:80 gate\n\nvirtual=7\n"
    assert [str(claim.place) for claim in declared(text).claims] == [f"{PATH}:2", f"{PATH}:5"]


def test_address_without_a_port_is_the_mark_that_ldirectord_takes_it_for():
    assert [str(claim.key) for claim in declared("virtual=192.0.2.1").claims] == ["fwmark 192 (ipv4)"]


@pytest.mark.parametrize(
    ("value", "warning"),
    [
        ("virtual=www:80", "'www' is not an IPv4 or IPv6 address (names are not resolved)"),
        ("virtual=www", "'www' is neither address:port nor a firewall mark"),
        ("virtual=192.0.2.1:gopher", "no such port"),
        ("virtual=192.0.2.1:65536", "65536 is not between 0 and 65535"),
        ("virtual=[2001:db8::1]:80", "2001:db8::1 is not ipv4: IPv6 needs virtual6, and IPv4 virtual"),
        ("virtual6=192.0.2.1:80", "192.0.2.1 is not ipv6: IPv6 needs virtual6, and IPv4 virtual"),
        ("virtual=0", "0 is not between 1 and 4294967295"),
        ("virtual=", "'' is neither address:port nor a firewall mark"),
        ("virtual=192.0.2.1:80\n        protocol=sctp", "protocol 'sctp' is not one of tcp, udp"),
    ],
)
def test_service_that_is_not_understood_is_a_warning(value, warning):
    found = declared(f"\n{value}\nvirtual=7")
    assert found.warnings == [f"{PATH}:2: {value.partition(chr(10))[0]}: {warning}"]
    assert [str(claim.key) for claim in found.claims] == ["fwmark 7 (ipv4)"]


@given(st.one_of(st.text(), st.lists(PIECES).map("".join)))
def test_any_text_is_read(text):
    assert all(warning.startswith(f"{PATH}:") for warning in declared(text).warnings)
