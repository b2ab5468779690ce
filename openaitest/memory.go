package openaitest

import "sync"

// memoryLimit bounds how many beginnings of prompts are remembered; past it they
// are forgotten all at once.
const memoryLimit = 8192

// memory is what outlives a call: beginnings of prompts, for the prompt cache, and
// the account's objects.
type memory struct {
	mu      sync.Mutex
	prompts map[uint64]struct{}

	responses     shelf[*storedResponse]
	conversations shelf[*conversation]
	chats         shelf[*storedChat]
	files         shelf[*file]
	uploads       shelf[*upload]
	stores        shelf[*vectorStore]
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

// item finds an item of a stored response or of a conversation by its id.
func (m *memory) item(id string) (*item, bool) {
	for _, r := range m.responses.all() {
		for _, items := range [][]*item{r.input, r.output} {
			if it, ok := itemIn(items, id); ok {
				return it, true
			}
		}
	}
	for _, c := range m.conversations.all() {
		if it, ok := itemIn(c.items, id); ok {
			return it, true
		}
	}
	return nil, false
}

func itemIn(items []*item, id string) (*item, bool) {
	for _, it := range items {
		if it.id == id {
			return it, true
		}
	}
	return nil, false
}

func (m *memory) reset() {
	m.mu.Lock()
	m.prompts = nil
	m.mu.Unlock()
	m.responses.reset()
	m.conversations.reset()
	m.chats.reset()
	m.files.reset()
	m.uploads.reset()
	m.stores.reset()
}
