package openaitest

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Call is what is known about one request.
type Call struct {
	Method, Path, RawQuery, Host string
	// Pattern is the path with {id} in the place of every id, for instance
	// "/v1/responses/{id}/cancel"; empty when nothing is served there.
	Pattern string
	// Header is the request's; Body is whole, as it came, but for multipart bodies
	// of more than 1 MiB, where it is empty.
	Header http.Header
	Body   []byte
	// Parts are those of a multipart body, in their order.
	Parts []Part
	// Key is the bearer key that was presented and accepted, else empty.
	Key string
	// Fault is the fault that struck, else empty.
	Fault Kind
	// Status is the answer's, 0 while there is none.
	Status int
	// Started is when the headers had come, Ended when the handler returned:
	// zero while the call runs.
	Started, Ended time.Time
	// Canceled says that the client left before it had the whole answer.
	Canceled   bool
	CanceledAt time.Time
	// Bytes of the body and Events of the stream that were written so far.
	Bytes  int64
	Events int
	// Usage is what was charged so far.
	Usage Tokens
}

// Calls are recorded calls, oldest first.
type Calls []Call

// Ended counts the calls that are over.
func (c Calls) Ended() int {
	return c.count(func(c Call) bool { return !c.Ended.IsZero() })
}

// Canceled counts the calls whose client left early.
func (c Calls) Canceled() int {
	return c.count(func(c Call) bool { return c.Canceled })
}

// Path returns the calls of one path.
func (c Calls) Path(path string) Calls {
	var out Calls
	for _, call := range c {
		if call.Path == path {
			out = append(out, call)
		}
	}
	return out
}

// Pattern returns the calls of one method to the paths of a pattern, for instance
// "GET" and "/v1/conversations/{id}/items".
func (c Calls) Pattern(method, pattern string) Calls {
	var out Calls
	for _, call := range c {
		if call.Method == method && call.Pattern == pattern {
			out = append(out, call)
		}
	}
	return out
}

func (c Calls) count(f func(Call) bool) int {
	n := 0
	for _, call := range c {
		if f(call) {
			n++
		}
	}
	return n
}

// Ended is a condition for [Sim.Wait]: at least n calls are over.
func Ended(n int) func(Calls) bool { return func(c Calls) bool { return c.Ended() >= n } }

// Canceled is a condition for [Sim.Wait]: at least n clients left early, and
// their calls are over.
func Canceled(n int) func(Calls) bool {
	return func(c Calls) bool {
		return c.count(func(c Call) bool { return c.Canceled && !c.Ended.IsZero() }) >= n
	}
}

// Tokens are sums of usage. Cached is part of Input and Reasoning of Output.
type Tokens struct {
	Input     int64 `json:"input"`
	Cached    int64 `json:"cached"`
	Output    int64 `json:"output"`
	Reasoning int64 `json:"reasoning"`
}

func (t Tokens) plus(o Tokens) Tokens {
	return Tokens{t.Input + o.Input, t.Cached + o.Cached, t.Output + o.Output, t.Reasoning + o.Reasoning}
}

// Units is what was charged, by ended calls and by those in flight.
type Units struct {
	Total Tokens
	// ByKey holds every key that was charged.
	ByKey map[string]Tokens
}

// Calls returns the record. Headers and bodies are shared with it and may not be
// changed.
func (s *Sim) Calls() Calls {
	s.rec.mu.Lock()
	defer s.rec.mu.Unlock()
	return s.rec.snapshot()
}

// Count returns how many calls had this path, for instance "/v1/responses"; an
// empty path counts all. Refused calls count too.
func (s *Sim) Count(path string) int {
	s.rec.mu.Lock()
	defer s.rec.mu.Unlock()
	if path == "" {
		return s.rec.total
	}
	return s.rec.counts[path]
}

// Units returns what was charged since the last [Sim.Reset].
func (s *Sim) Units() Units {
	s.rec.mu.Lock()
	defer s.rec.mu.Unlock()
	u := Units{Total: s.rec.sum, ByKey: maps.Clone(s.rec.byKey)}
	for e := range s.rec.running {
		if e.generation == s.rec.generation && e.own != (Tokens{}) {
			u.Total = u.Total.plus(e.own)
			u.ByKey[e.call.Key] = u.ByKey[e.call.Key].plus(e.own)
		}
	}
	return u
}

// Reset empties the record, the sums and the memory of prompts and responses.
// Calls in flight are left out of the new record. Faults stay; see [Sim.Clear].
func (s *Sim) Reset() {
	s.rec.mu.Lock()
	s.rec.reset()
	s.rec.mu.Unlock()
	s.memory.reset()
}

