package admit

import (
	"time"

	"claviger.dev/claviger"
)

// Span returns the calendar window of a period in which t lies: the hour, day
// or month of the zone's clocks, from its first instant to the first one of
// the next. Where clocks are turned, a day is as long as it is there: 23 or 25
// hours, and an hour that clocks show twice is one window of two hours. A nil
// zone is UTC. For other periods than hour, day and month both times are zero.
func Span(p claviger.Period, zone *time.Location, t time.Time) (start, end time.Time) {
	if p < claviger.PeriodHour || p > claviger.PeriodMonth {
		return time.Time{}, time.Time{}
	}
	if zone == nil {
		zone = time.UTC
	}
	t = t.In(zone)
	return began(p, t), ends(p, t)
}

// label names a window as the clocks on the wall do.
func label(p claviger.Period, t time.Time) [4]int {
	y, m, d := t.Date()
	switch p {
	case claviger.PeriodHour:
		return [4]int{y, int(m), d, t.Hour()}
	case claviger.PeriodDay:
		return [4]int{y, int(m), d}
	default:
		return [4]int{y, int(m)}
	}
}

// past and length are how far into its window the wall clock shows t, and how
// long the window is when no clock is turned in it.
func past(p claviger.Period, t time.Time) time.Duration {
	h, m, s := t.Clock()
	into := time.Duration(m)*time.Minute + time.Duration(s)*time.Second + time.Duration(t.Nanosecond())
	if p >= claviger.PeriodDay {
		into += time.Duration(h) * time.Hour
	}
	if p == claviger.PeriodMonth {
		into += time.Duration(t.Day()-1) * 24 * time.Hour
	}
	return into
}

func length(p claviger.Period, t time.Time) time.Duration {
	switch p {
	case claviger.PeriodHour:
		return time.Hour
	case claviger.PeriodDay:
		return 24 * time.Hour
	default:
		return time.Duration(time.Date(t.Year(), t.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day()) * 24 * time.Hour
	}
}

// began is the first instant of t's window. Each round steps over one turn of
// the clocks inside the window.
func began(p claviger.Period, t time.Time) time.Time {
	name := label(p, t)
	for {
		guess := t.Add(-past(p, t))
		turn, _ := t.ZoneBounds()
		if turn.IsZero() || guess.After(turn) {
			return guess
		}
		before := turn.Add(-1)
		if label(p, before) != name {
			return turn
		}
		t = before
	}
}

// ends is the first instant after t's window.
func ends(p claviger.Period, t time.Time) time.Time {
	name := label(p, t)
	for {
		guess := t.Add(length(p, t) - past(p, t))
		_, turn := t.ZoneBounds()
		if turn.IsZero() || guess.Before(turn) {
			return guess
		}
		if label(p, turn) != name {
			return turn
		}
		t = turn
	}
}
