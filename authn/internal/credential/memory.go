package credential

import (
	"crypto/sha256"
	"sync"
	"time"
)

const (
	shards = 16
	// overhead is what an entry costs beside what it holds.
	overhead = 512
	// weight is how many bytes of memory a byte of token becomes as claims.
	weight = 3
)

// Key names a credential without being one.
type Key struct {
	sum [sha256.Size]byte
	way uint8
}

// KeyOf returns the key of a credential. The way tells apart the ways in which
// the same text can be presented, since what is good as one may be nothing as
// another.
func KeyOf(credential string, way uint8) Key {
	var room [2 << 10]byte // on the stack, for all but large sessions
	if len(credential) > len(room) {
		return Key{sum: sha256.Sum256([]byte(credential)), way: way}
	}
	return Key{sum: sha256.Sum256(room[:copy(room[:], credential)]), way: way}
}

// Memory holds what tokens that were found good say, usually their callers,
// until the tokens end, so that the same one is not opened for each request. It
// is bounded in bytes and forgets what was not asked for longest, roughly. What
// it returns is shared and must not be changed.
type Memory[V any] struct {
	budget int // of one generation in one shard
	shard  [shards]shard[V]
}

// shard is a map in two generations. What is asked for moves to the young one;
// when that is full, the old one is forgotten and the young one grows old.
type shard[V any] struct {
	mu         sync.Mutex
	young, old map[Key]entry[V]
	cost       int
}

type entry[V any] struct {
	said  *V
	until time.Time
	cost  int
}

// NewMemory returns a Memory of about that many bytes.
func NewMemory[V any](size int) *Memory[V] {
	m := &Memory[V]{budget: size / shards / 2}
	for i := range m.shard {
		m.shard[i].young = map[Key]entry[V]{}
	}
	return m
}

// Get returns what a credential says that was remembered and is still good at
// now.
func (m *Memory[V]) Get(k Key, now time.Time) (*V, bool) {
	said, _, ok := m.Find(k, now)
	return said, ok
}

// Find is Get with the moment until which it is remembered.
func (m *Memory[V]) Find(k Key, now time.Time) (*V, time.Time, bool) {
	s := &m.shard[k.sum[0]%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.young[k]
	if !ok {
		if e, ok = s.old[k]; !ok {
			return nil, time.Time{}, false
		}
		delete(s.old, k)
		if now.Before(e.until) {
			m.add(s, k, e)
		}
	}
	if !now.Before(e.until) {
		m.forget(s, k)
		return nil, time.Time{}, false
	}
	return e.said, e.until, true
}

// Forget drops what is remembered about a credential.
func (m *Memory[V]) Forget(k Key) {
	s := &m.shard[k.sum[0]%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	m.forget(s, k)
	delete(s.old, k)
}

// Put remembers what a credential of that many bytes says, until then.
func (m *Memory[V]) Put(k Key, said *V, until time.Time, size int) {
	e := entry[V]{said: said, until: until, cost: size*weight + overhead}
	s := &m.shard[k.sum[0]%shards]
	s.mu.Lock()
	defer s.mu.Unlock()
	m.forget(s, k)
	delete(s.old, k)
	if e.cost <= m.budget {
		m.add(s, k, e)
	}
}

func (m *Memory[V]) add(s *shard[V], k Key, e entry[V]) {
	if s.cost+e.cost > m.budget {
		s.old, s.young, s.cost = s.young, map[Key]entry[V]{}, 0
	}
	s.young[k] = e
	s.cost += e.cost
}

func (m *Memory[V]) forget(s *shard[V], k Key) {
	if e, ok := s.young[k]; ok {
		s.cost -= e.cost
		delete(s.young, k)
	}
}

// size is the cost of all that is remembered, for tests.
func (m *Memory[V]) size() (cost int) {
	for i := range m.shard {
		s := &m.shard[i]
		s.mu.Lock()
		for _, e := range s.young {
			cost += e.cost
		}
		for _, e := range s.old {
			cost += e.cost
		}
		s.mu.Unlock()
	}
	return cost
}
