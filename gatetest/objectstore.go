package gatetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"claviger.dev/claviger"
)

// Objects is what keeps the owners of objects: owner.Store.
type Objects interface {
	ClaimObjects(ctx context.Context, owner string, objects []claviger.ObjectRef, at time.Time) error
	OwnObjects(ctx context.Context, owner string, objects []claviger.ObjectRef) (own []bool, tokens int64, err error)
	ReleaseObjects(ctx context.Context, owner string, objects []claviger.ObjectRef) error
	ListObjects(ctx context.Context, owner string, q claviger.ObjectQuery) (claviger.ObjectPage, error)
	ForgetOwner(ctx context.Context, owner string) (int64, error)
}

// ObjectStore is the conformance suite of owner.Store.
func ObjectStore(t *testing.T, open OpenStore[Objects]) {
	runStore(t, open, []storeCase[Objects]{
		{"claim and check", claimAndCheck},
		{"all or none", claimAllOrNone},
		{"tokens add up", claimAddsTokens},
		{"claiming again changes nothing", claimAgain},
		{"the id alone tells", idAlone},
		{"release", releaseObjects},
		{"children", releaseChildren},
		{"somebody else's children stay", releaseOthers},
		{"list", listObjects},
		{"list before", listBefore},
		{"list of one instant", listInstant},
		{"list while it changes", listChanging},
		{"cursors of others", listForeign},
		{"many at once", manyObjects},
		{"forget", forgetOwner},
		{"50 claim one", claimRace},
		{"overlapping claims", claimOverlap},
		{"claims against releases", claimRelease},
		{"hostile ids", hostileObjects},
		{"no owner", noOwner},
		{"context ended", objectsEnded},
	})
	t.Run("opened again", func(t *testing.T) {
		s, again := open(t)
		if again == nil {
			t.Skip("this store keeps nothing")
		}
		claim(t, s, "ann", ref("resp_1"), ref("resp_2"))
		s = again()
		owns(t, s, "ann", true, "resp_1", "resp_2")
		owns(t, s, "bob", false, "resp_1")
		if ids := list(t, s, "ann", claviger.ObjectQuery{Kind: "resp", Limit: 9}).IDs; !slices.Equal(ids, []string{"resp_2", "resp_1"}) {
			t.Errorf("listed %q", ids)
		}
	})
}

var morning = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)

func ref(id string) claviger.ObjectRef { return claviger.ObjectRef{Kind: "resp", ID: id} }

func refs(ids ...string) []claviger.ObjectRef {
	out := make([]claviger.ObjectRef, 0, len(ids))
	for _, id := range ids {
		out = append(out, ref(id))
	}
	return out
}

func claim(t *testing.T, s Objects, owner string, o ...claviger.ObjectRef) {
	t.Helper()
	if err := s.ClaimObjects(t.Context(), owner, o, morning); err != nil {
		t.Fatalf("claim for %s: %v", owner, err)
	}
}

func owns(t *testing.T, s Objects, owner string, want bool, ids ...string) {
	t.Helper()
	own, _, err := s.OwnObjects(t.Context(), owner, refs(ids...))
	if err != nil {
		t.Fatal(err)
	}
	if len(own) != len(ids) {
		t.Fatalf("%d answers for %d ids", len(own), len(ids))
	}
	for i := range own {
		if own[i] != want {
			t.Errorf("%q is %s's: %v, want %v", ids[i], owner, own[i], want)
		}
	}
}

