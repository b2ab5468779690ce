package admit

import (
	"math"
	"math/big"
	"testing"

	"pgregory.net/rapid"
)

// exact is the same algorithm in rational numbers: how much has not drained
// yet, in things.
type exact struct {
	level *big.Rat
	at    int64
}

func (e *exact) drainTo(now, limit, period int64) {
	gone := new(big.Rat).Mul(big.NewRat(now-e.at, period), new(big.Rat).SetInt64(limit))
	e.level.Sub(e.level, gone)
	if e.level.Sign() < 0 {
		e.level = new(big.Rat)
	}
	e.at = now
}

func TestMeterIsExact(t *testing.T) {
	periods := []int64{second, minute, hour, day, month}
	rapid.Check(t, func(t *rapid.T) {
		period := rapid.SampledFrom(periods).Draw(t, "period")
		limit := rapid.OneOf(rapid.Int64Range(1, 20), rapid.Int64Range(1, 2_000_000_000), rapid.Int64Range(1, mostOf)).Draw(t, "limit")
		start := rapid.Int64Range(0, math.MaxInt64/8).Draw(t, "start")
		now := start
		var s state
		r := rule{shape: shapeRate, limit: limit, period: period}
		e := &exact{level: new(big.Rat), at: now}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch rapid.IntRange(0, 3).Draw(t, "gap") {
			case 0:
			case 1:
				now += rapid.Int64Range(0, period/limit+2).Draw(t, "short")
			default:
				now += rapid.Int64Range(0, period+period/4).Draw(t, "long")
			}
			amount := rapid.OneOf(rapid.Int64Range(1, min(3, limit)), rapid.Int64Range(1, limit)).Draw(t, "amount")
			e.drainTo(now, limit, period)
			at := instant{mono: now}
			// What may still come in, rounded down.
			free := new(big.Rat).Sub(new(big.Rat).SetInt64(limit), e.level)
			whole := new(big.Int).Quo(free.Num(), free.Denom())
			if got, _ := s.left(r, at); got != max(whole.Int64(), 0) {
				t.Fatalf("room = %d, want %v", got, whole)
			}
			sum := new(big.Rat).Add(e.level, new(big.Rat).SetInt64(amount))
			fits := sum.Cmp(new(big.Rat).SetInt64(limit)) <= 0
			wait := s.wait(r, at, amount)
			if fits != (wait == 0) {
				t.Fatalf("wait = %d at level %v for %d of %d", wait, e.level, amount, limit)
			}
			if fits {
				s.take(r, at, amount)
				e.level = sum
				continue
			}
			// The wait is long enough, and a nanosecond less is not.
			if s.wait(r, instant{mono: now + wait}, amount) != 0 {
				t.Fatalf("after the wait it does not fit")
			}
			if s.wait(r, instant{mono: now + wait - 1}, amount) == 0 {
				t.Fatalf("it fits before the wait is over")
			}
		}
	})
}

// TestAtMostNAtOnce and the next one say the contract in its own words.
func TestAtMostNAtOnce(t *testing.T) {
	for _, limit := range []int64{1, 2, 3, 7, 20, 60, 333, 1_000_000, 2_000_003} {
		for _, period := range []int64{second, minute, day, month} {
			var s state
			r := rule{shape: shapeRate, limit: limit, period: period}
			granted, at := int64(0), instant{mono: 12345}
			step := max(limit/1000, 1)
			for s.wait(r, at, step) == 0 {
				s.take(r, at, step)
				granted += step
			}
			for s.wait(r, at, 1) == 0 {
				s.take(r, at, 1)
				granted++
			}
			if granted != limit {
				t.Errorf("%d in %d ns: %d granted at once", limit, period, granted)
			}
		}
	}
}

func TestNoDrift(t *testing.T) {
	for _, limit := range []int64{7, 11, 999_983} {
		var s state
		r := rule{shape: shapeRate, limit: limit, period: second}
		granted, now := int64(0), int64(0)
		// Ask for ten periods, always at the very moment when one more fits.
		for now <= 10*second {
			at := instant{mono: now}
			if w := s.wait(r, at, 1); w > 0 {
				now += w
				continue
			}
			s.take(r, at, 1)
			granted++
		}
		// N at once and N in each second, of which the last begins at the end.
		if granted != 11*limit {
			t.Errorf("%d/s: %d granted in 10 s, want %d", limit, granted, 11*limit)
		}
	}
}

// TestFlowBound: settled tokens never exceed N + elapsed × rate over any time,
// although settlements give back what was held too much.
func TestFlowBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.Int64Range(1, 50).Draw(t, "limit")
		r := rule{shape: shapeFlow, limit: limit, period: minute}
		var s state
		type use struct{ at, amount int64 }
		var uses []use
		var held []int64
		now := int64(0)
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			now += rapid.Int64Range(0, minute/limit*2).Draw(t, "gap")
			at := instant{mono: now}
			if len(held) > 0 && rapid.Bool().Draw(t, "settle") {
				h := held[0]
				held = held[1:]
				used := rapid.Int64Range(0, h).Draw(t, "used")
				s.settle(r, at, h, used)
				uses = append(uses, use{now, used})
				continue
			}
			amount := rapid.Int64Range(1, limit).Draw(t, "amount")
			if s.wait(r, at, amount) == 0 {
				s.take(r, at, amount)
				held = append(held, amount)
			}
		}
		for i := range uses {
			sum := int64(0)
			for _, u := range uses[i:] {
				sum += u.amount
				bound := new(big.Rat).Add(big.NewRat(limit, 1), new(big.Rat).Mul(big.NewRat(u.at-uses[i].at, minute), big.NewRat(limit, 1)))
				if new(big.Rat).SetInt64(sum).Cmp(bound) > 0 {
					t.Fatalf("%d used in %d ns of %d a minute", sum, u.at-uses[i].at, limit)
				}
			}
		}
	})
}

func TestMeterNeverOverflows(t *testing.T) {
	r := rule{shape: shapeFlow, limit: 1, period: month}
	var s state
	at := instant{mono: math.MaxInt64 / 8}
	for range 5 {
		s.settle(r, at, 0, math.MaxInt64)
	}
	if w := s.wait(r, at, 1); w <= 0 || w == never {
		t.Errorf("wait = %d after far too much use", w)
	}
	if left, reset := s.left(r, at); left != 0 || reset <= 0 {
		t.Errorf("left = %d, %v", left, reset)
	}
}

func TestChangedLimitKeepsTheDebt(t *testing.T) {
	var s state
	ten, sixty := rule{shapeRate, 10, minute}, rule{shapeRate, 60, minute}
	at := instant{mono: 1000}
	s.take(sixty, at, 60)
	if w := s.wait(ten, at, 1); w != 6*second {
		t.Errorf("a full window of 60 lets one of 10 through after %d ns, want 6 s", w)
	}
	s.take(rule{shapeRate, 7, minute}, instant{mono: minute + 2000}, 1)
	if left, _ := s.left(sixty, instant{mono: minute + 2000}); left != 51 {
		t.Errorf("left = %d of 60 after one of 7, want 51", left)
	}
}
