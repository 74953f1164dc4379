# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of rules files: what they mean to us, and whether ipvsadm takes them, which a test on the kernel asks it.

Each stands behind BEFORE. 192.0.2.1 is a service there, 192.0.2.2 is not.
"""

from __future__ import annotations

from ansible_collections.linux.lvs.plugins.module_utils._model import Server, ServerKey, Service, ServiceKey

BEFORE = """\
-A -t 192.0.2.1:80 -s rr
-A -t 192.0.2.1:0 -s rr -p 60
-A -t [2001:db8::1]:80 -s rr
-A -f 7 -s rr
-A -f 7 -6 -s rr
-a -t 192.0.2.1:80 -r 198.51.100.9:8080 -m -w 9 -x 9 -y 5
"""

WEB = ServiceKey("ipv4", "tcp", "192.0.2.1", 80)
WEB6 = ServiceKey("ipv6", "tcp", "2001:db8::1", 80)
MARK = ServiceKey("ipv4", fwmark=7)
HTTP = ServiceKey("ipv4", "tcp", "192.0.2.2", 80)
HTTP6 = ServiceKey("ipv6", "tcp", "2001:db8::2", 80)
ALL_PORTS = ServiceKey("ipv4", "tcp", "192.0.2.2", 0)
ALL_PORTS6 = ServiceKey("ipv6", "tcp", "2001:db8::2", 0)
DNS = ServiceKey("ipv4", "udp", "192.0.2.2", 53)
SCTP = ServiceKey("ipv4", "sctp", "192.0.2.2", 2905)
MARK8 = ServiceKey("ipv4", fwmark=8)
MARK8_IPV6 = ServiceKey("ipv6", fwmark=8)
RIP = ServerKey("198.51.100.1", 80)
RIP6 = ServerKey("2001:db8:1::1", 80)


def persistent(key, timeout=360, netmask=None, **attributes):
    host = "255.255.255.255" if key.family == "ipv4" else "128"
    return Service(key, persistence_timeout=timeout, persistence_netmask=netmask or host, **attributes)


def tunnelled(key=RIP, kind="ipip", port=None, checksum=None):
    return Server(key, "tunnel", tunnel_type=kind, tunnel_port=port, tunnel_checksum=checksum)


# A line that adds a service, and that service
SERVICES = (
    ("-A -t 192.0.2.2:80", Service(HTTP)),
    ("ipvsadm -A -t 192.0.2.2:80", Service(HTTP)),
    ("-A ipvsadm -t 192.0.2.2:80", Service(HTTP)),
    ("  -A   -t\t192.0.2.2:80  ", Service(HTTP)),
    ("-A -t 192.0.2.2:80\r", Service(HTTP)),
    ("-A -t 192.0.2.2:80 --", Service(HTTP)),
    ("-A -t 192.0.2.2:80 --sort --sort", Service(HTTP)),
    ("-A -s rr -t 192.0.2.2:80", Service(HTTP, "rr")),
    ("-At 192.0.2.2:80 -srr", Service(HTTP, "rr")),
    ("-At192.0.2.2:80", Service(HTTP)),
    ("-A -t=192.0.2.2:80 -s=rr", Service(HTTP, "rr")),
    ("--add-service --tcp-service 192.0.2.2:80 --scheduler rr", Service(HTTP, "rr")),
    ("--add-service --tcp-service=192.0.2.2:80 --scheduler=rr", Service(HTTP, "rr")),
    ("-A -t 192.0.2.2:80 --scheduler=", Service(HTTP)),
    ("-A -t 192.0.2.2:80 -s none", Service(HTTP, "none")),
    ("-A -t 0.0.0.0:80", Service(ServiceKey("ipv4", "tcp", "0.0.0.0", 80))),
    ("-A -t [ff02::1]:80", Service(ServiceKey("ipv6", "tcp", "ff02::1", 80))),
    ("-A -t 192.0.2.2:080", Service(HTTP)),
    ("-A -t 192.0.2.2:+80", Service(HTTP)),
    ("-A -t [2001:DB8:0::2]:80", Service(HTTP6)),
    ("-A --udp-service 192.0.2.2:53 --ops", Service(DNS, one_packet=True)),
    ("-A -u 192.0.2.2:53 -o", Service(DNS, one_packet=True)),
    ("-Aou 192.0.2.2:53", Service(DNS, one_packet=True)),
    ("-A --sctp-service=192.0.2.2:2905", Service(SCTP)),
    ("-A --fwmark-service 8", Service(MARK8)),
    ("-A -f 008 -o", Service(MARK8, one_packet=True)),
    ("-A -f 4294967295", Service(ServiceKey("ipv4", fwmark=4294967295))),
    ("-A -f 8 --ipv6", Service(MARK8_IPV6)),
    ("-A -f8 -s rr -6 -6", Service(MARK8_IPV6, "rr")),
    ("-A -t 192.0.2.2:80 -p", persistent(HTTP)),
    ("-A -p -t 192.0.2.2:80", persistent(HTTP)),
    ("-A -t 192.0.2.2:80 --persistent", persistent(HTTP)),
    ("-A -t 192.0.2.2:80 -p60", persistent(HTTP, 60)),
    ("-A -t 192.0.2.2:80 -p=60", persistent(HTTP, 60)),
    ("-A -t 192.0.2.2:80 -p 060", persistent(HTTP, 60)),
    ("-A -t 192.0.2.2:80 --persistent=60", persistent(HTTP, 60)),
    ("-A -t 192.0.2.2:80 -p 2678400", persistent(HTTP, 2678400)),
    ("-A -t 192.0.2.2 -p", persistent(ALL_PORTS)),
    ("-A -t 192.0.2.2:0 -p", persistent(ALL_PORTS)),
    ("-A -t 2001:db8::2 -p", persistent(ALL_PORTS6)),
    ("-A -t 192.0.2.2:80 -p -M 255.255.0.0", persistent(HTTP, netmask="255.255.0.0")),
    ("-A --netmask=255.255.0.0 -t 192.0.2.2:80 -p", persistent(HTTP, netmask="255.255.0.0")),
    ("-A -t 192.0.2.2:80 -p -M 0.0.0.0", persistent(HTTP, netmask="0.0.0.0")),
    ("-A -t 192.0.2.2:80 -M 255.255.0.0", Service(HTTP)),  # without -p it has no effect
    ("-A -t [2001:db8::2]:80 -p 60 -M 64", persistent(HTTP6, 60, "64")),
    ("-A -t [2001:db8::2]:80 -p 60 -M 128", persistent(HTTP6, 60)),
    ("-A -f 8 -6 -M 1 -p", persistent(MARK8_IPV6, netmask="1")),
    ("-A -t 192.0.2.2:80 -s sh -b sh-port,sh-fallback", Service(HTTP, "sh", frozenset({1, 2}))),
    ("-A -t 192.0.2.2:80 -b sh-port -s sh", Service(HTTP, "sh", frozenset({2}))),
    ("-A -t 192.0.2.2:80 -s sh -b sh-port,,sh-port,", Service(HTTP, "sh", frozenset({2}))),
    ("-A -t 192.0.2.2:80 --sched-flags=flag-1 -s sh", Service(HTTP, "sh", frozenset({1}))),
    ("-A -t 192.0.2.2:80 -s mh -b mh-port,flag-3", Service(HTTP, "mh", frozenset({2, 3}))),
    ("-A -t 192.0.2.2:80 -s mh -b flag-3", Service(HTTP, "mh", frozenset({3}))),
    ("-A -t 192.0.2.2:80 -b flag-3,flag-1", Service(HTTP, scheduler_flags=frozenset({1, 3}))),
    ("-A -t 192.0.2.2:80 --sched-flags=", Service(HTTP)),
    ("-A -u 192.0.2.2:53 -p 60 --pe=sip", persistent(DNS, 60, persistence_engine="sip")),
    ("-A -u 192.0.2.2:53 --pe sip", Service(DNS, persistence_engine="sip")),
    ("-A -t 192.0.2.2:80 --pe=", Service(HTTP)),
)

# A line that adds a server, its service, and that server
SERVERS = (
    ("-a -t 192.0.2.1:80 -r 198.51.100.1", WEB, Server(RIP)),
    ("-a -t 192.0.2.1:80 -r 198.51.100.1:80", WEB, Server(RIP)),
    ("-a -r 198.51.100.1 -t 192.0.2.1:80", WEB, Server(RIP)),
    ("-a -m -r 198.51.100.1 -t 192.0.2.1:80", WEB, Server(ServerKey("198.51.100.1", 0), "nat")),
    ("-a -m -t 192.0.2.1:80 -r 198.51.100.1", WEB, Server(RIP, "nat")),
    ("-a -t 192.0.2.1:80 -r 198.51.100.1:0 -m", WEB, Server(ServerKey("198.51.100.1", 0), "nat")),
    ("-a -t 192.0.2.1:80 -r 198.51.100.1:8080 -mw5", WEB, Server(ServerKey("198.51.100.1", 8080), "nat", 5)),
    ("-a -t [2001:db8::1]:80 -r 2001:db8:1::1", WEB6, Server(RIP6)),
    ("-a -t [2001:db8::1]:80 -r [2001:db8:1::1]:80 -m", WEB6, Server(RIP6, "nat")),
    (
        "-a -t 192.0.2.1 -r 198.51.100.1",
        ServiceKey("ipv4", "tcp", "192.0.2.1", 0),
        Server(ServerKey("198.51.100.1", 0)),
    ),
    ("-a -f 7 -r 198.51.100.1", MARK, Server(ServerKey("198.51.100.1", 0))),
    ("-a -f 7 -r 198.51.100.1:81", MARK, Server(ServerKey("198.51.100.1", 81))),
    ("-a -f 7 -6 -r [2001:db8:1::1]:80", ServiceKey("ipv6", fwmark=7), Server(RIP6)),
    (
        "--add-server --tcp-service 192.0.2.1:80 --real-server 198.51.100.1:80 --masquerading --weight 5",
        WEB,
        Server(RIP, "nat", 5),
    ),
    ("-a -t 192.0.2.1:80 -r 198.51.100.1:80 --gatewaying", WEB, Server(RIP)),
    ("-a -t 192.0.2.1:80 -r 198.51.100.1:80 -w 0", WEB, Server(RIP, weight=0)),
    ("-a -t 192.0.2.1:80 -r 198.51.100.1:80 -w -0", WEB, Server(RIP, weight=0)),
    ("-a -t 192.0.2.1:80 -r 198.51.100.1:80 -w=007", WEB, Server(RIP, weight=7)),
    ("-a -t 192.0.2.1:80 -r 198.51.100.1:80 -w 2147483647", WEB, Server(RIP, weight=2147483647)),
    (
        "-a -t 192.0.2.1:80 -r 198.51.100.1:80 --u-threshold=100 --l-threshold 50",
        WEB,
        Server(RIP, upper_threshold=100, lower_threshold=50),
    ),
    (
        "-a -t 192.0.2.1:80 -r 198.51.100.1:80 -y 2147483647 -x 2147483647",
        WEB,
        Server(RIP, upper_threshold=2147483647, lower_threshold=2147483647),
    ),
    ("-a -t 192.0.2.1:80 -r 198.51.100.1:80 --ipip", WEB, tunnelled()),
    ("-a -t 192.0.2.1:80 -r 198.51.100.1:80 -i --tun-type ipip", WEB, tunnelled()),
    ("-a -t 192.0.2.1:80 -r 2001:db8:1::1 -i", WEB, tunnelled(RIP6)),
    ("-a -t [2001:db8::1]:80 -r 198.51.100.1:80 -i", WEB6, tunnelled()),
    ("-a -t 192.0.2.1:80 -r 198.51.100.1:80 -i --tun-type gre", WEB, tunnelled(RIP, "gre", None, "none")),
    ("-a -t 192.0.2.1:80 -r 198.51.100.1:80 -i --tun-csum --tun-type=gre", WEB, tunnelled(RIP, "gre", None, "csum")),
    (
        "-a -t 192.0.2.1:80 -r 198.51.100.1:80 --tun-port 6080 --tun-type gue -i",
        WEB,
        tunnelled(RIP, "gue", 6080, "none"),
    ),
    (
        "-a -t 192.0.2.1:80 -r 198.51.100.1:80 -i --tun-type gue --tun-port=6080 --tun-remcsum",
        WEB,
        tunnelled(RIP, "gue", 6080, "remcsum"),
    ),
)

# Lines that change what is there, and what is there then
_WEB, _ALL, _WEB6, _MARK, _MARK_IPV6, _SERVER = BEFORE.splitlines()
CHANGES = (
    ("", BEFORE),
    ("\n# a comment\n\n#-C\n   # another\n \t\r\n", BEFORE),
    ("-E -t 192.0.2.1:80 -s lc", BEFORE.replace("80 -s rr\n", "80 -s lc\n", 1)),
    ("--edit-service -t 192.0.2.1:80", BEFORE.replace("80 -s rr\n", "80 -s wlc\n", 1)),  # what is not said is reset
    ("-E -t 192.0.2.1 -p", BEFORE.replace("rr -p 60", "wlc -p 360")),
    ("-e -t 192.0.2.1:80 -r 198.51.100.9:8080 -m", BEFORE.replace("-w 9 -x 9 -y 5", "-w 1")),
    ("-d -t 192.0.2.1:80 -r 198.51.100.9:8080", BEFORE.replace(f"{_SERVER}\n", "")),
    ("-D -t 192.0.2.1:80", "\n".join([_ALL, _WEB6, _MARK, _MARK_IPV6, ""])),
    ("--delete-service --fwmark-service 7 -6", BEFORE.replace(f"{_MARK_IPV6}\n", "")),
    ("-C", ""),
    ("-D -t 192.0.2.1:80\n-C\n-A -f 7", "-A -f 7 -s wlc\n"),
    ("-D -f 7\n-A -f 7 -s lc", BEFORE.replace(_MARK, "-A -f 7 -s lc")),
    (
        "-D -t 192.0.2.1:80\n-A -t 192.0.2.1:80",
        "\n".join(["-A -t 192.0.2.1:80 -s wlc", _ALL, _WEB6, _MARK, _MARK_IPV6, ""]),
    ),
    ("-Z", BEFORE),
    ("--zero -t 192.0.2.1:80", BEFORE),
)

_FLAGS = "sh-fallback, sh-port, mh-fallback, mh-port, flag-1, flag-2, flag-3"
_COMMANDS = "-A, -E, -D, -a, -e, -d, -C, -Z"
_OF_KEYS = "--tcp-service, --udp-service, --sctp-service, --fwmark-service, --ipv6"
_OF_SERVICES = f"{_OF_KEYS}, --scheduler, --persistent, --netmask, --sched-flags, --pe, --ops"
_OF_SERVERS = (
    f"{_OF_KEYS}, --real-server, --masquerading, --gatewaying, --ipip, --weight, --u-threshold, --l-threshold,"
    " --tun-type, --tun-port, --tun-nocsum, --tun-csum, --tun-remcsum"
)
NO_SERVICE = "names no service, by one of --tcp-service, --udp-service, --sctp-service, --fwmark-service"
NUMERIC = "ipvsadm -S -n writes addresses and ports as numbers"
NOT_ADDRESS = f"is not an IPv4 or IPv6 address (names are not resolved); {NUMERIC}"
_SERVER_LINE = "-a -t 192.0.2.1:80 -r 198.51.100.1"

# A line that ipvsadm refuses, and what we say
REFUSED = (
    ("hello", f"a line can't begin with hello, only with one of {_COMMANDS}"),
    ("/sbin/ipvsadm -A -t 192.0.2.2:80", f"a line can't begin with /sbin/ipvsadm, only with one of {_COMMANDS}"),
    ("-s rr -t 192.0.2.2:80 -A", f"a line can't begin with -s, only with one of {_COMMANDS}"),
    ("--stop-daemon master", f"a line can't begin with --stop-daemon, only with one of {_COMMANDS}"),
    ("-R", f"a line can't begin with -R, only with one of {_COMMANDS}"),
    ("--", f"a line can't begin with --, only with one of {_COMMANDS}"),
    ("-A", NO_SERVICE),
    ("-A=1 -t 192.0.2.2:80", "--add-service takes no value"),
    ("--add-service=1 -t 192.0.2.2:80", "--add-service takes no value"),
    ("-A -t 192.0.2.2:80 -", f"- is not an option of --add-service; there are {_OF_SERVICES}"),
    ("-A -t 192.0.2.2:80 -- rr", f"rr is not an option of --add-service; there are {_OF_SERVICES}"),
    ("-A -t 192.0.2.2:80 rr", f"rr is not an option of --add-service; there are {_OF_SERVICES}"),
    ("-A -a -t 192.0.2.2:80", f"-a is not an option of --add-service; there are {_OF_SERVICES}"),
    ("-A -At 192.0.2.2:80", f"-A is not an option of --add-service; there are {_OF_SERVICES}"),
    ("-A -t 192.0.2.2:80 -n", f"-n is not an option of --add-service; there are {_OF_SERVICES}"),
    ("-A -t 192.0.2.2:80 --sched=rr", f"--sched=rr is not an option of --add-service; there are {_OF_SERVICES}"),
    ("-A -t 192.0.2.2:80 -w 1", f"-w is not an option of --add-service; there are {_OF_SERVICES}"),
    ("-A -t 192.0.2.2:80 -r 198.51.100.1", f"-r is not an option of --add-service; there are {_OF_SERVICES}"),
    (f"{_SERVER_LINE} -s rr", f"-s is not an option of --add-server; there are {_OF_SERVERS}"),
    (f"{_SERVER_LINE} -p", f"-p is not an option of --add-server; there are {_OF_SERVERS}"),
    ("-D -t 192.0.2.1:80 -s rr", f"-s is not an option of --delete-service; there are {_OF_KEYS}"),
    (
        "-d -t 192.0.2.1:80 -r 198.51.100.9:8080 -m",
        f"-m is not an option of --delete-server; there are {_OF_KEYS}, --real-server",
    ),
    ("-C -t 192.0.2.1:80", "-t is not an option of --clear; there are none"),
    ("-A -t 192.0.2.2:80 # web", "a comment needs a line of its own"),
    ("-A -t 192.0.2.2:80 -s", "--scheduler needs a value"),
    (f"{_SERVER_LINE} -w", "--weight needs a value"),
    (
        "-A -t 192.0.2.2:80 -s mh -b ",
        "--sched-flags needs a value; ipvsadm -S writes none for flag-3 alone, which has no name under sh and mh, and"
        " refuses that itself: write flag-3",
    ),
    ("-A -u 192.0.2.2:53 --ops=yes", "--ops takes no value"),
    ("-A -u 192.0.2.2:53 -oo", "--ops is there twice"),
    ("-A -t 192.0.2.2:80 -s rr -s lc", "--scheduler is there twice"),
    ("-A -t 192.0.2.2:80 -t 192.0.2.3:80", "--tcp-service is there twice"),
    ("-A -t 192.0.2.2:80 -u 192.0.2.2:80", "--udp-service: does not go with --tcp-service"),
    ("-A -t 192.0.2.1:80", "service tcp 192.0.2.1:80 is there already"),
    ("-A -t 192.0.2.2", "--tcp-service: 192.0.2.2 has no port; only with --persistent this is 0, all ports"),
    ("-A -t 2001:db8::2", "--tcp-service: 2001:db8::2 has no port; only with --persistent this is 0, all ports"),
    ("-A -t [2001:db8::2] -p", "--tcp-service: '[2001:db8::2]' is not an IPv6 address in brackets with a port behind"),
    ("-A -t [192.0.2.2]:80", "--tcp-service: '[192.0.2.2]:80' is not an IPv6 address in brackets with a port behind"),
    ("-A -t 192.0.2.2:", "--tcp-service: '' is not a whole number between 0 and 65535"),
    ("-A -t 192.0.2.2:0x50", "--tcp-service: '0x50' is not a whole number between 0 and 65535"),
    ("-A -t 192.0.2.2:65536", "--tcp-service: 65536 is not between 0 and 65535"),
    ("-A -t 12345", f"--tcp-service: '12345' {NOT_ADDRESS}"),
    ("-A -t 192.0.2.2:80\f", "'192.0.2.2:80\\x0c' has a character that looks blank and does not part words"),
    ("-A\u00a0-t 192.0.2.2:80", "'-A\\xa0-t' has a character that looks blank and does not part words"),
    (
        "-A -t [fe80::1%eth0]:80",
        "--tcp-service: 'fe80::1%eth0' has a scope id; IPVS keeps none, write the address without %",
    ),
    ("-A -f 0", "--fwmark-service: 0 is not between 1 and 4294967295"),
    ("-A -f 0x8", "--fwmark-service: '0x8' is not a whole number between 1 and 4294967295"),
    ("-A -f 4294967296", "--fwmark-service: 4294967296 is not between 1 and 4294967295"),
    (
        "-A -f -1",
        "--fwmark-service: -1 is how ipvsadm -S writes the mark 4294967295, and refuses it itself; write 4294967295",
    ),
    (
        "-A -f -2147483648 -6 -s rr",
        "--fwmark-service: -2147483648 is how ipvsadm -S writes the mark 2147483648, and refuses it itself;"
        " write 2147483648",
    ),
    ("-A -6 -f 8", "--ipv6: belongs behind --fwmark-service, whose family it says"),
    ("-A -t [2001:db8::2]:80 -6", "--ipv6: belongs behind --fwmark-service, whose family it says"),
    ("-A -t 192.0.2.2:80 -s RR", "--scheduler: 'RR' is not a name of 1 to 15 characters out of a-z, 0-9, - and _"),
    ("-A -t 192.0.2.2:80 --pe SIP", "--pe: 'SIP' is not a name of 1 to 15 characters out of a-z, 0-9, - and _"),
    ("-A -t 192.0.2.2:80 -b fallback", f"--sched-flags: 'fallback' is not one of {_FLAGS}"),
    ("-A -t 192.0.2.2:80 -b -o", f"--sched-flags: '-o' is not one of {_FLAGS}"),
    ("-A -t 192.0.2.2:80 -b ,", f"--sched-flags: ',' names no flag; there are {_FLAGS}"),
    (
        "-A -t 192.0.2.2:80 -s rr -b sh-port",
        "--sched-flags: sh-port is not a flag of scheduler rr, which takes flag-1, flag-2, flag-3",
    ),
    ("-A -t 192.0.2.2:80 -p 0", "--persistent: 0 is not between 1 and 2678400"),
    ("-A -t 192.0.2.2:80 -p 2678401", "--persistent: 2678401 is not between 1 and 2678400"),
    ("-A -t 192.0.2.2:80 -p 5m", "--persistent: '5m' is not a whole number between 1 and 2678400"),
    ("-A -t 192.0.2.2:80 --persistent=", "--persistent: '' is not a whole number between 1 and 2678400"),
    ("-A -t [2001:db8::2]:80 -p -M 0", "--netmask: 0 is not between 1 and 128"),
    ("-A -t [2001:db8::2]:80 -p -M 129", "--netmask: 129 is not between 1 and 128"),
    (
        "-A -t 192.0.2.2:80 -p -M ffff::",
        "--netmask: 'ffff::' is not an IPv4 netmask such as 255.255.255.0 (prefix lengths are for IPv6)",
    ),
    ("-E -t 192.0.2.2:80", "service tcp 192.0.2.2:80 is not on a line above"),
    ("-D -t 192.0.2.2:80", "service tcp 192.0.2.2:80 is not on a line above"),
    ("-Z -t 192.0.2.2:80", "service tcp 192.0.2.2:80 is not on a line above"),
    ("-a -t 192.0.2.2:80 -r 198.51.100.1", "service tcp 192.0.2.2:80 is not on a line above"),
    ("-e -t 192.0.2.1:80 -r 198.51.100.1", "server 198.51.100.1:80 of tcp 192.0.2.1:80 is not on a line above"),
    ("-d -t 192.0.2.1:80 -r 198.51.100.9", "server 198.51.100.9:80 of tcp 192.0.2.1:80 is not on a line above"),
    (
        "-d -r 198.51.100.9 -t 192.0.2.1:80",
        "server 198.51.100.9:0 of tcp 192.0.2.1:80 is not on a line above",
    ),
    (
        "-a -t 192.0.2.1:80 -r 198.51.100.9:8080 -m",
        "server 198.51.100.9:8080 of tcp 192.0.2.1:80 is there already",
    ),
    ("-a -t 192.0.2.1:80", "names no server, by --real-server"),
    ("-a -r 198.51.100.1", NO_SERVICE),
    ("-a -t 192.0.2.1:80 -r rs1", f"--real-server: 'rs1' {NOT_ADDRESS}"),
    ("-a -t 192.0.2.1:80 -r 198.51.100.1:", "--real-server: '' is not a whole number between 0 and 65535"),
    (
        "-a -t 192.0.2.1:80 -r 224.0.0.1",
        "--real-server: 224.0.0.1 is not a unicast address, so it can't be a real server",
    ),
    (
        "-a -t 192.0.2.1:80 -r [2001:db8:1::1] -i",
        "--real-server: '[2001:db8:1::1]' is not an IPv6 address in brackets with a port behind",
    ),
    (
        "-a -t 192.0.2.1:80 -r [2001:db8:1::1]:80",
        "--real-server: 2001:db8:1::1 is not ipv4 as the service is; only --ipip takes it",
    ),
    (
        "-a -f 7 -6 -r 198.51.100.1:80 -m",
        "--real-server: 198.51.100.1 is not ipv6 as the service is; only --ipip takes it",
    ),
    (f"{_SERVER_LINE} -w -5", "--weight: -5 is not between 0 and 2147483647"),
    (f"{_SERVER_LINE} -w 0x7", "--weight: '0x7' is not a whole number between 0 and 2147483647"),
    (f"{_SERVER_LINE} -w 2147483648", "--weight: 2147483648 is not between 0 and 2147483647"),
    (f"{_SERVER_LINE} -x a", "--u-threshold: 'a' is not a whole number between 0 and 2147483647"),
    (f"{_SERVER_LINE} -y -1", "--l-threshold: -1 is not between 0 and 2147483647"),
    (f"{_SERVER_LINE} -y 6", "--l-threshold: 6 is above --u-threshold 0"),
    (f"{_SERVER_LINE} -x 5 -y 6", "--l-threshold: 6 is above --u-threshold 5"),
    (f"{_SERVER_LINE} -m -g", "--gatewaying: does not go with --masquerading"),
    (f"{_SERVER_LINE} -mm", "--masquerading is there twice"),
    (f"{_SERVER_LINE} --tun-type gre", "--tun-type: needs --ipip"),
    (f"{_SERVER_LINE} -m --tun-csum", "--tun-csum: needs --ipip"),
    (f"{_SERVER_LINE} -i --tun-type vxlan", "--tun-type: 'vxlan' is not one of ipip, gue, gre"),
    (f"{_SERVER_LINE} -i --tun-type gue", "--tun-type: gue needs --tun-port"),
    (f"{_SERVER_LINE} -i --tun-type gue --tun-port 0", "--tun-port: 0 is not between 1 and 65535"),
    (f"{_SERVER_LINE} -i --tun-port 5", "--tun-port: needs --tun-type gue, not ipip"),
    (f"{_SERVER_LINE} -i --tun-type gre --tun-port 5", "--tun-port: needs --tun-type gue, not gre"),
    (f"{_SERVER_LINE} -i --tun-nocsum", "--tun-nocsum: needs --tun-type gue or gre, not ipip"),
    (
        f"{_SERVER_LINE} -i --tun-type gre --tun-csum --tun-nocsum",
        "--tun-nocsum: does not go with --tun-csum",
    ),
)

# A line that ipvsadm takes and we do not, what we say, and why
REFUSED_BY_US = (
    ("-A -t 192.0.2.2:http", f"--tcp-service: 'http' is not a whole number between 0 and 65535; {NUMERIC}", "names"),
    ("-A -t localhost:80", f"--tcp-service: 'localhost' {NOT_ADDRESS}", "names"),
    (f"{_SERVER_LINE}:http", f"--real-server: 'http' is not a whole number between 0 and 65535; {NUMERIC}", "names"),
    ("-A -t 010.0.0.1:80", f"--tcp-service: '010.0.0.1' {NOT_ADDRESS}", "to ipvsadm it is 8.0.0.1"),
    ("-A -t 0x7f.1:80", f"--tcp-service: '0x7f.1' {NOT_ADDRESS}", "to ipvsadm it is 127.0.0.1"),
    ("-A -t 192.0.2:80", f"--tcp-service: '192.0.2' {NOT_ADDRESS}", "to ipvsadm it is 192.0.0.2"),
    (
        "-A -t [192.0.2.2]:80 -p",
        "--tcp-service: '[192.0.2.2]:80' is not an IPv6 address in brackets with a port behind",
        "ipvsadm loses the port",
    ),
    (
        "-A -t 192.0.2.2:80 -p -M 24",
        "--netmask: '24' is not an IPv4 netmask such as 255.255.255.0 (prefix lengths are for IPv6)",
        "to ipvsadm it is 0.0.0.24",
    ),
    (
        "-A -t 192.0.2.2:80 -p -M 0xffffff00",
        "--netmask: '0xffffff00' is not an IPv4 netmask such as 255.255.255.0 (prefix lengths are for IPv6)",
        "it is read as an address is",
    ),
    (
        "-A -t [2001:db8::2]:80 -p -M 64x",
        "--netmask: '64x' is not a whole number between 1 and 128",
        "ipvsadm reads no further than the digits",
    ),
    (
        "-A -M 64 -p -t [2001:db8::2]:80",
        "--netmask: 64 is before --tcp-service, so that ipvsadm passes over it; put it behind",
        "it has no effect",
    ),
    (
        "-A -f 8 -M 64 -p -6",
        "--netmask: 64 is before --ipv6, so that ipvsadm passes over it; put it behind",
        "it has no effect",
    ),
    ("-L", f"a line can't begin with -L, only with one of {_COMMANDS}", "it prints"),
    ("-S", f"a line can't begin with -S, only with one of {_COMMANDS}", "it prints"),
    ("--set 900 120 300", f"a line can't begin with --set, only with one of {_COMMANDS}", "no part of a table"),
)

# A line that ipvsadm writes, of what other tools may have put into the kernel, but refuses or alters
READ_BY_US = (
    ("-A -t 192.0.2.2:0 -s wlc", Service(ALL_PORTS)),
    ("-A -t 192.0.2.2:80 -s wlc -o", Service(HTTP, one_packet=True)),
    ("-a -t 192.0.2.1:80 -r 198.51.100.1:81 -g -w 1", Server(ServerKey("198.51.100.1", 81))),
    (
        "-a -t 192.0.2.1:80 -r 198.51.100.1:80 -i -w 1 --tun-type gre --tun-remcsum",
        tunnelled(RIP, "gre", None, "remcsum"),
    ),
)
