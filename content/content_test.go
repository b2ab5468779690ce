package content_test

import (
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"claviger.dev/claviger/content"
)

func builtin(t testing.TB, name string) *content.Policy {
	t.Helper()
	p, ok := content.Builtin(name)
	if !ok || p.Name() != name {
		t.Fatalf("no pattern %s", name)
	}
	return &content.Policy{Patterns: []content.Pattern{p}}
}

// key is what looks like a key of OpenAI.
func key() string { return "sk-" + "proj-" + rand.Text() + "T3Blbk" + "FJ" + rand.Text() }

func TestBuiltins(t *testing.T) {
	at := func(s string) string { return strings.ReplaceAll(s, " at ", "@") }
	for name, tc := range map[string]struct{ in, out []string }{
		"email": {
			in: []string{
				at("ada at example.com"), at("<ada at example.com>"), at("mail ada.lovelace+x at mail.example.co.uk, please"), at("\"a b\" at example.com"),
				at("ö at example.ch"), at("a at xn--bcher-kva.example"), at("x at a-b.de"), at("a at b at example.com"), at("a at 1.2.example"),
			},
			out: []string{"", "@", "a@", "@b", at("ada at home"), "@example.com", "use @handle.", "5 @ 3.50", at("ada at 3.50"), at("a at b.c"), at("a at .com"), at("a at -x.com")},
		},
		"phone": {
			in:  []string{"+41446681800", "call +41 44 668 18 00.", "+1 (212) 555-0142", "(212) 555-0142", "212-555-0142", "tel:+442079460958", "+49/30/123456-7", "212.555.0142", "x 212 555 0142"},
			out: []string{"", "+", "+1", "1+12345678", "a+41446681800", "+0446681800", "+1234567", "+4144668180012345678", "2024-11-25", "112-555-0142", "212-155-0142", "1212-555-0142", "212-555-01423", "1,234,567,890", "192.168.100.1000"},
		},
		"credit-card": {
			in: []string{
				"4111111111111111", "pay 4111 1111 1111 1111 now", "4111-1111-1111-1111", "378282246310005", "3782 822463 10005", "5555555555554444",
				"6011111111111117", "30569309025904", "3530111333300000", "2223003122003222", "4222222222222", "no. 12 4111111111111111", "x:4111111111111111.",
				"6304000000000000 4111111111111111",
			},
			out: []string{"", "4111111111111112", "a4111111111111111", "4111111111111111a", "41111111111111110000", "1234567890123", "0000000000000000", "1732525811000", "4111  1111  1111  1111", "2024-11-25 17:30:12 4"},
		},
		"iban": {
			in:  []string{"DE89370400440532013000", "to DE89 3704 0044 0532 0130 00 please", "GB29NWBK60161331926819", "CH93 0076 2011 6238 5295 7.", "NO9386011117947", "MT84MALT011000012345MTLCAST001S"},
			out: []string{"", "DE89370400440532013001", "DE8937040044053201300", "DE893704004405320130000", "XDE89370400440532013000", "ZZ89370400440532013000", "DE89", "DE8 9370400440532013000"},
		},
		"openai-key": {in: []string{key(), "it is " + key() + "."}, out: []string{"", "sk-", "sk-folding-cube", "Bearer " + rand.Text() + rand.Text()}},
		"secret":     {in: []string{key(), "AKIA" + "7QX2M4KD7QX2M4KD"}, out: []string{"", "sk-ab***yz", "org-" + strings.ToLower(rand.Text())[:20]}},
	} {
		p := builtin(t, name)
		for _, s := range tc.in {
			if got, found := p.Find(s); !found || got != name {
				t.Errorf("%s is not in %q", name, s)
			}
		}
		for _, s := range tc.out {
			if _, found := p.Find(s); found {
				t.Errorf("%s is in %q", name, s)
			}
		}
	}
	if len(content.BuiltinNames()) != 6 {
		t.Errorf("%v: a pattern has no cases here", content.BuiltinNames())
	}
}

func TestCompile(t *testing.T) {
	for expression, ok := range map[string]bool{
		`(?i)\bfalcon\b`: true, `a+`: true, `a*`: false, ``: false, `(`: false, `(?=a)`: false, `\1`: false, `a{1001}`: false,
		strings.Repeat("a", content.MaxExpression): true, strings.Repeat("a", content.MaxExpression+1): false,
	} {
		if _, err := content.Compile("x", expression); (err == nil) != ok {
			t.Errorf("%.40q: %v", expression, err)
		}
	}
}

// hostile are texts that are made to be slow for those who look again and again.
func hostile(n int) map[string]string {
	rep := func(s string) string { return strings.Repeat(s, n/len(s)) }
	return map[string]string{
		"at":       rep("a@"),
		"domain":   rep("a@" + strings.Repeat("b", 200)),
		"digits":   rep("4"),
		"groups":   rep("4 "),
		"plus":     rep("+1"),
		"numbers":  rep("+123456 "),
		"brackets": rep("(2"),
		"iban":     rep("DE89 3704 "),
		"capitals": rep("DE12"),
		"sk":       rep("sk-"),
		"eyJ":      rep("eyJ"),
		"begin":    rep("-----BEGIN "),
	}
}

// TestLinear reads a mebibyte of each: what is linear takes a moment, and what is
// quadratic a million steps for each byte, which no machine does in the time.
func TestLinear(t *testing.T) {
	all := &content.Policy{}
	for _, name := range content.BuiltinNames() {
		all.Patterns = append(all.Patterns, builtin(t, name).Patterns...)
	}
	own, err := content.Compile("own", `(a+)+(b+)+c`)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan string)
	go func() {
		for name, s := range hostile(1 << 20) {
			all.Find(s)
			done <- name
		}
		(&content.Policy{Patterns: []content.Pattern{own}}).Find(strings.Repeat("ab", 1<<17))
		close(done)
	}()
	limit, last := time.After(3*time.Minute), ""
	for {
		select {
		case name, more := <-done:
			if !more {
				return
			}
			last = name
		case <-limit:
			t.Fatalf("what came after %q does not end", last)
		}
	}
}

