package gatetest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"claviger.dev/claviger"
)

// numbered claims n objects in ten claims, each a second later.
func numbered(t *testing.T, s Objects, n int) []string {
	t.Helper()
	var ids []string
	for i := range n {
		// Names that do not sort in the order of creation.
		ids = append(ids, fmt.Sprintf("resp_%02d", (i*7)%n))
	}
	for part := range slices.Chunk(ids, max(n/10, 1)) {
		at := morning.Add(time.Duration(slices.Index(ids, part[0])) * time.Second)
		if err := s.ClaimObjects(t.Context(), "ann", refs(part...), at); err != nil {
			t.Fatal(err)
		}
	}
	return ids
}

// walk reads all pages, forwards or backwards, and returns the ids in the order
// of a single page.
func walk(t *testing.T, s Objects, q claviger.ObjectQuery, backwards bool) []string {
	t.Helper()
	var out []string
	for range 1000 {
		p := list(t, s, "ann", q)
		if len(p.IDs) > q.Limit {
			t.Fatalf("%d ids on a page of %d", len(p.IDs), q.Limit)
		}
		if p.More && len(p.IDs) < q.Limit {
			t.Fatalf("a short page of %d says that there are more", len(p.IDs))
		}
		if backwards {
			out = append(slices.Clone(p.IDs), out...)
		} else {
			out = append(out, p.IDs...)
		}
		if !p.More {
			return out
		}
		if backwards {
			q.Before = p.IDs[0]
		} else {
			q.After = p.IDs[len(p.IDs)-1]
		}
	}
	t.Fatal("the pages do not end")
	return nil
}

func listObjects(t *testing.T, s Objects) {
	ids := numbered(t, s, 30)
	claim(t, s, "ann", claviger.ObjectRef{Kind: "file", ID: "file-1"})
	claim(t, s, "bob", ref("resp_bob"))
	newest := slices.Clone(ids)
	slices.Reverse(newest)
	for _, limit := range []int{1, 3, 7, 29, 30, 31, 5000} {
		if got := walk(t, s, claviger.ObjectQuery{Kind: "resp", Limit: limit, Ascending: true}, false); !slices.Equal(got, ids) {
			t.Errorf("ascending by %d: %q", limit, got)
		}
		if got := walk(t, s, claviger.ObjectQuery{Kind: "resp", Limit: limit}, false); !slices.Equal(got, newest) {
			t.Errorf("descending by %d: %q", limit, got)
		}
	}
	if p := list(t, s, "ann", claviger.ObjectQuery{Kind: "file", Limit: 9}); !slices.Equal(p.IDs, []string{"file-1"}) || p.More {
		t.Errorf("files: %v", p)
	}
	if p := list(t, s, "ann", claviger.ObjectQuery{Kind: "resp", Limit: 9, After: newest[29]}); len(p.IDs) != 0 || p.More {
		t.Errorf("behind the last: %v", p)
	}
	if p := list(t, s, "carol", claviger.ObjectQuery{Kind: "resp", Limit: 9}); len(p.IDs) != 0 || p.More {
		t.Errorf("of somebody without any: %v", p)
	}
}

func listBefore(t *testing.T, s Objects) {
	ids := numbered(t, s, 20)
	newest := slices.Clone(ids)
	slices.Reverse(newest)
	for _, limit := range []int{1, 4, 19, 50} {
		up := claviger.ObjectQuery{Kind: "resp", Limit: limit, Ascending: true, Before: ids[19]}
		if got := walk(t, s, up, true); !slices.Equal(got, ids[:19]) {
			t.Errorf("ascending by %d: %q", limit, got)
		}
		down := claviger.ObjectQuery{Kind: "resp", Limit: limit, Before: newest[19]}
		if got := walk(t, s, down, true); !slices.Equal(got, newest[:19]) {
			t.Errorf("descending by %d: %q", limit, got)
		}
	}
	if p := list(t, s, "ann", claviger.ObjectQuery{Kind: "resp", Limit: 3, Ascending: true, Before: ids[10]}); !slices.Equal(p.IDs, ids[7:10]) || !p.More {
		t.Errorf("the page before: %v", p)
	}
	both := claviger.ObjectQuery{Kind: "resp", Limit: 3, Ascending: true, After: ids[4], Before: ids[10]}
	if p := list(t, s, "ann", both); !slices.Equal(p.IDs, ids[5:8]) || !p.More {
		t.Errorf("between two: %v", p)
	}
	both.After = ids[7]
	if p := list(t, s, "ann", both); !slices.Equal(p.IDs, ids[8:10]) || p.More {
		t.Errorf("the rest between two: %v", p)
	}
	both.After, both.Before = ids[10], ids[4]
	if p := list(t, s, "ann", both); len(p.IDs) != 0 || p.More {
		t.Errorf("between two in the wrong order: %v", p)
	}
}

