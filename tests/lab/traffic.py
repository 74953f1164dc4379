# Copyright (c) 2026, the linux.lvs contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Servers that say who they are, and clients that ask.

traffic serve-http|serve-udp ADDRESS PORT NAME
    "ready" is printed once it listens. GET /slow/SECONDS takes that long to answer, a piece every tenth of a second;
    GET /bytes/NUMBER is so long.
traffic ask-http|ask-udp ADDRESS PORT [PATH [TIMEOUT [TIMES]]]
    One after the other, each over a connection of its own.
traffic get|put ADDRESS PORT BYTES [TIMEOUT [TIMES]]
    So many bytes by HTTP, from or to whom, and how many arrived.
traffic keep-asking ADDRESS PORT FILE
    By HTTP, one after the other, while FILE is there; how often who answered.
traffic wrap ADDRESS PORT SERVER SOURCE
    The first packet of a connection, wrapped for a server as a director at SOURCE does it for an IPIP tunnel; which MSS
    the answer to it tells, or "silence".
traffic advertise ADDRESS SECONDS INTERFACE
    Tell those at ADDRESS (ff02::1: everyone there) that this host is a router of theirs for so long; 0: no longer.
"""

import collections
import http.client
import http.server
import pathlib
import socket
import socketserver
import struct
import sys
import time


def family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def serve_http(address, port, name):
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_PUT(self):
            arrived = len(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(f"{name}\n{arrived}".encode())

        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(f"{name}\n".encode())
            if self.path.startswith("/bytes/"):
                self.wfile.write(b"." * int(self.path.rpartition("/")[2]))
            if self.path.startswith("/slow/"):
                end = time.monotonic() + float(self.path.rpartition("/")[2])
                while time.monotonic() < end:
                    self.wfile.write(b".")
                    time.sleep(0.1)

        def log_message(self, *args):
            pass

    class Server(http.server.ThreadingHTTPServer):
        address_family = family(address)
        daemon_threads = True

        def server_bind(self):
            # that of HTTPServer asks a name server for the name of the address
            socketserver.TCPServer.server_bind(self)

    server = Server((address, port), Answer)
    print("ready", flush=True)
    server.serve_forever()


def serve_udp(address, port, name):
    with socket.socket(family(address), socket.SOCK_DGRAM) as server:
        server.bind((address, port))
        if server.family == socket.AF_INET6:  # of several own addresses the one that was asked has to answer
            server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        print("ready", flush=True)
        while True:
            _asked, asked_at, _flags, sender = server.recvmsg(4096, 64)
            # the interface that it came in by need not be the one towards the client
            answer_from = [(level, kind, data[:16] + bytes(4)) for level, kind, data in asked_at]
            server.sendmsg([name.encode()], answer_from, 0, sender)


def ask_http(address, port, path="/", timeout="5"):
    connection = http.client.HTTPConnection(address, port, timeout=float(timeout))
    connection.request("GET", path)
    print(connection.getresponse().read().decode().rstrip("\n"))


def get(address, port, size, timeout="5"):
    connection = http.client.HTTPConnection(address, port, timeout=float(timeout))
    connection.request("GET", f"/bytes/{size}")
    name, _newline, body = connection.getresponse().read().partition(b"\n")
    print(name.decode(), len(body), "bytes")


def put(address, port, size, timeout="5"):
    connection = http.client.HTTPConnection(address, port, timeout=float(timeout))
    connection.request("PUT", "/", body=b"." * int(size))
    name, arrived = connection.getresponse().read().decode().splitlines()
    print(name, arrived, "bytes")


def keep_asking(address, port, file):
    pathlib.Path(file).touch()
    answers = collections.Counter()
    while pathlib.Path(file).exists():
        connection = http.client.HTTPConnection(address, port, timeout=5)
        connection.request("GET", "/")
        answers[connection.getresponse().read().decode().rstrip("\n")] += 1
        connection.close()
        time.sleep(0.02)
    for name, times in sorted(answers.items()):
        print(name, times)


def ask_udp(address, port, path="/", timeout="5"):
    with socket.socket(family(address), socket.SOCK_DGRAM) as client:
        client.settimeout(float(timeout))
        client.connect((address, port))
        client.send(path.encode())
        print(client.recv(4096).decode())


def wrap(address, port, server, source):
    with socket.socket(family(address), socket.SOCK_DGRAM) as way:
        way.connect((address, port))
        own = way.getsockname()[0]
    sending, receiving = raw(server, socket.IPPROTO_RAW), raw(address, socket.IPPROTO_TCP)
    with sending, receiving, socket.socket(family(address), socket.SOCK_STREAM) as holder:
        holder.bind((own, 0))  # nobody else gets this port meanwhile
        own_port = holder.getsockname()[1]
        inner = packet(own, address, socket.IPPROTO_TCP, syn(own, own_port, address, port))
        kind = socket.IPPROTO_IPV6 if ":" in address else socket.IPPROTO_IPIP
        sending.sendto(packet(source, server, kind, inner), (server, 0))
        end = time.monotonic() + 3
        while (left := end - time.monotonic()) > 0:
            receiving.settimeout(left)
            try:
                data, (sender, *_rest) = receiving.recvfrom(4096)
            except TimeoutError:
                break
            segment = data if ":" in address else data[(data[0] & 15) * 4 :]
            if sender == address and struct.unpack("!HH", segment[:4]) == (port, own_port) and segment[13] == 0x12:
                print(mss(segment[20 : (segment[12] >> 4) * 4]))
                return
    print("silence")


def advertise(address, seconds, interface):
    """RFC 4861, section 4.2; the kernel adds the checksum."""
    index = socket.if_nametoindex(interface)
    with raw(address, socket.IPPROTO_ICMPV6) as sock:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
        sock.sendto(struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, seconds, 0, 0), (address, 0, 0, index))


def raw(address, protocol):
    return socket.socket(family(address), socket.SOCK_RAW, protocol)


def packet(source, destination, protocol, payload):
    ends = [socket.inet_pton(family(source), address) for address in (source, destination)]
    if ":" in source:
        return struct.pack("!IHBB", 6 << 28, len(payload), protocol, 64) + b"".join(ends) + payload
    header = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0, 64, protocol, 0) + b"".join(ends)
    return header[:10] + checksum(header) + header[12:] + payload


def syn(source, source_port, destination, port):
    segment = struct.pack("!HHIIBBHHHBBH", source_port, port, 1, 0, 6 << 4, 0x02, 65535, 0, 0, 2, 4, 1460)
    ends = b"".join(socket.inet_pton(family(source), address) for address in (source, destination))
    pseudo = ends + struct.pack("!II", socket.IPPROTO_TCP, len(segment))
    return segment[:16] + checksum(pseudo + segment) + segment[18:]


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", ~total & 0xFFFF)


def mss(options):
    while options and options[0]:
        kind, length = (1, 1) if options[0] == 1 else options[:2]
        if kind == 2:
            return struct.unpack("!H", options[2:4])[0]
        options = options[length:]
    return "none"


def main():
    deeds = {
        "serve-http": serve_http,
        "serve-udp": serve_udp,
        "ask-http": ask_http,
        "ask-udp": ask_udp,
        "get": get,
        "put": put,
        "keep-asking": keep_asking,
        "wrap": wrap,
        "advertise": advertise,
    }
    if len(sys.argv) < 4 or sys.argv[1] not in deeds:
        sys.exit(__doc__)
    deed, address, port, *rest = sys.argv[1:]
    times = int(rest.pop()) if len(rest) == 3 else 1
    try:
        for _time in range(times):
            deeds[deed](address, int(port), *rest)
    except OSError as error:
        sys.exit(f"{deed} {address} {port}: {error}")


if __name__ == "__main__":
    main()
