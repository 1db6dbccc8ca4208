"""Asks the admin calls of security everything that has an answer of its own, and prints the answers.

    admin_calls.py 127.0.0.1:9092 > ours.txt

The broker must let everybody do everything. `apache-kafka-4.3.1.txt` beside this file is what Apache Kafka answers.
"""

import sys

from protocol import Closed, Connection, Out

UNKNOWN, ANY, TOPIC, GROUP, CLUSTER, USER = 0, 1, 2, 3, 4, 7
MATCH, LITERAL, PREFIXED = 2, 3, 4
ALL, READ, WRITE, DESCRIBE, IDEMPOTENT = 2, 3, 4, 8, 12
DENY, ALLOW = 2, 3
EXACT, DEFAULT, SPECIFIED = 0, 1, 2
SHA256, SHA512 = 1, 2


class Session:
    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.where = (host, int(port))
        self.connection = Connection(*self.where)

    def ask(self, key, version, body):
        try:
            return self.connection.ask(key, version, body)
        except Closed:
            self.connection = Connection(*self.where)
            return None


def put_acl(out, acl):
    kind, name, pattern, principal, host, operation, permission = acl
    out.pack("b", kind).text(name).pack("b", pattern).text(principal).text(host).pack("bb", operation, permission)


def create(session, *acls):
    answer = session.ask(30, 1, Out().array(acls, put_acl))
    if answer is None:
        return "closed"
    answer.take("i")
    return answer.array(lambda a: (a.take("h"), a.text()))


def describe(session, kind=ANY, name=None, pattern=ANY, principal=None, host=None, operation=ANY, permission=ANY):
    out = Out()
    put_acl(out, (kind, name, pattern, principal, host, operation, permission))
    answer = session.ask(29, 1, out)
    if answer is None:
        return "closed"
    answer.take("i")
    error = (answer.take("h"), answer.text())

    def resource(a):
        kind, name, pattern = a.take("b"), a.text(), a.take("b")
        return (kind, name, pattern, sorted(a.array(lambda b: (b.text(), b.text(), *b.take("bb")))))

    return (*error, sorted(answer.array(resource)))


def delete(session, *filters):
    answer = session.ask(31, 1, Out().array(filters, put_acl))
    if answer is None:
        return "closed"
    answer.take("i")

    def matching(a):
        return (a.take("h"), a.text(), a.take("b"), a.text(), a.take("b"), a.text(), a.text(), *a.take("bb"))

    return answer.array(lambda a: (a.take("h"), a.text(), sorted(a.array(matching), key=str)))


def quotas(session, *components, strict=False):
    out = Out().array(components, lambda o, c: o.text(c[0]).pack("b", c[1]).text(c[2])).pack("?", strict)
    answer = session.ask(48, 0, out)
    if answer is None:
        return "closed"
    answer.take("i")
    error = (answer.take("h"), answer.text())
    pair = lambda a: (a.text(), a.text())
    found = answer.array(lambda a: (sorted(a.array(pair), key=str), sorted(a.array(lambda b: (b.text(), b.take("d"))))))
    return (*error, found and sorted(found, key=str))


def alter(session, *entries, validate=False):
    def put(out, entry):
        entity, ops = entry
        out.array(entity, lambda o, e: o.text(e[0]).text(e[1]))
        out.array(ops, lambda o, op: o.text(op[0]).pack("d?", 0.0 if op[1] is None else op[1], op[1] is None))

    answer = session.ask(49, 0, Out().array(entries, put).pack("?", validate))
    if answer is None:
        return "closed"
    answer.take("i")
    return sorted(answer.array(lambda a: (a.take("h"), a.text(), sorted(a.array(lambda b: (b.text(), b.text())), key=str))), key=str)


def users(session, *names, null=False):
    out = Out(True).array(None if null else names, lambda o, name: o.text(name).tags()).tags()
    answer = session.ask(50, 0, out)
    if answer is None:
        return "closed"
    answer.take("i")
    error = (answer.take("h"), answer.text())

    def info(a):
        found = a.take("bi")
        a.tags()
        return found

    def user(a):
        found = (a.text(), a.take("h"), a.text(), sorted(a.array(info)))
        a.tags()
        return found

    return (*error, sorted(answer.array(user), key=str))


