"""Joining and the command line, against the HTTP contract kept in memory; and the archive as a student runs it."""

import base64
import contextlib
import io
import json
import os
import shutil
import stat
import subprocess
import sys
import time
import urllib.request
import zipapp
from unittest import mock

from doubles import Page, free_port
from rig import STUDENT, Broker, Case

from headwater import cli, settings

LISTENERS = [
    {"name": "plain", "protocol": "SASL_PLAINTEXT", "host": "192.168.1.20", "port": 9092, "mechanisms": ["SCRAM-SHA-256"]},
    {"name": "tls", "protocol": "SASL_SSL", "host": "192.168.1.20", "port": 9094, "mechanisms": ["SCRAM-SHA-256", "PLAIN"]},
]


class Line(Case):
    def run_tool(self, *words):
        """(exit code, what it printed, what it complained)"""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            try:
                code = cli.main(list(words))
            except SystemExit as ended:
                code = ended.code
        return code, out.getvalue(), err.getvalue()

    def page(self, **words):
        page = Page(LISTENERS, **words)
        self.addCleanup(page.__exit__)
        return page


class Joining(Line):
    def test_joining_prints_what_comes_next_and_keeps_the_password_to_itself(self):
        page = self.page(ca="-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n")
        code, out, _ = self.run_tool("join", page.CODE, "--server", page.base)
        self.assertEqual(0, code)
        for text in (
            "You are quiet-otter.",
            "ws.quiet-otter.",
            "192.168.1.20:9092",
            "quiet-otter:7F3K2M",
            "doctor",
            str(settings.path_of(page.base)),
        ):
            self.assertIn(text, out)
        self.assertNotIn("pw-quiet-otter", out)
        kept = settings.load(page.base)
        self.assertEqual("pw-quiet-otter", kept["password"])
        self.assertIn("BEGIN CERTIFICATE", open(kept["ca"]).read())

    def test_only_the_owner_can_read_what_is_kept(self):
        page = self.page()
        self.run_tool("join", page.CODE, "--server", page.base)
        if os.name == "posix":
            self.assertEqual(0o600, stat.S_IMODE(settings.path_of(page.base).stat().st_mode))
            self.assertEqual(0o700, stat.S_IMODE(settings.folder().stat().st_mode))

    def test_joining_again_gives_the_same_identity(self):
        page = self.page()
        self.run_tool("join", page.CODE, "--server", page.base)
        for _ in range(2):
            code, out, _ = self.run_tool("join", page.CODE)
            self.assertEqual(0, code)
            self.assertIn("Welcome back, quiet-otter.", out)
            self.assertEqual("pw-quiet-otter", settings.load(page.base)["password"])
            page.tokens.clear()  # the session has ended: the kept password makes another
        self.assertEqual(["quiet-otter"], list(page.students))

    def test_a_server_that_forgot_everyone_gives_another_identity_and_says_so(self):
        page = self.page()
        self.run_tool("join", page.CODE, "--server", page.base)
        page.students.clear()
        page.students["someone"] = {}
        code, out, _ = self.run_tool("join", page.CODE)
        self.assertEqual(0, code)
        self.assertIn("you were quiet-otter before", out)

    def test_a_partner_joins_with_the_invite(self):
        page = self.page()
        self.run_tool("join", page.CODE, "--server", page.base)
        shutil.rmtree(settings.folder())
        _, out, _ = self.run_tool("join", page.CODE, "--server", page.base, "--invite", "quiet-otter:7F3K2M")
        self.assertIn("You are quiet-otter.", out)
        self.assertEqual("quiet-otter-2", settings.load(page.base)["user"])

    def test_what_the_server_refuses_is_said_with_its_fix(self):
        page = self.page()
        code, _, err = self.run_tool("join", "wrong", "--server", page.base)
        self.assertEqual((2, "This is not the workshop's code.\nLook at the board.\n"), (code, err))
        self.assertIsNone(settings.load(page.base))
        page.attempts = 100
        _, _, err = self.run_tool("join", page.CODE, "--server", page.base)
        self.assertIn("Wait 7 seconds", err)

    def test_a_server_that_is_not_there_is_told_in_a_sentence(self):
        begun = time.monotonic()
        code, _, err = self.run_tool("join", "x", "--server", f"http://127.0.0.1:{free_port()}")
        self.assertEqual(2, code)
        self.assertIn("does not answer (Connection refused)", err)
        self.assertLess(time.monotonic() - begun, 10)
        code, _, err = self.run_tool("join", "x")
        self.assertIn("--server", err)

    def test_a_page_that_is_not_headwater_is_told(self):
        page = self.page(api=False)
        code, _, err = self.run_tool("whoami", "--server", page.base)
        self.assertEqual(2, code)
        self.assertIn("You have not joined yet.", err)

    def test_a_proxy_in_the_environment_is_not_asked(self):
        page = self.page()
        with mock.patch.dict(os.environ, {"http_proxy": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}):
            self.assertEqual(0, self.run_tool("join", page.CODE, "--server", page.base)[0])


