package redis

import (
	"context"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/admit"
)

// SkewForTest makes a believe that the clock of Redis is ahead by that much.
func SkewForTest(a *Admission, by time.Duration) { a.ahead.Store(int64(by)) }

// AdmitAbandonedForTest sends an Admit after it was given up.
func AdmitAbandonedForTest(a *Admission, cs []claviger.Charge) error {
	ds, err := admit.Demands(cs)
	if err != nil {
		return err
	}
	h := &hold{a: a, id: "abandoned", demands: ds}
	if err := a.tell(context.Background(), closing{id: h.id, how: abandon}); err != nil {
		return err
	}
	return a.ask(context.Background(), h, cs)
}
