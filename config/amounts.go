package config

import (
	"math"
	"strconv"
	"strings"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/jsonx"
)

// The faults of numbers with units.
var (
	badCount = fault{"must be a number, as 1000, 50k or 2M", "the units are k and M, for thousands and millions"}
	badSize  = fault{"must be a size, as 64KiB", "the units are B, KiB, MiB and GiB"}
	badRate  = fault{"must be a number in a time, as 20/min", "the times are s, min, h, day and month"}
	badMoney = fault{"must be an amount of money, as 0.5 USD", "at most six digits after the point; prices are in USD"}
	badSpend = fault{"must be money in a time, as 5 USD/day", "the times are hour, day and month; prices are in USD"}
	badSpan  = fault{"must be a duration, as 30s", "the units are ms, s, m, h and d, as in 1h30m"}
	zero     = fault{"must be more than 0", ""}
	tooMuch  = fault{"is too large", ""}
)

// decimalPattern is how a number is written: no sign, no exponent, no leading
// zero, no separators.
const decimalPattern = `(0|[1-9][0-9]*)(\.[0-9]+)?`

// parseDecimal reads a number exactly, times ten to the power of scale. It
// refuses digits beyond the scale unless they are zeros.
func parseDecimal(s string, scale int, bad fault) (int64, error) {
	units, digits, point := strings.Cut(s, ".")
	if !numeral(units) || point && !numeral(digits) || len(units) > 1 && units[0] == '0' {
		return 0, bad
	}
	digits = strings.TrimRight(digits, "0")
	if len(digits) > scale {
		return 0, bad
	}
	n, err := strconv.ParseUint(units+digits+strings.Repeat("0", scale-len(digits)), 10, 63)
	if err != nil {
		return 0, tooMuch
	}
	return int64(n), nil
}

// formatDecimal is the inverse of parseDecimal, without needless zeros.
func formatDecimal(n int64, scale int) string {
	s := strconv.FormatInt(n, 10)
	if len(s) <= scale {
		s = strings.Repeat("0", scale+1-len(s)) + s
	}
	units, digits := s[:len(s)-scale], strings.TrimRight(s[len(s)-scale:], "0")
	if digits == "" {
		return units
	}
	return units + "." + digits
}

// parseCount reads 1000, 50k, 1.5M.
func parseCount(s string) (int64, error) {
	scale := 0
	switch {
	case strings.HasSuffix(s, "k"):
		scale = 3
	case strings.HasSuffix(s, "M"):
		scale = 6
	}
	if scale > 0 {
		s = s[:len(s)-1]
	}
	n, err := parseDecimal(s, scale, badCount)
	if err == nil && n == 0 {
		return 0, zero
	}
	return n, err
}

// formatCount writes a count with the largest unit that leaves no fraction.
func formatCount(n int64) string {
	switch {
	case n == 0:
		return ""
	case n%1e6 == 0:
		return strconv.FormatInt(n/1e6, 10) + "M"
	case n%1e3 == 0:
		return strconv.FormatInt(n/1e3, 10) + "k"
	default:
		return strconv.FormatInt(n, 10)
	}
}

var badPercent = fault{"must be a share from 1% to 100%, as 50%", ""}

// percent is a number of hundredths.
func percent() *scalar[int64] {
	return &scalar[int64]{
		noun: "a share", example: "50%", tags: []string{tagText},
		parse: func(s string) (int64, error) {
			digits, ok := strings.CutSuffix(s, "%")
			if !ok {
				return 0, badPercent
			}
			n, err := parseDecimal(digits, 0, badPercent)
			if err != nil || n < 1 || n > 100 {
				return 0, badPercent
			}
			return n, nil
		},
		format: func(n int64) string {
			if n == 0 {
				return ""
			}
			return strconv.FormatInt(n, 10) + "%"
		},
		schema: []jsonx.Member{typeIs("string"), pattern(`^([1-9][0-9]?|100)%$`)},
	}
}

const countPattern = decimalPattern + `[kM]?`

// count is a number of things, at most limit.
func count(limit int64) *scalar[int64] {
	over := fault{"is too large", "at most " + strconv.FormatInt(limit, 10)}
	return (&scalar[int64]{
		noun: "a number", example: "1000, 50k or 2M", tags: []string{tagInt, tagFloat, tagText},
		parse: parseCount, format: formatCount, schema: countSchema(),
	}).with(func(n int64) error {
		if n > limit {
			return over
		}
		return nil
	})
}

func countSchema() []jsonx.Member {
	return []jsonx.Member{
		has("type", words([]string{"integer", "string"})), has("exclusiveMinimum", jsonx.Int(0)),
		pattern("^" + countPattern + "$"),
	}
}

