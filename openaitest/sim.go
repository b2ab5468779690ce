package openaitest

import (
	"crypto/rand"
	"encoding/binary"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// DefaultDelta is the pause before each delta of a stream unless
// [Options.Delta] says otherwise.
const DefaultDelta = 2 * time.Millisecond

// DefaultBackground is how long a response in the background takes unless
// [Options.Background] says otherwise.
const DefaultBackground = 200 * time.Millisecond

// MaxBody is the size of the largest request body that is read, in bytes;
// larger ones are answered with 413.
const MaxBody = 64 << 20

// Options configures a [Sim]. The zero value serves every bearer key.
type Options struct {
	// Keys are the accepted API keys. None means that any bearer key is good.
	Keys []string
	// AdminKeys open the administration API: projects, their service accounts and
	// keys. With them, a key is good as long as the administration has it: first
	// those of Keys, which belong to Project, then those that are created. Without
	// any, these paths are unknown.
	AdminKeys []string
	// Models are the ids that exist. None means a list of OpenAI's own models.
	// A name that begins with "text-embedding" embeds, one that begins with
	// "omni-moderation" or "text-moderation" moderates, "gpt-image" and "dall-e" draw,
	// "tts" speaks, "whisper" and "-transcribe" transcribe; any other generates.
	Models []string
	// Delta is the pause before each delta of a stream: 0 means
	// [DefaultDelta], less than 0 none. [Sim.SetDelta] and the request header
	// X-Openaitest-Delta change it later.
	Delta time.Duration
	// Latency is the pause before the headers of every generated answer.
	Latency time.Duration
	// Background is how long a response takes that is made in the background: the
	// first half of it queued, the second in progress. 0 means [DefaultBackground].
	Background time.Duration
	// Now is the clock for created times and cookies; nil means time.Now.
	// Times of the record are always real ones.
	Now func() time.Time
	// PromptFaults lets the last user message (or the input of an embedding
	// or moderation) ask for faults: "[[fault:stall after=3]]".
	PromptFaults bool
	// Organization and Project go into the account headers and into some error
	// messages; empty means made-up ones.
	Organization, Project string
	// KeepCalls is how many calls at least the record keeps, the newest: 0
	// means 10,000. Counts and sums stay complete whatever is dropped.
	KeepCalls int
}

// Sim is a simulated OpenAI. Make one with [New]; all methods are safe for use
// by several goroutines.
type Sim struct {
	keys         []string
	ownKey       string
	models       []modelInfo
	byModel      map[string]modelInfo
	latency      time.Duration
	now          func() time.Time
	promptFaults bool
	organization string
	project      string
	delta        atomic.Int64
	ids          ids

	org    organization
	faults faultList
	rec    recorder
	memory memory
	routes []route
	runs   time.Duration

	closing   chan struct{}
	closeOnce sync.Once
}

// New returns a simulated OpenAI that serves under /v1.
func New(o Options) *Sim {
	s := &Sim{
		keys:         slices.Clone(o.Keys),
		latency:      o.Latency,
		now:          o.Now,
		promptFaults: o.PromptFaults,
		organization: o.Organization,
		project:      o.Project,
		closing:      make(chan struct{}),
	}
	var seed [8]byte
	_, _ = rand.Read(seed[:]) // never fails: crypto/rand ends the program instead
	s.ids.seed = binary.LittleEndian.Uint64(seed[:])
	if s.ownKey = s.ids.base62("sk-", 32); len(s.keys) > 0 {
		s.ownKey = s.keys[0]
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.organization == "" {
		s.organization = s.ids.base62("org-", 24)
	}
	if s.project == "" {
		s.project = s.ids.base62("proj_", 24)
	}
	s.routes = routeTable()
	if len(o.AdminKeys) > 0 {
		s.routes = append(s.routes, prefixed(adminRoutes())...)
		s.found(o.AdminKeys, o.Keys)
	}
	if s.runs = o.Background; s.runs <= 0 {
		s.runs = DefaultBackground
	}
	s.models = modelList(o.Models)
	s.byModel = make(map[string]modelInfo, len(s.models))
	for _, m := range s.models {
		s.byModel[m.id] = m
	}
	if o.Delta == 0 {
		o.Delta = DefaultDelta
	}
	s.SetDelta(o.Delta)
	s.rec.init(o.KeepCalls)
	return s
}

// SetDelta changes the pause before each delta of the streams that begin from
// now on; 0 or less means none.
func (s *Sim) SetDelta(d time.Duration) { s.delta.Store(int64(max(d, 0))) }

// Close ends every hang and stall and waits until no call is in flight. Calls
// that come later are served, but their hangs end at once.
func (s *Sim) Close() {
	s.closeOnce.Do(func() { close(s.closing) })
	s.rec.drain()
}

// ServeHTTP answers one call as OpenAI would.
func (s *Sim) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := s.begin(w, r)
	defer x.end()
	if err := x.serve(); err != nil {
		x.settle(err)
	}
}

// ids makes identifiers that look like OpenAI's and do not repeat.
type ids struct {
	seed uint64
	n    atomic.Uint64
}

const (
	hexDigits    = "0123456789abcdef"
	base62Digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
)

func (g *ids) hex(prefix string, n int) string    { return g.make(prefix, hexDigits, n) }
func (g *ids) base62(prefix string, n int) string { return g.make(prefix, base62Digits, n) }

func (g *ids) make(prefix, digits string, n int) string {
	b := make([]byte, 0, len(prefix)+n)
	b = append(b, prefix...)
	src := source(g.seed ^ mix(g.n.Add(1)))
	for range n {
		b = append(b, digits[src.below(len(digits))])
	}
	return string(b)
}

// source is a small deterministic generator (SplitMix64): answers must be the
// same for the same prompt, on every machine.
type source uint64

func (s *source) next() uint64 {
	*s += 0x9e3779b97f4a7c15
	return mix(uint64(*s))
}

func (s *source) below(n int) int { return int(s.next() % uint64(n)) }

func mix(z uint64) uint64 {
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb
	return z ^ (z >> 31)
}

// hashOf is FNV-1a over the texts, each closed by a zero byte.
func hashOf(texts ...string) uint64 {
	h := uint64(14695981039346656037)
	for _, t := range texts {
		for i := range len(t) {
			h = (h ^ uint64(t[i])) * 1099511628211
		}
		h *= 1099511628211
	}
	return h
}
