package gateway

import (
	"errors"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/jsonx"
)

// mintTicket answers POST /tickets: a server with a service key gets a ticket
// for one of its users.
func (x *exchange) mintTicket(c *caller) error {
	if c.Service == "" {
		return &claviger.Error{Code: claviger.CodeForbidden, Err: errors.New("tickets are for service keys")}
	}
	if _, _, err := x.mediaType(typeJSON); err != nil {
		return err
	}
	body, err := x.readBody()
	if err != nil {
		return err
	}
	q, err := parseTicketRequest(body)
	if err != nil {
		return err
	}
	ticket, expires, err := x.s.Minter.MintFor(x.r.Context(), c.Principal, q)
	if err != nil {
		return err
	}
	out := jsonx.Append(nil, jsonx.Object(
		jsonx.Member{Name: "ticket", Value: jsonx.String(ticket)},
		jsonx.Member{Name: "expires_at", Value: jsonx.String(expires.UTC().Format(time.RFC3339))},
	))
	return x.write(out)
}

func parseTicketRequest(body []byte) (TicketRequest, error) {
	v, err := jsonx.Parse(body)
	if err != nil {
		return TicketRequest{}, &claviger.Error{Code: claviger.CodeInvalidJSON, Err: err}
	}
	if v.Kind() != jsonx.KindObject {
		return TicketRequest{}, invalid("sub")
	}
	var q TicketRequest
	for _, m := range v.Members() {
		if err := q.set(m.Name, m.Value); err != nil {
			return TicketRequest{}, err
		}
	}
	if q.Subject == "" {
		return TicketRequest{}, invalid("sub")
	}
	return q, nil
}

func (q *TicketRequest) set(name string, v jsonx.Value) error {
	ok := false
	switch name {
	case "sub":
		q.Subject, ok = v.Str(), v.Kind() == jsonx.KindString && v.Str() != ""
	case "plan":
		q.Plan, ok = v.Str(), v.Kind() == jsonx.KindString && v.Str() != ""
	case "claims":
		var claims map[string]any
		claims, ok = v.Any().(map[string]any)
		q.Claims = claims
	case "ttl":
		q.TTL, ok = parseTTL(v)
	case "actions":
		q.Actions, ok = parseNames(v)
	case "max_uses":
		n, whole := v.Int()
		q.MaxUses, ok = n, whole && n > 0
	case "dpop_jkt":
		q.JKT, ok = v.Str(), v.Kind() == jsonx.KindString && v.Str() != ""
	}
	if !ok {
		return invalid(name)
	}
	return nil
}

// parseTTL reads a duration as "5m" or a whole number of seconds.
func parseTTL(v jsonx.Value) (time.Duration, bool) {
	if v.Kind() == jsonx.KindString {
		d, err := time.ParseDuration(v.Str())
		return d, err == nil && d > 0
	}
	n, ok := v.Int()
	return time.Duration(n) * time.Second, ok && n > 0 && n <= int64(24*time.Hour/time.Second)
}

func parseNames(v jsonx.Value) ([]string, bool) {
	if v.Kind() != jsonx.KindArray {
		return nil, false
	}
	names := []string{}
	for _, e := range v.Elems() {
		if e.Kind() != jsonx.KindString || e.Str() == "" {
			return nil, false
		}
		names = append(names, e.Str())
	}
	return names, true
}

func invalid(param string) error {
	if !plainName(param) {
		return &claviger.Error{Code: claviger.CodeInvalidInput}
	}
	return &claviger.Error{Code: claviger.CodeInvalidInput, Param: param, Detail: "Invalid " + param}
}

// plainName admits a name that can be shown back without carrying anything
// else.
func plainName(s string) bool {
	if len(s) == 0 || len(s) > 64 {
		return false
	}
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-' {
			return false
		}
	}
	return true
}
