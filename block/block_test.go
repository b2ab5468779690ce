package block

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"claviger.dev/claviger"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var start = time.Unix(1_800_000_000, 0)

// TestFind: each scope keeps out whom it names, and nobody else.
func TestFind(t *testing.T) {
	ada := claviger.Barred{Pseudonym: "p-ada", Plan: "pro", Principal: claviger.Principal{
		Realm: "app", Subject: "ada", MintedBy: "web", TokenID: "t-1", Issued: start.Add(-time.Minute),
	}}
	server := claviger.Barred{Pseudonym: "p-web", Plan: "free", Principal: claviger.Principal{Realm: "app", Subject: "service:web", Service: "web"}}
	nameless := claviger.Barred{}
	for _, c := range []struct {
		name                  string
		block                 claviger.Block
		ada, server, nameless bool
	}{
		{"everyone", claviger.Block{Scope: claviger.BlockEveryone}, true, true, true},
		{"a plan", claviger.Block{Scope: claviger.BlockPlan, Name: "pro"}, true, false, false},
		{"another plan", claviger.Block{Scope: claviger.BlockPlan, Name: "gold"}, false, false, false},
		{"a person", claviger.Block{Scope: claviger.BlockUser, Name: "p-ada"}, true, false, false},
		{"a subject is no pseudonym", claviger.Block{Scope: claviger.BlockUser, Name: "ada"}, false, false, false},
		{"a service and its tickets", claviger.Block{Scope: claviger.BlockService, Name: "web"}, true, true, false},
		{"another service", claviger.Block{Scope: claviger.BlockService, Name: "jobs"}, false, false, false},
		{"a token", claviger.Block{Scope: claviger.BlockToken, Name: "t-1"}, true, false, false},
		{"another token", claviger.Block{Scope: claviger.BlockToken, Name: "t-2"}, false, false, false},
		{"ended", claviger.Block{Scope: claviger.BlockEveryone, Until: start}, false, false, false},
		{"ends in a moment", claviger.Block{Scope: claviger.BlockEveryone, Until: start.Add(1)}, true, true, true},
		// Who does not say when is kept out.
		{"older credentials", claviger.Block{Scope: claviger.BlockEveryone, IssuedBefore: start}, true, true, true},
		{"much older ones", claviger.Block{Scope: claviger.BlockUser, Name: "p-ada", IssuedBefore: start.Add(-time.Hour)}, false, false, false},
		{"at the same moment", claviger.Block{Scope: claviger.BlockUser, Name: "p-ada", IssuedBefore: start.Add(-time.Minute)}, false, false, false},
	} {
		ix, odd := compile([]claviger.Block{{Scope: claviger.BlockPlan, Name: "other"}, c.block})
		if odd != nil {
			t.Fatal(c.name, odd)
		}
		for who, x := range map[string]struct {
			barred *claviger.Barred
			want   bool
		}{"ada": {&ada, c.ada}, "the server": {&server, c.server}, "nobody": {&nameless, c.nameless}} {
			got, found := ix.find(x.barred, func() time.Time { return start })
			if found != x.want || found && got != c.block {
				t.Errorf("%s: %s: %v, %+v", c.name, who, found, got)
			}
		}
	}
}

// TestNamesNobody: a block that would keep out nobody is refused where it is
// made, and told of where it is found; the others hold.
func TestNamesNobody(t *testing.T) {
	odd := []claviger.Block{
		{},
		{Scope: "tenant", Name: "x"},
		{Scope: claviger.BlockUser},
		{Scope: claviger.BlockPlan},
		{Scope: claviger.BlockService},
		{Scope: claviger.BlockToken},
		{Scope: claviger.BlockKey},
		{Scope: claviger.BlockEveryone, Name: "x"},
	}
	var m Memory
	for _, b := range odd {
		if err := m.PutBlock(t.Context(), b); err == nil {
			t.Errorf("%+v is taken", b)
		}
	}
	b, err := Open(t.Context(), Options{Store: &faulty{list: append(odd, claviger.Block{Scope: claviger.BlockEveryone})}})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if _, found := b.Find(claviger.Barred{}); !found {
		t.Error("the block that is good does not hold")
	}
	if p := b.Problems(); len(p) != len(odd) {
		t.Errorf("%d problems: %q", len(p), p)
	}
}

