# SPDX-License-Identifier: Apache-2.0
"""Who may ask: loopback without tokens, tokens, browsers of other origins, TLS, reloading."""

import os
import ssl
import subprocess
import tempfile
import time
import unittest

from serve_lib import SOSIA, Server, ServerCase, certificate, main, wait_for

FORK = b'{"name":"guarded"}'


class WithoutTokens(ServerCase):
    options = ("--host", "plant.example", "--host", "ui.example:3000")

    def test_any_or_no_token_is_taken(self):
        for headers in [{}, {"Authorization": "Bearer whatever"}, {"Authorization": "nonsense"}]:
            self.check(self.server.get("/models", headers=headers), 200)

    def test_only_loopback_and_given_hosts(self):
        port = self.server.port
        for host in [
            "localhost",
            "localhost:%d" % port,
            "127.0.0.1:%d" % port,
            "[::1]:1",
            "plant.example",
            "PLANT.example:99",
            "ui.example:3000",
        ]:
            self.check(self.server.get("/models", headers={"Host": host}), 200)
        for host in [
            "evil.example",
            "evil.example:%d" % port,
            "localhost.evil.example",
            "10.0.0.1",
            "ui.example",
            "",
            "a b",
        ]:
            self.check(self.server.get("/models", headers={"Host": host}), 403, "Forbidden")
        self.assertEqual(self.server.get("/healthz", headers={"Host": "evil.example"}, version=None).status, 200)

    def test_pages_of_other_origins_change_nothing(self):
        own = "http://127.0.0.1:%d" % self.server.port
        write = lambda **h: self.server.post(
            "/worlds", FORK, headers={k.replace("_", "-"): v for k, v in h.items()}, version=None
        )
        for headers in [
            {"Origin": "http://evil.example"},
            {"Origin": "null"},
            {"Origin": "http://localhost:1"},
            {"Sec_Fetch_Site": "cross-site"},
        ]:
            self.check(write(**headers), 403, "Forbidden")
        for headers in [
            {},
            {"Origin": own},
            {"Origin": "http://ui.example:3000"},
            {"Sec_Fetch_Site": "same-origin", "Origin": own},
        ]:
            self.check(write(**headers), 201)
            self.check(self.server.delete("/worlds/guarded", version=None), 204)
        self.check(
            self.server.get("/models", headers={"Origin": "http://evil.example"}), 200
        )  # may not be read there: no CORS

    def test_other_addresses_are_refused(self):
        for address in ["0.0.0.0:0", "[::]:0"]:
            p = subprocess.run(
                [SOSIA, "serve", "--memory", "--http", address], capture_output=True, text=True, timeout=30
            )
            self.assertNotEqual(p.returncode, 0)
            self.assertIn("token file", p.stderr)


class BehindProxy(ServerCase):
    options = ("--behind-proxy",)

    def test_links_have_the_scheme_of_the_proxy(self):
        models = [
            {"@id": "dtmi:p:m%d;1" % i, "@type": "Interface", "@context": "dtmi:dtdl:context;2"} for i in range(2)
        ]
        self.check(self.server.post("/models", models), 201)
        link = lambda **h: self.server.get("/models", headers=dict({"max-items-per-page": "1"}, **h)).json["nextLink"]
        self.assertTrue(link().startswith("http://127.0.0.1:"))
        self.assertTrue(link(**{"X-Forwarded-Proto": "https"}).startswith("https://127.0.0.1:"))
        self.assertTrue(link(**{"X-Forwarded-Proto": "javascript"}).startswith("http://"))


