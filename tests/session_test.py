# SPDX-License-Identifier: Apache-2.0
"""Sessions of browsers over HTTP: a token is shown once, a cookie stands for it, and no foreign page can use it."""

import os
import tempfile
import unittest

from serve_lib import Server, main, wait_for
from ws_client import Refused, WebSocket

FORK = b'{"name":"made"}'


class Sessions(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.file = os.path.join(cls.folder.name, "tokens")
        cls.write("alpha\nbeta\n")
        cls.server = Server("--token-file", cls.file, "--log", "debug")
        cls.own = "http://127.0.0.1:%d" % cls.server.port

    @classmethod
    def tearDownClass(cls):
        log = cls.server.log
        cls.server.close()
        cls.folder.cleanup()
        assert "alpha" not in log and "sosia_session" not in log

    @classmethod
    def write(cls, text):
        with open(cls.file, "w") as f:
            f.write(text)

    def login(self, token="beta", server=None, **headers):
        headers = {k.replace("_", "-"): v for k, v in headers.items()}
        return (server or self.server).post("/session", {"token": token}, headers=headers, version=None)

    def cookie(self, **more):
        reply = self.login(**more)
        self.assertEqual((reply.status, reply.body), (204, b""))
        return reply.header("set-cookie").split(";")[0]

    def get(self, path, **headers):
        return self.server.get(path, headers={k.replace("_", "-"): v for k, v in headers.items()}, version=None)

    def test_a_cookie_stands_for_a_token(self):
        reply = self.login("alpha")
        self.assertEqual(reply.header("cache-control"), "no-store")
        text = reply.header("set-cookie")
        self.assertRegex(
            text, r"^sosia_session=[A-Za-z0-9_-]{43}; Path=/; Max-Age=604800; HttpOnly; SameSite=Strict$"
        )
        cookie = text.split(";")[0]
        self.assertEqual(self.get("/worlds").status, 401)
        self.assertEqual(self.get("/worlds", Cookie=cookie).status, 200)
        self.assertEqual(self.get("/worlds", Cookie="a=b; %s; c=d" % cookie).status, 200)
        session = self.get("/session", Cookie=cookie)
        self.assertEqual(session.json, {"required": True, "principal": "token-1"})
        self.assertEqual(session.header("cache-control"), "no-store")
        self.assertEqual(self.get("/session").json, {"required": True, "principal": None})
        bearer = self.get("/session", Authorization="Bearer beta").json
        self.assertEqual(bearer, {"required": True, "principal": "token-2"})
        self.assertNotEqual(cookie, self.cookie(token="alpha"))

    def test_who_logs_in(self):
        for token in ("", "alph", "alphaa", "ALPHA", "Bearer alpha"):
            reply = self.login(token)
            self.assertEqual((reply.status, reply.header("set-cookie")), (401, None), token)
        for body in (b"", b"{}", b"[]", b'"alpha"', b'{"token":1}', b'{"token":"alpha","more":1}', b'{"token":"alpha"',
                     b'{"token":"' + b"x" * 5000 + b'"}'):
            reply = self.server.post("/session", body, version=None)
            self.assertEqual((reply.status, reply.header("set-cookie")), (400, None), body[:50])
        for headers in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec_Fetch_Site": "cross-site"}):
            self.assertEqual(self.login("alpha", **headers).status, 403)
        self.assertEqual(self.login("alpha", Origin=self.own, Sec_Fetch_Site="same-origin").status, 204)

    def test_logging_out(self):
        cookie, other = self.cookie(), self.cookie()
        delete = lambda **h: self.server.delete(
            "/session", headers={k.replace("_", "-"): v for k, v in h.items()}, version=None
        )
        self.assertEqual(delete(Cookie=cookie, Origin="http://evil.example").status, 403)
        self.assertEqual(self.get("/worlds", Cookie=cookie).status, 200)
        reply = delete(Cookie=cookie, Origin=self.own)
        self.assertEqual(reply.status, 204)
        self.assertIn("sosia_session=; Path=/; Max-Age=0;", reply.header("set-cookie"))
        self.assertEqual(self.get("/worlds", Cookie=cookie).status, 401)
        self.assertEqual(self.get("/worlds", Cookie=other).status, 200)
        self.assertEqual(delete(Cookie=cookie, Origin=self.own).status, 204)
        self.assertEqual(delete().status, 204)

    def test_foreign_pages_change_nothing(self):
        cookie = self.cookie()
        write = lambda **h: self.server.post(
            "/worlds", FORK, headers={k.replace("_", "-"): v for k, v in dict(h, Cookie=cookie).items()}, version=None
        )
        for headers in [
            {},  # nobody says that an own page asked
            {"Origin": "http://evil.example"},
            {"Origin": "http://evil.example", "Sec_Fetch_Site": "same-origin"},
            {"Origin": "http://localhost:1"},
            {"Origin": "null"},
            {"Origin": self.own, "Sec_Fetch_Site": "cross-site"},
            {"Origin": self.own, "Sec_Fetch_Site": "same-site"},
            {"Sec_Fetch_Site": "none"},
            {"Sec_Fetch_Site": "same-site"},
            {"Sec_Fetch_Site": "cross-site"},
        ]:
            self.assertEqual(write(**headers).status, 403, headers)
        for headers in [{"Origin": self.own}, {"Sec_Fetch_Site": "same-origin"},
                        {"Origin": self.own, "Sec_Fetch_Site": "same-origin"}]:
            self.assertEqual(write(**headers).status, 201, headers)
            gone = self.server.delete("/worlds/made", headers={"Authorization": "Bearer beta"}, version=None)
            self.assertEqual(gone.status, 204)

    def test_sockets_and_streams(self):
        cookie = self.cookie()
        for path in ("/watch", "/changes", "/ingest"):
            WebSocket(self.server.port, path, headers={"Cookie": cookie, "Origin": self.own}).close()
            for headers in ({}, {"Origin": "http://evil.example"}, {"Origin": "http://127.0.0.1:1"},
                            {"Origin": self.own, "Sec-Fetch-Site": "cross-site"}):
                with self.assertRaises(Refused) as e:
                    WebSocket(self.server.port, path, headers=dict(headers, Cookie=cookie))
                self.assertEqual(e.exception.status, 403, headers)
            with self.assertRaises(Refused) as e:
                WebSocket(self.server.port, path, headers={"Origin": self.own})
            self.assertEqual(e.exception.status, 401)
        for headers in ({}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "http://evil.example"}):
            reply = self.server.ask("GET", "/changes", headers=dict(headers, Cookie=cookie), version=None)
            self.assertEqual(reply.status, 403)
        own = {"Cookie": cookie, "Sec-Fetch-Site": "same-origin"}
        self.assertEqual(self.server.ask("HEAD", "/changes", headers=own, version=None).status, 200)

    def test_garbage(self):
        cookie = self.cookie()
        value = cookie.split("=")[1]
        for text in [
            "sosia_session", "sosia_session=", "sosia_session=x", "sosia_session=" + value[:-1],
            "sosia_session=" + value + "A", "SOSIA_SESSION=" + value, "sosia_session=" + value.swapcase(),
            "%s; %s" % (cookie, cookie), "sosia_session=\"" + value, "sosia_session=alpha", ";" * 1000, "=" * 1000,
            "sosia_session=" + "A" * 8000, "sosia_session=\xff\xfe",
        ]:
            self.assertEqual(self.get("/worlds", Cookie=text.encode("latin-1")).status, 401, text[:60])
        self.assertEqual(self.get("/worlds", Authorization="Bearer " + value).status, 401)
        self.assertEqual(self.get("/worlds", Cookie=cookie, Authorization="Bearer wrong").status, 401)
        self.assertEqual(self.get("/worlds", Cookie='sosia_session="%s"' % value).status, 200)

    def test_a_session_ends_with_its_token(self):
        cookie, other = self.cookie(token="alpha"), self.cookie(token="beta")
        self.write("# alpha is gone\nbeta\n")
        self.server.reload()
        self.assertTrue(wait_for(lambda: self.get("/worlds", Cookie=cookie).status == 401))
        self.assertEqual(self.get("/session", Cookie=other).json["principal"], "token-2")
        self.write("alpha\nbeta\n")
        self.server.reload()
        self.assertTrue(wait_for(lambda: self.get("/worlds", Cookie=cookie).status == 200))  # it was not spent

    def test_more_than_there_may_be(self):
        first = self.cookie()
        connection = self.server.connect()
        for _ in range(4200):
            reply = self.server.ask("POST", "/session", {"token": "beta"}, version=None, connection=connection)
            self.assertEqual(reply.status, 204)
        connection.close()
        self.assertEqual(self.get("/worlds", Cookie=first).status, 401)  # the one unused for longest
        self.assertEqual(self.get("/worlds", Cookie=reply.header("set-cookie").split(";")[0]).status, 200)


class Others(unittest.TestCase):
    def test_without_tokens(self):
        server = Server()
        try:
            self.assertEqual(server.get("/session", version=None).json, {"required": False, "principal": "local"})
            self.assertEqual(server.get("/session", headers={"Host": "evil.example"}, version=None).status, 403)
            self.assertEqual(server.post("/session", {"token": "x"}, version=None).status, 400)
            self.assertEqual(server.delete("/session", version=None).status, 204)
        finally:
            server.close()

    def test_secure_where_tls_is(self):
        with tempfile.TemporaryDirectory() as folder:
            file = os.path.join(folder, "tokens")
            with open(file, "w") as f:
                f.write("alpha\n")
            server = Server("--token-file", file, "--behind-proxy")
            try:
                post = lambda **h: server.post("/session", {"token": "alpha"}, headers=h, version=None)
                self.assertNotIn("Secure", post().header("set-cookie"))
                behind = post(**{"X-Forwarded-Proto": "https"}).header("set-cookie")
                self.assertTrue(behind.endswith("; SameSite=Strict; Secure"), behind)
            finally:
                server.close()


if __name__ == "__main__":
    main()
