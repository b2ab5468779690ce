package admit

import (
	"math"
	"math/bits"

	"claviger.dev/claviger"
)

const (
	second = int64(1e9)
	minute = 60 * second
	hour   = 60 * minute
	day    = 24 * hour
	month  = 30 * day
)

// periodNanos is the length of a period in nanoseconds, 0 for PeriodNone. A
// month counts 30 days.
func periodNanos(p claviger.Period) int64 {
	switch p {
	case claviger.PeriodSecond:
		return second
	case claviger.PeriodMinute:
		return minute
	case claviger.PeriodHour:
		return hour
	case claviger.PeriodDay:
		return day
	case claviger.PeriodMonth:
		return month
	default:
		return 0
	}
}

// farAway bounds how far ahead of the time a meter may run, some 73 years. It
// keeps every sum below far from the end of int64.
const farAway = int64(1) << 61

// meter is the state of a continuous limit of N in a period P, by the generic
// cell rate algorithm: the time at which all that was taken will have drained,
// as a whole number of nanoseconds and a fraction num/den. One thing takes P/N
// nanoseconds to drain, which is seldom a whole number; with the fraction no
// sum of them is ever rounded, so that N fit at once and no more, and N +
// elapsed × N/P fit in any time and no more. den is the N of the last charge;
// 0 means that there is no fraction. The zero value has taken nothing.
type meter struct {
	tat      int64
	num, den int64
}

// drain is how long amount takes to drain at limit in period: whole
// nanoseconds, and a rest in parts of 1/limit. It stays at farAway.
func drain(amount, limit, period int64) (whole, rest int64) {
	hi, lo := bits.Mul64(uint64(amount), uint64(period))
	if hi >= uint64(limit) {
		return farAway, 0
	}
	q, r := bits.Div64(hi, lo, uint64(limit))
	if q > uint64(farAway) {
		return farAway, 0
	}
	return int64(q), int64(r)
}

// in expresses the meter's fraction in parts of 1/limit. When the limit
// changed, the fraction is rounded up to a whole nanosecond.
func (m meter) in(limit int64) meter {
	if m.den == limit || m.num == 0 {
		return meter{tat: m.tat, num: m.num, den: limit}
	}
	return meter{tat: m.tat + 1, den: limit}
}

// add takes amount at now, whether it fits or not.
func (m meter) add(now, amount, limit, period int64) meter {
	if m.tat < now {
		m = meter{tat: now, den: limit}
	}
	m = m.in(limit)
	whole, rest := drain(amount, limit, period)
	m.tat += whole
	m.num += rest
	if m.num >= limit {
		m.num -= limit
		m.tat++
	}
	if m.tat-now > farAway {
		m = meter{tat: now + farAway, den: limit}
	}
	return m
}

// ahead is how much later than t the meter has drained, in whole nanoseconds
// rounded up; 0 when it is not later.
func (m meter) ahead(t int64) int64 {
	d := m.tat - t
	if m.num > 0 {
		d++
	}
	return max(d, 0)
}

// room is how many whole things fit at now.
func (m meter) room(now, limit, period int64) int64 {
	if m.tat < now {
		return limit
	}
	m = m.in(limit)
	free := period - (m.tat - now)
	if free <= 0 {
		return 0
	}
	// (free − num/limit) × limit / period, rounded down.
	hi, lo := bits.Mul64(uint64(free), uint64(limit))
	lo, borrow := bits.Sub64(lo, uint64(m.num), 0)
	hi -= borrow
	q, _ := bits.Div64(hi, lo, uint64(period))
	return int64(q)
}

// idle reports whether all that was taken has drained at now.
func (m meter) idle(now int64) bool { return m.tat < now || m.tat == now && m.num == 0 }

// plus adds two amounts that are not negative and stays at the largest number.
func plus(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