class LoggingIn(Line):
    """Somebody who joined elsewhere: in the browser, or on another computer."""

    USER, PASSWORD = "quiet-otter", "pw-quiet-otter"

    def setUp(self):
        super().setUp()
        self.at = self.page()
        body = json.dumps({"code": self.at.CODE}).encode()
        request = urllib.request.Request(f"{self.at.base}/api/join", body, {"Content-Type": "application/json"})
        urllib.request.urlopen(request, timeout=10).close()

    def log_in(self, user=USER, password=PASSWORD, server=None, terminal=True):
        """(exit code, what it printed, what it complained), with this typed into the terminal."""
        self.asked = mock.Mock(side_effect=password if isinstance(password, BaseException) else None, return_value=password)
        standing = mock.Mock(isatty=lambda: terminal)
        with mock.patch("getpass.getpass", self.asked), mock.patch("sys.stdin", standing):
            return self.run_tool("login", user, "--server", server or self.at.base)

    def told(self, answer, sentence, fix):
        code, out, err = answer
        self.assertEqual((2, ""), (code, out))
        first, second = err.splitlines()
        self.assertIn(sentence, first)
        self.assertIn(fix, second)
        self.assertIsNone(settings.load(self.at.base))

    def test_the_same_identity_is_kept_as_joining_here_would_have(self):
        self.at.ca = "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"
        code, out, err = self.log_in(password=f" {self.PASSWORD}\n")
        self.assertEqual((0, ""), (code, err))
        for text in ("You are quiet-otter.", "ws.quiet-otter.", "192.168.1.20:9092", "quiet-otter:7F3K2M", "doctor", "challenges"):
            self.assertIn(text, out)
        self.assertNotIn(self.PASSWORD, out)
        self.assertEqual(["quiet-otter"], list(self.at.students))
        entered = settings.load(self.at.base)
        self.run_tool("join", self.at.CODE)
        joined = settings.load(self.at.base)
        self.assertEqual({**joined, "token": None}, {**entered, "token": None})
        self.assertEqual(self.PASSWORD, entered["password"])
        self.assertIn("quiet-otter", self.run_tool("whoami")[1])

    def test_only_the_owner_can_read_what_is_kept(self):
        self.log_in()
        if os.name == "posix":
            self.assertEqual(0o600, stat.S_IMODE(settings.path_of(self.at.base).stat().st_mode))

    def test_the_password_may_stand_in_the_environment_and_is_no_argument(self):
        with mock.patch.dict(os.environ, {"HEADWATER_PASSWORD": self.PASSWORD}):
            self.assertEqual(0, self.log_in(terminal=False)[0])
        self.asked.assert_not_called()
        self.assertEqual(2, self.run_tool("login", self.USER, self.PASSWORD)[0])
        self.assertEqual(2, self.run_tool("login", self.USER, "--password", self.PASSWORD)[0])

    def test_a_wrong_password_is_told_with_its_fix(self):
        self.told(self.log_in(password="no"), "does not know the user quiet-otter with this password", "Copy both from the page")
        self.told(self.log_in("quiet-otter:7F3K2M"), "with this password", "your user is quiet-otter.")
        with mock.patch.dict(os.environ, {"HEADWATER_PASSWORD": "of somebody else"}):
            self.told(self.log_in(), "with this password", "HEADWATER_PASSWORD")

    def test_a_password_that_did_not_come_is_told_and_not_sent(self):
        self.told(self.log_in(password=""), "No password was given.", "when you joined")
        self.told(self.log_in(password=EOFError()), "No password was given.", "when you joined")
        self.told(self.log_in(password="\x16"), "Ctrl+V does not paste", "right click")
        self.told(self.log_in(terminal=False), "no terminal", "HEADWATER_PASSWORD")
        self.assertEqual(0, self.at.logins)

    def test_a_server_that_cannot_be_reached_is_told_before_the_password_is_asked_for(self):
        self.told(self.log_in(server=f"http://127.0.0.1:{free_port()}"), "does not answer (Connection refused)", "in a browser")
        self.asked.assert_not_called()
        self.at.api = False
        self.told(self.log_in(), "is not Headwater", "Check the address")
        self.asked.assert_not_called()

    def test_a_broker_for_one_person_asks_for_no_password(self):
        self.at.mode = "single"
        self.told(self.log_in(), "is for one person", "leave `login` out")
        self.asked.assert_not_called()

    def test_the_instructor_is_sent_to_the_page(self):
        self.told(self.log_in("instructor"), "the instructor's", "on the web page")
        self.asked.assert_not_called()

    def test_a_user_who_is_not_of_the_class_hears_the_server_s_words(self):
        self.at.others["etl"] = "secret"
        self.told(self.log_in("etl", "secret"), "not one of the workshop", "Join with the code.")

    def test_another_identity_than_before_is_said(self):
        self.log_in()
        self.at.students["loud-heron"] = {**self.at.students[self.USER], "id": "loud-heron", "user": "loud-heron"}
        self.assertIn("Welcome back, quiet-otter.", self.log_in()[1])
        self.assertIn("you were quiet-otter before", self.log_in("loud-heron")[1])

    def test_after_a_new_password_in_the_browser_the_tool_says_how_it_gets_in_again(self):
        self.log_in()
        self.at.students[self.USER]["secret"] = "another"
        self.at.tokens.clear()
        code, _, err = self.run_tool("whoami")
        self.assertEqual(2, code)
        self.assertIn("login quiet-otter", err)
        self.assertIn("Welcome back, quiet-otter.", self.log_in(password="another")[1])
        self.assertEqual(0, self.run_tool("whoami")[0])

    def test_who_has_not_joined_here_hears_of_login(self):
        self.assertIn("login USER", self.run_tool("whoami", "--server", self.at.base)[2])


