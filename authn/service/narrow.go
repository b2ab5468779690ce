package service

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"claviger.dev/claviger"
)

// defaultTicket is the life of a ticket for which none was asked.
const defaultTicket = 5 * time.Minute

// Ask is what a server wants to hand to one of its users.
type Ask struct {
	// Claims are those that the ticket is to carry.
	Claims claviger.Claims
	// Plan is the one plan of the ticket; empty for none.
	Plan string
	// Actions are the only actions for which it is to be good; nil for no such
	// bound.
	Actions []string
	// TTL is the life; 0 for the usual one.
	TTL time.Duration
	// JKT is the thumbprint of the key to which it is to be bound; empty for
	// none.
	JKT string
}

// Narrow returns what the key may hand out of what was asked: it refuses what
// goes beyond, and writes down what leaving something out would widen. An error
// is a *claviger.Error with CodeForbidden or CodeInvalidInput and the member.
func (k *Key) Narrow(q Ask) (Ask, error) {
	for name := range q.Claims {
		if !slices.Contains(k.Claims, name) {
			return Ask{}, refused("claims", "This service key may not set that claim")
		}
	}
	var err error
	if q.Plan, err = k.plan(q.Plan); err != nil {
		return Ask{}, err
	}
	if q.Actions == nil {
		q.Actions = k.Actions
	}
	for _, a := range q.Actions {
		if k.Actions != nil && !slices.Contains(k.Actions, a) {
			return Ask{}, refused("actions", "This service key may not hand out that action")
		}
	}
	if k.DPoP && q.JKT == "" {
		return Ask{}, invalid("dpop_jkt", "Invalid dpop_jkt: this service key hands out tickets that are bound to a key alone")
	}
	q.TTL, err = k.life(q.TTL)
	return q, err
}

// plan is the plan of a ticket. A key that is bound to plans writes one of them
// into each: without one, conditions could decide for another.
func (k *Key) plan(asked string) (string, error) {
	switch {
	case asked == "" && len(k.Plans) == 0:
		return "", nil
	case asked == "" && len(k.Plans) == 1:
		return k.Plans[0], nil
	case asked == "":
		return "", invalid("plan", "Invalid plan: name one of those of this service key")
	case !slices.Contains(k.Plans, asked):
		return "", refused("plan", "This service key may not hand out that plan")
	}
	return asked, nil
}

// life is the life of a ticket: what was asked, or five minutes, and never more
// than the key allows.
func (k *Key) life(asked time.Duration) (time.Duration, error) {
	longest := LongestTTL
	if k.TicketTTL > 0 {
		longest = min(longest, k.TicketTTL)
	}
	switch {
	case asked == 0:
		return min(longest, defaultTicket), nil
	case asked < 0 || asked > longest:
		return 0, invalid("ttl", fmt.Sprintf("Invalid ttl: at most %d seconds", int64(longest.Seconds())))
	}
	return asked, nil
}

var errBeyond = errors.New("service: beyond what the key may hand out")

func refused(param, detail string) error {
	return &claviger.Error{Code: claviger.CodeForbidden, Param: param, Detail: detail, Err: errBeyond}
}

func invalid(param, detail string) error {
	return &claviger.Error{Code: claviger.CodeInvalidInput, Param: param, Detail: detail, Err: errBeyond}
}