func list(t *testing.T, s Objects, owner string, q claviger.ObjectQuery) claviger.ObjectPage {
	t.Helper()
	p, err := s.ListObjects(t.Context(), owner, q)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func claimAndCheck(t *testing.T, s Objects) {
	owns(t, s, "ann", false, "resp_1")
	claim(t, s, "ann", ref("resp_1"), ref("resp_2"))
	owns(t, s, "ann", true, "resp_1", "resp_2", "resp_1")
	owns(t, s, "bob", false, "resp_1", "resp_2")
	owns(t, s, "ANN", false, "resp_1")
	owns(t, s, "ann", false, "RESP_1", "resp_3", "resp_1 ", "resp_")
	own, _, err := s.OwnObjects(t.Context(), "ann", refs("resp_3", "resp_2", "resp_4", "resp_1"))
	if err != nil || !slices.Equal(own, []bool{false, true, false, true}) {
		t.Errorf("in order: %v, %v", own, err)
	}
	claim(t, s, "ann")
	owns(t, s, "ann", true)
}

func claimAddsTokens(t *testing.T, s Objects) {
	weigh := func(want int64, owner string, ids ...string) {
		t.Helper()
		if _, tokens, err := s.OwnObjects(t.Context(), owner, refs(ids...)); err != nil || tokens != want {
			t.Errorf("%q bring %s %d tokens, %v; want %d", ids, owner, tokens, err, want)
		}
	}
	heavy := func(id string, tokens int64) claviger.ObjectRef {
		return claviger.ObjectRef{Kind: "resp", ID: id, Tokens: tokens}
	}
	claim(t, s, "ann", heavy("resp_1", 100), ref("resp_2"))
	weigh(100, "ann", "resp_1", "resp_2", "resp_1")
	claim(t, s, "ann", heavy("resp_1", -30), heavy("resp_1", 5), heavy("resp_2", 7))
	weigh(75, "ann", "resp_1")
	weigh(82, "ann", "resp_1", "resp_2")
	weigh(0, "bob", "resp_1")
	claim(t, s, "ann", heavy("resp_1", -1000))
	weigh(7, "ann", "resp_1", "resp_2")
	if err := s.ClaimObjects(t.Context(), "bob", []claviger.ObjectRef{heavy("resp_2", 50)}, morning); !errors.Is(err, claviger.ErrObjectTaken) {
		t.Errorf("a claim on another's: %v", err)
	}
	weigh(7, "ann", "resp_2")
}

func claimAllOrNone(t *testing.T, s Objects) {
	claim(t, s, "bob", ref("resp_b"))
	for _, ids := range [][]string{{"resp_b", "resp_1"}, {"resp_1", "resp_b"}, {"resp_1", "resp_b", "resp_2"}} {
		err := s.ClaimObjects(t.Context(), "ann", refs(ids...), morning)
		if !errors.Is(err, claviger.ErrObjectTaken) {
			t.Fatalf("claim of %q: %v", ids, err)
		}
		owns(t, s, "ann", false, "resp_b", "resp_1", "resp_2")
		owns(t, s, "bob", true, "resp_b")
	}
	claim(t, s, "bob", ref("resp_1"))
}

func claimAgain(t *testing.T, s Objects) {
	claim(t, s, "ann", ref("resp_1"))
	claim(t, s, "ann", ref("resp_2"))
	later := claviger.ObjectRef{Kind: "resp", ID: "resp_1", Parent: "resp_9"}
	if err := s.ClaimObjects(t.Context(), "ann", []claviger.ObjectRef{later, ref("resp_3"), ref("resp_3")}, morning.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if ids := list(t, s, "ann", claviger.ObjectQuery{Kind: "resp", Limit: 9}).IDs; !slices.Equal(ids, []string{"resp_3", "resp_2", "resp_1"}) {
		t.Errorf("listed %q", ids)
	}
	if err := s.ReleaseObjects(t.Context(), "ann", refs("resp_9")); err != nil {
		t.Fatal(err)
	}
	owns(t, s, "ann", true, "resp_1")
}

func idAlone(t *testing.T, s Objects) {
	claim(t, s, "ann", claviger.ObjectRef{Kind: "file", ID: "file-1"})
	err := s.ClaimObjects(t.Context(), "bob", []claviger.ObjectRef{{Kind: "vs", ID: "file-1"}}, morning)
	if !errors.Is(err, claviger.ErrObjectTaken) {
		t.Errorf("the same id under another kind: %v", err)
	}
	own, _, err := s.OwnObjects(t.Context(), "bob", []claviger.ObjectRef{{Kind: "vs", ID: "file-1"}})
	if err != nil || own[0] {
		t.Errorf("and it is bob's: %v, %v", own, err)
	}
}

func releaseObjects(t *testing.T, s Objects) {
	claim(t, s, "ann", ref("resp_1"), ref("resp_2"), ref("resp_3"))
	for range 2 {
		if err := s.ReleaseObjects(t.Context(), "ann", refs("resp_1", "resp_3", "resp_none")); err != nil {
			t.Fatal(err)
		}
	}
	owns(t, s, "ann", false, "resp_1", "resp_3")
	owns(t, s, "ann", true, "resp_2")
	if err := s.ReleaseObjects(t.Context(), "bob", refs("resp_2")); err != nil {
		t.Fatal(err)
	}
	owns(t, s, "ann", true, "resp_2")
	if err := s.ReleaseObjects(t.Context(), "ann", nil); err != nil {
		t.Fatal(err)
	}
	claim(t, s, "bob", ref("resp_1"))
	owns(t, s, "bob", true, "resp_1")
}

func child(id, parent string) claviger.ObjectRef {
	return claviger.ObjectRef{Kind: "msg", ID: id, Parent: parent}
}

func releaseChildren(t *testing.T, s Objects) {
	claim(t, s, "ann", ref("resp_1"), child("msg_1", "resp_1"), child("msg_2", "resp_1"), child("part_1", "msg_2"),
		ref("resp_2"), child("msg_3", "resp_2"), child("msg_4", "resp_unclaimed"), child("loop_1", "loop_2"), child("loop_2", "loop_1"), child("self", "self"))
	if err := s.ReleaseObjects(t.Context(), "ann", refs("resp_1", "resp_unclaimed")); err != nil {
		t.Fatal(err)
	}
	owns(t, s, "ann", false, "resp_1", "msg_1", "msg_2", "part_1", "msg_4")
	owns(t, s, "ann", true, "resp_2", "msg_3", "loop_1", "loop_2", "self")
	if err := s.ReleaseObjects(t.Context(), "ann", refs("loop_1", "self", "msg_3")); err != nil {
		t.Fatal(err)
	}
	owns(t, s, "ann", false, "loop_1", "loop_2", "self", "msg_3")
	owns(t, s, "ann", true, "resp_2")
}

func releaseOthers(t *testing.T, s Objects) {
	claim(t, s, "ann", ref("resp_1"), child("msg_1", "resp_1"))
	claim(t, s, "bob", child("msg_b", "resp_1"), child("part_b", "msg_1"))
	if err := s.ReleaseObjects(t.Context(), "ann", refs("resp_1")); err != nil {
		t.Fatal(err)
	}
	owns(t, s, "ann", false, "resp_1", "msg_1")
	owns(t, s, "bob", true, "msg_b", "part_b")
	claim(t, s, "ann", ref("resp_2"), child("msg_2", "resp_2"))
	if err := s.ReleaseObjects(t.Context(), "bob", refs("resp_2")); err != nil {
		t.Fatal(err)
	}
	owns(t, s, "ann", true, "resp_2", "msg_2")
}

func forgetOwner(t *testing.T, s Objects) {
	claim(t, s, "ann", ref("resp_1"), child("msg_1", "resp_1"), ref("resp_2"))
	claim(t, s, "bob", ref("resp_b"))
	for _, want := range []int64{3, 0} {
		n, err := s.ForgetOwner(t.Context(), "ann")
		if err != nil || n != want {
			t.Fatalf("forgot %d, %v; want %d", n, err, want)
		}
	}
	owns(t, s, "ann", false, "resp_1", "msg_1", "resp_2")
	owns(t, s, "bob", true, "resp_b")
	if p := list(t, s, "ann", claviger.ObjectQuery{Kind: "resp", Limit: 9}); len(p.IDs) != 0 || p.More {
		t.Errorf("still listed: %v", p)
	}
}

func claimRace(t *testing.T, s Objects) {
	var won, taken atomic.Int64
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i := range 50 {
		wg.Go(func() {
			<-start
			err := s.ClaimObjects(t.Context(), fmt.Sprint("person-", i), refs("resp_1", fmt.Sprint("resp_of_", i)), morning)
			switch {
			case err == nil:
				won.Add(1)
			case errors.Is(err, claviger.ErrObjectTaken):
				taken.Add(1)
			default:
				t.Errorf("claim: %v", err)
			}
		})
	}
	close(start)
	wg.Wait()
	if won.Load() != 1 || taken.Load() != 49 {
		t.Fatalf("%d have it and %d were refused, want 1 and 49", won.Load(), taken.Load())
	}
	owners, others := 0, 0
	for i := range 50 {
		own, _, err := s.OwnObjects(t.Context(), fmt.Sprint("person-", i), refs("resp_1", fmt.Sprint("resp_of_", i)))
		if err != nil || own[0] != own[1] {
			t.Fatalf("person %d has part of a claim: %v, %v", i, own, err)
		}
		if own[0] {
			owners++
		} else {
			others++
		}
	}
	if owners != 1 || others != 49 {
		t.Fatalf("%d owners", owners)
	}
}

// claimOverlap lets claims of the same objects in different orders wait for one
// another.
func claimOverlap(t *testing.T, s Objects) {
	ids := []string{"resp_a", "resp_b", "resp_c", "resp_d"}
	var won atomic.Int64
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			mine := append(slices.Clone(ids[i%4:]), ids[:i%4]...)
			if i%2 == 1 {
				slices.Reverse(mine)
			}
			err := s.ClaimObjects(t.Context(), fmt.Sprint("person-", i), refs(mine...), morning)
			if err == nil {
				won.Add(1)
			} else if !errors.Is(err, claviger.ErrObjectTaken) {
				t.Errorf("claim: %v", err)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 {
		t.Fatalf("%d have all four", won.Load())
	}
}

func claimRelease(t *testing.T, s Objects) {
	var holders atomic.Int64
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			owner := fmt.Sprint("person-", i)
			for range 15 {
				err := s.ClaimObjects(t.Context(), owner, refs("resp_1"), morning)
				if errors.Is(err, claviger.ErrObjectTaken) {
					continue
				}
				if err != nil {
					t.Errorf("claim: %v", err)
					return
				}
				if n := holders.Add(1); n != 1 {
					t.Errorf("%d owners at once", n)
				}
				holders.Add(-1)
				if err := s.ReleaseObjects(t.Context(), owner, refs("resp_1")); err != nil {
					t.Errorf("release: %v", err)
				}
			}
		})
	}
	wg.Wait()
}

