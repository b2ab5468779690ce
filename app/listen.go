package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

const (
	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	// serverHeaderBytes is where net/http cuts a header off without a word of
	// ours. The gateway refuses earlier, with a proper answer.
	serverHeaderBytes = 128 << 10
	// maxConnections is how many connections one address may hold open. Peers
	// on this machine and trusted proxies stand for many people.
	maxConnections = 256
	drainTimeout   = 30 * time.Second
)

// newServer makes a server with the contract's limits on slow callers. There is
// no WriteTimeout: streams are bounded event by event.
func newServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    serverHeaderBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// listen opens a listener whose connections are bounded for each address.
func listen(ctx context.Context, addr string, trusted []netip.Prefix, tlsConfig *tls.Config) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", addr, err)
	}
	l = &boundedListener{Listener: l, trusted: trusted, open: map[netip.Addr]int{}}
	if tlsConfig != nil {
		l = tls.NewListener(l, tlsConfig)
	}
	return l, nil
}

// boundedListener closes connections of an address that holds too many.
type boundedListener struct {
	net.Listener
	trusted []netip.Prefix
	mu      sync.Mutex
	open    map[netip.Addr]int
}

// Accept implements net.Listener.
func (l *boundedListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		peer, err := netip.ParseAddrPort(c.RemoteAddr().String())
		if err != nil || l.exempt(peer.Addr().Unmap()) {
			return c, nil
		}
		if l.take(peer.Addr()) {
			return &boundedConn{Conn: c, free: func() { l.free(peer.Addr()) }}, nil
		}
		_ = c.Close()
	}
}

func (l *boundedListener) exempt(a netip.Addr) bool {
	if a.IsLoopback() {
		return true
	}
	for _, p := range l.trusted {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

func (l *boundedListener) take(a netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[a] >= maxConnections {
		return false
	}
	l.open[a]++
	return true
}

func (l *boundedListener) free(a netip.Addr) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.open[a]--; l.open[a] <= 0 {
		delete(l.open, a)
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

// runServers serves until ctx ends, then lets requests finish for as long as
// drainTimeout and cuts the rest.
func runServers(ctx context.Context, log *slog.Logger, servers map[*http.Server]net.Listener) error {
	failed := make(chan error, len(servers))
	for s, l := range servers {
		go func() {
			if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				failed <- err
			}
		}()
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout)
	defer cancel()
	var wg sync.WaitGroup
	for s := range servers {
		wg.Go(func() {
			if err := s.Shutdown(drain); err != nil {
				log.Warn("requests were still under way at the end of draining and are cut", "error", err.Error())
				_ = s.Close()
			}
		})
	}
	wg.Wait()
	return err
}
