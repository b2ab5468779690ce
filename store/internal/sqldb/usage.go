package sqldb

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"claviger.dev/claviger"
)

const (
	usageWidth = 8 + 3 + len(summedUnits) + 1
	// textBytes is how much of a text of an event is kept, so that all of them
	// together fit into an index of every engine.
	textBytes = 256
	// mostMicros and mostUnits bound what one call counts, and what one row
	// holds: beyond them a sum stands still.
	mostMicros = 1e15
	mostUnits  = 1e12
	// microsPart is what money is summed in parts of, so that no number of full
	// rows overflows.
	microsPart = 1e6
)

// usageRow names a row: what the calls in it have in common. A day is a number,
// counted from 1970 in UTC.
type usageRow struct {
	day                                                       int64
	pseudonym, realm, plan, endpoint, action, model, currency string
}

func rowOf(e *claviger.Event) usageRow {
	return usageRow{
		dayOf(e.Started), plain(e.Subject), plain(e.Realm), plain(e.Plan), plain(string(e.Endpoint)), plain(e.Action), plain(e.Model),
		plain(e.Cost.Currency),
	}
}

func (r usageRow) compare(o usageRow) int {
	return cmp.Or(cmp.Compare(r.day, o.day), cmp.Compare(r.pseudonym, o.pseudonym), cmp.Compare(r.realm, o.realm),
		cmp.Compare(r.plan, o.plan), cmp.Compare(r.endpoint, o.endpoint), cmp.Compare(r.action, o.action),
		cmp.Compare(r.model, o.model), cmp.Compare(r.currency, o.currency))
}

// usageCounts are calls, refused, estimated, the summed units and micros.
type usageCounts [3 + len(summedUnits) + 1]int64

func (c *usageCounts) add(e *claviger.Event) {
	c[0]++
	c[1] += number(e.Status >= 400)
	c[2] += number(e.Estimated)
	for i, kind := range summedUnits {
		n := e.Units.Get(kind)
		if kind == claviger.UnitToolCalls {
			n = e.Units.ToolCalls()
		}
		c[3+i] = capped(c[3+i], n, mostUnits)
	}
	c[3+len(summedUnits)] = capped(c[3+len(summedUnits)], e.Cost.Micros, mostMicros)
}

// summedUnits are the units that have a column, by the name of which they go.
var summedUnits = [...]claviger.UnitKind{
	claviger.UnitInput, claviger.UnitCachedInput, claviger.UnitOutput, claviger.UnitReasoning,
	claviger.UnitImageInput, claviger.UnitAudioInput, claviger.UnitAudioOutput, claviger.UnitSeconds, claviger.UnitCharacters,
	claviger.UnitToolCalls,
}

// unitColumns writes something for each column of units, with %[1]s for its name.
func unitColumns(form string) string {
	var out []string
	for _, kind := range summedUnits {
		out = append(out, fmt.Sprintf(form, kind))
	}
	return strings.Join(out, ", ")
}

// capped adds n to a sum that stays between nothing and most.
func capped(sum, n, most int64) int64 { return min(sum+min(max(n, 0), most), most) }

