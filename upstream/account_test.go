package upstream

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"claviger.dev/claviger"
	"claviger.dev/claviger/openaitest"
)

func secretOf(s string) claviger.Secret { return claviger.NewSecret([]byte(s)) }

// TestAccount lists, makes and deletes keys over several pages.
func TestAccount(t *testing.T) {
	admin, first := "sk-admin-"+rand.Text(), "sk-first-"+rand.Text()
	srv := openaitest.NewServer(t, openaitest.Options{Keys: []string{first}, AdminKeys: []string{admin}, Project: "proj_a"})
	a, err := NewAccount(Options{BaseURL: srv.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer a.CloseIdle()
	ctx := t.Context()
	if s, err := a.Probe(ctx, secretOf(first)); err != nil || s.Status != 200 || s.Project != "proj_a" || s.Organization == "" {
		t.Errorf("Probe: %+v, %v", s, err)
	}
	made := map[string]NewKey{}
	for i := range 205 {
		k, err := a.Create(ctx, secretOf(admin), "proj_a", fmt.Sprint("n", i))
		if err != nil {
			t.Fatal(err)
		}
		made[k.Account] = k
	}
	list, err := a.ProjectKeys(ctx, secretOf(admin), "proj_a")
	if err != nil || len(list) != 206 {
		t.Fatalf("%d keys, %v", len(list), err)
	}
	for _, k := range made {
		which := Which(list, k.Secret)
		if len(which) != 1 || which[0].Account != k.Account {
			continue // four letters at the end may be the same by chance
		}
		if err := a.Delete(ctx, secretOf(admin), "proj_a", which[0]); err != nil {
			t.Fatal(err)
		}
		if s, err := a.Probe(ctx, k.Secret); err != nil || s.Status != http.StatusUnauthorized {
			t.Errorf("a deleted key: %+v, %v", s, err)
		}
		break
	}
	for name, err := range map[string]error{
		"no admin":    func() error { _, err := a.ProjectKeys(ctx, secretOf(first), "proj_a"); return err }(),
		"no key":      func() error { _, err := a.ProjectKeys(ctx, secretOf("sk-wrong-"+rand.Text()), "proj_a"); return err }(),
		"no project":  func() error { _, err := a.Create(ctx, secretOf(admin), "nowhere", "x"); return err }(),
		"no account":  a.Delete(ctx, secretOf(admin), "proj_a", ProjectKey{Account: "none"}),
		"another key": a.Delete(ctx, secretOf(admin), "proj_a", ProjectKey{ID: list[0].ID}),
	} {
		if _, ok := errors.AsType[*StatusError](err); !ok || strings.Contains(err.Error(), "sk-") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, k := range []claviger.Secret{{}, secretOf("two\nlines")} {
		if _, err := a.Probe(ctx, k); err == nil {
			t.Error("a key that no header carries is sent")
		}
	}
}

// TestWhich: a key is known again by what lists show of it, and never by nothing.
func TestWhich(t *testing.T) {
	key := secretOf("sk-proj-abcdefghijklmnopqrstuvwxyz")
	for redacted, want := range map[string]bool{
		"sk-pr...wxyz": true, "sk-proj-********wxyz": true, "sk-proj-a\u2026xyz": true,
		"sk-pr...wxyy": false, "sk-svcacct-***wxyz": false, "sk-proj-": false, "": false, "***": false, "***wxyz": false, "sk-pr***": false,
		"sk-proj-abcdefghijklmnopqrs...rstuvwxyz": false,
	} {
		if got := len(Which([]ProjectKey{{redacted: redacted}}, key)) == 1; got != want {
			t.Errorf("%q: %v", redacted, got)
		}
	}
}

// TestProjectIsTold: the pool hears for which project a key answers, also in a
// refusal, and keys go to whom they are for.
func TestProjectIsTold(t *testing.T) {
	p := newPool(2)
	srv := openaitest.NewServer(t, openaitest.Options{Project: "proj_x", Delta: -1})
	c, err := New(Options{BaseURL: srv.URL, Keys: p})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseIdle()
	for _, f := range []string{"", "400", "429"} {
		if f != "" {
			fault, err := openaitest.ParseFault(f + " times=1")
			if err != nil {
				t.Fatal(err)
			}
			srv.Inject(fault)
		}
		for _, stream := range []bool{false, true} {
			_, _ = call(t.Context(), c, stream)
		}
	}
	p.check(t)
	if len(p.belongs) != p.taken || p.belongs[0] != "k1:proj_x" {
		t.Errorf("%d keys taken, told %q", p.taken, p.belongs)
	}
}