def scram(session, deletions=(), upsertions=()):
    out = Out(True).array(deletions, lambda o, d: o.text(d[0]).pack("b", d[1]).tags())
    # Salted passwords of the right length.
    put = lambda o, u: o.text(u[0]).pack("bi", u[1], u[2]).blob(b"salt" * 4).blob(b"x" * (u[3] if len(u) > 3 else 32 * u[1])).tags()
    answer = session.ask(51, 0, out.array(upsertions, put).tags())
    if answer is None:
        return "closed"
    answer.take("i")

    def result(a):
        found = (a.text(), a.take("h"), a.text())
        a.tags()
        return found

    return sorted(answer.array(result), key=str)


def show(title, answer):
    print(f"{title}: {answer}")


def acls(session):
    good = (TOPIC, "orders", LITERAL, "User:ada", "*", READ, ALLOW)
    with_ = lambda **k: tuple(k.get(n, v) for n, v in zip("kind name pattern principal host operation permission".split(), good))
    show("create", create(session, good, with_(name="ws.otter.", pattern=PREFIXED, operation=ALL), with_(name="*", principal="User:*")))
    show("create the same again", create(session, good, good))
    show("none", create(session))
    for title, acl in [
        ("type ANY", with_(kind=ANY)), ("type UNKNOWN", with_(kind=UNKNOWN)), ("type 99", with_(kind=99)),
        ("pattern ANY", with_(pattern=ANY)), ("pattern MATCH", with_(pattern=MATCH)), ("pattern UNKNOWN", with_(pattern=UNKNOWN)),
        ("operation ANY", with_(operation=ANY)), ("operation UNKNOWN", with_(operation=UNKNOWN)), ("operation 99", with_(operation=99)),
        ("permission ANY", with_(permission=ANY)), ("permission UNKNOWN", with_(permission=UNKNOWN)),
        ("cluster of another name", with_(kind=CLUSTER, name="mine", operation=DESCRIBE)),
        ("cluster", with_(kind=CLUSTER, name="kafka-cluster", operation=IDEMPOTENT)),
        ("cluster by prefix", with_(kind=CLUSTER, name="kafka-cluster", pattern=PREFIXED, operation=DESCRIBE)),
        ("cluster as *", with_(kind=CLUSTER, name="*", operation=DESCRIBE)),
        ("an operation that topics do not have", with_(operation=IDEMPOTENT)),
        ("no name", with_(name="")), ("no principal", with_(principal="")), ("principal without a type", with_(principal="ada")),
        ("a type without principal", with_(principal="User:")), ("principal of a group", with_(principal="Group:class")),
        ("no host", with_(host="")), ("host that is a name", with_(host="laptop")), ("an address", with_(host="10.0.0.7")),
        ("deny", with_(permission=DENY, operation=WRITE)), ("group", with_(kind=GROUP, name="otter", pattern=PREFIXED)),
        ("user", with_(kind=USER, name="ada", operation=DESCRIBE)),
        ("a name that is no topic's", with_(name="a/b")), ("name with surrounding space", with_(name=" a ")),
    ]:
        show(title, create(session, acl))
    show("one good one bad", create(session, with_(name="b1"), with_(name="")))
    show("all", describe(session))
    show("by name", describe(session, TOPIC, "orders"))
    show("match", describe(session, TOPIC, "ws.otter.c02", MATCH))
    show("match any type", describe(session, ANY, "ws.otter.c02", MATCH))
    show("prefixed", describe(session, TOPIC, None, PREFIXED))
    show("literal *", describe(session, TOPIC, "*", LITERAL))
    show("by principal", describe(session, principal="User:*"))
    show("by host", describe(session, host="10.0.0.7"))
    show("by operation", describe(session, operation=ALL))
    show("by permission", describe(session, permission=DENY))
    show("none there", describe(session, principal="User:nobody"))
    show("a principal that is none", describe(session, principal="x"))
    for field in ("kind", "pattern", "operation", "permission"):
        show(f"describe {field} UNKNOWN", describe(session, **{field: UNKNOWN}))
        show(f"describe {field} 77", describe(session, **{field: 77}))
    anything = (ANY, None, ANY, None, None, ANY, ANY)
    show("delete unknown", delete(session, (UNKNOWN, None, ANY, None, None, ANY, ANY)))
    show("delete nothing", delete(session))
    show("delete by match", delete(session, (TOPIC, "ws.otter.c02", MATCH, None, None, ANY, ANY)))
    show("delete two ways at once", delete(session, (GROUP, None, ANY, None, None, ANY, ANY), (ANY, "otter", ANY, None, None, ANY, ANY)))
    show("delete the rest", delete(session, anything))
    show("delete again", delete(session, anything))
    show("left", describe(session))


