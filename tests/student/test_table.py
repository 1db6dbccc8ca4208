"""The table of cases, the page made of it, and what every module has to hold to."""

import ast
import re
import string
import sys
import unittest

from rig import ROOT, STUDENT

import troubleshooting
from headwater import cases, doctor

MODULES = sorted(STUDENT.rglob("*.py"))
SOURCE = {module.name: module.read_text(encoding="utf-8") for module in MODULES}
ALL_CAUSES = [cause for case in cases.CASES for cause in case.causes]


class Table(unittest.TestCase):
    def test_the_cases_have_names_of_their_own(self):
        self.assertGreaterEqual(len(cases.CASES), 28)
        self.assertEqual(len(cases.CASES), len({case.id for case in cases.CASES}))
        self.assertEqual(len(ALL_CAUSES), len({cause.id for cause in ALL_CAUSES}))

    def test_every_case_has_texts_to_search_for_and_every_cause_a_fix_and_a_probe(self):
        for case in cases.CASES:
            self.assertGreaterEqual(len(case.symptoms), 2, case.id)
            for cause in case.causes:
                for text in (cause.why, cause.fix, cause.probe):
                    self.assertGreater(len(text), 5, cause.id)

    def test_every_name_in_a_text_has_words_for_the_page(self):
        for cause in ALL_CAUSES:
            for text in (cause.why, cause.fix, cause.probe):
                names = {name for _, name, _, _ in string.Formatter().parse(text) if name}
                self.assertLessEqual(names, set(cases.GENERAL), cause.id)

    def test_a_cause_that_names_a_step_is_told_by_doctor_and_no_other(self):
        told = set()
        for name, source in SOURCE.items():
            if not name.startswith("case"):
                told |= set(re.findall(r'"([a-z0-9]+(?:-[a-z0-9]+)*)"', source))
        for cause in ALL_CAUSES:
            if cause.step:
                self.assertIn(cause.step, doctor.STEPS, cause.id)
                self.assertIn(cause.id, told, f"{cause.id} has a step, and no step tells it")

    def test_doctor_tells_no_cause_that_is_not_in_the_table(self):
        known = {cause.id for cause in ALL_CAUSES}
        for name, source in SOURCE.items():
            for cause in re.findall(r'(?:Fault|Finding)\(\s*"([^"]+)"', source):
                self.assertIn(cause, known, name)

    def test_the_page_in_docs_is_the_table_of_today(self):
        page = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
        self.assertEqual(page, troubleshooting.page(), "run: python student/troubleshooting.py")

    def test_every_error_text_and_every_fix_is_on_the_page(self):
        page = troubleshooting.page()
        for case in cases.CASES:
            self.assertIn(f'<a id="{case.id}"></a>', page)
            for symptom in case.symptoms:
                self.assertIn(symptom.replace("|", "\\|"), page)


class Modules(unittest.TestCase):
    def test_python_3_9_can_read_every_module(self):
        for module in MODULES:
            ast.parse(module.read_text(encoding="utf-8"), str(module), feature_version=(3, 9))

    def test_even_python_2_can_read_the_file_that_tells_it_that_it_is_too_old(self):
        first = (STUDENT / "__main__.py").read_text(encoding="ascii")
        self.assertNotRegex(first, r"\bf\"|print |: str|->")

    @unittest.skipIf(sys.version_info < (3, 10), "this Python does not know the names of its own modules")
    def test_only_the_standard_library_is_imported(self):
        for name, source in SOURCE.items():
            for node in ast.walk(ast.parse(source)):
                names = (
                    [node.module]
                    if isinstance(node, ast.ImportFrom)
                    else [n.name for n in node.names]
                    if isinstance(node, ast.Import)
                    else []
                )
                for imported in names:
                    first = imported.split(".")[0]
                    self.assertTrue(first == "headwater" or first in sys.stdlib_module_names, f"{name} imports {imported}")

    def test_modules_are_plain_text_of_modest_size(self):
        for name, source in SOURCE.items():
            self.assertTrue(source.isascii(), name)
            self.assertLess(source.count("\n"), 600, name)
