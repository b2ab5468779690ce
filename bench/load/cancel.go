package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Cancel is a call that its caller gives up.
type Cancel struct {
	Addr    string
	Request []byte
	// ID is the name under which the upstream knows the request.
	ID string
	// Events is how many events the caller reads before it leaves. 0: it leaves
	// before there are headers, once the request has reached the upstream.
	Events int
	// Still is how long it waits after that, for a stream to fall silent.
	Still time.Duration
}

// ErrNotCancelled says that the upstream did not see the caller leave.
var ErrNotCancelled = errors.New("the upstream did not see the caller leave")

var errUnseen = errors.New("not seen in time")

// Run makes the call, leaves it, and returns how long it took until the upstream
// saw that, or ErrNotCancelled when it did not within patience.
func (c Cancel) Run(ctx context.Context, d *Dialer, w *Witness, patience time.Duration) (time.Duration, error) {
	conn, err := d.Dial(ctx, c.Addr)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	if c.Events > 0 {
		err = conn.awaitEvents(c.Request, c.Events)
	} else {
		_, err = conn.c.Write(c.Request)
	}
	if err != nil {
		return 0, fmt.Errorf("call to be cancelled: %w", err)
	}
	if _, err := w.ask(ctx, "begun", c.ID, patience); err != nil {
		return 0, fmt.Errorf("call did not reach the upstream: %w", err)
	}
	select {
	case <-time.After(c.Still):
	case <-ctx.Done():
		return 0, fmt.Errorf("cancel: %w", ctx.Err())
	}
	left := time.Now()
	conn.Close()
	seen, err := w.ask(ctx, "left", c.ID, patience)
	if errors.Is(err, errUnseen) {
		return 0, ErrNotCancelled
	}
	if err != nil {
		return 0, err
	}
	return seen.Sub(left), nil
}

// Witness asks the upstream what it saw.
type Witness struct {
	base   string
	client *http.Client
}

// NewWitness makes a witness of the upstream whose control endpoint listens at addr.
func NewWitness(addr string) *Witness {
	return &Witness{base: "http://" + addr, client: &http.Client{Timeout: time.Minute, Transport: &http.Transport{}}}
}

// Close closes what connections to the control endpoint are left.
func (w *Witness) Close() { w.client.CloseIdleConnections() }

func (w *Witness) ask(ctx context.Context, what, id string, patience time.Duration) (time.Time, error) {
	q := url.Values{"id": {id}, "wait": {patience.String()}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.base+"/"+what+"?"+q.Encode(), nil)
	if err != nil {
		return time.Time{}, fmt.Errorf("witness: %w", err)
	}
	resp, err := w.client.Do(req)
	if err != nil {
		return time.Time{}, fmt.Errorf("witness: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	if err != nil {
		return time.Time{}, fmt.Errorf("witness: %w", err)
	}
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		return time.Time{}, errUnseen
	default:
		return time.Time{}, fmt.Errorf("witness: %s: %s", resp.Status, strings.TrimSpace(string(text)))
	}
	ns, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("witness: %w", err)
	}
	return time.Unix(0, ns), nil
}
