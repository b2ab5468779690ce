//go:build linux

package main

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"claviger.dev/claviger/bench/load"
	"claviger.dev/claviger/bench/process"
	"claviger.dev/claviger/bench/upstream"
)

// loop is one kind of call in a closed loop.
type loop struct {
	id, title string
	ask       upstream.Ask
}

var jsonLoops = []loop{
	{"json-chat", "JSON, chat/completions", upstream.Ask{Endpoint: upstream.Chat, Mode: upstream.Answer}},
	{"json-responses", "JSON, responses", upstream.Ask{Endpoint: upstream.Responses, Mode: upstream.Answer}},
}

var streamLoops = []loop{
	{"sse-chat", "SSE, chat/completions, a write an event", upstream.Ask{Endpoint: upstream.Chat, Mode: upstream.Flush}},
	{"sse-responses", "SSE, responses, a write an event", upstream.Ask{Endpoint: upstream.Responses, Mode: upstream.Flush}},
	{"burst-chat", "SSE, chat/completions, in one write", upstream.Ask{Endpoint: upstream.Chat, Mode: upstream.Burst}},
	{"burst-responses", "SSE, responses, in one write", upstream.Ask{Endpoint: upstream.Responses, Mode: upstream.Burst}},
}

func (l loop) want() load.Expect {
	if l.ask.Mode == upstream.Answer {
		return load.Expect{Bytes: 500}
	}
	return load.Expect{Events: upstream.Events}
}

// throughput runs each loop on each subject in turn.
func (b *bench) throughput(ctx context.Context, subjects []subject, loops []loop) error {
	for _, l := range loops {
		for _, s := range subjects {
			if err := b.runLoop(ctx, s, l); err != nil {
				return fmt.Errorf("%s, %s: %w", s.name, l.title, err)
			}
		}
	}
	return nil
}

func (b *bench) runLoop(ctx context.Context, s subject, l loop) error {
	c := load.Closed{Addr: s.addr, Request: b.request(s, l.ask), Want: l.want(), Conns: conns, For: b.warm}
	if _, err := c.Run(ctx, b.dialer); err != nil {
		return err
	}
	c.For = b.loop
	before, err := b.cpu(s)
	if err != nil {
		return err
	}
	t, err := c.Run(ctx, b.dialer)
	if err != nil {
		return err
	}
	after, err := b.cpu(s)
	if err != nil {
		return err
	}
	b.sheet.failures(s.name, l.title, t)
	b.sheet.add(l.id, s.name, t.Rate())
	if t.Requests > 0 {
		b.sheet.add("cpu-"+l.id, s.name, float64((after-before).Microseconds())/float64(t.Requests))
	}
	return nil
}

// cpu is the processor time of a subject; of the direct one it is that of the
// upstream and of this process, which is what every call costs here at least.
func (b *bench) cpu(s subject) (time.Duration, error) {
	if s.child != nil {
		return process.CPU(s.child.PID)
	}
	there, err := process.CPU(b.upstream.PID)
	if err != nil {
		return 0, err
	}
	var own syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &own); err != nil {
		return 0, fmt.Errorf("own processor time: %w", err)
	}
	return there + time.Duration(own.Utime.Nano()+own.Stime.Nano()), nil
}
