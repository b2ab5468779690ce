//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"claviger.dev/claviger/bench/load"
	"claviger.dev/claviger/bench/process"
	"claviger.dev/claviger/bench/upstream"
)

// scale is how much of everything there is in one round.
type scale struct {
	warm    time.Duration // before each loop, not counted
	loop    time.Duration // each closed loop
	paced   time.Duration // the open loop
	held    int           // streams open at once
	cancels int           // of each case
	short   int64         // streams that are looked at for being short
	refused int           // oversized bodies, declared and as many not
	settle  time.Duration // before memory is read
	back    time.Duration // after the streams are gone, before it is read again
}

const (
	conns     = 64
	paceRate  = 200
	oversize  = 20 * megabyte
	patience  = 5 * time.Second // for a cancel to be seen
	megabyte  = 1 << 20
	shortCap  = 5 * time.Minute
	midStream = 20 // events that are read before a stream is cancelled
	stillness = 50 * time.Millisecond
	// shortPad makes the requests larger than the write buffer of Go's transport
	// (4 KiB). Only then can it happen that an answer comes while the transport
	// still looks for the end of the body, which is what cuts streams short when
	// a proxy does not read the body first.
	shortPad = 8 << 10
)

func scaleOf(o options) scale {
	const warm = 300 * time.Millisecond
	if o.quick {
		return scale{
			warm: warm, loop: time.Second, paced: 2 * time.Second, held: 1000, cancels: 5,
			short: 500, refused: 3, settle: time.Second, back: o.back,
		}
	}
	rounds := int64(o.rounds)
	return scale{
		warm: warm, loop: 5 * time.Second, paced: 15 * time.Second, held: 1000, cancels: 20,
		short: (10_000 + rounds - 1) / rounds, refused: 10, settle: time.Second, back: o.back,
	}
}

type bench struct {
	*workshop
	scale
	candidates []candidate
	sheet      *sheet
	runs       int // of requests with an id, so that no two have the same
}

// round starts every candidate anew, measures them in turns, one measure after
// the other, and stops them.
func (b *bench) round(ctx context.Context, n int, last bool) error {
	b.say("round %d of %d", n+1, b.rounds)
	b.say("  oversized bodies")
	if err := b.with(ctx, func(running []subject) error { return b.oversized(ctx, running) }); err != nil {
		return fmt.Errorf("oversized bodies: %w", err)
	}
	return b.with(ctx, func(running []subject) error { return b.steps(ctx, running, last) })
}

// with starts every candidate that takes part, does something with them and
// stops them. One that does not start takes part no longer.
func (b *bench) with(ctx context.Context, do func([]subject) error) error {
	var running []subject
	defer func() {
		for _, s := range running {
			s.child.Stop()
		}
	}()
	for i := range b.candidates {
		c := &b.candidates[i]
		if c.missing != nil {
			b.sheet.leaveOut(c.name, c.missing)
			continue
		}
		s, err := b.start(ctx, *c)
		if err != nil {
			c.missing = err
			b.sheet.leaveOut(c.name, err)
			b.say("\n*** %s IS LEFT OUT: %v\n", strings.ToUpper(c.name), err)
			continue
		}
		running = append(running, s)
	}
	return do(running)
}

func (b *bench) steps(ctx context.Context, running []subject, last bool) error {
	withDirect := slices.Concat([]subject{{name: direct, addr: b.target}}, running)
	steps := []struct {
		name string
		do   func() error
	}{
		{"1,000 open streams", func() error { return b.memory(ctx, running, last) }},
		{"JSON throughput", func() error { return b.throughput(ctx, withDirect, jsonLoops) }},
		{"streams", func() error { return b.throughput(ctx, withDirect, streamLoops) }},
		{"latency", func() error { return b.latency(ctx, withDirect) }},
		{"cancels", func() error { return b.cancelling(ctx, running) }},
		{"short streams", func() error { return b.shortStreams(ctx, running) }},
	}
	for _, step := range steps {
		b.say("  %s", step.name)
		if err := step.do(); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
		for _, s := range running {
			if err := s.child.Alive(); err != nil {
				return err
			}
		}
	}
	return nil
}

