//go:build !unix

package worker

import "time"

var began = time.Now()

// processorTime stands for what this system does not tell: the time on the clock.
func processorTime() time.Duration { return time.Since(began) }
