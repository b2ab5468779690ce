package ticket

import (
	"crypto/sha256"
	"errors"
	"sync"
	"time"

	"claviger.dev/claviger"
)

// What is remembered of proofs. A proof is good for at most proofLife after it
// is first seen, so that a generation that old can be forgotten.
const (
	maxProofs   = 1 << 17 // in one generation
	maxOfOneKey = 1 << 12 // in one generation, so that nobody fills it alone
	proofLife   = proofAge + 3*tolerance
	fullFor     = time.Second
)

var (
	errReplayed   = errors.New("the proof was presented before")
	errManyProofs = errors.New("ticket: as many DPoP proofs were presented as can be remembered")
	errManyOfOne  = errors.New("ticket: one key presented more than 4,096 DPoP proofs in 105 seconds")
)

// proofID names a proof: its key and its jti.
type proofID [sha256.Size]byte

func idOf(jkt, jti string) proofID { return sha256.Sum256([]byte(jkt + "." + jti)) }

// MemoryProofs remembers in the memory of this process which DPoP proofs were
// seen, for as long as each would be good: 131,072 at once and 4,096 of one key,
// beyond which proofs are refused. The zero value is empty and ready.
type MemoryProofs struct {
	mu         sync.Mutex
	young, old map[proofID]struct{}
	ofKey      map[string]int // proofs in young
	turned     time.Time
}

// first reports nil the first time that it sees a proof. It does not block. On
// error the proof is refused.
func (r *MemoryProofs) first(jkt string, id proofID, now time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.turn(now)
	if _, seen := r.young[id]; seen {
		return errReplayed
	}
	if _, seen := r.old[id]; seen {
		return errReplayed
	}
	switch {
	case len(r.young) >= maxProofs:
		return &claviger.Error{Code: claviger.CodeLimitsUnavailable, RetryAfter: fullFor, Err: errManyProofs}
	case r.ofKey[jkt] >= maxOfOneKey:
		return &claviger.Error{Code: claviger.CodeRateLimited, RetryAfter: r.turned.Add(proofLife).Sub(now), Err: errManyOfOne}
	}
	r.young[id] = struct{}{}
	r.ofKey[jkt]++
	return nil
}

// turn makes the young generation the old one when it is old. A clock that goes
// back forgets nothing.
func (r *MemoryProofs) turn(now time.Time) {
	age := now.Sub(r.turned)
	if r.young != nil && age < proofLife {
		return
	}
	r.old = r.young
	if age >= 2*proofLife {
		r.old = nil
	}
	r.young, r.ofKey, r.turned = map[proofID]struct{}{}, map[string]int{}, now
}
