// Sends every request of Headwater's request table, in every version, to a Kafka, encoded by franz-go's kmsg.
// The capturing proxy in between keeps the bytes; see ../capture.py. Client ids say what an exchange shows.
package main

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

var (
	addr    string
	corr    int32
	run     = fmt.Sprint(time.Now().Unix() % 100000)
	failed  int
	topicID = map[string][16]byte{}
)

func check(err error, what string) {
	if err != nil {
		fmt.Fprintln(os.Stderr, what+":", err)
		os.Exit(1)
	}
}

// ask sends one request on a connection of its own. text is the request as JSON by kmsg's field names;
// $R is the run, $V the version, and topic ids follow from the "Topic" beside them.
func ask(label string, key, version int16, text string, args ...string) kmsg.Response {
	text = strings.NewReplacer(append([]string{"$R", run, "$V", fmt.Sprint(version)}, args...)...).Replace(text)
	req := kmsg.RequestForKey(key)
	check(json.Unmarshal([]byte(text), req), fmt.Sprint(label, " ", key, " ", text))
	req.SetVersion(version)
	corr++
	frame := kmsg.NewRequestFormatter(kmsg.FormatterClientID(label)).AppendRequest(nil, req, corr)
	nc, err := net.Dial("tcp", addr)
	check(err, "dial")
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(20 * time.Second))
	_, err = nc.Write(frame)
	check(err, "write")
	if p, ok := req.(*kmsg.ProduceRequest); ok && p.Acks == 0 {
		time.Sleep(100 * time.Millisecond)
		return nil
	}
	size := make([]byte, 4)
	if _, err := io.ReadFull(nc, size); err != nil {
		failed++
		fmt.Println("no answer:", label, "key", key, "version", version, err)
		return req.ResponseKind()
	}
	body := make([]byte, binary.BigEndian.Uint32(size))
	_, err = io.ReadFull(nc, body)
	check(err, "read")
	resp := req.ResponseKind()
	resp.SetVersion(version)
	skip := 4
	if resp.IsFlexible() && key != 18 {
		skip = 5
	}
	if err := resp.ReadFrom(body[skip:]); err != nil {
		failed++
		fmt.Println("undecodable answer:", label, "key", key, "version", version, err)
	}
	return resp
}

func each(key, from, to int16, text string, args ...string) {
	for v := from; v <= to; v++ {
		ask("kmsg", key, v, text, args...)
	}
}

// batch is one plain record batch, in base64 for JSON.
func batch(pid int64, epoch int16, sequence int32, values ...string) string {
	var records []byte
	for i, value := range values {
		body := binary.AppendVarint([]byte{0}, int64(i))
		body = binary.AppendVarint(body, int64(i))
		body = binary.AppendVarint(body, 1)
		body = append(body, 'k')
		body = binary.AppendVarint(body, int64(len(value)))
		body = append(append(body, value...), 0)
		records = append(binary.AppendVarint(records, int64(len(body))), body...)
	}
	now := time.Now().UnixMilli()
	b := kmsg.RecordBatch{PartitionLeaderEpoch: -1, Magic: 2, LastOffsetDelta: int32(len(values) - 1), FirstTimestamp: now, MaxTimestamp: now + int64(len(values)) - 1,
		ProducerID: pid, ProducerEpoch: epoch, FirstSequence: sequence, NumRecords: int32(len(values)), Records: records}
	if pid >= 0 && strings.HasPrefix(values[0], "tx") {
		b.Attributes = 1 << 4
	}
	raw := b.AppendTo(nil)
	binary.BigEndian.PutUint32(raw[8:], uint32(len(raw)-12))
	binary.BigEndian.PutUint32(raw[17:], crc32.Checksum(raw[21:], crc32.MakeTable(crc32.Castagnoli)))
	return base64.StdEncoding.EncodeToString(raw)
}

