//go:build linux

package main

import (
	"fmt"
	"slices"

	"claviger.dev/claviger/bench/load"
)

// sheet collects the figures: one a round for each measure and subject.
type sheet struct {
	figures map[cell][]float64
	notes   []string
}

type cell struct{ measure, subject string }

func newSheet() *sheet { return &sheet{figures: map[cell][]float64{}} }

func (s *sheet) add(measure, subject string, v float64) {
	c := cell{measure, subject}
	s.figures[c] = append(s.figures[c], v)
}

// note adds a line about what went wrong, once.
func (s *sheet) note(format string, args ...any) {
	n := fmt.Sprintf(format, args...)
	if !slices.Contains(s.notes, n) {
		s.notes = append(s.notes, n)
	}
}

func (s *sheet) leaveOut(subject string, err error) {
	s.note("**%s is left out**: %v", subject, err)
}

// failures notes the failed answers of a loop.
func (s *sheet) failures(subject, title string, t load.Tally) {
	if t.Failed > 0 {
		s.note("%s, %s: %d of %d failed, first: %v", subject, title, t.Failed, t.Requests+t.Failed, t.FirstError)
	}
}

// summary is what a row shows of the rounds' figures.
type summary struct {
	median, least, most, sum float64
	rounds                   int
}

// of sums up the figures of one measure and subject; without any, rounds is 0.
func (s *sheet) of(measure, subject string) summary {
	v := slices.Clone(s.figures[cell{measure, subject}])
	if len(v) == 0 {
		return summary{}
	}
	slices.Sort(v)
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	n := len(v)
	return summary{
		median: (v[(n-1)/2] + v[n/2]) / 2,
		least:  v[0], most: v[n-1], sum: sum, rounds: n,
	}
}

// ratio is the median over the rounds of one subject's figure to another's in
// the same round; ok is false when there is no such pair, or when a figure is
// not positive, as an added latency that is less than the noise.
func (s *sheet) ratio(measure, subject, to string) (r float64, ok bool) {
	a, b := s.figures[cell{measure, subject}], s.figures[cell{measure, to}]
	if len(a) == 0 || len(a) != len(b) {
		return 0, false
	}
	var each []float64
	for i := range a {
		if a[i] < 0 || b[i] <= 0 {
			return 0, false
		}
		each = append(each, a[i]/b[i])
	}
	slices.Sort(each)
	n := len(each)
	return (each[(n-1)/2] + each[n/2]) / 2, true
}