func hostileObjects(t *testing.T, s Objects) {
	claim(t, s, "ann", ref("resp_1"))
	for _, id := range hostile() {
		name := fmt.Sprintf("%.20q of %d bytes", id, len(id))
		owns(t, s, "bob", false, id)
		owns(t, s, "ann", false, id)
		err := s.ClaimObjects(t.Context(), "ann", []claviger.ObjectRef{ref("resp_with"), ref(id)}, morning)
		own, _, ownErr := s.OwnObjects(t.Context(), "ann", refs(id, "resp_with"))
		if ownErr != nil || own[0] != (err == nil) || own[1] != own[0] {
			t.Errorf("%s: claimed with %v, and is owned: %v, %v", name, err, own, ownErr)
		}
		owns(t, s, "bob", false, id)
		if p := list(t, s, "ann", claviger.ObjectQuery{Kind: "resp", Limit: 9, After: id}); err != nil && id != "" && len(p.IDs) > 0 {
			t.Errorf("%s: a page behind what is not there: %v", name, p)
		}
		if err := s.ReleaseObjects(t.Context(), "ann", refs(id, "resp_with")); err != nil {
			t.Errorf("%s: release: %v", name, err)
		}
		owns(t, s, "ann", false, id, "resp_with")
		owns(t, s, id, false, "resp_1")
		_ = list(t, s, id, claviger.ObjectQuery{Kind: id, Limit: 9})
		if n, err := s.ForgetOwner(t.Context(), id); err != nil || n != 0 {
			t.Errorf("%s: forgot %d, %v", name, n, err)
		}
	}
	owns(t, s, "ann", true, "resp_1")
	if p := list(t, s, "ann", claviger.ObjectQuery{Kind: "resp", Limit: 9}); !slices.Equal(p.IDs, []string{"resp_1"}) {
		t.Errorf("left: %v", p)
	}
}

