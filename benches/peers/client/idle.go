package main

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// settle is how long memory and threads may take to come to rest.
const settle = time.Second

// resting looks at a broker that nobody talks to.
func resting(s settings) (result, error) {
	time.Sleep(settle)
	m := startMeter(s.pid)
	time.Sleep(settle)
	into := m.stop(result{})
	into["rss_mb"], into["threads"] = float64(status(s.pid, "VmRSS"))/1024, float64(status(s.pid, "Threads"))
	return into, nil
}

// idle opens connections that first only stand there, and then wait for records that never come.
func idle(s settings) (result, error) {
	c, err := dial(s.address)
	if err != nil {
		return nil, err
	}
	if err := newTopic(c, s.topic, 1, nil); err != nil {
		return nil, err
	}
	time.Sleep(settle)
	before, began := status(s.pid, "VmRSS"), time.Now()
	readers := make([]*reader, s.connections)
	for number := range readers {
		one, err := dial(s.address)
		if err != nil {
			return nil, err
		}
		readers[number] = newReader(one, s.topic, 0, 500*time.Millisecond)
		if _, err := metadata(one, s.topic); err != nil {
			return nil, err
		}
	}
	connected := time.Since(began)
	time.Sleep(settle)
	standing := status(s.pid, "VmRSS")
	var done atomic.Bool
	var all sync.WaitGroup
	failed := make([]error, len(readers))
	for number, r := range readers {
		all.Go(func() {
			for !done.Load() && failed[number] == nil {
				_, failed[number] = r.fetch()
			}
		})
	}
	time.Sleep(settle)
	m := startMeter(s.pid)
	time.Sleep(s.length)
	into := m.stop(result{})
	into["kib_each"] = float64(standing-before) / float64(s.connections)
	into["kib_each_waiting"] = float64(status(s.pid, "VmRSS")-before) / float64(s.connections)
	into["connect_ms"] = float64(connected.Microseconds()) / 1e3
	done.Store(true)
	all.Wait()
	for _, err := range failed {
		if err != nil {
			return nil, err
		}
	}
	return into, nil
}

// partitions makes a topic of many partitions.
func partitions(s settings) (result, error) {
	c, err := dial(s.address)
	if err != nil {
		return nil, err
	}
	before, began := status(s.pid, "VmRSS"), time.Now()
	if err := createTopic(c, s.topic, s.partitions, nil); err != nil {
		return nil, err
	}
	into := result{"create_ms": float64(time.Since(began).Microseconds()) / 1e3}
	time.Sleep(settle)
	into["kib_each"] = float64(status(s.pid, "VmRSS")-before) / float64(s.partitions)
	var taken []float64
	for range 21 {
		began := time.Now()
		answered, err := metadata(c, s.topic)
		if err != nil {
			return nil, err
		}
		if err := kerr.ErrorForCode(answered.Topics[0].ErrorCode); err != nil {
			return nil, err
		}
		if found := len(answered.Topics[0].Partitions); found != s.partitions {
			return nil, fmt.Errorf("%d of %d partitions", found, s.partitions)
		}
		taken = append(taken, float64(time.Since(began).Nanoseconds())/1e6)
	}
	slices.Sort(taken)
	into["metadata_ms"] = taken[len(taken)/2]
	return into, nil
}
