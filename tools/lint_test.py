#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Each rule of tools/lint accuses what it must and leaves the rest alone."""
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
spec = spec_from_loader("lint", SourceFileLoader("lint", os.path.join(HERE, "lint")))
lint = module_from_spec(spec)
spec.loader.exec_module(lint)

SPDX = "// SPDX-License-Identifier: Apache-2.0\n"
HEADER = SPDX + "// What it is.\n#pragma once\n"


class Tree(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.root)

    def write(self, path, text):
        full = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as f:
            f.write(text)

    def rules(self, path, text):
        """(rule, line) pairs of one file."""
        self.write(path, text)
        return [(rule, line) for _, line, rule, _ in lint.check_file(self.root, path)]

    def accused(self, path, text, rule):
        self.assertIn(rule, [r for r, _ in self.rules(path, text)], text)

    def clean(self, path, text):
        self.assertEqual(self.rules(path, text), [], text)


class Floors(Tree):
    def include(self, path, target):
        return path, SPDX + '#include "%s"\n' % target

    def test_down_and_own_floor_are_fine(self):
        self.clean(*self.include("src/world/a.c", "base/str.h"))
        self.clean(*self.include("src/world/a.c", "world/page.h"))
        self.clean(*self.include("src/query/a.c", "expr/expr.h"))
        self.clean(*self.include("src/engine/a.c", "sosia/sosia.h"))

    def test_up_is_accused(self):
        self.accused(*self.include("src/base/a.c", "codec/json.h"), "floors")
        self.accused(*self.include("src/world/a.h", "store/store.h"), "floors")
        self.accused(*self.include("src/engine/a_test.c", "serve/http.h"), "floors")

    def test_neighbours_are_accused(self):
        self.accused(*self.include("src/codec/a.c", "num/stat.h"), "floors")
        self.accused(*self.include("src/store/a.c", "expr/expr.h"), "floors")
        self.accused(*self.include("src/serve/a.c", "connect/mqtt.h"), "floors")

    def test_faces_use_the_one_door(self):
        for target in ("engine/engine.h", "world/page.h", "model/schema.h"):
            self.accused(*self.include("src/serve/a.c", target), "floors")
            self.accused(*self.include("src/cli/a.c", target), "floors")
        for target in ("sosia/sosia.h", "base/str.h", "codec/json.h", "serve/http.h"):
            self.clean(*self.include("src/serve/a.c", target))
        self.clean(*self.include("src/cli/a.c", "serve/serve.h"))
        self.accused(*self.include("examples/a.c", "engine/engine.h"), "floors")
        self.clean(*self.include("examples/a.c", "sosia/sosia.h"))

    def test_public_header_includes_nothing_of_ours_below(self):
        self.accused("include/sosia/sosia.h", HEADER + '#include "base/str.h"\n', "floors")

    def test_names_without_a_floor(self):
        self.accused(*self.include("src/world/a.c", "page.h"), "floors")
        self.clean(*self.include("src/world/a_test.c", "page.c"))
        self.accused(*self.include("src/world/a.c", "wurld/page.h"), "floors")


class Bans(Tree):
    def body(self, text):
        return SPDX + "static void f(void) { %s }\n" % text

    def test_heap_is_for_base(self):
        self.accused("src/world/a.c", self.body("free(p);"), "bans")
        self.accused("src/base/a.c", self.body("p = malloc(3);"), "bans")
        self.clean("src/base/mem.c", self.body("p = malloc(3);"))
        self.clean("src/world/a_test.c", self.body("free(p);"))

    def test_members_and_longer_names_are_not_calls(self):
        self.clean("src/world/a.c", self.body("x->free(p); x.free(p); mem_free(p); sqlite3_free(p);"))

    def test_comments_and_strings_are_not_code(self):
        self.clean("src/world/a.c", self.body('x = "free(p)"; /* free(p) */ // free(p)') + "\n")

    def test_every_family(self):
        for text in ("sprintf(a, b);", "strcpy(a, b);", "strcat(a, b);", "gets(a);", "atoi(a);", "rand();",
                     "strtok(a, b);", "localtime(a);", "system(a);", "time(NULL);", "clock_gettime(a, b);",
                     "gettimeofday(a, b);", "time_now_ns();", "printf(a);", "puts(a);", "fprintf(stdout, a);",
                     "fputs(a, stdout);", "exit(1);", "abort();", "static __thread int x;",
                     "static _Thread_local int x;", "assert(x);"):
            self.accused("src/world/a.c", self.body(text), "bans")

    def test_where_they_are_allowed(self):
        self.clean("src/base/time.c", self.body("clock_gettime(a, b);"))
        self.clean("src/engine/a.c", self.body("time_now_ns();"))
        self.clean("src/cli/a.c", self.body("printf(a); fputs(a, stdout); exit(1);"))
        self.clean("src/world/a_bench.c", self.body("printf(a);"))
        self.clean("src/serve/a.c", self.body("fprintf(stderr, a);"))

    def test_dead_code(self):
        self.accused("src/world/a.c", SPDX + "#if 0\n#endif\n", "bans")


