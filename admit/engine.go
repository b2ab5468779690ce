package admit

import (
	"encoding/binary"
	"time"

	"claviger.dev/claviger"
)

// Shape is how a charge is counted. Its numbers are stable: engines store them.
type Shape = shape

// The shapes: continuous and taken for good; so many at once; continuous, held
// and settled; so much in a window of the calendar, held and settled.
const (
	ShapeRate     = shapeRate
	ShapeLease    = shapeLease
	ShapeFlow     = shapeFlow
	ShapeCalendar = shapeCalendar
)

// Never is the wait for what no passing of time makes possible.
const Never = time.Duration(never)

// Demand is one charge as an engine outside of this process has to judge it.
type Demand struct {
	Shape Shape
	// Limit is never negative.
	Limit int64
	// Period is 0 for leases. A month counts 30 days.
	Period time.Duration
	// Need is what the window must have, taken together with the other charges
	// on it. It is taken once, for the first of them.
	Need int64
	// First is the index of the first charge on the same window.
	First int
	id    id
}

// Demands reads charges by the rules that Memory goes by. An error says that a
// charge has no meaning, which denies.
func Demands(charges []claviger.Charge) ([]Demand, error) {
	var some [usual]wanted
	ws, err := want(some[:0], charges)
	if err != nil {
		return nil, err
	}
	ds := make([]Demand, len(ws))
	for i := range ws {
		w := &ws[i]
		ds[i] = Demand{
			Shape: w.rule.shape, Limit: w.rule.limit, Period: time.Duration(w.rule.period),
			Need: w.need, First: w.first, id: w.id,
		}
	}
	return ds, nil
}

// AppendIdentity appends what tells the demand's window from all others: two
// windows are one exactly if these bytes are the same. They hold the charge's
// key in clear.
func (d *Demand) AppendIdentity(dst []byte) []byte {
	dst = append(dst, byte(d.id.per))
	for _, s := range [...]string{string(d.id.kind), d.id.zone, d.id.currency, d.id.key} {
		dst = binary.AppendUvarint(dst, uint64(len(s)))
		dst = append(dst, s...)
	}
	return dst
}

// AsHeld stands for a use that was not named.
const AsHeld = -1

// Uses says what was used of each window that ds take from, in their order and
// without rates, or AsHeld. An error says that used made no sense; the rest of
// it is to be settled all the same.
func Uses(ds []Demand, used []claviger.Charge) ([]int64, error) {
	var err error
	var out []int64
	known := 0
	for i := range ds {
		if ds[i].First != i {
			continue
		}
		amount, n := usedOf(&ds[i].id, ds[i].Shape, used)
		known += n
		if n == 0 {
			amount = AsHeld
		} else if amount < 0 {
			amount, err = AsHeld, errNegative
		}
		if ds[i].Shape != ShapeRate {
			out = append(out, amount)
		}
	}
	return out, joined(err, known, len(used))
}

// Refusal is the error for a charge that did not fit. wait is how long until it
// can, or Never; standings are how all charges stand.
func Refusal(c *claviger.Charge, s Shape, wait time.Duration, standings []claviger.Standing) error {
	return refusal(c, s, int64(wait), standings)
}
