package record

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"filippo.io/age"
	"go.uber.org/goleak"

	"claviger.dev/claviger"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// books are a store in memory that can be away.
type books struct {
	mu          sync.Mutex
	away        error
	hangs       bool
	calls       map[string]claviger.CallRecord
	keys        map[string]claviger.TranscriptKey
	transcripts map[string]claviger.SealedTranscript
	sweeps      []claviger.RecordSweep
	// swept is what the next sweep finds.
	swept    claviger.RecordCount
	scrubs   int
	scrubErr error
}

func newBooks() *books {
	return &books{calls: map[string]claviger.CallRecord{}, keys: map[string]claviger.TranscriptKey{}, transcripts: map[string]claviger.SealedTranscript{}}
}

func (b *books) set(away error, hangs bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.away, b.hangs = away, hangs
}

func (b *books) ready(ctx context.Context) error {
	b.mu.Lock()
	away, hangs := b.away, b.hangs
	b.mu.Unlock()
	if hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	return away
}

func (b *books) AppendCalls(ctx context.Context, calls []claviger.CallRecord) error {
	if err := b.ready(ctx); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, c := range calls {
		b.calls[c.RequestID] = c
	}
	return nil
}

func (b *books) AppendTranscripts(ctx context.Context, keys []claviger.TranscriptKey, ts []claviger.SealedTranscript) error {
	if err := b.ready(ctx); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, k := range keys {
		b.keys[k.ID] = k
	}
	for _, t := range ts {
		if _, there := b.keys[t.Key]; !there {
			return errors.New("a transcript came without its key")
		}
		b.transcripts[t.ID] = t
	}
	return nil
}

func (b *books) SweepRecords(_ context.Context, s claviger.RecordSweep) (claviger.RecordCount, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sweeps = append(b.sweeps, s)
	n := b.swept
	b.swept = claviger.RecordCount{}
	return n, b.away
}

func (b *books) ScrubRecords(context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.scrubs++
	return b.scrubErr
}

func (b *books) stored() (calls, transcripts, keys int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.calls), len(b.transcripts), len(b.keys)
}

func (b *books) seen() (sweeps []claviger.RecordSweep, scrubs int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.sweeps), b.scrubs
}

func (b *books) find(swept claviger.RecordCount, scrub error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.swept, b.scrubErr = swept, scrub
}