func idJSON(topic string) string {
	id := topicID[topic]
	out, _ := json.Marshal(id[:])
	var raw []byte
	json.Unmarshal(out, &raw)
	parts := make([]string, 16)
	for i, b := range raw {
		parts[i] = fmt.Sprint(b)
	}
	return "[" + strings.Join(parts, ",") + "]"
}

func main() {
	addr = os.Args[1]
	each(18, 0, 4, `{"ClientSoftwareName":"golden","ClientSoftwareVersion":"1.0"}`)
	topics()
	produceAndFetch()
	transactions()
	groups()
	consumerGroups()
	admin()
	security()
	each(20, 1, 5, `{"TimeoutMillis":5000,"TopicNames":["golden-$R-create-$V","golden-$R-none"]}`)
	each(20, 6, 6, `{"TimeoutMillis":5000,"Topics":[{"Topic":"golden-$R-create-$V"},{"TopicID":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]}]}`)
	ask("kmsg/cleanup", 20, 5, `{"TimeoutMillis":5000,"TopicNames":["golden-$R-a","golden-$R-b","golden-$R-create-7"]}`)
	fmt.Println("done,", failed, "failed")
}

func topics() {
	each(19, 2, 7, `{"TimeoutMillis":5000,"Topics":[{"Topic":"golden-$R-create-$V","NumPartitions":2,"ReplicationFactor":1,"Configs":[{"Name":"retention.ms","Value":"60000"}]},
		{"Topic":"golden-$R-assigned-$V","NumPartitions":-1,"ReplicationFactor":-1,"ReplicaAssignment":[{"Partition":0,"Replicas":[1]},{"Partition":1,"Replicas":[1]}]}],"ValidateOnly":false}`)
	for v := 2; v <= 7; v++ {
		ask("kmsg/cleanup", 20, 5, `{"TimeoutMillis":5000,"TopicNames":["golden-$R-assigned-`+fmt.Sprint(v)+`"]}`)
	}
	ask("kmsg/setup", 19, 7, `{"TimeoutMillis":5000,"Topics":[{"Topic":"golden-$R-a","NumPartitions":2,"ReplicationFactor":1},{"Topic":"golden-$R-b","NumPartitions":1,"ReplicationFactor":1}]}`)
	time.Sleep(time.Second)
	each(3, 0, 9, `{"Topics":[{"Topic":"golden-$R-a"},{"Topic":"golden-$R-none"}],"IncludeTopicAuthorizedOperations":true}`)
	each(3, 10, 13, `{"Topics":[{"Topic":"golden-$R-a"},{"Topic":"golden-$R-b"}],"IncludeTopicAuthorizedOperations":true}`)
	resp := ask("kmsg/setup", 3, 12, `{"Topics":[{"Topic":"golden-$R-a"},{"Topic":"golden-$R-b"}]}`).(*kmsg.MetadataResponse)
	for _, t := range resp.Topics {
		topicID[*t.Topic] = t.TopicID
	}
	for v := int16(12); v <= 13; v++ {
		ask("kmsg/by-id", 3, v, `{"Topics":[{"TopicID":$ID},{"TopicID":[9,9,9,9,9,9,9,9,9,9,9,9,9,9,9,9]}]}`, "$ID", idJSON("golden-"+run+"-a"))
		ask("kmsg/none", 3, v, `{"Topics":[]}`)
	}
}

const produceText = `{"Acks":$A,"TimeoutMillis":1000,"Topics":[{"Topic":"golden-$R-a","Partitions":[{"Partition":0,"Records":"$B"},{"Partition":9,"Records":"$B"}]}]}`

