//go:build linux

package main

import (
	"errors"
	"math"
	"os/exec"
	"strings"
	"testing"
	"time"

	"claviger.dev/claviger/bench/process"
)

// The whole run, small: everything that is measured has a figure, and whoever
// cannot take part is named.
func TestWholeRun(t *testing.T) {
	if err := process.RaiseFileLimit(1024); err != nil {
		t.Fatal(err)
	}
	o := options{rounds: 2, claviger: "/there/is/no/claviger", procs: 1, limit: time.Minute}
	k := scale{
		warm: 10 * time.Millisecond, loop: 30 * time.Millisecond, paced: 50 * time.Millisecond, held: 20, cancels: 2, short: 10, refused: 1,
		settle: time.Millisecond, back: time.Millisecond,
	}
	s, facts, err := measure(t.Context(), o, k, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	report := s.report(facts, o)
	if !strings.Contains(report, "> **claviger is left out**: token mint:") {
		t.Errorf("nobody says that the gateway is left out:\n%s", report)
	}
	names := []string{bare}
	if _, err := exec.LookPath("nginx"); err == nil {
		names = append(names, nginx)
	} else {
		t.Log("NOT TESTED with nginx, which is not installed")
	}
	for _, r := range rows() {
		for _, name := range names {
			if s.of(r.id, name).rounds == 0 {
				t.Errorf("%s of %s was not measured", r.title, name)
			}
		}
		if s.of(r.id, claviger).rounds != 0 {
			t.Errorf("%s of a gateway that there is not was measured", r.title)
		}
	}
	for _, name := range names {
		for id, want := range map[string]float64{"short": 0, "seen": 20, "refused": 200} {
			if got := s.of(id, name).sum; got != want {
				t.Errorf("%s, %s: %g, want %g", name, id, got, want)
			}
		}
	}
	if t.Failed() {
		t.Log(report)
	}
}

func TestLeftOutNginxSaysHowToInstall(t *testing.T) {
	if !strings.Contains(errNoNginx.Error(), "apt-get install nginx-light") {
		t.Error(errNoNginx)
	}
}

func TestSummary(t *testing.T) {
	s := newSheet()
	for _, v := range []float64{5, 1, 3} {
		s.add("m", "odd", v)
	}
	for _, v := range []float64{4, 1, 2, 8} {
		s.add("m", "even", v)
	}
	if got, want := s.of("m", "odd"), (summary{median: 3, least: 1, most: 5, sum: 9, rounds: 3}); got != want {
		t.Errorf("%+v", got)
	}
	if got, want := s.of("m", "even"), (summary{median: 3, least: 1, most: 8, sum: 15, rounds: 4}); got != want {
		t.Errorf("%+v", got)
	}
	if got := s.of("m", "none"); got.rounds != 0 {
		t.Errorf("%+v", got)
	}
	if s.figures[cell{"m", "odd"}][0] != 5 {
		t.Error("the order of the rounds is lost")
	}
}

// Ratios are of the same round: a machine that is slower in one round does not
// change them.
func TestRatio(t *testing.T) {
	s := newSheet()
	for _, v := range []float64{100, 10, 1000} {
		s.add("m", "a", v/2)
		s.add("m", "b", v)
	}
	s.add("m", "fewer", 1)
	for range 3 {
		s.add("m", "zero", 0)
		s.add("m", "negative", -1)
	}
	if r, ok := s.ratio("m", "a", "b"); !ok || math.Abs(r-0.5) > 1e-9 {
		t.Errorf("%g %t", r, ok)
	}
	if _, ok := s.ratio("m", "negative", "b"); ok {
		t.Error("a ratio of what is negative")
	}
	for _, to := range []string{"none", "fewer", "zero", "negative"} {
		if _, ok := s.ratio("m", "a", to); ok {
			t.Errorf("a ratio to %q", to)
		}
	}
}

func TestVerdict(t *testing.T) {
	for _, c := range []struct {
		name      string
		aim       aim
		show      show
		own, peer []float64
		want      string
	}{
		{"no aim", aim{}, median, []float64{1}, nil, "—"},
		{"no figure", atMost(5), median, nil, nil, "—"},
		{"at most", atMost(5), median, []float64{1, 5, 9}, nil, "met"},
		{"at most, worst", atMost(5), worst, []float64{1, 5, 9}, nil, "**missed**"},
		{"none", atMost(0), total, []float64{0, 0, 0}, nil, "met"},
		{"one", atMost(0), total, []float64{0, 1, 0}, nil, "**missed**"},
		{"at least", atLeast(100), least, []float64{100, 100}, nil, "met"},
		{"at least, not once", atLeast(100), least, []float64{100, 99}, nil, "**missed**"},
		{"share", ninetyOf(bare), median, []float64{91}, []float64{100}, "met"},
		{"less than the share", ninetyOf(bare), median, []float64{89}, []float64{100}, "**missed**"},
		{"share of nobody", ninetyOf(bare), median, []float64{89}, nil, "—"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSheet()
			for _, v := range c.own {
				s.add("m", claviger, v)
			}
			for _, v := range c.peer {
				s.add("m", bare, v)
			}
			if got := c.aim.verdict(s, row{id: "m", show: c.show}); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

func TestReport(t *testing.T) {
	s := newSheet()
	for _, v := range []float64{1000, 900, 1100} {
		s.add("json-chat", bare, v)
		s.add("json-chat", claviger, v*0.95)
		s.add("sse-chat", claviger, v)
	}
	s.add("start", claviger, 12)
	s.leaveOut(nginx, errNoNginx)
	s.leaveOut(nginx, errNoNginx)
	got := s.report([]string{"2 cores"}, options{rounds: 3})
	for _, want := range []string{
		"\n- 2 cores\n", "- 3 rounds;", "> **nginx is left out**: nginx is not installed",
		"| JSON 1 KB, chat/completions, 64 connections | requests/s | — | — | 1000 (900 – 1100) | 950 (855 – 1045) | — | 0.950 | ≥ 0.90 × bare Go | met |",
		"| SSE, chat/completions, a write an event | events/s | — | — | — | 200000 (180000 – 220000) | — | — | — | — |",
		"| Start to ready | ms | — | — | — | 12 | — | — | ≤ 1000 | met |",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("not in the report: %s\n%s", want, got)
		}
	}
	if strings.Count(got, "left out") != 1 {
		t.Error("a note is there twice")
	}
}

func TestLoadFact(t *testing.T) {
	if got := loadFact("0.40 0.1 0.1 1/2 3", 2); got != "load before: 0.40" {
		t.Error(got)
	}
	if got := loadFact("0.60 0.1 0.1 1/2 3", 2); !strings.Contains(got, "not idle") {
		t.Error(got)
	}
}

func TestParse(t *testing.T) {
	for _, c := range []struct {
		args   []string
		rounds int
		back   time.Duration
	}{
		{nil, 3, 150 * time.Second},
		{[]string{"-quick"}, 1, 3 * time.Second},
		{[]string{"-quick", "-rounds", "2", "-back", "1s"}, 2, time.Second},
	} {
		o, err := parse(c.args, t.Output())
		if err != nil || o.rounds != c.rounds || o.back != c.back {
			t.Errorf("%v: %+v %v", c.args, o, err)
		}
	}
	if _, err := parse([]string{"more"}, t.Output()); err == nil {
		t.Error("an argument was taken")
	}
}

// The configuration of nginx is right by its own judgement.
func TestNginxConfig(t *testing.T) {
	bin, err := exec.LookPath("nginx")
	if err != nil {
		t.Skip("NOT TESTED: nginx is not installed")
	}
	w := &workshop{options: options{procs: 2}, dir: t.TempDir(), target: "127.0.0.1:1"}
	c := w.nginx(t.Context())
	p, err := c.plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), bin, append(p.command.Args, "-t")...).CombinedOutput()
	if _, ok := errors.AsType[*exec.ExitError](err); ok {
		t.Errorf("%v: %s", err, out)
	} else if err != nil {
		t.Fatal(err)
	}
}
