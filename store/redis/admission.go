package redis

import (
	"context"
	"crypto/rand"
	_ "embed" // the scripts
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"claviger.dev/claviger"
	"claviger.dev/claviger/admit"
)

//go:embed window.lua
var windowLua string

//go:embed admit.lua
var admitLua string

//go:embed close.lua
var closeLua string

var (
	admitScript = goredis.NewScript(windowLua + admitLua)
	closeScript = goredis.NewScript(windowLua + closeLua)
)

// most is the largest amount that Redis counts. Amounts above it are above
// every limit, and count as this one.
const most = 1<<53 - 1

// What admit.lua answers.
const (
	answerRefused = iota
	answerGranted
	answerOtherSpan
	answerGivenUp
	answerMoreDue
)

// maxCharges bounds what one script has to do.
const maxCharges = 1000

// rounds is how often the bounds of calendar windows may turn out to be of
// another time than that at Redis. Nothing was taken then.
const rounds = 3

var (
	errSpan     = errors.New("redis: its clock does not stand still enough to find the calendar window")
	errMany     = errors.New("redis: too many charges at once")
	errAnswer   = errors.New("redis: the script gave an answer that makes no sense")
	errDue      = errors.New("redis: many calls that were cut off have to be closed first")
	errGivenUp  = errors.New("redis: this call was given up before it was admitted")
	errReadOnly = errors.New("redis: it was opened to look only")
	errBusy     = errors.New("redis: too many calls wait for it")
)

// Admit implements claviger.Admission in one round trip, but for the first call
// after the scripts were lost or the server was, and for one at the very turn of
// a calendar window on a node whose clock is off. It waits for Options.Timeout
// or the deadline of ctx, whichever comes first. On error it denies; what the
// script may have taken by then is given back as soon as Redis can be reached,
// but for requests in a time, which stay taken.
func (a *Admission) Admit(ctx context.Context, charges []claviger.Charge) (claviger.Hold, error) {
	h, err := a.admit(ctx, charges)
	if err == nil {
		return h, nil
	}
	if _, ok := errors.AsType[*claviger.Error](err); ok {
		return nil, err
	}
	return nil, &claviger.Error{Code: claviger.CodeLimitsUnavailable, RetryAfter: time.Second, Err: err}
}

func (a *Admission) admit(ctx context.Context, charges []claviger.Charge) (*hold, error) {
	demands, err := admit.Demands(charges)
	if err != nil {
		return nil, err
	}
	h := &hold{a: a, demands: demands}
	switch {
	case len(charges) == 0:
		return h, nil
	case len(charges) > maxCharges:
		return nil, errMany
	case a.options.ReadOnly:
		return nil, errReadOnly
	}
	if i := slices.IndexFunc(demands, func(d admit.Demand) bool { return d.Limit > MaxLimit }); i >= 0 {
		return nil, fmt.Errorf("redis: a limit of %s is above %d, the most that can be counted exactly there", charges[i].Kind, int64(MaxLimit))
	}
	if slices.ContainsFunc(demands, func(d admit.Demand) bool { return d.Shape != admit.ShapeRate }) {
		h.id = rand.Text()
	}
	if a.waiting.Add(1) > int64(a.options.MaxWaiting) {
		a.waiting.Add(-1)
		return nil, errBusy
	}
	defer a.waiting.Add(-1)
	if err := ctx.Err(); err != nil {
		return nil, errNotAsked
	}
	if err := a.enter(ctx); err != nil {
		return nil, err
	}
	if err := a.ask(ctx, h, charges); err != nil {
		return nil, err
	}
	return h, nil
}

// ask runs the script and reads its answer.
func (a *Admission) ask(ctx context.Context, h *hold, charges []claviger.Charge) error {
	end := time.Now().Add(a.options.Timeout)
	theirs, ok := ctx.Deadline()
	hurried := ok && theirs.Before(end)
	limited, cancel := context.WithDeadline(ctx, end)
	defer cancel()
	keys := a.keys(h.demands)
	at := a.estimate()
	for round := 0; round < rounds; {
		answer, err := a.run(limited, admitScript, keys, h.id, a.numbers(h.demands, charges, at))
		a.link.report(err, hurried || ctx.Err() != nil)
		if err != nil {
			if h.id != "" && mayHaveRun(err) {
				// What cannot be given back counts as used until it expires.
				_ = a.later.add(closing{id: h.id, how: abandon})
			}
			return explain(err)
		}
		if len(answer) < 2 {
			return errAnswer
		}
		at = time.UnixMicro(answer[1])
		switch answer[0] {
		case answerOtherSpan:
			round++
			continue
		case answerMoreDue:
			if limited.Err() != nil {
				return errDue
			}
			continue
		case answerGivenUp:
			return errGivenUp
		}
		return h.read(answer, charges)
	}
	return errSpan
}

