# SPDX-License-Identifier: Apache-2.0
"""An edge node of Sparkplug B for tests, by the standard library alone: a small MQTT 3.1.1 client with a will, and an
encoder and decoder of payloads written from the specification, independent of the product's."""
import socket
import struct
import threading
import time

TYPES = ["Unknown", "Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64", "Float", "Double",
         "Boolean", "String", "DateTime", "Text", "UUID", "DataSet", "Bytes", "File", "Template"]


def varint(n):
    out = b""
    while True:
        n, low = n >> 7, n & 127
        if not n:
            return out + bytes([low])
        out += bytes([low | 128])


def number(field, value):
    return varint(field << 3) + varint(value & (1 << 64) - 1)


def block(field, data):
    return varint(field << 3 | 2) + varint(len(data)) + data


def value_field(kind, value, first=10):
    """A value as the field its type wants; `first`: the number of int_value in that message."""
    if kind in ("Int8", "Int16", "Int32", "UInt8", "UInt16", "UInt32"):
        return number(first, value & 0xFFFFFFFF)
    if kind in ("Int64", "UInt64", "DateTime"):
        return number(first + 1, value)
    if kind == "Float":
        return varint(first + 2 << 3 | 5) + struct.pack("<f", value)
    if kind == "Double":
        return varint(first + 3 << 3 | 1) + struct.pack("<d", value)
    if kind == "Boolean":
        return number(first + 4, int(value))
    if kind in ("String", "Text", "UUID"):
        return block(first + 5, value.encode())
    if kind in ("Bytes", "File"):
        return block(first + 6, value)
    return block(first + (7 if kind == "DataSet" else 8), value)


def metric(name=None, kind=None, value=None, alias=None, time_ms=None, historical=False, properties=None, typed=True):
    """typed False: data, which leaves its type out."""
    out = block(1, name.encode()) if name is not None else b""
    out += number(2, alias) if alias is not None else b""
    out += number(3, time_ms) if time_ms is not None else b""
    out += number(4, TYPES.index(kind)) if typed and kind else b""
    out += number(5, 1) if historical else b""
    out += number(7, 1) if value is None else b""
    if properties:
        out += block(9, b"".join(block(1, k.encode()) for k in properties) +
                     b"".join(block(2, number(1, TYPES.index(t)) + value_field(t, v, 3))
                              for t, v in properties.values()))
    return out + (value_field(kind, value) if value is not None else b"")


def payload(metrics, seq=None, time_ms=None):
    out = number(1, time_ms if time_ms is not None else int(time.time() * 1000))
    out += b"".join(block(2, m) for m in metrics)
    return out + (number(3, seq) if seq is not None else b"")


def template(members, ref=None, definition=False):
    out = b"".join(block(2, m) for m in members)
    return out + (block(4, ref.encode()) if ref else b"") + number(5, int(definition))


def fields(data):
    """(number, value) of one message: ints, or bytes."""
    at = 0
    while at < len(data):
        def read():
            nonlocal at
            n = shift = 0
            while True:
                byte = data[at]
                at += 1
                n |= (byte & 127) << shift
                shift += 7
                if byte < 128:
                    return n
        tag = read()
        if tag & 7 == 0:
            yield tag >> 3, read()
            continue
        size = {1: 8, 5: 4}.get(tag & 7) or read()
        yield tag >> 3, data[at:at + size]
        at += size


def read_payload(data):
    """{"seq", "timestamp", "metrics": [{field number: value}]}"""
    out = {"metrics": []}
    for field, value in fields(data):
        if field == 2:
            out["metrics"].append(dict(fields(value)))
        elif field in (1, 3):
            out["timestamp" if field == 1 else "seq"] = value
    return out


