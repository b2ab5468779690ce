// Package record keeps what a retention policy names, for as long as it says, and
// nothing else: records of single calls, and transcripts of prompts and answers.
//
// A transcript is sealed to a key of its hour, whose private half is sealed to the
// policy's age recipients and not kept by the process: the gateway writes what it
// cannot read. When the hour has ended its time, its key is deleted, and nobody
// opens its transcripts any more, whoever has a copy of them.
package record

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"filippo.io/age"

	"claviger.dev/claviger"
)

// Policy says what is kept, for whom and how long. The zero value keeps nothing.
type Policy struct {
	Calls       Rule
	Transcripts TranscriptRule
}

// Rule is for how long something is kept, and for whom.
type Rule struct {
	// Time is how long; 0 keeps nothing.
	Time time.Duration
	// Plans are those whose callers' calls are kept; none stands for everybody's.
	Plans []string
}

func (r *Rule) keeps(plan string) bool {
	return r.Time > 0 && (len(r.Plans) == 0 || slices.Contains(r.Plans, plan))
}

// from is how far back the rule goes.
func (r *Rule) from(now time.Time) time.Time { return now.Add(-r.Time) }

// TranscriptRule is the rule of what was said.
type TranscriptRule struct {
	Rule
	claviger.TranscriptParts
	// Recipients are public keys of age ("age1…"). Who has the identity of one of
	// them can read, and nobody else, the gateway included.
	Recipients []string
}

// Store keeps records. Its methods may be called concurrently and block until ctx
// ends; on error nothing of a call was stored or deleted. Appending what is there
// already changes nothing.
type Store interface {
	AppendCalls(ctx context.Context, calls []claviger.CallRecord) error
	AppendTranscripts(ctx context.Context, keys []claviger.TranscriptKey, ts []claviger.SealedTranscript) error
	SweepRecords(ctx context.Context, s claviger.RecordSweep) (claviger.RecordCount, error)
	// ScrubRecords makes what was deleted unreadable in the files, as far as the
	// engine can.
	ScrubRecords(ctx context.Context) error
}

// The bounds of what waits to be stored.
const (
	// mostWaiting and mostBytes are how many records may wait, and how many bytes
	// of prompts and answers. What comes beyond is lost, and counted.
	mostWaiting = 8192
	mostBytes   = 64 << 20
	// batchSize, batchBytes and batchEvery are when a batch is stored: whichever
	// comes first.
	batchSize  = 256
	batchBytes = 8 << 20
	batchEvery = time.Second
	// writeTime bounds one write, endTime all of them at the end.
	writeTime, endTime = 5 * time.Second, 5 * time.Second
	sweepEvery         = time.Minute
	sweepTime          = 30 * time.Second
	complainEvery      = time.Minute
)

// Options are what a Keeper works with.
type Options struct {
	// Store keeps the records; nil keeps none, whatever the policy says.
	Store Store
	// Now is the clock. Required.
	Now func() time.Time
	// Log is told of troubles, and never of what was said. Required.
	Log *slog.Logger
	// Lost counts what could not be kept, by kind, "call" or "transcript", and
	// reason: "full", "end" or "seal". Nil counts nothing.
	Lost func(kind, reason string, n int)
}

// Keeper keeps records by the newest policy. It stores in the background, a second
// late at most while the store takes it: a process that is killed loses no more
// than that. Its methods may be called concurrently and never wait for the store.
type Keeper struct {
	o      Options
	policy atomic.Pointer[policy]
	queue  chan entry
	// waiting are the bytes of what waits.
	waiting atomic.Int64
	// told is when the log was last told of a loss.
	told atomic.Int64
	// changed wakes the sweep.
	changed chan struct{}
}

var _ claviger.Transcripts = (*Keeper)(nil)

// policy is a Policy in use.
type policy struct {
	Policy
	recipients []age.Recipient
}

