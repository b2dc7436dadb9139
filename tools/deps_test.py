#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tools/deps asks only for what is missing, becomes root only when it must, and says clearly why it cannot help."""
import os
import shutil
import subprocess
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGES = "# comment\nbuild lib-a\nbuild lib-b\nbuild tool-c true\ntest lib-d\n"


class Deps(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.dir)
        shutil.copy(os.path.join(HERE, "deps"), self.dir)
        with open(os.path.join(self.dir, "packages.txt"), "w") as f:
            f.write(PACKAGES)
        self.bin = os.path.join(self.dir, "bin")
        os.mkdir(self.bin)
        for name in ("sh", "dirname", "grep", "mktemp", "rm", "tail", "env", "true", "cat", "touch"):
            os.symlink(shutil.which(name), os.path.join(self.bin, name))
        self.installed = set()

    def fake(self, name, script):
        path = os.path.join(self.bin, name)
        with open(path, "w") as f:
            f.write("#!/bin/sh\n" + script)
        os.chmod(path, 0o755)

    def run_deps(self, *groups, uid=0, apt="exit 0"):
        have = "|".join(self.installed) or "-"
        self.fake("dpkg-query", 'case "$3" in %s) echo "install ok installed";; *) exit 1;; esac\n' % have)
        self.fake("id", "echo %d\n" % uid)
        if apt is not None:
            self.fake("apt-get", 'echo "$*" >>"%s/calls"\n%s\n' % (self.dir, apt))
        done = subprocess.run([os.path.join(self.dir, "deps"), *groups], env={"PATH": self.bin}, capture_output=True,
                              text=True)
        calls = os.path.join(self.dir, "calls")
        if not os.path.exists(calls):
            return done, ""
        with open(calls) as f:
            return done, f.read()

    def test_quiet_when_nothing_is_missing(self):
        self.installed = {"lib-a", "lib-b"}
        done, calls = self.run_deps("build")
        self.assertEqual((done.returncode, done.stdout, done.stderr, calls), (0, "", "", ""))

    def test_installs_only_what_is_missing_of_the_groups_given(self):
        self.installed = {"lib-a"}
        done, calls = self.run_deps("build", "test")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(calls, "install -y --no-install-recommends lib-b lib-d\n")

    def test_refreshes_lists_when_the_first_try_fails(self):
        apt = 'case $1 in update) touch "%s/fresh";; install) [ -e "%s/fresh" ];; esac' % (self.dir, self.dir)
        done, calls = self.run_deps("test", apt=apt)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual([c.split()[0] for c in calls.splitlines()], ["install", "update", "install"])

    def test_uses_sudo_when_not_root(self):
        self.fake("sudo", 'echo "sudo $*" >>"%s/calls"; exec "$@"\n' % self.dir)
        done, calls = self.run_deps("test", uid=1000)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("sudo env DEBIAN_FRONTEND=noninteractive apt-get install", calls)

    def test_one_clear_message_without_root_and_sudo(self):
        done, calls = self.run_deps("test", uid=1000)
        self.assertEqual((done.returncode, calls), (1, ""))
        self.assertEqual(len(done.stderr.splitlines()), 2)
        self.assertIn("lib-d", done.stderr)
        self.assertIn("root", done.stderr)

    def test_failed_installation_names_the_packages(self):
        done, _ = self.run_deps("test", apt="exit 100")
        self.assertEqual(done.returncode, 1)
        self.assertIn("lib-d", done.stderr)

    def test_silent_on_another_system(self):
        self.run_deps("build")  # writes the stubs
        os.remove(os.path.join(self.bin, "dpkg-query"))
        done = subprocess.run([os.path.join(self.dir, "deps"), "build"], env={"PATH": self.bin}, capture_output=True)
        self.assertEqual((done.returncode, done.stderr), (0, b""))


if __name__ == "__main__":
    unittest.main()
