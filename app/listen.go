package app

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"claviger.dev/claviger/internal/netx"
)

// bounds are what a server grants to slow and greedy callers.
type bounds struct {
	// headers is how long a request's headers may take, TLS included; idle how
	// long a connection waits for its next request.
	headers, idle time.Duration
	// headerBytes is where net/http cuts headers off without a word of ours. The
	// gateway refuses earlier, with a proper answer.
	headerBytes int
	// connections is how many one address may hold open.
	connections int
	// drain is how long requests may go on once the process is told to end.
	drain time.Duration
	// lease is how long a hold lives that nobody closes, 0 for as long as the
	// longest call and more.
	lease time.Duration
}

func standardBounds() bounds {
	return bounds{
		headers: 10 * time.Second, idle: 2 * time.Minute, headerBytes: 128 << 10,
		connections: 256, drain: 30 * time.Second,
	}
}

// server makes a server with these bounds. There is no WriteTimeout: streams
// are bounded event by event.
func (b bounds) server(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: b.headers,
		IdleTimeout:       b.idle,
		MaxHeaderBytes:    b.headerBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		// OPTIONS * goes through the gateway as everything does.
		DisableGeneralOptionsHandler: true,
	}
}

// boundedListener closes connections of an address that holds too many. A
// block of IPv6 addresses that one line is given counts as one address.
type boundedListener struct {
	net.Listener
	most   int
	exempt func(netip.Addr) bool
	mu     sync.Mutex
	open   map[netip.Prefix]int
}

// Accept implements net.Listener.
func (l *boundedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		peer, ok := c.RemoteAddr().(*net.TCPAddr)
		if !ok || l.exempt(peer.AddrPort().Addr().Unmap()) {
			return c, nil
		}
		block := netx.Prefix(peer.AddrPort().Addr())
		if l.take(block) {
			return &boundedConn{Conn: c, free: func() { l.free(block) }}, nil
		}
		_ = c.Close()
	}
}

func (l *boundedListener) take(p netip.Prefix) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[p] >= l.most {
		return false
	}
	l.open[p]++
	return true
}

func (l *boundedListener) free(p netip.Prefix) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[p]--; l.open[p] <= 0 {
		delete(l.open, p)
	}
}

type boundedConn struct {
	net.Conn
	once sync.Once
	free func()
}

// Close implements net.Conn.
func (c *boundedConn) Close() error {
	c.once.Do(c.free)
	return c.Conn.Close()
}

// served is a server with its listener.
type served struct {
	*http.Server
	listener net.Listener
}

// runServers serves until ctx ends. Then the servers stop in their order, each
// once its requests have ended; what goes on for longer than drain is cut.
func runServers(ctx context.Context, log *slog.Logger, drain time.Duration, list ...served) error {
	failed := make(chan error, len(list))
	var serving sync.WaitGroup
	for _, s := range list {
		serving.Go(func() {
			if err := s.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
				failed <- err
			}
		})
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	for _, s := range list {
		if err := s.Shutdown(patience); err != nil {
			log.Warn("requests were still under way at the end of draining and are cut", "error", err.Error())
			_ = s.Close()
		}
	}
	serving.Wait()
	return err
}
