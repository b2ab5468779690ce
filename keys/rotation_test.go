package keys

import (
	"slices"
	"testing"

	"claviger.dev/claviger"
)

func keyOf(name string, f KeyFor) PoolKey {
	return PoolKey{Ref: claviger.Ref("env:" + name), Secret: claviger.NewSecret([]byte("sk-" + random())), For: f}
}

// takeFor returns the fingerprint of the key for a use, or the error's code.
func takeFor(t *testing.T, p *Pool, u claviger.KeyUse) string {
	t.Helper()
	id, _, err := p.Take(t.Context(), u, nil)
	if err != nil {
		return string(claviger.AsError(err).Code)
	}
	p.Report(id, 200, 0)
	p.Done(id)
	return id
}

// TestReservedKeys: a key that is kept for somebody serves nobody else, and they
// are served by no other.
func TestReservedKeys(t *testing.T) {
	pro, tidy, both, rest := keyOf("PRO", KeyFor{Plans: []string{"pro", "team"}}), keyOf("TIDY", KeyFor{Actions: []string{"tidy"}}),
		keyOf("BOTH", KeyFor{Plans: []string{"gold"}, Tenants: []string{"acme"}}), keyOf("REST", KeyFor{})
	p := NewPool(PoolOptions{}, []PoolKey{pro, tidy, both, rest})
	for _, c := range []struct {
		use  claviger.KeyUse
		want PoolKey
	}{
		{claviger.KeyUse{}, rest},
		{claviger.KeyUse{Plan: "free"}, rest},
		{claviger.KeyUse{Plan: "pro"}, pro},
		{claviger.KeyUse{Plan: "team", Tenant: "acme"}, pro},
		{claviger.KeyUse{Action: "tidy", Plan: "free"}, tidy},
		{claviger.KeyUse{Plan: "gold"}, rest},
		{claviger.KeyUse{Plan: "gold", Tenant: "acme"}, both},
	} {
		for range 4 {
			if got := takeFor(t, p, c.use); got != c.want.Secret.Fingerprint() {
				t.Errorf("%+v is served by another key than %s", c.use, c.want.Ref)
			}
		}
	}
	// Who has a key of their own does not fall back on those of others.
	p.Report(pro.Secret.Fingerprint(), 401, 0)
	if got := takeFor(t, p, claviger.KeyUse{Plan: "pro"}); got != string(claviger.CodeUpstreamError) {
		t.Errorf("with the plan's key rejected: %s", got)
	}
	only := NewPool(PoolOptions{}, []PoolKey{pro})
	if got := takeFor(t, only, claviger.KeyUse{Plan: "free"}); got != string(claviger.CodeMisconfigured) {
		t.Errorf("without a key for the plan: %s", got)
	}
}

// TestServe: once the new pool serves, the old one hands out its keys, but not
// those of another provider.
func TestServe(t *testing.T) {
	old, fresh, other := keyOf("OLD", KeyFor{}), keyOf("NEW", KeyFor{}), keyOf("OTHER", KeyFor{})
	p := NewPool(PoolOptions{}, []PoolKey{old})
	p.Serve("https://a.example")
	q := p.Replace([]PoolKey{fresh})
	if takeFor(t, p, claviger.KeyUse{}) != old.Secret.Fingerprint() {
		t.Error("the old pool hands out a key of a configuration that may not be good")
	}
	id, _, err := p.Take(t.Context(), claviger.KeyUse{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	q.Serve("https://a.example")
	if takeFor(t, p, claviger.KeyUse{}) != fresh.Secret.Fingerprint() {
		t.Error("the old pool goes on with the old key")
	}
	if n := q.InFlight()[id]; n != 1 {
		t.Errorf("%d calls under way with the old key, want 1", n)
	}
	p.Report(id, 200, 0)
	p.Done(id)
	if n := len(q.InFlight()); n != 0 {
		t.Errorf("%d keys in flight after the last call", n)
	}
	elsewhere := q.Replace([]PoolKey{other})
	elsewhere.Serve("https://b.example")
	if takeFor(t, q, claviger.KeyUse{}) != fresh.Secret.Fingerprint() {
		t.Error("a key goes to another provider's address")
	}
	// A health that was learned on the old pool counts on the new one.
	p = NewPool(PoolOptions{}, []PoolKey{old})
	p.Serve("x")
	q = p.Replace([]PoolKey{fresh})
	q.Serve("x")
	id, _, _ = p.Take(t.Context(), claviger.KeyUse{}, nil)
	p.Report(id, 401, 0)
	p.Done(id)
	if got := takeFor(t, q, claviger.KeyUse{}); got != string(claviger.CodeUpstreamError) {
		t.Errorf("a rejection that the old pool reported is lost: %s", got)
	}
}

// TestMisplaced: a key that answers for another project than the one to which it
// is pinned is out, until the pin is changed.
func TestMisplaced(t *testing.T) {
	var told []KeyStatus
	k := keyOf("K", KeyFor{})
	k.Project = "proj_production"
	p := NewPool(PoolOptions{Changed: func(s KeyStatus) { told = append(told, s) }}, []PoolKey{k})
	id := takeFor(t, p, claviger.KeyUse{})
	p.Belongs(id, "proj_production")
	if takeFor(t, p, claviger.KeyUse{}) != id || len(told) != 0 || len(p.Problems()) != 0 {
		t.Errorf("a key in its place: %+v", told)
	}
	p.Belongs(id, "proj_staging")
	p.Belongs(id, "proj_staging")
	p.Report(id, 200, 0)
	if got := takeFor(t, p, claviger.KeyUse{}); got != string(claviger.CodeMisconfigured) {
		t.Errorf("a key of another project: %s", got)
	}
	if len(told) != 1 || told[0].State != StateMisplaced || told[0].Answered != "proj_staging" || len(p.Problems()) != 1 {
		t.Errorf("told %+v, problems %q", told, p.Problems())
	}
	k.Project = "proj_staging"
	if got := takeFor(t, p.Replace([]PoolKey{k}), claviger.KeyUse{}); got != id {
		t.Errorf("after the pin was put right: %s", got)
	}
	k.Project = ""
	if got := takeFor(t, p.Replace([]PoolKey{k}), claviger.KeyUse{}); got != id {
		t.Errorf("without a pin: %s", got)
	}
}

// TestRetired: an operator's word counts at once and above all else.
func TestRetired(t *testing.T) {
	var gone []string
	a, b := keyOf("A", KeyFor{}), keyOf("B", KeyFor{})
	p := NewPool(PoolOptions{Retired: func(id string) bool { return slices.Contains(gone, id) }}, []PoolKey{a, b})
	gone = []string{a.Secret.Fingerprint()}
	for range 5 {
		if takeFor(t, p, claviger.KeyUse{}) != b.Secret.Fingerprint() {
			t.Error("a retired key is used")
		}
	}
	if p.Problems() != nil {
		t.Errorf("not ready with a key left: %q", p.Problems())
	}
	gone = append(gone, b.Secret.Fingerprint())
	if got := takeFor(t, p, claviger.KeyUse{}); got != string(claviger.CodeMisconfigured) {
		t.Errorf("all retired: %s", got)
	}
	if len(p.Problems()) != 2 || p.Status()[0].State != StateRetired {
		t.Errorf("problems %q", p.Problems())
	}
	gone = nil
	if takeFor(t, p, claviger.KeyUse{}) == string(claviger.CodeMisconfigured) {
		t.Error("not taken back")
	}
}