func listInstant(t *testing.T, s Objects) {
	var ids []string
	for i := range 12 {
		id := fmt.Sprintf("resp_%02d", (i*5)%12)
		ids = append(ids, id)
		claim(t, s, "ann", ref(id))
	}
	for _, limit := range []int{1, 5, 11, 12} {
		got := walk(t, s, claviger.ObjectQuery{Kind: "resp", Limit: limit, Ascending: true}, false)
		if !slices.Equal(got, ids) {
			t.Errorf("by %d: %q, claimed %q", limit, got, ids)
		}
		slices.Reverse(got)
		if down := walk(t, s, claviger.ObjectQuery{Kind: "resp", Limit: limit}, false); !slices.Equal(got, down) {
			t.Errorf("by %d: one order up and another down", limit)
		}
	}
}

func listChanging(t *testing.T, s Objects) {
	ids := numbered(t, s, 10)
	q := claviger.ObjectQuery{Kind: "resp", Limit: 4}
	first := list(t, s, "ann", q)
	// What comes meanwhile is newer, what goes is gone: no other is lost or
	// given twice.
	if err := s.ClaimObjects(t.Context(), "ann", refs("resp_new"), morning.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := s.ReleaseObjects(t.Context(), "ann", refs(first.IDs[0])); err != nil {
		t.Fatal(err)
	}
	q.After = first.IDs[3]
	got := append(slices.Clone(first.IDs), walk(t, s, q, false)...)
	slices.Reverse(got)
	if !slices.Equal(got, ids) {
		t.Errorf("%q, want %q", got, ids)
	}
}

func listForeign(t *testing.T, s Objects) {
	ids := numbered(t, s, 5)
	claim(t, s, "bob", ref("resp_bob"))
	for _, q := range []claviger.ObjectQuery{{After: "resp_bob"}, {Before: "resp_bob"}, {After: "resp_none"}, {After: ids[0], Before: "resp_bob"}, {Before: ids[4], After: "resp_none"}} {
		for _, up := range []bool{false, true} {
			q.Kind, q.Limit, q.Ascending = "resp", 9, up
			if p := list(t, s, "ann", q); len(p.IDs) != 0 || p.More {
				t.Errorf("%+v: %v", q, p)
			}
		}
	}
}

func manyObjects(t *testing.T, s Objects) {
	var many []claviger.ObjectRef
	var ids []string
	for i := range 333 {
		ids = append(ids, fmt.Sprint("resp_", i))
		many = append(many, ref(ids[i]))
	}
	claim(t, s, "ann", many...)
	owns(t, s, "ann", true, ids...)
	owns(t, s, "bob", false, ids...)
	if got := walk(t, s, claviger.ObjectQuery{Kind: "resp", Limit: 100, Ascending: true}, false); !slices.Equal(got, ids) {
		t.Errorf("objects of one claim are listed out of order")
	}
	claim(t, s, "bob", ref("resp_x"))
	if err := s.ClaimObjects(t.Context(), "carol", append(refs("resp_new"), append(refs(ids...), ref("resp_x"))...), morning); err == nil {
		t.Error("claimed what others own")
	}
	owns(t, s, "carol", false, append([]string{"resp_new", "resp_x"}, ids...)...)
	if err := s.ReleaseObjects(t.Context(), "ann", many); err != nil {
		t.Fatal(err)
	}
	owns(t, s, "ann", false, ids...)
}
