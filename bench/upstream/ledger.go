package upstream

import (
	"fmt"
	"net/http"
	"sync"
	"time"
)

const (
	maxTracked = 100_000
	maxWait    = 30 * time.Second
)

// ledger keeps, for each request that has an id, when it came and when its
// caller left.
type ledger struct {
	mu   sync.Mutex
	seen map[string]*entry
}

type entry struct {
	begun, left moment
}

// moment is something that happens once; at is valid when done is closed.
type moment struct {
	once sync.Once
	done chan struct{}
	at   time.Time
}

func (m *moment) happen(now time.Time) {
	m.once.Do(func() { m.at = now; close(m.done) })
}

func newLedger() *ledger { return &ledger{seen: map[string]*entry{}} }

// entry returns the account of id, nil when there are too many of them.
func (l *ledger) entry(id string) *entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.seen[id]
	if e == nil && len(l.seen) < maxTracked {
		e = &entry{begun: moment{done: make(chan struct{})}, left: moment{done: make(chan struct{})}}
		l.seen[id] = e
	}
	return e
}

// begin notes that a request came. One without an id is not noted.
func (l *ledger) begin(id string, now time.Time) {
	if e := l.known(id); e != nil {
		e.begun.happen(now)
	}
}

// leave notes that a request's caller left before its answer was complete.
func (l *ledger) leave(id string, now time.Time) {
	if e := l.known(id); e != nil {
		e.left.happen(now)
	}
}

func (l *ledger) known(id string) *entry {
	if id == "" {
		return nil
	}
	return l.entry(id)
}

// Control answers, on a listener of its own, what became of a request:
// GET /begun?id=…&wait=10s and GET /left?id=…&wait=10s wait until it happened
// and answer with the time in nanoseconds since 1970, or with 404 when the wait
// was over first. A wait is at most 30 s.
func (s *Server) Control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /begun", func(w http.ResponseWriter, r *http.Request) {
		s.report(w, r, func(e *entry) *moment { return &e.begun })
	})
	mux.HandleFunc("GET /left", func(w http.ResponseWriter, r *http.Request) {
		s.report(w, r, func(e *entry) *moment { return &e.left })
	})
	return mux
}

func (s *Server) report(w http.ResponseWriter, r *http.Request, which func(*entry) *moment) {
	id := r.URL.Query().Get("id")
	wait, err := time.ParseDuration(r.URL.Query().Get("wait"))
	if id == "" || err != nil {
		http.Error(w, "id and wait (a duration such as 10s) are needed", http.StatusBadRequest)
		return
	}
	e := s.ledger.entry(id)
	if e == nil {
		http.Error(w, "too many ids", http.StatusInsufficientStorage)
		return
	}
	m := which(e)
	t := time.NewTimer(min(wait, maxWait))
	defer t.Stop()
	select {
	case <-m.done:
		_, _ = fmt.Fprint(w, m.at.UnixNano())
	case <-t.C:
		http.Error(w, "did not happen in time", http.StatusNotFound)
	case <-r.Context().Done():
	}
}
