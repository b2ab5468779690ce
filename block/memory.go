package block

import (
	"context"
	"slices"
	"sync"
	"time"

	"claviger.dev/claviger"
)

// Memory is a Store in the memory of this process, for development, for tests
// and for programs that embed the gateway and keep their own list. A restart
// forgets it. The zero value is empty and ready.
type Memory struct {
	mu      sync.Mutex
	version int64
	list    []claviger.Block
}

var _ Store = (*Memory)(nil)

// Blocks implements Store.
func (m *Memory) Blocks(context.Context) ([]claviger.Block, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.list), nil
}

// BlocksVersion implements Store.
func (m *Memory) BlocksVersion(context.Context) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.version, nil
}

// PutBlock adds a block, in place of one of the same scope and name. It refuses
// one that would keep out nobody.
func (m *Memory) PutBlock(_ context.Context, b claviger.Block) error {
	if err := Check(b); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.remove(b.Scope, b.Name)
	m.list = append(m.list, b)
	m.version++
	return nil
}

// DropBlock takes a block away, and reports whether there was one.
func (m *Memory) DropBlock(_ context.Context, scope claviger.BlockScope, name string) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.remove(scope, name) {
		return false, nil
	}
	m.version++
	return true, nil
}

// SweepBlocks deletes the blocks that ended by themselves before a time, and returns
// how many that were.
func (m *Memory) SweepBlocks(_ context.Context, before time.Time) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := len(m.list)
	m.list = slices.DeleteFunc(m.list, func(b claviger.Block) bool { return !b.Until.IsZero() && b.Until.Before(before) })
	if n == len(m.list) {
		return 0, nil
	}
	m.version++
	return int64(n - len(m.list)), nil
}

func (m *Memory) remove(scope claviger.BlockScope, name string) bool {
	n := len(m.list)
	m.list = slices.DeleteFunc(m.list, func(b claviger.Block) bool { return b.Scope == scope && b.Name == name })
	return len(m.list) < n
}
