package gateway

import (
	"context"
	"log/slog"
	"slices"

	"claviger.dev/claviger"
	"claviger.dev/claviger/openai"
)

// outcome is what a call made, and what it ended.
type outcome interface {
	Made() []claviger.ObjectRef
	Gone() (claviger.ObjectRef, bool)
}

// checkOwner lets a call on only where the caller owns every object that it
// names, and adds to its input what those bring.
func (x *exchange) checkOwner(c *caller, call *claviger.Call, req *openai.Request) error {
	if len(call.Objects) == 0 {
		return nil
	}
	if x.s.Owners == nil {
		return &claviger.Error{Code: claviger.CodeNotFound, Param: call.Objects[0].Param}
	}
	tokens, err := x.s.Owners.Check(x.r.Context(), c.Principal, call.Objects...)
	if err != nil {
		return ownersError(err)
	}
	req.Bring(tokens)
	return nil
}

// ownersError keeps a refusal. That the owner cannot be known is told apart from
// an object that is not the caller's: it goes away by itself.
func ownersError(err error) error { return limitsError(err) }

// claim makes objects the caller's, for as long as a settlement may take: also
// for a caller who left, since the provider keeps what was made.
func (x *exchange) claim(c *caller, refs []claviger.ObjectRef) error {
	if len(refs) == 0 || x.s.Owners == nil || c == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(x.r.Context()), defaultSettle)
	defer cancel()
	if err := x.s.Owners.Claim(ctx, c.Principal, refs...); err != nil {
		return ownersError(err)
	}
	return nil
}

// shrink takes back what a call was expected to add to objects and certainly did
// not.
func (x *exchange) shrink(c *caller, grown []claviger.ObjectRef) {
	back := slices.Clone(grown)
	for i := range back {
		back[i].Tokens = -back[i].Tokens
	}
	if err := x.claim(c, back); err != nil {
		// They weigh more than they hold, which lets nobody over a limit.
		x.g.options.Logger.LogAttrs(x.r.Context(), slog.LevelWarn, "what a refused call would have added to an object still counts",
			slog.String("request_id", x.event.RequestID), slog.String("error", err.Error()))
	}
}

// keep claims what a call made before the caller reads of it, and forgets what
// it ended.
func (x *exchange) keep(c *caller, o outcome) error {
	if o == nil || c == nil {
		return nil
	}
	if err := x.claim(c, o.Made()); err != nil {
		return err
	}
	gone, ok := o.Gone()
	if !ok || x.s.Owners == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(x.r.Context()), defaultSettle)
	defer cancel()
	if err := x.s.Owners.Release(ctx, c.Principal, gone); err != nil {
		// It is gone all the same, and an id is not given twice.
		x.g.options.Logger.LogAttrs(ctx, slog.LevelWarn, "the owner of a deleted object was not forgotten",
			slog.String("request_id", x.event.RequestID), slog.String("error", err.Error()))
	}
	return nil
}
