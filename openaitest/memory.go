package openaitest

import "sync"

// memoryLimit bounds how many prompts and responses are remembered; past it the
// memory starts anew.
const memoryLimit = 8192

// memory is what outlives a call: beginnings of prompts, for the prompt cache, and
// the ids of stored responses with their tokens, for previous_response_id.
type memory struct {
	mu        sync.Mutex
	prompts   map[uint64]struct{}
	responses map[string]int64
}

// cached returns how many of the input tokens the prompt cache holds, and how
// many it now takes in. OpenAI caches from 1,024 tokens on, in steps of 128.
func (m *memory) cached(prefix uint64, tokens int64) (hit, written int64) {
	if tokens < 1024 {
		return 0, 0
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	whole := tokens / 128 * 128
	if _, ok := m.prompts[prefix]; ok {
		return whole, 0
	}
	if m.prompts == nil || len(m.prompts) >= memoryLimit {
		m.prompts = make(map[uint64]struct{})
	}
	m.prompts[prefix] = struct{}{}
	return 0, whole
}

func (m *memory) keep(id string, tokens int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.responses == nil || len(m.responses) >= memoryLimit {
		m.responses = make(map[string]int64)
	}
	m.responses[id] = tokens
}

func (m *memory) response(id string) (tokens int64, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	tokens, ok = m.responses[id]
	return tokens, ok
}

func (m *memory) reset() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.prompts, m.responses = nil, nil
}
