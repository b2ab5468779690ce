package admit

import (
	"fmt"
	"time"

	"claviger.dev/claviger"
)

// tooLarge tells a caller that waiting is no use.
const tooLarge = "This request is larger than its limit ever allows"

// refusal is the error for a charge that did not fit. wait is how long until it
// can. One that never can is told when its window is full again, which is when
// a smaller one fits for sure.
func refusal(c *claviger.Charge, s shape, wait int64, st []claviger.Standing) error {
	e := &claviger.Error{Code: codeOf(s), Standings: st, Err: usedUp{c.Scope, c.Kind, c.Window.Per}}
	if wait == never {
		e.Detail, e.RetryAfter = tooLarge, time.Second
		for i := range st {
			if st[i].Charge == *c {
				e.RetryAfter = max(e.RetryAfter, st[i].Reset)
			}
		}
	} else {
		e.RetryAfter = time.Duration(wait)
	}
	return e
}

func codeOf(s shape) claviger.Code {
	switch s {
	case shapeLease:
		return claviger.CodeTooManyInFlight
	case shapeCalendar:
		return claviger.CodeBudgetExhausted
	default:
		return claviger.CodeRateLimited
	}
}

// usedUp says in the log which limit refused. It does not hold the key, which
// may be somebody's address.
type usedUp struct {
	scope string
	kind  claviger.ChargeKind
	per   claviger.Period
}

// Error implements error.
func (u usedUp) Error() string {
	if u.per == claviger.PeriodNone {
		return fmt.Sprintf("the limit %s-%s is used up", u.scope, u.kind)
	}
	return fmt.Sprintf("the limit %s-%s-%s is used up", u.scope, u.kind, periodName(u.per))
}

func periodName(p claviger.Period) string {
	switch p {
	case claviger.PeriodSecond:
		return "second"
	case claviger.PeriodMinute:
		return "minute"
	case claviger.PeriodHour:
		return "hour"
	case claviger.PeriodDay:
		return "day"
	case claviger.PeriodMonth:
		return "month"
	default:
		return "none"
	}
}