class Joined(Line):
    def setUp(self):
        super().setUp()
        self.at = self.page()
        self.run_tool("join", self.at.CODE, "--server", self.at.base)

    def test_whoami(self):
        code, out, _ = self.run_tool("whoami")
        self.assertEqual(0, code)
        for text in ("quiet-otter", "Otter", "student", "ws.quiet-otter."):
            self.assertIn(text, out)

    def test_whoami_logs_in_again_when_the_session_has_ended(self):
        self.at.tokens.clear()
        self.assertEqual(0, self.run_tool("whoami")[0])
        self.at.tokens.clear()
        self.at.students.clear()
        code, _, err = self.run_tool("whoami")
        self.assertEqual(2, code)
        self.assertIn("does not know you any more", err)

    def test_settings_have_the_password_in_them(self):
        code, out, _ = self.run_tool("settings", "confluent-kafka")
        self.assertEqual(0, code)
        self.assertIn("sasl.password=pw-quiet-otter", out)
        self.assertEqual(2, self.run_tool("settings", "no-such-client")[0])

    def test_a_new_password_is_kept(self):
        self.assertEqual(0, self.run_tool("new-password")[0])
        self.assertEqual("new-secret", settings.load(self.at.base)["password"])
        self.at.tokens.clear()
        self.assertEqual(0, self.run_tool("whoami")[0])

    def test_doctor_takes_what_join_kept(self):
        self.at.listeners[:] = [{"name": "plain", "protocol": "PLAINTEXT", "host": "127.0.0.1", "port": free_port(), "mechanisms": []}]
        self.run_tool("join", self.at.CODE)
        code, out, _ = self.run_tool("doctor", "--json")
        found = json.loads(out)
        self.assertEqual((1, False), (code, found["ok"]))
        self.assertEqual(["refused"], [finding["cause"] for finding in found["findings"]])
        self.assertEqual("FAIL", next(step["status"] for step in found["steps"] if step["step"] == "TCP"))
        self.assertIn("no listener other", self.run_tool("doctor", "--listener", "other")[2])


