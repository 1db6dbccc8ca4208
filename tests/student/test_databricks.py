"""The bridge's calls of the Files API, against a stand-in that fails as networks and workspaces do."""

import os
import socket
import time
from email.utils import formatdate
from unittest import mock

import certificates
from doubles import Port, TlsDoor, exactly, join_both
from files_api import FilesApi
from rig import Case
from test_bridge import TOPIC, Log

from headwater import bridge, databricks, landing
from headwater.databricks import host_of, volume_path
from headwater.http import HttpError

NAME = "p000-000000000000-000000000030.ndjson"


class Volumes(Case):
    def setUp(self):
        super().setUp()
        self.api = FilesApi()
        self.addCleanup(self.api.__exit__)
        self.pauses, self.told, self.log = [], [], Log()

    def volume(self, patience=None, token=None, path=None, host=None):
        return databricks.volume(
            path or self.api.volume, host or self.api.host, token or self.api.token, patience, self.told.append, self.pauses.append
        )

    def copy(self, *topics, **words):
        made = bridge.Bridge(self.log, self.volume(**words), topics or (TOPIC,), say=self.told.append)
        made.round()
        return made

    def lines(self, topic=TOPIC):
        files = [self.api.files[f"{self.api.volume}/landing/{topic}/{name}"] for name in self.api.names(topic)]
        return [landing.fingerprint(line)[0] for data in files for line in data.splitlines()]

    def refused(self, *told, **words):
        with self.assertRaises(HttpError) as caught:
            self.copy(**words)
        for text in told:
            self.assertIn(text, f"{caught.exception} {caught.exception.fix}")
        return caught.exception


class Copying(Volumes):
    def test_the_folder_is_made_and_the_next_start_goes_on(self):
        self.log.add(30)
        self.copy()
        self.assertEqual([NAME], self.api.names(TOPIC))
        self.assertIn(f"{self.api.volume}/landing/{TOPIC}", self.api.directories)
        self.log.add(5)
        self.copy()
        self.copy()
        self.assertEqual(list(range(35)), self.lines())
        self.assertEqual([], self.pauses)

    def test_a_listing_of_many_pages_is_read_to_its_end(self):
        for _ in range(3 * self.api.PAGE + 1):
            self.log.add(2)
            self.copy()
        asked = len(self.api.log)
        self.copy()
        pages = [path for method, path, *_ in self.api.log[asked:] if "directories" in path]
        self.assertEqual(4, len(pages))
        self.assertEqual(list(range(20)), self.lines())

    def test_what_fails_for_a_while_is_asked_again_with_longer_pauses(self):
        self.log.add(30)
        self.api.faults = [500, "dropped", 503, 502, None, None, 504]
        self.copy()
        self.assertEqual([NAME], self.api.names(TOPIC))
        self.assertEqual(5, len(self.pauses))
        for pause, about in zip(self.pauses, (1, 2, 4, 8, 1)):
            self.assertAlmostEqual(about, pause, delta=about / 4)
        self.assertIn("answered with 500: the same again in 1 s", self.told[0])

    def test_it_waits_as_long_as_it_is_told_to(self):
        self.log.add(30)
        date = formatdate(time.time() + 40, usegmt=True)
        self.api.faults = [(429, [("Retry-After", "17")]), (503, [("Retry-After", date)]), (429, [("Retry-After", "soon")]), 429]
        self.copy()
        self.assertEqual(17, self.pauses[0])
        self.assertAlmostEqual(40, self.pauses[1], delta=3)
        self.assertLess(self.pauses[2], 6)
        self.assertEqual([NAME], self.api.names(TOPIC))

    def test_an_upload_whose_answer_was_lost_is_sent_again_as_it_was(self):
        self.log.add(30)
        volume = self.volume()
        volume.names(TOPIC)
        # records that come in between do not change what is sent
        volume.api.pause = lambda seconds: self.log.add(3)
        self.api.faults = [None, "lost", "lost", "dropped"]
        made = bridge.Bridge(self.log, volume, (TOPIC,), say=self.told.append)
        made.round()
        self.assertEqual([f"{self.api.volume}/landing/{TOPIC}/{NAME}"] * 3, [path for path, _ in self.api.stored])
        self.assertEqual(1, len({data for _, data in self.api.stored}))
        made.round()
        self.assertEqual(list(range(39)), self.lines())

    def test_one_connection_is_used_for_many_requests(self):
        with mock.patch.object(databricks.FilesApi, "_connect", autospec=True, side_effect=databricks.FilesApi._connect) as connect:
            self.log.add(3)
            made = self.copy()
            for _ in range(5):
                self.log.add(3)
                made.round()
        self.assertEqual(1, connect.call_count)

    def test_a_reset_is_noticed_by_the_last_line_of_a_file(self):
        for ranges, length in ((True, 1), (True, 2 * landing.TAIL_BYTES), (False, 1)):
            self.api.files, self.api.ranges, self.log = {}, ranges, Log()
            self.log.add(5, text="x" * length)
            self.copy()
            self.log.add(1)
            self.copy()
            self.log = Log()
            self.log.add(20, text="y" * length)
            self.refused("was made anew", f"{self.api.volume}/landing/{TOPIC}")
            self.log.topics[TOPIC][0] = self.log.topics[TOPIC][0][:3]
            self.refused("was made anew")

    def test_latest_leaves_where_it_began(self):
        self.log.add(7)
        for added in (0, 4):
            self.log.add(added)
            bridge.Bridge(self.log, self.volume(), (TOPIC,), begin="latest").round()
        self.assertEqual(["_p000-000000000007.begin", "p000-000000000007-000000000011.ndjson"], self.api.names(TOPIC))


