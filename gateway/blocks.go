package gateway

import (
	"context"
	"errors"
	"sync"

	"claviger.dev/claviger"
)

// What callers read who are kept out. A person may know it; why is the
// operator's.
const (
	everyoneOff = "This service is switched off"
	planOff     = "This plan is switched off"
	callerOff   = "This account is blocked"
)

// barredError is the log's side of a block. It counts as a call that somebody
// cancelled, for what the provider had done until then.
type barredError struct{ block claviger.Block }

func (e *barredError) Error() string {
	s := "kept out by a block of scope " + string(e.block.Scope)
	if e.block.Reason != "" {
		s += ": " + e.block.Reason
	}
	return s
}

func (*barredError) Unwrap() error { return context.Canceled }

// barredBy is the refusal by a block. Where another credential helps, it is
// unauthenticated. No other one can be got around by coming again, so none says
// when.
func barredBy(b claviger.Block) *claviger.Error {
	e := &claviger.Error{Code: claviger.CodeForbidden, Err: &barredError{b}}
	switch {
	case b.Scope == claviger.BlockToken || !b.IssuedBefore.IsZero():
		e.Code = claviger.CodeUnauthenticated
	case b.Scope == claviger.BlockEveryone:
		e.Detail = everyoneOff
	case b.Scope == claviger.BlockPlan:
		e.Detail = planOff
	default:
		e.Detail = callerOff
	}
	return e
}

// barred refuses who is kept out at the moment. The plan is empty before it is
// known. It is asked after authentication, so that it holds for a credential
// that an authenticator remembers, too.
func (x *exchange) barred(c *caller, plan string) error {
	blocks := x.g.options.Blocks
	if blocks == nil {
		return nil
	}
	b, found := blocks.Find(claviger.Barred{Principal: c.Principal, Pseudonym: c.pseudonym, Plan: plan})
	if !found {
		return nil
	}
	x.event.Rule = "block." + string(b.Scope)
	return barredBy(b)
}

// callShards are the locks of the calls under way. A call takes two of them in
// its life, each for the time of a few assignments.
const callShards = 64

// calls are those that may be under way upstream.
type calls struct {
	shard [callShards]callShard
	stop  chan struct{}
	done  chan struct{}
	once  sync.Once
}

type callShard struct {
	mu   sync.Mutex
	head *call
	_    [48]byte // a cache line of its own
}

// call is a place in a list, part of its exchange.
type call struct {
	prev, next *call
	shard      *callShard
	caller     *caller
	plan       string
	end        context.CancelCauseFunc
}

// enter puts a call among those under way, and looks for a block once more: one
// that came before is found here, and one that comes from now on finds the call.
func (x *exchange) enter(c *caller, plan string, end context.CancelCauseFunc) error {
	if x.g.options.Blocks == nil {
		return nil
	}
	id := x.event.RequestID
	s := &x.g.calls.shard[id[len(id)-1]%callShards]
	n := &x.call
	n.shard, n.caller, n.plan, n.end = s, c, plan, end
	s.mu.Lock()
	n.prev, n.next = nil, s.head
	if s.head != nil {
		s.head.prev = n
	}
	s.head = n
	s.mu.Unlock()
	if err := x.barred(c, plan); err != nil {
		x.leave()
		return err
	}
	return nil
}

// leave takes the call out. It may be called again.
func (x *exchange) leave() {
	n := &x.call
	s := n.shard
	if s == nil {
		return
	}
	s.mu.Lock()
	if n.prev != nil {
		n.prev.next = n.next
	} else {
		s.head = n.next
	}
	if n.next != nil {
		n.next.prev = n.prev
	}
	s.mu.Unlock()
	x.call = call{}
}

// watchBlocks ends calls whose callers are kept out, each time that the blocks
// change, until Close.
func (g *Gateway) watchBlocks() {
	blocks := g.options.Blocks
	if blocks == nil {
		return
	}
	g.calls.stop, g.calls.done = make(chan struct{}), make(chan struct{})
	go func() {
		defer close(g.calls.done)
		for {
			// The channel first: what changes during the look is looked at again.
			changed := blocks.Changed()
			g.endBarred(blocks)
			select {
			case <-changed:
			case <-g.calls.stop:
				return
			}
		}
	}()
}

func (g *Gateway) endBarred(blocks claviger.Blocks) {
	for i := range g.calls.shard {
		s := &g.calls.shard[i]
		s.mu.Lock()
		for n := s.head; n != nil; n = n.next {
			b, found := blocks.Find(claviger.Barred{Principal: n.caller.Principal, Pseudonym: n.caller.pseudonym, Plan: n.plan})
			if found {
				n.end(barredBy(b))
			}
		}
		s.mu.Unlock()
	}
}

// Close ends what the gateway does by itself. Requests go on; blocks that come
// later hold for new ones alone. It may be called again.
func (g *Gateway) Close() {
	if g.calls.stop == nil {
		return
	}
	g.calls.once.Do(func() { close(g.calls.stop) })
	<-g.calls.done
}

// blocked is the refusal by which the call was ended, nil where none was.
func (a *admitted) blocked() *claviger.Error {
	e, _ := errors.AsType[*claviger.Error](context.Cause(a.ctx))
	return e
}
