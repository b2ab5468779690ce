package claviger

import "time"

// BlockScope names whom a block keeps out.
type BlockScope string

// The scopes of blocks.
const (
	// BlockEveryone is the kill switch: nobody is served.
	BlockEveryone BlockScope = "everyone"
	// BlockPlan keeps out the callers to whom a plan applies.
	BlockPlan BlockScope = "plan"
	// BlockUser keeps out one person, however they present themselves.
	BlockUser BlockScope = "user"
	// BlockService keeps out a service key and the tickets that it asked for.
	BlockService BlockScope = "service"
	// BlockToken keeps out one credential by its own id (jti).
	BlockToken BlockScope = "token"
	// BlockKey keeps out nobody: it takes one of the provider's keys out of use, by
	// its fingerprint.
	BlockKey BlockScope = "key"
)

// Block keeps somebody out from now on. The zero value keeps out nobody.
type Block struct {
	Scope BlockScope
	// Name is the plan, the person's pseudonym, the name of the service key, or
	// the id of the token, or the fingerprint of the provider's key; empty for
	// everyone.
	Name string
	// Until is when the block ends by itself; the zero time is never.
	Until time.Time
	// IssuedBefore, when set, keeps out only credentials that were made before
	// it, or do not say when: signing in again helps.
	IssuedBefore time.Time
	// Since and Reason are for the operator.
	Since  time.Time
	Reason string
}

// Barred is who is looked for among the blocks: a caller, what names them, and
// the plan once it is known.
type Barred struct {
	Principal Principal
	Pseudonym string
	// Plan is empty before the policy has decided.
	Plan string
}

// Blocks knows who is kept out at the moment. Both methods answer from memory,
// do not block and may be called concurrently. How old the memory may be is for
// the implementation to say; where it cannot be renewed, everybody whom it kept
// out stays out.
type Blocks interface {
	// Find returns the block that keeps b out, and false where none does.
	Find(b Barred) (Block, bool)
	// Changed returns a channel that is closed when the blocks change next.
	Changed() <-chan struct{}
}