func number(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// AppendUsage adds events to the sums of their day, all of them or none. A sum
// is of one pseudonym, realm, plan, endpoint, action, model and currency; no
// row tells of a single call, of what was asked or answered, or of an address.
// Texts are cut at 256 bytes. Where an error leaves open whether the database
// took the events, giving them again may count them twice.
func (e *Engine) AppendUsage(ctx context.Context, events []claviger.Event) error {
	if len(events) == 0 {
		return ctx.Err()
	}
	sums := map[usageRow]*usageCounts{}
	for i := range events {
		row := rowOf(&events[i])
		if sums[row] == nil {
			sums[row] = &usageCounts{}
		}
		sums[row].add(&events[i])
	}
	// One order for everybody, so that two batches never wait for each other.
	rows := slices.SortedFunc(maps.Keys(sums), usageRow.compare)
	return e.inTx(ctx, func(tx *sql.Tx) error {
		for part := range slices.Chunk(rows, atOnce) {
			args := make([]any, 0, usageWidth*len(part))
			for _, r := range part {
				args = append(args, r.day, r.pseudonym, r.realm, r.plan, r.endpoint, r.action, r.model, r.currency)
				for _, n := range sums[r] {
					args = append(args, n)
				}
			}
			if _, err := tx.ExecContext(ctx, addUsage(e.params(1, len(part), usageWidth)), args...); err != nil {
				return fmt.Errorf("store: append usage: %w", err)
			}
		}
		return nil
	})
}

func addUsage(values string) string {
	return `INSERT INTO claviger_usage AS t (day, pseudonym, realm, plan, endpoint, action, model, currency,
		calls, refused, estimated, ` + unitColumns("%[1]s") + `, micros) VALUES ` + values + `
		ON CONFLICT (day, pseudonym, realm, plan, endpoint, action, model, currency) DO UPDATE SET
		calls = t.calls + excluded.calls, refused = t.refused + excluded.refused, estimated = t.estimated + excluded.estimated,
		` + unitColumns(addCapped("%[1]s", mostUnits)) + `, ` + addCapped("micros", mostMicros)
}

func addCapped(column string, most int64) string {
	return fmt.Sprintf("%[1]s = CASE WHEN t.%[1]s > %[2]d - excluded.%[1]s THEN %[2]d ELSE t.%[1]s + excluded.%[1]s END", column, most)
}

// plain makes a text that every engine keeps.
func plain(s string) string {
	if len(s) > textBytes {
		s = s[:textBytes]
	}
	s = strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", "\uFFFD"), "\uFFFD")
	if len(s) <= textBytes {
		return s
	}
	end := textBytes
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}

const dayMicros = int64(24 * time.Hour / time.Microsecond)

// dayOf is the number of the day in UTC that t is in.
func dayOf(t time.Time) int64 {
	n := t.UnixMicro()
	day := n / dayMicros
	if n%dayMicros < 0 {
		day--
	}
	return day
}

// usageKeys are the columns by which usage is summed. A day is a number until
// it is read.
var usageKeys = map[claviger.UsageBy]string{
	claviger.UsageByUser: "pseudonym", claviger.UsageByPlan: "plan", claviger.UsageByModel: "model", claviger.UsageByAction: "action",
	claviger.UsageByDay: "day",
}

func usageQuery(key string) string {
	return fmt.Sprintf(`SELECT %s AS k, currency, CAST(SUM(calls) AS BIGINT), CAST(SUM(refused) AS BIGINT), CAST(SUM(estimated) AS BIGINT),
		%[3]s, CAST(SUM(micros / %[2]d) AS BIGINT), CAST(SUM(micros %% %[2]d) AS BIGINT)
		FROM claviger_usage WHERE day >= $1 AND day <= $2 GROUP BY %[1]s, currency ORDER BY k, currency`,
		key, int64(microsPart), unitColumns("CAST(SUM(%[1]s) AS BIGINT)"))
}

// SumUsage sums the calls that began on the days from that of from to that of
// to, both in UTC and included, in the order of what they are summed by.
func (e *Engine) SumUsage(ctx context.Context, from, to time.Time, by claviger.UsageBy) ([]claviger.UsageSum, error) {
	key, ok := usageKeys[by]
	if !ok {
		return nil, fmt.Errorf("store: usage is summed by user, plan, model, action or day, and not by %q", string(by))
	}
	rows, err := e.read.QueryContext(ctx, usageQuery(key), dayOf(from), dayOf(to))
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
	var day, calls, refused, estimated, parts, rest int64
	var units [len(summedUnits)]int64
	into := []any{&key, &currency, &calls, &refused, &estimated}
	if by == claviger.UsageByDay {
		into[0] = &day
	}
	for i := range units {
		into = append(into, &units[i])
	}
	if err := rows.Scan(append(into, &parts, &rest)...); err != nil {
		return nil, err
	}
	if by == claviger.UsageByDay {
		key = time.UnixMicro(day * dayMicros).UTC().Format(time.DateOnly)
	}
	if n := len(out); n == 0 || out[n-1].By != key {
		s := claviger.UsageSum{By: key}
		for _, kind := range summedUnits {
			s.Units = append(s.Units, claviger.Unit{Kind: kind})
		}
		out = append(out, s)
	}
	s := &out[len(out)-1]
	s.Calls += calls
	s.Refused += refused
	s.Estimated += estimated
	for i, n := range units {
		s.Units[i].Amount += n
	}
	if currency != "" {
		s.Cost = append(s.Cost, claviger.Money{Micros: wholeMicros(parts, rest), Currency: currency})
	}
	return out, nil
}

// wholeMicros puts a sum together, and stays at the largest number.
func wholeMicros(parts, rest int64) int64 {
	if parts > math.MaxInt64/int64(microsPart) {
		return math.MaxInt64
	}
	return claviger.AddMicros(parts*microsPart, rest)
}

// EraseUsage deletes every sum of a person, and returns how many rows that were.
func (e *Engine) EraseUsage(ctx context.Context, pseudonym string) (int64, error) {
	if pseudonym == "" {
		return 0, ctx.Err()
	}
	return e.count(ctx, "erase usage", `DELETE FROM claviger_usage WHERE pseudonym = $1`, plain(pseudonym))
}

// SweepUsage deletes the sums of the days in UTC before that of a time, and
// returns how many rows that were.
func (e *Engine) SweepUsage(ctx context.Context, before time.Time) (int64, error) {
	return e.count(ctx, "sweep usage", `DELETE FROM claviger_usage WHERE day < $1`, dayOf(before))
}