class Refusing(Volumes):
    def test_401_403_and_404_say_what_to_do(self):
        self.log.add(1)
        self.assertEqual(401, self.refused("does not accept the token", "Access tokens", "DATABRICKS_TOKEN", token="dapi-old").status)
        self.api.faults = [403]
        self.assertEqual(403, self.refused("refuses", "a fault of the test", "WRITE VOLUME", "USE CATALOG").status)
        self.api.faults = [None, None, 403]
        self.refused("refuses PUT /Volumes/workspace/ws_otter/ws")
        told = self.refused("There is no volume /Volumes/workspace/ws_otter/other", path="/Volumes/workspace/ws_otter/other")
        self.assertIn("CREATE VOLUME IF NOT EXISTS workspace.ws_otter.other", told.fix)
        self.assertEqual([], self.pauses)
        self.api.faults = []
        self.copy()

    def test_another_server_than_databricks_is_told(self):
        self.log.add(1)
        self.api.faults = [(302, [("Location", "/login")])]
        self.refused("is no workspace")
        self.api.faults = [400]
        self.refused("refuses GET")

    def test_a_page_of_a_hotel_is_not_taken_for_an_empty_folder(self):
        self.log.add(1)
        with mock.patch("files_api.Asked.directory", lambda asked, *_: asked.answer(200, body=b"<html>Welcome</html>")):
            self.refused("does not answer as Databricks does")

    def test_with_once_it_does_not_try_for_ever(self):
        self.log.add(1)
        self.api.faults = [503] * 100
        told = self.refused("again and again", "goes on", patience=0.5)
        self.assertEqual(0, told.status)
        self.assertLess(len(self.pauses), 2)

    def test_a_name_that_nobody_knows_is_told_at_once(self):
        self.log.add(1)
        unknown = mock.patch.object(socket, "create_connection", side_effect=socket.gaierror(-2, "Name or service not known"))
        with unknown:
            self.refused("is not known", "DATABRICKS_HOST", host="https://dbc-nowhere.cloud.databricks.com")
        self.assertEqual([], self.pauses)


