package owner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"claviger.dev/claviger"
)

// MostObjects is how many objects a Memory keeps. Whoever claims more is
// refused: nothing is forgotten to make room.
const MostObjects = 250_000

const (
	// mostBytes is how long an id may be, as in the stores of package store.
	mostBytes = 1024
	// mostListed is how many ids a page has at most.
	mostListed = 1000
)

// Memory is a Store whose knowledge is gone with the process. Then everything
// that was claimed is nobody's, and callers get 404.
type Memory struct {
	mu      sync.RWMutex
	seq     int64
	objects map[string]*object
	// lists are the objects of an owner and a kind in the order of creation,
	// children those that name a parent.
	lists    map[listed][]*object
	children map[string]map[*object]struct{}
}

type listed struct{ owner, kind string }

type object struct {
	id, kind, parent, owner string
	created, seq, tokens    int64
}

func (o *object) compare(p *object) int {
	switch {
	case o.created != p.created && o.created < p.created, o.created == p.created && o.seq < p.seq:
		return -1
	case o == p:
		return 0
	}
	return 1
}

// NewMemory returns an empty Memory.
func NewMemory() *Memory {
	return &Memory{objects: map[string]*object{}, lists: map[listed][]*object{}, children: map[string]map[*object]struct{}{}}
}

// ClaimObjects implements Store. An id of more than 1,024 bytes is refused.
func (m *Memory) ClaimObjects(ctx context.Context, owner string, objects []claviger.ObjectRef, at time.Time) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if owner == "" || at.IsZero() {
		return errors.New("owner: a claim needs an owner and a time")
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	fresh := make([]*object, 0, len(objects))
	for i, o := range objects {
		if o.ID == "" || o.Kind == "" || max(len(o.ID), len(o.Kind), len(o.Parent)) > mostBytes {
			return fmt.Errorf("owner: an object needs a kind and an id of at most %d bytes", mostBytes)
		}
		if known := m.objects[o.ID]; known != nil {
			if known.owner != owner {
				return fmt.Errorf("owner: %w", claviger.ErrObjectTaken)
			}
			continue
		}
		fresh = append(fresh, &object{o.ID, o.Kind, o.Parent, owner, at.UnixMicro() + int64(i), 0, 0})
	}
	if len(m.objects)+len(fresh) > MostObjects {
		return fmt.Errorf("owner: more than %d objects are kept in memory; use a database", MostObjects)
	}
	for _, o := range fresh {
		if m.objects[o.id] == nil {
			m.add(o)
		}
	}
	for _, o := range objects {
		known := m.objects[o.ID]
		known.tokens = claviger.AddMicros(known.tokens, o.Tokens)
	}
	return nil
}

func (m *Memory) add(o *object) {
	m.seq++
	o.seq = m.seq
	m.objects[o.id] = o
	k := listed{o.owner, o.kind}
	i, _ := slices.BinarySearchFunc(m.lists[k], o, (*object).compare)
	m.lists[k] = slices.Insert(m.lists[k], i, o)
	if o.parent != "" {
		if m.children[o.parent] == nil {
			m.children[o.parent] = map[*object]struct{}{}
		}
		m.children[o.parent][o] = struct{}{}
	}
}

// OwnObjects implements Store.
func (m *Memory) OwnObjects(ctx context.Context, owner string, objects []claviger.ObjectRef) (own []bool, tokens int64, err error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	own = make([]bool, len(objects))
	counted := make(map[string]bool, len(objects))
	for i := range objects {
		o := m.objects[objects[i].ID]
		own[i] = o != nil && o.owner == owner
		if own[i] && !counted[o.id] {
			counted[o.id] = true
			tokens = claviger.AddMicros(tokens, max(o.tokens, 0))
		}
	}
	return own, tokens, ctx.Err()
}

// ReleaseObjects implements Store.
func (m *Memory) ReleaseObjects(ctx context.Context, owner string, objects []claviger.ObjectRef) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	ids := make([]string, 0, len(objects))
	for i := range objects {
		ids = append(ids, objects[i].ID)
	}
	for len(ids) > 0 {
		id := ids[len(ids)-1]
		ids = ids[:len(ids)-1]
		if o := m.objects[id]; o != nil && o.owner == owner {
			m.remove(o)
		}
		for child := range m.children[id] {
			if child.owner == owner {
				m.remove(child)
				ids = append(ids, child.id)
			}
		}
	}
	return nil
}

func (m *Memory) remove(o *object) {
	delete(m.objects, o.id)
	k := listed{o.owner, o.kind}
	if i, found := slices.BinarySearchFunc(m.lists[k], o, (*object).compare); found {
		m.lists[k] = slices.Delete(m.lists[k], i, i+1)
	}
	if len(m.lists[k]) == 0 {
		delete(m.lists, k)
	}
	if delete(m.children[o.parent], o); len(m.children[o.parent]) == 0 {
		delete(m.children, o.parent)
	}
}

// ListObjects implements Store. A page has at most 1,000 ids.
func (m *Memory) ListObjects(ctx context.Context, owner string, q claviger.ObjectQuery) (claviger.ObjectPage, error) {
	if q.Limit < 1 {
		return claviger.ObjectPage{}, errors.New("owner: the limit of a list is less than 1")
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	list := m.lists[listed{owner, q.Kind}]
	older, newer := q.After, q.Before
	if !q.Ascending {
		older, newer = newer, older
	}
	from, to := 0, len(list)
	for _, edge := range []struct {
		id    string
		newer bool
	}{{older, false}, {newer, true}} {
		if edge.id == "" {
			continue
		}
		at := m.objects[edge.id]
		if at == nil || at.owner != owner {
			return claviger.ObjectPage{}, ctx.Err()
		}
		i, found := slices.BinarySearchFunc(list, at, (*object).compare)
		if edge.newer {
			to = min(to, i)
			continue
		}
		if found {
			i++
		}
		from = max(from, i)
	}
	return page(list[from:max(from, to)], q), ctx.Err()
}

// page takes one page off the ids that may be in it.
func page(list []*object, q claviger.ObjectQuery) claviger.ObjectPage {
	n := min(len(list), q.Limit, mostListed)
	p := claviger.ObjectPage{More: n < len(list)}
	backwards := q.Before != "" && q.After == ""
	if q.Ascending != backwards {
		list = list[:n]
	} else {
		list = list[len(list)-n:]
	}
	for _, o := range list {
		p.IDs = append(p.IDs, o.id)
	}
	if !q.Ascending {
		slices.Reverse(p.IDs)
	}
	return p
}

// ForgetOwner implements Store. It takes time in proportion to all objects.
func (m *Memory) ForgetOwner(ctx context.Context, owner string) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	n := int64(0)
	for _, o := range m.objects {
		if o.owner == owner {
			m.remove(o)
			n++
		}
	}
	return n, nil
}