func produceAndFetch() {
	for v := int16(3); v <= 12; v++ {
		ask("kmsg", 0, v, produceText, "$A", "-1", "$B", batch(-1, -1, -1, "one", "two", fmt.Sprint("v", v)))
		ask("kmsg/no-acks", 0, v, strings.Replace(produceText, `,{"Partition":9,"Records":"$B"}`, "", 1), "$A", "0", "$B", batch(-1, -1, -1, "silent"))
		bad := strings.Replace(batch(-1, -1, -1, "corrupt"), "AAAA", "AAAA", 1)
		ask("kmsg/corrupt", 0, v, produceText, "$A", "1", "$B", bad[:len(bad)-4]+"AAAA")
	}
	for v := int16(4); v <= 17; v++ {
		fetch("kmsg", v, `{"ReplicaID":-1,"ReplicaState":{"ID":-1,"Epoch":-1},"MaxWaitMillis":100,"MinBytes":1,"MaxBytes":900,"SessionID":0,"SessionEpoch":-1,"Rack":"rack","Topics":[
			{"Topic":"golden-$R-a","TopicID":$IDA,"Partitions":[{"Partition":0,"CurrentLeaderEpoch":-1,"LastFetchedEpoch":-1,"LogStartOffset":-1,"HighWatermark":9223372036854775807,"PartitionMaxBytes":300},{"Partition":1,"CurrentLeaderEpoch":0,"LastFetchedEpoch":-1,"LogStartOffset":-1,"HighWatermark":9223372036854775807,"PartitionMaxBytes":300}]},
			{"Topic":"golden-$R-b","TopicID":$IDB,"Partitions":[{"Partition":0,"CurrentLeaderEpoch":-1,"FetchOffset":77,"LastFetchedEpoch":-1,"LogStartOffset":-1,"HighWatermark":9223372036854775807,"PartitionMaxBytes":300},{"Partition":5,"CurrentLeaderEpoch":-1,"LastFetchedEpoch":-1,"LogStartOffset":-1,"HighWatermark":9223372036854775807,"PartitionMaxBytes":300}]}]}`)
		if v >= 7 {
			fetch("kmsg/session", v, `{"ReplicaID":-1,"ReplicaState":{"ID":-1,"Epoch":-1},"MaxWaitMillis":100,"MinBytes":1,"MaxBytes":900,"SessionID":0,"SessionEpoch":0,"Topics":[{"Topic":"golden-$R-b","TopicID":$IDB,"Partitions":[{"Partition":0,"CurrentLeaderEpoch":-1,"LastFetchedEpoch":-1,"LogStartOffset":-1,"HighWatermark":9223372036854775807,"PartitionMaxBytes":300}]}]}`)
			fetch("kmsg/forgotten", v, `{"ReplicaID":-1,"ReplicaState":{"ID":-1,"Epoch":-1},"MaxWaitMillis":1,"MinBytes":1,"MaxBytes":900,"SessionID":99,"SessionEpoch":3,"Topics":[],"ForgottenTopics":[{"Topic":"golden-$R-b","TopicID":$IDB,"Partitions":[0,1]}]}`)
		}
		if v >= 12 {
			fetch("kmsg/diverging", v, `{"ClusterID":"4L6g3nShT-eMCtK--X86sw","ReplicaID":-1,"ReplicaState":{"ID":-1,"Epoch":-1},"MaxWaitMillis":1,"MinBytes":1,"MaxBytes":900,"SessionEpoch":-1,"Topics":[{"Topic":"golden-$R-a","TopicID":$IDA,"Partitions":[{"Partition":0,"CurrentLeaderEpoch":-1,"FetchOffset":100000,"LastFetchedEpoch":0,"LogStartOffset":-1,"HighWatermark":9223372036854775807,"PartitionMaxBytes":300}]}]}`)
			state, directory := `{"ID":-1,"Epoch":-1}`, ""
			if v >= 15 {
				state = `{"ID":1,"Epoch":1}`
			}
			if v >= 17 {
				directory = `,"ReplicaDirectoryID":[1,0,0,0,0,0,0,0,0,0,0,0,0,0,0,7]`
			}
			fetch("kmsg/not-leader", v, `{"ReplicaID":1,"ReplicaState":`+state+`,"MaxWaitMillis":1,"MinBytes":1,"MaxBytes":900,"SessionEpoch":-1,"Topics":[{"Topic":"golden-$R-a","TopicID":$IDA,"Partitions":[{"Partition":0,"CurrentLeaderEpoch":-1,"FetchOffset":0,"LastFetchedEpoch":-1,"LogStartOffset":-1,"HighWatermark":9223372036854775807,"PartitionMaxBytes":300`+directory+`}]}]}`)
		}
	}
	each(2, 1, 10, `{"ReplicaID":-1,"TimeoutMillis":1000,"Topics":[{"Topic":"golden-$R-a","Partitions":[{"Partition":0,"CurrentLeaderEpoch":-1,"Timestamp":-1,"MaxNumOffsets":1},{"Partition":1,"CurrentLeaderEpoch":-1,"Timestamp":-2,"MaxNumOffsets":1},{"Partition":7,"CurrentLeaderEpoch":-1,"Timestamp":1000}]}]}`)
	each(23, 2, 4, `{"ReplicaID":-1,"Topics":[{"Topic":"golden-$R-a","Partitions":[{"Partition":0,"CurrentLeaderEpoch":-1,"LeaderEpoch":0},{"Partition":8,"CurrentLeaderEpoch":0,"LeaderEpoch":3}]}]}`)
	each(61, 0, 0, `{"Topics":[{"Topic":"golden-$R-a","Partitions":[0,1,9]}]}`)
	each(22, 0, 5, `{"TransactionTimeoutMillis":-1,"ProducerID":-1,"ProducerEpoch":-1}`)
	each(21, 0, 2, `{"TimeoutMillis":1000,"Topics":[{"Topic":"golden-$R-a","Partitions":[{"Partition":0,"Offset":2},{"Partition":9,"Offset":2}]}]}`)
}

