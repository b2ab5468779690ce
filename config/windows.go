package config

import (
	"slices"
	"strings"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/jsonx"
)

// periods are the times of rates under all their names, the canonical one first.
var periods = []struct {
	per   claviger.Period
	names []string
}{
	{claviger.PeriodSecond, []string{"s", "sec", "second"}},
	{claviger.PeriodMinute, []string{"min", "minute"}},
	{claviger.PeriodHour, []string{"h", "hour"}},
	{claviger.PeriodDay, []string{"day", "d"}},
	{claviger.PeriodMonth, []string{"month"}},
}

const (
	anyPeriod   = `(s|sec|second|min|minute|h|hour|day|d|month)`
	longPeriods = `(h|hour|day|d|month)`
)

func parsePeriod(s string, bad fault) (claviger.Period, error) {
	for _, p := range periods {
		if slices.Contains(p.names, s) {
			return p.per, nil
		}
	}
	if s == "m" {
		bad.hint = "m could be a minute or a month: write min or month"
	}
	return claviger.PeriodNone, bad
}

func formatPeriod(per claviger.Period) string {
	for _, p := range periods {
		if p.per == per {
			return "/" + p.names[0]
		}
	}
	return ""
}

// parseRate reads 20/min, 2M/day.
func parseRate(s string) (claviger.Window, error) {
	amount, time, ok := strings.Cut(s, "/")
	if !ok {
		return claviger.Window{}, badRate
	}
	n, err := parseCount(amount)
	if err != nil {
		if asFault(err) == badCount {
			err = badRate
		}
		return claviger.Window{}, err
	}
	per, err := parsePeriod(time, badRate)
	if err != nil {
		return claviger.Window{}, err
	}
	return claviger.Window{Limit: n, Per: per}, nil
}

// rate is a count in a time.
func rate(example string) *scalar[claviger.Window] {
	return &scalar[claviger.Window]{
		noun: "a rate", example: example, tags: []string{tagText}, parse: parseRate,
		format: func(w claviger.Window) string {
			if w.Limit == 0 {
				return ""
			}
			return formatCount(w.Limit) + formatPeriod(w.Per)
		},
		schema: []jsonx.Member{typeIs("string"), pattern(`^` + countPattern + `/` + anyPeriod + `$`)},
	}
}

// parseSpend reads 5 USD/day.
func parseSpend(s string) (claviger.Window, error) {
	amount, time, ok := strings.Cut(s, "/")
	if !ok {
		return claviger.Window{}, badSpend
	}
	m, err := parseMoney(amount)
	if err != nil {
		if asFault(err) == badMoney {
			err = badSpend
		}
		return claviger.Window{}, err
	}
	per, err := parsePeriod(time, badSpend)
	switch {
	case err != nil:
		return claviger.Window{}, err
	case m.Micros == 0:
		return claviger.Window{}, zero
	case per < claviger.PeriodHour:
		return claviger.Window{}, badSpend
	}
	return claviger.Window{Limit: m.Micros, Per: per, Currency: m.Currency}, nil
}

// spend is money in a time.
func spend() *scalar[claviger.Window] {
	return &scalar[claviger.Window]{
		noun: "money in a time", example: "5 USD/day", tags: []string{tagText}, parse: parseSpend,
		format: func(w claviger.Window) string {
			if w.Limit == 0 {
				return ""
			}
			return formatMoney(claviger.Money{Micros: w.Limit, Currency: w.Currency}) + formatPeriod(w.Per)
		},
		schema: []jsonx.Member{typeIs("string"), pattern(`^` + decimalPattern + ` USD/` + longPeriods + `$`)},
	}
}
