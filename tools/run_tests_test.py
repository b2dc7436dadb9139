#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The test runner counts every dialect that our tests speak, and no failure can hide."""
import os
import unittest
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader

HERE = os.path.dirname(os.path.abspath(__file__))
spec = spec_from_loader("run_tests", SourceFileLoader("run_tests", os.path.join(HERE, "run-tests")))
rt = module_from_spec(spec)
import sys  # noqa: E402

sys.modules["run_tests"] = rt
sys.dont_write_bytecode = True
spec.loader.exec_module(rt)

CMOCKA = """[==========] Running 5 test(s).
[ RUN      ] a
[       OK ] a
[ RUN      ] b
[  ERROR   ] --- 0x1 != 0x2
[   LINE   ] --- t.c:8: error: Failure!
[  FAILED  ] b
[ RUN      ] c
SKIP c: x not found
[  SKIPPED ] c
[ RUN      ] d
Could not run test: Test setup failed
[  ERROR   ] d
[ RUN      ] e
no newline[       OK ] e
[==========] 5 test(s) run.
[  PASSED  ] 2 test(s).
[  SKIPPED ] 1 test(s), listed below:
[  SKIPPED ] c

 1 SKIPPED TEST(S)
[  FAILED  ] 2 test(s), listed below:
[  FAILED  ] b
[  FAILED  ] d

 2 FAILED TEST(S)
"""


def run(script, timeout=10.0):
    return rt.execute(rt.Test("t", ["sh", "-c", script], timeout=timeout), 1.0)


def counts(result):
    return result.passed, result.failed, result.skipped


class Count(unittest.TestCase):
    def test_cmocka_with_failure_skip_and_setup_error(self):
        self.assertEqual(rt.count_cases(CMOCKA), (2, 2, 1))

    def test_two_cmocka_groups_are_summed(self):
        self.assertEqual(rt.count_cases(CMOCKA + CMOCKA), (4, 4, 2))

    def test_failed_group_setup_is_one_failure(self):
        text = "[==========] Running 1 test(s).\n[  FAILED  ] GROUP SETUP\n[  ERROR   ] t2\n" \
               "[==========] 0 test(s) run.\n[  PASSED  ] 0 test(s).\n"
        self.assertEqual(rt.count_cases(text), (0, 1, 0))

    def test_unittest(self):
        self.assertEqual(rt.count_cases("..\nRan 5 tests in 0.1s\n\nOK\n"), (5, 0, 0))
        self.assertEqual(rt.count_cases("Ran 5 tests in 0.1s\n\nFAILED (failures=1, errors=1, skipped=1)\n"), (2, 2, 1))

    def test_node(self):
        self.assertEqual(rt.count_cases("# tests 4\n# pass 2\n# fail 1\n# cancelled 0\n# skipped 1\n"), (2, 1, 1))

    def test_tap(self):
        self.assertEqual(rt.count_cases("1..3\nok 1 - a\nnot ok 2 - b\nok 3 - c # SKIP none\n"), (1, 1, 1))

    def test_other_text_tells_nothing(self):
        self.assertIsNone(rt.count_cases("replayed 12 inputs\n"))


class Verdict(unittest.TestCase):
    def test_plain_program_is_one_case(self):
        self.assertEqual(counts(run("true")), (1, 0, 0))
        self.assertEqual(counts(run("false")), (0, 1, 0))

    def test_skip_note_of_a_plain_program(self):
        r = run("echo SKIP t: data not found")
        self.assertEqual((counts(r), r.notes), ((0, 0, 1), ["SKIP t: data not found"]))

    def test_death_after_passed_cases_is_a_failure_and_names_the_case(self):
        r = run("echo '[ RUN      ] a'; echo '[       OK ] a'; echo '[ RUN      ] b'; kill -ABRT $$")
        self.assertEqual(counts(r), (1, 1, 0))
        self.assertEqual(r.why, "killed by SIGABRT in b")

    def test_bad_exit_without_failed_case_is_a_failure(self):
        self.assertEqual(counts(run("echo '[       OK ] a'; exit 1")), (1, 1, 0))

    def test_time_limit_kills_the_whole_group(self):
        r = run("sleep 60 & sleep 60", timeout=0.2)
        self.assertEqual(counts(r), (0, 1, 0))
        self.assertLess(r.seconds, 10)

    def test_missing_program_is_a_failure(self):
        self.assertEqual(counts(rt.execute(rt.Test("t", ["/does/not/exist"]), 1.0)), (0, 1, 0))


if __name__ == "__main__":
    unittest.main()
