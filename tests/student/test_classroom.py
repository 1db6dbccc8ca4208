"""What a student does in a classroom, from the code on the board to the first record.

The same tests run twice: against doors and a page of our own that keep to the contract, and against a broker that has a
classroom mode. The second class is left out where `serve --help` knows no `--classroom`.
"""

import contextlib
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request
from pathlib import Path
from unittest import mock

import certificates
import rig
import test_bridge
from doubles import LoginDoor, Page, TlsDoor, free_port
from rig import Broker, Case

from headwater import cli, settings

CLIENTS = cli.CLIENTS
CODE = re.compile(r"Workshop code\s+(\S+)")


class Accounts(dict):
    """The users of a page, for a door."""

    def __init__(self, page):
        super().__init__()
        self.page = page

    def get(self, user, default=None):
        return self.page.students.get(user, {}).get("secret", default)


class DoubleRoom:
    def __init__(self, stack):
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        authority = certificates.Authority(folder, "class")
        plain, tls = free_port(), free_port()
        self.plain, self.tls, self.code = f"127.0.0.1:{plain}", f"127.0.0.1:{tls}", Page.CODE
        rows = [("plain", "SASL_PLAINTEXT", plain), ("tls", "SASL_SSL", tls)]
        listeners = [
            {"name": name, "protocol": protocol, "host": "127.0.0.1", "port": port, "mechanisms": []} for name, protocol, port in rows
        ]
        page = Page(listeners, ca=authority.pem.read_text())
        stack.callback(page.__exit__)
        self.base = page.base
        for _, protocol, port in rows:
            behind = stack.enter_context(Broker("--advertise", f"127.0.0.1:{port}", "--generators", "off"))
            words = {"users": Accounts(page), "prefix": "ws.quiet-otter."}
            if protocol == "SASL_PLAINTEXT":
                stack.enter_context(LoginDoor(behind.port, port=port, **words))
            else:
                inner = stack.enter_context(LoginDoor(behind.port, mechanisms=("SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN"), **words))
                stack.enter_context(TlsDoor(authority.certificate("broker", "IP:127.0.0.1"), inner.port, port))


class RealRoom:
    def __init__(self, stack):
        plain, tls = free_port(), free_port()
        self.plain, self.tls = f"127.0.0.1:{plain}", f"127.0.0.1:{tls}"
        listeners = ("--listener", f"plain=SASL_PLAINTEXT://{self.plain}", "--listener", f"tls=SASL_SSL://{self.tls}")
        broker = stack.enter_context(Broker("--classroom", "--https", "off", *listeners, port=plain, listen=False))
        self.base = broker.base
        self.code = self.told(broker.log)

    @staticmethod
    def told(log):
        """It is printed when all ports are open."""
        end = time.monotonic() + rig.START
        while time.monotonic() < end:
            found = CODE.search(log.read_text(errors="replace"))
            if found:
                return found.group(1)
            time.sleep(0.05)
        raise AssertionError(f"the broker does not print the workshop's code:\n{log.read_text(errors='replace')[-2000:]}")


