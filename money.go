package claviger

import (
	"fmt"
	"math"
)

// Money is an amount in millionths of a unit of a currency. It is never a
// float.
type Money struct {
	Micros int64
	// Currency is the ISO 4217 code, as "USD".
	Currency string
}

// String gives the amount with six digits after the point, as "0.000125 USD".
func (m Money) String() string {
	sign, n := "", uint64(m.Micros)
	if m.Micros < 0 {
		sign, n = "-", uint64(-(m.Micros+1))+1
	}
	return fmt.Sprintf("%s%d.%06d %s", sign, n/1e6, n%1e6, m.Currency)
}

// AddMicros adds two amounts of millionths and stays at the largest or smallest
// number instead of wrapping around, so that no sum can turn a charge into a
// refund.
func AddMicros(a, b int64) int64 {
	switch {
	case b > 0 && a > math.MaxInt64-b:
		return math.MaxInt64
	case b < 0 && a < math.MinInt64-b:
		return math.MinInt64
	}
	return a + b
}
