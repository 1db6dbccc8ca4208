"""Security's admin calls and quotas, asked by real clients.

    run.py --binary target/release/headwater     against a broker of our own
    run.py --record 127.0.0.1:9092               writes down what Apache Kafka answers, which is what ours is held against

Apache Kafka has to run with an authorizer: authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer and
super.users=User:ANONYMOUS. What ours answers differently on purpose is in DIFFERENT, with the reason.
"""

import argparse
import contextlib
import io
import os
import re
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import admin_calls  # noqa: E402
import environments  # noqa: E402
import tools  # noqa: E402
from broker import OwnBroker  # noqa: E402
from table import CLIENTS  # noqa: E402

CALLS, TOOLS = HERE / "apache-kafka-4.3.1.txt", HERE / "apache-kafka-4.3.1-tools.txt"
NO_SUCH_PRINCIPAL = "nobody can be such a principal"
NO_NUMBER = "a limit that is no number is none"
DIFFERENT = {
    "type ANY": "an invalid request, and no internal error", "pattern ANY": "the same", "pattern MATCH": "the same",
    "operation ANY": "the same", "permission ANY": "the same",
    "no principal": NO_SUCH_PRINCIPAL, "principal without a type": NO_SUCH_PRINCIPAL, "a type without principal": NO_SUCH_PRINCIPAL,
    "principal of a group": NO_SUCH_PRINCIPAL, "all": "follows from the others", "by name": "follows from the others",
    "delete the rest": "follows from the others", "type twice": "two names for one part mean nothing",
    "type twice the same": "two names for one part mean nothing", "ip and user": "the words", "ip that is none": "no names are resolved",
    "nan": NO_NUMBER, "nan percent": NO_NUMBER, "infinite percent": NO_NUMBER, "key twice": "the words", "set and remove": "the words",
    "entity twice": "each of the two is answered", "describe exact": "follows from the others",
    "describe exact strict": "follows from the others", "describe any user": "follows from the others",
    "describe any user strict": "follows from the others",
    "short password": "no password derives to it", "empty password": "no password derives to it", "null": "follows from the others",
}
RATE = 1024 * 1024
SECONDS = 10
TOLERANCE = 0.15


def answers(address):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        sys.argv = ["admin_calls.py", address]
        admin_calls.main()
    return out.getvalue()


def check_calls(address):
    ours, theirs = answers(address).splitlines(), CALLS.read_text().splitlines()
    titles = [line.split(": ", 1)[0] for line in theirs]
    assert titles == [line.split(": ", 1)[0] for line in ours], "other questions than those written down"
    wrong = [f"{a}\n  ours: {b}" for a, b, title in zip(theirs, ours, titles) if a != b and title not in DIFFERENT]
    assert not wrong, "\n".join(wrong)
    return f"{len(ours)} answers, {sum(a != b for a, b in zip(theirs, ours))} different on purpose"


def check_tools(address):
    if tools.missing():
        return skip(tools.missing())
    ours, theirs = tools.transcript(address), TOOLS.read_text()
    assert ours == theirs, "\n".join(f"{a}\n  ours: {b}" for a, b in zip(theirs.splitlines(), ours.splitlines()) if a != b)
    return f"{ours.count('$ ')} commands, the same output"


def skip(reason):
    assert not os.environ.get("CI"), reason
    return f"skipped: {reason}"


def check_confluent(address):
    try:
        from confluent_kafka import KafkaException
        from confluent_kafka import admin as ka
    except ImportError:
        return skip("confluent-kafka is not installed")
    admin = ka.AdminClient({"bootstrap.servers": address})
    topic = lambda name, pattern: (ka.ResourceType.TOPIC, name, pattern)
    acl = ka.AclBinding(*topic("ws.otter.", ka.ResourcePatternType.PREFIXED), "User:otter", "*", ka.AclOperation.ALL,
                        ka.AclPermissionType.ALLOW)
    [made.result(20) for made in admin.create_acls([acl]).values()]
    found = ka.AclBindingFilter(*topic("ws.otter.c02", ka.ResourcePatternType.MATCH), None, None, ka.AclOperation.ANY,
                                ka.AclPermissionType.ANY)
    assert admin.describe_acls(found).result(20) == [acl]
    assert [gone.result(20) for gone in admin.delete_acls([found]).values()] == [[acl]]
    assert admin.describe_acls(found).result(20) == []
    mechanism = ka.ScramMechanism.SCRAM_SHA_512
    put = ka.UserScramCredentialUpsertion("otter", ka.ScramCredentialInfo(mechanism, 8192), b"hunter22")
    assert [done.result(20) for done in admin.alter_user_scram_credentials([put]).values()] == [None]
    described = admin.describe_user_scram_credentials(["otter"])["otter"].result(20)
    assert [(info.mechanism, info.iterations) for info in described.scram_credential_infos] == [(mechanism, 8192)]
    delete = lambda: admin.alter_user_scram_credentials([ka.UserScramCredentialDeletion("otter", mechanism)])["otter"].result(20)
    delete()
    try:
        delete()
    except KafkaException as error:
        assert error.args[0].name() == "RESOURCE_NOT_FOUND", error
    else:
        raise AssertionError("deleted twice")
    return "ACLs and SCRAM users made, found and deleted"


