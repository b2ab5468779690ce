package admit

import (
	"strconv"
	"time"

	"claviger.dev/claviger"
)

// scopeTotal is the scope that callers never see: it would tell them what the
// operator has, and what others use. Of scopePlan, which others use, too, they see
// whether there is room for a request, and not how many tokens and how much money
// there are.
const (
	scopeTotal = "total"
	scopePlan  = "plan"
)

// mostInteger is the largest Integer of RFC 9651.
const mostInteger = 999_999_999_999_999

// AppendRateLimit appends the values of the header fields RateLimit-Policy and
// RateLimit to policy and limit, as draft-ietf-httpapi-ratelimit-headers-10
// writes them:
//
//	RateLimit-Policy: "user-requests-minute";q=20;w=60
//	RateLimit: "user-requests-minute";r=19;t=3
//
// A policy is named by scope, kind and period. Its unit (qu) is left out for
// requests and is "concurrent-requests", "tokens", or, for money, millionths of
// a currency unit, as "micro-usd"; w is in seconds, a month counting 30 days.
// t is the seconds, rounded up, until the window is full again or begins anew.
// The order is that of st. Of several standings of one policy the last is
// written, which is the newest. The scope "total" is left out, and so are tokens
// and money of the scope "plan". Both values are
// empty when nothing is left to write.
func AppendRateLimit(policy, limit []byte, st []claviger.Standing) (p, l []byte) {
	for i := range st {
		s := &st[i]
		if !shown(s) || supersededIn(st[i+1:], s) {
			continue
		}
		policy = appendName(policy, s)
		policy = appendParam(policy, ";q=", s.Charge.Window.Limit)
		if w := periodNanos(s.Charge.Window.Per); w > 0 {
			policy = appendParam(policy, ";w=", w/second)
		}
		policy = appendUnit(policy, s)
		limit = appendName(limit, s)
		limit = appendParam(limit, ";r=", s.Remaining)
		if s.Charge.Window.Per != claviger.PeriodNone {
			limit = appendParam(limit, ";t=", int64((s.Reset+time.Second-1)/time.Second))
		}
	}
	return policy, limit
}

func shown(s *claviger.Standing) bool {
	c := &s.Charge
	budget := c.Kind == claviger.ChargeTokens || c.Kind == claviger.ChargeMoney
	return c.Scope != scopeTotal && (c.Scope != scopePlan || !budget) && isToken(c.Scope) && isToken(string(c.Kind)) &&
		(c.Kind != claviger.ChargeMoney || isToken(c.Window.Currency))
}

// isToken keeps what goes into a quoted string to letters, digits and hyphens.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return s != ""
}

func supersededIn(later []claviger.Standing, s *claviger.Standing) bool {
	for i := range later {
		a, b := &later[i].Charge, &s.Charge
		if a.Scope == b.Scope && a.Kind == b.Kind && a.Window.Per == b.Window.Per && shown(&later[i]) {
			return true
		}
	}
	return false
}

func appendName(dst []byte, s *claviger.Standing) []byte {
	if len(dst) > 0 {
		dst = append(dst, ", "...)
	}
	dst = append(dst, '"')
	dst = append(dst, s.Charge.Scope...)
	dst = append(dst, '-')
	dst = append(dst, s.Charge.Kind...)
	if s.Charge.Window.Per != claviger.PeriodNone {
		dst = append(dst, '-')
		dst = append(dst, periodName(s.Charge.Window.Per)...)
	}
	return append(dst, '"')
}

func appendParam(dst []byte, name string, n int64) []byte {
	dst = append(dst, name...)
	return strconv.AppendInt(dst, min(max(n, 0), mostInteger), 10)
}

func appendUnit(dst []byte, s *claviger.Standing) []byte {
	switch s.Charge.Kind {
	case claviger.ChargeLease:
		return append(dst, `;qu="concurrent-requests"`...)
	case claviger.ChargeTokens:
		return append(dst, `;qu="tokens"`...)
	case claviger.ChargeMoney:
		dst = append(dst, `;qu="micro-`...)
		for i := range len(s.Charge.Window.Currency) {
			c := s.Charge.Window.Currency[i]
			if 'A' <= c && c <= 'Z' {
				c += 'a' - 'A'
			}
			dst = append(dst, c)
		}
		return append(dst, '"')
	default:
		return dst
	}
}
