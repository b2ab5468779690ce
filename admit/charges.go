package admit

import (
	"math"
	"slices"

	"claviger.dev/claviger"
)

// Worst is the most that a call can take.
type Worst struct {
	// Requests is how many calls it is to limits on requests, as a rule 1.
	Requests int64
	// Tokens is input and output together.
	Tokens int64
	Money  claviger.Money
}

// Charges appends to dst what a call takes from somebody's limits. scope is the
// name under which callers see the limits, key says whose they are. A limit in
// another currency than w.Money's cannot be counted and gets an amount that
// never fits.
func Charges(dst []claviger.Charge, limits []claviger.Limit, scope, key string, w Worst) []claviger.Charge {
	for _, l := range limits {
		c := claviger.Charge{Key: key, Kind: l.Kind, Window: l.Window, Scope: scope}
		switch l.Kind {
		case claviger.ChargeRate:
			c.Amount = w.Requests
		case claviger.ChargeTokens:
			c.Amount = w.Tokens
		case claviger.ChargeMoney:
			c.Amount = w.Money.Micros
			if w.Money.Currency != l.Window.Currency {
				c.Amount = math.MaxInt64
			}
		default:
			c.Amount = 1
		}
		dst = append(dst, c)
	}
	return dst
}

// Share gives so many hundredths of each limit, rounded down: what one of several
// groups may take of what there is for all of them. From percent 100 on it is the
// whole, and below 1 nothing. A limit of which less than one remains lets nobody
// through.
func Share(limits []claviger.Limit, percent int64) []claviger.Limit {
	percent = min(max(percent, 0), 100)
	out := slices.Clone(limits)
	for i := range out {
		n := &out[i].Window.Limit
		*n = *n/100*percent + *n%100*percent/100
	}
	return out
}

// Used is what Settle wants to hear about a call that held held: its tokens
// (input and output together) and what it cost. A charge in another currency is
// left out, and so stays used as held.
func Used(held []claviger.Charge, tokens int64, cost claviger.Money) []claviger.Charge {
	var used []claviger.Charge
	for _, c := range held {
		switch {
		case c.Kind == claviger.ChargeTokens:
			c.Amount = tokens
		case c.Kind == claviger.ChargeMoney && c.Window.Currency == cost.Currency:
			c.Amount = cost.Micros
		default:
			continue
		}
		if used == nil {
			used = make([]claviger.Charge, 0, len(held))
		}
		used = append(used, c)
	}
	return used
}
