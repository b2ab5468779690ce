package jwt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// The rhythm of fetching.
const (
	pause        = 10 * time.Second // between the starts of two fetches
	fetchTimeout = 5 * time.Second  // for one, discovery included
	shortest     = 5 * time.Minute  // that a set is kept, whatever the issuer says
	longest      = 24 * time.Hour
	usual        = time.Hour   // when the issuer says nothing
	overdue      = time.Minute // from when a set that nobody asked for is not used unseen
)

// source keeps the published keys of an issuer. One fetch is under way at most,
// whoever waits for it; a set that was fetched stays until another is there.
type source struct {
	ring  atomic.Pointer[ring]
	fetch func(ctx context.Context) ([]key, time.Duration, error)
	now   func() time.Time
	log   *slog.Logger
	name  string // of the issuer

	mu     sync.Mutex
	flight *flight
	tried  time.Time // when the last fetch began
	failed error     // why the last fetch gave nothing
}

// flight is one fetch under way.
type flight struct {
	done chan struct{}
	// must says that nobody should go on with the keys of before it.
	must bool
}

func newSource(o *Options) (*source, error) {
	f, err := newFetcher(o)
	if err != nil {
		return nil, err
	}
	return &source{fetch: f.keys, now: o.Now, log: o.Logger, name: o.Issuer}, nil
}

// current implements keys. With keys that are not due it neither locks nor
// blocks. Due ones are fetched in the background.
func (s *source) current(ctx context.Context) *ring {
	r := s.ring.Load()
	if r != nil && s.now().Before(r.due) {
		return r
	}
	if f := s.start(ctx); f != nil && f.must {
		s.wait(ctx, f)
	}
	return s.ring.Load()
}

// newer implements keys.
func (s *source) newer(ctx context.Context) *ring {
	if f := s.start(ctx); f != nil {
		s.wait(ctx, f)
	}
	return s.ring.Load()
}

func (s *source) refresh(ctx context.Context) error {
	if f := s.start(ctx); f != nil && !s.wait(ctx, f) {
		return ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failed
}

// problems implements keys.
func (s *source) problems() []string {
	r := s.ring.Load()
	if r == nil || !s.now().Before(r.due) {
		s.start(context.Background())
	}
	s.mu.Lock()
	failed := s.failed
	s.mu.Unlock()
	switch {
	case r == nil && failed == nil:
		return []string{"not fetched yet"}
	case r == nil:
		return []string{"there are none, and callers are refused: " + failed.Error()}
	case failed != nil:
		return []string{"those of " + r.at.UTC().Format(time.RFC3339) + " are used, since the last fetch failed: " + failed.Error()}
	case len(r.keys) == 0:
		return []string{"the issuer publishes none that can verify, and callers are refused"}
	}
	return nil
}

func (s *source) wait(ctx context.Context, f *flight) bool {
	select {
	case <-f.done:
		return true
	case <-ctx.Done():
		return false
	}
}

// start returns the fetch that is under way, after beginning one if none is,
// and nil when the last one began too short a time ago. The fetch outlives the
// request that caused it, since others wait for it too.
func (s *source) start(ctx context.Context) *flight {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.flight != nil {
		return s.flight
	}
	now := s.now()
	if since := now.Sub(s.tried); !s.tried.IsZero() && since >= 0 && since < pause {
		return nil
	}
	r := s.ring.Load()
	f := &flight{done: make(chan struct{})}
	f.must = r == nil || s.tried.Before(r.due) && now.Sub(r.due) > overdue
	s.flight, s.tried = f, now
	go s.run(context.WithoutCancel(ctx), f)
	return f
}

func (s *source) run(ctx context.Context, f *flight) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	keys, life, err := s.fetch(ctx)
	if err == nil {
		s.replace(ctx, keys, life)
	}
	s.mu.Lock()
	first := s.failed == nil
	s.mu.Unlock()
	if err != nil && first {
		s.log.LogAttrs(ctx, slog.LevelWarn, "signing keys could not be fetched", slog.String("issuer", s.name), slog.Any("error", err))
	}
	s.mu.Lock()
	s.flight, s.failed = nil, err
	s.mu.Unlock()
	close(f.done)
}

// replace takes keys into use. Tokens that were verified before stay remembered
// unless a key has gone, which may be the one that signed them.
func (s *source) replace(ctx context.Context, keys []key, life time.Duration) {
	now := s.now()
	next := &ring{keys: keys, at: now, due: now.Add(life)}
	last := s.ring.Load()
	gone := last == nil || slices.ContainsFunc(last.keys, func(k key) bool {
		return !slices.ContainsFunc(keys, func(n key) bool { return n.id == k.id })
	})
	if gone {
		next.memory = newMemory()
	} else {
		next.memory = last.memory
	}
	s.ring.Store(next)
	if gone || len(last.keys) != len(keys) {
		s.log.LogAttrs(ctx, slog.LevelInfo, "signing keys changed", slog.String("issuer", s.name), slog.Int("usable", len(keys)))
	}
}

var errMaxAge = errors.New("no max-age")

// life is how long an answer may be kept, by its Cache-Control and Age (RFC
// 9111, sections 5.2.2 and 5.1), within bounds.
func life(h http.Header) time.Duration {
	d := usual
	for directive := range strings.SplitSeq(strings.ToLower(strings.Join(h["Cache-Control"], ",")), ",") {
		directive = strings.TrimSpace(directive)
		if directive == "no-store" || directive == "no-cache" {
			return shortest
		}
		if age, err := maxAge(directive); err == nil {
			d = age
		}
	}
	if age, err := strconv.ParseUint(h.Get("Age"), 10, 31); err == nil {
		d -= time.Duration(age) * time.Second
	}
	return min(max(d, shortest), longest)
}

func maxAge(directive string) (time.Duration, error) {
	digits, ok := strings.CutPrefix(directive, "max-age=")
	if !ok {
		return 0, errMaxAge
	}
	n, err := strconv.ParseUint(strings.Trim(digits, `"`), 10, 31)
	if err != nil {
		return 0, fmt.Errorf("max-age: %w", err)
	}
	return time.Duration(n) * time.Second, nil
}