// sizeUnits are the units of sizes, the largest first.
var sizeUnits = []struct {
	name  string
	shift uint
}{{"GiB", 30}, {"MiB", 20}, {"KiB", 10}, {"B", 0}}

// parseSize reads 64KiB.
func parseSize(s string) (int64, error) {
	for _, u := range sizeUnits {
		digits, ok := strings.CutSuffix(s, u.name)
		if !ok {
			continue
		}
		n, err := parseDecimal(digits, 0, badSize)
		switch {
		case err != nil:
			return 0, err
		case n == 0:
			return 0, zero
		case n > math.MaxInt64>>u.shift:
			return 0, tooMuch
		}
		return n << u.shift, nil
	}
	return 0, badSize
}

func formatSize(n int64) string {
	if n == 0 {
		return ""
	}
	for _, u := range sizeUnits {
		if n&(1<<u.shift-1) == 0 {
			return strconv.FormatInt(n>>u.shift, 10) + u.name
		}
	}
	return ""
}

// size is a number of bytes, at most limit.
func size(limit int64) *scalar[int64] {
	over := fault{"is too large", "at most " + formatSize(limit)}
	return (&scalar[int64]{
		noun: "a size", example: "64KiB", tags: []string{tagText}, parse: parseSize, format: formatSize,
		schema: []jsonx.Member{typeIs("string"), pattern(`^[1-9][0-9]*(B|KiB|MiB|GiB)$`)},
	}).with(func(n int64) error {
		if n > limit {
			return over
		}
		return nil
	})
}

// spanUnits are the units of durations, the largest first.
var spanUnits = []struct {
	name string
	unit time.Duration
}{{"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}, {"ms", time.Millisecond}}

// parseSpan reads 30s, 1h30m: each unit at most once, the largest first.
func parseSpan(s string) (time.Duration, error) {
	if s == "" {
		return 0, badSpan
	}
	var sum time.Duration
	for _, u := range spanUnits {
		end := 0
		for end < len(s) && '0' <= s[end] && s[end] <= '9' {
			end++
		}
		rest, ok := strings.CutPrefix(s[end:], u.name)
		if !ok || end == 0 || rest != "" && (rest[0] < '0' || rest[0] > '9') {
			continue
		}
		n, err := parseDecimal(s[:end], 0, badSpan)
		switch {
		case err != nil:
			return 0, err
		case time.Duration(n) > (math.MaxInt64-sum)/u.unit:
			return 0, tooMuch
		}
		sum += time.Duration(n) * u.unit
		s = rest
	}
	switch {
	case s != "":
		return 0, badSpan
	case sum == 0:
		return 0, zero
	}
	return sum, nil
}

func formatSpan(t time.Duration) string {
	var b strings.Builder
	for _, u := range spanUnits {
		if n := t / u.unit; n > 0 {
			b.WriteString(strconv.FormatInt(int64(n), 10) + u.name)
			t -= n * u.unit
		}
	}
	return b.String()
}

// spanPattern is looser than the parser about the order of units alone.
const spanPattern = `^((0|[1-9][0-9]*)(d|h|ms|m|s))+$`

// span is a duration, at most limit.
func span(limit time.Duration) *scalar[time.Duration] {
	over := fault{"is too long", "at most " + formatSpan(limit)}
	return (&scalar[time.Duration]{
		noun: "a duration", example: "30s", tags: []string{tagText}, parse: parseSpan, format: formatSpan,
		schema: []jsonx.Member{typeIs("string"), pattern(spanPattern)},
	}).with(func(t time.Duration) error {
		if t > limit {
			return over
		}
		return nil
	})
}

// parseMoney reads 0.5 USD.
func parseMoney(s string) (claviger.Money, error) {
	digits, ok := strings.CutSuffix(s, " "+currency)
	if !ok {
		return claviger.Money{}, badMoney
	}
	n, err := parseDecimal(digits, 6, badMoney)
	if err != nil {
		return claviger.Money{}, err
	}
	return claviger.Money{Micros: n, Currency: currency}, nil
}

// currency is that of the provider's prices, and so the only one in which
// spending can be counted.
const currency = "USD"

func formatMoney(m claviger.Money) string {
	if m.Currency == "" {
		return ""
	}
	return formatDecimal(m.Micros, 6) + " " + m.Currency
}

// money is an amount that may be 0.
func money() *scalar[claviger.Money] {
	return &scalar[claviger.Money]{
		noun: "an amount of money", example: "0.5 USD", tags: []string{tagText}, parse: parseMoney, format: formatMoney,
		schema: []jsonx.Member{typeIs("string"), pattern(`^` + decimalPattern + ` USD$`)},
	}
}
