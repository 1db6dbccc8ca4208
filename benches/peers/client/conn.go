package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The newest versions asked for: what every peer speaks. A broker that speaks less is asked less.
var newest = map[kmsg.Key]int16{
	kmsg.Produce: 9, kmsg.Fetch: 12, kmsg.ListOffsets: 5, kmsg.Metadata: 9, kmsg.CreateTopics: 5, kmsg.ApiVersions: 0,
}

// formatter writes request headers.
var formatter = kmsg.NewRequestFormatter(kmsg.FormatterClientID("bench"))

// conn is one connection, used by one goroutine for requests and, where they are pipelined, another for answers.
type conn struct {
	net.Conn
	in       *bufio.Reader
	answer   []byte
	versions map[kmsg.Key]int16
}

// dial connects and asks which versions are spoken.
func dial(address string) (*conn, error) {
	raw, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	c := bare(raw)
	asked := kmsg.NewPtrApiVersionsRequest()
	answered, err := ask(c, asked)
	if err != nil {
		raw.Close()
		return nil, err
	}
	for _, spoken := range answered.(*kmsg.ApiVersionsResponse).ApiKeys {
		key := kmsg.Key(spoken.ApiKey)
		if limit, known := newest[key]; known {
			c.versions[key] = min(limit, spoken.MaxVersion)
		}
	}
	return c, nil
}

func bare(raw net.Conn) *conn {
	return &conn{Conn: raw, in: bufio.NewReaderSize(raw, 4096), versions: map[kmsg.Key]int16{}}
}

func (c *conn) frame(request kmsg.Request) []byte {
	key := kmsg.Key(request.Key())
	version, known := c.versions[key]
	if !known {
		version = newest[key]
	}
	request.SetVersion(version)
	return formatter.AppendRequest(nil, request, 7)
}

// body reads one answer and returns what follows its header. It is valid until the next call.
func (c *conn) body(flexible bool) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(c.in, head[:]); err != nil {
		return nil, err
	}
	size := int(binary.BigEndian.Uint32(head[:]))
	if size < 5 || size > 1<<30 {
		return nil, fmt.Errorf("an answer of %d bytes", size)
	}
	if cap(c.answer) < size {
		c.answer = make([]byte, size)
	}
	c.answer = c.answer[:size]
	if _, err := io.ReadFull(c.in, c.answer); err != nil {
		return nil, err
	}
	if flexible {
		return c.answer[5:], nil // correlation id and an empty list of tagged fields
	}
	return c.answer[4:], nil
}

// read takes the answer to request.
func (c *conn) read(request kmsg.Request) (kmsg.Response, error) {
	response := request.ResponseKind()
	body, err := c.body(response.IsFlexible() && request.Key() != int16(kmsg.ApiVersions))
	if err != nil {
		return nil, err
	}
	return response, response.ReadFrom(body)
}

func ask(c *conn, request kmsg.Request) (kmsg.Response, error) {
	if _, err := c.Write(c.frame(request)); err != nil {
		return nil, err
	}
	return c.read(request)
}

func createTopic(c *conn, topic string, partitions int, configs map[string]string) error {
	one := kmsg.NewCreateTopicsRequestTopic()
	one.Topic, one.NumPartitions, one.ReplicationFactor = topic, int32(partitions), 1
	for name, value := range configs {
		config := kmsg.NewCreateTopicsRequestTopicConfig()
		config.Name, config.Value = name, &value
		one.Configs = append(one.Configs, config)
	}
	request := kmsg.NewPtrCreateTopicsRequest()
	request.TimeoutMillis = 30_000
	request.Topics = append(request.Topics, one)
	answered, err := ask(c, request)
	if err != nil {
		return err
	}
	for _, topic := range answered.(*kmsg.CreateTopicsResponse).Topics {
		if err := kerr.ErrorForCode(topic.ErrorCode); err != nil {
			return err
		}
	}
	return nil
}

// newTopic also waits until every partition can be read: Kafka answers before that.
func newTopic(c *conn, topic string, partitions int, configs map[string]string) error {
	if err := createTopic(c, topic, partitions, configs); err != nil {
		return err
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		_, err := endOffset(c, topic, int32(partitions-1))
		if err == nil || time.Now().After(deadline) {
			return err
		}
	}
}

func endOffset(c *conn, topic string, partition int32) (int64, error) {
	part := kmsg.NewListOffsetsRequestTopicPartition()
	part.Partition, part.Timestamp, part.CurrentLeaderEpoch = partition, -1, -1
	one := kmsg.NewListOffsetsRequestTopic()
	one.Topic, one.Partitions = topic, []kmsg.ListOffsetsRequestTopicPartition{part}
	request := kmsg.NewPtrListOffsetsRequest()
	request.ReplicaID, request.Topics = -1, []kmsg.ListOffsetsRequestTopic{one}
	answered, err := ask(c, request)
	if err != nil {
		return 0, err
	}
	for _, topic := range answered.(*kmsg.ListOffsetsResponse).Topics {
		for _, part := range topic.Partitions {
			return part.Offset, kerr.ErrorForCode(part.ErrorCode)
		}
	}
	return 0, fmt.Errorf("no offset was answered")
}

func metadata(c *conn, topics ...string) (*kmsg.MetadataResponse, error) {
	request := kmsg.NewPtrMetadataRequest()
	request.Topics = []kmsg.MetadataRequestTopic{}
	for _, topic := range topics {
		one := kmsg.NewMetadataRequestTopic()
		one.Topic = &topic
		request.Topics = append(request.Topics, one)
	}
	answered, err := ask(c, request)
	if err != nil {
		return nil, err
	}
	return answered.(*kmsg.MetadataResponse), nil
}
