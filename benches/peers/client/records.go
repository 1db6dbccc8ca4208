package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	headerBytes = 61 // of a record batch, format 2
	crcAt       = 17
	crcFrom     = 21
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// batch encodes count records whose values are size bytes of noise, without keys.
func batch(count, size int) []byte {
	var records []byte
	noise := rand.New(rand.NewPCG(1, uint64(size)))
	for delta := range count {
		body := []byte{0, 0} // attributes, timestamp delta
		body = binary.AppendVarint(body, int64(delta))
		body = binary.AppendVarint(body, -1) // no key
		body = binary.AppendVarint(body, int64(size))
		for range size {
			body = append(body, byte(noise.Uint32()))
		}
		body = append(body, 0) // no headers
		records = binary.AppendVarint(records, int64(len(body)))
		records = append(records, body...)
	}
	now := uint64(time.Now().UnixMilli())
	out := make([]byte, headerBytes, headerBytes+len(records))
	binary.BigEndian.PutUint32(out[8:], uint32(headerBytes-12+len(records)))
	binary.BigEndian.PutUint32(out[12:], ^uint32(0)) // leader epoch
	out[16] = 2
	binary.BigEndian.PutUint32(out[23:], uint32(count-1))
	binary.BigEndian.PutUint64(out[27:], now)
	binary.BigEndian.PutUint64(out[35:], now)
	for at := 43; at < 57; at++ {
		out[at] = 0xff // producer id, epoch, sequence
	}
	binary.BigEndian.PutUint32(out[57:], uint32(count))
	out = append(out, records...)
	sign(out)
	return out
}

func sign(batch []byte) {
	binary.BigEndian.PutUint32(batch[crcAt:], crc32.Checksum(batch[crcFrom:], castagnoli))
}

// batchOf fills a batch of about total bytes with records of size bytes.
func batchOf(total, size int) (encoded []byte, count int) {
	count = max(1, total/(size+8))
	return batch(count, size), count
}

// produced is a Produce request that can be sent again and again.
type produced struct {
	request *kmsg.ProduceRequest
	frame   []byte
	batch   []byte // within frame
	count   int
}

func produceFrame(c *conn, topic string, partition int32, acks int16, encoded []byte, count int) *produced {
	part := kmsg.NewProduceRequestTopicPartition()
	part.Partition, part.Records = partition, encoded
	one := kmsg.NewProduceRequestTopic()
	one.Topic, one.Partitions = topic, []kmsg.ProduceRequestTopicPartition{part}
	request := kmsg.NewPtrProduceRequest()
	request.Acks, request.TimeoutMillis, request.Topics = acks, 30_000, []kmsg.ProduceRequestTopic{one}
	frame := c.frame(request)
	at := bytes.Index(frame, encoded)
	return &produced{request, frame, frame[at : at+len(encoded)], count}
}

// stamp writes the time into the first bytes of the only record's value, which is size bytes long.
func (p *produced) stamp(size int, nanos int64) {
	binary.BigEndian.PutUint64(p.batch[len(p.batch)-1-size:], uint64(nanos))
	sign(p.batch)
}

// acknowledged reads the answer to one request and returns the batch's base offset.
func (p *produced) acknowledged(c *conn) (int64, error) {
	answered, err := c.read(p.request)
	if err != nil {
		return 0, err
	}
	for _, topic := range answered.(*kmsg.ProduceResponse).Topics {
		for _, part := range topic.Partitions {
			return part.BaseOffset, kerr.ErrorForCode(part.ErrorCode)
		}
	}
	return 0, fmt.Errorf("an empty answer to Produce")
}

// reader reads one partition in order.
type reader struct {
	*conn
	request *kmsg.FetchRequest
	next    int64
}

func newReader(c *conn, topic string, partition int32, maxWait time.Duration) *reader {
	part := kmsg.NewFetchRequestTopicPartition()
	part.Partition, part.PartitionMaxBytes, part.LogStartOffset = partition, 1<<20, -1
	part.CurrentLeaderEpoch, part.LastFetchedEpoch = -1, -1
	one := kmsg.NewFetchRequestTopic()
	one.Topic, one.Partitions = topic, []kmsg.FetchRequestTopicPartition{part}
	request := kmsg.NewPtrFetchRequest()
	request.ReplicaID, request.MaxWaitMillis, request.MinBytes, request.MaxBytes = -1, int32(maxWait.Milliseconds()), 1, 50<<20
	request.SessionEpoch, request.Topics = -1, []kmsg.FetchRequestTopic{one}
	return &reader{conn: c, request: request}
}

// fetch returns the bytes of the next records, valid until the next call.
func (r *reader) fetch() ([]byte, error) {
	r.request.Topics[0].Partitions[0].FetchOffset = r.next
	answered, err := ask(r.conn, r.request)
	if err != nil {
		return nil, err
	}
	response := answered.(*kmsg.FetchResponse)
	if err := kerr.ErrorForCode(response.ErrorCode); err != nil {
		return nil, err
	}
	for _, topic := range response.Topics {
		for _, part := range topic.Partitions {
			if err := kerr.ErrorForCode(part.ErrorCode); err != nil {
				return nil, err
			}
			return part.RecordBatches, nil
		}
	}
	return nil, nil
}

// batches calls each for every whole batch not read yet and moves on behind it.
func (r *reader) batches(records []byte, each func(batch []byte)) {
	for len(records) >= headerBytes {
		end := 12 + int(binary.BigEndian.Uint32(records[8:]))
		if end > len(records) {
			return
		}
		last := int64(binary.BigEndian.Uint64(records)) + int64(binary.BigEndian.Uint32(records[23:]))
		if last >= r.next {
			r.next = last + 1
			if each != nil {
				each(records[:end])
			}
		}
		records = records[end:]
	}
}

// stamps calls each with the time in every record of a batch.
func stamps(batch []byte, each func(nanos int64)) {
	rest := batch[headerBytes:]
	for len(rest) > 0 {
		length, n := binary.Varint(rest)
		if n <= 0 || int(length) > len(rest)-n {
			return
		}
		record := rest[n : n+int(length)]
		rest = rest[n+int(length):]
		at := 1 // attributes
		for range 4 {
			_, n := binary.Varint(record[at:]) // timestamp and offset delta, no key, length of the value
			at += n
		}
		each(int64(binary.BigEndian.Uint64(record[at:])))
	}
}
