//go:build linux

package main

import (
	"fmt"
	"strings"

	"claviger.dev/claviger/bench/upstream"
)

// row is a measure as the report shows it.
type row struct {
	id, title, unit string
	digits          int
	show            show
	aim             aim
}

// show says how the figures of the rounds become one.
type show int

const (
	median show = iota
	worst       // the largest of all rounds
	least       // the smallest of all rounds
	total       // the sum of all rounds
)

func (s show) of(v summary) float64 {
	switch s {
	case worst:
		return v.most
	case least:
		return v.least
	case total:
		return v.sum
	default:
		return v.median
	}
}

// aim is what the gateway is to reach. The zero aim is none.
type aim struct {
	bound bound
	v     float64
	of    string // whose figure v is a share of
}

type bound int

const (
	none bound = iota
	most
	fewest
	share
)

func atMost(v float64) aim     { return aim{bound: most, v: v} }
func atLeast(v float64) aim    { return aim{bound: fewest, v: v} }
func ninetyOf(name string) aim { return aim{bound: share, v: 0.9, of: name} }

func (a aim) String() string {
	switch a.bound {
	case most:
		return fmt.Sprintf("≤ %g", a.v)
	case fewest:
		return fmt.Sprintf("≥ %g", a.v)
	case share:
		return fmt.Sprintf("≥ %.2f × %s", a.v, a.of)
	default:
		return "—"
	}
}

// verdict says whether the gateway reached the aim, and nothing when it cannot
// be said.
func (a aim) verdict(s *sheet, r row) string {
	own := s.of(r.id, claviger)
	if own.rounds == 0 {
		return "—"
	}
	met := false
	switch a.bound {
	case most:
		met = r.show.of(own) <= a.v
	case fewest:
		met = r.show.of(own) >= a.v
	case share:
		ratio, ok := s.ratio(r.id, claviger, a.of)
		if !ok {
			return "—"
		}
		met = ratio >= a.v
	default:
		return "—"
	}
	if met {
		return "met"
	}
	return "**missed**"
}

func rows() []row {
	r := []row{
		{id: "json-chat", title: "JSON 1 KB, chat/completions, 64 connections", unit: "requests/s", aim: ninetyOf(bare)},
		{id: "json-responses", title: "JSON 1 KB, responses, 64 connections", unit: "requests/s", aim: ninetyOf(bare)},
		{id: "cpu-json-chat", title: "CPU a request, chat/completions", unit: "µs", digits: 1, aim: atMost(200)},
		{id: "cpu-json-responses", title: "CPU a request, responses", unit: "µs", digits: 1, aim: atMost(200)},
		{id: "p50", title: "Added latency at 200 requests/s, p50", unit: "ms", digits: 2},
		{id: "p99", title: "Added latency at 200 requests/s, p99", unit: "ms", digits: 2},
	}
	for _, l := range streamLoops {
		var a aim
		if strings.HasPrefix(l.id, "sse-") {
			a = ninetyOf(nginx)
		}
		r = append(r,
			row{id: l.id, title: l.title, unit: "streams/s", aim: a},
			row{id: l.id + "-events", title: l.title, unit: "events/s"},
			row{id: "cpu-" + l.id, title: l.title, unit: "CPU µs a stream"})
	}
	return append(r,
		row{id: "idle", title: "Memory after start", unit: "MB", digits: 1, aim: atMost(40)},
		row{id: "held", title: "Memory of an open stream, at 1,000", unit: "KB", digits: 1, aim: atMost(45)},
		row{id: "full", title: "Memory with 1,000 open streams", unit: "MB", digits: 1},
		row{id: "back", title: "Memory some time after they are gone (aim: as after start)", unit: "MB", digits: 1},
		row{id: "refused", title: "20 MB bodies refused with 413", unit: "%", show: least, aim: atLeast(100)},
		row{id: "growth", title: "Memory they took at their peak", unit: "MB", digits: 1, show: worst, aim: atMost(5)},
		row{id: "cancel-before", title: "Cancel before headers, median", unit: "ms", digits: 2},
		row{id: "cancel-before-max", title: "Cancel before headers, longest", unit: "ms", digits: 2, show: worst, aim: atMost(50)},
		row{id: "cancel-mid", title: "Cancel in mid-stream, median", unit: "ms", digits: 2},
		row{id: "cancel-mid-max", title: "Cancel in mid-stream, longest", unit: "ms", digits: 2, show: worst, aim: atMost(50)},
		row{id: "cancel-silent", title: "Cancel of a silent stream, median", unit: "ms", digits: 2},
		row{id: "cancel-silent-max", title: "Cancel of a silent stream, longest", unit: "ms", digits: 2, show: worst, aim: atMost(50)},
		row{id: "short", title: "Short streams", unit: "count", show: total, aim: atMost(0)},
		row{id: "seen", title: "… of so many", unit: "count", show: total},
		row{id: "start", title: "Start to ready", unit: "ms", show: worst, aim: atMost(1000)})
}

// report is the whole run as Markdown.
func (s *sheet) report(facts []string, o options) string {
	var b strings.Builder
	b.WriteString("# Benchmark report\n\n")
	for _, f := range facts {
		fmt.Fprintf(&b, "- %s\n", f)
	}
	fmt.Fprintf(&b, "- %d rounds; median (least – most) unless the row says otherwise", o.rounds)
	if o.quick {
		b.WriteString("; **-quick: too short to compare anything**")
	}
	b.WriteString("\n\n")
	for _, n := range s.notes {
		fmt.Fprintf(&b, "> %s\n>\n", n)
	}
	b.WriteString("\n| measure | unit | direct | nginx | bare Go | claviger | claviger ÷ nginx | claviger ÷ bare Go | aim | |\n" +
		"| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- | --- |\n")
	s.spread()
	for _, r := range rows() {
		fmt.Fprintf(&b, "| %s | %s |", r.title, r.unit)
		for _, name := range []string{direct, nginx, bare, claviger} {
			fmt.Fprintf(&b, " %s |", r.value(s.of(r.id, name)))
		}
		for _, name := range []string{nginx, bare} {
			ratio := "—"
			if v, ok := s.ratio(r.id, claviger, name); ok && r.show == median {
				ratio = fmt.Sprintf("%.3f", v)
			}
			fmt.Fprintf(&b, " %s |", ratio)
		}
		fmt.Fprintf(&b, " %s | %s |\n", r.aim, r.aim.verdict(s, r))
	}
	b.WriteString("\nIn the column \"direct\" the processor time is that of the generator and the upstream together, and the latency is the whole one, which is subtracted from the others'.\n")
	return b.String()
}

// spread derives events a second from streams a second.
func (s *sheet) spread() {
	for _, l := range streamLoops {
		for _, name := range []string{direct, nginx, bare, claviger} {
			var v []float64
			for _, x := range s.figures[cell{l.id, name}] {
				v = append(v, x*upstream.Events)
			}
			s.figures[cell{l.id + "-events", name}] = v
		}
	}
}

func (r row) value(v summary) string {
	if v.rounds == 0 {
		return "—"
	}
	text := fmt.Sprintf("%.*f", r.digits, r.show.of(v))
	if r.show == median && v.rounds > 1 {
		text += fmt.Sprintf(" (%.*f – %.*f)", r.digits, v.least, r.digits, v.most)
	}
	return text
}