func verdicts(t *testing.T, results string, n int) []content.Verdict {
	t.Helper()
	vs, err := content.Verdicts([]byte(`{"id":"modr-1","model":"m","results":[`+results+`]}`), n)
	if err != nil {
		t.Fatal(err)
	}
	return vs
}

func TestRefuses(t *testing.T) {
	const calm = `{"flagged":false,"categories":{"violence":false,"hate":false},"category_scores":{"violence":0.4,"hate":0.01}}`
	const wild = `{"flagged":true,"categories":{"violence":true,"hate":false},"category_scores":{"violence":0.9,"hate":0.01}}`
	const novel = `{"flagged":true,"categories":{"a-name-of-tomorrow":true},"category_scores":{"a-name-of-tomorrow":0.9}}`
	const blank = `{"flagged":true,"categories":{},"category_scores":{}}`
	for _, tc := range []struct {
		name, result string
		m            content.Moderation
		want         string
		unclear      bool
	}{
		{"calm", calm, content.Moderation{}, "", false},
		{"flagged", wild, content.Moderation{}, "violence", false},
		{"another category counts", wild, content.Moderation{Categories: []string{"hate"}}, "", false},
		{"this one counts", wild, content.Moderation{Categories: []string{"hate", "violence"}}, "violence", false},
		{"a lower threshold", calm, content.Moderation{Thresholds: map[string]float64{"violence": 0.4}}, "violence", false},
		{"a higher threshold", wild, content.Moderation{Thresholds: map[string]float64{"violence": 0.95}}, "", false},
		{"an unknown category", novel, content.Moderation{}, content.Unnamed, false},
		{"flagged for nothing", blank, content.Moderation{}, content.Unnamed, false},
		{"a category that is not judged", blank, content.Moderation{Categories: []string{"hate"}}, "", true},
		{"a score that is not there", blank, content.Moderation{Thresholds: map[string]float64{"hate": 0.5}}, "", true},
		{"a flag of null", `{"flagged":false,"categories":{"illicit":null},"category_scores":{"illicit":null}}`, content.Moderation{Categories: []string{"illicit"}}, "", true},
	} {
		got, err := tc.m.Refuses(verdicts(t, tc.result, 1)[0])
		if got != tc.want || (err != nil) != tc.unclear {
			t.Errorf("%s: %q, %v", tc.name, got, err)
		}
	}
}

func TestVerdictsShape(t *testing.T) {
	const good = `{"flagged":false,"categories":{},"category_scores":{}}`
	for _, s := range []string{
		"", "{", "[]", "{}", `{"results":{}}`, `{"results":[]}`, `{"results":[` + good + `,` + good + `]}`, `{"results":[1]}`,
		`{"results":[{"flagged":"no","categories":{},"category_scores":{}}]}`, `{"results":[{"flagged":false,"categories":[],"category_scores":{}}]}`,
		`{"results":[{"flagged":false,"categories":{}}]}`,
	} {
		if _, err := content.Verdicts([]byte(s), 1); err == nil {
			t.Errorf("%s is taken", s)
		}
	}
	if vs := verdicts(t, good+","+good, 2); len(vs) != 2 {
		t.Error(vs)
	}
}

// FuzzVerdicts: whatever the provider says, either it is a verdict on each text or
// an error.
func FuzzVerdicts(f *testing.F) {
	f.Add([]byte(`{"results":[{"flagged":true,"categories":{"hate":true},"category_scores":{"hate":1e0}}]}`), 1)
	f.Add([]byte(`{"results":[]}`), 0)
	f.Fuzz(func(t *testing.T, b []byte, n int) {
		n = max(0, min(n, content.MaxTexts))
		vs, err := content.Verdicts(b, n)
		if err == nil && len(vs) != n {
			t.Fatalf("%d verdicts on %d texts", len(vs), n)
		}
		m := content.Moderation{}
		for _, v := range vs {
			if c, err := m.Refuses(v); err != nil || v.Flagged && c == "" {
				t.Fatalf("%+v: %q, %v", v, c, err)
			}
		}
	})
}

// FuzzFind: what is in a text is in a longer one that holds it as words of its own.
func FuzzFind(f *testing.F) {
	for _, s := range []string{"a@" + "example.com", "4111 1111 1111 1111", "DE89 3704 0044 0532 0130 00", "+41 44 668 18 00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, name := range content.BuiltinNames() {
			p := builtin(t, name)
			if _, found := p.Find(s); !found {
				continue
			}
			if _, still := p.Find("see\n" + s + "\nthere"); !still {
				t.Errorf("%s is in %q alone", name, s)
			}
		}
	})
}

func BenchmarkFind(b *testing.B) {
	text := strings.Repeat("The order 2024-11-25 of 12 boxes (48 x 12 cm) was sent to Zurich by 17:30 today; SWIFT pays 1,250.00. ", 1000)
	policies := map[string]*content.Policy{}
	for _, name := range content.BuiltinNames() {
		policies[name] = builtin(b, name)
	}
	for name, e := range map[string]string{"own-literal": `falcon`, "own-words": `(?i)\bproject\s+falcon\b`} {
		p, err := content.Compile(name, e)
		if err != nil {
			b.Fatal(err)
		}
		policies[name] = &content.Policy{Patterns: []content.Pattern{p}}
	}
	for name, p := range policies {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				if _, found := p.Find(text); found {
					b.Fatal("found")
				}
			}
		})
	}
}
