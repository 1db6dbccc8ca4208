"""Each kind of mistake in the documentation is found."""

import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import blocks
import commands
import links
import places
import syntax
from environments import Missing
from page import outcome

PAGE = Path("docs/a-page.md")
FENCE = "```"


def block(info, text="x\n"):
    (found,) = blocks.found(PAGE, f"{FENCE}{info}\n{text}{FENCE}\n")
    return found


class Marks(unittest.TestCase):
    def test_every_mark_is_read_with_what_follows_it(self):
        found = block('python executed with=broker until="two words" within=5')
        self.assertEqual(("python", "executed", ""), (found.language, found.mark, found.fault))
        self.assertEqual({"with": "broker", "until": "two words", "within": "5"}, found.named)
        self.assertEqual("", block("json checked file=.vscode/launch.json").fault)
        self.assertEqual("", block("sh unverified 2026-11-28").fault)

    def test_a_block_without_a_mark_is_refused(self):
        for info in ("", "sh", "rust src/generators/parking.rs", "sh executed with=nobody", "sh executed when=now", "sh checked with=broker",
                     "sh executed with=", "sh unverified", "sh unverified soon", "sh unverified 2026-13-01", "sh executed within=soon", 'sh executed until="x'):  # fmt: skip
            self.assertTrue(block(info).fault, info)
            self.assertTrue(outcome(block(info), None).startswith("FAIL"), info)

    def test_a_fence_that_is_left_open_is_refused(self):
        (found,) = blocks.found(PAGE, f"{FENCE}sh checked\nls\n")
        self.assertIn("not closed", found.fault)

    def test_an_indented_block_is_refused_and_a_list_is_none(self):
        (found,) = blocks.found(PAGE, "Type\n\n    make run\n\n    make test\n\nand wait.\n")
        self.assertEqual((3, True), (found.line, "indented" in found.fault))
        self.assertEqual([], blocks.found(PAGE, "1. one\n\n    more of one\n   - two\n\n      more of two\n\nA line\n    that goes on\n"))

    def test_a_block_in_a_list_loses_the_margin_of_its_fence(self):
        (found,) = blocks.found(PAGE, f"1. one\n\n   {FENCE}python checked\n   if x:\n       y()\n   {FENCE}\n")
        self.assertEqual(("if x:\n    y()\n", 3), (found.text, found.line))

    def test_a_block_within_a_longer_fence_is_text(self):
        (found,) = blocks.found(PAGE, f"`{FENCE}text unverified 2026-11-28\n{FENCE}sh\nls\n{FENCE}\n`{FENCE}\n")
        self.assertEqual("", found.fault)
        self.assertIn("ls", found.text)


class Syntax(unittest.TestCase):
    def check(self, language, right, wrong):
        self.assertIsNone(syntax.check(block(f"{language} checked", right)), right)
        self.assertTrue(syntax.check(block(f"{language} checked", wrong)), wrong)

    def test_each_language_has_a_mistake_that_is_found(self):
        self.check("python", "if x:\n    y()\n", "if x\n    y()\n")
        self.check("json", '{"a": [1]}\n', '{"a": [1,]}\n')
        self.check("json", '{"a": 1}\n{"a": 2}\n', '{"a": 1}\n{"a" 2}\n')
        self.check("toml", 'seed = 5\n[broker]\n"log.retention.hours" = 2\n', "seed = \n")
        self.check("ini", "[Service]\nUser=ada\nUser=eve\n", "User=ada\n")
        self.check("xml", "<a><b/></a>\n", "<a><b></a>\n")
        self.check("properties", "# of all\nsasl.mechanism=PLAIN\nempty=\n", "sasl.mechanism PLAIN\n")
        self.check("properties", "sasl.username=ada\n", 'sasl.username="ada"\n')
        self.check("dotenv", "KAFKA_USER=ada\n", "KAFKA_USER: ada\n")
        self.check("sh", "for a in b; do ls; done\n", "for a in b; do ls\n")
        self.check("bash", "ls -l\n", "ls 'x\n")

    def test_yaml_where_there_is_a_parser(self):
        try:
            self.check("yaml", "a:\n  - b\n", "a: [b\n")
        except Missing as reason:
            # A page with such a block fails in CI; without one nobody needs the parser.
            self.skipTest(str(reason))

    def test_a_language_that_nothing_reads_cannot_be_checked(self):
        for language in ("text", "powershell"):
            self.assertIn("nothing here can read", syntax.check(block(f"{language} checked")))


class Commands(unittest.TestCase):
    def right(self, line):
        self.assertIsNone(commands.wrong(line), line)

    def wrong(self, line, why):
        self.assertIn(why, commands.wrong(line) or "", line)

    def test_options_of_the_broker(self):
        self.right("headwater serve --classroom --data-dir /data && ls\nHEADWATER_SEED=5 target/release/headwater --dirt 0")
        self.right("headwater --listener 'A=PLAINTEXT://127.0.0.1:0' \\\n  --set num.partitions=1 # --no-such\nheadwater incident list --http HOST:1")
        self.right("headwater incident flash-sale --target books --minutes 10\nheadwater log verify data | head")
        self.wrong("headwater serve --clasroom", "no option --clasroom")
        self.wrong("headwater --no-such", "no option --no-such")
        self.wrong("sudo headwater incident flash-sale --hours 1", "no option --hours")
        self.wrong("headwater log verify data --topic t", "no option --topic")
        self.wrong("x=$(ls); headwater severe", "no command severe")
        self.wrong("docker run -p 1:2 -v a:/data IMAGE serve --clasroom", "no option --clasroom")
        self.right("docker run -p 1:2 -v headwater:/data IMAGE serve --classroom\ndocker run other --clasroom")

    def test_words_of_the_students_tool(self):
        self.right("python3 headwater.pyz join CODE && python headwater.pyz settings kcat > first.sh\npy -3.12 headwater.pyz doctor HOST:PORT --tls")
        self.wrong("python3 headwater.pyz joyn CODE", "joyn")
        self.wrong("python3 headwater.pyz settings kat", "kat")
        self.wrong("python3 headwater.pyz bridge --topic t --to x --often 3", "--often")

    def test_targets_and_scripts_of_this_repository(self):
        self.right("make clients\nmake bench QUICK=1\npython3 tests/clients/run.py --bootstrap HOST:PORT")
        self.wrong("make client", "no client")
        self.wrong("python3 tests/client/run.py", "there is no")


