package openaitest

import (
	"container/list"
	"sync"
)

// Bounds of one shelf: how many objects, and how many bytes together. The newest
// object stays whatever it weighs.
const (
	shelfLimit = 8192
	shelfBytes = 256 << 20
)

// shelf keeps the objects of one kind, the newest of them within bounds. An object
// on it is never changed: change replaces it. The zero value is empty.
type shelf[T any] struct {
	mu    sync.Mutex
	byID  map[string]*list.Element
	order *list.List // of kept[T], oldest first
	bytes int64
}

type kept[T any] struct {
	id     string
	value  T
	weight int64
}

// put adds an object, or replaces the one of that id in its place.
func (s *shelf[T]) put(id string, v T, weight int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byID == nil {
		s.byID, s.order = make(map[string]*list.Element), list.New()
	}
	s.bytes += weight
	if e, ok := s.byID[id]; ok {
		s.bytes -= s.at(e).weight
		e.Value = kept[T]{id, v, weight}
	} else {
		s.byID[id] = s.order.PushBack(kept[T]{id, v, weight})
	}
	for s.order.Len() > 1 && (s.order.Len() > shelfLimit || s.bytes > shelfBytes) {
		s.drop(s.order.Front())
	}
}

func (s *shelf[T]) at(e *list.Element) kept[T] { return e.Value.(kept[T]) }

func (s *shelf[T]) drop(e *list.Element) {
	k := s.at(e)
	s.order.Remove(e)
	delete(s.byID, k.id)
	s.bytes -= k.weight
}

func (s *shelf[T]) get(id string) (v T, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.byID[id]
	if !ok {
		return v, false
	}
	return s.at(e).value, true
}

// change replaces an object by what f makes of it and returns that; f says also how
// many bytes came to it.
func (s *shelf[T]) change(id string, f func(T) (T, int64)) (v T, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.byID[id]
	if !ok {
		return v, false
	}
	k := s.at(e)
	more := int64(0)
	k.value, more = f(k.value)
	k.weight += more
	s.bytes += more
	e.Value = k
	return k.value, true
}

func (s *shelf[T]) remove(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.byID[id]
	if ok {
		s.drop(e)
	}
	return ok
}

// all returns the objects, oldest first.
func (s *shelf[T]) all() []T {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.order == nil {
		return nil
	}
	out := make([]T, 0, s.order.Len())
	for e := s.order.Front(); e != nil; e = e.Next() {
		out = append(out, s.at(e).value)
	}
	return out
}

func (s *shelf[T]) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.byID, s.order, s.bytes = nil, nil, 0
}
