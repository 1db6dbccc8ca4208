"""Parts of the tool, without a network."""

import argparse
import hashlib
import json
import struct
import unittest
from unittest import mock

from rig import Case

from headwater import clientconfig, http, join, records, scram, surroundings, target, wire
from headwater.http import HttpError


class Authorities(unittest.TestCase):
    def test_the_fingerprint_is_that_of_the_certificate(self):
        pem = "-----BEGIN CERTIFICATE-----\nAAEC\n-----END CERTIFICATE-----\n"
        expected = hashlib.sha256(b"\x00\x01\x02").hexdigest().upper()
        self.assertEqual(expected, join.fingerprint("text before\n" + pem).replace(":", ""))
        self.assertEqual(32, len(join.fingerprint(pem).split(":")))
        for odd in ("", "AAEC", "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----", "-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----"):
            self.assertIsNone(join.fingerprint(odd))

    def test_another_authority_than_last_time_is_said(self):
        self.assertEqual([], join._another_authority(None, "AA") + join._another_authority("AA", "AA") + join._another_authority("AA", None))
        self.assertIn("another certificate authority", join._another_authority("AA", "BB")[1])


class Records(unittest.TestCase):
    def test_crc32c_of_the_known_text(self):
        self.assertEqual(0xE3069283, records.crc32c(b"123456789"))

    def test_varints_come_back(self):
        for value in (0, 1, -1, 63, 64, -64, -65, 300, 2**31, -(2**31), 2**62):
            data = records.varint(value)
            self.assertEqual((value, len(data)), records.read_varint(data, 0))

    def test_a_batch_comes_back_and_a_cut_one_gives_nothing(self):
        data = records.batch(b"key", b"value" * 50, 1_700_000_000_000)
        self.assertEqual([(0, b"key", b"value" * 50)], records.records(data))
        self.assertEqual(struct.unpack_from(">I", data, 17)[0], records.crc32c(data[21:]))
        for cut in range(len(data)):
            self.assertEqual([], records.records(data[:cut]))


