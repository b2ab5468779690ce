package claviger

import (
	"context"
	"time"
)

// ChargeKind names what a charge takes.
type ChargeKind string

// The kinds of charges. A rate is taken for good; a lease is given back when
// the call ends; tokens and money are taken at the worst case and settled with
// what was really used.
const (
	ChargeRate   ChargeKind = "requests"
	ChargeLease  ChargeKind = "concurrency"
	ChargeTokens ChargeKind = "tokens"
	ChargeMoney  ChargeKind = "spend"
)

// Period is the length of a window.
type Period int

// The periods. Second and minute are continuous (GCRA). Hours, days and months
// are calendar windows for tokens and money, and continuous for requests,
// where a month counts 30 days.
const (
	PeriodNone Period = iota // leases
	PeriodSecond
	PeriodMinute
	PeriodHour
	PeriodDay
	PeriodMonth
)

// Window is how much there is in which time.
type Window struct {
	// Limit is the most that may be taken: requests, calls in flight, tokens,
	// or millionths of a currency unit.
	Limit int64
	Per   Period
	// Zone decides where a calendar day begins; nil is UTC.
	Zone *time.Location
	// Currency is set for money.
	Currency string
}

// Limit is one limit of a plan or of everyone, before it is bound to somebody.
type Limit struct {
	Kind   ChargeKind
	Window Window
}

// Charge is one thing taken from one window.
type Charge struct {
	// Key is whose window it is: scope and pseudonym or address, as
	// "user:3kq…". Kind, period, zone and currency belong to the identity too.
	// The limit does not: who gets another one keeps what was used.
	Key    string
	Kind   ChargeKind
	Amount int64
	Window Window
	// Scope is the name under which callers see this limit: "user", "ip",
	// "total".
	Scope string
}

// Standing is what is left in one window after a charge.
type Standing struct {
	Charge    Charge
	Remaining int64
	// Reset is how long until the window is full again (continuous) or begins
	// anew (calendar). 0 for leases.
	Reset time.Duration
}

// Admission takes charges. Admit takes all of them or none. A refusal is an
// *Error with CodeRateLimited, CodeTooManyInFlight or CodeBudgetExhausted,
// RetryAfter and Standings; any other error means that the limits cannot be
// known, and denies. It may be called concurrently, blocks on a store until
// ctx ends at the longest, and never between taking and returning.
type Admission interface {
	Admit(ctx context.Context, charges []Charge) (Hold, error)
}

// Hold is what Admit took. Settle gives back leases and the difference between
// what was held and what was used: used names charges by key, kind and window;
// tokens and money that it does not name are used as held. Release gives back
// everything but rates. The first of both wins and the later ones do nothing.
// Both may be called after the caller's context ended. A hold that nobody
// closes expires by itself and counts as used.
type Hold interface {
	Settle(ctx context.Context, used []Charge) error
	Release(ctx context.Context) error
	// Standings says what is left right after the charge was taken.
	Standings() []Standing
}