class Contract:
    make_room = None

    def setUp(self):
        super().setUp()
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        self.room = self.make_room(stack)

    def tool(self, *words):
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = cli.main(list(words))
        return code, out.getvalue() + err.getvalue()

    def join(self):
        code, told = self.tool("join", self.room.code, "--server", self.room.base)
        self.assertEqual(0, code, told)
        return settings.load(self.room.base)

    def test_from_the_code_to_a_healthy_doctor_on_both_listeners(self):
        me = self.join()
        self.assertRegex(me["id"], r"^[a-z]+-[a-z]+")
        self.assertEqual((f"ws.{me['id']}.", me["id"]), (me["prefix"], me["group_prefix"]))
        for name in ("plain", "tls"):
            report = self.look("--listener", name)
            self.well(report, "HTTP", "SASL", "metadata", "advertised", "produce", "fetch", "clock")
        self.assertEqual("ok", report.status("TLS"))
        self.assertEqual([], report.causes())

    def test_joining_twice_is_being_the_same_person(self):
        before = self.join()
        self.assertIn("Welcome back", self.tool("join", self.room.code)[1])
        after = settings.load(self.room.base)
        self.assertEqual([before[key] for key in ("id", "user", "password")], [after[key] for key in ("id", "user", "password")])
        self.assertIn(before["id"], self.tool("whoami")[1])

    def test_a_partner_has_the_same_names_and_a_password_of_their_own(self):
        first = self.join()
        settings.path_of(self.room.base).unlink()
        self.assertEqual(0, self.tool("join", self.room.code, "--server", self.room.base, "--invite", first["invite"])[0])
        second = settings.load(self.room.base)
        self.assertEqual((first["id"], f"{first['id']}-2"), (second["id"], second["user"]))
        self.assertNotEqual(first["password"], second["password"])
        self.well(self.look(), "SASL", "produce", "fetch")

    def test_who_joined_in_the_browser_logs_in_and_is_the_same_person(self):
        body = json.dumps({"code": self.room.code}).encode()
        request = urllib.request.Request(f"{self.room.base}/api/join", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            browser = json.load(answer)
        with mock.patch.dict(os.environ, {"HEADWATER_PASSWORD": "wrong"}):
            code, told = self.tool("login", browser["user"], "--server", self.room.base)
        self.assertEqual((2, 2), (code, len(told.strip().splitlines())), told)
        self.assertIn("does not know the user", told)
        with mock.patch.dict(os.environ, {"HEADWATER_PASSWORD": browser["password"]}):
            code, told = self.tool("login", browser["user"], "--server", self.room.base)
        self.assertEqual(0, code, told)
        me = settings.load(self.room.base)
        for key in ("id", "user", "password", "prefix", "group_prefix", "invite"):
            self.assertEqual(browser[key], me[key], key)
        self.well(self.look(), "HTTP", "SASL", "produce", "fetch")

    def test_a_wrong_code_is_told_with_its_fix(self):
        code, told = self.tool("join", "wrong-0000", "--server", self.room.base)
        self.assertEqual(2, code)
        self.assertEqual(2, len(told.strip().splitlines()), told)

    def test_wrong_and_swapped_and_missing_passwords(self):
        me = self.join()
        self.cause(self.look(self.room.plain, "--user", me["user"], "--password", "no"), "wrong-password", "SASL")
        self.cause(self.look(self.room.plain, "--user", me["password"], "--password", me["user"]), "swapped", "SASL")
        config = self.file(f"bootstrap.servers={self.room.plain}\n")
        self.cause(self.look("--config", config), "no-login", "SASL")

    def test_a_client_without_tls_on_the_tls_listener_and_the_reverse(self):
        me = self.join()
        words = ("--user", me["user"], "--password", me["password"])
        # flags say what to do where the settings of the joined server would say it better
        tls = self.file(f"bootstrap.servers={self.room.tls}\n")
        self.assertEqual("security.protocol=SASL_SSL", self.cause(self.look("--config", tls), "tls-wanted", "Kafka"))
        plain = self.look(self.room.plain, *words, "--tls", "--ca", me["ca"])
        self.assertEqual("security.protocol=SASL_PLAINTEXT", self.cause(plain, "tls-not-wanted", "TLS"))

    def test_names_of_others_are_refused_with_one_s_own_in_the_fix(self):
        me = self.join()
        self.assertIn(f"{me['prefix']}results", self.cause(self.look("--topic", "results"), "topic-not-yours", "produce"))
        self.assertIn(f"{me['id']}-1", self.cause(self.look("--group", "others"), "foreign-group", "group"))

    def test_a_new_password_ends_the_old_one(self):
        old = self.join()
        self.assertEqual(0, self.tool("new-password")[0])
        self.well(self.look(), "SASL")
        self.cause(self.look(self.room.plain, "--user", old["user"], "--password", old["password"]), "wrong-password", "SASL")

    def test_settings_are_pasteable_for_every_client(self):
        me = self.join()
        for client in CLIENTS:
            code, told = self.tool("settings", client)
            self.assertEqual(0, code, told)
            self.assertIn(me["password"], told, client)
            self.assertNotIn("{password}", told, client)

    def test_doctor_as_json_is_for_programs(self):
        self.join()
        code, told = self.tool("doctor", "--json")
        self.assertEqual((0, True), (code, json.loads(told)["ok"]))


class WithDoubles(Contract, Case):
    make_room = staticmethod(DoubleRoom)

    def test_plain_is_not_offered_where_all_can_listen_in(self):
        """A broker offers it on loopback, so only doubles can show this."""
        me = self.join()
        words = ("--user", me["user"], "--password", me["password"], "--mechanism", "PLAIN")
        self.cause(self.look(self.room.plain, *words), "mechanism-not-offered", "SASL")
        self.assertEqual("ok", self.look(self.room.tls, *words, "--tls", "--ca", me["ca"]).status("SASL"))


@unittest.skipUnless(rig.Settings.classroom, "this broker has no classroom mode")
class WithClassroom(Contract, Case):
    """Needs `serve --classroom`."""

    make_room = staticmethod(RealRoom)

    def test_the_server_hands_out_the_tool_with_its_address_in_it(self):
        place = self.home / "headwater.pyz"
        with urllib.request.urlopen(f"{self.room.base}/headwater.pyz", timeout=10) as answer:
            place.write_bytes(answer.read())
        done = subprocess.run(
            [sys.executable, "-I", str(place), "join", self.room.code], capture_output=True, text=True, timeout=60, check=False
        )
        self.assertEqual(0, done.returncode, done.stderr)
        self.assertIn("You are ", done.stdout)

    def test_over_https_the_authority_is_given_once(self):
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        https = f"127.0.0.1:{free_port()}"
        port = free_port()
        words = ("--classroom", "--https", https, "--listener", f"plain=SASL_PLAINTEXT://127.0.0.1:{port}")
        broker = stack.enter_context(Broker(*words, port=port, listen=False))
        self.assertEqual(0, self.tool("join", RealRoom.told(broker.log), "--server", broker.base)[0])
        me, authority = settings.load(broker.base), self.home / "ca.pem"
        authority.write_text(Path(me["ca"]).read_text())
        words = ("login", me["user"], "--server", f"https://{https}")
        with mock.patch.dict(os.environ, {"HEADWATER_PASSWORD": me["password"]}):
            code, told = self.tool(*words)
            self.assertEqual((2, True), (code, "--ca" in told), told)
            self.assertEqual(0, self.tool(*words, "--ca", str(authority))[0])
        authority.unlink()
        for verb in ("whoami", "challenges"):
            code, told = self.tool(verb, "--server", f"https://{https}")
            self.assertEqual(0, code, told)

    def test_the_bridge_logs_in_as_the_student(self):
        self.join()
        for client, python in test_bridge.PYTHONS.items():
            if not python.exists():
                continue
            for listener in ("plain", "tls"):
                to = self.home / f"{client}-{listener}"
                words = ["bridge", "--client", client, "--listener", listener, "--topic", "iot-sensor-data", "--to", str(to)]
                for _ in range(2):
                    environment = {**os.environ, "PYTHONPATH": str(rig.STUDENT)}
                    command = [str(python), "-m", "headwater", *words, "--once", "--from", "latest", "--server", self.room.base]
                    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
                    self.assertEqual(0, done.returncode, done.stdout + done.stderr)
                    time.sleep(1)
                self.assertTrue(list((to / "landing" / "iot-sensor-data").glob("p*.ndjson")), client)