func fetch(label string, v int16, text string) kmsg.Response {
	return ask(label, 1, v, text, "$IDA", idJSON("golden-"+run+"-a"), "$IDB", idJSON("golden-"+run+"-b"))
}

func transactions() {
	id := "golden-" + run + "-tx"
	begin := func(v int16) (string, string) {
		for {
			r := ask("kmsg/tx", 22, v, `{"TransactionalID":"$ID","TransactionTimeoutMillis":60000,"ProducerID":-1,"ProducerEpoch":-1}`, "$ID", id).(*kmsg.InitProducerIDResponse)
			if r.ErrorCode == 0 {
				return fmt.Sprint(r.ProducerID), fmt.Sprint(r.ProducerEpoch)
			}
			time.Sleep(200 * time.Millisecond)
		}
	}
	for v := int16(0); v <= 5; v++ {
		begin(v)
	}
	for v := int16(0); v <= 4; v++ {
		pid, epoch := begin(4)
		args := []string{"$ID", id, "$P", pid, "$E", epoch}
		if v <= 3 {
			ask("kmsg", 24, v, `{"TransactionalID":"$ID","ProducerID":$P,"ProducerEpoch":$E,"Topics":[{"Topic":"golden-$R-b","Partitions":[0]}]}`, args...)
		} else {
			ask("kmsg/setup", 24, 3, `{"TransactionalID":"$ID","ProducerID":$P,"ProducerEpoch":$E,"Topics":[{"Topic":"golden-$R-b","Partitions":[0]}]}`, args...)
		}
		ask("kmsg", 25, v, `{"TransactionalID":"$ID","ProducerID":$P,"ProducerEpoch":$E,"Group":"golden-$R-txg"}`, args...)
		var p int64
		var e int16
		fmt.Sscan(pid, &p)
		fmt.Sscan(epoch, &e)
		ask("kmsg/tx", 0, 9, `{"TransactionID":"$ID","Acks":-1,"TimeoutMillis":1000,"Topics":[{"Topic":"golden-$R-b","Partitions":[{"Partition":0,"Records":"$B"}]}]}`, "$ID", id, "$B", batch(p, e, 0, "tx one", "tx two"))
		ask("kmsg", 28, v, `{"TransactionalID":"$ID","Group":"golden-$R-txg","ProducerID":$P,"ProducerEpoch":$E,"Generation":-1,"Topics":[{"Topic":"golden-$R-b","Partitions":[{"Partition":0,"Offset":1,"LeaderEpoch":-1,"Metadata":"m"}]}]}`, args...)
		each(65, 0, 0, `{"TransactionalIDs":["$ID","golden-none"]}`, args...)
		ask("kmsg", 26, v, `{"TransactionalID":"$ID","ProducerID":$P,"ProducerEpoch":$E,"Commit":$C}`, append(args, "$C", fmt.Sprint(v == 0))...)
		time.Sleep(300 * time.Millisecond)
	}
	for v := int16(4); v <= 17; v++ {
		fetch("kmsg/aborted", v, `{"ReplicaID":-1,"ReplicaState":{"ID":-1,"Epoch":-1},"MaxWaitMillis":100,"MinBytes":1,"MaxBytes":2000,"IsolationLevel":1,"SessionID":0,"SessionEpoch":-1,"Topics":[{"Topic":"golden-$R-b","TopicID":$IDB,"Partitions":[{"Partition":0,"CurrentLeaderEpoch":-1,"LastFetchedEpoch":-1,"LogStartOffset":-1,"HighWatermark":9223372036854775807,"PartitionMaxBytes":2000}]}]}`)
	}
	each(66, 0, 1, `{"StateFilters":["Ongoing","CompleteAbort"],"ProducerIDFilters":[1,2],"DurationFilterMillis":-1}`)
	each(66, 2, 2, `{"StateFilters":["Ongoing"],"ProducerIDFilters":[1],"DurationFilterMillis":1,"TransactionalIDPattern":"golden.*"}`)
}

