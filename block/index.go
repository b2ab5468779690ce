package block

import (
	"errors"
	"fmt"
	"time"

	"claviger.dev/claviger"
)

// index holds blocks by whom they keep out. It is not changed once it is made.
type index struct {
	everyone                       []claviger.Block
	plans, users, services, tokens map[string][]claviger.Block
	// keys are the provider's, out of use.
	keys map[string][]claviger.Block
}

// compile makes an index. odd says which blocks keep out nobody, since they name
// nobody or are of a scope that this version does not know: the others hold.
func compile(list []claviger.Block) (ix *index, odd []error) {
	ix = &index{}
	for _, b := range list {
		if err := Check(b); err != nil {
			odd = append(odd, err)
			continue
		}
		if b.Scope == claviger.BlockEveryone {
			ix.everyone = append(ix.everyone, b)
			continue
		}
		m := ix.of(b.Scope)
		if *m == nil {
			*m = map[string][]claviger.Block{}
		}
		(*m)[b.Name] = append((*m)[b.Name], b)
	}
	return ix, odd
}

func (ix *index) of(s claviger.BlockScope) *map[string][]claviger.Block {
	switch s {
	case claviger.BlockPlan:
		return &ix.plans
	case claviger.BlockUser:
		return &ix.users
	case claviger.BlockService:
		return &ix.services
	case claviger.BlockKey:
		return &ix.keys
	default:
		return &ix.tokens
	}
}

// Check returns why a block would keep out nobody, or nil.
func Check(b claviger.Block) error {
	switch b.Scope {
	case claviger.BlockEveryone:
		if b.Name != "" {
			return errors.New("block: everyone has no name")
		}
	case claviger.BlockPlan, claviger.BlockUser, claviger.BlockService, claviger.BlockToken, claviger.BlockKey:
		if b.Name == "" {
			return fmt.Errorf("block: a block of a %s names it", b.Scope)
		}
	default:
		return fmt.Errorf("block: the scope %q is not known", b.Scope)
	}
	return nil
}

// find returns the first block that keeps who out, the widest first. It reads the
// clock only where there is something to compare.
func (ix *index) find(who *claviger.Barred, now func() time.Time) (claviger.Block, bool) {
	p := &who.Principal
	for _, look := range [...]struct {
		list []claviger.Block
		by   map[string][]claviger.Block
		name string
	}{
		{list: ix.everyone},
		{by: ix.plans, name: who.Plan},
		{by: ix.services, name: p.Service},
		{by: ix.services, name: p.MintedBy},
		{by: ix.users, name: who.Pseudonym},
		{by: ix.tokens, name: p.TokenID},
	} {
		list := look.list
		if look.name != "" && len(look.by) > 0 {
			list = look.by[look.name]
		}
		for i := range list {
			if holds(&list[i], p, now) {
				return list[i], true
			}
		}
	}
	return claviger.Block{}, false
}

// holds reports whether a block that names p keeps p out at the moment.
func holds(b *claviger.Block, p *claviger.Principal, now func() time.Time) bool {
	if !b.Until.IsZero() && !now().Before(b.Until) {
		return false
	}
	return b.IssuedBefore.IsZero() || p.Issued.IsZero() || p.Issued.Before(b.IssuedBefore)
}