class Scram(unittest.TestCase):
    NONCE = "rOprNGfwEbeRWgbNEkqO"
    FIRST = b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"

    def begun(self):
        return scram.Scram("SCRAM-SHA-256", "user", "pencil", self.NONCE)

    def test_the_example_of_rfc_7677(self):
        client = self.begun()
        self.assertEqual(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO", client.first())
        proof = client.final(self.FIRST).split(b",p=")[1]
        self.assertEqual(b"dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", proof)
        client.check(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")

    def test_a_server_that_does_not_know_the_password_is_not_believed(self):
        for answer in (b"v=AAAA", b"v=", b"", b"e=other-error", b"v=!!"):
            client = self.begun()
            client.final(self.FIRST)
            with self.assertRaises(scram.ScramError):
                client.check(answer)

    def test_an_answer_that_is_not_as_it_has_to_be_is_refused(self):
        for answer in (b"", b"r=other,s=AAAA,i=4096", b"r=rOprNGfwEbeRWgbNEkqO,s=AAAA,i=4096", self.FIRST + b"000000", b"\xff", b"r=x,i=1"):
            with self.assertRaises(scram.ScramError):
                self.begun().final(answer)

    def test_a_comma_and_an_equals_sign_in_a_name_are_written_as_the_rfc_says(self):
        self.assertIn(b"n=a=2Cb=3Dc,", scram.Scram("SCRAM-SHA-512", "a,b=c", "x").first())


class Wire(unittest.TestCase):
    def test_text_of_another_machine_cannot_steer_the_terminal(self):
        self.assertEqual("a?[31mb?", wire.clean("a\x1b[31mb\n"))

    def test_an_answer_that_is_cut_off_or_boasts_is_an_error(self):
        for data in (b"", b"\0", b"\x7f\xff\xff\xff", b"\0\0\0\x02\0\x05ab"):
            with self.assertRaises(wire.WireError):
                wire.Reader(data).array(wire.Reader.string)


class Addresses(unittest.TestCase):
    def test_what_a_person_types_becomes_an_address(self):
        for given, found in (
            ("192.168.1.20:9092", ("192.168.1.20", 9092)),
            ("broker", ("broker", 9092)),
            ("[::1]:9093", ("::1", 9093)),
            ("SASL_SSL://broker:9094", ("broker", 9094)),
            ("a:1,b:2", ("a", 1)),
            ('"quoted:9092"', ("quoted", 9092)),
        ):
            self.assertEqual(found, target.split_address(given))
        for given in ("", "a b:9092", "host:port", "host:99999", "host:0"):
            with self.assertRaises(HttpError):
                target.split_address(given)

    def test_a_web_address_is_completed(self):
        for given, found in (
            ("192.168.1.20", "http://192.168.1.20:8080"),
            ("host:81", "http://host:81"),
            ("http://host/join?x=1", "http://host:80"),
            ("https://host", "https://host:443"),
        ):
            self.assertEqual(found, http.base_of(given))
        for given in ("ftp://x", "http://", "host:port"):
            with self.assertRaises(HttpError):
                http.base_of(given)


class Config(Case):
    def read(self, text, name="client.properties"):
        return clientconfig.read(self.file(text, name))

    def mistakes(self, text, name="client.properties", **known):
        return {found.cause: found.found for found in clientconfig.mistakes(self.read(text, name), known)}

    GOOD = (
        "bootstrap.servers=h:1\nsecurity.protocol=SASL_PLAINTEXT\nsasl.mechanisms=SCRAM-SHA-256\n"
        "sasl.username=quiet-otter\nsasl.password=pw\n"
    )

    def test_good_settings_have_no_mistake(self):
        self.assertEqual({}, self.mistakes(self.GOOD))
        self.assertEqual({}, self.mistakes("bootstrap.servers=h:1\ngroup.id=g\nauto.offset.reset=earliest"))

    def test_a_jaas_line_has_the_user_and_the_password_in_it(self):
        module = "org.apache.kafka.common.security.scram.ScramLoginModule"
        jaas = f'sasl.jaas.config={module} required \\\n  username="quiet-otter" password="a b";\n'
        found = self.read("bootstrap.servers=h:1\n" + jaas)
        self.assertEqual(("quiet-otter", "a b"), (found.get("sasl.username"), found.get("sasl.password")))

    def test_settings_are_found_in_programs_for_five_libraries(self):
        programs = {
            "confluent": 'SERVER = "h:1"\nC = {"bootstrap.servers": SERVER, "group.id": "g"}',
            "kafka_python": 'KafkaConsumer("t", bootstrap_servers=["h:1"], group_id="g", sasl_plain_username="u")',
            "aiokafka": 'AIOKafkaConsumer("t", bootstrap_servers="h:1", group_id="g")',
            "spark": 'x.option("kafka.bootstrap.servers", "h:1").option("subscribe", "t").option("kafka.group.id", "g")',
            "subscribed": 'c = Consumer({"bootstrap.servers": "h:1", "group.id": "g"})\nc.subscribe(["t"])',
        }
        for name, program in programs.items():
            found = self.read(program, f"{name}.py")
            self.assertEqual(("h:1", "g"), (found.get("bootstrap.servers"), found.get("group.id")), name)
        self.assertEqual("t", found.get("topic"))

    def test_settings_are_found_in_a_notebook(self):
        cells = [("markdown", "# hello"), ("code", ["%pip install x\n", "C = {'bootstrap.servers': 'h:1'}\n"])]
        text = json.dumps({"cells": [{"cell_type": kind, "source": source} for kind, source in cells]})
        self.assertEqual("h:1", self.read(text, "a.ipynb").get("bootstrap.servers"))
        with self.assertRaises(clientconfig.ConfigError):
            self.read("{}", "b.ipynb")

    def test_a_file_without_settings_is_told_so(self):
        for text, name in (("hello", "x.properties"), ("x = (", "x.py"), ("x = 1", "y.py")):
            with self.assertRaises(clientconfig.ConfigError):
                self.read(text, name)
        with self.assertRaises(clientconfig.ConfigError):
            clientconfig.read(str(self.home / "not-there"))

    def test_each_spelling_of_a_mechanism_is_understood(self):
        for given in ("SCRAM-SHA256", "scram-sha-256", "SCRAM_SHA_256", "ScramSha256"):
            found = self.mistakes(self.GOOD.replace("SCRAM-SHA-256", given))
            self.assertEqual("SCRAM-SHA-256", found["mechanism-spelling"]["mechanism"])
        self.assertEqual(
            "SCRAM-SHA-512", self.mistakes(self.GOOD.replace("SCRAM-SHA-256", "scram-sha512"))["mechanism-spelling"]["mechanism"]
        )

    def test_mistakes_in_the_login_are_named(self):
        for old, new, cause in (
            ("sasl.mechanisms=SCRAM-SHA-256\n", "", "mechanism-missing"),
            ("security.protocol=SASL_PLAINTEXT\n", "", "protocol-missing"),
            ("SASL_PLAINTEXT", "PLAINTEXT", "protocol-missing"),
            ("SASL_PLAINTEXT", "SASL-PLAIN-TEXT", "protocol-spelling"),
            ("sasl.password=pw\n", "", "no-credentials"),
            ("password=pw", 'password="pw"', "stray-characters"),
            ("password=pw", "password=pw ", "stray-characters"),
        ):
            self.assertIn(cause, self.mistakes(self.GOOD.replace(old, new)), new)
        self.assertEqual("SASL_SSL", self.mistakes(self.GOOD.replace("SASL_PLAINTEXT", "SSL"))["protocol-missing"]["protocol"])
        swapped = self.GOOD.replace("=quiet-otter", "=x").replace("=pw", "=quiet-otter")
        self.assertIn("swapped", self.mistakes(swapped, user="quiet-otter"))

    def test_a_group_that_reads_only_what_is_new_is_a_note(self):
        for text in ("", "auto.offset.reset=latest\n"):
            found = clientconfig.mistakes(self.read("bootstrap.servers=h:1\ngroup.id=g\n" + text), {})
            self.assertEqual(("reads-only-new", True), (found[0].cause, found[0].note))

    def test_code_for_an_old_kafka_python_is_named(self):
        for line in ("from kafka.vendor import six", "from kafka import SimpleProducer", "import kafka.vendor.six"):
            self.assertIn("old-kafka-python-code", self.mistakes(f'{line}\nx(bootstrap_servers="h:1")', "app.py"), line)
        self.assertEqual({}, self.mistakes('from kafka import KafkaConsumer, TopicPartition\nx(bootstrap_servers="h:1")', "app.py"))


class Choosing(Case):
    def choose(self, **given):
        words = dict.fromkeys(("address", "server", "config", "user", "password", "mechanism", "ca", "listener", "topic", "group"))
        return target.choose(argparse.Namespace(**{**words, "tls": False, **given}))

    def test_without_anything_it_says_to_join_first(self):
        with self.assertRaises(HttpError) as told:
            self.choose()
        self.assertIn("Join first", told.exception.fix)

    def test_flags_make_the_protocol(self):
        self.assertEqual("PLAINTEXT", self.choose(address="h:1").protocol)
        self.assertEqual("SSL", self.choose(address="h:1", tls=True).protocol)
        self.assertEqual("SASL_PLAINTEXT", self.choose(address="h:1", user="u", password="p").protocol)
        self.assertEqual("SASL_SSL", self.choose(address="h:1", user="u", password="p", ca="x.pem").protocol)

    def test_names_of_a_partner_are_those_of_the_team(self):
        found = self.choose(address="h:1", user="quiet-otter-2", password="p")
        self.assertEqual(("ws.quiet-otter.", "ws.quiet-otter.doctor"), (found.prefix, found.doctor_topic()))
        self.assertTrue(found.is_own("processed-social-feed.quiet-otter"))
        self.assertTrue(found.is_own_group("quiet-otter-1") and found.is_own_group("spark-kafka-source-1"))
        self.assertFalse(found.is_own("ws.other.x") or found.is_own_group("my-group"))
        self.assertEqual("headwater-doctor", self.choose(address="h:1").doctor_topic())


class Computer(unittest.TestCase):
    def test_which_pythons_have_a_ready_made_library(self):
        def fault(version=(3, 12), bits=64, system="linux", machine="x86_64", libc="glibc", free=False):
            return surroundings.wheel_fault(surroundings.Python(version, bits, system, machine, libc, free))

        self.assertIsNone(fault())
        self.assertIsNone(fault(system="win32", machine="amd64", libc=""))
        self.assertIsNone(fault(system="darwin", machine="arm64", libc=""))
        self.assertEqual("python-32-bit", fault(bits=32, system="win32", machine="x86", libc=""))
        for missing in (
            {"libc": "musl"},
            {"system": "win32", "machine": "arm64"},
            {"version": (3, 15)},
            {"version": (3, 8)},
            {"free": True},
        ):
            self.assertEqual("no-wheel", fault(**missing), missing)

    def test_this_computer_can_be_looked_at(self):
        found = surroundings.python()
        self.assertIn(found.bits, (32, 64))
        self.assertIn(f"{found.version[0]}.{found.version[1]}", str(found))

    def test_versions_of_java_old_and_new_are_read(self):
        for told, version in (('java version "1.8.0_402"', 8), ('openjdk version "17.0.9" 2023', 17), ('openjdk version "21" 2023', 21)):
            done = mock.Mock(stderr=told, stdout="")
            with (
                mock.patch.object(surroundings.shutil, "which", lambda *_, **__: "java"),
                mock.patch.object(surroundings.subprocess, "run", lambda *_, **__: done),
            ):
                self.assertEqual(version, surroundings.java()[0])
        with mock.patch.object(surroundings.shutil, "which", lambda *_, **__: None):
            self.assertIsNone(surroundings.java())

    def test_an_old_kafka_python_is_seen(self):
        for packages, found in (
            ({"kafka-python": "2.0.2"}, "kafka-python 2.0.2"),
            ({"kafka-python": "3.0.12"}, None),
            ({"kafka-python-ng": "2.2.3"}, "kafka-python-ng 2.2.3"),
            ({"kafka": "1.3.5"}, "kafka 1.3.5"),
            ({}, None),
        ):
            with mock.patch.object(surroundings, "installed", packages.get):
                self.assertEqual(found, surroundings.old_kafka_python())


class Words(unittest.TestCase):
    def test_a_table_leaves_out_what_is_not_known(self):
        self.assertEqual(["  id    a"], join.table([("id", "a"), ("name", None)]))