class Headers(Tree):
    def test_contract_above(self):
        self.clean("src/world/a.h", HEADER + "// Does it.\nint f(int a,\n      int b);\n")
        self.clean("src/world/a.h", HEADER + "int f(void); // does it\n")
        self.clean("src/world/a.h", HEADER + "// It.\n__attribute__((format(printf, 1, 2)))\nint f(char *a, ...);\n")

    def test_one_comment_covers_a_block(self):
        self.clean("src/world/a.h", HEADER + "// Both.\nint f(void);\nint g(void);\n")
        self.assertEqual(self.rules("src/world/a.h", HEADER + "// One.\nint f(void);\n\nint g(void);\n"),
                         [("contract", 7)])

    def test_missing_contract(self):
        self.accused("src/world/a.h", HEADER + "\nint f(void);\n", "contract")
        self.accused("src/world/a.h", HEADER + "\nstatic inline int f(void) {\n    return 1;\n}\n", "contract")
        self.accused("src/world/a.h", HEADER + "\nMUST Err f(int *a) __attribute__((nonnull(1)));\n", "contract")

    def test_not_functions(self):
        self.clean("src/world/a.h", HEADER + "\ntypedef struct A {\n    int (*f)(void);\n} A;\n\n"
                   "typedef void (*F)(void);\n\n_Static_assert(sizeof(A) == 8, \"A\");\n\nextern int x;\n\n"
                   "#define F(x) g(x)\n")

    def test_opening(self):
        self.accused("src/world/a.h", SPDX + "// What.\n", "header")
        self.accused("src/world/a.h", SPDX + "#pragma once\n", "header")

    def test_own_header_first(self):
        self.accused("src/world/a.c", SPDX + '#include <stdio.h>\n#include "world/a.h"\n', "header")
        self.clean("src/world/a.c", SPDX + '#include "world/a.h"\n#include <stdio.h>\n')

    def test_public_names(self):
        self.accused("include/sosia/sosia.h", HEADER + "// Does it.\nint fork(void);\n", "public")
        self.clean("include/sosia/sosia.h", HEADER + "// Does it.\nint sosia_fork(void);\n")


class Text(Tree):
    def test_shape(self):
        for text in ("int x;\n", SPDX + "\tint x;\n", SPDX + "int x; \n", SPDX + "int x;", SPDX + "int x;\r\n",
                     SPDX + "// " + "x" * 120 + "\n"):
            self.accused("src/world/a.c", text, "text")
        self.clean("src/world/a.c", SPDX + "int x;\n")
        self.accused("tools/a", "#!/bin/sh\necho\n", "text")
        self.clean("tools/a", "#!/bin/sh\n# SPDX-License-Identifier: Apache-2.0\necho\n")
        self.clean("docs/a.md", "| " + "wide " * 40 + "|\n")

    def test_markers_and_private_words(self):
        for word in ("TO" "DO", "FIX" "ME", "XX" "X", "iss" "ue #2", "/wo" "rk/main", "sess" "ion", "pypi" ".org"):
            self.accused("src/world/a.c", SPDX + "// %s\n" % word, "text")
        self.clean("src/serve/a.c", SPDX + "// The TLS sess" "ion and the User-Age" "nt; SSL_SESSION; ../shared/data\n")


class Lengths(Tree):
    def test_long_file_and_function_warn(self):
        self.accused("src/world/a.c", SPDX + "int x;\n" * 1001, "length")
        self.accused("src/world/a.c", SPDX + "int f(void) {\n" + "    g();\n" * 95 + "}\n", "length")


class Whole(Tree):
    def run_lint(self):
        shutil.copy(os.path.join(HERE, "..", ".clang-format"), self.root)
        return subprocess.run([sys.executable, os.path.join(HERE, "lint"), "--root", self.root], capture_output=True,
                              text=True)

    def test_limits_are_documented(self):
        self.write("src/world/a.h", HEADER + "#define DEPTH_MAX 3\n")
        self.assertIn("DEPTH_MAX", self.run_lint().stdout)
        self.write("docs/limits.md", "DEPTH_MAX\n")
        self.assertEqual(self.run_lint().returncode, 0)
        self.write("web/src/a.ts", "// SPDX-License-Identifier: Apache-2.0\nexport const ROWS_MAX = 3;\n")
        self.assertIn("web/src/a.ts:2: docs: docs/limits.md does not tell of ROWS_MAX", self.run_lint().stdout)
        self.write("docs/limits.md", "DEPTH_MAX ROWS_MAX\n")
        self.assertEqual(self.run_lint().returncode, 0)

    @unittest.skipUnless(shutil.which("clang-format"), "clang-format is not installed")
    def test_formatting(self):
        self.write("src/world/a.c", SPDX + "int   x;\n")
        done = self.run_lint()
        self.assertEqual(done.returncode, 1)
        self.assertIn("a.c:2: format", done.stdout)

    def test_warning_alone_passes(self):
        self.write("src/world/a.py", "# SPDX-License-Identifier: Apache-2.0\n" + "x = 1\n" * 1001)
        done = self.run_lint()
        self.assertEqual((done.returncode, "warning" in done.stdout), (0, True), done.stdout)


if __name__ == "__main__":
    unittest.main()
