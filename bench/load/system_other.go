//go:build !linux

package load

import "time"

const manyLoopbacks = false

func nap(d time.Duration) { time.Sleep(d) }
