package app

import (
	"encoding/csv"
	"net/http"
	"strings"
	"testing"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/jsonx"
)

// TestUsage: what was used is there a moment later, while the gateway runs, and
// all of it when it has ended.
func TestUsage(t *testing.T) {
	s := newSite(t)
	s.write("claviger.yaml", strings.Replace(siteConfig, "1000/min", "3/day", 1))
	p := s.start("serve")
	const name = "ada.lovelace" // which no pseudonym spells
	ticket := p.ticket("--sub", name)
	for i := range 5 {
		want := http.StatusOK
		if i >= 3 {
			want = http.StatusTooManyRequests
		}
		if r := p.generate(ticket); r.StatusCode != want {
			t.Fatalf("call %d: %d %s", i, r.StatusCode, r.body)
		}
	}
	p.generate("") // nobody
	p.until("five calls are counted", func() bool { return strings.Contains(p.ok("usage", "--format", "json"), `"calls":5`) })
	v, err := jsonx.Parse([]byte(p.ok("usage", "--by", "action", "--format", "json")))
	if err != nil || len(v.Elems()) != 1 {
		t.Fatalf("%v %v", v, err)
	}
	for key, want := range map[string]string{"name": "tidy", "by": "action"} {
		if got, _ := v.Elems()[0].Get(key); got.Str() != want {
			t.Errorf("%s is %q, want %q", key, got.Str(), want)
		}
	}
	out := p.ok("usage", "--by", "action", "--format", "json")
	if !strings.Contains(out, `"refused":2`) || !strings.Contains(out, `"currency":"USD"`) || strings.Contains(out, `"amount":"0.000000"`) {
		t.Errorf("json: %s", out)
	}
	if out := p.ok("usage"); !strings.Contains(out, "PLAN") || !strings.Contains(out, " USD\n") || !strings.Contains(out, "all ") {
		t.Errorf("table:\n%s", out)
	}
	if out := p.ok("usage", "--from", "2001-01-01", "--to", "2001-12-31"); out != "" {
		t.Errorf("of another year: %s", out)
	}
	if out := p.ok("usage", "--by", "user"); strings.Contains(out, name) {
		t.Errorf("a person by name:\n%s", out)
	}
	p.bad("--from is a day", "usage", "--from", "yesterday")
	p.bad("before", "usage", "--from", "2026-02-01", "--to", "2026-01-01")
}

// TestUsageAtTheEnd: what was not written yet is written at shutdown.
func TestUsageAtTheEnd(t *testing.T) {
	p := newSite(t).start("serve")
	if r := p.generate(p.ticket()); r.StatusCode != http.StatusOK {
		t.Fatal(r.body)
	}
	p.stop()
	if out := p.ok("usage", "--by", "model", "--format", "csv"); !strings.Contains(out, "gpt-4.1-mini,1,0,") {
		t.Errorf("csv: %s", out)
	}
}

var mixed = []claviger.UsageSum{
	{By: "", Calls: 3, Refused: 3},
	{By: "=cmd|' /C calc'!A0", Calls: 1, Units: claviger.Units{{Kind: claviger.UnitInput, Amount: 7}, {Kind: claviger.UnitSeconds, Amount: 9}, {Kind: claviger.UnitToolCalls, Amount: 2}}, Cost: []claviger.Money{{Micros: 1_500_000, Currency: "EUR"}}},
	{By: "a\x1b[31m\n\"b\"", Calls: 2, Estimated: 1, Cost: []claviger.Money{{Micros: 40, Currency: "EUR"}, {Micros: 2_000_001, Currency: "USD"}}},
}

func TestUsageCSV(t *testing.T) {
	var b strings.Builder
	if err := writeUsageCSV(&b, "model", mixed); err != nil {
		t.Fatal(err)
	}
	got, err := csv.NewReader(strings.NewReader(b.String())).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"model calls refused estimated input cached_input output reasoning cost_EUR cost_USD image_input audio_input audio_output seconds characters tool_calls",
		" 3 3 0 0 0 0 0 0.000000 0.000000 0 0 0 0 0 0", "'=cmd|' /C calc'!A0 1 0 0 7 0 0 0 1.500000 0.000000 0 0 0 9 0 2",
		"a\x1b[31m\n\"b\" 2 0 1 0 0 0 0 0.000040 2.000001 0 0 0 0 0 0",
	}
	for i, line := range got {
		if text := strings.Join(line, " "); text != want[i] {
			t.Errorf("line %d: %q, want %q", i, text, want[i])
		}
	}
	for _, s := range []string{"=1", "+1", "-1", "@a", "\tx", "\rx"} {
		if inert(s) == s {
			t.Errorf("%q is a formula", s)
		}
	}
}

func TestUsageTable(t *testing.T) {
	var b strings.Builder
	if err := writeUsageTable(&b, "model", mixed); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	if len(lines) != 4 || strings.Contains(b.String(), "\x1b") {
		t.Fatalf("%q", b.String())
	}
	if !strings.Contains(lines[0], "REASONING  SECONDS  TOOL CALLS  COST") || strings.Contains(lines[0], "IMAGE") {
		t.Errorf("what was used is shown, and nothing else: %q", lines[0])
	}
	column := strings.Index(lines[0], "CALLS")
	for i, n := range []string{"3", "1", "2"} {
		if got := string([]rune(lines[i+1])[column]); got != n {
			t.Errorf("not aligned, %q at %d:\n%s", got, column, b.String())
		}
	}
	if !strings.HasSuffix(lines[3], "0.000040 EUR, 2.000001 USD") {
		t.Errorf("cost: %q", lines[3])
	}
}
