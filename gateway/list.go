package gateway

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"

	"claviger.dev/claviger"
	"claviger.dev/claviger/openai"
)

// listReaders is how many objects of a list are read at once.
const listReaders = 4

// listOwned answers a list of stored objects. The provider's own list would be
// of everybody's: this one is of what the caller owns, each read by itself. It
// counts as one request.
func (x *exchange) listOwned(c *caller) error {
	row := x.route.row
	page, err := openai.ParsePage(row, x.query, &x.s.Proxy.Policy)
	if err != nil {
		return err
	}
	call := claviger.Call{Endpoint: row.Name, NoModel: true, Choices: 1}
	d, err := x.authorize(c, &call)
	if err != nil {
		return err
	}
	owned, err := x.s.Owners.List(x.r.Context(), c.Principal, page.ObjectQuery)
	if err != nil {
		return ownersError(err)
	}
	a, err := x.admit(c, &d, &call, nil)
	if err != nil {
		return err
	}
	defer a.cancel()
	defer a.settle(used{units: claviger.Units{{Kind: claviger.UnitInput}}})
	defer a.cancel()
	bodies, err := x.readOwned(c, a, owned.IDs)
	if err != nil {
		return err
	}
	return x.write(openai.ListAnswer(page, owned, bodies))
}

// readOwned reads each object, a few at a time, in their order. One that the
// provider no longer has is left out and forgotten.
func (x *exchange) readOwned(c *caller, a *admitted, ids []string) ([][]byte, error) {
	ctx, cancel := context.WithCancelCause(a.ctx)
	defer cancel(nil)
	out := make([][]byte, len(ids))
	todo := make(chan int, len(ids))
	for i := range ids {
		todo <- i
	}
	close(todo)
	failed := make(chan error, listReaders)
	for range listReaders {
		go func() {
			err := x.readSome(ctx, c, a, func() (string, *[]byte) {
				i, ok := <-todo
				if !ok {
					return "", nil
				}
				return ids[i], &out[i]
			})
			if err != nil {
				cancel(err)
			}
			failed <- err
		}()
	}
	var first error
	for range listReaders {
		if err := <-failed; err != nil && first == nil {
			first = err
		}
	}
	if first != nil {
		return nil, a.failure(first)
	}
	return slices.DeleteFunc(out, func(b []byte) bool { return b == nil }), nil
}

// readSome reads what next names until it names nothing. A panic must not end the
// process: nobody but this goroutine could catch it.
func (x *exchange) readSome(ctx context.Context, c *caller, a *admitted, next func() (string, *[]byte)) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = &claviger.Error{Code: claviger.CodeInternal, Err: fmt.Errorf("panic while a list was read: %s\n%s", panicText(cause), debug.Stack())}
		}
	}()
	for {
		id, into := next()
		if into == nil {
			return nil
		}
		if *into, err = x.readOne(ctx, c, a, id); err != nil {
			return err
		}
	}
}

func (x *exchange) readOne(ctx context.Context, c *caller, a *admitted, id string) ([]byte, error) {
	req, err := openai.ParseRead(x.route.row.ReadBy, id, &x.s.Proxy.Policy)
	if err != nil {
		return nil, err
	}
	call := req.Call()
	resp, err := x.s.Upstream.RoundTrip(ctx, a.pass(&call)) //nolint:bodyclose // readAnswer closes it
	if e, ok := errors.AsType[*claviger.Error](err); ok && e.Code == claviger.CodeUpstreamInvalid && e.Status == 404 {
		return nil, x.s.Owners.Release(ctx, c.Principal, call.Objects...)
	}
	if err != nil {
		return nil, err
	}
	raw, err := readAnswer(resp)
	if err != nil {
		return nil, err
	}
	out, _, err := req.Answer(raw)
	return out, err
}
