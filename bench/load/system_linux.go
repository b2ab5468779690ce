package load

import (
	"syscall"
	"time"
)

// manyLoopbacks: all of 127.0.0.0/8 is this machine's.
const manyLoopbacks = true

// nap sleeps without the runtime's timers, which on Linux round up to whole
// milliseconds when nothing else is to do.
func nap(d time.Duration) {
	if d <= 0 {
		return
	}
	ts := syscall.NsecToTimespec(d.Nanoseconds())
	_ = syscall.Nanosleep(&ts, nil) // woken early by a signal: the caller looks at the clock
}