func groups() {
	each(10, 0, 3, `{"CoordinatorKey":"golden-$R-g","CoordinatorType":0}`)
	each(10, 4, 5, `{"CoordinatorType":0,"CoordinatorKeys":["golden-$R-g","other"]}`)
	for v := int16(0); v <= 9; v++ {
		group := fmt.Sprintf("golden-%s-g%d", run, v)
		instance := `"i-$V"`
		join := `{"Group":"$G","SessionTimeoutMillis":30000,"RebalanceTimeoutMillis":30000,"MemberID":"$M","InstanceID":$I,"ProtocolType":"consumer","Protocols":[{"Name":"range","Metadata":"AAEAAAABAAFh/////w=="},{"Name":"roundrobin","Metadata":"AAEAAAABAAFh/////w=="}],"Reason":"golden"}`
		r := ask("kmsg", 11, v, join, "$G", group, "$M", "", "$I", instance).(*kmsg.JoinGroupResponse)
		if v == 4 {
			r = ask("kmsg/again", 11, v, join, "$G", group, "$M", r.MemberID, "$I", instance).(*kmsg.JoinGroupResponse)
		}
		member := []string{"$G", group, "$M", r.MemberID, "$N", fmt.Sprint(r.Generation), "$I", "null"}
		if v >= 5 {
			member[7] = fmt.Sprintf(`"i-%d"`, v)
		}
		at := func(max int16) int16 { return min(v, max) }
		ask("kmsg", 14, at(5), `{"Group":"$G","Generation":$N,"MemberID":"$M","InstanceID":$I,"ProtocolType":"consumer","Protocol":"range","GroupAssignment":[{"MemberID":"$M","MemberAssignment":"AAEAAAAA/////w=="}]}`, member...)
		ask("kmsg", 12, at(4), `{"Group":"$G","Generation":$N,"MemberID":"$M","InstanceID":$I}`, member...)
		if v >= 2 {
			ask("kmsg", 8, at(9), `{"Group":"$G","Generation":$N,"MemberID":"$M","InstanceID":$I,"RetentionTimeMillis":-1,"Topics":[{"Topic":"golden-$R-a","Partitions":[{"Partition":0,"Offset":3,"LeaderEpoch":0,"Metadata":"meta"},{"Partition":1,"Offset":4,"LeaderEpoch":-1,"Metadata":null}]}]}`, member...)
		}
		if v >= 1 && v <= 7 {
			ask("kmsg", 9, v, `{"Group":"$G","Topics":[{"Topic":"golden-$R-a","Partitions":[0,1]}],"RequireStable":true}`, member...)
		}
		if v >= 2 && v <= 7 {
			ask("kmsg/all", 9, v, `{"Group":"$G","Topics":null,"RequireStable":false}`, member...)
		}
		if v >= 8 {
			ask("kmsg", 9, v, `{"Groups":[{"Group":"$G","MemberEpoch":-1,"Topics":[{"Topic":"golden-$R-a","Partitions":[0,1]}]},{"Group":"golden-none","MemberID":null,"MemberEpoch":-1,"Topics":null}],"RequireStable":true}`, member...)
		}
		ask("kmsg", 15, at(6), `{"Groups":["$G","golden-none"],"IncludeAuthorizedOperations":true}`, member...)
		ask("kmsg", 16, at(5), `{"StatesFilter":["Stable"],"TypesFilter":["classic"]}`, member...)
		ask("kmsg", 13, at(5), `{"Group":"$G","MemberID":"$M","Members":[{"MemberID":"$M","InstanceID":null,"Reason":"golden"},{"MemberID":"x","InstanceID":"none","Reason":null}]}`, member...)
		ask("kmsg", 47, 0, `{"Group":"$G","Topics":[{"Topic":"golden-$R-a","Partitions":[{"Partition":0},{"Partition":1}]}]}`, member...)
		ask("kmsg", 42, at(2), `{"Groups":["$G","golden-none"]}`, member...)
	}
}

