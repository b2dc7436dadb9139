# SPDX-License-Identifier: Apache-2.0
"""A mosquitto of the test's own: on a free port, with its state in a scratch folder, never the system's."""
import os
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import unittest

MOSQUITTO = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
SLOW = float(os.environ.get("SOSIA_TEST_SLOW", "1"))


def needed():
    """End this test with a clear line where mosquitto and its clients are not installed."""
    for name, found in (("mosquitto", MOSQUITTO), ("mosquitto_pub", shutil.which("mosquitto_pub"))):
        if not found:
            print("SKIP: %s is not installed" % name)
            raise unittest.SkipTest("%s is not installed" % name)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Certificates:
    """A CA of the test's own; `make` signs for a name: (certificate, key) as files."""

    def __init__(self, folder):
        self.folder = folder
        self.ca, self.ca_key = self.path("ca.pem"), self.path("ca.key")
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                     "-subj", "/CN=test CA", "-keyout", self.ca_key, "-out", self.ca)

    def path(self, name):
        return os.path.join(self.folder, name)

    def openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], check=True, capture_output=True)

    def make(self, name, passphrase=None):
        cert, key, request = self.path(name + ".pem"), self.path(name + ".key"), self.path(name + ".csr")
        extra = self.path(name + ".ext")
        with open(extra, "w") as f:
            f.write("subjectAltName=DNS:%s\n" % name)
        self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=" + name,
                     "-keyout", key, "-out", request)
        self.openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self.ca_key, "-CAcreateserial", "-days",
                     "2", "-extfile", extra, "-out", cert)
        if passphrase:
            self.openssl("pkcs8", "-topk8", "-in", key, "-out", key + ".enc", "-passout", "pass:" + passphrase)
            os.replace(key + ".enc", key)
        return cert, key


class Publisher:
    """As much of MQTT 3.1.1 as a publisher of many messages needs."""

    WINDOW = 500  # unacknowledged

    def __init__(self, s):
        self.socket, self.got = s, b""
        name = b"pub-%d-%d" % (os.getpid(), time.monotonic_ns())
        head = b"\0\4MQTT\4\2\0\0" + len(name).to_bytes(2, "big") + name
        s.sendall(b"\x10" + bytes([len(head)]) + head)
        if self.read(4)[:2] != b"\x20\x02":
            raise AssertionError("the broker did not take the publisher")

    def read(self, n):
        while len(self.got) < n:
            part = self.socket.recv(65536)
            if not part:
                raise AssertionError("the broker left the publisher")
            self.got += part
        out, self.got = self.got[:n], self.got[n:]
        return out

    @staticmethod
    def packet(topic, payload, qos, mid):
        body = len(topic).to_bytes(2, "big") + topic + (mid.to_bytes(2, "big") if qos else b"") + payload
        n, length = len(body), b""
        while True:
            n, low = divmod(n, 128)
            length += bytes([low | (128 if n else 0)])
            if not n:
                return bytes([0x30 | qos << 1]) + length + body

    def run(self, topic, lines, qos):
        topic, lines = topic.encode(), list(lines)
        for at in range(0, len(lines), self.WINDOW):
            part = lines[at:at + self.WINDOW]
            self.socket.sendall(b"".join(self.packet(topic, line.encode(), qos, i + 1) for i, line in enumerate(part)))
            if qos:
                self.read(4 * len(part))
        self.socket.sendall(b"\xc0\0")  # PINGREQ: what was sent before it was read
        self.read(2)
        self.socket.sendall(b"\xe0\0")