// reader is a person with an identity.
func reader(t testing.TB) (recipient string, o *Opener) {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	o, err = NewOpener(strings.NewReader("# a comment\n" + id.String() + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	return id.Recipient().String(), o
}

func everything(recipients ...string) Policy {
	return Policy{
		Calls:       Rule{Time: 90 * 24 * time.Hour},
		Transcripts: TranscriptRule{Rule: Rule{Time: 24 * time.Hour}, TranscriptParts: claviger.TranscriptParts{Prompts: true, Answers: true}, Recipients: recipients},
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func transcriptOf(owner, prompt string) claviger.Transcript {
	return claviger.Transcript{
		RequestID: "req_" + rand.Text(), Subject: owner, Realm: "app", Plan: "free", Started: time.Now(), Endpoint: "responses", Model: "gpt-4.1-mini",
		Prompt: []byte(prompt), Answer: []byte("an answer to " + prompt), AnswerCut: true,
	}
}

// sealedOf seals one transcript to a recipient.
func sealedOf(t testing.TB, recipient string, x claviger.Transcript) (claviger.SealedTranscript, claviger.TranscriptKey) {
	t.Helper()
	k := New(Options{Now: time.Now})
	must(t, k.Use(everything(recipient)))
	s, err := newSealer(k.policy.Load(), time.Now())
	must(t, err)
	out, err := s.seal(&x)
	must(t, err)
	return out, s.key
}

// TestOpens: the identity of a recipient opens what was sealed, unchanged, and no
// other identity does.
func TestOpens(t *testing.T) {
	to, o := reader(t)
	_, other := reader(t)
	x := transcriptOf("ann", "tell me \u2603 \"quoted\" \x00 and more")
	sealed, key := sealedOf(t, to, x)
	got, err := o.Open(sealed, key)
	must(t, err)
	if string(got.Prompt) != string(x.Prompt) || string(got.Answer) != string(x.Answer) || !got.AnswerCut || got.PromptCut || got.RequestID != x.RequestID ||
		got.Subject != "ann" || got.Realm != "app" || got.Plan != "free" || got.Endpoint != "responses" || got.Model != x.Model {
		t.Errorf("opened %q %q", got.Prompt, got.Answer)
	}
	if _, err := other.Open(sealed, key); !errors.Is(err, ErrOtherRecipient) {
		t.Errorf("another identity: %v", err)
	}
	if _, err := o.Open(sealed, claviger.TranscriptKey{}); !errors.Is(err, ErrKeyGone) {
		t.Errorf("without its key, the recipient: %v", err)
	}
	for _, text := range []string{"tell me", "an answer", "gpt-4.1-mini", "free"} {
		if bytes.Contains(sealed.Sealed, []byte(text)) || bytes.Contains(key.Sealed, []byte(text)) {
			t.Errorf("%q can be read in what is sealed", text)
		}
	}
}

// TestMoved: a row that was moved or changed does not open.
func TestMoved(t *testing.T) {
	to, o := reader(t)
	sealed, key := sealedOf(t, to, transcriptOf("ann", "hello"))
	_, otherKey := sealedOf(t, to, transcriptOf("bob", "hello"))
	if _, err := o.Open(sealed, key); err != nil {
		t.Fatalf("as it was stored: %v", err)
	}
	for what, change := range map[string]func(*claviger.SealedTranscript, *claviger.TranscriptKey){
		"another owner":     func(x *claviger.SealedTranscript, _ *claviger.TranscriptKey) { x.Owner = "bob" },
		"another id":        func(x *claviger.SealedTranscript, _ *claviger.TranscriptKey) { x.ID += "0" },
		"owner and id":      func(x *claviger.SealedTranscript, _ *claviger.TranscriptKey) { x.ID, x.Owner = x.Owner, x.ID },
		"another beginning": func(x *claviger.SealedTranscript, _ *claviger.TranscriptKey) { x.Created = x.Created.Add(time.Second) },
		"a longer life":     func(x *claviger.SealedTranscript, _ *claviger.TranscriptKey) { x.Until = x.Until.Add(time.Hour) },
		"a flipped bit":     func(x *claviger.SealedTranscript, _ *claviger.TranscriptKey) { x.Sealed[len(x.Sealed)/2] ^= 1 },
		"cut":               func(x *claviger.SealedTranscript, _ *claviger.TranscriptKey) { x.Sealed = x.Sealed[:20] },
		"another key's id":  func(x *claviger.SealedTranscript, k *claviger.TranscriptKey) { x.Key, k.ID = otherKey.ID, otherKey.ID },
		"another key":       func(x *claviger.SealedTranscript, k *claviger.TranscriptKey) { *k = otherKey },
		"its id on another": func(x *claviger.SealedTranscript, k *claviger.TranscriptKey) { k.Sealed = otherKey.Sealed },
		"a key that lives":  func(x *claviger.SealedTranscript, k *claviger.TranscriptKey) { k.Until = k.Until.Add(time.Hour) },
		"a key that is cut": func(x *claviger.SealedTranscript, k *claviger.TranscriptKey) { k.Sealed = k.Sealed[:len(k.Sealed)-1] },
	} {
		x, k := sealed, key
		x.Sealed, k.Sealed = bytes.Clone(sealed.Sealed), bytes.Clone(key.Sealed)
		change(&x, &k)
		if got, err := o.Open(x, k); !errors.Is(err, ErrChanged) || len(got.Prompt) > 0 {
			t.Errorf("%s: opened with %v", what, err)
		}
	}
}

func TestRecipients(t *testing.T) {
	to, _ := reader(t)
	id, err := age.GenerateX25519Identity()
	must(t, err)
	pq, err := age.GenerateHybridIdentity()
	must(t, err)
	must(t, CheckRecipients([]string{to, id.Recipient().String()}))
	must(t, CheckRecipients([]string{pq.Recipient().String()}))
	for what, list := range map[string][]string{
		"none": nil, "an identity": {to, id.String()}, "a comment": {"# x"}, "two in one": {to + "\n" + to}, "two kinds": {to, pq.Recipient().String()}, "a typo": {to[:len(to)-1] + "b"},
	} {
		err := CheckRecipients(list)
		if err == nil || strings.Contains(fmt.Sprintf("%+v", err), "AGE-SECRET") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if e, ok := errors.AsType[*RecipientError](CheckRecipients([]string{to, id.String()})); !ok || e.Index != 1 {
		t.Error("nothing says which recipient is none")
	}
	if _, err := NewOpener(strings.NewReader(to)); err == nil || strings.Contains(err.Error(), to) {
		t.Errorf("a recipient as identity: %v", err)
	}
}

// bubble runs a test with a keeper in a bubble of its own time.
func bubble(t *testing.T, p Policy, run func(t *testing.T, k *Keeper, b *books, lost map[string]int, log *bytes.Buffer)) {
	synctest.Test(t, func(t *testing.T) {
		b, lost, log := newBooks(), map[string]int{}, &bytes.Buffer{}
		k := New(Options{Store: b, Now: time.Now, Log: slog.New(slog.NewTextHandler(log, nil)), Lost: func(kind, reason string, n int) { lost[kind+" "+reason] += n }})
		must(t, k.Use(p))
		run(t, k, b, lost, log)
	})
}

// TestStoredWithinASecond: what is a second old is stored, so that a killed process
// loses no more than that; and nobody who calls waits.
func TestStoredWithinASecond(t *testing.T) {
	to, o := reader(t)
	bubble(t, everything(to), func(t *testing.T, k *Keeper, b *books, lost map[string]int, _ *bytes.Buffer) {
		stop := k.Start(t.Context())
		for i := range 10 {
			began := time.Now()
			k.Keep(transcriptOf("ann", fmt.Sprint("prompt ", i)))
			k.Record(&claviger.Event{RequestID: fmt.Sprint("req_", i), Subject: "ann", Started: time.Now(), Cause: "secret"})
			if d := time.Since(began); d != 0 {
				t.Errorf("waited for %v", d)
			}
			time.Sleep(batchEvery + time.Millisecond)
			if calls, ts, keys := b.stored(); calls != i+1 || ts != i+1 || keys != 1 {
				t.Fatalf("a second after %d: %d calls, %d transcripts, %d keys", i+1, calls, ts, keys)
			}
		}
		k.Keep(transcriptOf("ann", "the last"))
		stop()
		if _, ts, _ := b.stored(); ts != 11 || len(lost) > 0 {
			t.Errorf("at the end %d transcripts, lost %v", ts, lost)
		}
		for _, x := range b.transcripts {
			if _, err := o.Open(x, b.keys[x.Key]); err != nil {
				t.Error(err)
			}
		}
		for _, c := range b.calls {
			if c.Cause != "" || !c.Until.Equal(c.Started.Add(90*24*time.Hour)) {
				t.Errorf("kept %+v", c)
			}
		}
	})
}

// TestKeyOfAnHour: a key serves an hour and one policy, and ends after all that was
// sealed by it.
func TestKeyOfAnHour(t *testing.T) {
	to, _ := reader(t)
	bubble(t, everything(to), func(t *testing.T, k *Keeper, b *books, _ map[string]int, _ *bytes.Buffer) {
		stop := k.Start(t.Context())
		for range 3 {
			k.Keep(transcriptOf("ann", "x"))
			time.Sleep(keyTime)
		}
		must(t, k.Use(everything(to)))
		k.Keep(transcriptOf("ann", "x"))
		must(t, k.Use(everything(to)))
		k.Keep(transcriptOf("ann", "x"))
		stop()
		if _, ts, keys := b.stored(); ts != 5 || keys != 5 {
			t.Errorf("%d transcripts by %d keys", ts, keys)
		}
		for _, x := range b.transcripts {
			if key := b.keys[x.Key]; key.Until.Before(x.Until) || key.Until.Sub(x.Until) > keyTime {
				t.Errorf("a transcript until %v by a key until %v", x.Until, key.Until)
			}
		}
	})
}

// TestKeeps: what no rule names is not kept, also where it was gathered.
func TestKeeps(t *testing.T) {
	to, _ := reader(t)
	p := everything(to)
	p.Transcripts.Plans, p.Calls.Plans, p.Transcripts.Prompts = []string{"free"}, []string{"pro"}, false
	bubble(t, p, func(t *testing.T, k *Keeper, b *books, _ map[string]int, _ *bytes.Buffer) {
		if k.Keeps("pro").Any() || k.Keeps("").Any() || k.Keeps("free") != (claviger.TranscriptParts{Answers: true}) {
			t.Error("the plans are not those of the policy")
		}
		stop := k.Start(t.Context())
		for _, plan := range []string{"free", "pro", ""} {
			x := transcriptOf("ann", "x")
			x.Plan = plan
			k.Keep(x)
			k.Record(&claviger.Event{RequestID: plan, Subject: "ann", Plan: plan})
		}
		k.Keep(transcriptOf("", "nobody"))
		k.Record(&claviger.Event{RequestID: "nobody", Plan: "pro"})
		stop()
		if calls, ts, _ := b.stored(); calls != 1 || ts != 1 || b.calls["pro"].Plan != "pro" {
			t.Errorf("%d calls, %d transcripts", calls, ts)
		}
		must(t, k.Use(Policy{}))
		k.Keep(transcriptOf("ann", "x"))
		if len(k.queue) != 0 {
			t.Error("kept without a policy")
		}
	})
	if New(Options{}).Keeps("free").Any() {
		t.Error("something is kept by default")
	}
	if k := New(Options{Now: time.Now}); k.Use(Policy{Transcripts: TranscriptRule{Rule: Rule{Time: time.Hour}}}) == nil {
		t.Error("transcripts without a recipient")
	}
}

// TestStoreIsAway: what waits is bounded in number and bytes, what is lost is
// counted, nothing of it is in the log, and nobody waits.
func TestStoreIsAway(t *testing.T) {
	to, _ := reader(t)
	const canary = "my heart is a submarine"
	bubble(t, everything(to), func(t *testing.T, k *Keeper, b *books, lost map[string]int, log *bytes.Buffer) {
		b.set(errors.New("out of reach"), false)
		stop := k.Start(t.Context())
		began := time.Now()
		long := canary + strings.Repeat("x", claviger.MostTranscript-len(canary))
		for range 250 {
			k.Keep(transcriptOf("ann", long))
		}
		for i := range 2 * mostWaiting {
			k.Record(&claviger.Event{RequestID: fmt.Sprint("req_", i), Subject: "ann"})
		}
		if d := time.Since(began); d != 0 {
			t.Errorf("callers waited for %v", d)
		}
		if n := k.waiting.Load(); n > mostBytes {
			t.Errorf("%d bytes wait", n)
		}
		if lost["transcript full"] < 100 || lost["call full"] < mostWaiting/2 {
			t.Errorf("lost %v", lost)
		}
		time.Sleep(10 * time.Minute)
		b.set(nil, false)
		time.Sleep(time.Minute)
		calls, ts, _ := b.stored()
		if ts+lost["transcript full"] != 250 || calls+lost["call full"] != 2*mostWaiting {
			t.Errorf("stored %d and %d, lost %v", calls, ts, lost)
		}
		if n := k.waiting.Load(); n != 0 {
			t.Errorf("%d bytes wait still", n)
		}
		b.set(nil, true)
		k.Keep(transcriptOf("ann", canary))
		time.Sleep(2 * time.Second)
		k.Keep(transcriptOf("ann", canary))
		began = time.Now()
		stop()
		if d := time.Since(began); d > writeTime+endTime || lost["transcript end"] != 2 {
			t.Errorf("ended after %v, lost %v", d, lost)
		}
		if text := log.String(); strings.Contains(text, "submarine") || strings.Contains(text, "xxxx") || !strings.Contains(text, "claviger_records_lost_total") || strings.Count(text, "\n") > 60 {
			t.Errorf("the log: %.2000s", text)
		}
	})
}

// TestSweeps: once a minute and when the policy changes; what could not be scrubbed
// is scrubbed later.
func TestSweeps(t *testing.T) {
	to, _ := reader(t)
	bubble(t, everything(to), func(t *testing.T, k *Keeper, b *books, _ map[string]int, _ *bytes.Buffer) {
		defer k.Start(t.Context())()
		synctest.Wait()
		now := time.Now()
		sweeps, scrubs := b.seen()
		if len(sweeps) < 1 || scrubs != 0 {
			t.Fatalf("%d sweeps, %d scrubs at the start", len(sweeps), scrubs)
		}
		if s := sweeps[0]; !s.Now.Equal(now) || !s.CallsFrom.Equal(now.Add(-90*24*time.Hour)) || !s.TranscriptsFrom.Equal(now.Add(-24*time.Hour)) {
			t.Errorf("swept %+v", s)
		}
		first := len(sweeps)
		b.find(claviger.RecordCount{Keys: 1}, errors.New("somebody reads"))
		time.Sleep(2*sweepEvery + time.Second)
		if sweeps, scrubs = b.seen(); len(sweeps) != first+2 || scrubs != 2 {
			t.Errorf("%d sweeps, %d scrubs", len(sweeps)-first, scrubs)
		}
		b.find(claviger.RecordCount{}, nil)
		time.Sleep(3 * sweepEvery)
		if sweeps, scrubs = b.seen(); scrubs != 3 {
			t.Errorf("%d scrubs though nothing was deleted any more", scrubs)
		}
		n := len(sweeps)
		must(t, k.Use(Policy{}))
		synctest.Wait()
		now = time.Now()
		sweeps, _ = b.seen()
		if s := sweeps[len(sweeps)-1]; len(sweeps) != n+1 || !s.CallsFrom.Equal(now) || !s.TranscriptsFrom.Equal(now) {
			t.Errorf("without a policy: %d sweeps, %+v", len(sweeps)-n, s)
		}
	})
}

// TestNotPrinted: a transcript in a log or an error shows no word of it.
func TestNotPrinted(t *testing.T) {
	x := transcriptOf("ann", "my heart is a submarine")
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "t", x, "p", &x)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		text := fmt.Sprintf(verb+verb, x, &x) + log.String()
		if strings.Contains(text, "submarine") || strings.Contains(text, fmt.Sprintf("%x", "submarine")) || !strings.Contains(text, x.RequestID) {
			t.Errorf("%s: %s", verb, text)
		}
	}
}

func BenchmarkSeal(b *testing.B) {
	to, _ := reader(b)
	for _, size := range []int{1 << 10, 16 << 10, 256 << 10} {
		b.Run(fmt.Sprint(size>>10, "KiB"), func(b *testing.B) {
			k := New(Options{Now: time.Now})
			must(b, k.Use(everything(to)))
			s, err := newSealer(k.policy.Load(), time.Now())
			must(b, err)
			x := transcriptOf("ann", strings.Repeat("x", size/2))
			x.Answer = x.Prompt
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.seal(&x); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkKeyOfAnHour(b *testing.B) {
	to, _ := reader(b)
	k := New(Options{Now: time.Now})
	must(b, k.Use(everything(to)))
	for b.Loop() {
		if _, err := newSealer(k.policy.Load(), time.Now()); err != nil {
			b.Fatal(err)
		}
	}
}
