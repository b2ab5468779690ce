// Package gateway is the path of a request, in one direction: host, address,
// route, origin, caller, body, policy, limits, provider, answer, settlement. It
// decides nothing by itself that a seam of package claviger decides, and it
// links no driver: whoever embeds it brings the authenticators, the plans, the
// admission and the upstream.
package gateway

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"claviger.dev/claviger"
)

// The contract's time limits, used where Options leaves them zero.
const (
	defaultHeartbeat   = 15 * time.Second
	defaultBodyTimeout = 60 * time.Second
	defaultStall       = 30 * time.Second
	defaultSettle      = 5 * time.Second
)

const defaultUploadMemory = 256 << 20 // bytes

// Options are what a gateway has for its whole life. What a new configuration
// can change is in Snapshot.
type Options struct {
	// Admission takes the charges. It outlives snapshots, so that a reload
	// forgets nothing that was spent. Required.
	Admission claviger.Admission
	// Blocks knows who is kept out; nil keeps out nobody. It outlives snapshots,
	// and does not need a good configuration. Calls under way end when a block
	// comes that keeps their caller out.
	Blocks claviger.Blocks
	// Recorder receives the account of every request. Nil records nothing.
	Recorder claviger.Recorder
	// Transcripts keep what was said, where a retention policy says so; nil keeps
	// nothing.
	Transcripts claviger.Transcripts
	// Logger receives one line a request. Nil discards them.
	Logger *slog.Logger
	// Now is the clock of decisions; nil is time.Now. Timers run on the real
	// clock in any case.
	Now func() time.Time
	// Heartbeat is the longest silence towards the caller of a stream, and how
	// long its headers wait for the provider's. 0 means 15 s, which is also the
	// most.
	Heartbeat time.Duration
	// BodyTimeout is how long a caller may take to send a body; 0 means 60 s.
	BodyTimeout time.Duration
	// Stall is how long a caller may keep an event unread; 0 means 30 s.
	Stall time.Duration
	// UploadMemory is how many bytes of files may be in memory at once, of all
	// callers together; 0 means 256 MiB. Beyond it uploads are told to come back.
	UploadMemory int64
}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Heartbeat <= 0 || o.Heartbeat > defaultHeartbeat {
		o.Heartbeat = defaultHeartbeat
	}
	if o.BodyTimeout <= 0 {
		o.BodyTimeout = defaultBodyTimeout
	}
	if o.UploadMemory <= 0 {
		o.UploadMemory = defaultUploadMemory
	}
	if o.Stall <= 0 {
		o.Stall = defaultStall
	}
	return o
}

// Gateway is the public listener's handler. It is safe for concurrent use.
type Gateway struct {
	options Options
	current atomic.Pointer[compiled]
	// uploads is how many bytes of files are in memory.
	uploads atomic.Int64
	calls   calls
}

// New makes a gateway that serves by s until Swap. It refuses a snapshot that
// would leave a gate open. With Options.Blocks, Close has to be called when the
// gateway is not needed any more.
func New(o Options, s Snapshot) (*Gateway, error) {
	if o.Admission == nil {
		return nil, errors.New("gateway: no admission: limits could not be kept")
	}
	g := &Gateway{options: o.withDefaults()}
	if err := g.Swap(s); err != nil {
		return nil, err
	}
	g.watchBlocks()
	return g, nil
}

// Swap makes s the snapshot of every request that begins from now on. Requests
// under way keep the one that they began with. On error nothing changes.
func (g *Gateway) Swap(s Snapshot) error {
	c, err := compile(s)
	if err != nil {
		return fmt.Errorf("gateway: %w", err)
	}
	g.current.Store(c)
	return nil
}

// ServeHTTP implements http.Handler.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := g.begin(w, r)
	defer x.end()
	if err := x.serve(); err != nil {
		x.fail(err)
	}
}