func noOwner(t *testing.T, s Objects) {
	if err := s.ClaimObjects(t.Context(), "", refs("resp_1"), morning); err == nil {
		t.Error("nobody claimed an object")
	}
	if err := s.ClaimObjects(t.Context(), "ann", refs("resp_1"), time.Time{}); err == nil {
		t.Error("claimed at no time")
	}
	owns(t, s, "", false, "resp_1", "")
	if _, err := s.ListObjects(t.Context(), "ann", claviger.ObjectQuery{Kind: "resp"}); err == nil {
		t.Error("a page without a limit")
	}
}

func objectsEnded(t *testing.T, s Objects) {
	claim(t, s, "ann", ref("resp_1"))
	ctx := cancelled(t)
	if err := s.ClaimObjects(ctx, "ann", refs("resp_2"), morning); !errors.Is(err, context.Canceled) {
		t.Errorf("claim: %v", err)
	}
	if own, _, err := s.OwnObjects(ctx, "ann", refs("resp_1")); !errors.Is(err, context.Canceled) {
		t.Errorf("check: %v, %v", own, err)
	}
	if err := s.ReleaseObjects(ctx, "ann", refs("resp_1")); !errors.Is(err, context.Canceled) {
		t.Errorf("release: %v", err)
	}
	if _, err := s.ListObjects(ctx, "ann", claviger.ObjectQuery{Kind: "resp", Limit: 1}); !errors.Is(err, context.Canceled) {
		t.Errorf("list: %v", err)
	}
	if _, err := s.ForgetOwner(ctx, "ann"); !errors.Is(err, context.Canceled) {
		t.Errorf("forget: %v", err)
	}
	owns(t, s, "ann", true, "resp_1")
	owns(t, s, "ann", false, "resp_2")
}
