"""Doctor against what is broken on purpose: it names the cause, and where it can be done, its fix makes the step pass."""

import datetime
import json
import os
import random
import struct
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import certificates
from doubles import Babbler, BadDoor, Deaf, LoginDoor, Page, Silent, TlsDoor, free_port
from rig import PYTHON, SHORT, Broker, Case

from headwater import surroundings, wire
from headwater.records import batch

USERS = {"quiet-otter": "pw-otter"}
LOGIN = ("--user", "quiet-otter", "--password", "pw-otter")
KAFKA_STEPS = ("Kafka", "metadata", "advertised", "produce", "fetch")
broker = None


def setUpModule():
    global broker
    broker = Broker()


def tearDownModule():
    broker.__exit__()


def listener(port, protocol="PLAINTEXT", host="127.0.0.1"):
    return {"name": protocol, "protocol": protocol, "host": host, "port": port, "mechanisms": []}


class Healthy(Case):
    def test_a_broker_without_login_is_well(self):
        report = self.look(broker.address, "--server", broker.base)
        self.well(report, "name", "HTTP", "TCP", *KAFKA_STEPS, "clock", "packages", "Java")
        self.assertEqual("skipped", report.status("SASL"))

    def test_the_topic_that_doctor_made_is_gone_afterwards(self):
        self.well(self.look(broker.address), "produce", "fetch")
        with wire.Connection(wire.dial("127.0.0.1", broker.port, 5), 5) as asked:
            self.assertNotIn("headwater-doctor", [topic.name for topic in asked.metadata().topics])


class Reaching(Case):
    hosts = {"broker.class": "127.0.0.1", "host.docker.internal": "127.0.0.1"}

    def test_a_name_that_nobody_knows(self):
        self.cause(self.look("no-such-host.invalid:9092"), "name-unknown", "name")

    def test_a_port_that_nobody_listens_on_and_the_server_tells_the_right_one(self):
        with Page([listener(broker.port)]) as page:
            fix = self.cause(self.look(f"127.0.0.1:{free_port()}", "--server", page.base), "refused", "TCP")
            self.assertIn(broker.address, fix)
            self.well(self.look(broker.address, "--server", page.base), "TCP", *KAFKA_STEPS)

    def test_a_computer_that_does_not_answer(self):
        with Deaf() as deaf:
            self.cause(self.look(f"127.0.0.1:{deaf.port}", timeout=SHORT), "no-answer", "TCP")

    def test_a_firewall_that_lets_only_the_web_page_through(self):
        with Deaf() as deaf, Page() as page:
            fix = self.cause(self.look(f"127.0.0.1:{deaf.port}", "--server", page.base, timeout=SHORT), "port-blocked", "TCP")
            self.assertIn(f"localport={deaf.port}", fix)

    def test_localhost_in_a_container(self):
        self.box = "a container"
        report = self.look(f"localhost:{free_port()}")
        self.assertIn("host.docker.internal", self.cause(report, "localhost-elsewhere", "TCP"))
        self.well(self.look(f"host.docker.internal:{broker.port}"), "TCP", *KAFKA_STEPS)

    def test_a_port_that_takes_connections_and_stays_silent(self):
        with Silent() as port:
            self.cause(self.look(f"127.0.0.1:{port.port}", timeout=SHORT), "silent-port", "Kafka")

    def test_the_web_page_s_port_instead_of_kafka_s(self):
        with Page([listener(broker.port)]) as page:
            port = page.base.rsplit(":", 1)[1]
            fix = self.cause(self.look(f"127.0.0.1:{port}", "--server", page.base, timeout=SHORT), "http-port", "Kafka")
            self.assertEqual(f"bootstrap.servers={broker.address}", fix)

    def test_headwater_s_own_web_page_is_taken_for_one(self):
        self.cause(self.look(f"127.0.0.1:{broker.http}", timeout=SHORT), "http-port", "Kafka")

    def test_another_protocol(self):
        with Babbler() as port:
            self.cause(self.look(f"127.0.0.1:{port.port}", timeout=SHORT), "not-kafka", "Kafka")

    def test_a_sign_in_page_and_a_page_that_is_not_there_do_not_end_the_search(self):
        with Page(api=False) as page:
            report = self.look(broker.address, "--server", page.base)
            self.cause(report, "sign-in-page", "HTTP")
            self.assertEqual("ok", report.status("fetch"))
        report = self.look(broker.address, "--server", f"http://127.0.0.1:{free_port()}")
        self.cause(report, "no-page", "HTTP")
        self.assertEqual("ok", report.status("fetch"))


