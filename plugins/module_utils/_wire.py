# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""IPVS's generic netlink messages about services and servers: bytes to and from the model.

Private to linux.lvs: may change in any release.

Names and numbers are those of include/uapi/linux/ip_vs.h and linux/netlink.h, behaviour is that of
net/netfilter/ipvs/ip_vs_ctl.c. A message is::

    nlmsghdr | genlmsghdr (cmd, version 1) | IPVS_CMD_ATTR_SERVICE { IPVS_SVC_ATTR_* }
                                           | IPVS_CMD_ATTR_DEST    { IPVS_DEST_ATTR_* }

Ports are in network order, addresses are 16 bytes of which IPv4 uses four, flags are two u32 (flags, mask), the
netmask is an IPv4 mask in network order or an IPv6 prefix length in host order; all else is in host order.

A table may have ten thousand servers, so what is the same in many is packed once, and what is not asked for is not unpacked.
"""

from __future__ import annotations

from functools import lru_cache
from struct import Struct
from typing import Any, Callable, Dict, Iterable, Iterator, Mapping, NamedTuple

from ._address import IPV4, IPV6, host_netmask, pack, unpack
from ._model import Connections, Counters, Server, ServerKey, ServerStatus, Service, ServiceKey
from ._plan import ADD, REMOVE, UPDATE, Operation

GENL_VERSION = 1
COMMANDS = (
    "UNSPEC",
    "NEW_SERVICE",
    "SET_SERVICE",
    "DEL_SERVICE",
    "GET_SERVICE",
    "NEW_DEST",
    "SET_DEST",
    "DEL_DEST",
    "GET_DEST",
    "NEW_DAEMON",
    "DEL_DAEMON",
    "GET_DAEMON",
    "SET_CONFIG",
    "GET_CONFIG",
    "SET_INFO",
    "GET_INFO",
    "ZERO",
    "FLUSH",
)

SVC_F_PERSISTENT = 0x0001
SVC_F_ONEPACKET = 0x0004
SVC_F_SCHED = {1: 0x0008, 2: 0x0010, 3: 0x0020}
# HASHED and whatever the kernel may add stays the kernel's: the mask covers only what the model knows.
SVC_F_MASK = SVC_F_PERSISTENT | SVC_F_ONEPACKET | sum(SVC_F_SCHED.values())


class Names(Dict[int, str]):
    """Names by the kernel's numbers; and the other way round."""

    def __init__(self, names: Mapping[int, str]) -> None:
        super().__init__(names)
        self.numbers = {name: number for number, name in names.items()}


CONN_F_FWD_MASK = 0x0007
FORWARDING = Names({0: "nat", 1: "local", 2: "tunnel", 3: "direct", 4: "bypass"})
TUNNEL_TYPE = Names({0: "ipip", 1: "gue", 2: "gre"})
TUNNEL_FLAGS = Names({0: "none", 1: "csum", 2: "remcsum"})
PROTOCOL = Names({6: "tcp", 17: "udp", 132: "sctp"})
ROLE = Names({1: "master", 2: "backup"})  # IP_VS_STATE_*
FAMILY = Names({2: IPV4, 10: IPV6})  # AF_INET, AF_INET6

CMD_ATTRIBUTES = ("UNSPEC", "SERVICE", "DEST", "DAEMON", "TIMEOUT_TCP", "TIMEOUT_TCP_FIN", "TIMEOUT_UDP")
SVC_ATTRIBUTES = (
    *("UNSPEC", "AF", "PROTOCOL", "ADDR", "PORT", "FWMARK", "SCHED_NAME", "FLAGS", "TIMEOUT", "NETMASK", "STATS"),
    *("PE_NAME", "STATS64"),
)
DEST_ATTRIBUTES = (
    *("UNSPEC", "ADDR", "PORT", "FWD_METHOD", "WEIGHT", "U_THRESH", "L_THRESH", "ACTIVE_CONNS", "INACT_CONNS"),
    *("PERSIST_CONNS", "STATS", "ADDR_FAMILY", "STATS64", "TUN_TYPE", "TUN_PORT", "TUN_FLAGS"),
)
STATS_ATTRIBUTES = (
    *("UNSPEC", "CONNS", "INPKTS", "OUTPKTS", "INBYTES", "OUTBYTES", "CPS", "INPPS", "OUTPPS", "INBPS", "OUTBPS"),
    "PAD",
)
_CMD, _SVC, _DEST, _STATS = (
    {name: number for number, name in enumerate(names)}
    for names in (CMD_ATTRIBUTES, SVC_ATTRIBUTES, DEST_ATTRIBUTES, STATS_ATTRIBUTES)
)

