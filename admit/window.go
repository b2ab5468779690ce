package admit

import (
	"errors"
	"fmt"
	"math"
	"time"

	"claviger.dev/claviger"
)

// shape is how a charge is counted.
type shape uint8

const (
	// shapeRate: continuous and taken for good.
	shapeRate shape = iota + 1
	// shapeLease: so many at once, each given back.
	shapeLease
	// shapeFlow: continuous, held at the worst case and settled with the use.
	shapeFlow
	// shapeCalendar: so much in an hour, day or month of the calendar, held at
	// the worst case and settled with the use.
	shapeCalendar
)

// mostOf bounds limits, so that a few amounts can be added without overflow.
const mostOf = math.MaxInt64 / 4

// rule is what a charge's kind and window mean.
type rule struct {
	shape  shape
	limit  int64
	period int64
}

var errCharge = errors.New("this charge cannot be counted")

// ruleOf refuses what has no meaning, so that a mistake in a limit denies
// instead of letting everything through.
func ruleOf(c *claviger.Charge) (rule, error) {
	w := &c.Window
	r := rule{limit: min(max(w.Limit, 0), mostOf), period: periodNanos(w.Per)}
	if c.Amount < 0 {
		return rule{}, fmt.Errorf("%w: the amount of %s is negative", errCharge, c.Kind)
	}
	switch c.Kind {
	case claviger.ChargeRate:
		r.shape = shapeRate
	case claviger.ChargeLease:
		if w.Per != claviger.PeriodNone {
			return rule{}, fmt.Errorf("%w: %s has a period", errCharge, c.Kind)
		}
		r.shape = shapeLease
		return r, nil
	case claviger.ChargeTokens, claviger.ChargeMoney:
		if c.Kind == claviger.ChargeMoney && w.Currency == "" {
			return rule{}, fmt.Errorf("%w: %s has no currency", errCharge, c.Kind)
		}
		r.shape = shapeFlow
		if w.Per >= claviger.PeriodHour {
			r.shape = shapeCalendar
		}
	default:
		return rule{}, fmt.Errorf("%w: its kind %q is not known", errCharge, c.Kind)
	}
	if r.period == 0 {
		return rule{}, fmt.Errorf("%w: %s has no period", errCharge, c.Kind)
	}
	return r, nil
}

// instant is one moment on two clocks: mono never goes back and drives what is
// continuous, wall is what calendars go by. Both are nanoseconds.
type instant struct{ mono, wall int64 }

// state is what was taken from one window, whatever its shape. The zero value
// is a window from which nothing was taken. Its methods are the whole
// arithmetic of admission and know neither locks nor clocks.
type state struct {
	meter
	// start and end bound the calendar window to which used and held belong.
	start, end int64
	used, held int64
}

// roll opens the calendar window of now when the last one is over. It never
// goes back to an earlier one.
func (s *state) roll(now instant, per claviger.Period, zone *time.Location) {
	if now.wall < s.end {
		return
	}
	from, to := Span(per, zone, time.Unix(0, now.wall))
	s.start, s.end, s.used, s.held = from.UnixNano(), to.UnixNano(), 0, 0
}

const (
	// soon is the wait when what is missing is held by calls under way, whose
	// end nobody knows.
	soon = int64(time.Second)
	// never is the wait for what no passing of time makes possible.
	never = int64(math.MaxInt64)
)

// wait is how long until amount can fit, 0 when it fits now.
func (s *state) wait(r rule, now instant, amount int64) int64 {
	switch {
	case amount == 0:
		return 0
	case amount > r.limit:
		return never
	}
	switch r.shape {
	case shapeRate:
		return s.add(now.mono, amount, r.limit, r.period).ahead(now.mono + r.period)
	case shapeLease:
		if s.held > r.limit-amount {
			return soon
		}
		return 0
	case shapeFlow:
		if s.held > r.limit-amount {
			return soon
		}
		return s.add(now.mono, s.held+amount, r.limit, r.period).ahead(now.mono + r.period)
	default:
		switch {
		case s.used > r.limit-amount:
			return max(s.end-now.wall, 1)
		case s.held > r.limit-amount-s.used:
			return soon
		}
		return 0
	}
}

// take takes amount, which fits.
func (s *state) take(r rule, now instant, amount int64) {
	switch {
	case amount == 0:
	case r.shape == shapeRate:
		s.meter = s.add(now.mono, amount, r.limit, r.period)
	default:
		s.held += amount
	}
}

// settle turns what was held into what was used. What was used beyond it is
// recorded too, also above the limit. A rate stays as it was taken.
func (s *state) settle(r rule, now instant, held, used int64) {
	if r.shape == shapeRate {
		return
	}
	s.held -= held
	if r.shape == shapeFlow {
		s.meter = s.add(now.mono, used, max(r.limit, 1), r.period)
	}
	if r.shape == shapeCalendar {
		s.used = plus(s.used, used)
	}
}

// release gives back what was held.
func (s *state) release(r rule, held int64) {
	if r.shape != shapeRate {
		s.held -= held
	}
}

// idle reports whether the window is as good as a new one.
func (s *state) idle(now instant) bool {
	return s.held == 0 && s.meter.idle(now.mono) && (s.used == 0 || now.wall >= s.end)
}

// left is what can still be taken, and how long until the window is full again
// or begins anew.
func (s *state) left(r rule, now instant) (remaining int64, reset time.Duration) {
	if r.limit == 0 {
		return 0, 0
	}
	switch r.shape {
	case shapeRate:
		return s.room(now.mono, r.limit, r.period), time.Duration(s.ahead(now.mono))
	case shapeLease:
		return max(r.limit-s.held, 0), 0
	case shapeFlow:
		full := s.add(now.mono, s.held, r.limit, r.period)
		return max(s.room(now.mono, r.limit, r.period)-s.held, 0), time.Duration(full.ahead(now.mono))
	default:
		return max(r.limit-plus(s.used, s.held), 0), time.Duration(max(s.end-now.wall, 0))
	}
}