func consumerGroups() {
	for v := int16(0); v <= 1; v++ {
		text := `{"Group":"golden-$R-c$V","MemberID":"0$V0AAAAAAAAAAAAAAAAAAA","MemberEpoch":$E,"InstanceID":"i$V","RackID":"r","RebalanceTimeoutMillis":30000,"SubscribedTopicNames":["golden-$R-a"],"ServerAssignor":"uniform","Topics":$T}`
		ask("kmsg", 68, v, text, "$E", "0", "$T", "[]")
		ask("kmsg/owned", 68, v, text, "$E", "1", "$T", `[{"TopicID":`+idJSON("golden-"+run+"-a")+`,"Partitions":[0,1]}]`)
		ask("kmsg", 69, v, `{"Groups":["golden-$R-c$V","golden-none"],"IncludeAuthorizedOperations":true}`)
		ask("kmsg/leave", 68, v, `{"Group":"golden-$R-c$V","MemberID":"0$V0AAAAAAAAAAAAAAAAAAA","MemberEpoch":-1,"RebalanceTimeoutMillis":-1}`)
	}
}

func admin() {
	topic := `"ResourceType":"TOPIC","ResourceName":"golden-$R-a"`
	each(32, 1, 4, `{"Resources":[{`+topic+`,"ConfigNames":["retention.ms","cleanup.policy"]},{"ResourceType":"BROKER","ResourceName":"1","ConfigNames":["log.dirs"]},{"ResourceType":"TOPIC","ResourceName":"golden-none","ConfigNames":null}],"IncludeSynonyms":true,"IncludeDocumentation":false}`)
	each(33, 0, 2, `{"Resources":[{`+topic+`,"Configs":[{"Name":"retention.ms","Value":"61000"},{"Name":"segment.bytes","Value":"2000000"}]}],"ValidateOnly":true}`)
	each(44, 0, 1, `{"Resources":[{`+topic+`,"Configs":[{"Name":"retention.ms","Op":"SET","Value":"61000"},{"Name":"segment.ms","Op":"DELETE","Value":null}]}],"ValidateOnly":true}`)
	each(35, 1, 4, `{"Topics":[{"Topic":"golden-$R-a","Partitions":[0,1]}]}`)
	ask("kmsg/all", 35, 4, `{"Topics":null}`)
	each(37, 0, 3, `{"Topics":[{"Topic":"golden-$R-a","Count":4,"Assignment":[{"Replicas":[1]},{"Replicas":[1]}]},{"Topic":"golden-none","Count":3}],"TimeoutMillis":1000,"ValidateOnly":true}`)
	each(43, 0, 2, `{"ElectionType":0,"Topics":[{"Topic":"golden-$R-a","Partitions":[0,1]}],"TimeoutMillis":1000}`)
	each(45, 0, 1, `{"TimeoutMillis":1000,"AllowReplicationFactorChange":true,"Topics":[{"Topic":"golden-$R-a","Partitions":[{"Partition":0,"Replicas":[1]},{"Partition":1,"Replicas":null}]}]}`)
	each(46, 0, 0, `{"TimeoutMillis":1000,"Topics":[{"Topic":"golden-$R-a","Partitions":[0,1]}]}`)
	each(48, 0, 1, `{"Components":[{"EntityType":"client-id","MatchType":"EXACT","Match":"golden-$R"},{"EntityType":"user","MatchType":"ANY","Match":null}],"Strict":false}`)
	each(49, 0, 1, `{"Entries":[{"Entity":[{"Type":"client-id","Name":"golden-$R"},{"Type":"user","Name":null}],"Ops":[{"Key":"producer_byte_rate","Value":1048576,"Remove":false}]}],"ValidateOnly":true}`)
	each(55, 0, 2, `{"Topics":[{"Topic":"__cluster_metadata","Partitions":[{"Partition":0}]}]}`)
	each(60, 0, 2, `{"IncludeClusterAuthorizedOperations":true,"EndpointType":1,"IncludeFencedBrokers":true}`)
	each(74, 0, 0, `{}`)
	each(74, 1, 1, `{"ResourceTypes":[4,16]}`)
	each(75, 0, 0, `{"Topics":[{"Topic":"golden-$R-a"},{"Topic":"golden-$R-b"}],"ResponsePartitionLimit":1,"Cursor":{"Topic":"golden-$R-a","Partition":1}}`)
	ask("kmsg/no-cursor", 75, 0, `{"Topics":[{"Topic":"golden-$R-a"},{"Topic":"golden-none"}],"ResponsePartitionLimit":2,"Cursor":null}`)
}

func security() {
	each(17, 0, 1, `{"Mechanism":"PLAIN"}`)
	each(36, 0, 2, `{"SASLAuthBytes":"AGEAYg=="}`)
	each(29, 1, 3, `{"ResourceType":"TOPIC","ResourceName":"golden","ResourcePatternType":"LITERAL","Principal":"User:a","Host":null,"Operation":"ANY","PermissionType":"ANY"}`)
	each(30, 1, 3, `{"Creations":[{"ResourceType":"TOPIC","ResourceName":"golden","ResourcePatternType":"LITERAL","Principal":"User:a","Host":"*","Operation":"READ","PermissionType":"ALLOW"}]}`)
	each(31, 1, 3, `{"Filters":[{"ResourceType":"TOPIC","ResourceName":"golden","ResourcePatternType":"LITERAL","Principal":null,"Host":"*","Operation":"ANY","PermissionType":"ANY"}]}`)
	each(50, 0, 0, `{"Users":[{"Name":"golden-nobody"}]}`)
	each(51, 0, 0, `{"Deletions":[{"Name":"golden-nobody","Mechanism":1}],"Upsertions":[{"Name":"","Mechanism":1,"Iterations":4096,"Salt":"AQID","SaltedPassword":"BAUG"}]}`)
}
