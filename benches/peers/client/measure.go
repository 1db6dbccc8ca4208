package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// cpuOf is the user and system time a process has used, in seconds: what /proc/PID/stat counts, but to the nanosecond.
func cpuOf(pid int) float64 {
	var used unix.Timespec
	if err := unix.ClockGettime(int32((^pid)<<3|2), &used); err != nil {
		return 0
	}
	return float64(used.Nano()) / 1e9
}

func ownCPU() float64 {
	var used syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	return float64(used.Utime.Nano()+used.Stime.Nano()) / 1e9
}

// status reads one number of /proc/PID/status: VmRSS in KiB, Threads.
func status(pid int, field string) int {
	file, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if rest, found := strings.CutPrefix(lines.Text(), field+":"); found {
			var number int
			fmt.Sscan(rest, &number)
			return number
		}
	}
	return 0
}

// meter holds what was used when a measurement began.
type meter struct {
	pid         int
	began       time.Time
	broker, own float64
}

func startMeter(pid int) meter {
	return meter{pid, time.Now(), cpuOf(pid), ownCPU()}
}

// result is what a measurement prints, as JSON.
type result map[string]float64

// stop adds the broker's and the client's CPU to what was measured.
func (m meter) stop(into result) result {
	seconds := time.Since(m.began).Seconds()
	into["seconds"] = seconds
	into["cpu"] = cpuOf(m.pid) - m.broker
	into["cores"] = into["cpu"] / seconds
	into["client_cores"] = (ownCPU() - m.own) / seconds
	return into
}

// quantiles adds p50, p99 and p99.9 of times in nanoseconds, in microseconds.
func quantiles(nanos []int64, into result) result {
	if len(nanos) == 0 {
		return into
	}
	slices.Sort(nanos)
	at := func(share float64) float64 { return float64(nanos[int(share*float64(len(nanos)-1))]) / 1e3 }
	into["p50"], into["p99"], into["p999"], into["count"] = at(.5), at(.99), at(.999), float64(len(nanos))
	return into
}

// pace calls each at a steady rate. It sleeps in the kernel: the runtime's own timers are coarse when nothing else runs.
func pace(rate float64, length time.Duration, each func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
	began := time.Now()
	for number := 0; ; number++ {
		due := time.Duration(float64(number) / rate * 1e9)
		if due >= length {
			return nil
		}
		if left := due - time.Since(began); left > 0 {
			pause := syscall.NsecToTimespec(int64(left))
			syscall.Nanosleep(&pause, nil)
		}
		if err := each(); err != nil {
			return err
		}
	}
}
