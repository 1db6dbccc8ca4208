package main

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// skipped of every steady load is not counted: connections and caches settle.
const skipped = 500 * time.Millisecond

// roundTrips sends one record and waits for its acknowledgement before the next.
func roundTrips(s settings) (result, error) {
	c, err := dial(s.address)
	if err != nil {
		return nil, err
	}
	if err := newTopic(c, s.topic, 1, s.configs()); err != nil {
		return nil, err
	}
	one := produceFrame(c, s.topic, 0, -1, batch(1, s.size), 1)
	var taken []int64
	m := startMeter(s.pid)
	for until := time.Now().Add(s.length); time.Now().Before(until); {
		began := time.Now()
		if _, err := c.Write(one.frame); err != nil {
			return nil, err
		}
		if _, err := one.acknowledged(c); err != nil {
			return nil, err
		}
		taken = append(taken, time.Since(began).Nanoseconds())
	}
	return quantiles(taken[len(taken)/10:], m.stop(result{})), nil
}

// drain counts acknowledgements until the connection ends.
func drain(c *conn, one *produced, acknowledged *atomic.Int64) {
	for {
		if _, err := one.acknowledged(c); err != nil {
			return
		}
		acknowledged.Add(1)
	}
}

// writer sends stamped records at a steady rate and says how many were acknowledged.
func writer(s settings, topic string, length time.Duration, beganAt time.Time) (sent int64, err error) {
	c, err := dial(s.address)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	one := produceFrame(c, topic, 0, -1, batch(1, s.size), 1)
	var acknowledged atomic.Int64
	go drain(c, one, &acknowledged)
	err = pace(s.rate, length, func() error {
		one.stamp(s.size, time.Since(beganAt).Nanoseconds())
		_, err := c.Write(one.frame)
		sent++
		return err
	})
	for deadline := time.Now().Add(5 * time.Second); acknowledged.Load() < sent && err == nil; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			err = fmt.Errorf("%d of %d records acknowledged", acknowledged.Load(), sent)
		}
	}
	return sent, err
}

// follow notes how old each stamp is when it arrives, until `expected` are there or nothing comes any more.
func (r *reader) follow(beganAt time.Time, into *[]int64, seen *atomic.Int64, done *atomic.Bool) error {
	for !done.Load() {
		records, err := r.fetch()
		if err != nil {
			return err
		}
		now := time.Since(beganAt).Nanoseconds()
		r.batches(records, func(batch []byte) {
			stamps(batch, func(nanos int64) {
				seen.Add(1)
				if nanos > skipped.Nanoseconds() {
					*into = append(*into, now-nanos)
				}
			})
		})
	}
	return nil
}

// flood writes s.flood megabytes a second to a topic of its own, in batches of 64 KiB.
func flood(s settings, topic string) error {
	c, err := dial(s.address)
	if err != nil {
		return err
	}
	defer c.Close()
	encoded, count := batchOf(64<<10, 1024)
	one := produceFrame(c, topic, 0, 1, encoded, count)
	var acknowledged atomic.Int64
	go drain(c, one, &acknowledged)
	sent := int64(0)
	err = pace(s.flood*1e6/float64(len(encoded)), s.length+skipped, func() error {
		_, err := c.Write(one.frame)
		sent++
		return err
	})
	if err == nil && acknowledged.Load() < sent*8/10 {
		err = fmt.Errorf("the flood was not taken: %d of %d batches acknowledged", acknowledged.Load(), sent)
	}
	return err
}

// endToEnd measures from the write of a record until a waiting reader has it.
func endToEnd(s settings) (result, error) {
	s.connections = 1
	if s.flood == 0 {
		return fanOut(s)
	}
	c, err := dial(s.address)
	if err != nil {
		return nil, err
	}
	if err := newTopic(c, s.topic+"-flood", 1, nil); err != nil {
		return nil, err
	}
	flooded := make(chan error, 1)
	go func() { flooded <- flood(s, s.topic+"-flood") }()
	into, err := fanOut(s)
	if err == nil {
		err = <-flooded
	}
	return into, err
}

// fanOut has one writer and many readers of the same partition, each on its own connection.
func fanOut(s settings) (result, error) {
	c, err := dial(s.address)
	if err != nil {
		return nil, err
	}
	if err := newTopic(c, s.topic, 1, nil); err != nil {
		return nil, err
	}
	readers := make([]*reader, s.connections)
	for number := range readers {
		one, err := dial(s.address)
		if err != nil {
			return nil, err
		}
		readers[number] = newReader(one, s.topic, 0, 500*time.Millisecond)
	}
	ages, failed := make([][]int64, len(readers)), make([]error, len(readers))
	var seen atomic.Int64
	var done atomic.Bool
	var all sync.WaitGroup
	beganAt := time.Now()
	for number, r := range readers {
		all.Go(func() { failed[number] = r.follow(beganAt, &ages[number], &seen, &done) })
	}
	m := startMeter(s.pid)
	sent, err := writer(s, s.topic, s.length+skipped, beganAt)
	for deadline := time.Now().Add(10 * time.Second); seen.Load() < sent*int64(len(readers)) && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	into := m.stop(result{})
	done.Store(true)
	for _, r := range readers {
		r.SetDeadline(time.Now().Add(2 * time.Second))
	}
	all.Wait()
	if err != nil {
		return nil, err
	}
	if wanted := sent * int64(len(readers)); seen.Load() != wanted {
		return nil, fmt.Errorf("%d of %d records arrived, readers: %v", seen.Load(), wanted, failed[0])
	}
	var together []int64
	for _, some := range ages {
		together = append(together, some...)
	}
	return quantiles(together, into), nil
}

// syncs appends to a file and syncs it, as a broker does that acknowledges what is on the disk.
func syncs(s settings) (result, error) {
	file, err := os.Create(filepath.Join(s.folder, "raw-fdatasync"))
	if err != nil {
		return nil, err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	encoded := batch(1, s.size)
	var taken []int64
	for until := time.Now().Add(s.length); time.Now().Before(until); {
		began := time.Now()
		if _, err := file.Write(encoded); err != nil {
			return nil, err
		}
		if err := syscall.Fdatasync(int(file.Fd())); err != nil {
			return nil, err
		}
		taken = append(taken, time.Since(began).Nanoseconds())
	}
	return quantiles(taken[len(taken)/10:], result{}), nil
}