class Advertised(Case):
    hosts = {"broker.class": "127.0.0.1"}

    def advertise(self, address, *words):
        with Broker("--advertise", address, "--generators", "off") as wrong:
            report = self.look(f"broker.class:{wrong.port}")
        return report, wrong.port

    def test_a_name_that_only_the_broker_knows(self):
        report, _ = self.advertise("inside-a-container:9092")
        self.cause(report, "advertised-unknown", "advertised")

    def test_localhost_seen_from_another_computer(self):
        report, port = self.advertise(f"localhost:{free_port()}")
        fix = self.cause(report, "advertised-localhost", "advertised")
        self.assertIn(f"--advertise broker.class:{port}", fix)

    def test_an_address_without_a_broker_and_the_fix_that_is_named(self):
        self.hosts = {"broker.class": "127.0.0.1", "dead.class": "127.0.0.1"}
        report, port = self.advertise(f"dead.class:{free_port()}")
        fix = self.cause(report, "advertised-dead", "advertised")
        address = fix.split("--advertise ")[1]
        with Broker("--advertise", address, "--generators", "off", port=port):
            self.well(self.look(f"broker.class:{port}"), *KAFKA_STEPS)


class LoggingIn(Case):
    def door(self, **words):
        door = LoginDoor(broker.port, USERS, **words)
        # the broker behind tells its own address; this one is told instead, so that clients come back through the door
        self.enterContext_(door)
        return door

    def enterContext_(self, opened):
        opened.__enter__()
        self.addCleanup(opened.__exit__)
        return opened

    def settings(self, door, **changes):
        values = {
            "bootstrap.servers": f"127.0.0.1:{door.port}",
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "SCRAM-SHA-256",
            "sasl.username": "quiet-otter",
            "sasl.password": "pw-otter",
        }
        values.update({name.replace("_", "."): value for name, value in changes.items()})
        return self.file("".join(f"{name}={value}\n" for name, value in values.items() if value is not None))

    def test_each_mechanism_logs_in(self):
        door = self.door(mechanisms=("SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN"))
        for mechanism in door.mechanisms:
            report = self.look(f"127.0.0.1:{door.port}", *LOGIN, "--mechanism", mechanism)
            self.assertEqual("ok", report.status("SASL"), report.causes())
        self.assertEqual("ok", report.status("metadata"))
        self.assertEqual({"quiet-otter"}, set(door.logins))

    def test_a_mechanism_is_chosen_where_none_is_named(self):
        report = self.look(f"127.0.0.1:{self.door(mechanisms=('SCRAM-SHA-512',)).port}", *LOGIN)
        self.assertEqual("ok", report.status("SASL"))

    def test_a_wrong_password(self):
        door = self.door()
        for words in (("--user", "quiet-otter", "--password", "no"), ("--user", "nobody", "--password", "pw-otter")):
            self.cause(self.look(f"127.0.0.1:{door.port}", *words), "wrong-password", "SASL")

    def test_user_and_password_in_each_other_s_place(self):
        door = self.door()
        without = self.settings(door, sasl_username="pw-otter", sasl_password="quiet-otter", security_protocol=None)
        self.assertNotIn("pw-otter", json.dumps(self.look("--config", without).as_json()), "the password is shown")
        config = self.settings(door, sasl_username="pw-otter", sasl_password="quiet-otter")
        self.assertNotIn("pw-otter", json.dumps(self.look("--config", config).as_json()), "the password is shown")
        fix = self.cause(self.look("--config", config), "swapped", "SASL")
        self.assertIn("sasl.username=quiet-otter", fix)
        self.assertEqual("ok", self.look("--config", self.settings(door)).status("SASL"))

    def test_a_password_in_quotation_marks(self):
        door = self.door()
        report = self.look("--config", self.settings(door, sasl_password='"pw-otter"'))
        self.cause(report, "stray-characters", "SASL")
        self.assertIn("stray-characters", report.causes())

    def test_a_misspelt_mechanism_is_named_and_the_search_goes_on_with_the_right_one(self):
        door = self.door()
        report = self.look("--config", self.settings(door, sasl_mechanism="SCRAM-SHA256"))
        self.assertEqual("sasl.mechanism=SCRAM-SHA-256", self.cause(report, "mechanism-spelling", "settings"))
        self.assertEqual("ok", report.status("SASL"))

    def test_plain_where_only_scram_is_offered(self):
        door = self.door()
        report = self.look("--config", self.settings(door, sasl_mechanism="PLAIN"))
        fix = self.cause(report, "mechanism-not-offered", "SASL")
        self.assertEqual("sasl.mechanism=SCRAM-SHA-256", fix)
        self.assertEqual("ok", self.look("--config", self.settings(door, sasl_mechanism=fix.split("=")[1])).status("SASL"))

    def test_a_client_without_login_on_a_port_that_wants_one(self):
        door = self.door()
        none = {"security_protocol": None, "sasl_mechanism": None, "sasl_username": None, "sasl_password": None}
        fix = self.cause(self.look("--config", self.settings(door, **none)), "no-login", "SASL")
        self.assertIn("security.protocol=SASL_PLAINTEXT, sasl.mechanism=SCRAM-SHA-256", fix)
        self.assertEqual("ok", self.look("--config", self.settings(door)).status("SASL"))

    def test_a_login_without_its_protocol(self):
        door = self.door()
        report = self.look("--config", self.settings(door, security_protocol=None))
        self.assertEqual("security.protocol=SASL_PLAINTEXT", self.cause(report, "protocol-missing", "settings"))
        self.assertIn("no-login", report.causes())

    def test_a_misspelt_protocol(self):
        report = self.look("--config", self.settings(self.door(), security_protocol="SASL-PLAINTEXT"))
        self.cause(report, "protocol-spelling", "settings")
        self.assertEqual("ok", report.status("SASL"))

    def test_no_password(self):
        door = self.door()
        self.cause(self.look("--config", self.settings(door, sasl_password=None)), "no-credentials", "settings")
        self.cause(self.look(f"127.0.0.1:{door.port}", "--user", "quiet-otter"), "no-credentials", "SASL")

    def test_a_login_where_none_is_wanted(self):
        fix = self.cause(self.look(broker.address, *LOGIN), "login-not-wanted", "SASL")
        self.assertIn("security.protocol=PLAINTEXT", fix)
        self.well(self.look(broker.address), *KAFKA_STEPS)

    def test_a_server_that_does_not_know_the_password_is_not_trusted(self):
        door = self.door(liar=True)
        self.cause(self.look(f"127.0.0.1:{door.port}", *LOGIN), "server-unproven", "SASL")

    def test_a_topic_that_is_not_one_s_own(self):
        port = free_port()
        with Broker("--advertise", f"127.0.0.1:{port}") as behind:
            with LoginDoor(behind.port, USERS, prefix="ws.quiet-otter.", port=port):
                self.well(self.look(f"127.0.0.1:{port}", *LOGIN), "SASL", *KAFKA_STEPS)
                fix = self.cause(self.look(f"127.0.0.1:{port}", *LOGIN, "--topic", "results"), "topic-not-yours", "produce")
                self.assertIn("ws.quiet-otter.results", fix)
                with mock.patch("headwater.target.identity_of", lambda user: "brave-badger"):
                    self.cause(self.look(f"127.0.0.1:{port}", *LOGIN), "topic-not-yours", "produce")
                self.cause(self.look(f"127.0.0.1:{port}", *LOGIN, "--group", "my-group"), "foreign-group", "group")
                self.assertEqual("ok", self.look(f"127.0.0.1:{port}", *LOGIN, "--group", "quiet-otter-1").status("group"))


