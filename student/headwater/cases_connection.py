"""From the name of the broker to the login and one's own topics and groups."""

from __future__ import annotations

from headwater.case import Case, Cause

DOCTOR = "{hw} doctor {address}"

CONNECTION = (
    Case(
        "no-connection",
        "The broker cannot be reached",
        (
            "Local: Broker transport failure",
            "_TRANSPORT",
            "_ALL_BROKERS_DOWN",
            "Local: Host resolution failure",
            "_RESOLVE",
            "1/1 brokers are down",
            "Connect to ipv4#... failed: Connection refused (after 0ms in state CONNECT)",
            "Failed to resolve '...': Name or service not known",
            "NoBrokersAvailable",
            "KafkaConnectionError: Unable to bootstrap from",
            "KafkaTimeoutError: Unable to bootstrap from",
            "KafkaConnectionError: 111 ECONNREFUSED",
            "KafkaConnectionError: DNS Resolution failure",
            "_BAD_MSG",
            "Receive failed: Invalid response size 1213486160 (0..100000000): increase receive.message.max.bytes",
            "Connection to node -1 (...) could not be established. Node may not be available.",
            "No resolvable bootstrap urls given in bootstrap.servers",
        ),
        (
            Cause(
                "name-unknown",
                "No computer is known by the name {host}. It is misspelt, or it is known in another network only (VPN on or off, guest"
                " Wi-Fi).",
                "Compare {host} letter by letter with the address on the board. Leave the VPN. If it is right, use the IP address instead.",
                "nslookup {host}",
                "name",
            ),
            Cause(
                "refused",
                "The computer {host} is there, but nothing listens on port {port}: a wrong port, the wrong computer, or a broker that"
                " is not running.",
                "Use {should}. If that is what you have, ask whether the broker runs.",
                DOCTOR,
                "TCP",
            ),
            Cause(
                "no-answer",
                "{host} does not answer at all: a wrong IP address, another network (VPN, guest Wi-Fi that keeps its guests apart), or"
                " a firewall.",
                "Join the Wi-Fi that the instructor named and leave the VPN. If others in the room are in, compare the address;"
                " if nobody is, the network keeps its guests apart: ask for a hotspot or the public address.",
                DOCTOR,
                "TCP",
            ),
            Cause(
                "silent-port",
                "{address} takes the connection and says nothing: another program, or a proxy or VPN that accepts everything.",
                "Use {should}. Leave the VPN and try again.",
                DOCTOR,
                "Kafka",
            ),
            Cause(
                "http-port",
                "{address} is a web server. bootstrap.servers needs the Kafka port, not the one of the web page.",
                "bootstrap.servers={should}",
                DOCTOR,
                "Kafka",
            ),
            Cause(
                "not-kafka",
                "{address} answers, but not as a Kafka broker does.",
                "bootstrap.servers={should}",
                DOCTOR,
                "Kafka",
            ),
            Cause(
                "sign-in-page",
                "Something else than Headwater answers at {url}: the sign-in page of a guest Wi-Fi, or another program.",
                "Open {url} in a browser, sign in to the Wi-Fi if it asks, then try again.",
                "curl -i {url}/api/server",
                "HTTP",
            ),
            Cause(
                "no-page",
                "The web page of the broker at {url} cannot be reached. Kafka itself may work all the same.",
                "Open {url} in a browser. If it is wrong, give the right one: --server http://HOST:8080",
                "curl -i {url}/api/server",
                "HTTP",
            ),
        ),
    ),
    Case(
        "advertised-address",
        "The first connection works, then another address is tried in vain",
        (
            "Failed to resolve 'broker:9092'",
            "/1: Connection setup timed out in state CONNECT",
            "Connect to ipv4#127.0.0.1:9092 failed: Connection refused (after 0ms in state CONNECT)",
            "Connection to node 1 (localhost/127.0.0.1:9092) could not be established",
            "TimeoutException: Timed out waiting for a node assignment",
            "TimeoutException: Topic ... not present in metadata after 60000 ms",
            "KafkaTimeoutError: Failed to update metadata after 60.0 secs.",
            "Local: Message timed out",
        ),
        (
            Cause(
                "advertised-localhost",
                "A Kafka client uses your address only to ask where the broker is, then goes to the address in the answer. This"
                " broker answers {advertised}, which is your own computer.",
                "The instructor sets the address: on the instructor's page, or headwater serve --advertise {host}:{port}",
                DOCTOR,
                "advertised",
            ),
            Cause(
                "advertised-unknown",
                "A Kafka client goes to the address that the broker names. This one names {advertised}, and that name is not known here"
                " (often the name of a container).",
                "The instructor sets the address: on the instructor's page, or headwater serve --advertise {host}:{port}",
                DOCTOR,
                "advertised",
            ),
            Cause(
                "advertised-dead",
                "A Kafka client goes to the address that the broker names. This one names {advertised}, and there is no way there from"
                " here.",
                "The instructor sets the address: on the instructor's page, or headwater serve --advertise {host}:{port}",
                DOCTOR,
                "advertised",
            ),
        ),
    ),
    Case(
        "localhost-elsewhere",
        "localhost in WSL, a container or a notebook in the cloud",
        ("Connect to ipv4#127.0.0.1:9092 failed: Connection refused", "localhost:9092/bootstrap: Connect to ipv6#[::1]:9092 failed"),
        (
            Cause(
                "localhost-elsewhere",
                "This Python runs in {box}. There, {host} is that box itself, not the computer with the broker.",
                "Use the broker's LAN address, or from a container host.docker.internal:{port}",
                "{hw} doctor host.docker.internal:{port}",
                "TCP",
            ),
        ),
    ),
    Case(
        "firewall",
        "A firewall keeps the Kafka port closed",
        (
            "Connection setup timed out in state CONNECT",
            "Disconnected while requesting ApiVersion",
            "Connection to node -1 terminated during authentication",
        ),
        (
            Cause(
                "port-blocked",
                "The web page of {host} can be reached, port {port} cannot: a firewall is between, often the one on the"
                " instructor's computer or one that lets only web ports through.",
                "Instructor on Windows, as administrator: netsh advfirewall firewall add rule name=Headwater dir=in action=allow"
                " protocol=TCP localport={port}. Or open another listener on port 443 and use that.",
                "Windows: Test-NetConnection {host} -Port {port}; elsewhere: nc -vz {host} {port}",
                "TCP",
            ),
        ),
    ),
    Case(
        "login-failed",
        "The broker does not let you in",
        (
            "SASL authentication error",
            "_AUTHENTICATION",
            "Local: Authentication failure",
            "mechanism handshake failed: Broker: Unsupported SASL mechanism",
            "failed authentication due to: Authentication failed",
            "SaslAuthenticationException: Authentication failed",
            "SaslAuthenticationFailedError",
            "UnsupportedSaslMechanismException",
            "AuthenticationFailedError",
            "Unsupported SASL mechanism: SCRAM-SHA256",
            "[Error 58] SaslAuthenticationFailed",
            "SaslHandshake failed: UnsupportedSaslMechanismError",
            "sasl_mechanism are supported at the moment",
            "No provider for SASL mechanism GSSAPI: recompile librdkafka with libsasl2 or openssl support",
        ),
        (
            Cause(
                "wrong-password",
                "The broker does not know this user with this password.",
                "{hw} settings confluent-kafka shows the pair that is known here. If you joined in the browser, or made a new password"
                " there: {hw} login {user}. If it is lost: {hw} new-password",
                "{hw} whoami",
                "SASL",
            ),
            Cause(
                "swapped",
                "User and password are in each other's place: the other way round the broker lets you in.",
                "sasl.username={user} and the password in sasl.password",
                "{hw} whoami",
                "SASL",
            ),
            Cause(
                "stray-characters",
                "A value ({given}) begins or ends with a blank or a quotation mark, which is then part of it.",
                "Take it away. In a .properties file values stand without quotation marks.",
                "{hw} doctor --config {file}",
                "SASL",
            ),
            Cause(
                "mechanism-spelling",
                "sasl.mechanism={given} names no mechanism. The names are PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512, in capitals and with"
                " every hyphen.",
                "sasl.mechanism={mechanism}",
                "{hw} doctor --config {file}",
                "settings",
            ),
            Cause(
                "mechanism-missing",
                "No mechanism is named, so the client library takes its own default: GSSAPI in most, which is something else.",
                "sasl.mechanism={mechanism}",
                "{hw} doctor --config {file}",
                "settings",
            ),
            Cause(
                "mechanism-not-offered",
                "This port does not take the mechanism {given}. It offers {offered}. (PLAIN sends the password readable, so it is"
                " offered over TLS only.)",
                "sasl.mechanism={mechanism}",
                "{hw} doctor {address} --user {user} --mechanism {mechanism}",
                "SASL",
            ),
            Cause(
                "no-credentials",
                "A login is asked for, and something is missing for it ({given}).",
                "sasl.username={user} and sasl.password=... ({hw} settings confluent-kafka shows both)",
                "{hw} whoami",
                "settings",
            ),
            Cause(
                "server-unproven",
                "The broker took the login but could not prove that it knows your password: it may be another computer that only says so.",
                "Do not go on. Tell the instructor which address you use.",
                "{hw} doctor {address}",
                "SASL",
            ),
        ),
    ),
    Case(
        "wrong-protocol",
        "Client and port do not speak the same protocol",
        (
            "Disconnected: verify that security.protocol is correctly configured, broker might require SASL authentication",
            "Disconnected while requesting ApiVersion: might be caused by incorrect security.protocol configuration",
            "Disconnected: connection closed by peer: receive 0 after POLLIN (after 0ms in state UP)",
            "KafkaConnectionError: socket disconnected",
            "Bootstrap broker ... disconnected",
            "Connection ... closed by peer (endless)",
            "Unexpected handshake request with client mechanism SCRAM-SHA-256, enabled mechanisms are []",
            "SSL handshake failed: ... wrong version number",
            "SSL connection closed by peer: connecting to a PLAINTEXT broker listener?",
            "EOF occurred in violation of protocol",
            "Connection to node -1 (...) terminated during authentication. This may happen due to any of the following reasons",
            "packet length too long",
            "record layer failure",
            "InvalidReceiveError: Invalid frame length: 352518912",
            "mechanism handshake failed: Broker: Request not valid in current SASL state: broker's supported mechanisms:",
            "SASL Handshake not supported by broker (required by mechanism SCRAM-SHA-256)",
            "IncompatibleBrokerVersion: Kafka broker does not support the 'SaslHandshakeRequest' Kafka protocol.",
            "[Error 34] IllegalSaslStateError",
            "InvalidReceiveException: Invalid receive (size = 369295616)",
            "OutOfMemoryError: Java heap space (plaintext client on a TLS port)",
        ),
        (
            Cause(
                "no-login",
                "This port wants a login, and your settings have none. The broker hangs up, the client tries again, without end.",
                "security.protocol={protocol}, sasl.mechanism={mechanism}, sasl.username, sasl.password: {hw} settings confluent-kafka"
                " shows all of it",
                "{hw} doctor {address} --user {user}",
                "SASL",
                {"protocol": "SASL_PLAINTEXT (SASL_SSL with TLS)"},
            ),
            Cause(
                "protocol-missing",
                "A user and a password are there, but the protocol is one without login ({given}).",
                "security.protocol={protocol}",
                "{hw} doctor --config {file}",
                "settings",
                {"protocol": "SASL_PLAINTEXT (SASL_SSL with TLS)"},
            ),
            Cause(
                "protocol-spelling",
                "security.protocol={given} is no protocol. There are PLAINTEXT, SASL_PLAINTEXT, SSL and SASL_SSL.",
                "security.protocol={protocol}",
                "{hw} doctor --config {file}",
                "settings",
            ),
            Cause(
                "login-not-wanted",
                "This port is without login, and your settings log in.",
                "security.protocol={protocol}, and take the sasl lines away",
                "{hw} doctor {address}",
                "SASL",
                {"protocol": "PLAINTEXT (SSL with TLS)"},
            ),
            Cause(
                "tls-wanted",
                "This port speaks TLS, and your settings do not.",
                "security.protocol={protocol}",
                "{hw} doctor {address} --tls",
                "Kafka",
                {"protocol": "SASL_SSL (SSL where no login is wanted)"},
            ),
            Cause(
                "tls-not-wanted",
                "This port does not speak TLS, and your settings do.",
                "security.protocol={protocol}",
                "{hw} doctor {address}",
                "TLS",
                {"protocol": "SASL_PLAINTEXT (PLAINTEXT where no login is wanted)"},
            ),
        ),
    ),
    Case(
        "certificate",
        "The certificate is not trusted",
        (
            "SSL handshake failed: ... certificate verify failed",
            "broker certificate could not be verified, verify that ssl.ca.location is correctly configured",
            "unable to get local issuer certificate",
            "self-signed certificate in certificate chain",
            "CERTIFICATE_VERIFY_FAILED",
            "PKIX path building failed: unable to find valid certification path to requested target",
            "ssl.ca.location failed: error:05880020:x509 certificate routines::BIO lib",
            "ssl.ca.location failed: No such file or directory",
            "certificate has expired",
        ),
        (
            Cause(
                "private-ca",
                "The certificate was signed by the workshop's own authority, which your computer does not know.",
                "Get the authority's file, curl -o ca.pem {url}/ca.pem, and set ssl.ca.location=ca.pem (Java and Spark:"
                " ssl.truststore.type=PEM, ssl.truststore.location=ca.pem)",
                "{hw} doctor {address} --tls --ca ca.pem",
                "TLS",
            ),
            Cause(
                "wrong-ca",
                "{ca} is a certificate authority, but not the one that signed this broker's certificate. It may be from an earlier class.",
                "Get it again: curl -o ca.pem {url}/ca.pem, and set ssl.ca.location=ca.pem",
                "{hw} doctor {address} --tls --ca ca.pem",
                "TLS",
            ),
            Cause(
                "ca-unreadable",
                "{ca} cannot be used: {given}.",
                "Get it again: curl -o ca.pem {url}/ca.pem, and give its full path. A .jks file is for Java only.",
                "{hw} doctor {address} --tls --ca ca.pem",
                "TLS",
            ),
            Cause(
                "expired",
                "The broker's certificate has run out, or does not hold yet, and your clock is right.",
                "Tell the instructor: the broker needs a new certificate.",
                "openssl s_client -connect {address} </dev/null | openssl x509 -noout -dates",
                "TLS",
            ),
            Cause(
                "tls-failed",
                "The encrypted connection could not be agreed on: {given}.",
                "Update your Python (it brings the TLS library), then try again; show the instructor this line if it stays.",
                "openssl s_client -connect {address}",
                "TLS",
            ),
        ),
    ),
    Case(
        "host-name",
        "The certificate is for another name",
        (
            "Hostname mismatch, certificate is not valid for",
            "IP address mismatch, certificate is not valid for",
            "No subject alternative names matching IP address ... found",
            "No subject alternative DNS name matching ... found",
            "SSL routines:tls_post_process_server_certificate:certificate verify failed (hostname)",
        ),
        (
            Cause(
                "wrong-name",
                "You call the broker {host}; its certificate holds for {names}.",
                "bootstrap.servers={should}",
                "{hw} doctor {should} --tls",
                "TLS",
                {"should": "NAME:PORT"},
            ),
        ),
    ),
    Case(
        "clock",
        "Your clock is wrong",
        (
            "certificate is not yet valid",
            "CertificateNotYetValidException",
            "CertificateExpiredException (and the certificate is fine)",
            "InvalidTimestampException: Timestamp is out of range",
            "all events are late / windows stay empty",
        ),
        (
            Cause(
                "clock",
                "The clock of this computer differs from the broker's: yours is {seconds}. Certificates seem not to hold, events seem"
                " late.",
                "Switch on setting the time automatically. Windows: w32tm /resync; macOS: sudo sntp -sS time.apple.com; Linux and WSL:"
                " sudo hwclock -s or timedatectl set-ntp true",
                "curl -sI {url} (compare the line Date with your clock, in UTC)",
                "clock",
            ),
        ),
    ),
    Case(
        "no-messages",
        "Connected, and no message comes",
        ("consumer prints nothing", "Reached end of partition", "_PARTITION_EOF", "auto.offset.reset", "0 messages, no error"),
        (
            Cause(
                "reads-only-new",
                "With auto.offset.reset=latest, which is the default, a group that reads for the first time starts at the end and sees"
                " only what comes after.",
                "auto.offset.reset=earliest, and a group id that was not used before",
                "{hw} doctor --config {file}",
                "settings",
            ),
            Cause(
                "group-at-end",
                "The group {group} has read {topic} to the end already. A group goes on where it stopped, whatever auto.offset.reset says.",
                "Take a new group id, for example {group}-2, with auto.offset.reset=earliest",
                "{hw} doctor --config {file} --topic {topic}",
                "group",
            ),
        ),
    ),
    Case(
        "idle-member",
        "A second consumer gets nothing, or both get half",
        (
            "second consumer in the same group receives nothing",
            "assigned 0 partitions",
            "half of the messages are missing",
            "GROUP_AUTHORIZATION_FAILED",
            "GroupAuthorizationException: Not authorized to access group",
            "FindCoordinator response error: Group authorization failed.",
            "[Error 30] GroupAuthorizationFailedError",
        ),
        (
            Cause(
                "shared-group",
                "Other consumers are in the group {group}. Members of one group share the partitions: each sees a part, and one"
                " member more than there are partitions gets nothing.",
                "If you want all messages in each program, give each its own group id. If you share on purpose, this is how it has to be.",
                "{hw} doctor --config {file}",
                "group",
            ),
            Cause(
                "foreign-group",
                "The group {group} is not yours: your groups begin with {group_prefix}.",
                "group.id={group_prefix}-1",
                "{hw} whoami",
                "group",
            ),
        ),
    ),
    Case(
        "unknown-topic",
        "The topic is not there, or not yours",
        (
            "Unknown topic or partition",
            "UNKNOWN_TOPIC_OR_PART",
            "UnknownTopicOrPartitionException: This server does not host this topic-partition",
            "Subscribed topic not available",
            "TOPIC_AUTHORIZATION_FAILED",
            "TopicAuthorizationException: Not authorized to access topics",
            "Broker: Topic authorization failed",
            "[Error 29] TopicAuthorizationFailedError",
            "Topic authorization failed for topics",
        ),
        (
            Cause(
                "topic-misspelt",
                "There is no topic {topic}. One of a similar name is {like}.",
                "Use {like}",
                DOCTOR,
                "fetch",
            ),
            Cause(
                "topic-not-there",
                "There is no topic {topic}, or you may not see it.",
                "Create it, or write to it once: that makes it. In a classroom its name has to begin with {prefix}",
                DOCTOR,
                "fetch",
            ),
            Cause(
                "topic-not-yours",
                "You may write only to topics of your own, and their names begin with {prefix} (this one is {topic})",
                "Use {prefix}results or another name that begins like this (challenge 9: processed-social-feed.{group_prefix}).",
                "{hw} whoami",
                "produce",
            ),
            Cause(
                "not-written",
                "The broker took the connection but did not take a record: {given}.",
                "Show the instructor this line.",
                "{hw} doctor {address}",
                "produce",
            ),
            Cause(
                "not-read",
                "What was written did not come back: {given}.",
                "Show the instructor this line.",
                "{hw} doctor {address}",
                "fetch",
            ),
        ),
    ),
)
