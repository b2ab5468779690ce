package gatetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"claviger.dev/claviger"
)

// BlockKeeper is what keeps the blocks of an operator.
type BlockKeeper interface {
	PutBlock(ctx context.Context, b claviger.Block) error
	DropBlock(ctx context.Context, scope claviger.BlockScope, name string) (bool, error)
	Blocks(ctx context.Context) ([]claviger.Block, error)
	BlocksVersion(ctx context.Context) (int64, error)
	SweepBlocks(ctx context.Context, before time.Time) (int64, error)
}

// BlockStore is the conformance suite of a store of blocks.
func BlockStore(t *testing.T, open OpenStore[BlockKeeper]) {
	runStore(t, open, []storeCase[BlockKeeper]{
		{"put and drop", putAndDrop},
		{"everything is kept", wholeBlocks},
		{"the version grows", blockVersions},
		{"swept", sweptBlocks},
		{"many at once", blockRace},
		{"hostile names", hostileBlocks},
		{"context ended", blocksEnded},
	})
	t.Run("opened again", func(t *testing.T) {
		s, again := open(t)
		if again == nil {
			t.Skip("this store keeps nothing")
		}
		put(t, s, claviger.Block{Scope: claviger.BlockEveryone, Since: morning, Reason: "a leak"})
		v := version(t, s)
		s = again()
		if got := blocks(t, s); len(got) != 1 || got[0].Scope != claviger.BlockEveryone || got[0].Reason != "a leak" || !got[0].Since.Equal(morning) {
			t.Errorf("kept %+v", got)
		}
		if now := version(t, s); now < v {
			t.Errorf("version %d after %d", now, v)
		}
	})
}

// SharedBlocks holds two stores on one database to seeing each other's changes.
func SharedBlocks(t *testing.T, a, b BlockKeeper) {
	t.Helper()
	for i := range 5 {
		v := version(t, b)
		put(t, a, claviger.Block{Scope: claviger.BlockUser, Name: fmt.Sprint("person-", i)})
		if now := version(t, b); now <= v {
			t.Errorf("version %d, then %d after a change by the other", v, now)
		}
		if got := blocks(t, b); len(got) != i+1 {
			t.Errorf("%d blocks, want %d", len(got), i+1)
		}
		a, b = b, a
	}
}

// sweptBlocks: what ended before a time is deleted, and nothing that holds or may
// hold again.
func sweptBlocks(t *testing.T, s BlockKeeper) {
	for name, until := range map[string]time.Time{
		"ended": morning.Add(-time.Hour), "ended later": morning.Add(time.Hour), "at that moment": morning, "never ends": {},
	} {
		put(t, s, claviger.Block{Scope: claviger.BlockPlan, Name: name, Until: until, IssuedBefore: morning.Add(-time.Hour)})
	}
	v := version(t, s)
	for _, want := range []int64{1, 0} {
		if n, err := s.SweepBlocks(t.Context(), morning); err != nil || n != want {
			t.Errorf("swept %d, %v; want %d", n, err, want)
		}
	}
	if now := version(t, s); now != v+1 {
		t.Errorf("version %d after %d and one sweep of something", now, v)
	}
	for _, b := range blocks(t, s) {
		if b.Name == "ended" {
			t.Error("it is still there")
		}
	}
	if n := len(blocks(t, s)); n != 3 {
		t.Errorf("%d blocks are left, want 3", n)
	}
}

func put(t *testing.T, s BlockKeeper, b claviger.Block) {
	t.Helper()
	if err := s.PutBlock(t.Context(), b); err != nil {
		t.Fatalf("put %+v: %v", b, err)
	}
}