// entry is what waits to be stored: one of the two.
type entry struct {
	call       *claviger.CallRecord
	transcript *claviger.Transcript
	by         *policy
}

func (e *entry) size() int64 {
	if e.transcript == nil {
		return 0
	}
	return int64(len(e.transcript.Prompt) + len(e.transcript.Answer))
}

// New makes a Keeper that keeps nothing until Use.
func New(o Options) *Keeper {
	k := &Keeper{o: o, queue: make(chan entry, mostWaiting), changed: make(chan struct{}, 1)}
	k.policy.Store(&policy{})
	return k
}

// Use makes p the policy of what comes from now on. Times that got shorter hold for
// what is kept already, too, and what no rule keeps any more is deleted. On error
// the policy before goes on.
func (k *Keeper) Use(p Policy) error {
	next := &policy{Policy: p}
	if p.Transcripts.Time > 0 {
		var err error
		if next.recipients, err = parseRecipients(p.Transcripts.Recipients); err != nil {
			return err
		}
	}
	k.policy.Store(next)
	select {
	case k.changed <- struct{}{}:
	default:
	}
	return nil
}

// Keeps implements claviger.Transcripts.
func (k *Keeper) Keeps(plan string) claviger.TranscriptParts {
	r := &k.policy.Load().Transcripts
	if k.o.Store == nil || !r.keeps(plan) {
		return claviger.TranscriptParts{}
	}
	return r.TranscriptParts
}

// Keep implements claviger.Transcripts. A part that the newest policy does not keep
// is left out, whatever was gathered.
func (k *Keeper) Keep(t claviger.Transcript) {
	parts := k.Keeps(t.Plan)
	if !parts.Prompts {
		t.Prompt, t.PromptCut = nil, false
	}
	if !parts.Answers {
		t.Answer, t.AnswerCut = nil, false
	}
	if !parts.Any() || t.Subject == "" {
		return
	}
	k.put(entry{transcript: &t, by: k.policy.Load()})
}

// Record keeps the account of a call where the policy says so. Whoever was not
// authenticated is nobody of whom something is kept.
func (k *Keeper) Record(e *claviger.Event) {
	p := k.policy.Load()
	if k.o.Store == nil || e.Subject == "" || !p.Calls.keeps(e.Plan) {
		return
	}
	c := &claviger.CallRecord{Event: *e, Until: e.Started.Add(p.Calls.Time)}
	// What went wrong in detail is for the log, which has its own end.
	c.Cause = ""
	k.put(entry{call: c, by: p})
}

// put lets an entry wait, or loses it.
func (k *Keeper) put(e entry) {
	n := e.size()
	if k.waiting.Add(n) <= mostBytes {
		select {
		case k.queue <- e:
			return
		default:
		}
	}
	k.waiting.Add(-n)
	k.lose(&e, "full")
}

func (k *Keeper) lose(e *entry, reason string) {
	kind := "call"
	if e.transcript != nil {
		kind = "transcript"
	}
	k.lost(kind, reason, 1)
}

// lost counts what is lost, and tells the log now and then.
func (k *Keeper) lost(kind, reason string, n int) {
	if n == 0 {
		return
	}
	if k.o.Lost != nil {
		k.o.Lost(kind, reason, n)
	}
	now, last := k.o.Now().UnixNano(), k.told.Load()
	if (last == 0 || now-last >= int64(complainEvery)) && k.told.CompareAndSwap(last, now) {
		k.o.Log.Error("records that the retention policy names are lost; claviger_records_lost_total counts them", "kind", kind, "reason", reason)
	}
}

// Start stores and sweeps until stop, which stores what is left. The end of ctx is
// not the end of it: calls are recorded until the last one.
func (k *Keeper) Start(ctx context.Context) (stop func()) {
	if k.o.Store == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	wg.Go(func() { k.write(ctx) })
	wg.Go(func() { k.sweep(ctx) })
	return func() {
		cancel()
		wg.Wait()
	}
}
