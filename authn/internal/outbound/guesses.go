package outbound

import (
	"net/netip"
	"sync"
	"time"
)

// What may be guessed: credentials that turned out to be worth nothing.
const (
	burstEach, everyEach = 20, time.Second            // by one address
	burstAll, everyAll   = 200, 50 * time.Millisecond // by all together
	// addresses is how many addresses one generation remembers.
	addresses = 4096
)

// Guesses bounds how many credentials of strangers are looked up in vain, by one
// address and by all together, so that nobody can flood the server that is asked
// with made-up ones. Only what was in vain is counted.
type Guesses struct {
	mu         sync.Mutex
	now        func() time.Time
	all        time.Time // when the bucket of all is full again
	young, old map[netip.Prefix]time.Time
}

// NewGuesses returns Guesses of which none was made.
func NewGuesses(now func() time.Time) *Guesses {
	return &Guesses{now: now, young: map[netip.Prefix]time.Time{}}
}

// Wait returns how long client has to wait before another credential that
// nobody knows is looked up, 0 when it need not. An address that is not valid,
// or this machine's, where everybody comes through one server, counts among all
// alone.
func (g *Guesses) Wait(client netip.Prefix) time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	w := over(g.all, now, burstAll, everyAll)
	if personal(client) {
		w = max(w, over(g.at(client), now, burstEach, everyEach))
	}
	return w
}

// Add counts one that was in vain.
func (g *Guesses) Add(client netip.Prefix) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	g.all = later(g.all, now).Add(everyAll)
	if !personal(client) {
		return
	}
	at := later(g.at(client), now).Add(everyEach)
	if _, there := g.young[client]; !there && len(g.young) >= addresses {
		g.old, g.young = g.young, map[netip.Prefix]time.Time{}
	}
	g.young[client] = at
}

func (g *Guesses) at(client netip.Prefix) time.Time {
	if t, ok := g.young[client]; ok {
		return t
	}
	return g.old[client]
}

func personal(client netip.Prefix) bool { return client.IsValid() && !client.Addr().IsLoopback() }

// over is how long until one more fits into a bucket that is full again at full.
func over(full, now time.Time, burst int, every time.Duration) time.Duration {
	if !full.After(now) {
		return 0
	}
	return max(0, full.Sub(now)-time.Duration(burst-1)*every)
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