func blocks(t *testing.T, s BlockKeeper) []claviger.Block {
	t.Helper()
	got, err := s.Blocks(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func version(t *testing.T, s BlockKeeper) int64 {
	t.Helper()
	v, err := s.BlocksVersion(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func drop(t *testing.T, s BlockKeeper, scope claviger.BlockScope, name string, want bool) {
	t.Helper()
	if ok, err := s.DropBlock(t.Context(), scope, name); err != nil || ok != want {
		t.Fatalf("drop %s %.20q: %v, %v; want %v", scope, name, ok, err, want)
	}
}

func putAndDrop(t *testing.T, s BlockKeeper) {
	if got := blocks(t, s); len(got) != 0 {
		t.Fatalf("a new store has %v", got)
	}
	put(t, s, claviger.Block{Scope: claviger.BlockUser, Name: "ann", Reason: "first"})
	put(t, s, claviger.Block{Scope: claviger.BlockPlan, Name: "ann"})
	put(t, s, claviger.Block{Scope: claviger.BlockEveryone})
	put(t, s, claviger.Block{Scope: claviger.BlockUser, Name: "ann", Reason: "second"})
	got := blocks(t, s)
	if len(got) != 3 {
		t.Fatalf("%d blocks: %v", len(got), got)
	}
	i := slices.IndexFunc(got, func(b claviger.Block) bool { return b.Scope == claviger.BlockUser })
	if got[i].Reason != "second" {
		t.Errorf("kept %q", got[i].Reason)
	}
	drop(t, s, claviger.BlockUser, "Ann", false)
	drop(t, s, claviger.BlockUser, "ann", true)
	drop(t, s, claviger.BlockUser, "ann", false)
	drop(t, s, claviger.BlockEveryone, "", true)
	if got := blocks(t, s); len(got) != 1 || got[0].Scope != claviger.BlockPlan {
		t.Errorf("left %v", got)
	}
}

func wholeBlocks(t *testing.T, s BlockKeeper) {
	zone := time.FixedZone("east", 3*3600)
	for _, want := range []claviger.Block{
		{Scope: claviger.BlockToken, Name: "jti-1"},
		{
			Scope: claviger.BlockToken, Name: "jti-2", Until: time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC),
			IssuedBefore: time.Unix(0, 0), Since: morning.Add(time.Microsecond).In(zone), Reason: "a 'reason' with \"quotes\"\nand lines 🗝",
		},
		{Scope: claviger.BlockToken, Name: strings.Repeat("j", 1000), Until: morning, Reason: strings.Repeat("long ", 2000)},
	} {
		put(t, s, want)
		got := blocks(t, s)
		i := slices.IndexFunc(got, func(b claviger.Block) bool { return b.Name == want.Name })
		if i < 0 {
			t.Fatalf("lost %.20q", want.Name)
		}
		b := got[i]
		if b.Scope != want.Scope || b.Reason != want.Reason || !b.Until.Equal(want.Until) || !b.IssuedBefore.Equal(want.IssuedBefore) || !b.Since.Equal(want.Since) {
			t.Errorf("put %+v\ngot %+v", want, b)
		}
		if b.Until.IsZero() != want.Until.IsZero() || b.IssuedBefore.IsZero() != want.IssuedBefore.IsZero() {
			t.Errorf("no time became a time, or the other way round: %+v", b)
		}
	}
}

func blockVersions(t *testing.T, s BlockKeeper) {
	last := version(t, s)
	grows := func(what string, want bool) {
		t.Helper()
		now := version(t, s)
		if want && now <= last || !want && now != last {
			t.Errorf("%s: version %d, then %d", what, last, now)
		}
		last = now
	}
	grows("nothing", false)
	put(t, s, claviger.Block{Scope: claviger.BlockUser, Name: "ann"})
	grows("put", true)
	put(t, s, claviger.Block{Scope: claviger.BlockUser, Name: "ann", Reason: "again"})
	grows("put again", true)
	drop(t, s, claviger.BlockUser, "bob", false)
	grows("dropped nothing", false)
	drop(t, s, claviger.BlockUser, "ann", true)
	grows("drop", true)
}

func blockRace(t *testing.T, s BlockKeeper) {
	before := version(t, s)
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			if err := s.PutBlock(t.Context(), claviger.Block{Scope: claviger.BlockUser, Name: fmt.Sprint("person-", i%20)}); err != nil {
				t.Errorf("put: %v", err)
			}
		})
	}
	wg.Wait()
	if n := len(blocks(t, s)); n != 20 {
		t.Errorf("%d blocks", n)
	}
	if grown := version(t, s) - before; grown < 40 {
		t.Errorf("40 changes made %d versions", grown)
	}
}

func hostileBlocks(t *testing.T, s BlockKeeper) {
	for _, name := range hostile() {
		err := s.PutBlock(t.Context(), claviger.Block{Scope: claviger.BlockToken, Name: name, Reason: name})
		got := blocks(t, s)
		if err != nil {
			if len(got) != 0 {
				t.Errorf("%.20q: refused with %v and kept", name, err)
			}
			drop(t, s, claviger.BlockToken, name, false)
			continue
		}
		if len(got) != 1 || got[0].Name != name {
			t.Errorf("%.20q: kept as %.20q", name, got[0].Name)
		}
		drop(t, s, claviger.BlockToken, name, true)
	}
}

func blocksEnded(t *testing.T, s BlockKeeper) {
	put(t, s, claviger.Block{Scope: claviger.BlockUser, Name: "ann"})
	ctx := cancelled(t)
	if err := s.PutBlock(ctx, claviger.Block{Scope: claviger.BlockUser, Name: "bob"}); !errors.Is(err, context.Canceled) {
		t.Errorf("put: %v", err)
	}
	if ok, err := s.DropBlock(ctx, claviger.BlockUser, "ann"); ok || !errors.Is(err, context.Canceled) {
		t.Errorf("drop: %v, %v", ok, err)
	}
	if _, err := s.Blocks(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("read: %v", err)
	}
	if _, err := s.BlocksVersion(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("version: %v", err)
	}
	if got := blocks(t, s); len(got) != 1 {
		t.Errorf("left %v", got)
	}
}