// read takes the standings from an answer, and the refusal if it is one.
func (h *hold) read(answer []int64, charges []claviger.Charge) error {
	if len(answer) != 2+3*len(charges) {
		return errAnswer
	}
	h.standings = make([]claviger.Standing, len(charges))
	refused, longest := -1, time.Duration(0)
	for i := range charges {
		wait, remaining, reset := answer[2+3*i], answer[3+3*i], answer[4+3*i]
		h.standings[i] = claviger.Standing{Charge: charges[i], Remaining: remaining, Reset: micros(reset)}
		w := micros(wait)
		if wait < 0 {
			w = admit.Never
		}
		if w > longest {
			refused, longest = i, w
		}
	}
	switch {
	case answer[0] == answerGranted && refused < 0:
		return nil
	case answer[0] == answerRefused && refused >= 0:
		return admit.Refusal(&charges[refused], h.demands[refused].Shape, longest, h.standings)
	default:
		return errAnswer
	}
}

func micros(n int64) time.Duration {
	return time.Duration(min(n, int64(admit.Never)/1000)) * time.Microsecond
}

// keys are the keys that the script is told: the two for holds, and each window
// once.
func (a *Admission) keys(ds []admit.Demand) []string {
	keys := make([]string, 2, 2+len(ds))
	keys[0], keys[1] = a.names.open, a.names.holds
	for i := range ds {
		if ds[i].First == i {
			keys = append(keys, a.names.of(&ds[i]))
		}
	}
	return keys
}

// numbers are what the script is told of the charges. at is the time for which
// calendar windows are worked out.
func (a *Admission) numbers(ds []admit.Demand, charges []claviger.Charge, at time.Time) []byte {
	b := a.begin(9 * len(ds))
	var some [8]int64
	slots, windows := some[:0], int64(0)
	for i := range ds {
		d := &ds[i]
		slot, tight := int64(0), int64(-1)
		if d.First == i {
			windows++
			slot, tight = windows, tightest(ds[i:], i)
		} else {
			slot = slots[d.First]
		}
		slots = append(slots, slot)
		var from, to, next time.Time
		if d.Shape == admit.ShapeCalendar {
			w := &charges[i].Window
			from, to = admit.Span(w.Per, w.Zone, at)
			_, next = admit.Span(w.Per, w.Zone, to)
		}
		b = pack(b, slot, int64(d.Shape), d.Limit, d.Period.Microseconds(), min(d.Need, most), tight, stamp(from), stamp(to), stamp(next))
	}
	return b
}

// tightest is the smallest limit of the demands on the window of the first one,
// whose index is at. A meter drains by it.
func tightest(ds []admit.Demand, at int) int64 {
	limit := ds[0].Limit
	for i := range ds {
		if ds[i].First == at {
			limit = min(limit, ds[i].Limit)
		}
	}
	return limit
}

func stamp(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// begin begins the numbers of a script, an array in MessagePack: the time, 0 for
// that of Redis, how long a hold lives, and as many as follow.
func (a *Admission) begin(follow int) []byte {
	now := int64(0)
	if a.options.Now != nil {
		now = a.options.Now().UnixMicro()
	}
	b := append(make([]byte, 0, 3+9*(2+follow)), 0xdc)
	b = binary.BigEndian.AppendUint16(b, uint16(2+follow))
	return pack(b, now, a.options.LeaseTTL.Microseconds())
}

// pack appends whole numbers in MessagePack.
func pack(b []byte, ns ...int64) []byte {
	for _, n := range ns {
		b = binary.BigEndian.AppendUint64(append(b, 0xd3), uint64(n))
	}
	return b
}

// estimate is what the time at Redis should be.
func (a *Admission) estimate() time.Time {
	if a.options.Now != nil {
		return a.options.Now()
	}
	return time.Now().Add(time.Duration(a.ahead.Load()))
}

// run runs a script once. If the server has forgotten it, nothing ran, and it is
// sent whole.
func (a *Admission) run(ctx context.Context, s *goredis.Script, keys []string, args ...any) ([]int64, error) {
	cmd := s.EvalSha(ctx, a.client, keys, args...)
	if goredis.HasErrorPrefix(cmd.Err(), "NOSCRIPT") {
		cmd = s.Eval(ctx, a.client, keys, args...)
	}
	answer, err := cmd.Int64Slice()
	if err != nil {
		return nil, err
	}
	if a.options.Now == nil && len(answer) > 1 {
		a.ahead.Store(int64(time.Until(time.UnixMicro(answer[1]))))
	}
	return answer, nil
}