class Challenges(Line):
    """What `start` and `ticket` make of the server's answers."""

    def setUp(self):
        super().setUp()
        self.at = self.page()
        self.run_tool("join", self.at.CODE, "--server", self.at.base)

    def sheet(self, name, *starters):
        self.at.more[f"/api/challenges/{name}"] = {"id": name, "slug": f"{name}-x", "title": "X", "minutes": 30, "starters": list(starters)}
        for starter in starters:
            for file in (starter["name"], starter.get("notebook"), *starter["needs"]):
                self.at.more[f"/api/challenges/{name}/{file}"] = f"this is {file}"

    def start(self, *words):
        folder = self.home / "-".join(words)
        code, out, err = self.run_tool("start", *words, "--folder", str(folder))
        self.assertEqual((0, ""), (code, err))
        return sorted(file.name for file in folder.iterdir()), out

    def test_a_spark_challenge_comes_as_a_script_and_as_a_notebook(self):
        needs = ["lakehouse.py", "requirements-spark.txt"]
        self.sheet("c05", {"name": "starter.py", "client": "spark", "notebook": "starter.ipynb", "needs": needs})
        for words in (("c05",), ("5", "--client", "spark")):
            names, out = self.start(*words)
            self.assertEqual(["c05.ipynb", "c05.py", *needs], names)
            for text in ("pip install -r requirements-spark.txt", "Java 17", "python c05.py", "c05.ipynb", "start c05 --client databricks"):
                self.assertIn(text, out)
        self.assertEqual("this is starter.ipynb", (self.home / "c05" / "c05.ipynb").read_text())

    def test_databricks_gets_the_login_beside_the_notebook(self):
        self.at.ca = "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n"
        self.run_tool("join", self.at.CODE)
        self.sheet("c05", {"name": "starter.py", "client": "spark", "notebook": "starter.ipynb", "needs": ["lakehouse.py"]})
        names, out = self.start("c05", "--client", "databricks")
        self.assertEqual(["c05.py", "ca.pem", "headwater.json", "lakehouse.py"], names)
        self.assertIn("headwater.json is your login", out)
        self.assertNotIn("pw-quiet-otter", out)
        folder = self.home / "c05---client-databricks"
        kept = json.loads((folder / "headwater.json").read_text())
        self.assertEqual(("pw-quiet-otter", None), (kept["password"], kept["ca"]))
        self.assertEqual(self.at.ca, (folder / "ca.pem").read_text())
        if os.name == "posix":
            self.assertEqual(0o600, stat.S_IMODE((folder / "headwater.json").stat().st_mode))

    def test_a_client_s_starter_comes_with_what_it_needs_itself(self):
        python = {"name": "starter.py", "client": "confluent-kafka", "notebook": None, "needs": ["workshop.py"]}
        spark = {"name": "starter_spark.py", "client": "spark", "notebook": "starter_spark.ipynb", "needs": ["lakehouse.py"]}
        self.sheet("c09", python, spark)
        names, out = self.start("c09")
        self.assertEqual(["c09.py", "workshop.py"], names)
        self.assertNotIn("requirements-spark", out)
        self.assertEqual(["c09_spark.ipynb", "c09_spark.py", "lakehouse.py"], self.start("c09", "--client", "spark")[0])
        self.assertIn("There is no starter of c09 for java.", self.run_tool("start", "c09", "--client", "java")[2])

    def test_a_ticket_ends_in_a_line_for_a_notebook_that_cannot_reach_the_server(self):
        ticket = {
            "challenge": "c05",
            "nonce": "n0\u00e9",
            "ranges": {"t": {"0": [5, 9]}},
            "results": None,
            "issued_ms": 0,
            "expires_ms": 60000,
        }
        self.at.more["POST /api/ticket/c05"] = ticket
        code, out, _ = self.run_tool("ticket", "c05")
        before, line = out.splitlines()[-2:]
        self.assertEqual((0, True, True), (code, line.startswith("WT1."), 'lakehouse.ticket("c05", "...")' in before))
        self.assertRegex(line, r"^WT1\.[A-Za-z0-9_-]+$")
        text = line[4:]
        self.assertEqual(ticket, json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))))
        self.assertEqual(ticket, json.loads(self.run_tool("ticket", "c05", "--json")[1]))


class Archive(Case):
    """The program as it is fetched from the server, in a process of its own."""

    def archive(self, server):
        tree = self.home / "tree"
        shutil.copytree(STUDENT, tree, ignore=shutil.ignore_patterns("__pycache__", "troubleshooting.py"))
        (tree / "server.txt").write_text(server + "\n")
        target = self.home / "headwater.pyz"
        zipapp.create_archive(tree, target)
        shutil.rmtree(tree)
        return target

    def run_archive(self, archive, *words):
        environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
        command = [sys.executable, "-I", str(archive), *words]
        return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=self.home, timeout=60, check=False)

    def test_it_knows_the_server_that_it_came_from(self):
        with Page(LISTENERS) as page:
            archive = self.archive(page.base)
            done = self.run_archive(archive, "join", page.CODE)
            self.assertEqual((0, ""), (done.returncode, done.stderr))
            self.assertIn("headwater.pyz doctor", done.stdout)
            self.assertIn("ws.quiet-otter.", self.run_archive(archive, "whoami").stdout)

    def test_doctor_runs_out_of_it_against_a_broker(self):
        with Broker("--generators", "off") as broker:
            done = self.run_archive(self.archive(broker.base), "doctor", broker.address)
            lines = {line.split()[0]: line.split()[1] for line in done.stdout.splitlines() if len(line.split()) > 1}
            for step in ("name", "HTTP", "TCP", "Kafka", "metadata", "advertised", "produce", "fetch", "clock"):
                self.assertEqual("ok", lines.get(step), done.stdout + done.stderr)

    def test_a_wrong_command_is_told_how_it_is_used(self):
        done = self.run_archive(self.archive("http://127.0.0.1:1"), "frobnicate")
        self.assertEqual(2, done.returncode)
        self.assertIn("usage:", done.stderr)
