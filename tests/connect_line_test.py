# SPDX-License-Identifier: Apache-2.0
"""Line protocol over HTTP, with requests exactly as Telegraf's outputs for InfluxDB 1 and 2 send them."""
import base64
import gzip
import http.client
import json
import threading
import urllib.parse

import kit

BODY = ("cpu,cpu=cpu0,host=srv-1 usage_user=1.5,usage_idle=97.25 1700000000000000000\n"
        "mem,host=srv-1 used=4096i,available_percent=42.5 1700000000000000000\n"
        "system,host=srv-1 uptime_format=\"1 day,  2:03\" 1700000000000000000\n")


class Line(kit.Case):
    def request(self, s, method, path, body=None, headers=None):
        c = http.client.HTTPConnection(urllib.parse.urlsplit(s.url).netloc, timeout=60 * kit.SLOW)
        c.request(method, path, body, headers or {})
        r = c.getresponse()
        answer = r.status, {k.lower(): v for k, v in r.getheaders()}, r.read().decode()
        c.close()
        return answer

    def tokens(self, *more, **options):
        path = self.file("tokens", "sekrit\n")
        return self.serve("--http", "127.0.0.1:0", "--token-file", path, *more, **options)

    def check_values(self, s, get=None):
        get = get or s.twin
        cpu = get("cpu,cpu=cpu0,host=srv-1")
        self.assertEqual((cpu["usage_user"], cpu["usage_idle"], cpu["host"]), (1.5, 97.25, "srv-1"))
        self.assertEqual(cpu["$metadata"]["usage_user"]["sourceTime"], "2023-11-14T22:13:20.0000000Z")
        self.assertEqual(get("mem,host=srv-1")["used"], 4096)
        self.assertEqual(get("system,host=srv-1")["uptime_format"], "1 day,  2:03")

    def test_telegraf_influxdb_1(self):
        s = self.tokens()
        password = base64.b64encode(b"telegraf:sekrit").decode()
        login = {"Authorization": "Basic " + password, "User-Agent": "Telegraf/1.30"}
        form = dict(login, **{"Content-Type": "application/x-www-form-urlencoded"})
        create = urllib.parse.urlencode({"q": 'CREATE DATABASE "telegraf"'})
        code, _, body = self.request(s, "POST", "/query", create, form)
        self.assertEqual((code, json.loads(body)), (200, {"results": [{"statement_id": 0}]}))
        packed = dict(login, **{"Content-Type": "text/plain; charset=utf-8", "Content-Encoding": "gzip"})
        code, _, body = self.request(s, "POST", "/write?db=telegraf", gzip.compress(BODY.encode()), packed)
        self.assertEqual((code, body), (204, ""))
        get = lambda id: json.loads(s.http("GET", "/digitaltwins/" + urllib.parse.quote(id, safe=""),
                                           headers={"Authorization": "Bearer sekrit"})[2])
        self.check_values(s, get)
        code, _, _ = self.request(s, "POST", "/write?db=telegraf", BODY, {"Authorization": "Basic bmlla3M6eA=="})
        self.assertEqual(code, 401)
        self.assertEqual(self.request(s, "POST", "/query", create,
                                      {"Content-Type": "application/x-www-form-urlencoded"})[0], 401)
        self.assertEqual(self.request(s, "POST", "/write?db=telegraf&u=t&p=sekrit", BODY)[0], 204)
        self.assertEqual(self.request(s, "POST", "/write?db=telegraf&u=t&p=falsch", BODY)[0], 401)
        self.assertNotIn("sekrit", self.request(s, "GET", "/metrics", None, login)[2])

    def test_telegraf_influxdb_2(self):
        s = self.tokens()
        headers = {"Authorization": "Token sekrit", "Content-Type": "text/plain; charset=utf-8",
                   "Accept": "application/json", "Content-Encoding": "gzip"}
        packed, where = gzip.compress(BODY.encode()), "/api/v2/write?bucket=telegraf&org=plant"
        code, _, body = self.request(s, "POST", where, packed, headers)
        self.assertEqual((code, body), (204, ""))
        bad = dict(headers, Authorization="Token no")
        self.assertEqual(self.request(s, "POST", where, packed, bad)[0], 401)
        code, _, body = self.request(s, "POST", where + "&precision=s", gzip.compress(b"cpu x=\n"), headers)
        error = json.loads(body)
        self.assertEqual((code, error["code"]), (400, "invalid"))
        self.assertIn("line 1", error["message"])

    def test_ping(self):
        s = self.tokens()
        for method in ("GET", "HEAD"):
            code, headers, body = self.request(s, method, "/ping")
            self.assertEqual((code, body), (204, ""))
            self.assertIn("x-influxdb-version", headers)

    def test_partial(self):
        s = self.serve()
        code, headers, body = self.request(s, "POST", "/write?db=x&precision=s",
                                           "good x=1 1700000000\nbad x 1700000000\ngood y=2i 1700000000\n")
        self.assertEqual(code, 400)
        self.assertTrue(headers["content-type"].startswith("application/json"))
        self.assertRegex(json.loads(body)["error"], r"^partial write: line 2: .* dropped=1$")
        self.assertEqual((s.twin("good")["x"], s.twin("good")["y"]), (1, 2))

    def test_connection(self):
        s = self.serve(path=self.file("w.sosia"))
        self.assertEqual(s.http("POST", "/models", [
            {"@id": "dtmi:test:Tank;1", "@type": "Interface", "@context": "dtmi:dtdl:context;3", "contents": [
                {"@type": "Property", "name": "level", "schema": "double"},
                {"@type": "Property", "name": "site", "schema": "string"}]}])[0], 201)
        document = {"kind": "line", "database": "plant", "twin": "{tag:site}-{tag:id}", "model": "dtmi:test:Tank;1",
                    "properties": {"l": {"path": "level", "expression": "value / 1000"}}, "others": "ignore",
                    "tags": {"site": "site"}}
        self.assertEqual(s.http("PUT", "/connections/tanks", dict(document, twin="{tag"))[0], 400)
        self.assertEqual(s.http("PUT", "/connections/tanks", document)[0], 201)
        line = "tank,site=a,id=7 l=2500i,noise=3 1700000000000000000"
        write = lambda: self.request(s, "POST", "/write?db=plant", line)
        self.assertEqual(write()[0], 204)
        self.assertEqual((s.twin("a-7")["level"], s.twin("a-7")["site"]), (2.5, "a"))
        self.assertEqual(s.get("/connections/tanks")["status"]["accepted"], 2)
        self.assertEqual(s.http("POST", "/connections/tanks/pause")[0], 200)
        self.assertEqual(write()[0], 204)  # the default mapping
        self.assertEqual(s.twin("tank,id=7,site=a")["l"], 2500)
        s.kill()
        s.start()
        self.assertEqual(s.http("POST", "/connections/tanks/resume")[0], 200)
        self.assertEqual(self.request(s, "POST", "/write?db=plant", "tank,site=a,id=7 l=3500i")[0], 204)
        self.assertEqual(s.twin("a-7")["level"], 3.5)

    def test_survives_a_kill(self):
        """What was answered with 204 is there after a kill, models and all; the same fields are the same properties."""
        s = self.serve(path=self.file("w.sosia"))
        self.assertEqual(self.request(s, "POST", "/write", BODY)[0], 204)
        s.kill()
        s.start()
        self.check_values(s)
        self.assertEqual(self.request(s, "POST", "/write", "cpu,cpu=cpu0,host=srv-1 usage_user=2.5\n"
                                      "cpu,cpu=cpu1,host=srv-1 usage_user=\"x\"\n")[0], 204)
        self.assertEqual(s.twin("cpu,cpu=cpu0,host=srv-1")["usage_user"], 2.5)
        self.assertEqual(s.twin("cpu,cpu=cpu1,host=srv-1")["usage_user_string"], "x")

    def test_worlds(self):
        s = self.serve()
        self.assertEqual(self.request(s, "POST", "/write", "m,i=1 x=1 1000")[0], 204)
        self.assertEqual(s.http("POST", "/worlds", {"name": "if", "from": "live"})[0], 201)
        for n in (2, 3):
            self.assertEqual(self.request(s, "POST", "/worlds/if/write", "m,i=1 x=%d %d" % (n, n * 1000))[0], 204)
        self.assertEqual(s.twin("m,i=1")["x"], 1)
        self.assertEqual(json.loads(s.http("GET", "/worlds/if/digitaltwins/m,i=1")[2])["x"], 3)
        self.assertEqual(self.request(s, "POST", "/worlds/none/write", "m,i=1 x=9")[0], 404)

    def test_many_at_once(self):
        s = self.serve(path=self.file("w.sosia"))
        wrong = []

        def run(number):
            c = http.client.HTTPConnection(urllib.parse.urlsplit(s.url).netloc, timeout=120 * kit.SLOW)
            for i in range(10):
                lines = ["m%d,w=%d v=%d,f%d=1i %d" % (k % 3, k % 50, i, (number + i) % 4, 1000 + i) for k in range(200)]
                c.request("POST", "/write?db=d%d" % number, "\n".join(lines))
                r = c.getresponse()
                body = r.read()
                if r.status != 204:
                    wrong.append((r.status, body))
            c.close()

        threads = [threading.Thread(target=run, args=(n,)) for n in range(4)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(wrong, [])
        self.assertEqual(s.twin("m1,w=49")["v"], 9)


if __name__ == "__main__":
    kit.main()
