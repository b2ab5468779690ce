package app

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"claviger.dev/claviger"
)

type usageCommand struct {
	databaseFlags
	By     string `help:"What it is summed by: user, plan, model, action or day." enum:"user,plan,model,action,day" default:"plan"`
	From   string `help:"The first day, in UTC, as 2006-01-02." placeholder:"DATE"`
	To     string `help:"The last day, in UTC, as 2006-01-02." placeholder:"DATE"`
	Format string `help:"table, csv or json." enum:"table,csv,json" default:"table"`
}

// Run prints what was used.
func (c usageCommand) Run(ctx context.Context, env Environment) error {
	from, to, err := c.days()
	if err != nil {
		return badUsage(err)
	}
	d, err := c.open(ctx, env)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	sums, err := d.SumUsage(ctx, from, to, claviger.UsageBy(c.By))
	if err != nil {
		return badUsage(err)
	}
	switch c.Format {
	case "csv":
		return writeUsageCSV(env.Stdout, c.By, sums)
	case "json":
		return writeUsageJSON(env.Stdout, c.By, sums)
	}
	if len(sums) == 0 {
		fmt.Fprintln(env.Stderr, "Nothing was used.")
		return nil
	}
	return writeUsageTable(env.Stdout, c.By, sums)
}

// days reads the first and the last day; without them, all that is kept.
func (c usageCommand) days() (from, to time.Time, err error) {
	from, to = time.Unix(0, 0), time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
	for _, x := range []struct {
		flag, text string
		into       *time.Time
	}{{"--from", c.From, &from}, {"--to", c.To, &to}} {
		if x.text == "" {
			continue
		}
		if *x.into, err = time.Parse(time.DateOnly, x.text); err != nil {
			return from, to, errors.New(x.flag + " is a day as 2006-01-02")
		}
	}
	if to.Before(from) {
		return from, to, errors.New("--to is before --from")
	}
	return from, to, nil
}

var usageColumns = []string{"calls", "refused", "estimated", "input", "cached_input", "output", "reasoning"}

// usageMore are what only some endpoints and tools are metered by. They stand
// behind all other columns of a file, which keep their places, and in the table
// where there are any.
var usageMore = []claviger.UnitKind{
	claviger.UnitImageInput, claviger.UnitAudioInput, claviger.UnitAudioOutput, claviger.UnitSeconds, claviger.UnitCharacters, claviger.UnitToolCalls,
}

// usageNumbers are the values of usageColumns.
func usageNumbers(s claviger.UsageSum) []int64 {
	return []int64{
		s.Calls, s.Refused, s.Estimated, s.Units.Get(claviger.UnitInput), s.Units.Get(claviger.UnitCachedInput),
		s.Units.Get(claviger.UnitOutput), s.Units.Get(claviger.UnitReasoning),
	}
}

func writeUsageTable(w io.Writer, by string, sums []claviger.UsageSum) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	columns, more := slices.Clone(usageColumns), []claviger.UnitKind{}
	for _, k := range usageMore {
		if slices.ContainsFunc(sums, func(s claviger.UsageSum) bool { return s.Units.Get(k) > 0 }) {
			columns, more = append(columns, string(k)), append(more, k)
		}
	}
	head := strings.ReplaceAll(strings.Join(columns, "\t"), "_", " ")
	fmt.Fprintf(t, "%s\t%s\tCOST\n", strings.ToUpper(by), strings.ToUpper(head))
	for _, s := range sums {
		fmt.Fprint(t, dash(printable(s.By)))
		for _, n := range usageNumbers(s) {
			fmt.Fprintf(t, "\t%d", n)
		}
		for _, k := range more {
			fmt.Fprintf(t, "\t%d", s.Units.Get(k))
		}
		var cost []string
		for _, m := range s.Cost {
			cost = append(cost, m.String())
		}
		fmt.Fprintf(t, "\t%s\n", dash(strings.Join(cost, ", ")))
	}
	return t.Flush()
}

