package owner_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/gatetest"
	"claviger.dev/claviger/owner"
)

func TestMemory(t *testing.T) {
	gatetest.ObjectStore(t, func(*testing.T) (gatetest.Objects, func() gatetest.Objects) { return owner.NewMemory(), nil })
}

func TestMemoryIsBounded(t *testing.T) {
	m := owner.NewMemory()
	objects := make([]claviger.ObjectRef, owner.MostObjects)
	for i := range objects {
		objects[i] = claviger.ObjectRef{Kind: "f", ID: string(rune('a'+i%26)) + time.Duration(i).String()}
	}
	if err := m.ClaimObjects(t.Context(), "ann", objects, time.Now()); err != nil {
		t.Fatal(err)
	}
	one := []claviger.ObjectRef{{Kind: "f", ID: "one more"}}
	if err := m.ClaimObjects(t.Context(), "ann", one, time.Now()); err == nil {
		t.Fatal("there is no bound")
	}
	if err := m.ReleaseObjects(t.Context(), "ann", objects[:1]); err != nil {
		t.Fatal(err)
	}
	if err := m.ClaimObjects(t.Context(), "ann", one, time.Now()); err != nil {
		t.Fatal(err)
	}
}

func guard(t *testing.T, s owner.Store) *owner.Guard {
	t.Helper()
	g, err := owner.New(owner.Options{
		Store: s, Now: time.Now,
		Pseudonym: func(p claviger.Principal) string {
			if p.Subject == "" {
				return ""
			}
			return "hash of " + p.Tenant + "/" + p.Realm + "/" + p.Subject
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func person(name string) claviger.Principal { return claviger.Principal{Realm: "app", Subject: name} }

func object(id string) claviger.ObjectRef {
	return claviger.ObjectRef{Kind: "resp", ID: id, Param: "at " + id}
}

func checked(ctx context.Context, g *owner.Guard, p claviger.Principal, o ...claviger.ObjectRef) error {
	_, err := g.Check(ctx, p, o...)
	return err
}

func wants(t *testing.T, err error, code claviger.Code, param string) {
	t.Helper()
	e, ok := errors.AsType[*claviger.Error](err)
	if !ok || e.Code != code || e.Param != param {
		t.Errorf("got %v, want %s at %q", err, code, param)
	}
}

func TestGuard(t *testing.T) {
	g := guard(t, owner.NewMemory())
	ctx := t.Context()
	if err := g.Claim(ctx, person("ann"), object("resp_1"), object("resp_2")); err != nil {
		t.Fatal(err)
	}
	if _, err := g.Check(ctx, person("ann"), object("resp_1"), object("resp_2")); err != nil {
		t.Error(err)
	}
	if _, err := g.Check(ctx, person("bob")); err != nil {
		t.Errorf("nothing to check: %v", err)
	}
	// Somebody else's and unknown ones read the same.
	wants(t, checked(ctx, g, person("bob"), object("resp_1")), claviger.CodeNotFound, "at resp_1")
	wants(t, checked(ctx, g, person("ann"), object("resp_1"), object("resp_x"), object("resp_y")), claviger.CodeNotFound, "at resp_x")
	err := g.Claim(ctx, person("bob"), object("resp_3"), object("resp_1"))
	wants(t, err, claviger.CodeInternal, "")
	if !errors.Is(err, claviger.ErrObjectTaken) {
		t.Errorf("got %v", err)
	}
	for _, other := range []claviger.Principal{{Realm: "other", Subject: "ann"}, {Tenant: "t", Realm: "app", Subject: "ann"}} {
		wants(t, checked(ctx, g, other, object("resp_1")), claviger.CodeNotFound, "at resp_1")
	}
	page, err := g.List(ctx, person("ann"), claviger.ObjectQuery{Kind: "resp", Limit: 1})
	if err != nil || len(page.IDs) != 1 || page.IDs[0] != "resp_2" || !page.More {
		t.Errorf("listed %v, %v", page, err)
	}
	if err := g.Release(ctx, person("bob"), object("resp_1")); err != nil {
		t.Error(err)
	}
	if err := g.Release(ctx, person("ann"), object("resp_2")); err != nil {
		t.Error(err)
	}
	wants(t, checked(ctx, g, person("ann"), object("resp_1"), object("resp_2")), claviger.CodeNotFound, "at resp_2")
	if n, err := g.Forget(ctx, person("ann")); n != 1 || err != nil {
		t.Errorf("forgot %d, %v", n, err)
	}
}

// TestNobody: a caller without a pseudonym owns nothing and shares nothing with
// others like them.
func TestNobody(t *testing.T) {
	g := guard(t, owner.NewMemory())
	nobody := claviger.Principal{}
	wants(t, g.Claim(t.Context(), nobody, object("resp_1")), claviger.CodeInternal, "")
	wants(t, checked(t.Context(), g, nobody, object("resp_1")), claviger.CodeInternal, "")
	wants(t, checked(t.Context(), g, nobody), claviger.CodeInternal, "")
	wants(t, g.Release(t.Context(), nobody, object("resp_1")), claviger.CodeInternal, "")
	_, err := g.List(t.Context(), nobody, claviger.ObjectQuery{Kind: "resp", Limit: 1})
	wants(t, err, claviger.CodeInternal, "")
	_, err = g.Forget(t.Context(), nobody)
	wants(t, err, claviger.CodeInternal, "")
	if _, err := owner.New(owner.Options{Store: owner.NewMemory()}); err == nil {
		t.Error("a guard without its parts")
	}
}

// broken fails, or answers about fewer objects than it was asked about.
type broken struct {
	owner.Store
	own []bool
	err error
}

func (b broken) OwnObjects(context.Context, string, []claviger.ObjectRef) ([]bool, int64, error) {
	return b.own, 7, b.err
}

func (b broken) ClaimObjects(context.Context, string, []claviger.ObjectRef, time.Time) error {
	return b.err
}

func (b broken) ReleaseObjects(context.Context, string, []claviger.ObjectRef) error { return b.err }

func (b broken) ListObjects(context.Context, string, claviger.ObjectQuery) (claviger.ObjectPage, error) {
	return claviger.ObjectPage{IDs: []string{"resp_1"}}, b.err
}

func TestBrokenStoreDenies(t *testing.T) {
	down := errors.New("the store is down")
	for _, b := range []broken{{own: []bool{true, true}, err: down}, {own: []bool{true}}, {}} {
		g := guard(t, b)
		wants(t, checked(t.Context(), g, person("ann"), object("resp_1"), object("resp_2")), claviger.CodeLimitsUnavailable, "")
		if b.err == nil {
			continue
		}
		wants(t, g.Claim(t.Context(), person("ann"), object("resp_1")), claviger.CodeLimitsUnavailable, "")
		wants(t, g.Release(t.Context(), person("ann"), object("resp_1")), claviger.CodeLimitsUnavailable, "")
		page, err := g.List(t.Context(), person("ann"), claviger.ObjectQuery{Kind: "resp", Limit: 1})
		wants(t, err, claviger.CodeLimitsUnavailable, "")
		if len(page.IDs) > 0 {
			t.Error("an error came with ids")
		}
	}
}
