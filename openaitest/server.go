package openaitest

import (
	"errors"
	"net"
	"net/http"
	"time"
)

// TB is the part of [testing.TB] that [NewServer] needs.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// Server is a [Sim] that listens on loopback.
type Server struct {
	*Sim
	// URL is the base URL for clients; it ends in /v1.
	URL string
}

// NewServer starts a simulated OpenAI on a free port of 127.0.0.1. At the test's
// end it is closed: what hangs is let go, and no call is left in flight.
func NewServer(t TB, o Options) *Server {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // answers at once
	if err != nil {
		t.Fatalf("openaitest: cannot listen on loopback: %v", err)
		return nil
	}
	sim := New(o)
	srv := &http.Server{Handler: sim, ReadHeaderTimeout: time.Minute}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ln) }()
	t.Cleanup(func() {
		_ = srv.Close() // cancels what is in flight
		sim.Close()
		if err := <-done; !errors.Is(err, http.ErrServerClosed) {
			t.Fatalf("openaitest: the server ended early: %v", err)
		}
	})
	return &Server{Sim: sim, URL: "http://" + ln.Addr().String() + "/v1"}
}

// Key returns a key that this server accepts: the first of [Options.Keys], or one
// that it made up for itself.
func (s *Sim) Key() string { return s.ownKey }