// start starts a candidate, waits until it is ready, notes how long that took
// and sees that it answers right.
func (b *bench) start(ctx context.Context, c candidate) (subject, error) {
	p, err := c.plan(ctx)
	if err != nil {
		return subject{}, err
	}
	begun := time.Now()
	child, err := process.Start(ctx, p.command)
	if err != nil {
		return subject{}, err
	}
	if err := child.Await(ctx, 20*time.Second, p.ready); err != nil {
		child.Stop()
		return subject{}, err
	}
	b.sheet.add("start", c.name, float64(time.Since(begun).Microseconds())/1000)
	s := subject{name: c.name, addr: p.addr, child: child}
	time.Sleep(b.settle)
	if m, err := process.Resident(child.PID); err == nil {
		b.sheet.add("idle", c.name, float64(m.Now)/megabyte)
	}
	if err := b.probe(ctx, s); err != nil {
		child.Stop()
		return subject{}, fmt.Errorf("%s does not answer right: %w", c.name, err)
	}
	return s, nil
}

// probe makes one call of each kind.
func (b *bench) probe(ctx context.Context, s subject) error {
	for _, l := range slices.Concat(jsonLoops, streamLoops) {
		c, err := b.dialer.Dial(ctx, s.addr)
		if err != nil {
			return err
		}
		a, err := c.Do(b.request(s, l.ask))
		c.Close()
		if err == nil {
			err = a.Check(l.want())
		}
		if err != nil {
			return fmt.Errorf("%s: %w", l.title, err)
		}
	}
	return nil
}

func (b *bench) request(s subject, a upstream.Ask) []byte {
	return load.Request(s.addr, string(a.Endpoint), b.ticket, a.Body())
}

// memory reads what open streams take, and in the last round what is given back
// after them.
func (b *bench) memory(ctx context.Context, running []subject, last bool) error {
	for _, s := range running {
		before, err := process.Resident(s.child.PID)
		if err != nil {
			return err
		}
		held, err := load.Hold(ctx, b.dialer, s.addr, b.request(s, upstream.Ask{Endpoint: upstream.Chat, Mode: upstream.Silent}), b.held)
		if err != nil {
			b.sheet.note("%s, open streams: %v", s.name, err)
			continue
		}
		time.Sleep(b.settle)
		with, err := process.Resident(s.child.PID)
		held.Close()
		if err != nil {
			return err
		}
		b.sheet.add("held", s.name, float64(with.Now-before.Now)/1024/float64(b.held))
		b.sheet.add("full", s.name, float64(with.Now)/megabyte)
	}
	if !last {
		return nil
	}
	b.say("  waiting %s for memory to be given back", b.back)
	select {
	case <-time.After(b.back):
	case <-ctx.Done():
		return fmt.Errorf("memory: %w", ctx.Err())
	}
	for _, s := range running {
		after, err := process.Resident(s.child.PID)
		if err != nil {
			return err
		}
		b.sheet.add("back", s.name, float64(after.Now)/megabyte)
	}
	return nil
}

// oversized sends bodies that are to be refused and reads how much memory that took.
func (b *bench) oversized(ctx context.Context, running []subject) error {
	for _, s := range running {
		if err := process.ResetPeak(s.child.PID); err != nil {
			return err
		}
		before, err := process.Resident(s.child.PID)
		if err != nil {
			return err
		}
		refused := 0
		for i := range 2 * b.refused {
			o := load.Oversize{Addr: s.addr, Path: string(upstream.Responses), Bearer: b.ticket, Size: oversize, Declared: i%2 == 0}
			status, _, err := o.Run(ctx, b.dialer)
			if status == 413 {
				refused++
			} else {
				b.sheet.note("%s, oversized body: status %d (%v)", s.name, status, err)
			}
		}
		after, err := process.Resident(s.child.PID)
		if err != nil {
			return err
		}
		b.sheet.add("refused", s.name, 100*float64(refused)/float64(2*b.refused))
		b.sheet.add("growth", s.name, float64(after.Peak-before.Now)/megabyte)
	}
	return nil
}

