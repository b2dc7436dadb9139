# SPDX-License-Identifier: Apache-2.0
"""Azure's JavaScript client, unchanged, over TLS with a token: see sdk_js.cjs. Its packages are installed into the
build folder; without npm or a registry the test is skipped."""

import os
import shutil
import subprocess
import sys
import tempfile

from serve_lib import BUILD, Server, certificate

PACKAGE = "@azure/digital-twins-core"
VERSION = "1.1.0"


def packages():
    """The folder of the packages, installed if need be; None when that is not possible."""
    folder = os.path.join(BUILD, "sdk_js")
    if not os.path.exists(os.path.join(folder, "node_modules", PACKAGE, "package.json")):
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "package.json"), "w") as f:
            f.write('{"private":true}')
        p = subprocess.run(
            ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "%s@%s" % (PACKAGE, VERSION)],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=300,
        )
        if p.returncode != 0:
            return None
    return os.path.join(folder, "node_modules")


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    if not shutil.which("npm") or not shutil.which("node"):
        print("SKIP sdk_js: npm or node not found")
        return 0
    modules = packages()
    if not modules:
        print("SKIP sdk_js: %s cannot be installed" % PACKAGE)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        cert, key = certificate(folder)
        tokens = os.path.join(folder, "tokens")
        with open(tokens, "w") as f:
            f.write("secret-of-the-test\n")
        tls = ["--https", "127.0.0.1:0", "--cert", cert, "--key", key, "--token-file", tokens]
        env = dict(os.environ, NODE_PATH=modules, NODE_EXTRA_CA_CERTS=cert)

        def client(server, *fork):
            url = "https://localhost:%d%s" % (server.tls_port, "/worlds/kept" if fork else "")
            command = ["node", os.path.join(here, "sdk_js.cjs"), url, *fork]
            return subprocess.run(command, env=env, timeout=300).returncode

        server = Server(*tls, http=None)
        try:
            code = client(server)
        finally:
            server.close()
        return code or in_a_fork(os.path.join(folder, "w.sosia"), tls, client)


def in_a_fork(path, tls, client):
    """The same in a fork that was kept in the file and is made again after a restart."""
    server = Server(*tls, data=path)
    try:
        headers = {"Authorization": "Bearer secret-of-the-test"}
        reply = server.post("/worlds", {"name": "kept"}, headers=headers)
        assert reply.status == 201, reply
    finally:
        server.close()
    server = Server(*tls, data=path)
    try:
        return client(server, "fork")
    finally:
        server.close()


if __name__ == "__main__":
    sys.exit(main())
