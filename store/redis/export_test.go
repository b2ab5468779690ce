package redis

import "time"

// SkewForTest makes a believe that the clock of Redis is ahead by that much.
func SkewForTest(a *Admission, by time.Duration) { a.ahead.Store(int64(by)) }
