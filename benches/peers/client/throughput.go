package main

import (
	"bufio"
	"fmt"
	"sync"
	"time"
)

// inFlight requests are on their way on each connection that produces.
const inFlight = 8

// produce appends total bytes through one connection.
func produce(s settings) (result, error) {
	c, err := dial(s.address)
	if err != nil {
		return nil, err
	}
	if err := newTopic(c, s.topic, s.partitions, s.configs()); err != nil {
		return nil, err
	}
	encoded, count := batchOf(s.batch, s.size)
	requests := max(1, s.bytes/len(encoded))
	m := startMeter(s.pid)
	last, err := pipeline(c, s, encoded, count, requests)
	if err != nil {
		return nil, err
	}
	into := m.stop(result{})
	gigabytes := float64(requests*len(encoded)) / 1e9
	into["mb_s"], into["cpu_gb"] = gigabytes*1e3/into["seconds"], into["cpu"]/gigabytes
	into["end"] = float64(last + int64(count))
	return into, nil
}

// pipeline sends the same batch to the partitions in turn and returns the last base offset of the last of them.
func pipeline(c *conn, s settings, encoded []byte, count, requests int) (last int64, err error) {
	frames := make([]*produced, s.partitions)
	for partition := range frames {
		frames[partition] = produceFrame(c, s.topic, int32(partition), -1, encoded, count)
	}
	slots := make(chan struct{}, inFlight)
	failed := make(chan error, 1)
	go func() {
		for number := range requests {
			slots <- struct{}{}
			if _, err := c.Write(frames[number%len(frames)].frame); err != nil {
				failed <- err
				return
			}
		}
	}()
	for range requests {
		if last, err = frames[0].acknowledged(c); err != nil {
			return last, err
		}
		<-slots
		select {
		case err := <-failed:
			return last, err
		default:
		}
	}
	return last, nil
}

// fetch reads partitions that lie in memory again and again, one connection for each.
func fetch(s settings) (result, error) {
	c, err := dial(s.address)
	if err != nil {
		return nil, err
	}
	if err := newTopic(c, s.topic, s.partitions, nil); err != nil {
		return nil, err
	}
	encoded, count := batchOf(s.batch, s.size)
	if _, err := pipeline(c, s, encoded, count, max(1, s.bytes/len(encoded))); err != nil {
		return nil, err
	}
	readers := make([]*reader, s.connections)
	for number := range readers {
		one, err := dial(s.address)
		if err != nil {
			return nil, err
		}
		one.in = bufio.NewReaderSize(one.Conn, 64)
		readers[number] = newReader(one, s.topic, int32(number%s.partitions), 100*time.Millisecond)
	}
	read, failed := make([]int, len(readers)), make([]error, len(readers))
	m := startMeter(s.pid)
	until := time.Now().Add(s.length)
	var all sync.WaitGroup
	for number, r := range readers {
		all.Go(func() { read[number], failed[number] = r.again(until) })
	}
	all.Wait()
	into, total := m.stop(result{}), 0
	for number := range readers {
		if failed[number] != nil {
			return nil, failed[number]
		}
		total += read[number]
	}
	gigabytes := float64(total) / 1e9
	into["mb_s"], into["cpu_gb"] = gigabytes*1e3/into["seconds"], into["cpu"]/gigabytes
	return into, nil
}

// again reads from the start whenever the end is reached.
func (r *reader) again(until time.Time) (total int, err error) {
	for time.Now().Before(until) {
		records, err := r.fetch()
		if err != nil {
			return total, err
		}
		before := r.next
		r.batches(records, nil)
		total += len(records)
		if r.next == before {
			if before == 0 {
				return total, fmt.Errorf("nothing to read at the start")
			}
			r.next = 0
		}
	}
	return total, nil
}

// warm lets a broker whose compiler is still at work run every path for a while.
func warm(s settings) (result, error) {
	until, into := time.Now().Add(s.length), result{}
	for round := 0; time.Now().Before(until); round++ {
		one := s
		one.topic, one.partitions, one.connections, one.bytes, one.length = fmt.Sprintf("%s-%d", s.topic, round), 2, 2, 128<<20, 2*time.Second
		for _, batch := range []int{16 << 10, 1 << 20} {
			one.batch, one.topic = batch, one.topic+"x"
			if _, err := fetch(one); err != nil {
				return nil, err
			}
		}
		one.topic, one.rate, one.batch, one.size = one.topic+"e", 1000, 0, 100
		if _, err := endToEnd(one); err != nil {
			return nil, err
		}
		one.topic, one.connections, one.rate = one.topic+"f", 100, 20
		if _, err := fanOut(one); err != nil {
			return nil, err
		}
		into["rounds"]++
	}
	return into, nil
}
