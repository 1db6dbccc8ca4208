#!/bin/bash
# Real clients against one address, for capture.py. Each client id names the client.
# Needs: kcat; PY3 = python with confluent-kafka and kafka-python 3; PY2 = python with kafka-python 2.0.2 and aiokafka 0.14;
# KJS = a folder with kafkajs 2.2.4 in node_modules; JARS = a folder with Apache Kafka's jars and slf4j-simple.
A=$1; T=golden-clients-$$; here=$(cd "$(dirname "$0")" && pwd)
tool() { timeout 60 java -Xmx256m -Dorg.slf4j.simpleLogger.defaultLogLevel=error -cp "$JARS/*" "$@"; }
echo 'client.id=java-admin' >/tmp/$T.admin; echo 'client.id=java-consumer' >/tmp/$T.consumer; echo 'client.id=java-producer' >/tmp/$T.producer
P=org.apache.kafka.tools
tool $P.TopicCommand --bootstrap-server $A --command-config /tmp/$T.admin --create --topic $T --partitions 2 --replication-factor 1
seq 1 20 | tool $P.ConsoleProducer --bootstrap-server $A --topic $T --command-config /tmp/$T.producer
tool $P.consumer.ConsoleConsumer --bootstrap-server $A --topic $T --group $T-java --from-beginning --max-messages 20 --timeout-ms 15000 --command-config /tmp/$T.consumer >/dev/null
tool $P.consumer.ConsoleConsumer --bootstrap-server $A --topic $T --group $T-848 --from-beginning --max-messages 20 --timeout-ms 15000 --command-config /tmp/$T.consumer --command-property group.protocol=consumer >/dev/null
tool $P.TopicCommand --bootstrap-server $A --command-config /tmp/$T.admin --describe --topic $T >/dev/null
tool kafka.admin.ConfigCommand --bootstrap-server $A --command-config /tmp/$T.admin --alter --entity-type topics --entity-name $T --add-config retention.ms=600000
tool kafka.admin.ConfigCommand --bootstrap-server $A --command-config /tmp/$T.admin --describe --entity-type topics --entity-name $T >/dev/null
tool $P.consumer.group.ConsumerGroupCommand --bootstrap-server $A --command-config /tmp/$T.admin --describe --group $T-java >/dev/null
tool $P.consumer.group.ConsumerGroupCommand --bootstrap-server $A --command-config /tmp/$T.admin --delete --group $T-java
tool $P.GetOffsetShell --bootstrap-server $A --command-config /tmp/$T.admin --topic $T >/dev/null
tool $P.LogDirsCommand --bootstrap-server $A --command-config /tmp/$T.admin --describe --topic-list $T >/dev/null
for codec in none gzip snappy lz4 zstd; do seq 1 5 | kcat -b $A -X client.id=kcat -P -t $T -z $codec; done
seq 1 5 | kcat -b $A -X client.id=kcat/idempotent -X enable.idempotence=true -P -t $T
kcat -b $A -X client.id=kcat -C -t $T -o beginning -e -q >/dev/null
kcat -b $A -X client.id=kcat -L -t $T >/dev/null
kcat -b $A -X client.id=kcat -Q -t $T:0:-1 >/dev/null
timeout 8 kcat -b $A -X client.id=kcat -G $T-kcat -c 20 -X auto.offset.reset=earliest $T >/dev/null 2>&1
timeout 60 "$PY3" "$here/clients_py.py" confluent $A $T
timeout 60 "$PY3" "$here/clients_py.py" kafka-python/3.0.12 $A $T
timeout 60 "$PY2" "$here/clients_py.py" kafka-python/2.0.2 $A $T
timeout 60 "$PY2" "$here/clients_py.py" aiokafka $A $T
cp "$here/clients.mjs" "$KJS/golden-clients.mjs" && (cd "$KJS" && timeout 60 node golden-clients.mjs $A $T)
tool $P.TopicCommand --bootstrap-server $A --command-config /tmp/$T.admin --delete --topic $T
rm -f /tmp/$T.*
