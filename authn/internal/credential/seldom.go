package credential

import (
	"sync/atomic"
	"time"
)

// Seldom keeps what every request could say from filling the log. The zero
// value is ready.
type Seldom struct{ last atomic.Int64 }

// Due reports, to one of all who ask, that nothing was told for that long.
func (s *Seldom) Due(now time.Time, every time.Duration) bool {
	last := s.last.Load()
	if last != 0 && now.Sub(time.Unix(0, last)) < every {
		return false
	}
	return s.last.CompareAndSwap(last, now.UnixNano())
}
