package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"

	"claviger.dev/claviger/internal/jsonx"
	"claviger.dev/claviger/internal/netx"
	"claviger.dev/claviger/keys"
)

var errKeyProcessGone = errors.New("the key process has ended, so this one does, too")

// keyLine is the gateway's end of the line to the process that has the keys.
type keyLine struct {
	conn      *net.UnixConn
	transport *http.Transport
}

// inheritKeyLine takes over the line that the key process left to this one.
func inheritKeyLine() (*keyLine, error) {
	conn, err := netx.HandedLine(gatewayLine)
	if err != nil {
		return nil, fmt.Errorf("%s is for the key process alone, which 'claviger serve' starts by itself: %w", gatewayArg, err)
	}
	return &keyLine{conn: conn, transport: netx.HandedTransport(conn)}, nil
}

// whileThere gives a context that ends with the key process, which is its cause
// then.
func (l *keyLine) whileThere(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() {
		// Nothing comes on the line, but its end.
		_, _ = l.conn.Read(make([]byte, 1))
		cancel(errKeyProcessGone)
	}()
	return ctx, func() { cancel(nil) }
}

// read has the key process read its keys anew. Those of pool stay good until
// the next time.
func (l *keyLine) read(ctx context.Context, pool *keys.Pool) (heldKeys, error) {
	var told heldKeys
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+keysHost+keysPath, nil)
	if err != nil {
		return told, err
	}
	var inUse []string
	for _, k := range pool.Status() {
		if k.ID != "" {
			inUse = append(inUse, k.ID)
		}
	}
	r.Header.Set(headerInUse, strings.Join(inUse, " "))
	a, err := netx.Ask(netx.HandedClient(l.transport), r, mostHeldBytes)
	if err != nil {
		return told, fmt.Errorf("the key process does not answer: %w", err)
	}
	if a.Status != http.StatusOK || jsonx.Unmarshal(a.Body, &told) != nil {
		return told, errors.New("the key process gave no proper answer")
	}
	if told.Problem != "" {
		return told, errors.New(told.Problem)
	}
	return told, nil
}

// heldBy fills the keys of a list from what the key process told.
func (h *heldKeys) fill(k *keys.PoolKey) {
	k.Err = errors.New("the key process did not find this key in the configuration: it was changed at this moment")
	for _, held := range h.Keys {
		switch {
		case held.Ref != k.Ref:
		case held.Problem != "":
			k.Err = errors.New(held.Problem)
		default:
			k.Held, k.Err = held.Fingerprint, nil
		}
	}
}