class Mqtt:
    """A connection; what arrives is in `inbox` as (topic, payload, retained)."""

    def __init__(self, port, client, will=None):
        self.socket = socket.create_connection(("127.0.0.1", port), 60)
        self.inbox, self.news, self.ids = [], threading.Condition(), 0
        flags, body = 2, self.text(client)
        if will:
            flags |= 4 | 8  # QoS 1, not retained
            body += self.text(will[0]) + struct.pack(">H", len(will[1])) + will[1]
        self.send(0x10, self.text("MQTT") + bytes([4, flags, 0, 0]) + body)
        kind, body = self.receive()
        if kind != 0x20 or body[1]:
            raise AssertionError("not connected: %r" % body)
        self.acks = []
        threading.Thread(target=self.listen, daemon=True).start()

    @staticmethod
    def text(s):
        return struct.pack(">H", len(s.encode())) + s.encode()

    def send(self, kind, body):
        self.socket.sendall(bytes([kind]) + varint(len(body)) + body)

    def exactly(self, n):
        data = b""
        while len(data) < n:
            more = self.socket.recv(n - len(data))
            if not more:
                raise OSError("closed")
            data += more
        return data

    def receive(self):
        kind = self.exactly(1)[0]
        size = shift = 0
        while True:
            byte = self.exactly(1)[0]
            size |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return kind, self.exactly(size)

    def listen(self):
        try:
            while True:
                kind, body = self.receive()
                with self.news:
                    if kind >> 4 == 3:
                        n = struct.unpack(">H", body[:2])[0]
                        skip = 2 if kind & 6 else 0
                        if skip:
                            self.send(0x40, body[2 + n:4 + n])
                        self.inbox.append((body[2:2 + n].decode(), body[2 + n + skip:], bool(kind & 1)))
                    else:
                        self.acks.append(kind)
                    self.news.notify_all()
        except OSError:
            pass

    def subscribe(self, topic, qos=1):
        self.ids += 1
        self.send(0x82, struct.pack(">H", self.ids) + self.text(topic) + bytes([qos]))
        self.wait(lambda: 0x90 in self.acks)

    def publish(self, topic, data):
        self.send(0x30, self.text(topic) + data)

    def wait(self, what, seconds=60):
        with self.news:
            if not self.news.wait_for(what, seconds):
                raise AssertionError("nothing came: %r" % [t for t, _, _ in self.inbox])

    def close(self):
        """Without DISCONNECT: the broker sends the will."""
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


class Edge:
    """An edge node. `metrics` and those of `devices` are {name: (type, value)}; aliases are given in their order. It
    answers requests for a rebirth by itself, unless `deaf`."""

    def __init__(self, port, group, node, metrics, devices=None, bdseq=0, deaf=False, templates=()):
        self.group, self.node, self.metrics, self.devices = group, node, metrics, devices or {}
        self.bdseq, self.seq, self.births, self.templates = bdseq, 0, 0, templates
        self.aliases, self.lock = {}, threading.RLock()
        for device, names in [(None, metrics)] + list(self.devices.items()):
            for name in names:
                self.aliases[device, name] = len(self.aliases) + 1
        self.link = Mqtt(port, "edge-%s-%s" % (group, node), (self.topic("NDEATH"), self.death()))
        self.link.subscribe(self.topic("NCMD"))
        self.link.subscribe(self.topic("DCMD", "+"))
        if not deaf:
            threading.Thread(target=self.serve, daemon=True).start()

    def topic(self, verb, device=None):
        return "spBv1.0/%s/%s/%s" % (self.group, verb, self.node) + ("/" + device if device else "")

    def death(self):
        return payload([metric("bdSeq", "Int64", self.bdseq)])

    def commands(self):
        with self.link.news:
            return [(t, read_payload(p)) for t, p, _ in self.link.inbox]

    def rebirths_asked(self):
        return sum(any(m.get(1) == b"Node Control/Rebirth" for m in p["metrics"]) for _, p in self.commands())

    def serve(self):
        answered = 0
        while True:
            try:
                asked = b"Node Control/Rebirth"
                self.link.wait(lambda: sum(asked in p for _, p, _ in self.link.inbox) > answered, 3600)
            except AssertionError:
                return
            answered += 1
            try:
                self.birth()
            except OSError:
                return

    def publish(self, verb, metrics, device=None, time_ms=None, seq=None):
        with self.lock:
            if seq is None:
                seq = self.seq
                self.seq = (self.seq + 1) % 256
            self.link.publish(self.topic(verb, device), payload(metrics, seq, time_ms))

    def birth(self):
        now = int(time.time() * 1000)
        with self.lock:
            self.seq = 0
            own = [metric("bdSeq", "Int64", self.bdseq, time_ms=now),
                   metric("Node Control/Rebirth", "Boolean", False, time_ms=now)]
            own += [metric(name, "Template", body, time_ms=now) for name, body in self.templates]
            own += [metric(n, k, v, self.aliases[None, n], now) for n, (k, v) in self.metrics.items()]
            self.publish("NBIRTH", own)
            for device in self.devices:
                self.device_birth(device)
            self.births += 1

    def device_birth(self, device):
        now = int(time.time() * 1000)
        self.publish("DBIRTH", [metric(n, k, v, self.aliases[device, n], now)
                                for n, (k, v) in self.devices[device].items()], device)

    def data(self, device, values, time_ms=None, historical=False):
        """Values by alias, without types."""
        names = self.devices[device] if device else self.metrics
        now = time_ms or int(time.time() * 1000)
        self.publish("DDATA" if device else "NDATA",
                     [metric(None, names[n][0], v, self.aliases[device, n], now, historical, typed=False)
                      for n, v in values.items()], device)

    def die(self):
        self.link.close()
