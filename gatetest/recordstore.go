package gatetest

import (
	"bytes"
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

// RecordKeeper is what keeps records of calls and sealed transcripts.
type RecordKeeper interface {
	AppendCalls(ctx context.Context, calls []claviger.CallRecord) error
	AppendTranscripts(ctx context.Context, keys []claviger.TranscriptKey, ts []claviger.SealedTranscript) error
	SweepRecords(ctx context.Context, s claviger.RecordSweep) (claviger.RecordCount, error)
	ScrubRecords(ctx context.Context) error
	EachTranscript(ctx context.Context, owner string, now time.Time, do func(claviger.SealedTranscript, claviger.TranscriptKey) error) error
	CountTranscripts(ctx context.Context, owner string) (int64, error)
	EraseRecords(ctx context.Context, owner string, now time.Time) (claviger.RecordCount, error)
	Kept(ctx context.Context, pseudonym string) (claviger.Kept, error)
}

// RecordStore is the conformance suite of a store of records.
func RecordStore(t *testing.T, open OpenStore[RecordKeeper]) {
	runStore(t, open, []storeCase[RecordKeeper]{
		{"calls", keptCalls},
		{"transcripts", keptTranscripts},
		{"given again", givenAgain},
		{"swept when it ends", sweptAtTheEnd},
		{"swept by the present policy", sweptByPolicy},
		{"erased", erasedRecords},
		{"keys of others stay", keysStay},
		{"hostile names", hostileRecords},
		{"all or none", recordsAllOrNone},
		{"many at once", manyRecords},
		{"context ended", recordsEnded},
	})
	t.Run("opened again", func(t *testing.T) {
		s, again := open(t)
		if again == nil {
			t.Skip("this store keeps nothing")
		}
		say(t, s, "ann", "key", 0)
		s = again()
		if got := said(t, s, "ann", morning); len(got) != 1 {
			t.Errorf("kept %v", got)
		}
	})
}

const hour = time.Hour

func keyOf(id string, begin time.Time) claviger.TranscriptKey {
	return claviger.TranscriptKey{ID: id, Created: begin, Until: begin.Add(25 * hour), Sealed: []byte("sealed " + id)}
}

func transcriptOf(owner, key string, at time.Time) claviger.SealedTranscript {
	return claviger.SealedTranscript{
		ID: fmt.Sprint("req_", owner, at.UnixMicro()), Owner: owner, Key: key, Created: at, Until: at.Add(24 * hour),
		Sealed: []byte("\x00\xff words of " + owner),
	}
}

// say stores a transcript of the morning, and its key.
func say(t *testing.T, s RecordKeeper, owner, key string, after time.Duration) claviger.SealedTranscript {
	t.Helper()
	x := transcriptOf(owner, key, morning.Add(after))
	if err := s.AppendTranscripts(t.Context(), []claviger.TranscriptKey{keyOf(key, morning)}, []claviger.SealedTranscript{x}); err != nil {
		t.Fatal(err)
	}
	return x
}

// said are the ids of what is read of somebody, each with whether its key is there.
func said(t *testing.T, s RecordKeeper, owner string, now time.Time) []string {
	t.Helper()
	var out []string
	err := s.EachTranscript(t.Context(), owner, now, func(x claviger.SealedTranscript, k claviger.TranscriptKey) error {
		if k.ID == "" {
			x.ID += " without a key"
		}
		out = append(out, x.ID)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func callOf(who string, after time.Duration) claviger.CallRecord {
	c := claviger.CallRecord{Event: event(who, morning.Add(after), 10), Until: morning.Add(after + 24*hour)}
	c.RequestID = fmt.Sprint("req_", who, after)
	c.Duration, c.Code, c.Stream, c.Cause = 1500*time.Microsecond, claviger.CodeUpstreamBusy, true, "the provider said: a secret"
	return c
}

func calls(t *testing.T, s RecordKeeper, who string) []claviger.KeptRow {
	t.Helper()
	k, err := s.Kept(t.Context(), who)
	if err != nil {
		t.Fatal(err)
	}
	return k.Calls
}

func appendCalls(t *testing.T, s RecordKeeper, list ...claviger.CallRecord) {
	t.Helper()
	if err := s.AppendCalls(t.Context(), list); err != nil {
		t.Fatal(err)
	}
}

func sweepAt(t *testing.T, s RecordKeeper, q claviger.RecordSweep) claviger.RecordCount {
	t.Helper()
	n, err := s.SweepRecords(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.ScrubRecords(t.Context()); err != nil {
		t.Error(err)
	}
	return n
}

func keptCalls(t *testing.T, s RecordKeeper) {
	appendCalls(t, s, callOf("bob", 0), callOf("ann", time.Second), callOf("ann", 0))
	got := calls(t, s, "ann")
	if len(got) != 2 || got[0].Text("id") != "req_ann0s" || got[1].Text("id") != "req_ann1s" {
		t.Fatalf("kept %v", got)
	}
	want := map[string]any{
		"owner": "ann", "started": morning.UnixMicro(), "until": morning.Add(24 * hour).UnixMicro(), "duration": int64(1500), "realm": "app", "method": "jwt",
		"plan": "plan of ann", "endpoint": "responses", "model": "gpt-4.1-mini", "status": int64(200), "code": "upstream_busy", "stream": int64(1), "estimated": int64(0),
		"input": int64(10), "cached_input": int64(1), "output": int64(20), "currency": "USD", "micros": int64(30),
	}
	for _, f := range got[0] {
		if w, ok := want[f.Name]; ok && w != f.Value {
			t.Errorf("%s is %v, want %v", f.Name, f.Value, w)
		}
		delete(want, f.Name)
		if text, ok := f.Value.(string); ok && strings.Contains(text, "secret") {
			t.Errorf("%s tells the log's side of an error", f.Name)
		}
	}
	if len(want) > 0 {
		t.Errorf("not kept: %v", want)
	}
}

func keptTranscripts(t *testing.T, s RecordKeeper) {
	second, first := say(t, s, "ann", "key two", time.Second), say(t, s, "ann", "key one", 0)
	say(t, s, "bob", "key one", 0)
	var got []claviger.SealedTranscript
	err := s.EachTranscript(t.Context(), "ann", morning, func(x claviger.SealedTranscript, k claviger.TranscriptKey) error {
		if want := keyOf(x.Key, morning); k.ID != want.ID || !bytes.Equal(k.Sealed, want.Sealed) || !k.Created.Equal(want.Created) || !k.Until.Equal(want.Until) {
			t.Errorf("the key is %+v, want %+v", k, want)
		}
		got = append(got, x)
		return nil
	})
	if err != nil || len(got) != 2 {
		t.Fatalf("%d transcripts, %v", len(got), err)
	}
	for i, want := range []claviger.SealedTranscript{first, second} {
		if g := got[i]; g.ID != want.ID || g.Owner != want.Owner || g.Key != want.Key || !g.Created.Equal(want.Created) || !g.Until.Equal(want.Until) || !bytes.Equal(g.Sealed, want.Sealed) {
			t.Errorf("got %+v, want %+v", g, want)
		}
	}
	if n, err := s.CountTranscripts(t.Context(), "ann"); n != 2 || err != nil {
		t.Errorf("counted %d, %v", n, err)
	}
	enough := errors.New("enough")
	if err := s.EachTranscript(t.Context(), "ann", morning, func(claviger.SealedTranscript, claviger.TranscriptKey) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("ended with %v", err)
	}
}

func givenAgain(t *testing.T, s RecordKeeper) {
	first := say(t, s, "ann", "key", 0)
	again, key := first, keyOf("key", morning)
	again.Sealed, key.Sealed = []byte("other words"), []byte("another seal")
	if err := s.AppendTranscripts(t.Context(), []claviger.TranscriptKey{key, key}, []claviger.SealedTranscript{again}); err != nil {
		t.Fatal(err)
	}
	err := s.EachTranscript(t.Context(), "ann", morning, func(x claviger.SealedTranscript, k claviger.TranscriptKey) error {
		if !bytes.Equal(x.Sealed, first.Sealed) || string(k.Sealed) != "sealed key" {
			t.Error("what was stored first was replaced")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	appendCalls(t, s, callOf("ann", 0))
	other := callOf("ann", 0)
	other.Model = "another"
	appendCalls(t, s, other, callOf("ann", 1))
	if got := calls(t, s, "ann"); len(got) != 2 || got[0].Text("model") != "gpt-4.1-mini" {
		t.Errorf("kept %v", got)
	}
}

func sweptAtTheEnd(t *testing.T, s RecordKeeper) {
	say(t, s, "ann", "early", 0)
	say(t, s, "ann", "late", 2*hour)
	appendCalls(t, s, callOf("ann", 0), callOf("ann", 2*hour))
	end := morning.Add(24 * hour)
	if got := said(t, s, "ann", end); len(got) != 1 {
		t.Errorf("what has ended is read: %v", got)
	}
	if n, err := s.CountTranscripts(t.Context(), "ann"); n != 2 || err != nil {
		t.Errorf("counted %d before it is swept, %v", n, err)
	}
	q := func(now time.Time) claviger.RecordSweep {
		return claviger.RecordSweep{Now: now, CallsFrom: now.Add(-1000 * hour), TranscriptsFrom: now.Add(-1000 * hour)}
	}
	for _, x := range []struct {
		at   time.Duration
		want claviger.RecordCount
	}{
		{-time.Microsecond, claviger.RecordCount{}},
		{0, claviger.RecordCount{Calls: 1, Transcripts: 1}},
		{0, claviger.RecordCount{}},
		{hour, claviger.RecordCount{Keys: 2}}, // keyOf is of the morning alone
		{2 * hour, claviger.RecordCount{Calls: 1, Transcripts: 1}},
	} {
		if n := sweepAt(t, s, q(end.Add(x.at))); n != x.want {
			t.Errorf("at %v: %+v, want %+v", x.at, n, x.want)
		}
		if x.at == hour {
			if got := said(t, s, "ann", end); len(got) != 1 || !strings.HasSuffix(got[0], "without a key") {
				t.Errorf("with its key gone: %v", got)
			}
		}
	}
}

func sweptByPolicy(t *testing.T, s RecordKeeper) {
	say(t, s, "ann", "a", 0)
	say(t, s, "ann", "a", 4*hour)
	appendCalls(t, s, callOf("ann", 0), callOf("ann", 4*hour))
	now := morning.Add(5 * hour)
	if n := sweepAt(t, s, claviger.RecordSweep{Now: now, CallsFrom: now.Add(-24 * hour), TranscriptsFrom: now.Add(-2 * hour)}); n != (claviger.RecordCount{Transcripts: 1, Keys: 1}) {
		t.Errorf("a shorter time of transcripts deletes %+v", n)
	}
	if n := sweepAt(t, s, claviger.RecordSweep{Now: now, CallsFrom: now.Add(-2 * hour), TranscriptsFrom: now}); n != (claviger.RecordCount{Calls: 1, Transcripts: 1}) {
		t.Errorf("a shorter time of calls, and no transcripts, delete %+v", n)
	}
	if n := sweepAt(t, s, claviger.RecordSweep{Now: now, CallsFrom: now, TranscriptsFrom: now}); n != (claviger.RecordCount{Calls: 1}) {
		t.Errorf("no policy deletes %+v", n)
	}
}

func erasedRecords(t *testing.T, s RecordKeeper) {
	say(t, s, "ann", "ours", 0)
	say(t, s, "ann", "shared", time.Second)
	say(t, s, "bob", "shared", 0)
	appendCalls(t, s, callOf("ann", 0), callOf("bob", 0))
	n, err := s.EraseRecords(t.Context(), "ann", morning.Add(10*hour))
	if err != nil || n != (claviger.RecordCount{Calls: 1, Transcripts: 2, Keys: 1}) {
		t.Errorf("erased %+v, %v", n, err)
	}
	if got := said(t, s, "ann", morning); len(got) != 0 || len(calls(t, s, "ann")) != 0 {
		t.Errorf("left: %v", got)
	}
	if got := said(t, s, "bob", morning); !slices.Equal(got, []string{transcriptOf("bob", "", morning).ID}) || len(calls(t, s, "bob")) != 1 {
		t.Errorf("somebody else's: %v", got)
	}
	if n, err := s.EraseRecords(t.Context(), "ann", morning.Add(10*hour)); err != nil || n != (claviger.RecordCount{}) {
		t.Errorf("erased again: %+v, %v", n, err)
	}
}

// keysStay: a key that is in use may have transcripts that nobody sees yet.
func keysStay(t *testing.T, s RecordKeeper) {
	say(t, s, "ann", "in use", 0)
	if n, err := s.EraseRecords(t.Context(), "ann", morning.Add(hour)); err != nil || n != (claviger.RecordCount{Transcripts: 1}) {
		t.Errorf("erased %+v, %v", n, err)
	}
	if err := s.AppendTranscripts(t.Context(), nil, []claviger.SealedTranscript{transcriptOf("bob", "in use", morning)}); err != nil {
		t.Fatal(err)
	}
	if got := said(t, s, "bob", morning); len(got) != 1 || strings.HasSuffix(got[0], "without a key") {
		t.Errorf("got %v", got)
	}
}

func hostileRecords(t *testing.T, s RecordKeeper) {
	say(t, s, "ann", "key", 0)
	appendCalls(t, s, callOf("ann", 0))
	for i, name := range hostile() {
		x := transcriptOf("eve", "key", morning.Add(time.Duration(i)*time.Second))
		x.Owner = name
		err := s.AppendTranscripts(t.Context(), nil, []claviger.SealedTranscript{x})
		if got := said(t, s, name, morning); (err == nil) != (len(got) == 1) {
			t.Errorf("%.40q: stored with %v, read %v", name, err, got)
		}
		c := callOf("eve", time.Duration(i))
		c.RequestID, c.Model, c.Plan, c.Action = "req "+name, name, name, name
		appendCalls(t, s, c)
		if _, err := s.EraseRecords(t.Context(), name, morning.Add(10*hour)); err != nil {
			t.Errorf("%.40q: %v", name, err)
		}
	}
	if got := said(t, s, "ann", morning); len(got) != 1 || len(calls(t, s, "ann")) != 1 {
		t.Errorf("left: %v", got)
	}
}

func recordsAllOrNone(t *testing.T, s RecordKeeper) {
	good, bad := transcriptOf("ann", "key", morning), transcriptOf("ann", "key", morning.Add(hour))
	bad.ID = ""
	if err := s.AppendTranscripts(t.Context(), []claviger.TranscriptKey{keyOf("key", morning)}, []claviger.SealedTranscript{good, bad}); err == nil {
		t.Error("a transcript without an id was stored")
	}
	if got := said(t, s, "ann", morning); len(got) != 0 {
		t.Errorf("stored: %v", got)
	}
}

func manyRecords(t *testing.T, s RecordKeeper) {
	const writers, each = 4, 150
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			var ts []claviger.SealedTranscript
			var cs []claviger.CallRecord
			for i := range each {
				ts = append(ts, transcriptOf(fmt.Sprint("person ", w), "key", morning.Add(time.Duration(i)*time.Second)))
				cs = append(cs, callOf(fmt.Sprint("person ", w), time.Duration(i)))
			}
			if err := errors.Join(s.AppendTranscripts(t.Context(), []claviger.TranscriptKey{keyOf("key", morning)}, ts), s.AppendCalls(t.Context(), cs)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for w := range writers {
		name := fmt.Sprint("person ", w)
		if got := said(t, s, name, morning); len(got) != each || len(calls(t, s, name)) != each {
			t.Errorf("%s: %d transcripts", name, len(got))
		}
	}
}

func recordsEnded(t *testing.T, s RecordKeeper) {
	ctx := cancelled(t)
	_, sweep := s.SweepRecords(ctx, claviger.RecordSweep{Now: morning})
	_, erase := s.EraseRecords(ctx, "ann", morning)
	_, count := s.CountTranscripts(ctx, "ann")
	for what, err := range map[string]error{
		"calls": s.AppendCalls(ctx, []claviger.CallRecord{callOf("ann", 0)}), "no calls": s.AppendCalls(ctx, nil),
		"transcripts": s.AppendTranscripts(ctx, nil, []claviger.SealedTranscript{transcriptOf("ann", "k", morning)}),
		"read":        s.EachTranscript(ctx, "ann", morning, nil), "sweep": sweep, "erase": erase, "count": count, "scrub": s.ScrubRecords(ctx),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
