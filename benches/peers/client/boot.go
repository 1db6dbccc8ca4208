package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// patience with a broker that starts.
const patience = 120 * time.Second

// boot runs a broker, prints how long it took until it answered, and kills it when the standard input ends.
func boot(s settings, command []string) error {
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	broker := exec.Command(command[0], command[1:]...)
	broker.Dir, broker.Stdout, broker.Stderr = s.folder, log, log
	began := time.Now()
	if err := broker.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- broker.Wait() }()
	into, err := answers(s, began, ended)
	if err == nil {
		into["pid"] = float64(broker.Process.Pid)
		err = json.NewEncoder(os.Stdout).Encode(into)
		io.Copy(io.Discard, os.Stdin)
	}
	broker.Process.Kill()
	<-ended
	return err
}

// answers waits for the first Metadata answer and, where records are expected, until the last of them can be read.
func answers(s settings, began time.Time, ended chan error) (result, error) {
	into := result{}
	for deadline := began.Add(patience); ; time.Sleep(50 * time.Microsecond) {
		select {
		case err := <-ended:
			ended <- err
			return nil, fmt.Errorf("the broker ended: %v, see %s", err, s.log)
		default:
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("no answer for %v, see %s", patience, s.log)
		}
		c, err := connectOnly(s.address)
		if err != nil {
			continue
		}
		answered, err := metadata(c)
		if err != nil || len(answered.Brokers) == 0 {
			c.Close()
			continue
		}
		into["metadata_ms"] = float64(time.Since(began).Nanoseconds()) / 1e6
		c.Close()
		break
	}
	if s.expect == 0 {
		return into, nil
	}
	for deadline := began.Add(patience); time.Now().Before(deadline); time.Sleep(200 * time.Microsecond) {
		if lastIsThere(s) {
			into["ready_ms"] = float64(time.Since(began).Nanoseconds()) / 1e6
			return into, nil
		}
	}
	return nil, fmt.Errorf("the records acknowledged before were not there after %v", patience)
}

// lastIsThere is true when the partition ends where it was acknowledged to end, or after it, and its last batch can be read.
func lastIsThere(s settings) bool {
	c, err := dial(s.address)
	if err != nil {
		return false
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(5 * time.Second))
	if end, err := endOffset(c, s.topic, 0); err != nil || end < int64(s.expect) {
		return false
	}
	last := newReader(c, s.topic, 0, 0)
	last.next = int64(s.expect) - 1
	records, err := last.fetch()
	last.batches(records, nil)
	return err == nil && last.next >= int64(s.expect)
}
