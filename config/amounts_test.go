package config

import (
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"claviger.dev/claviger"
)

// parsed is what a scalar makes of a text, and whether it takes it.
type parsed[V comparable] struct {
	in   string
	want V
	ok   bool
}

func checkScalar[V comparable](t *testing.T, parse func(string) (V, error), cases []parsed[V]) {
	t.Helper()
	for _, c := range cases {
		got, err := parse(c.in)
		if got != c.want || (err == nil) != c.ok {
			t.Errorf("%q: %v, %v; want %v, %v", c.in, got, err, c.want, c.ok)
		}
		if err != nil && asFault(err).message == "" {
			t.Errorf("%q: no message", c.in)
		}
	}
}

func no[V comparable](in ...string) []parsed[V] {
	out := make([]parsed[V], len(in))
	for i, s := range in {
		out[i].in = s
	}
	return out
}

func TestCount(t *testing.T) {
	checkScalar(t, parseCount, append([]parsed[int64]{
		{"1", 1, true},
		{"50k", 50_000, true},
		{"2M", 2_000_000, true},
		{"1.5M", 1_500_000, true},
		{"0.001k", 1, true},
		{"1.0", 1, true},
		{"9223372036854775807", math.MaxInt64, true},
		{"9223372036854M", 9_223_372_036_854_000_000, true},
	}, no[int64]("", "0", "0k", "-1", "+1", "01", "1.5", "0.0001k", "1K", "1m", "k", ".5k", "5.k", "1e3", "1_000", "1,000", " 1", "1 ", "1kk",
		"9223372036854775808", "9223372036854775807k", "9223372036855M", "99999999999999999999", "١")...))
}

func TestSize(t *testing.T) {
	checkScalar(t, parseSize, append([]parsed[int64]{
		{"1B", 1, true}, {"64KiB", 65536, true}, {"1MiB", 1 << 20, true}, {"8589934591GiB", 8589934591 << 30, true},
	}, no[int64]("", "0B", "1", "1KB", "1kib", "1 MiB", "1.5MiB", "-1B", "01B", "8589934592GiB", "KiB", "9223372036854775808B")...))
}

func TestSpan(t *testing.T) {
	checkScalar(t, parseSpan, append([]parsed[time.Duration]{
		{"30s", 30 * time.Second, true},
		{"1h30m", 90 * time.Minute, true},
		{"500ms", 500 * time.Millisecond, true},
		{"7d", 168 * time.Hour, true},
		{"1m1ms", time.Minute + time.Millisecond, true},
		{"1h0m", time.Hour, true},
	}, no[time.Duration]("", "0s", "0h0s", "5", "s", "5S", "1.5h", "-5s", "30s1m", "1m1m", "05s", "1h 30m", "106752d", "106751d24h", "1us", "1ns", "99999999999999999999s")...))
}

func TestRate(t *testing.T) {
	w := func(n int64, per claviger.Period) claviger.Window { return claviger.Window{Limit: n, Per: per} }
	checkScalar(t, parseRate, append([]parsed[claviger.Window]{
		{"20/min", w(20, claviger.PeriodMinute), true},
		{"20/minute", w(20, claviger.PeriodMinute), true},
		{"1/s", w(1, claviger.PeriodSecond), true},
		{"1/sec", w(1, claviger.PeriodSecond), true},
		{"1/second", w(1, claviger.PeriodSecond), true},
		{"1/h", w(1, claviger.PeriodHour), true},
		{"1/hour", w(1, claviger.PeriodHour), true},
		{"2M/day", w(2_000_000, claviger.PeriodDay), true},
		{"1/d", w(1, claviger.PeriodDay), true},
		{"50k/month", w(50_000, claviger.PeriodMonth), true},
	}, no[claviger.Window]("", "20", "20/", "/min", "0/min", "-1/min", "20/m", "20 / min", "20/Min", "20/min/min", "20/week", "1.5/min", "99999999999999M/day")...))
	if _, err := parseRate("20/m"); !strings.Contains(asFault(err).hint, "month") {
		t.Error("20/m is not told apart")
	}
}

func TestMoney(t *testing.T) {
	usd := func(n int64) claviger.Money { return claviger.Money{Micros: n, Currency: "USD"} }
	checkScalar(t, parseMoney, append([]parsed[claviger.Money]{
		{"5 USD", usd(5_000_000), true},
		{"0.5 USD", usd(500_000), true},
		{"0.000001 USD", usd(1), true},
		{"1.100000000 USD", usd(1_100_000), true},
		{"0 USD", usd(0), true},
		{"9223372036854.775807 USD", usd(math.MaxInt64), true},
		// 0.1 + 0.2 has no error here, and neither has what no float64 can tell apart.
		{"0.3 USD", usd(300_000), true},
		{"9007199254.740993 USD", usd(9007199254740993), true},
	}, no[claviger.Money]("", "5", "5USD", "5  USD", "$5", "5 EUR", "5 usd", "-5 USD", "1e3 USD", ".5 USD", "5. USD", "0.0000001 USD", "9223372036854.775808 USD", "NaN USD", "Inf USD")...))
}