// Wait returns nil as soon as the condition holds of the record. It is tried now
// and whenever a call begins, writes an event, is cancelled or ends. When ctx ends first, the
// error says what the record held then.
func (s *Sim) Wait(ctx context.Context, condition func(Calls) bool) error {
	for {
		s.rec.mu.Lock()
		calls := s.rec.snapshot()
		changed := s.rec.changes()
		s.rec.mu.Unlock()
		if condition(calls) {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("openaitest: gave up waiting at %d calls, %d ended, %d cancelled: %w",
				len(calls), calls.Ended(), calls.Canceled(), context.Cause(ctx))
		}
	}
}

// entry is a call in the record; the recorder's lock guards it.
type entry struct {
	call       Call
	generation int
	own        Tokens // charged while the call ran
	late       Tokens // charged by what ran on in the background
}

// progress is what the handler knows of its own call and publishes.
type progress struct {
	key     string
	pattern string
	fault   Kind
	status  int
	bytes   int64
	events  int
	usage   Tokens
}

type recorder struct {
	mu         sync.Mutex
	keep       int
	generation int
	entries    []*entry
	running    map[*entry]struct{}
	total      int
	counts     map[string]int
	sum        Tokens
	byKey      map[string]Tokens
	changed    chan struct{} // closed at the next change; nil when nobody waits
	idle       chan struct{} // closed when nothing runs; nil when nobody waits
}

func (r *recorder) init(keep int) {
	if keep <= 0 {
		keep = 10_000
	}
	r.keep = keep
	r.running = make(map[*entry]struct{})
	r.reset()
}

func (r *recorder) reset() {
	r.generation++
	r.entries, r.total, r.counts = nil, 0, make(map[string]int)
	r.sum, r.byKey = Tokens{}, make(map[string]Tokens)
	r.notify()
}

func (r *recorder) snapshot() Calls {
	out := make(Calls, len(r.entries))
	for i, e := range r.entries {
		out[i] = e.call
	}
	return out
}

func (r *recorder) changes() <-chan struct{} {
	if r.changed == nil {
		r.changed = make(chan struct{})
	}
	return r.changed
}

func (r *recorder) notify() {
	if r.changed != nil {
		close(r.changed)
		r.changed = nil
	}
}

func (r *recorder) begin(req *http.Request) *entry {
	e := &entry{call: Call{
		Method: req.Method, Path: req.URL.Path, RawQuery: req.URL.RawQuery, Host: req.Host,
		Header: req.Header.Clone(), Started: time.Now(),
	}}
	r.mu.Lock()
	defer r.mu.Unlock()
	e.generation = r.generation
	if len(r.entries) >= 2*r.keep {
		r.entries = slices.Clone(r.entries[r.keep:])
	}
	r.entries = append(r.entries, e)
	r.running[e] = struct{}{}
	r.total++
	r.counts[e.call.Path]++
	r.notify()
	return e
}

func (r *recorder) arrived(e *entry, body []byte, f form) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(f.parts) > 0 {
		e.call.Parts = f.record()
	}
	if len(f.parts) == 0 || len(body) <= keptForm {
		e.call.Body = body
	}
	r.notify()
}

func (r *recorder) publish(e *entry, p progress) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e.take(p)
	r.notify()
}

func (e *entry) take(p progress) {
	c := &e.call
	c.Key, c.Pattern, c.Fault, c.Status, c.Bytes, c.Events = p.key, p.pattern, p.fault, p.status, p.bytes, p.events
	e.own, c.Usage = p.usage, p.usage.plus(e.late)
}

func (r *recorder) canceled(e *entry, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e.call.Canceled, e.call.CanceledAt = true, at
	r.notify()
}

func (r *recorder) end(e *entry, p progress, at time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e.take(p)
	e.call.Ended = at
	delete(r.running, e)
	r.charge(e, p.key, p.usage)
	if len(r.running) == 0 && r.idle != nil {
		close(r.idle)
		r.idle = nil
	}
	r.notify()
}

func (r *recorder) charge(e *entry, key string, t Tokens) {
	if e.generation == r.generation && t != (Tokens{}) {
		r.sum = r.sum.plus(t)
		r.byKey[key] = r.byKey[key].plus(t)
	}
}

// chargeLate adds what was generated in the background for a call.
func (r *recorder) chargeLate(e *entry, key string, t Tokens) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e.late = e.late.plus(t)
	e.call.Usage = e.call.Usage.plus(t)
	r.charge(e, key, t)
	r.notify()
}

// drain waits until no call runs.
func (r *recorder) drain() {
	r.mu.Lock()
	if len(r.running) == 0 {
		r.mu.Unlock()
		return
	}
	if r.idle == nil {
		r.idle = make(chan struct{})
	}
	idle := r.idle
	r.mu.Unlock()
	<-idle
}