_ADDR, _PORT, _AF = _DEST["ADDR"], _DEST["PORT"], _DEST["ADDR_FAMILY"]
_FWD, _WEIGHT, _UPPER, _LOWER = _DEST["FWD_METHOD"], _DEST["WEIGHT"], _DEST["U_THRESH"], _DEST["L_THRESH"]
_TUN_TYPE, _TUN_PORT, _TUN_FLAGS = _DEST["TUN_TYPE"], _DEST["TUN_PORT"], _DEST["TUN_FLAGS"]
_DAEMON_STATE = 1  # IPVS_DAEMON_ATTR_STATE

NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP = 0x01, 0x04, 0x300
NLMSG_ERROR, NLMSG_DONE = 0x02, 0x03
NLMSG_ENDS = (NLMSG_ERROR, NLMSG_DONE)  # an answer
_NLA_TYPE_MASK = 0x3FFF
_MESSAGE = Struct("=IHHIIBBH")  # nlmsghdr, genlmsghdr
_HEADER = Struct("=IHHII")  # nlmsghdr
_ERROR = Struct("=i")  # nlmsgerr, and what NLMSG_DONE carries
_ATTRIBUTE = Struct("=HH")  # nlattr
_U16, _U32, _U64 = Struct("=H"), Struct("=I"), Struct("=Q")
_FLAGS = Struct("=II")

Found = Dict[int, bytes]


def _attribute(kind: int, payload: bytes) -> bytes:
    length = len(payload)
    attribute = _ATTRIBUTE.pack(4 + length, kind) + payload
    return attribute + bytes(-length % 4) if length % 4 else attribute


def _service_key(key: ServiceKey) -> bytes:
    family = _attribute(_SVC["AF"], _U16.pack(number_of(FAMILY, key.family)))
    if key.fwmark:
        return family + _attribute(_SVC["FWMARK"], _U32.pack(key.fwmark))
    return (
        family
        + _attribute(_SVC["PROTOCOL"], _U16.pack(number_of(PROTOCOL, key.protocol or "")))
        + _attribute(_SVC["ADDR"], pack(key.address or "").ljust(16, b"\0"))
        + _attribute(_SVC["PORT"], key.port.to_bytes(2, "big"))
    )


@lru_cache(maxsize=1024)  # the servers of a service follow each other
def pack_service_key(key: ServiceKey) -> bytes:
    """What names a service in every command."""
    return _attribute(_CMD["SERVICE"], _service_key(key))


def pack_service(service: Service) -> bytes:
    """A whole service; NEW and SET both need all of it, what is left out they reset or refuse."""
    settings = _service_settings(
        service.key.family,
        service.scheduler,
        service.scheduler_flags,
        service.persistence_timeout,
        service.persistence_netmask or host_netmask(service.key.family),
        service.persistence_engine,
        service.one_packet,
    )
    return _attribute(_CMD["SERVICE"], _service_key(service.key) + settings)