func TestSpend(t *testing.T) {
	w := func(n int64, per claviger.Period) claviger.Window {
		return claviger.Window{Limit: n, Per: per, Currency: "USD"}
	}
	checkScalar(t, parseSpend, append([]parsed[claviger.Window]{
		{"5 USD/day", w(5_000_000, claviger.PeriodDay), true}, {"0.5 USD/h", w(500_000, claviger.PeriodHour), true}, {"20 USD/month", w(20_000_000, claviger.PeriodMonth), true},
	}, no[claviger.Window]("", "5 USD", "0 USD/day", "5/day", "5 USD/min", "5 USD/s", "5 USD/m", "5 USD /day", "5 USD/ day")...))
}

// inverse checks that what is written is read as the same.
func inverse[V comparable](t *testing.T, draw *rapid.Generator[V], parse func(string) (V, error), format func(V) string) {
	t.Helper()
	rapid.Check(t, func(t *rapid.T) {
		v := draw.Draw(t, "value")
		text := format(v)
		got, err := parse(text)
		if err != nil || got != v {
			t.Fatalf("%v is written %q and read as %v, %v", v, text, got, err)
		}
	})
}

func TestScalarsRoundTrip(t *testing.T) {
	positive := rapid.Int64Range(1, math.MaxInt64)
	inverse(t, positive, parseCount, formatCount)
	inverse(t, positive, parseSize, formatSize)
	inverse(t, rapid.Map(rapid.Int64Range(1, math.MaxInt64/1_000_000), func(n int64) time.Duration { return time.Duration(n) * time.Millisecond }), parseSpan, formatSpan)
	inverse(t, rapid.Map(rapid.Int64Range(0, math.MaxInt64), func(n int64) claviger.Money {
		return claviger.Money{Micros: n, Currency: "USD"}
	}), parseMoney, formatMoney)
	window := func(least claviger.Period, currency string) *rapid.Generator[claviger.Window] {
		return rapid.Custom(func(t *rapid.T) claviger.Window {
			per := claviger.Period(rapid.IntRange(int(least), int(claviger.PeriodMonth)).Draw(t, "per"))
			return claviger.Window{Limit: positive.Draw(t, "limit"), Per: per, Currency: currency}
		})
	}
	inverse(t, window(claviger.PeriodSecond, ""), parseRate, rate("").format)
	inverse(t, window(claviger.PeriodHour, "USD"), parseSpend, spend().format)
}

// FuzzScalars holds every scalar to this: no panic, nothing but a positive value
// is taken, what is taken is written so that it is read the same, and a refusal
// does not repeat the text.
func FuzzScalars(f *testing.F) {
	for _, s := range []string{"30s", "1h30m", "20/min", "64KiB", "5 USD/day", "1.5M", "0", "-1", "9223372036854775807", "", "env:A", "0x10"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		fuzzScalar(t, s, parseCount, formatCount, func(n int64) bool { return n > 0 })
		fuzzScalar(t, s, parseSize, formatSize, func(n int64) bool { return n > 0 })
		fuzzScalar(t, s, parseSpan, formatSpan, func(n time.Duration) bool { return n > 0 })
		fuzzScalar(t, s, parseMoney, formatMoney, func(m claviger.Money) bool { return m.Micros >= 0 && m.Currency == "USD" })
		fuzzScalar(t, s, parseRate, rate("").format, func(w claviger.Window) bool { return w.Limit > 0 && w.Per > 0 })
		fuzzScalar(t, s, parseSpend, spend().format, func(w claviger.Window) bool { return w.Limit > 0 && w.Per > 0 })
		fuzzScalar(t, s, parseRef, func(r claviger.Ref) string { return string(r) }, func(r claviger.Ref) bool { return r != "" })
		fuzzScalar(t, s, parsePeer, peer().format, peerNarrow)
		fuzzScalar(t, s, parseOrigin, same, func(o string) bool { return strings.Contains(o, "://") && o == strings.ToLower(o) })
		fuzzScalar(t, s, parseSuffix, originSuffix().format, func(o OriginSuffix) bool { return o.Host[0] == '.' || o.Host[0] == '-' })
		fuzzScalar(t, s, parseURL, same, func(u string) bool { return !strings.ContainsAny(u, "?#@ ") || strings.Contains(u, "/") })
		fuzzScalar(t, s, parseListen, same, func(string) bool { return true })
		fuzzScalar(t, s, actionPath().parse, same, func(p string) bool { return !strings.Contains(p, "..") || !strings.Contains(p, "/../") })
	})
}

func fuzzScalar[V comparable](t *testing.T, s string, parse func(string) (V, error), format func(V) string, fine func(V) bool) {
	t.Helper()
	v, err := parse(s)
	if err != nil {
		f := asFault(err)
		if len(s) > 24 && (strings.Contains(f.message, s) || strings.Contains(f.hint, s)) {
			t.Fatalf("the refusal of %q repeats it: %v", s, f)
		}
		return
	}
	if !fine(v) {
		t.Fatalf("%q is taken as %v", s, v)
	}
	again, err := parse(format(v))
	if err != nil || again != v {
		t.Fatalf("%q is %v, written %q, read %v, %v", s, v, format(v), again, err)
	}
}
