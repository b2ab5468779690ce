package sqldb

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"claviger.dev/claviger"
)

const (
	usageWidth = 18
	// textBytes is how much of a text of an event is kept.
	textBytes = 256
	// mostMicros and mostUnits bound what one row counts, so that no sum of
	// them overflows.
	mostMicros = 1e15
	mostUnits  = 1e12
)

// AppendUsage adds one row for each event, all of them or none: who (a
// pseudonym), what, how it ended, what it used and cost. Texts are cut at 256
// bytes. There is nothing in a row that was asked or answered, and no address.
func (e *Engine) AppendUsage(ctx context.Context, events []claviger.Event) error {
	if len(events) == 0 {
		return ctx.Err()
	}
	return e.inTx(ctx, func(tx *sql.Tx) error {
		for part := range slices.Chunk(events, atOnce) {
			args := make([]any, 0, usageWidth*len(part))
			for i := range part {
				args = appendUsage(args, &part[i])
			}
			_, err := tx.ExecContext(ctx, insertUsage(e.params(1, len(part), usageWidth)), args...)
			if err != nil {
				return fmt.Errorf("store: append usage: %w", err)
			}
		}
		return nil
	})
}

func insertUsage(values string) string {
	return `INSERT INTO claviger_usage (at, pseudonym, realm, method, plan, endpoint, action, model, status, code,
		input, cached_input, output, reasoning, micros, currency, estimated, caller_gone) VALUES ` + values
}

func appendUsage(args []any, e *claviger.Event) []any {
	units := func(k claviger.UnitKind) int64 { return min(max(e.Units.Get(k), 0), mostUnits) }
	return append(args, e.Started.UnixMicro(), plain(e.Subject), plain(e.Realm), plain(e.Method), plain(e.Plan),
		plain(string(e.Endpoint)), plain(e.Action), plain(e.Model), int64(e.Status), plain(string(e.Code)),
		units(claviger.UnitInput), units(claviger.UnitCachedInput), units(claviger.UnitOutput), units(claviger.UnitReasoning),
		min(max(e.Cost.Micros, 0), mostMicros), plain(e.Cost.Currency), number(e.Estimated), number(e.CallerGone))
}

func number(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// plain makes a text that every engine keeps.
func plain(s string) string {
	if len(s) > textBytes {
		s = s[:textBytes]
	}
	return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", "\uFFFD"), "\uFFFD")
}

const dayMicros = int64(24 * time.Hour / time.Microsecond)

// usageKeys are the columns by which usage is summed. A day is a number until
// it is read.
var usageKeys = map[claviger.UsageBy]string{
	claviger.UsageByUser: "pseudonym", claviger.UsageByPlan: "plan", claviger.UsageByModel: "model", claviger.UsageByAction: "action",
	claviger.UsageByDay: "at / 86400000000",
}

func usageQuery(key string) string {
	return `SELECT ` + key + ` AS k, currency, COUNT(*), CAST(SUM(input) AS BIGINT), CAST(SUM(cached_input) AS BIGINT),
		CAST(SUM(output) AS BIGINT), CAST(SUM(reasoning) AS BIGINT), CAST(SUM(micros) AS BIGINT)
		FROM claviger_usage WHERE at >= $1 AND at < $2 GROUP BY ` + key + `, currency ORDER BY k, currency`
}

// SumUsage sums the calls that began at from or later and before to, in the
// order of what they are summed by.
func (e *Engine) SumUsage(ctx context.Context, from, to time.Time, by claviger.UsageBy) ([]claviger.UsageSum, error) {
	key, ok := usageKeys[by]
	if !ok {
		return nil, fmt.Errorf("store: usage is summed by user, plan, model, action or day, and not by %q", string(by))
	}
	rows, err := e.read.QueryContext(ctx, usageQuery(key), from.UnixMicro(), to.UnixMicro())
	if err != nil {
		return nil, fmt.Errorf("store: sum usage: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var out []claviger.UsageSum
	for rows.Next() {
		if out, err = addSum(rows, out, by); err != nil {
			return nil, fmt.Errorf("store: sum usage: %w", err)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("store: sum usage: %w", err)
	}
	return out, nil
}

// addSum reads a row, which belongs to the last sum where it differs from it by
// the currency alone.
func addSum(rows *sql.Rows, out []claviger.UsageSum, by claviger.UsageBy) ([]claviger.UsageSum, error) {
	var key, currency string
	var day, calls, input, cached, output, reasoning, micros int64
	into := any(&key)
	if by == claviger.UsageByDay {
		into = &day
	}
	if err := rows.Scan(into, &currency, &calls, &input, &cached, &output, &reasoning, &micros); err != nil {
		return nil, err
	}
	if by == claviger.UsageByDay {
		key = time.UnixMicro(day * dayMicros).UTC().Format(time.DateOnly)
	}
	if n := len(out); n == 0 || out[n-1].By != key {
		out = append(out, claviger.UsageSum{By: key, Units: claviger.Units{
			{Kind: claviger.UnitInput}, {Kind: claviger.UnitCachedInput}, {Kind: claviger.UnitOutput}, {Kind: claviger.UnitReasoning},
		}})
	}
	s := &out[len(out)-1]
	s.Calls += calls
	for i, n := range []int64{input, cached, output, reasoning} {
		s.Units[i].Amount += n
	}
	if currency != "" {
		s.Cost = append(s.Cost, claviger.Money{Micros: micros, Currency: currency})
	}
	return out, nil
}

// EraseUsage deletes every row of a person, and returns how many that were.
func (e *Engine) EraseUsage(ctx context.Context, pseudonym string) (int64, error) {
	if pseudonym == "" {
		return 0, ctx.Err()
	}
	return e.count(ctx, "erase usage", `DELETE FROM claviger_usage WHERE pseudonym = $1`, plain(pseudonym))
}

// SweepUsage deletes the rows of calls that began before a time, and returns how
// many that were.
func (e *Engine) SweepUsage(ctx context.Context, before time.Time) (int64, error) {
	return e.count(ctx, "sweep usage", `DELETE FROM claviger_usage WHERE at < $1`, before.UnixMicro())
}