def client_quotas(session):
    ada, app, anyone = [("user", "ada")], [("client-id", "app")], [("user", None)]
    both = ada + app
    rate = ("producer_byte_rate", 1048576.0)
    show("set", alter(session, (ada, [rate, ("request_percentage", 12.5)]), (app, [rate]), (anyone, [rate]), (both, [rate])))
    show("set for an address", alter(session, ([("ip", "10.0.0.7")], [("connection_creation_rate", 5.0)])))
    show("validate", alter(session, (ada, [("consumer_byte_rate", 5.0)]), validate=True))
    show("validate what is wrong", alter(session, (ada, [("no", 5.0)]), validate=True))
    for title, entity, op in [
        ("no entity", [], rate), ("unknown type", [("group", "x")], rate), ("empty name", [("user", "")], rate),
        ("type twice", ada + [("user", "bob")], rate), ("type twice the same", ada + ada, rate),
        ("ip and user", ada + [("ip", "10.0.0.7")], ("connection_creation_rate", 5.0)),
        ("ip that is none", [("ip", "no such host.")], ("connection_creation_rate", 5.0)),
        ("default ip", [("ip", None)], ("connection_creation_rate", 7.0)),
        ("ip with a rate", [("ip", "10.0.0.7")], rate), ("user with connection rate", ada, ("connection_creation_rate", 5.0)),
        ("unknown key", ada, ("speed", 1.0)), ("empty key", ada, ("", 1.0)), ("remove unknown key", ada, ("speed", None)),
        ("zero", ada, ("producer_byte_rate", 0.0)), ("negative", ada, ("producer_byte_rate", -1.0)),
        ("fraction of a byte", ada, ("producer_byte_rate", 1.5)), ("fraction of a percent", ada, ("request_percentage", 0.5)),
        ("nan", ada, ("producer_byte_rate", float("nan"))), ("infinite", ada, ("producer_byte_rate", float("inf"))),
        ("nan percent", ada, ("request_percentage", float("nan"))), ("infinite percent", ada, ("request_percentage", float("inf"))),
        ("huge", ada, ("producer_byte_rate", 1e19)), ("mutations", ada, ("controller_mutation_rate", 0.25)),
        ("fraction of a connection", [("ip", "10.0.0.7")], ("connection_creation_rate", 0.5)),
        ("huge connection rate", [("ip", "10.0.0.7")], ("connection_creation_rate", 1e10)),
        ("almost whole", ada, ("consumer_byte_rate", 5.0000000001)),
        ("remove what is not set", [("user", "nobody")], rate[:1] + (None,)),
    ]:
        show(title, alter(session, (entity, [op])))
    show("key twice", alter(session, ([("user", "twice")], [("consumer_byte_rate", 5.0), ("consumer_byte_rate", 6.0)])))
    show("set and remove", alter(session, ([("user", "twice")], [("consumer_byte_rate", 5.0), ("consumer_byte_rate", None)])))
    show("entity twice", alter(session, (ada, [rate]), (ada, [("consumer_byte_rate", 9.0)])))
    show("one good one bad op", alter(session, ([("user", "half")], [rate, ("speed", 1.0)])))
    show("no ops", alter(session, ([("user", "none")], [])))
    show("all", quotas(session))
    show("all strict", quotas(session, strict=True))
    for title, components in [
        ("exact", [("user", EXACT, "ada")]), ("default", [("user", DEFAULT, None)]), ("any user", [("user", SPECIFIED, None)]),
        ("both", [("user", EXACT, "ada"), ("client-id", SPECIFIED, None)]), ("ip", [("ip", SPECIFIED, None)]),
        ("ip exact", [("ip", EXACT, "10.0.0.7")]), ("none there", [("user", EXACT, "eve")]),
        ("exact null", [("user", EXACT, None)]), ("default with a name", [("user", DEFAULT, "ada")]),
        ("any with a name", [("user", SPECIFIED, "ada")]), ("match type 9", [("user", 9, None)]), ("empty type", [("", SPECIFIED, None)]),
        ("unknown type", [("group", SPECIFIED, None)]), ("type twice", [("user", EXACT, "ada"), ("user", SPECIFIED, None)]),
        ("ip with user", [("user", EXACT, "ada"), ("ip", SPECIFIED, None)]),
    ]:
        show(f"describe {title}", quotas(session, *components))
        show(f"describe {title} strict", quotas(session, *components, strict=True))
    named = [[("user", "ada")], [("client-id", "app")], [("user", None)], both, [("ip", "10.0.0.7")], [("ip", None)], [("user", "bob")]]
    keys = ["producer_byte_rate", "consumer_byte_rate", "request_percentage", "controller_mutation_rate"]
    for entity in named:
        of_entity = ["connection_creation_rate"] if entity[0][0] == "ip" else keys
        alter(session, (entity, [(key, None) for key in of_entity]))
    show("left", quotas(session))