class WithTokens(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.file = os.path.join(self.folder.name, "tokens")

    def tearDown(self):
        self.folder.cleanup()

    def write(self, text):
        with open(self.file, "w") as f:
            f.write(text)

    def ask(self, server, token, path="/models", **more):
        return server.get(path, headers={"Authorization": token} if token else {}, **more)

    def test_a_token_is_asked_for(self):
        self.write("# for people\nalpha-secret\n\n  beta secret  \n")
        server = Server("--token-file", self.file, "--log", "debug", http="0.0.0.0:0")
        try:
            for token in ["Bearer alpha-secret", "bearer alpha-secret", "Bearer beta secret"]:
                self.assertEqual(self.ask(server, token).status, 200)
            for token in [
                None,
                "",
                "Bearer",
                "Bearer ",
                "alpha-secret",
                "Bearer alpha-secre",
                "Bearer alpha-secret2",
                "Bearer # for people",
                "Basic alpha-secret",
            ]:
                reply = self.ask(server, token)
                self.assertEqual((reply.status, reply.code), (401, "Unauthorized"), token)
                self.assertTrue(reply.header("www-authenticate").startswith("Bearer"))
            for path in ["/nothing", "/metrics", "/openapi.json", "/worlds", "/changes", "/watch", "/graph"]:
                self.assertEqual(self.ask(server, None, path).status, 401, path)
            for path in ["/healthz", "/readyz", "/"]:  # the page holds no data
                self.assertEqual(self.ask(server, None, path).status, 200, path)
            self.assertEqual(
                server.get("/models", headers={"Host": "any.example", "Authorization": "Bearer alpha-secret"}).status,
                200,
            )
            self.assertNotIn("secret", server.log)
            self.assertIn("GET /models -> 401", server.log)
        finally:
            server.close()

    def test_reload(self):
        self.write("one\n")
        server = Server("--token-file", self.file)
        try:
            self.assertEqual(self.ask(server, "Bearer one").status, 200)
            self.write("two\n")
            server.reload()
            self.assertTrue(wait_for(lambda: self.ask(server, "Bearer two").status == 200))
            self.assertEqual(self.ask(server, "Bearer one").status, 401)
            self.write("# nothing\n")
            server.reload()
            time.sleep(0.2)
            self.assertEqual(self.ask(server, "Bearer two").status, 200)  # a bad file changes nothing
        finally:
            server.close()

    def test_bad_files(self):
        self.write("# nothing\n")
        for file in [self.file, os.path.join(self.folder.name, "none")]:
            p = subprocess.run(
                [SOSIA, "serve", "--memory", "--token-file", file], capture_output=True, text=True, timeout=30
            )
            self.assertNotEqual(p.returncode, 0)
            self.assertIn("token file", p.stderr)


class Tls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.cert, cls.key = certificate(cls.folder.name)
        cls.server = Server("--https", "127.0.0.1:0", "--cert", cls.cert, "--key", cls.key)

    @classmethod
    def tearDownClass(cls):
        cls.server.close()
        cls.folder.cleanup()

    def dial(self, context, host="localhost"):
        import socket

        return context.wrap_socket(
            socket.create_connection(("127.0.0.1", self.server.tls_port), 10), server_hostname=host
        )

    def test_requests_over_tls(self):
        import http.client

        context = ssl.create_default_context(cafile=self.cert)
        c = http.client.HTTPSConnection("localhost", self.server.tls_port, context=context, timeout=60)
        for _ in range(5):
            c.request("GET", "/models?api-version=2023-10-31")
            self.assertTrue(c.getresponse().read().startswith(b'{"value":['))
        c.request("POST", "/models?api-version=2023-10-31", b"[" + b'{"a":"' + b"x" * 300000 + b'"}]')
        self.assertEqual((lambda r: (r.status, len(r.read()) > 0))(c.getresponse()), (400, True))
        c.request("GET", "/openapi.json")
        self.assertGreater(len(c.getresponse().read()), 10000)
        c.close()

    def test_links_are_https(self):
        import http.client, json

        context = ssl.create_default_context(cafile=self.cert)
        models = [
            {"@id": "dtmi:l:m%d;1" % i, "@type": "Interface", "@context": "dtmi:dtdl:context;2"} for i in range(3)
        ]
        c = http.client.HTTPSConnection("localhost", self.server.tls_port, context=context, timeout=60)
        c.request("POST", "/models?api-version=2023-10-31", json.dumps(models))
        self.assertEqual((lambda r: (r.read(), r.status))(c.getresponse())[1], 201)
        c.request("GET", "/models?api-version=2023-10-31", headers={"max-items-per-page": "2"})
        link = json.loads(c.getresponse().read())["nextLink"]
        self.assertTrue(link.startswith("https://localhost:%d/models?" % self.server.tls_port), link)
        c.close()

    def test_old_tls_and_http2_are_not_spoken(self):
        context = ssl.create_default_context(cafile=self.cert)
        context.set_alpn_protocols(["h2", "http/1.1"])
        s = self.dial(context)
        self.assertIn(s.selected_alpn_protocol(), (None, "http/1.1"))
        self.assertIn(s.version(), ("TLSv1.2", "TLSv1.3"))
        s.close()
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = ssl.create_default_context(cafile=self.cert)
            context.minimum_version = context.maximum_version = version
            self.dial(context).close()
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        old.set_ciphers("ALL:@SECLEVEL=0")
        import warnings

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            self.dial(old)

    def test_garbage_instead_of_a_handshake(self):
        import socket

        for text in [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\xff\xff" + b"\0" * 100, b"\0" * 1000]:
            s = socket.create_connection(("127.0.0.1", self.server.tls_port), 10)
            s.sendall(text)
            s.settimeout(15)
            try:
                while s.recv(1000):
                    pass
            except ConnectionError:
                pass
            s.close()
        self.test_requests_over_tls()

    def test_a_new_certificate_is_read(self):
        before = ssl.get_server_certificate(("127.0.0.1", self.server.tls_port))
        certificate(self.folder.name)
        self.server.reload()
        fresh = open(self.cert).read().strip()
        self.assertTrue(
            wait_for(lambda: ssl.get_server_certificate(("127.0.0.1", self.server.tls_port)).strip() == fresh)
        )
        self.assertNotEqual(before.strip(), fresh)


if __name__ == "__main__":
    main()
