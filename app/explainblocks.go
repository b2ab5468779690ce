package app

import (
	"context"
	"errors"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/authz"
	"claviger.dev/claviger/block"
	"claviger.dev/claviger/store/postgres"
	"claviger.dev/claviger/store/sqlite"
)

// openBlocks reads the blocks that a gateway on this database goes by. Where there
// is no database yet there are none. It makes nothing.
func (e *explainer) openBlocks(ctx context.Context, src source) {
	d := &database{cfg: e.in.config, src: src, sources: e.in.sources, good: true}
	kept, err := d.connect(ctx)
	switch {
	case errors.Is(err, errMemory):
		e.blocksUnknown("the blocks are in the memory of the gateway's process, where no command can look them up")
		return
	case errors.Is(err, sqlite.ErrNone), errors.Is(err, postgres.ErrNone):
		return
	case err != nil:
		e.blocksUnknown("the blocks could not be looked up: " + err.Error())
		return
	}
	defer func() { _ = kept.Close() }()
	board, err := block.Open(ctx, block.Options{Store: kept, Every: time.Hour})
	if err != nil {
		e.blocksUnknown("the blocks could not be looked up: " + err.Error())
		return
	}
	board.Close()
	e.blocks = board
}

func (e *explainer) blocksUnknown(why string) {
	e.out.Steps = append(e.out.Steps, authz.Step{Rule: "blocks", Text: why})
}

// barred looks for a block of the caller, as the gateway does: once before the plan
// is known, and once with it. It reports whether there is one.
func (e *explainer) barred(p claviger.Principal, plan string) bool {
	if e.blocks == nil {
		return false
	}
	b, found := e.blocks.Find(claviger.Barred{Principal: p, Pseudonym: e.in.snapshot.Pseudonym(p), Plan: plan})
	if !found {
		return false
	}
	rule, reason := "block."+string(b.Scope), "kept out by a block of scope "+string(b.Scope)
	if !b.IssuedBefore.IsZero() {
		reason += " for who signed in before " + instant(b.IssuedBefore)
	}
	if !b.Until.IsZero() {
		reason += " until " + instant(b.Until)
	}
	if b.Reason != "" {
		reason += ": " + printable(b.Reason)
	}
	code := claviger.CodeForbidden
	if b.Scope == claviger.BlockToken || !b.IssuedBefore.IsZero() {
		code = claviger.CodeUnauthenticated
	}
	e.out.Steps = append(e.out.Steps, authz.Step{Rule: rule, Text: reason, Plan: plan})
	e.refuse(code, rule, reason)
	return true
}