class Proxy(Port):
    """Connects on, as a school's proxy does."""

    def __init__(self):
        self.asked = []
        super().__init__()

    def serve(self, connection):
        head = b""
        while b"\r\n\r\n" not in head:
            head += exactly(connection, 1)
        self.asked.append(head.split(b"\r\n")[0].decode())
        host, _, port = self.asked[-1].split(" ")[1].rpartition(":")
        with socket.create_connection((host, int(port))) as inner:
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            join_both(connection, inner)


class Encrypted(Volumes):
    def setUp(self):
        super().setUp()
        try:
            authority = certificates.Authority(self.home, "ours")
        except certificates.Missing as reason:
            if os.environ.get("CI"):
                raise
            self.skipTest(str(reason))
        door = TlsDoor(authority.certificate("workspace", "DNS:localhost"), self.api.server_address[1])
        self.addCleanup(door.__exit__)
        self.host = f"https://localhost:{door.port}"
        self.trusted = {"SSL_CERT_FILE": str(authority.pem), "https_proxy": "", "HTTPS_PROXY": "", "no_proxy": "", "NO_PROXY": ""}
        self.log.add(30)

    def test_over_https_and_through_a_proxy(self):
        with mock.patch.dict(os.environ, self.trusted):
            self.copy(host=self.host)
            self.assertEqual([NAME], self.api.names(TOPIC))
            self.log.add(5)
            with Proxy() as proxy, mock.patch.dict(os.environ, {"https_proxy": f"http://127.0.0.1:{proxy.port}"}):
                self.copy(host=self.host)
                self.assertEqual(
                    [f"CONNECT {self.host[len('https://') :]} HTTP/1.1"], [line.replace("HTTP/1.0", "HTTP/1.1") for line in proxy.asked]
                )
            self.assertEqual(list(range(35)), self.lines())

    def test_a_certificate_that_is_not_trusted_is_told_at_once(self):
        self.refused("not trusted", "SSL_CERT_FILE", host=self.host)
        self.assertEqual([], self.pauses)


class Words(Case):
    def test_volumes_as_they_are_copied(self):
        for given, path in (
            ("/Volumes/workspace/ws_me/ws", "/Volumes/workspace/ws_me/ws"),
            ("/Volumes/workspace/ws_me/ws/", "/Volumes/workspace/ws_me/ws"),
            ("dbfs:/Volumes/workspace/ws_me/ws/more", "/Volumes/workspace/ws_me/ws/more"),
            ("C:/Program Files/Git/Volumes/workspace/ws_me/ws", "/Volumes/workspace/ws_me/ws"),
            ("C:\\Users\\me\\lake", None),
            ("lake", None),
            ("/home/me/Volumes/x", None),
        ):
            self.assertEqual(path, volume_path(given), given)
        for given in ("/Volumes", "/Volumes/workspace/ws_me"):
            with self.assertRaisesRegex(HttpError, "is no volume"):
                volume_path(given)

    def test_hosts_as_they_are_copied(self):
        for given in ("https://dbc-1.cloud.databricks.com/?o=12#x", "dbc-1.cloud.databricks.com", " https://dbc-1.cloud.databricks.com/ "):
            self.assertEqual("https://dbc-1.cloud.databricks.com", host_of(given))
        for given, told in (
            (None, "is not known"),
            ("http://dbc-1.cloud.databricks.com", "not sent over http"),
            ("https://", "no address"),
        ):
            with self.assertRaisesRegex(HttpError, told):
                host_of(given)

    def test_a_token_is_asked_for(self):
        with mock.patch.dict("os.environ", {"DATABRICKS_TOKEN": ""}):
            with self.assertRaisesRegex(HttpError, "no token"):
                databricks.volume("/Volumes/a/b/c", "https://x", None, None, print, print)
            with self.assertRaisesRegex(HttpError, "letters"):
                databricks.volume("/Volumes/a/b/c", "https://x", "dapi\u2026", None, print, print)