// writeUsageCSV writes one line for each sum, with a column of cost for each
// currency, so that every column can be summed.
func writeUsageCSV(w io.Writer, by string, sums []claviger.UsageSum) error {
	var currencies []string
	for _, s := range sums {
		for _, m := range s.Cost {
			currencies = append(currencies, m.Currency)
		}
	}
	slices.Sort(currencies)
	currencies = slices.Compact(currencies)
	head := append([]string{by}, usageColumns...)
	for _, c := range currencies {
		head = append(head, "cost_"+c)
	}
	for _, k := range usageMore {
		head = append(head, string(k))
	}
	out := csv.NewWriter(w)
	lines := [][]string{head}
	for _, s := range sums {
		line := []string{inert(s.By)}
		for _, n := range usageNumbers(s) {
			line = append(line, strconv.FormatInt(n, 10))
		}
		for _, c := range currencies {
			line = append(line, costIn(s.Cost, c))
		}
		for _, k := range usageMore {
			line = append(line, strconv.FormatInt(s.Units.Get(k), 10))
		}
		lines = append(lines, line)
	}
	return out.WriteAll(lines)
}

func costIn(cost []claviger.Money, currency string) string {
	sum := claviger.Money{}
	for _, m := range cost {
		if m.Currency == currency {
			sum.Micros = claviger.AddMicros(sum.Micros, m.Micros)
		}
	}
	return strings.TrimSpace(sum.String())
}

// usageJSON is a sum as it is printed.
type usageJSON struct {
	By          string     `json:"by"`
	Name        string     `json:"name"`
	Calls       int64      `json:"calls"`
	Refused     int64      `json:"refused"`
	Estimated   int64      `json:"estimated"`
	Input       int64      `json:"input"`
	CachedInput int64      `json:"cached_input"`
	Output      int64      `json:"output"`
	Reasoning   int64      `json:"reasoning"`
	Cost        []costJSON `json:"cost"`
	ImageInput  int64      `json:"image_input"`
	AudioInput  int64      `json:"audio_input"`
	AudioOutput int64      `json:"audio_output"`
	Seconds     int64      `json:"seconds"`
	Characters  int64      `json:"characters"`
	ToolCalls   int64      `json:"tool_calls"`
}

type costJSON struct {
	Amount   string `json:"amount"`
	Currency string `json:"currency"`
}

func writeUsageJSON(w io.Writer, by string, sums []claviger.UsageSum) error {
	out := make([]usageJSON, 0, len(sums))
	for _, s := range sums {
		n := usageNumbers(s)
		line := usageJSON{
			By: by, Name: s.By, Calls: n[0], Refused: n[1], Estimated: n[2], Input: n[3], CachedInput: n[4], Output: n[5], Reasoning: n[6],
			Cost:       []costJSON{},
			ImageInput: s.Units.Get(claviger.UnitImageInput), AudioInput: s.Units.Get(claviger.UnitAudioInput),
			AudioOutput: s.Units.Get(claviger.UnitAudioOutput), Seconds: s.Units.Get(claviger.UnitSeconds),
			Characters: s.Units.Get(claviger.UnitCharacters), ToolCalls: s.Units.Get(claviger.UnitToolCalls),
		}
		for _, m := range s.Cost {
			line.Cost = append(line.Cost, costJSON{costIn(s.Cost, m.Currency), m.Currency})
		}
		out = append(out, line)
	}
	return writeJSON(w, out)
}

// printable makes a text that callers may have chosen safe for a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '\uFFFD'
	}, s)
}

// inert makes a text that no spreadsheet takes for a formula. An apostrophe in
// front tells it that text follows.
func inert(s string) string {
	if s != "" && strings.ContainsAny(s[:1], "=+-@\t\r\n") {
		return "'" + s
	}
	return s
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