# One folder for all tests that run something; the brokers of main() are not needed.
FOLDER = []


class Executed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        FOLDER.append(places.Folder(places.Brokers(commands.Program.binary, sys.executable), sys.executable))

    @classmethod
    def tearDownClass(cls):
        FOLDER.pop().close()

    def told(self, info, text):
        return outcome(block(info, text), lambda: FOLDER[0])

    def test_a_block_that_fails_fails(self):
        self.assertEqual("ok", self.told("sh executed", "test -x $(command -v headwater)\n"))
        self.assertIn("ended with 1", self.told("sh executed", "false\ntrue\n"))
        self.assertIn("--lisen", self.told("sh executed", "headwater --lisen 127.0.0.1:9092\n"))
        self.assertIn("NameError", self.told("python executed", "print(x)\n"))

    def test_ports_that_a_block_names_stay_the_same_within_it(self):
        text = "a=127.0.0.1:9292 b=127.0.0.1:9292 c=127.0.0.1:8280\ntest $a = $b && test $a != $c && test $a != 127.0.0.1:0\n"
        self.assertEqual("ok", self.told("sh executed ports=free", text))
        self.assertIn("ended with 1", self.told("sh executed", text))

    def test_a_language_that_nothing_runs_cannot_be_executed(self):
        self.assertIn("nothing here can run", self.told("powershell executed", "ls\n"))

    def test_what_has_to_be_printed_is_looked_for(self):
        self.assertEqual("ok", self.told("sh executed prints=otter", "echo quiet-otter\n"))
        self.assertIn("did not print 'otter'", self.told("sh executed prints=otter", "echo heron\n"))

    def test_what_goes_on_is_ended_and_what_never_ends_fails(self):
        loop = "import time\nprint('here', flush=True)\nwhile True:\n    time.sleep(0.1)\n"
        self.assertEqual("ok", self.told("python executed until=here", loop))
        self.assertIn("did not end within 1 s", self.told("python executed within=1", loop))
        self.assertIn("did not print 'there' within 1 s", self.told("python executed until=there within=1", loop))
        self.assertIn("ended with 0 before it printed 'there'", self.told("sh executed until=there", "echo here\n"))
        deaf = "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nprint('here', flush=True)\ntime.sleep(60)\n"
        with mock.patch.object(places, "STOP_LIMIT", 1):
            self.assertIn("did not end after Ctrl+C", self.told("python executed until=here", deaf))

    def test_blocks_of_a_page_share_a_folder(self):
        self.assertEqual("ok", self.told("python executed file=first.py", "print('of the file')\n"))
        self.assertEqual("ok", self.told("json checked file=there/a.json", "{}\n"))
        self.assertEqual("ok", self.told('sh executed prints="of the file"', "cat there/a.json && python3 first.py\n"))

    def test_a_server_of_a_page_listens_to_this_machine_alone(self):
        self.assertEqual("ok", self.told('python executed prints="127.0.0.1:0 127.0.0.1:0"', "print('0.0.0.0:443 127.0.0.1:9092')\n"))

    def test_a_block_that_another_test_takes_is_named_there(self):
        self.assertEqual("ok", outcome(block("rust executed by=tests/fifth_stream.rs")._replace(page=Path("docs/fifth-stream.md")), None))
        self.assertIn("does not name", outcome(block("rust executed by=tests/fifth_stream.rs"), None))
        self.assertIn("there is no", outcome(block("rust executed by=tests/sixth.rs"), None))


class Links(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        (self.folder / "one.md").write_text('# One\n\n## What `it` is, and [why](two.md)\n\n<a id="there"></a>\n')

    def wrong(self, text):
        page = self.folder / "two.md"
        page.write_text(text)
        return list(links.wrong(page, text))

    def test_a_link_that_leads_nowhere_is_found(self):
        self.assertEqual([], self.wrong("# Two\n[a](one.md) [b](one.md#what-it-is-and-why) [c](one.md#there) [d](#two) [e](https://x/y) `[f](g.md)`\n"))
        self.assertIn("leads nowhere", self.wrong("[a](three.md)\n")[0])
        self.assertIn("no heading", self.wrong("[a](one.md#who)\n")[0])
        self.assertIn("no heading", self.wrong("[a](#who)\n")[0])

    def test_a_page_that_the_index_forgets_is_found(self):
        index = self.folder / "README.md"
        index.write_text("[One](one.md)\n")
        (self.folder / "two.md").write_text("# Two\n")
        self.assertEqual(["two.md"], links.forgotten(index, sorted(self.folder.glob("*.md"))))
