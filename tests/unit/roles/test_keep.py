# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The roles' program: frames of ARP and NDP, what other files of sysctls say, lines and what takes them away.

What it does to a kernel is tested on whole machines, by molecule.
"""

from __future__ import annotations

import errno
import importlib.util
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

PATH = Path(__file__).parents[3] / "roles" / "director" / "files" / "keep.py"
SPEC = importlib.util.spec_from_file_location("keep", PATH)
keep = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(keep)

OWN, OTHER = bytes.fromhex("525400000001"), bytes.fromhex("525400000002")
TABLE = """\
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
TCP  C0000201:0050 rr
  -> C6336401:0050      Masq    1      0          0
UDP  [2001:0db8:0000:0000:0000:0000:0000:0001]:0035 wlc
"""


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "ip_vs"
    path.write_text(TABLE)
    return path


@pytest.mark.parametrize(
    ("address", "served"),
    [("192.0.2.1", True), ("2001:db8::1", True), ("198.51.100.1", False), ("192.0.2.2", False), ("2001:db8::2", False)],
)
def test_an_address_is_served_when_the_table_has_a_service_for_it(table, address, served):
    assert (keep.packed(address) in keep.served(keep.entries(table))) is served


def test_a_service_by_mark_may_be_for_any_address(table):
    table.write_text(TABLE + "FWM  00000007 rr\n")
    assert keep.ANY in keep.served(keep.entries(table))


def test_without_ipvs_nothing_is_served(tmp_path):
    assert keep.served(keep.entries(tmp_path / "missing")) == set()
    assert keep.loaded(keep.entries(tmp_path / "missing")) == {}


def test_services_have_the_names_that_the_modules_give_them(table):
    text = "FWM  00000007 rr\n  -> [2001:0db8:0000:0000:0000:0000:0000:0009]:0050 Masq    1      0          0\n"
    table.write_text(TABLE + "  -> [2001:0db8:0000:0000:0000:0000:0000:0008]:0035 Route   1      0          0\n" + text)
    assert keep.loaded(keep.entries(table)) == {
        "tcp 192.0.2.1:80": ["ipv4"],
        "udp [2001:db8::1]:53": [],
        "fwmark 7": ["ipv6"],
    }


def test_an_address_is_held_by_an_interface_that_is_in_use(tmp_path):
    kept = tmp_path / "vips"
    kept.write_text("vip 192.0.2.1/32 eth0\nvip 192.0.2.2/32 eth1\nvip 2001:db8::1/128 eth0\nvip 192.0.2.3/32 eth0\n")
    own = {
        "eth0": ["192.0.2.1/32", "192.0.2.9/24", "2001:db8::1/128", "fe80::1/64"],
        "eth1": ["192.0.2.2/32"],  # a part of something else by now
    }
    assert keep.holders(kept, own) == {"192.0.2.1": "eth0"}
    own["eth0"].append("2001:db8::9/128")  # as DHCP gives them
    assert keep.holders(kept, own) == {"192.0.2.1": "eth0", "2001:db8::1": "eth0"}
    assert keep.holders(tmp_path / "missing", own) == {}


def test_the_port_of_ssh_is_told_by_whoever_called_sudo():
    """sudo takes the variable out of the environment of what it runs."""
    ask = f"import sys; sys.argv = ['keep']; exec(open({str(PATH)!r}).read().split('if __name__')[0]); print(*ssh_ports())"
    words = [sys.executable, "-c", f"import subprocess; subprocess.run([{sys.executable!r}, '-c', {ask!r}], env={{}})"]
    told = {**os.environ, "SSH_CONNECTION": "192.0.2.1 50000 192.0.2.2 2222"}
    assert subprocess.run(words, env=told, capture_output=True, text=True, check=True).stdout.split()[0] == "2222"


def test_an_arp_request_asks_and_an_answer_is_understood():
    asked = keep.arp(OWN, bytes(4), "192.0.2.1")
    assert asked[:6] == b"\xff" * 6
    assert asked[38:42] == socket.inet_aton("192.0.2.1")
    assert keep.arp_sender(asked) == (bytes(4), OWN)
    answer = OWN + OTHER + asked[12:20] + b"\0\2" + OTHER + socket.inet_aton("192.0.2.1") + OWN + bytes(4)
    assert keep.arp_sender(answer) == (socket.inet_aton("192.0.2.1"), OTHER)


def test_an_announcement_has_the_address_as_its_sender():
    address = socket.inet_aton("192.0.2.1")
    assert keep.arp_sender(keep.arp(OTHER, address, "192.0.2.1")) == (address, OTHER)


def test_neighbour_discovery():
    asked = keep.solicitation(OWN, "2001:db8::a:1")
    assert asked[:6] == bytes.fromhex("3333ff0a0001")
    # another one that wants the address just now counts as having it
    assert keep.advertiser(asked) == (keep.packed("2001:db8::a:1"), OWN)
    assert keep.advertiser(keep.advertisement(OTHER, "2001:db8::a:1")) == (keep.packed("2001:db8::a:1"), OTHER)
    assert keep.advertiser(keep.arp(OTHER, bytes(4), "192.0.2.1")) is None


@pytest.mark.parametrize("frame", [keep.solicitation(OWN, "2001:db8::1"), keep.advertisement(OWN, "2001:db8::1")])
def test_icmpv6_has_the_right_checksum(frame):
    packet = frame[14:]
    body = packet[40:]
    assert packet[4:6] == len(body).to_bytes(2, "big")
    pseudo = packet[8:40] + len(body).to_bytes(4, "big") + (58).to_bytes(4, "big")
    assert keep.checksum(pseudo + body) == 0  # RFC 1071: over all, its own field included


def test_checksum_of_the_rfc():
    assert keep.checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0xFFFF ^ 0xDDF2


def test_files_that_come_later_and_say_otherwise_are_named(tmp_path):
    files = {
        "etc/sysctl.d/99-sysctl.conf": "net.ipv4.ip_forward = 0\n",
        "etc/sysctl.d/zzz.conf": "# net.ipv4.ip_forward=0\n-net.ipv4.ip_forward = 0\nnet/ipv4/conf/eth0.1/arp_ignore=0\n",
        "usr/lib/sysctl.d/zzzz.conf": "net.ipv4.ip_forward=1\nnet.ipv4.vs.sync_threshold = 3\t50\n",
        "usr/lib/sysctl.d/zzzzz.conf": "net.ipv4.ip_forward=7\n",
        "etc/sysctl.d/zzzzz.conf": "",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    wanted = {
        "net/ipv4/ip_forward": "1",
        "net/ipv4/conf/*/arp_ignore": "1",
        "net/ipv4/vs/sync_threshold": "3 50",
        "x": None,
    }
    path, when = tmp_path / "etc/sysctl.d/zzz.conf", "when the host starts, where 1 is needed: take it out there"
    assert list(keep.overriding("zz-own.conf", wanted, tmp_path)) == [
        f"{path} sets net/ipv4/ip_forward to 0 {when}",
        f"{path} sets net/ipv4/conf/eth0.1/arp_ignore to 0 {when}",
    ]


def test_what_was_recorded_is_read_and_nothing_where_nothing_was(tmp_path):
    path = tmp_path / "director.json"
    assert keep.recorded(path) == keep.recorded(os.devnull) == {}
    path.write_text('{"addresses": ["192.0.2.1"]}\n')
    assert keep.recorded(path) == {"addresses": ["192.0.2.1"]}


class Host:
    """A kernel that does as it is told."""

    def __init__(self, monkeypatch, tmp_path):
        self.there = set()
        self.calls = []
        self.refusing = None
        monkeypatch.setattr(keep, "STATE", tmp_path / "run")
        monkeypatch.setattr(keep, "ip", self.ip)
        monkeypatch.setattr(keep, "addresses", dict)
        monkeypatch.setattr(keep, "is_up", lambda device: f"link set {device} up" in self.there)
        self.path = tmp_path / "lines"

    def ip(self, *words, there=()):
        line = " ".join(words)
        self.calls.append(line)
        if self.refusing and self.refusing in line:
            raise OSError("Cannot find device")
        if line in self.there:
            return False
        if "add" in words or "up" in words:
            self.there.add(line)
        return True

    def keeps(self, *lines):
        self.path.write_text("# what there is\n" + "".join(f"{line}\n" for line in lines))
        self.calls.clear()
        return keep.apply(str(self.path), careful=False)


@pytest.fixture
def host(monkeypatch, tmp_path):
    return Host(monkeypatch, tmp_path)


def test_lines_are_done_once_and_taken_away_in_reverse(host):
    lines = ["link add lvs0 type dummy", "-6 address add 2001:db8::1/128 dev lvs0 nodad", "fou add port 6080 gue -6"]
    assert host.keeps(*lines) == ([f"added: {line}" for line in lines], [])
    assert host.keeps(*lines) == ([], [])
    done, refused = host.keeps()
    assert (done, refused) == ([f"removed: {line}" for line in reversed(lines)], [])
    assert host.calls == ["fou del port 6080 -6", "-6 address del 2001:db8::1/128 dev lvs0", "link del lvs0"]
    assert host.keeps() == ([], [])


def test_what_was_there_before_stays(host):
    line = "-4 address add 192.0.2.1/32 dev lvs0"
    host.there.add(line)
    assert host.keeps(line) == ([], [])
    assert host.keeps() == ([], [])
    assert host.calls == []


def test_a_device_that_was_there_is_left_as_it_was(host):
    host.there.add("link set eth0 up")
    lines = ["link set eth0 up", "link set tunl0 up"]
    assert host.keeps(*lines) == (["added: link set tunl0 up"], [])
    assert host.keeps() == (["removed: link set tunl0 up"], [])
    assert host.calls == ["link set tunl0 down"]


def test_what_goes_comes_back_and_is_still_ours(host):
    line = "-4 route add default via 192.0.2.1 dev eth0 table 4320"
    host.keeps(line)
    host.there.clear()
    assert host.keeps(line) == ([f"added: {line}"], [])
    host.keeps()
    assert host.calls == ["-4 route del default via 192.0.2.1 dev eth0 table 4320"]


def test_what_two_add_at_once_is_ours(host, monkeypatch):
    """The play that adds lines wakes the service, which adds the rest of them."""

    def slow(*words, there=()):
        time.sleep(0.002)
        return host.ip(*words, there=there)

    monkeypatch.setattr(keep, "ip", slow)
    lines = [f"-4 address add 192.0.2.{number}/32 dev lvs0" for number in range(20)]
    host.path.write_text("\n".join(lines))
    both = [threading.Thread(target=keep.apply, args=(str(host.path), False)) for _one in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    done, refused = host.keeps()
    assert (sorted(done), refused) == (sorted(f"removed: {line}" for line in lines), [])


def test_who_asks_it_to_end_waits_until_all_is_written_down(host, monkeypatch):
    def asked(*words, there=()):
        done = host.ip(*words, there=there)
        os.kill(os.getpid(), signal.SIGTERM)
        return done

    lines = [f"-4 address add 192.0.2.{number}/32 dev lvs0" for number in range(5)]
    before = signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
    try:
        with monkeypatch.context() as patch, pytest.raises(SystemExit):
            patch.setattr(keep, "ip", asked)
            host.keeps(*lines)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert host.keeps() == ([f"removed: {line}" for line in reversed(lines)], [])


def test_nobody_else_can_hold_it_up(host):
    host.keeps("-4 address add 192.0.2.1/32 dev lvs0")
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (keep.STATE, keep.STATE / "lines.lock")}
    assert modes == {"run": 0o700, "lines.lock": 0o600}


def test_another_run_that_does_not_end_is_told(host, monkeypatch):
    monkeypatch.setattr(keep, "PATIENCE", 0.1)
    with keep.alone("lines"), pytest.raises(OSError, match="another run of this program for lines has not ended"):
        host.keeps("-4 address add 192.0.2.1/32 dev lvs0")
    assert host.calls == []


def test_lines_after_one_that_is_refused_wait(host):
    host.refusing = "eth9"
    lines = ["-4 rule add from 192.0.2.1 lookup 4320", "link set eth9 up", "-4 address add 192.0.2.1/32 dev lvs0"]
    done, refused = host.keeps(*lines)
    assert (done, refused) == ([f"added: {lines[0]}"], ["link set eth9 up: Cannot find device"])
    host.refusing = None
    assert host.keeps(*lines) == ([f"added: {line}" for line in lines[1:]], [])


def test_a_virtual_address_waits_for_its_service_and_no_other_for_it(host, monkeypatch):
    announced = []
    monkeypatch.setattr(keep, "served", lambda table: {keep.packed("192.0.2.2")})
    monkeypatch.setattr(keep, "announce", lambda device, address: announced.append(address))
    done, refused = host.keeps("vip 192.0.2.1/32 eth0", "vip 192.0.2.2/32 eth0")
    assert done == ["added: vip 192.0.2.2/32 eth0"]
    assert refused == ["vip 192.0.2.1/32 eth0: stays down, because the table of IPVS has no service for it"]
    assert host.calls == ["address add 192.0.2.2/32 dev eth0 preferred_lft 0"]
    assert announced == ["192.0.2.2"]


def test_a_virtual_address_that_cannot_be_announced_is_there_and_ours(host, monkeypatch, capsys):
    def announce(device, address):
        raise OSError(errno.ENETDOWN, "Network is down")

    monkeypatch.setattr(keep, "served", lambda table: {keep.ANY})
    monkeypatch.setattr(keep, "announce", announce)
    line = "vip 192.0.2.1/32 eth0"
    assert host.keeps(line, "vip 192.0.2.2/32 eth0") == ([f"added: {line}", "added: vip 192.0.2.2/32 eth0"], [])
    assert "192.0.2.1/32: not announced on eth0: Network is down\n" in capsys.readouterr().err
    assert host.keeps() == (["removed: vip 192.0.2.2/32 eth0", f"removed: {line}"], [])


def test_a_virtual_address_that_is_new_is_asked_for_whatever_woke_the_service(host, monkeypatch):
    asked = []
    monkeypatch.setattr(keep, "addresses", lambda: {"eth0": set()})
    monkeypatch.setattr(
        keep, "ask", lambda device, missing: asked.append(missing) or {"192.0.2.2": "52:54:00:00:00:02"}
    )
    monkeypatch.setattr(keep, "served", lambda table: {keep.ANY})
    monkeypatch.setattr(keep, "announce", lambda device, address: None)
    one, two = "vip 192.0.2.1/32 eth0", "vip 192.0.2.2/32 eth0"
    host.keeps(one)
    host.there.clear()  # somebody took it away, and a play declares one more
    done, refused = host.keeps(one, two)
    assert asked == [["192.0.2.1"], ["192.0.2.2"]]
    assert done == [f"added: {one}"]
    assert refused == [f"{two}: stays down, because the machine with the hardware address 52:54:00:00:00:02 has it"]


def test_a_sysctl_of_several_numbers_is_set_when_it_is_another(host, tmp_path):
    path = tmp_path / "sync_threshold"
    path.write_text("3\t50\n")
    assert host.keeps(f"sysctl {path} 3 50") == ([], [])
    assert host.keeps(f"sysctl {path} 3 60") == ([f"set: {path} to 3 60"], [])
    assert path.read_text() == "3 60\n"
    assert host.keeps(f"sysctl {path} ") == ([f"set: {path} to "], [])
    assert path.read_text() == "\n"