def credentials(session):
    show("nobody", users(session))
    show("make", scram(session, upsertions=[("ada", SHA256, 4096), ("bob", SHA512, 8192), ("cy", SHA256, 16384)]))
    for title, deletions, upsertions in [
        ("nothing", [], []), ("too few", [], [("eve", SHA256, 4095)]), ("too many", [], [("eve", SHA256, 16385)]),
        ("mechanism 0", [], [("eve", 0, 4096, 32)]), ("mechanism 9", [], [("eve", 9, 4096, 32)]), ("no name", [], [("", SHA256, 4096)]),
        ("short password", [], [("short", SHA256, 4096, 5)]), ("empty password", [], [("empty", SHA256, 4096, 0)]),
        ("twice", [], [("eve", SHA256, 4096), ("eve", SHA256, 8192)]), ("two mechanisms", [], [("dan", SHA256, 4096), ("dan", SHA512, 4096)]),
        ("delete and make", [("ada", SHA256)], [("ada", SHA512, 4096)]), ("delete and make the same", [("ada", SHA256)], [("ada", SHA256, 4096)]),
        ("delete nobody", [("ghost", SHA256)], []), ("delete the other mechanism", [("bob", SHA256)], []),
        ("delete mechanism 0", [("bob", 0)], []), ("delete mechanism 9", [("bob", 9)], []), ("delete no name", [("", SHA256)], []),
        ("delete twice", [("bob", SHA512), ("bob", SHA512)], []), ("one good one bad", [], [("fay", SHA256, 4096), ("gil", SHA256, 1)]),
        ("delete nobody and make", [("ghost", SHA256)], [("hal", SHA256, 4096)]), ("a name with a comma", [], [("a,b=c", SHA256, 4096)]),
    ]:
        show(title, scram(session, deletions, upsertions))
    show("all", users(session))
    show("null", users(session, null=True))
    show("one", users(session, "bob"))
    show("none such", users(session, "ghost", "bob"))
    show("describe twice", users(session, "bob", "bob", "ghost", "ghost"))
    show("describe no name", users(session, ""))
    every = [(name, mechanism) for name, *_ in [("ada",), ("bob",), ("cy",), ("dan",), ("fay",), ("hal",), ("short",), ("empty",), ("a,b=c",)]
             for mechanism in (SHA256, SHA512)]
    for one in every:
        scram(session, [one])
    show("left", users(session))


def main():
    session = Session(sys.argv[1])
    for part in (acls, client_quotas, credentials):
        print(f"== {part.__name__}")
        part(session)


if __name__ == "__main__":
    main()