def check_quota(address):
    try:
        import confluent_kafka as ck
        from confluent_kafka import admin as ka
    except ImportError:
        return skip("confluent-kafka is not installed")
    session = admin_calls.Session(address)
    limited = [("client-id", "limited")]
    admin = ka.AdminClient({"bootstrap.servers": address})
    admin.create_topics([ka.NewTopic("quota", 1, 1)])["quota"].result(20)
    assert admin_calls.alter(session, (limited, [("producer_byte_rate", float(RATE))])) == [(0, None, limited)]
    sent, throttles = [], []
    producer = ck.Producer({"bootstrap.servers": address, "client.id": "limited", "compression.type": "none", "linger.ms": 5,
                            "queue.buffering.max.kbytes": 4096, "batch.size": 65536, "throttle_cb": lambda event: throttles.append(event.throttle_time)})
    value = os.urandom(16 * 1024)

    def delivered(error, _message):
        if error is not None and error.code() in (ck.KafkaError._PURGE_INFLIGHT, ck.KafkaError._PURGE_QUEUE):
            return
        assert error is None, error
        sent.append(time.monotonic())

    def run(seconds):
        begun = time.monotonic()
        while time.monotonic() < begun + seconds:
            try:
                producer.produce("quota", value, on_delivery=delivered)
                producer.poll(0)
            except BufferError:
                producer.poll(0.02)
        return begun

    # What ten seconds bring may be sent at once; a throttled answer says that it was.
    begun = time.monotonic()
    while not throttles and time.monotonic() < begun + 30:
        run(0.1)
    assert throttles, "the client was never told"
    burst = len(sent) * len(value)
    run(2)
    begun = run(SECONDS)
    rate = sum(at >= begun for at in sent) * len(value) / (time.monotonic() - begun)
    admin_calls.alter(session, (limited, [("producer_byte_rate", None)]))
    producer.purge()
    producer.flush(5)
    text = f"{rate / RATE:.3f} MiB/s for {SECONDS} s under a quota of 1 MiB/s, {burst / RATE:.1f} MiB before it; {len(throttles)} answers told the client"
    assert abs(rate / RATE - 1) <= TOLERANCE, text
    return text


def with_confluent():
    """Goes on in the environment that has confluent-kafka, which is installed if it is not there."""
    tested = next(client for client in CLIENTS if client.name == "confluent-2.16.1")
    command = environments.prepare([tested], tested)[tested.name]
    if isinstance(command, environments.Missing):
        return
    if Path(sys.executable) != Path(command[0]):
        os.execv(command[0], [command[0], *sys.argv])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--binary", help="the headwater binary to start")
    where.add_argument("--record", metavar="HOST:PORT", help="an Apache Kafka to write down the answers of")
    where.add_argument("--quota", metavar="HOST:PORT", help="only the quota check, against a broker that already runs")
    arguments = parser.parse_args()
    with_confluent()
    if arguments.quota:
        print(check_quota(arguments.quota))
        return 0
    if arguments.record:
        CALLS.write_text(answers(arguments.record))
        TOOLS.write_text(tools.transcript(arguments.record))
        return 0
    broker, passed, failed, skipped = OwnBroker(arguments.binary), 0, 0, 0
    try:
        for check in (check_calls, check_tools, check_confluent, check_quota):
            name = re.sub("check_", "", check.__name__)
            try:
                said = check(broker.address)
                print(f"{name}: {said}", flush=True)
                left_out = str(said).startswith("skipped")
                passed, skipped = passed + (not left_out), skipped + left_out
            except AssertionError as error:
                failed += 1
                print(f"FAIL {name}: {error}", flush=True)
    finally:
        broker.close(keep=bool(failed))
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
