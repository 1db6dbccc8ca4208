// The neutral client: it measures a broker over its socket, counts the broker's own CPU, and prints one line of JSON.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"net"
	"os"
	"time"
)

// settings of a measurement; each uses what it needs.
type settings struct {
	address, topic, folder, log              string
	pid, partitions, connections             int
	batch, size, bytes, expect, flushMessage int
	rate, flood                              float64
	length                                   time.Duration
}

// configs of the topic that is made for the measurement.
func (s settings) configs() map[string]string {
	if s.flushMessage > 0 {
		return map[string]string{"flush.messages": fmt.Sprint(s.flushMessage)}
	}
	return nil
}

var measurements = map[string]func(settings) (result, error){
	"resting": resting, "idle": idle, "partitions": partitions, "roundtrip": roundTrips, "endtoend": endToEnd, "fanout": fanOut,
	"produce": produce, "fetch": fetch, "warm": warm, "fdatasync": syncs,
}

// connectOnly is a connection that asks for no versions.
func connectOnly(address string) (*conn, error) {
	raw, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	raw.SetDeadline(time.Now().Add(5 * time.Second))
	return bare(raw), nil
}

func main() {
	if len(os.Args) < 2 {
		fail(fmt.Errorf("which measurement?"))
	}
	var s settings
	flags := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	flags.StringVar(&s.address, "address", "", "of the broker")
	flags.StringVar(&s.topic, "topic", "bench", "that is made for the measurement")
	flags.StringVar(&s.folder, "folder", ".", "where the broker runs, or where files are synced")
	flags.StringVar(&s.log, "log", os.DevNull, "where the broker's output goes")
	flags.IntVar(&s.pid, "pid", 0, "of the broker, for its CPU and memory")
	flags.IntVar(&s.partitions, "partitions", 1, "of the topic")
	flags.IntVar(&s.connections, "connections", 1, "that read")
	flags.IntVar(&s.batch, "batch", 16<<10, "bytes of a batch")
	flags.IntVar(&s.size, "size", 1024, "bytes of a value")
	flags.IntVar(&s.bytes, "bytes", 1<<30, "to write")
	flags.IntVar(&s.expect, "expect", 0, "end offset of the topic after a restart")
	flags.IntVar(&s.flushMessage, "flush", 0, "flush.messages of the topic")
	flags.Float64Var(&s.rate, "rate", 1000, "records a second")
	flags.Float64Var(&s.flood, "flood", 0, "MB/s of another writer")
	flags.DurationVar(&s.length, "length", 5*time.Second, "of the measurement")
	flags.Parse(os.Args[2:])
	if os.Args[1] == "boot" {
		if err := boot(s, flags.Args()); err != nil {
			fail(err)
		}
		return
	}
	measure, known := measurements[os.Args[1]]
	if !known {
		fail(fmt.Errorf("no measurement is called %s", os.Args[1]))
	}
	measured, err := measure(s)
	if err != nil {
		fail(err)
	}
	json.NewEncoder(os.Stdout).Encode(measured)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
