package keys

import (
	"net/http"
	"time"
)

// The times of a key's health.
const (
	// trialEvery is how long a rejected key stays out before it is tried again.
	trialEvery = time.Minute
	// firstCooling and longestCooling bound a cool-down without a time from the
	// provider; it doubles from one to the other.
	firstCooling   = 5 * time.Second
	longestCooling = 30 * time.Second
	// longestTold bounds a cool-down whose time the provider told.
	longestTold = time.Hour
)

// State says whether a key is fit to be used.
type State string

// The states. A rejected key was refused with 401 or 403 and a cooling one with
// 429; a misplaced one answers for another project than the one to which it is
// pinned; a retired one was taken out of use by an operator; a missing one could
// not be read.
const (
	StateHealthy   State = "healthy"
	StateCooling   State = "cooling"
	StateRejected  State = "rejected"
	StateMisplaced State = "misplaced"
	StateRetired   State = "retired"
	StateMissing   State = "missing"
)

// health is what is known about one key. The pool guards it.
type health struct {
	state State
	// until is when the key may be tried again.
	until time.Time
	// told says that the provider named the time, so that the key is healthy
	// from then on. Otherwise one trial goes first.
	told bool
	// trial says that a trial is out, whose end decides.
	trial bool
	// coolings counts the cool-downs in a row without a time.
	coolings int
	// answer is the provider's status that put the key out.
	answer int
}

// tick lets time pass: a cool-down of a told length ends by itself.
func (h *health) tick(now time.Time) {
	if h.state == StateCooling && h.told && !now.Before(h.until) {
		h.state = StateHealthy
	}
}

// due reports whether a trial may go out at now.
func (h *health) due(now time.Time) bool {
	return (h.state == StateCooling || h.state == StateRejected) && !now.Before(h.until)
}

// begin sends out a trial. The next one waits for its end, or for as long as
// the state would last anew, so that a trial that is never reported is not the
// end of the key.
func (h *health) begin(now time.Time) {
	h.trial = true
	h.until = now.Add(longestCooling)
	if h.state == StateRejected {
		h.until = now.Add(trialEvery)
	}
}

// learn takes in how a call with the key ended.
func (h *health) learn(now time.Time, status int, retryAfter time.Duration) {
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		*h = health{state: StateRejected, until: now.Add(trialEvery), answer: status}
	case status == http.StatusTooManyRequests:
		h.cool(now, retryAfter)
	case status == 0 || status >= http.StatusInternalServerError:
		h.nothing(now)
	default:
		h.heal(now)
	}
}

// cool begins a cool-down. One that is running is not made shorter: several
// calls may have been out when the limit was reached.
func (h *health) cool(now time.Time, told time.Duration) {
	if h.state == StateRejected && !h.trial {
		return
	}
	running := h.state == StateCooling && !h.trial && now.Before(h.until)
	if told > 0 {
		until := now.Add(min(told, longestTold))
		if running && until.Before(h.until) {
			return
		}
		*h = health{state: StateCooling, until: until, told: true, answer: http.StatusTooManyRequests}
		return
	}
	if running {
		return
	}
	n := h.coolings
	wait := min(firstCooling<<min(n, 8), longestCooling)
	*h = health{state: StateCooling, until: now.Add(wait), coolings: n + 1, answer: http.StatusTooManyRequests}
}

// heal takes in that the provider accepted the key. A call that went out before
// the key was refused says nothing against the refusal.
func (h *health) heal(now time.Time) {
	if h.state != StateHealthy && !h.trial && now.Before(h.until) {
		return
	}
	*h = health{state: StateHealthy}
}

// nothing takes in a call that told nothing about the key. A trial of a cooling
// key may be repeated at once; one of a rejected key waits its minute.
func (h *health) nothing(now time.Time) {
	if !h.trial {
		return
	}
	h.trial = false
	if h.state == StateCooling {
		h.until = now
	}
}
