package claviger

import (
	"context"
	"net/netip"
)

type clientKey struct{}

// ContextWithClient returns a context that carries the caller's address as
// limits see it: an IPv4 address or the /64 of an IPv6 one. Only who has
// verified the address may call it.
func ContextWithClient(ctx context.Context, client netip.Prefix) context.Context {
	return context.WithValue(ctx, clientKey{}, client)
}

// ClientFrom returns the caller's address, and false when none is known.
func ClientFrom(ctx context.Context) (netip.Prefix, bool) {
	p, ok := ctx.Value(clientKey{}).(netip.Prefix)
	return p, ok && p.IsValid()
}
