package admit

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"claviger.dev/claviger"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	l, err := time.LoadLocation(name)
	if err != nil {
		t.Fatalf("this test needs the time zone database: %v", err)
	}
	return l
}

func TestSpan(t *testing.T) {
	for _, c := range []struct {
		name, zone, at string
		per            claviger.Period
		start, end     string
	}{
		{"hour in UTC", "UTC", "2026-01-31T23:59:59.999999999Z", claviger.PeriodHour, "2026-01-31T23:00:00Z", "2026-02-01T00:00:00Z"},
		{"day in UTC", "UTC", "2026-01-31T00:00:00Z", claviger.PeriodDay, "2026-01-31T00:00:00Z", "2026-02-01T00:00:00Z"},
		{"month in UTC", "UTC", "2028-02-29T12:00:00Z", claviger.PeriodMonth, "2028-02-01T00:00:00Z", "2028-03-01T00:00:00Z"},
		{"December", "UTC", "2026-12-31T12:00:00Z", claviger.PeriodMonth, "2026-12-01T00:00:00Z", "2027-01-01T00:00:00Z"},
		{"half an hour off", "Asia/Kolkata", "2026-05-01T10:45:00Z", claviger.PeriodHour, "2026-05-01T10:30:00Z", "2026-05-01T11:30:00Z"},
		{"day of 23 hours", "Europe/Berlin", "2026-03-29T12:00:00Z", claviger.PeriodDay, "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"},
		{"day of 25 hours", "Europe/Berlin", "2026-10-25T00:30:00Z", claviger.PeriodDay, "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"},
		{"month with a turn", "Europe/Berlin", "2026-10-25T12:00:00Z", claviger.PeriodMonth, "2026-09-30T22:00:00Z", "2026-10-31T23:00:00Z"},
		{"the hour that comes twice, first", "Europe/Berlin", "2026-10-25T00:30:00Z", claviger.PeriodHour, "2026-10-25T00:00:00Z", "2026-10-25T02:00:00Z"},
		{"the hour that comes twice, second", "Europe/Berlin", "2026-10-25T01:30:00Z", claviger.PeriodHour, "2026-10-25T00:00:00Z", "2026-10-25T02:00:00Z"},
		{"the hour before the gap", "Europe/Berlin", "2026-03-29T00:59:00Z", claviger.PeriodHour, "2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z"},
		{"midnight does not exist", "America/Sao_Paulo", "2018-11-04T12:00:00Z", claviger.PeriodDay, "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"},
		{"the day before that", "America/Sao_Paulo", "2018-11-03T12:00:00Z", claviger.PeriodDay, "2018-11-03T03:00:00Z", "2018-11-04T03:00:00Z"},
		{"midnight comes twice", "America/Havana", "2026-11-01T12:00:00Z", claviger.PeriodDay, "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"},
		{"clocks go back into the day before", "America/Sao_Paulo", "2018-02-18T02:30:00Z", claviger.PeriodDay, "2018-02-17T02:00:00Z", "2018-02-18T03:00:00Z"},
		{"a day that was left out", "Pacific/Apia", "2011-12-29T12:00:00Z", claviger.PeriodMonth, "2011-12-01T10:00:00Z", "2011-12-31T10:00:00Z"},
		{"half an hour's turn", "Australia/Lord_Howe", "2026-04-04T15:15:00Z", claviger.PeriodHour, "2026-04-04T14:00:00Z", "2026-04-04T15:30:00Z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			at, err := time.Parse(time.RFC3339, c.at)
			if err != nil {
				t.Fatal(err)
			}
			start, end := Span(c.per, zone(t, c.zone), at)
			if got := start.UTC().Format(time.RFC3339); got != c.start {
				t.Errorf("start = %s, want %s", got, c.start)
			}
			if got := end.UTC().Format(time.RFC3339); got != c.end {
				t.Errorf("end = %s, want %s", got, c.end)
			}
		})
	}
}

func TestSpanProperty(t *testing.T) {
	zones := []string{"UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "America/Havana", "America/St_Johns", "Asia/Kathmandu", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Cairo", "Asia/Tehran"}
	from := time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	to := time.Date(2037, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
	rapid.Check(t, func(t *rapid.T) {
		loc, err := time.LoadLocation(rapid.SampledFrom(zones).Draw(t, "zone"))
		if err != nil {
			t.Fatal(err)
		}
		per := rapid.SampledFrom([]claviger.Period{claviger.PeriodHour, claviger.PeriodDay, claviger.PeriodMonth}).Draw(t, "per")
		at := time.Unix(rapid.Int64Range(from, to).Draw(t, "at"), rapid.Int64Range(0, second-1).Draw(t, "nanos"))
		if rapid.Bool().Draw(t, "near a turn") {
			if _, turn := at.In(loc).ZoneBounds(); !turn.IsZero() {
				at = turn.Add(time.Duration(rapid.Int64Range(-3*hour, 3*hour).Draw(t, "off")))
			}
		}
		start, end := Span(per, loc, at)
		if at.Before(start) || !at.Before(end) {
			t.Fatalf("%v is not in [%v, %v)", at, start, end)
		}
		for _, other := range []time.Time{start, end.Add(-1), start.Add(end.Sub(start) / 2)} {
			if s, e := Span(per, loc, other); !s.Equal(start) || !e.Equal(end) {
				t.Fatalf("%v lies in [%v, %v), but %v in [%v, %v)", at, start, end, other, s, e)
			}
		}
		if s, _ := Span(per, loc, end); !s.Equal(end) {
			t.Fatalf("the window after [%v, %v) begins at %v", start, end, s)
		}
		if s, e := Span(claviger.PeriodMinute, loc, at); !s.IsZero() || !e.IsZero() {
			t.Fatal("a minute is no calendar window")
		}
	})
}