@lru_cache(maxsize=1024)  # most services of a table have them in common
def _service_settings(
    family: str, scheduler: str, bits: frozenset[int], timeout: int | None, netmask: str, engine: str, one_packet: bool
) -> bytes:
    flags = SVC_F_PERSISTENT * (timeout is not None) | SVC_F_ONEPACKET * one_packet
    values = {
        "SCHED_NAME": scheduler.encode() + b"\0",
        "FLAGS": _FLAGS.pack(flags | sum(SVC_F_SCHED[bit] for bit in bits), SVC_F_MASK),
        "TIMEOUT": _U32.pack(timeout or 0),
        "NETMASK": pack(netmask) if family == IPV4 else _U32.pack(int(netmask)),
    }
    if engine:
        values["PE_NAME"] = engine.encode() + b"\0"
    return b"".join(_attribute(_SVC[name], value) for name, value in values.items())


_SERVER_KEY = Struct("=HH16sHH2s2xHHH2x")
_FAMILY_BY_SIZE = {4: FAMILY.numbers[IPV4], 16: FAMILY.numbers[IPV6]}


def pack_server_key(key: ServerKey) -> bytes:
    """What names a server within its service."""
    return _attribute(_CMD["DEST"], _server_key(key))


def _server_key(key: ServerKey) -> bytes:
    address = pack(key.address)
    family = _FAMILY_BY_SIZE[len(address)]
    return _SERVER_KEY.pack(20, _ADDR, address, 6, _PORT, key.port.to_bytes(2, "big"), 6, _AF, family)


def pack_server(server: Server) -> bytes:
    """A whole server; SET without the tunnel attributes would make it an ipip tunnel."""
    settings = _server_settings(
        server.forwarding,
        server.weight,
        server.upper_threshold,
        server.lower_threshold,
        server.tunnel_type or "ipip",
        server.tunnel_port or 0,
        server.tunnel_checksum or "none",
    )
    return _attribute(_CMD["DEST"], _server_key(server.key) + settings)


@lru_cache(maxsize=1024)  # most servers of a table have them in common
def _server_settings(
    forwarding: str, weight: int, upper: int, lower: int, tunnel_type: str, tunnel_port: int, checksum: str
) -> bytes:
    values = {
        _FWD: _U32.pack(number_of(FORWARDING, forwarding)),
        _WEIGHT: _U32.pack(weight),
        _UPPER: _U32.pack(upper),
        _LOWER: _U32.pack(lower),
        _TUN_TYPE: bytes([number_of(TUNNEL_TYPE, tunnel_type)]),
        _TUN_PORT: tunnel_port.to_bytes(2, "big"),
        _TUN_FLAGS: _U16.pack(number_of(TUNNEL_FLAGS, checksum)),
    }
    return b"".join(_attribute(kind, value) for kind, value in values.items())


_OPERATION_COMMANDS = {
    (verb, of_service): f"{prefix}_{noun}"
    for verb, prefix in ((ADD, "NEW"), (UPDATE, "SET"), (REMOVE, "DEL"))
    for of_service, noun in ((True, "SERVICE"), (False, "DEST"))
}


def operation_command(operation: Operation) -> str:
    """The command, one of COMMANDS, that carries an operation out."""
    return _OPERATION_COMMANDS[operation.verb, operation.server is None]


def pack_operation(operation: Operation) -> bytes:
    """What a command is about: whole entries where there is something to write, identities otherwise."""
    after = operation.after
    if operation.server is None:
        return pack_service(after) if isinstance(after, Service) else pack_service_key(operation.service)
    packed = pack_server(after) if isinstance(after, Server) else pack_server_key(operation.server)
    return pack_service_key(operation.service) + packed


def pack_daemon_role(role: str) -> bytes:
    """What names a sync daemon."""
    return _attribute(_CMD["DAEMON"], _attribute(_DAEMON_STATE, _U32.pack(number_of(ROLE, role))))


def pack_message(family: int, command: int, payload: bytes, flags: int, sequence: int) -> bytes:
    """A whole request. ``family`` is the number that the kernel gave to the generic netlink family."""
    length = _MESSAGE.size + len(payload)
    return _MESSAGE.pack(length, family, flags, sequence, 0, command, GENL_VERSION, 0) + payload