class Broker:
    """One broker. `options`: lines for its configuration. tls: (ca, cert, key), then clients need certificates of the
    same CA. users: {"name": "password"}; without them anonymous clients are let in."""

    def __init__(self, *options, tls=None, users=None, persistence=False):
        needed()
        self.folder = tempfile.mkdtemp(prefix="sosia-broker-")
        os.chmod(self.folder, 0o755)
        self.port = free_port()
        self.tls = tls
        self.process = None
        lines = ["listener %d 127.0.0.1" % self.port, "log_dest file %s" % self.path("log"), "log_type all",
                 "connection_messages true", "set_tcp_nodelay true", "max_queued_messages 0"]
        if os.getuid() == 0:
            lines += ["user root"]
        if persistence:
            lines += ["persistence true", "persistence_location %s/" % self.folder, "autosave_interval 1",
                      "autosave_on_changes true"]
        if tls:
            lines += ["cafile %s" % tls[0], "certfile %s" % tls[1], "keyfile %s" % tls[2], "require_certificate true"]
        if users:
            passwords = self.path("passwords")
            with open(passwords, "w") as f:
                f.writelines("%s:%s\n" % pair for pair in users.items())
            os.chmod(passwords, 0o600)
            subprocess.run(["mosquitto_passwd", "-U", passwords], check=True, capture_output=True)
            lines += ["allow_anonymous false", "password_file %s" % passwords]
        else:
            lines += ["allow_anonymous true"]
        with open(self.path("conf"), "w") as f:
            f.write("\n".join(lines + list(options)) + "\n")
        self.start()

    @property
    def url(self):
        return "%s://127.0.0.1:%d" % ("mqtts" if self.tls else "mqtt", self.port)

    def path(self, name):
        return os.path.join(self.folder, name)

    def start(self):
        self.process = subprocess.Popen([MOSQUITTO, "-c", self.path("conf")], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        end = time.monotonic() + 30 * SLOW
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            except OSError:
                if self.process.poll() is not None or time.monotonic() > end:
                    raise AssertionError("mosquitto did not start: %s" % self.log)
                time.sleep(0.02)

    @property
    def log(self):
        try:
            with open(self.path("log"), encoding="utf-8", errors="replace") as f:
                return f.read()
        except OSError:
            return ""

    def send(self, sig):
        """A signal to the process: SIGSTOP, SIGCONT."""
        self.process.send_signal(sig)

    def stop(self, sig=signal.SIGTERM):
        """End the process; what it keeps on disk stays for the next start."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(sig)
            self.process.wait(30 * SLOW)

    def close(self):
        self.stop(signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def client(self, tool, *arguments):
        return [tool, "-h", "127.0.0.1", "-p", str(self.port), "-V", "5", *map(str, arguments)]

    def publish(self, topic, payload, qos=1, retain=False, more=()):
        """One message; payload is text, bytes, or None for an empty one. QoS 1: the broker has it."""
        command = self.client("mosquitto_pub", "-t", topic, "-q", qos, *more, *(["-r"] if retain else []))
        if payload is None:
            subprocess.run(command + ["-n"], check=True, timeout=60 * SLOW)
        else:
            data = payload if isinstance(payload, bytes) else payload.encode()
            subprocess.run(command + ["-s"], input=data, check=True, timeout=60 * SLOW)

    def publish_lines(self, topic, lines, qos=1, tls=None):
        """A message a line, over one connection; all are at the broker when it returns (mosquitto_pub -l loses some of
        many). tls: (ca, cert, key)."""
        with socket.create_connection(("127.0.0.1", self.port), 60 * SLOW) as plain:
            s = plain
            if tls:
                context = ssl.create_default_context(cafile=tls[0])
                context.check_hostname = False
                context.load_cert_chain(tls[1], tls[2])
                s = context.wrap_socket(plain)
            Publisher(s).run(topic, lines, qos)
            s.close()

    def subscriber(self, *topics, format="%t %p", count=None, more=()):
        """A running mosquitto_sub; its stdout has a line a message. It is subscribed when this returns."""
        mark = len(self.log)
        name = "sub-%d-%d" % (os.getpid(), time.monotonic_ns())
        command = self.client("mosquitto_sub", "-i", name, "-q", "1", "-F", format, *more)
        for topic in topics:
            command += ["-t", topic]
        if count:
            command += ["-C", str(count)]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        end = time.monotonic() + 30 * SLOW
        while "Sending SUBACK to %s" % name not in self.log[mark:]:
            if time.monotonic() > end or child.poll() is not None:
                raise AssertionError("mosquitto_sub did not subscribe: %s" % self.log[mark:])
            time.sleep(0.02)
        return child