// latency is the open loop; what the direct one takes is subtracted from the others.
func (b *bench) latency(ctx context.Context, subjects []subject) error {
	var p50, p99 time.Duration
	for _, s := range subjects {
		run := load.Paced{
			Addr: s.addr, Request: b.request(s, jsonLoops[0].ask), Want: jsonLoops[0].want(),
			Rate: paceRate, For: b.warm, Conns: conns,
		}
		if _, err := run.Run(ctx, b.dialer); err != nil {
			return err
		}
		run.For = b.paced
		l, err := run.Run(ctx, b.dialer)
		if err != nil {
			return err
		}
		if l.Failed > 0 {
			b.sheet.note("%s, latency: %d of %d failed: %v", s.name, l.Failed, l.Failed+int64(len(l.Sorted)), l.FirstError)
		}
		if s.name == direct {
			p50, p99 = l.Percentile(0.5), l.Percentile(0.99)
			b.sheet.add("p50", s.name, ms(p50))
			b.sheet.add("p99", s.name, ms(p99))
			continue
		}
		b.sheet.add("p50", s.name, ms(l.Percentile(0.5)-p50))
		b.sheet.add("p99", s.name, ms(l.Percentile(0.99)-p99))
	}
	return nil
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

var cancelCases = []struct {
	id     string
	mode   upstream.Mode
	events int
	still  time.Duration
}{
	{"before", upstream.Hang, 0, 0},
	{"mid", upstream.Paced, midStream, 0},
	{"silent", upstream.Silent, 1, stillness},
}

func (b *bench) cancelling(ctx context.Context, running []subject) error {
	for _, k := range cancelCases {
		for _, s := range running {
			var worst time.Duration
			var all []time.Duration
			for range b.cancels {
				b.runs++
				id := fmt.Sprintf("cancel-%d", b.runs)
				ask := upstream.Ask{Endpoint: upstream.Chat, Mode: k.mode, ID: id}
				c := load.Cancel{Addr: s.addr, Request: b.request(s, ask), ID: id, Events: k.events, Still: k.still}
				took, err := c.Run(ctx, b.dialer, b.witness, patience)
				if errors.Is(err, load.ErrNotCancelled) {
					b.sheet.note("%s, cancel (%s): %v within %s", s.name, k.id, err, patience)
					took = patience
				} else if err != nil {
					return fmt.Errorf("%s: %w", s.name, err)
				}
				all, worst = append(all, took), max(worst, took)
			}
			slices.Sort(all)
			b.sheet.add("cancel-"+k.id, s.name, ms(load.Latencies{Sorted: all}.Percentile(0.5)))
			b.sheet.add("cancel-"+k.id+"-max", s.name, ms(worst))
		}
	}
	return nil
}

// shortStreams looks at streams that come as fast as can be, most of them in one
// write: what is lost by a race is lost there.
func (b *bench) shortStreams(ctx context.Context, running []subject) error {
	kinds := []struct {
		mode  upstream.Mode
		count int64
	}{
		{upstream.Burst, b.short * 4 / 5},
		{upstream.Flush, b.short - b.short*4/5},
	}
	for _, s := range running {
		short, seen := int64(0), int64(0)
		for _, k := range kinds {
			c := load.Closed{
				Addr:    s.addr,
				Request: b.request(s, upstream.Ask{Endpoint: upstream.Chat, Mode: k.mode, Pad: shortPad}),
				Want:    load.Expect{Events: upstream.Events},
				Conns:   conns, For: shortCap, Count: k.count,
			}
			t, err := c.Run(ctx, b.dialer)
			if err != nil {
				return err
			}
			short += t.Short
			seen += t.Requests + t.Failed
			b.sheet.failures(s.name, "short streams", t)
		}
		b.sheet.add("short", s.name, float64(short))
		b.sheet.add("seen", s.name, float64(seen))
	}
	return nil
}