def payload_of(message: bytes) -> bytes:
    """What a whole message has after its headers."""
    return message[_MESSAGE.size :]


def unpack_messages(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """The messages of one datagram: (kind, sequence number, errno or 0 of NLMSG_ERROR and NLMSG_DONE, payload)."""
    unpack_header, header, skipped = _HEADER.unpack_from, _HEADER.size, _MESSAGE.size
    begin, last = 0, len(data) - header
    while begin <= last:
        length, kind, _flags, sequence, _port = unpack_header(data, begin)
        if length < header:
            return
        if kind not in NLMSG_ENDS:
            yield kind, sequence, 0, data[begin + skipped : begin + length]
        elif length < header + _ERROR.size:
            yield kind, sequence, 0, b""
        else:
            yield kind, sequence, -min(_ERROR.unpack_from(data, begin + header)[0], 0), b""
        begin += (length + 3) & ~3


class _Shape(NamedTuple):
    """Which attributes a message has, and where: those of one kind have all the same."""

    struct: Struct  # each header (length and type) and payload in turn
    heads: tuple[bytes, ...]
    numbers: tuple[int, ...]


_SHAPES: dict[int, _Shape] = {}  # by size, the last one seen of each
_MAX_SHAPES = 64


def unpack_attributes(data: bytes) -> Found:
    """Attributes by number."""
    shape = _SHAPES.get(len(data))
    if shape:
        # a table has ten thousand servers of one shape, and one call is five times faster than a loop
        values = shape.struct.unpack(data)
        if values[::2] == shape.heads:
            return dict(zip(shape.numbers, values[1::2]))
    return _unpack_attributes_of_any_shape(data)


def _unpack_attributes_of_any_shape(data: bytes) -> Found:
    found: Found = {}
    begin, end = 0, len(data)
    pattern, heads = "=", []
    while begin + 4 <= end:
        length, kind = _ATTRIBUTE.unpack_from(data, begin)
        if length < 4:
            return found
        found[kind & _NLA_TYPE_MASK] = data[begin + 4 : begin + length]
        following = (begin + length + 3) & ~3
        pattern += f"4s{length - 4}s{max(min(following, end) - begin - length, 0)}x"
        heads.append(data[begin : begin + 4])
        begin = following
    if len(found) == len(heads) and Struct(pattern).size == end:
        if len(_SHAPES) >= _MAX_SHAPES:
            _SHAPES.clear()
        _SHAPES[end] = _Shape(Struct(pattern), tuple(heads), tuple(found))
    return found


def unpack_nest(payload: bytes, name: str) -> Found:
    """The attributes below SERVICE or DEST of a message."""
    wanted = _CMD[name]
    length, kind = _ATTRIBUTE.unpack_from(payload)
    if length == len(payload) and kind & _NLA_TYPE_MASK == wanted:  # it is all that there is, as in every dump
        return unpack_attributes(payload[4:])
    return unpack_attributes(unpack_attributes(payload)[wanted])


def unpack_service_key(found: Found) -> ServiceKey:
    """The identity of a service of the kernel's."""
    family = name_of(FAMILY, _u16(found[_SVC["AF"]]), "family")
    mark = found.get(_SVC["FWMARK"])
    if mark and _u32(mark):
        return ServiceKey(family, fwmark=_u32(mark))
    return ServiceKey(
        family,
        protocol=name_of(PROTOCOL, _u16(found[_SVC["PROTOCOL"]]), "protocol"),
        address=unpack(family, found[_SVC["ADDR"]]),
        port=int.from_bytes(found[_SVC["PORT"]], "big"),
    )


def unpack_service(found: Found) -> Service:
    """A service in normal form: the kernel returns timeout and netmask of services that are not persistent too."""
    key = unpack_service_key(found)
    flags = _u32(found[_SVC["FLAGS"]])
    timeout = netmask = None
    if flags & SVC_F_PERSISTENT:
        timeout, raw = _u32(found[_SVC["TIMEOUT"]]), found[_SVC["NETMASK"]]
        netmask = unpack(IPV4, raw) if key.family == IPV4 else str(_u32(raw))
    return Service(
        key=key,
        scheduler=_text(found[_SVC["SCHED_NAME"]]),
        scheduler_flags=frozenset(bit for bit, value in SVC_F_SCHED.items() if flags & value),
        persistence_timeout=timeout,
        persistence_netmask=netmask,
        persistence_engine=_text(found.get(_SVC["PE_NAME"], b"")),
        one_packet=bool(flags & SVC_F_ONEPACKET),
    )


def unpack_server_key(found: Found, service: ServiceKey) -> ServerKey:
    """The identity of a server; kernels before 3.18 do not say its family, which is the service's there."""
    raw = found.get(_AF)
    family = service.family if raw is None else name_of(FAMILY, _u16(raw), "family")
    return ServerKey(unpack(family, found[_ADDR]), int.from_bytes(found[_PORT], "big"))


def unpack_server(found: Found, service: ServiceKey) -> Server:
    """A server in normal form: the kernel returns tunnel attributes of every server."""
    return _server(
        unpack_server_key(found, service),
        _u32(found[_FWD]),
        _u32(found[_WEIGHT]),
        found.get(_TUN_TYPE, b"\0")[0],
        found.get(_TUN_PORT, b""),
        _u16(found.get(_TUN_FLAGS, bytes(2))),
        _u32(found[_UPPER]),
        _u32(found[_LOWER]),
    )


def _server(
    key: ServerKey, flags: int, weight: int, tunnel: int, tunnel_port: bytes, checksum: int, upper: int, lower: int
) -> Server:
    method = flags & CONN_F_FWD_MASK
    forwarding = FORWARDING.get(method) or name_of(FORWARDING, method, "forwarding")
    if forwarding != "tunnel":
        return Server(key, forwarding, weight, upper, lower)
    kind = name_of(TUNNEL_TYPE, tunnel, "type")
    return Server(
        key=key,
        forwarding=forwarding,
        weight=weight,
        upper_threshold=upper,
        lower_threshold=lower,
        tunnel_type=kind,
        tunnel_port=int.from_bytes(tunnel_port, "big") if kind == "gue" else None,
        tunnel_checksum=name_of(TUNNEL_FLAGS, checksum, "flags") if kind in ("gue", "gre") else None,
    )


class _ServerShape(NamedTuple):
    """Where a server's configuration stands in messages of one shape, and how to tell that they have it."""

    unpack: Callable[[bytes], tuple[Any, ...]] | None  # None: there is no such place
    mask: int  # the bytes that are headers of attributes, of a message as one number
    heads: int


_NO_SHAPE = _ServerShape(None, 0, 0)
# In the order in which the kernel writes them (ip_vs_genl_fill_dest in ip_vs_ctl.c), other things in between
_CONFIGURATION = dict(
    zip(
        (_ADDR, _PORT, _FWD, _WEIGHT, _TUN_TYPE, _TUN_PORT, _TUN_FLAGS, _UPPER, _LOWER, _AF),
        ("16s", "2s", "I", "I", "B", "2s", "H", "I", "I", "H"),
    )
)
_SERVER_SHAPES: dict[int, _ServerShape] = {}  # by size, the first one seen of each


def unpack_servers(payloads: Iterable[bytes], service: ServiceKey) -> list[Server]:
    """What unpack_server makes of the attributes of each message.

    There may be ten thousand, nearly all of one shape: of those only the configuration is taken, by one call.
    """
    servers = []
    size, unpack_all, number_of_bytes = -1, None, int.from_bytes
    for payload in payloads:
        if len(payload) != size:
            size = len(payload)
            unpack_all, mask, heads = _known_shape(payload)
        if unpack_all and number_of_bytes(payload, "little") & mask == heads:
            address, port, flags, weight, tunnel, tunnel_port, checksum, upper, lower, number = unpack_all(payload)
            family = FAMILY.get(number) or name_of(FAMILY, number, "family")
            key = ServerKey(unpack(family, address), number_of_bytes(port, "big"))
            servers.append(_server(key, flags, weight, tunnel, tunnel_port, checksum, upper, lower))
        else:
            servers.append(unpack_server(unpack_nest(payload, "DEST"), service))
    return servers


def _known_shape(payload: bytes) -> _ServerShape:
    size = len(payload)
    if size not in _SERVER_SHAPES and len(_SERVER_SHAPES) < _MAX_SHAPES:
        _SERVER_SHAPES[size] = _server_shape(payload)
    return _SERVER_SHAPES.get(size, _NO_SHAPE)


def _server_shape(payload: bytes) -> _ServerShape:
    """The shape of this message, none if it lacks something or has it in another order."""
    head, begin, end = _ATTRIBUTE.size, _ATTRIBUTE.size, len(payload)
    length, kind = _ATTRIBUTE.unpack_from(payload)
    if length != end or kind & _NLA_TYPE_MASK != _CMD["DEST"]:
        return _NO_SHAPE
    pattern, mask, numbers = f"={head}x", b"\xff" * head, []
    while begin + head <= end:
        length, kind = _ATTRIBUTE.unpack_from(payload, begin)
        number, following = kind & _NLA_TYPE_MASK, (begin + length + 3) & ~3
        form = _CONFIGURATION.get(number, f"{max(length - head, 0)}x")
        if following > end or Struct(f"={form}").size != length - head:
            return _NO_SHAPE
        if number in _CONFIGURATION:
            numbers.append(number)
        pattern += f"{head}x{form}{following - begin - length}x"
        mask += b"\xff" * head + bytes(following - begin - head)
        begin = following
    if begin != end or numbers != list(_CONFIGURATION):
        return _NO_SHAPE
    bits = int.from_bytes(mask, "little")
    return _ServerShape(Struct(pattern).unpack, bits, int.from_bytes(payload, "little") & bits)


def unpack_connections(found: Found) -> Connections:
    """How many connections a server has."""
    return Connections(*(_u32(found[_DEST[name]]) for name in ("ACTIVE_CONNS", "INACT_CONNS", "PERSIST_CONNS")))


def unpack_service_counters(found: Found) -> Counters:
    """What a service has done."""
    return _counters(found.get(_SVC["STATS64"]))


def unpack_server_status(found: Found) -> ServerStatus:
    """What the kernel observed of a server."""
    return ServerStatus(unpack_connections(found), _counters(found.get(_DEST["STATS64"])))


def _counters(stats: bytes | None) -> Counters:
    """Counters and rates; kernels before 4.1 have no STATS64, and there they are all 0."""
    if stats is None:
        return Counters()
    found = unpack_attributes(stats)
    names = ("CONNS", "INPKTS", "OUTPKTS", "INBYTES", "OUTBYTES", "CPS", "INPPS", "OUTPPS", "INBPS", "OUTBPS")
    return Counters(*(_U64.unpack_from(found[_STATS[name]])[0] if _STATS[name] in found else 0 for name in names))


def _u16(data: bytes) -> int:
    value: int = _U16.unpack_from(data)[0]
    return value


def _u32(data: bytes) -> int:
    value: int = _U32.unpack_from(data)[0]
    return value


def _text(data: bytes) -> str:
    return data.partition(b"\0")[0].decode(errors="replace")


def name_of(names: Mapping[int, str], number: int, noun: str) -> str:
    """The name of a number of the kernel's, made up for what only the kernel can hold."""
    return names.get(number) or f"{noun}-{number}"


def number_of(names: Names, name: str) -> int:
    """The kernel's number of a name."""
    number = names.numbers.get(name)
    # what is not among them was made by name_of from what the kernel had
    return int(name.rpartition("-")[2]) if number is None else number
