# SPDX-License-Identifier: Apache-2.0
"""A small WebSocket client (RFC 6455), blocking, for tests: also able to send what no client should."""

import base64
import hashlib
import json
import os
import socket
import struct

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Refused(Exception):
    def __init__(self, status, headers, body):
        super().__init__("%d %s" % (status, body[:300]))
        self.status, self.headers, self.body = status, headers, body

    @property
    def json(self):
        return json.loads(self.body)


class WebSocket:
    """connect() has happened; `closed` is (code, reason) once the server closed it."""

    def __init__(self, port, path, headers=None, receive_buffer=0, timeout=120, wrap=None):
        self.sock = socket.socket()
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(timeout)
        self.sock.connect(("127.0.0.1", port))
        if wrap:
            self.sock = wrap(self.sock)
        self.rest, self.closed = b"", None
        self.key = base64.b64encode(os.urandom(16)).decode()
        fields = {
            "Host": "127.0.0.1:%d" % port,
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": self.key,
            "Sec-WebSocket-Version": "13",
        }
        fields.update(headers or {})
        text = "GET %s HTTP/1.1\r\n" % path
        text += "".join("%s: %s\r\n" % (k, v) for k, v in fields.items() if v is not None)
        self.sock.sendall(text.encode() + b"\r\n")
        self.read_head()

    def read_head(self):
        while b"\r\n\r\n" not in self.rest:
            self.fill()
        head, self.rest = self.rest.split(b"\r\n\r\n", 1)
        lines = head.decode().split("\r\n")
        status = int(lines[0].split()[1])
        headers = {k.lower(): v for k, v in (line.split(": ", 1) for line in lines[1:])}
        if status != 101:
            size = int(headers.get("content-length", "0"))
            while len(self.rest) < size:
                self.fill()
            self.sock.close()
            raise Refused(status, headers, self.rest[:size].decode())
        want = base64.b64encode(hashlib.sha1((self.key + GUID).encode()).digest()).decode()
        assert headers["sec-websocket-accept"] == want, headers
        assert "sec-websocket-extensions" not in headers, headers
        self.headers = headers

    def fill(self):
        data = self.sock.recv(1 << 16)
        if not data:
            raise EOFError("the server closed the connection")
        self.rest += data

    def take(self, n):
        while len(self.rest) < n:
            self.fill()
        data, self.rest = self.rest[:n], self.rest[n:]
        return data

    def frame(self):
        """(opcode, payload) of the next frame, whatever it is."""
        first, second = self.take(2)
        assert first & 0x80 and not first & 0x70 and not second & 0x80, (first, second)
        n = second & 0x7F
        if n == 126:
            (n,) = struct.unpack(">H", self.take(2))
            assert n >= 126
        elif n == 127:
            (n,) = struct.unpack(">Q", self.take(8))
            assert n >= 65536
        return first & 15, self.take(n)

    def next(self):
        """The next text message as JSON; None when the server closed the socket. Pings are answered."""
        while True:
            try:
                op, payload = self.frame()
            except (EOFError, ConnectionError):
                self.closed = self.closed or (None, "")
                return None
            if op == TEXT:
                return json.loads(payload)
            if op == PING:
                self.send(payload, PONG)
            elif op == CLOSE:
                code = struct.unpack(">H", payload[:2])[0] if payload else None
                self.closed = (code, payload[2:].decode())
                return None

    @staticmethod
    def encode(payload, op=TEXT, fin=True, mask=True, rsv=0):
        if isinstance(payload, str):
            payload = payload.encode()
        n = len(payload)
        head = bytes([(0x80 if fin else 0) | rsv << 4 | op])
        bit = 0x80 if mask else 0
        if n < 126:
            head += bytes([bit | n])
        elif n < 65536:
            head += bytes([bit | 126]) + struct.pack(">H", n)
        else:
            head += bytes([bit | 127]) + struct.pack(">Q", n)
        if not mask:
            return head + payload
        key = os.urandom(4)
        long = (key * (n // 4 + 1))[:n]
        masked = (int.from_bytes(payload, "big") ^ int.from_bytes(long, "big")).to_bytes(n, "big") if n else b""
        return head + key + masked

    def send(self, payload, op=TEXT, **more):
        self.sock.sendall(self.encode(payload, op, **more))

    def close(self, code=1000):
        """Close in order; True when the server answered with the same code."""
        try:
            self.send(struct.pack(">H", code), CLOSE)
            while self.next() is not None:
                pass
        except OSError:
            pass
        self.sock.close()
        return self.closed is not None and self.closed[0] == code

    def drop(self):
        self.sock.close()
