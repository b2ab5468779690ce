//go:build linux

// Command bench measures the gateway beside nginx and beside the plainest proxy
// that Go offers, in one run, taking turns, before the same fast upstream, and
// writes a report in Markdown. bench/README.md says how to read it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"claviger.dev/claviger/bench/process"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// errIncomplete: the report is written, but not everything is in it.
var errIncomplete = errors.New("not everything could be measured: see the notes of the report")

type options struct {
	quick    bool
	rounds   int
	out      string
	claviger string
	procs    int
	back     time.Duration
	limit    time.Duration
}

func parse(args []string, talk io.Writer) (options, error) {
	var o options
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(talk)
	f.BoolVar(&o.quick, "quick", false, "short runs: to see that everything works, not to compare")
	f.IntVar(&o.rounds, "rounds", 0, "rounds to take the median of (3; 1 with -quick)")
	f.StringVar(&o.out, "out", "", "file for the report, as well as standard output")
	f.StringVar(&o.claviger, "claviger", "", "the gateway's binary (built from this module when empty)")
	f.IntVar(&o.procs, "procs", runtime.GOMAXPROCS(0), "processors for each of the measured: nginx workers, GOMAXPROCS")
	f.DurationVar(&o.back, "back", 0, "how long to wait for memory to be given back (150s; 3s with -quick)")
	f.DurationVar(&o.limit, "limit", time.Hour, "when to give up")
	if err := f.Parse(args); err != nil {
		return o, fmt.Errorf("flags: %w", err)
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("flags: unexpected %q", f.Arg(0))
	}
	if o.rounds <= 0 {
		o.rounds = 3
		if o.quick {
			o.rounds = 1
		}
	}
	if o.back <= 0 {
		o.back = 150 * time.Second
		if o.quick {
			o.back = 3 * time.Second
		}
	}
	return o, nil
}

func run(ctx context.Context, args []string, data, talk io.Writer) error {
	o, err := parse(args, talk)
	if err != nil {
		return err
	}
	if err := process.RaiseFileLimit(8192); err != nil {
		return err
	}
	s, facts, err := measure(ctx, o, scaleOf(o), talk)
	if err != nil {
		return err
	}
	report := s.report(facts, o)
	if _, err := io.WriteString(data, report); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	if o.out != "" {
		if err := os.WriteFile(o.out, []byte(report), 0o644); err != nil {
			return fmt.Errorf("report: %w", err)
		}
	}
	if len(s.notes) > 0 {
		return errIncomplete
	}
	return nil
}

// measure runs all rounds and returns their figures, and on what they were made.
func measure(ctx context.Context, o options, k scale, talk io.Writer) (*sheet, []string, error) {
	ctx, cancel := context.WithTimeout(ctx, o.limit)
	defer cancel()
	facts := readFacts(ctx)
	w, err := newWorkshop(ctx, o, talk)
	if err != nil {
		return nil, nil, err
	}
	defer w.close()
	b := &bench{workshop: w, scale: k, sheet: newSheet()}
	b.candidates = w.candidates(ctx)
	for i := range o.rounds {
		if err := b.round(ctx, i, i == o.rounds-1); err != nil {
			return nil, nil, fmt.Errorf("round %d: %w", i+1, err)
		}
	}
	return b.sheet, append(facts, w.facts...), nil
}