class Hostile(Case):
    def test_no_answer_of_a_broker_makes_doctor_stumble(self):
        """Each answer in turn is spoilt, ten times; whatever comes of it, a report is made and within its time."""
        for answer in range(1, 13):
            for seed in range(10):
                with (
                    BadDoor(broker.port, random.Random(answer * 100 + seed), answer) as door,
                    mock.patch("headwater.look_records.PAUSE", 0),
                ):
                    try:
                        report = self.look(f"127.0.0.1:{door.port}", "--group", "g", "--topic", "ecommerce-events", timeout=0.3)
                    except Exception as reason:
                        raise AssertionError(f"answer {answer}, seed {seed}") from reason
                    self.assertEqual("ok", report.status("TCP"))

    def test_no_answer_of_a_web_page_makes_doctor_stumble(self):
        for about in (
            "x",
            1,
            None,
            [],
            {"listeners": 1},
            {"listeners": [1, {}]},
            {"listeners": [{"host": 1, "port": "x"}], "time_ms": "x"},
            {"time_ms": 1e300},
        ):
            with Page() as page, mock.patch.object(page, "about", lambda found=about: found):
                report = self.look(broker.address, "--server", page.base)
                self.assertEqual("ok", report.status("fetch"), about)


class Encrypted(Case):
    hosts = {"broker.class": "127.0.0.1"}

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        try:
            cls.ours = certificates.Authority(Path(cls.folder.name), "ours")
            cls.theirs = certificates.Authority(Path(cls.folder.name), "theirs")
        except certificates.Missing as reason:
            cls.folder.cleanup()
            if os.environ.get("CI"):
                raise
            raise unittest.SkipTest(str(reason)) from reason
        cls.good = cls.ours.certificate("good", "DNS:localhost,IP:127.0.0.1")
        cls.named = cls.ours.certificate("named", "DNS:broker.class")
        cls.past = cls.ours.certificate("past", "IP:127.0.0.1", until="20210101000000Z")
        cls.future = cls.ours.certificate("future", "IP:127.0.0.1", since="20980101000000Z")

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def behind(self, certificate, *words, server=None):
        with TlsDoor(certificate, broker.port) as door:
            return self.look(f"127.0.0.1:{door.port}", *words, *(("--server", server) if server else ()))

    def ca(self, authority):
        return ("--tls", "--ca", str(authority.pem))

    def test_the_right_authority(self):
        port = free_port()
        with Broker("--advertise", f"127.0.0.1:{port}", "--generators", "off") as behind, TlsDoor(self.good, behind.port, port):
            self.well(self.look(f"127.0.0.1:{port}", *self.ca(self.ours)), "TLS", *KAFKA_STEPS)

    def test_no_authority_and_the_one_that_the_server_offers(self):
        with Page(ca=self.ours.pem.read_text()) as page:
            fix = self.cause(self.behind(self.good, "--tls", server=page.base), "private-ca", "TLS")
            self.assertIn(f"{page.base}/ca.pem", fix)
        self.assertEqual("ok", self.behind(self.good, *self.ca(self.ours)).status("TLS"))

    def test_the_authority_of_another_class(self):
        self.cause(self.behind(self.good, *self.ca(self.theirs)), "wrong-ca", "TLS")

    def test_an_authority_that_cannot_be_read(self):
        for content in (None, "nothing", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"):
            place = self.file(content) if content else str(self.home / "none.pem")
            self.cause(self.behind(self.good, "--tls", "--ca", place), "ca-unreadable", "TLS")

    def test_the_wrong_name_and_the_right_one(self):
        port = free_port()
        with Broker("--advertise", f"broker.class:{port}", "--generators", "off") as behind, TlsDoor(self.named, behind.port, port):
            fix = self.cause(self.look(f"127.0.0.1:{port}", *self.ca(self.ours)), "wrong-name", "TLS")
            self.assertEqual(f"bootstrap.servers=broker.class:{port}", fix)
            self.well(self.look(fix.split("=")[1], *self.ca(self.ours)), "TLS", *KAFKA_STEPS)

    def test_a_certificate_that_has_run_out(self):
        with Page() as page:
            self.cause(self.behind(self.past, *self.ca(self.ours), server=page.base), "expired", "TLS")
        self.cause(self.behind(self.past, *self.ca(self.ours)), "expired", "TLS")

    def test_a_clock_that_makes_a_good_certificate_seem_wrong(self):
        with Page(ahead=-6 * 365 * 86400.0) as page:
            self.cause(self.behind(self.past, *self.ca(self.ours), server=page.base), "clock", "TLS")
        report = self.behind(self.future, *self.ca(self.ours))
        self.cause(report, "clock", "TLS")

    def test_a_client_without_tls_on_a_tls_port(self):
        report = self.behind(self.good)
        self.assertEqual("security.protocol=SSL", self.cause(report, "tls-wanted", "Kafka"))

    def test_a_client_without_anything_on_a_port_with_tls_and_login(self):
        with LoginDoor(broker.port, USERS) as inner, TlsDoor(self.good, inner.port) as door:
            fix = self.cause(self.look(f"127.0.0.1:{door.port}"), "tls-wanted", "Kafka")
            self.assertEqual("security.protocol=SASL_SSL", fix)
            fix = self.cause(self.look(f"127.0.0.1:{door.port}", *self.ca(self.ours)), "no-login", "SASL")
            self.assertIn("security.protocol=SASL_SSL", fix)
            report = self.look(f"127.0.0.1:{door.port}", *self.ca(self.ours), *LOGIN)
            self.assertEqual("ok", report.status("SASL"))

    def test_a_tls_client_on_a_port_without_tls(self):
        self.assertEqual("security.protocol=PLAINTEXT", self.cause(self.look(broker.address, "--tls"), "tls-not-wanted", "TLS"))
        with LoginDoor(broker.port, USERS) as door:
            fix = self.cause(self.look(f"127.0.0.1:{door.port}", "--tls", *LOGIN), "tls-not-wanted", "TLS")
            self.assertEqual("security.protocol=SASL_PLAINTEXT", fix)

    def test_a_tls_client_on_the_web_page_and_on_a_silent_port(self):
        with Page() as page:
            self.cause(self.look("127.0.0.1:" + page.base.rsplit(":", 1)[1], "--tls", timeout=SHORT), "http-port", "TLS")
        with Silent() as port:
            self.cause(self.look(f"127.0.0.1:{port.port}", "--tls", timeout=SHORT), "silent-port", "TLS")

    def test_settings_without_the_check_of_names_are_followed(self):
        with TlsDoor(self.named, broker.port) as door:
            text = f"bootstrap.servers=127.0.0.1:{door.port}\nsecurity.protocol=SSL\nssl.ca.location={self.ours.pem}\n"
            self.cause(self.look("--config", self.file(text)), "wrong-name", "TLS")
            report = self.look("--config", self.file(text + "ssl.endpoint.identification.algorithm=none\n"))
            self.assertEqual("ok", report.status("TLS"))


class Reading(Case):
    def member(self, group):
        asked = wire.Connection(wire.dial("127.0.0.1", broker.port, 5), 5)
        self.addCleanup(asked.close)
        protocols = wire.array([wire.string("range") + struct.pack(">i", 0)])
        asked.call(11, 2, wire.string(group) + struct.pack(">ii", 30000, 30000) + wire.string("") + wire.string("consumer") + protocols)

    def produce(self, topic, count):
        with wire.Connection(wire.dial("127.0.0.1", broker.port, 5), 5) as asked:
            asked.create_topic(topic)
            for _ in range(count):
                self.assertEqual(0, asked.produce(topic, 0, batch(b"k", b"v", 0))[0])

    def commit(self, group, topic, offset):
        with wire.Connection(wire.dial("127.0.0.1", broker.port, 5), 5) as asked:
            part = struct.pack(">iq", 0, offset) + wire.string("")
            asked.call(
                8,
                2,
                wire.string(group)
                + struct.pack(">i", -1)
                + wire.string("")
                + struct.pack(">q", -1)
                + wire.array([wire.string(topic) + wire.array([part])]),
            )

    def test_a_topic_that_is_misspelt(self):
        fix = self.cause(self.look(broker.address, "--topic", "ecommerce-event"), "topic-misspelt", "fetch")
        self.assertEqual("Use ecommerce-events", fix)
        self.well(self.look(broker.address, "--topic", "ecommerce-events"), "fetch")

    def test_a_topic_that_is_not_there(self):
        self.cause(self.look(broker.address, "--topic", "zzz"), "topic-not-there", "fetch")

    def test_looking_at_a_topic_does_not_make_it(self):
        self.look(broker.address, "--topic", "zzz")
        self.cause(self.look(broker.address, "--topic", "zzz"), "topic-not-there", "fetch")

    def test_a_group_that_has_read_everything(self):
        self.produce("read-to-the-end", 3)
        self.commit("done", "read-to-the-end", 3)
        report = self.look(broker.address, "--topic", "read-to-the-end", "--group", "done")
        self.assertIn("done-2", self.cause(report, "group-at-end", "group", "note"))
        self.assertTrue(report.ok())
        for group in ("done-2", "half"):
            self.commit("half", "read-to-the-end", 1)
            self.assertEqual("ok", self.look(broker.address, "--topic", "read-to-the-end", "--group", group).status("group"))

    def test_a_consumer_that_did_not_say_goodbye(self):
        self.member("ghostly")
        self.cause(self.look(broker.address, "--group", "ghostly"), "ghost-member", "group", "note")

    def test_a_group_with_other_members(self):
        self.member("shared")
        with mock.patch("headwater.look_records.Records._describe", lambda *_: (0, "Stable", [wire.Member("a", "x", "/10.0.0.7")])):
            self.cause(self.look(broker.address, "--group", "shared"), "shared-group", "group", "note")

    def test_a_group_that_would_read_only_what_is_new(self):
        config = self.file(f"bootstrap.servers={broker.address}\ngroup.id=fresh\n")
        report = self.look("--config", config)
        self.assertIn("auto.offset.reset=earliest", self.cause(report, "reads-only-new", "settings", "note"))
        self.well(
            self.look("--config", self.file(f"bootstrap.servers={broker.address}\ngroup.id=fresh\nauto.offset.reset=earliest")), "settings"
        )


class ThisComputer(Case):
    def test_a_wrong_clock(self):
        for ahead, told in ((600.0, "10 minutes behind"), (-7200.0, "2 hours ahead")):
            with Page([listener(broker.port)], ahead=ahead) as page:
                report = self.look(broker.address, "--server", page.base)
                self.cause(report, "clock", "clock")
                self.assertIn(told, report.findings[0].what)
                self.assertEqual("ok", report.status("fetch"))
        with Page([listener(broker.port)], ahead=1.0) as page:
            self.well(self.look(broker.address, "--server", page.base), "clock")

    def test_a_broker_of_before_tells_the_time_by_its_header(self):
        report = self.look(broker.address, "--server", broker.base)
        self.assertEqual("ok", report.status("clock"), datetime.datetime.now())

    def packages(self, installed, python=PYTHON, fault=None):
        with mock.patch.object(surroundings, "installed", installed.get), mock.patch.object(surroundings, "python", lambda: python):
            with mock.patch.object(surroundings, "confluent_kafka_fault", lambda: fault):
                return self.look(broker.address)

    def test_a_32_bit_python(self):
        self.cause(self.packages({}, PYTHON._replace(bits=32)), "python-32-bit", "packages")

    def test_a_python_without_a_ready_made_library(self):
        self.cause(self.packages({}, PYTHON._replace(version=(3, 15))), "no-wheel", "packages")
        self.cause(
            self.packages({"confluent-kafka": "2.16.1"}, PYTHON._replace(libc="musl"), "cannot open librdkafka.so"), "no-wheel", "packages"
        )

    def test_a_library_that_cannot_be_loaded(self):
        report = self.packages({"confluent-kafka": "2.16.1"}, fault="ImportError: DLL load failed while importing cimpl")
        self.cause(report, "client-broken", "packages")

    def test_no_library_at_all_is_a_note(self):
        self.cause(self.packages({}), "client-missing", "packages", "note")
        self.well(self.packages({"aiokafka": "0.14.0"}), "packages")

    def test_an_old_kafka_python(self):
        self.cause(self.packages({"kafka-python": "2.0.2"}), "old-kafka-python", "packages", "note")
        self.well(self.packages({"kafka-python": "3.0.12"}), "packages")

    def test_code_for_an_old_kafka_python(self):
        config = self.file(f'from kafka.vendor import six\nKafkaConsumer(bootstrap_servers="{broker.address}")\n', "app.py")
        self.cause(self.look("--config", config), "old-kafka-python-code", "settings")

    def test_java_missing_too_old_and_too_new(self):
        self.java = None
        self.cause(self.look(broker.address), "java-missing", "Java", "note")
        self.java = (8, "/usr/bin/java")
        self.assertIn("Java 17", self.cause(self.look(broker.address), "java-old", "Java", "note"))
        self.java = (25, "/usr/bin/java")
        self.assertIn("Java 17", self.cause(self.look(broker.address), "java-new", "Java", "note"))
