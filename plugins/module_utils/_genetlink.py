# Copyright (c) 2026, the linux.lvs contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A generic netlink family of the kernel's: requests and answers over a plain socket, messages of pyroute2's or packed ones.

Private to linux.lvs: may change in any release.

pyroute2's own sockets are not used: importing them takes longer than a small task of ours, and they wait for ever when the
kernel has no answer.
"""

from __future__ import annotations

import errno
import os
import socket
from contextlib import closing, suppress
from typing import Any, Iterator, List, Sequence, Tuple

from ._pyroute2 import ctrlmsg
from ._wire import (
    NLM_F_ACK,
    NLM_F_DUMP,
    NLM_F_REQUEST,
    NLMSG_ENDS,
    NLMSG_ERROR,
    pack_message,
    payload_of,
    unpack_messages,
)

_NETLINK_GENERIC = 16  # include/uapi/linux/netlink.h
_SOL_NETLINK, _NETLINK_CAP_ACK = 270, 10
_SO_SNDBUFFORCE, _SO_RCVBUFFORCE = 32, 33  # include/uapi/asm-generic/socket.h
_GENL_ID_CTRL = 16  # include/uapi/linux/genetlink.h
_CTRL_COMMANDS = ("UNSPEC", "NEWFAMILY", "DELFAMILY", "GETFAMILY")
_BUFFER = 1 << 20
_CHUNK = 1 << 16  # the kernel fills up to half of it at a time (netlink_dump in af_netlink.c)

Attributes = List[Tuple[str, Any]]


def encoded(message_class: Any, attributes: Attributes) -> bytes:
    """The attributes of a request as pyroute2's class of it writes them."""
    message = message_class()
    message["attrs"] = attributes
    message.encode()
    return payload_of(bytes(message.data))


def decoded(message_class: Any, payload: bytes) -> Any:
    """The message of pyroute2's class whose attributes these are."""
    message = message_class(pack_message(0, 0, payload, 0, 0))
    message.decode()
    return message


def open_link(name: str, commands: Sequence[str]) -> Link:
    """A socket to the family of this name, which the kernel may load a module for. Raises OSError, ENOENT for none."""
    with closing(Link(_GENL_ID_CTRL, _CTRL_COMMANDS)) as control:
        answer = control.get("GETFAMILY", encoded(ctrlmsg, [("CTRL_ATTR_FAMILY_NAME", name)]))
    return Link(decoded(ctrlmsg, answer).get_attr("CTRL_ATTR_FAMILY_ID"), commands)


class Link:
    """A netlink socket to a family, by the number that the kernel gave it. Raises OSError for what the kernel answers."""

    def __init__(self, family: int, commands: Sequence[str]) -> None:
        self.family = family
        self._commands = {name: number for number, name in enumerate(commands)}
        self._sequence = 0
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_GENERIC)
        self._socket.bind((0, 0))
        # errors come without a copy of the request, so that those of a whole batch fit into the buffer
        self._socket.setsockopt(_SOL_NETLINK, _NETLINK_CAP_ACK, 1)
        for option in (_SO_SNDBUFFORCE, _SO_RCVBUFFORCE):
            with suppress(OSError):  # whoever may not do that may not use IPVS either, and is told so by its answer
                self._socket.setsockopt(socket.SOL_SOCKET, option, _BUFFER)

    def close(self) -> None:
        """Closes the socket."""
        self._socket.close()

    def get(self, command: str, payload: bytes) -> bytes:
        """The payload of the only message of the answer."""
        sequence = self._send([(command, payload)], NLM_F_REQUEST)
        for kind, number, error, answer in self._receive():
            if number == sequence:
                if kind == NLMSG_ERROR:
                    raise OSError(error, os.strerror(error))
                return answer
        raise OSError(errno.EPROTO, os.strerror(errno.EPROTO))

    def dump(self, command: str, payload: bytes) -> tuple[list[bytes], int]:
        """The payloads of the messages of the answer, and in how many chunks they came.

        What comes in one chunk was read at one moment. What others change between two chunks makes entries that did
        not change vanish, or come twice.
        """
        sequence = self._send([(command, payload)], NLM_F_REQUEST | NLM_F_DUMP)
        payloads: list[bytes] = []
        chunks = 0
        while True:
            had = len(payloads)
            for kind, number, error, answer in self._receive():
                if number != sequence:
                    continue
                if kind in NLMSG_ENDS:
                    if error:
                        raise OSError(error, os.strerror(error))
                    return payloads, chunks + (len(payloads) > had)
                payloads.append(answer)
            chunks += len(payloads) > had

    def change(self, requests: Sequence[tuple[str, bytes]]) -> dict[int, int]:
        """Sends all of them at once; the error numbers of those that failed, by index. The others were done."""
        failures: dict[int, int] = {}
        # only the last one is acknowledged: the kernel answers in order, and errors always
        first = self._send(requests, NLM_F_REQUEST, on_last=NLM_F_ACK)
        last = first + len(requests) - 1
        while True:
            try:
                answers = self._receive(socket.MSG_DONTWAIT)
            except BlockingIOError:
                # netlink's work is done when sending returns: an answer that is not there then will not come
                return failures
            for kind, number, error, _answer in answers:
                if kind != NLMSG_ERROR or not first <= number <= last:
                    continue
                if error:
                    failures[number - first] = error
                if number == last:
                    return failures

    def _send(self, requests: Sequence[tuple[str, bytes]], flags: int, on_last: int = 0) -> int:
        """Sends all of them at once; the sequence number of the first, from which the others count on."""
        first, end = self._sequence + 1, len(requests) - 1
        self._sequence += len(requests)
        messages = (
            pack_message(
                self.family, self._commands[command], payload, flags | (on_last if index == end else 0), first + index
            )
            for index, (command, payload) in enumerate(requests)
        )
        self._socket.send(b"".join(messages))
        return first

    def _receive(self, flags: int = 0) -> Iterator[tuple[int, int, int, bytes]]:
        return unpack_messages(self._socket.recv(_CHUNK, flags))