// TestKeyRetired: a key of the provider is out of use until its block ends, and
// keeps out nobody.
func TestKeyRetired(t *testing.T) {
	now := start
	b, err := Open(t.Context(), Options{Now: func() time.Time { return now }, Store: &faulty{list: []claviger.Block{
		{Scope: claviger.BlockKey, Name: "0123456789ab", Until: start.Add(time.Hour)}, {Scope: claviger.BlockToken, Name: "t"},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if !b.KeyRetired("0123456789ab") || b.KeyRetired("ba9876543210") || b.KeyRetired("") || b.KeyRetired("t") {
		t.Error("the wrong keys are retired")
	}
	if _, found := b.Find(claviger.Barred{Pseudonym: "0123456789ab", Plan: "0123456789ab"}); found {
		t.Error("a retired key keeps somebody out")
	}
	now = start.Add(time.Hour)
	if b.KeyRetired("0123456789ab") {
		t.Error("retired after its end")
	}
}

// faulty is a store that can be away.
type faulty struct {
	list  []claviger.Block
	away  atomic.Bool
	reads atomic.Int64
}

func (f *faulty) Blocks(context.Context) ([]claviger.Block, error) {
	f.reads.Add(1)
	if f.away.Load() {
		return nil, errors.New("no route")
	}
	return f.list, nil
}

func (f *faulty) BlocksVersion(context.Context) (int64, error) {
	if f.away.Load() {
		return 0, errors.New("no route")
	}
	return int64(len(f.list)), nil
}

// TestBoard: a change is known within the interval and told once; a block that
// ends by itself needs no look at the store.
func TestBoard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m Memory
		b, err := Open(t.Context(), Options{Store: &m})
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		ada := claviger.Barred{Pseudonym: "p-ada"}
		changed := b.Changed()
		expect := func(when string, out, told bool) {
			t.Helper()
			if _, found := b.Find(ada); found != out {
				t.Errorf("%s: kept out: %v", when, found)
			}
			select {
			case <-changed:
				if !told {
					t.Errorf("%s: told without a change", when)
				}
				changed = b.Changed()
			default:
				if told {
					t.Errorf("%s: not told", when)
				}
			}
		}
		expect("at first", false, false)
		time.Sleep(2 * time.Second)
		expect("later", false, false)
		if err := m.PutBlock(t.Context(), claviger.Block{Scope: claviger.BlockUser, Name: "p-ada", Until: time.Now().Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(DefaultEvery + time.Millisecond)
		expect("blocked", true, true)
		time.Sleep(time.Hour - DefaultEvery - 2*time.Millisecond)
		expect("almost an hour later", true, false)
		b.Close()
		time.Sleep(2 * time.Millisecond)
		if _, found := b.Find(ada); found {
			t.Error("still blocked after its end, without a look at the store")
		}
		if ok, err := m.DropBlock(t.Context(), claviger.BlockUser, "p-ada"); !ok || err != nil {
			t.Error(ok, err)
		}
		if ok, _ := m.DropBlock(t.Context(), claviger.BlockUser, "p-ada"); ok {
			t.Error("dropped twice")
		}
		if err := b.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
		expect("unblocked", false, true)
	})
}

// TestStoreAway: whoever was kept out stays out while the store is away, which
// is told; a gateway that never knew does not start.
func TestStoreAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		f := &faulty{list: []claviger.Block{{Scope: claviger.BlockEveryone}}}
		b, err := Open(t.Context(), Options{Store: f, Every: time.Second, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		time.Sleep(10*time.Second + time.Millisecond)
		if n := f.reads.Load(); n != 1 {
			t.Errorf("the list was read %d times without a change", n)
		}
		f.away.Store(true)
		time.Sleep(10 * time.Second)
		if _, found := b.Find(claviger.Barred{}); !found {
			t.Error("let in while the store is away")
		}
		if p := b.Problems(); len(p) != 1 || !strings.Contains(p[0], "no route") {
			t.Errorf("problems: %q", p)
		}
		f.list = nil
		f.away.Store(false)
		time.Sleep(time.Second)
		if _, found := b.Find(claviger.Barred{}); found || len(b.Problems()) > 0 {
			t.Errorf("after it came back: %v, %q", found, b.Problems())
		}
		if out := log.String(); strings.Count(out, "out of reach") != 1 || strings.Count(out, "is back") != 1 {
			t.Errorf("the log:\n%s", out)
		}
		f.away.Store(true)
		if _, err := Open(t.Context(), Options{Store: f}); err == nil {
			t.Error("opened without knowing who is kept out")
		}
		if _, err := Open(t.Context(), Options{}); err == nil {
			t.Error("opened without a store")
		}
	})
}

func TestFindAllocatesNothing(t *testing.T) {
	b := full(t, 1000)
	who := claviger.Barred{Pseudonym: "user-7x", Plan: "pro", Principal: claviger.Principal{TokenID: "t", MintedBy: "web"}}
	if n := testing.AllocsPerRun(100, func() { b.Find(who) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func full(t testing.TB, n int) *Board {
	t.Helper()
	var list []claviger.Block
	for i := range n {
		list = append(list, claviger.Block{Scope: claviger.BlockUser, Name: fmt.Sprint("user-", i), Until: start.Add(time.Hour)},
			claviger.Block{Scope: claviger.BlockToken, Name: fmt.Sprint("token-", i)})
	}
	b, err := Open(t.Context(), Options{Store: &faulty{list: list}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

func BenchmarkFind(b *testing.B) {
	for _, n := range []int{0, 10_000} {
		b.Run(fmt.Sprint(2*n), func(b *testing.B) {
			board := full(b, n)
			who := claviger.Barred{Pseudonym: "3kq0v9d2f1", Plan: "pro", Principal: claviger.Principal{TokenID: "JZ4U6A", MintedBy: "web", Subject: "ada"}}
			b.ReportAllocs()
			for b.Loop() {
				if _, found := board.Find(who); found {
					b.Fatal("kept out")
				}
			}
		})
	}
}
