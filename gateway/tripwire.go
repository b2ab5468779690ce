package gateway

import (
	"errors"
	"slices"
)

var errTripwire = errors.New("the answer held one of our own keys and was stopped")

// tripped notes where one of our secrets was stopped on its way to the caller.
func (x *exchange) tripped(where string) error {
	x.event.Tripwire = where
	return errTripwire
}

// guardHeaders takes a header away that holds one of our secrets. Most headers are
// our own words; a media type, for one, is the provider's.
func (x *exchange) guardHeaders() {
	if x.s.Tripwire == nil {
		return
	}
	h := x.w.Header()
	for name, values := range h {
		if slices.ContainsFunc(values, x.s.Tripwire.ContainsString) {
			_ = x.tripped("header")
			delete(h, name)
		}
	}
}
