package service

import (
	"reflect"
	"testing"
	"time"

	"claviger.dev/claviger"
)

// TestNarrow: a key hands out what it names, and nothing that leaving something
// out would widen.
func TestNarrow(t *testing.T) {
	a := make1(t,
		Key{Name: "plain", Secret: secret()},
		Key{Name: "bound", Secret: secret(), Claims: []string{"plan"}, Plans: []string{"free", "pro"}, Actions: []string{"tidy"}, TicketTTL: 2 * time.Minute, DPoP: true},
		Key{Name: "one", Secret: secret(), Plans: []string{"free"}, Actions: []string{}},
	)
	jkt := "k"
	for _, c := range []struct {
		key   string
		asked Ask
		want  Ask
		param string // of the refusal
		code  claviger.Code
	}{
		{key: "plain", want: Ask{TTL: 5 * time.Minute}},
		{key: "plain", asked: Ask{TTL: 15 * time.Minute, Actions: []string{"x"}, JKT: jkt}, want: Ask{TTL: 15 * time.Minute, Actions: []string{"x"}, JKT: jkt}},
		{key: "plain", asked: Ask{TTL: 15*time.Minute + 1}, param: "ttl", code: claviger.CodeInvalidInput},
		{key: "plain", asked: Ask{TTL: -1}, param: "ttl", code: claviger.CodeInvalidInput},
		{key: "plain", asked: Ask{Plan: "pro"}, param: "plan", code: claviger.CodeForbidden},
		{key: "plain", asked: Ask{Claims: claviger.Claims{"plan": "pro"}}, param: "claims", code: claviger.CodeForbidden},
		{key: "bound", asked: Ask{Plan: "pro", JKT: jkt}, want: Ask{Plan: "pro", Actions: []string{"tidy"}, TTL: 2 * time.Minute, JKT: jkt}},
		{key: "bound", asked: Ask{Plan: "pro", JKT: jkt, Actions: []string{}}, want: Ask{Plan: "pro", Actions: []string{}, TTL: 2 * time.Minute, JKT: jkt}},
		{key: "bound", asked: Ask{Plan: "pro"}, param: "dpop_jkt", code: claviger.CodeInvalidInput},
		{key: "bound", asked: Ask{JKT: jkt}, param: "plan", code: claviger.CodeInvalidInput},
		{key: "bound", asked: Ask{Plan: "pro", JKT: jkt, Actions: []string{"tidy", "x"}}, param: "actions", code: claviger.CodeForbidden},
		{key: "bound", asked: Ask{Plan: "pro", JKT: jkt, TTL: 3 * time.Minute}, param: "ttl", code: claviger.CodeInvalidInput},
		{key: "one", want: Ask{Plan: "free", Actions: []string{}, TTL: 5 * time.Minute}},
		{key: "one", asked: Ask{Actions: []string{"tidy"}}, param: "actions", code: claviger.CodeForbidden},
	} {
		k, ok := a.Grant(c.key)
		if !ok {
			t.Fatal(c.key)
		}
		got, err := k.Narrow(c.asked)
		if c.param != "" {
			if e := claviger.AsError(err); e == nil || e.Code != c.code || e.Param != c.param {
				t.Errorf("%s, %+v: %v, want %s (%s)", c.key, c.asked, err, c.code, c.param)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s, %+v: %+v, %v; want %+v", c.key, c.asked, got, err, c.want)
		}
	}
}
