package detect

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"hash/crc32"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

const (
	mixed    = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	withDash = mixed + "-_"
	capitals = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	hexes    = "0123456789abcdef"
)

// noise makes n random characters of an alphabet, at run time, so that no
// key-like text stands in this file. It has what a random text of that length
// has but for bad luck: digits and both cases, many different characters, no word
// that a person would write alone between dashes, and no row of neighbours.
func noise(n int, alphabet string) string {
	for range 1000 {
		b := make([]byte, n)
		_, _ = rand.Read(b)
		for i := range b {
			b[i] = alphabet[int(b[i])%len(alphabet)]
		}
		breakWords(b, alphabet)
		even := math.Log2(float64(min(n, len(alphabet))))
		if s := string(b); random(s) && Entropy(s) > 0.85*even && is(b[0], alnum) && is(b[n-1], alnum) {
			return s
		}
	}
	panic("no luck")
}

// breakWords puts a digit beside each dash, so that nothing between two of them
// is a word as "foo" or "your", and in the place of a third neighbour in a row.
func breakWords(b []byte, alphabet string) {
	dash := func(i int) bool { return i >= 0 && i < len(b) && (b[i] == '-' || b[i] == '_') }
	next := func(i int) bool { return i > 0 && (b[i]|0x20)-(b[i-1]|0x20) < 2 }
	for i := range b {
		switch {
		case dash(i):
		case alphabet == withDash && (dash(i-1) || dash(i+1)):
			b[i] = '4' + b[i]%6
		case next(i) && next(i-1):
			if b[i] = '2'; b[i-1] < '4' {
				b[i] = '6'
			}
		}
	}
}

func gitHubToken(prefix string) string {
	body := noise(30, mixed)
	sum := crc32.ChecksumIEEE([]byte(body))
	tail := ""
	for range 6 {
		tail = string(base62[sum%62]) + tail
		sum /= 62
	}
	return prefix + body + tail
}

func pemBlock(label string) string {
	return "-----BEGIN " + label + "PRIVATE KEY-----\n" + base64.StdEncoding.EncodeToString([]byte(noise(90, mixed))) + "\n-----END " + label + "PRIVATE KEY-----"
}

func samples() []struct {
	kind Kind
	text string
} {
	jwt := "eyJ" + noise(30, mixed) + "." + "eyJ" + noise(60, withDash) + "." + noise(43, withDash)
	return []struct {
		kind Kind
		text string
	}{
		{OpenAI, "sk-" + noise(20, mixed) + mark + noise(20, mixed)},
		{OpenAI, "sk-proj-" + noise(20, mixed) + mark + noise(20, mixed)},
		{OpenAI, "sk-proj-" + noise(74, withDash) + mark + noise(74, withDash)},
		{OpenAI, "sk-svcacct-" + noise(58, withDash) + mark + noise(58, withDash)},
		{OpenAI, "sk-admin-" + noise(58, withDash) + mark + noise(58, withDash)},
		{OpenAI, "sk-None-" + noise(20, mixed) + mark + noise(20, mixed)},
		{OpenAIUnmarked, "sk-proj-" + noise(60, withDash)},
		{OpenAIUnmarked, "sk-service-" + noise(48, mixed)},
		{OpenAIUnmarked, "sk-" + noise(48, mixed)},
		{OpenAIUnmarked, "sk-" + noise(32, hexes)},
		{OpenAISession, "sess-" + noise(40, mixed)},
		{Masked, "sk-" + noise(8, mixed)[:2] + "***" + noise(8, mixed)[:4]},
		{Masked, "sk-proj-" + strings.Repeat("*", 120) + noise(8, mixed)[:4]},
		{Masked, "sk-..." + noise(8, mixed)[:4]},
		{Masked, "sk-proj-" + noise(8, mixed)[:4] + "\u2026" + noise(8, mixed)[:4]},
		{Masked, "wrong" + strings.Repeat("*", 20) + "key1"},
		{Account, "org-" + noise(24, mixed)},
		{Account, "proj_" + noise(24, mixed)},
		{Account, "user-" + noise(24, mixed)},
		{Anthropic, "sk-ant-api03-" + noise(93, withDash)},
		{OpenRouter, "sk-or-v1-" + noise(64, hexes)},
		{Groq, "gsk_" + noise(52, mixed)},
		{XAI, "xai-" + noise(80, mixed)},
		{HuggingFace, "hf_" + noise(34, mixed)},
		{Replicate, "r8_" + noise(37, mixed)},
		{Perplexity, "pplx-" + noise(48, mixed)},
		{AWS, "AKIA" + noise(16, capitals)},
		{AWS, "ASIA" + noise(16, capitals)},
		{GitHub, gitHubToken("ghp_")},
		{GitHub, gitHubToken("gho_")},
		{GitHubUnchecked, "ghs_" + noise(36, mixed)},
		{GitHubUnchecked, "github_pat_" + noise(22, mixed) + "_" + noise(59, mixed)},
		{GitLab, "glpat-" + noise(20, withDash)},
		{NPM, "npm_" + noise(36, mixed)},
		{Slack, "xoxb-" + noise(12, "0123456789") + "-" + noise(24, mixed)},
		{Slack, "xapp-1-" + noise(40, mixed)},
		{Stripe, "sk_live_" + noise(24, mixed)},
		{Stripe, "rk_test_" + noise(24, mixed)},
		{Stripe, "whsec_" + noise(32, mixed)},
		{SendGrid, "SG." + noise(22, withDash) + "." + noise(43, withDash)},
		{Supabase, "sb_secret_" + noise(31, withDash)},
		{Google, "AIza" + noise(35, withDash)},
		{JWT, jwt},
		{JWT, "eyJ" + noise(40, mixed) + ".." + noise(16, withDash) + "." + noise(100, withDash) + "." + noise(43, withDash)},
		{PrivateKey, pemBlock("")},
		{PrivateKey, pemBlock("RSA ")},
		{PrivateKey, strings.ReplaceAll(pemBlock("EC "), "\n", `\n`)},
	}
}

func TestFindEachKind(t *testing.T) {
	for i, c := range samples() {
		t.Run(fmt.Sprint(i, " ", c.kind), func(t *testing.T) {
			for _, around := range [][2]string{
				{"", ""},
				{"key: ", " and more"},
				{`{"k":"`, `"}`},
				{"a='", "';"},
				{"(", ")"},
				{`"\n`, `\n"`},
				{"k%3D", "&x=1"},
				{`\u0022`, `\u0022`},
				{"=", "\n"},
				{"> ", "<"},
				{"Incorrect API key provided: ", ". You can"},
			} {
				s := around[0] + c.text + around[1]
				found := Find(s)
				if len(found) != 1 || found[0].Kind != c.kind {
					t.Fatalf("between %q and %q: %d found, %v", around[0], around[1], len(found), kinds(found))
				}
				if got := s[found[0].Start:found[0].End]; got != c.text {
					t.Fatalf("between %q and %q: %d bytes found of %d", around[0], around[1], len(got), len(c.text))
				}
				if !Has(s) {
					t.Fatal("Has does not see it")
				}
			}
		})
	}
}

func kinds(ms []Match) []Kind {
	var ks []Kind
	for _, m := range ms {
		ks = append(ks, m.Kind)
	}
	return ks
}

func TestFindNothing(t *testing.T) {
	for _, s := range []string{
		"", "sk-", "sk-SK", "lang=sk-SK", "sk-folding-cube", "sk-folding-cube sk-cube1 sk-cube2", "task-svcacct-something-or-other-that-is-long-2024-01-01-and-on",
		"sk-loading-spinner-container-wrapper", "disk-" + noise(40, mixed), "sk-...", "sk-proj-...", "sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
		"sk-your-key-here", "org-chart", "my-org-name-is-quite-long-indeed", "proj_settings", "user-profile-settings", "AKIAEXAMPLE", "akia" + noise(16, capitals),
		"eyJ", "eyJhbGciOiJub25lIn0", "eyebrows", "Bearer token", "bearer authentication-is-required-here", "-----BEGIN PUBLIC KEY-----", "-----BEGIN CERTIFICATE-----",
		"/***************/ code", "a *** b", "**bold** ***both*** text", "/*****\n * doc\n *****/", "ghp_short", "hf_" + strings.Repeat("a", 40), "xoxo-hugs-and-kisses-for-all-of-you",
		"AIzaShort", "ek_" + noise(32, hexes), "pk_live_" + noise(24, mixed), "phc_" + noise(43, mixed), "SG.1", "sess-ion", "whsec_",
		"https://example.com/" + noise(8, mixed), "the quick brown fox jumps over the lazy dog", "d41d8cd98f00b204e9800998ecf8427e",
	} {
		if found := Find(s); len(found) > 0 {
			t.Errorf("%q: %v", s, kinds(found))
		}
	}
}

func TestFindMany(t *testing.T) {
	var b strings.Builder
	var want []Kind
	for _, c := range samples() {
		b.WriteString(c.text + " ; ")
		want = append(want, c.kind)
	}
	got := kinds(Find(b.String()))
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("found\n%v, want\n%v", got, want)
	}
	rest := Replace(b.String(), "#")
	if want := strings.Repeat("# ; ", len(want)); rest != want {
		t.Errorf("Replace left %d bytes, want %d", len(rest), len(want))
	}
	bearer := Find("Authorization: Bearer " + noise(40, mixed) + "\r\n")
	if len(bearer) != 1 || bearer[0].Kind != Bearer {
		t.Errorf("bearer: %v", kinds(bearer))
	}
}

func TestFindIsWellFormed(t *testing.T) {
	parts := []string{"sk-", "sk-proj-", mark, "***", "...", "org-", "eyJ", ".", "-----BEGIN ", "PRIVATE KEY", "-----END ", "ghp_", "AKIA", "Bearer ", "\\n", "%3D", "A1b2C3d4E5f6G7h8", "zzzz", " ", "\u2026", "\xff"}
	rapid.Check(t, func(t *rapid.T) {
		s := strings.Join(rapid.SliceOfN(rapid.SampledFrom(parts), 0, 20).Draw(t, "parts"), "")
		check(t, s)
	})
}

func check(t interface{ Fatalf(string, ...any) }, s string) {
	at := 0
	found := Find(s)
	for _, m := range found {
		if m.Kind == "" || m.Start < at || m.End <= m.Start || m.End > len(s) {
			t.Fatalf("match %+v after %d in %d bytes", m, at, len(s))
		}
		at = m.End
	}
	if Has(s) != (len(found) > 0) {
		t.Fatalf("Has = %v with %d found", Has(s), len(found))
	}
	IsPlaceholder(s)
	Looks(s)
}

func FuzzFind(f *testing.F) {
	for _, c := range samples() {
		f.Add(c.text)
	}
	f.Add("sk-a***b sk-...cd \\u0041sk- -----BEGIN PRIVATE KEY-----END")
	f.Fuzz(func(t *testing.T, s string) { check(t, s) })
}

// TestLongTexts would take minutes if the search looked at anything again and
// again.
func TestLongTexts(t *testing.T) {
	for _, piece := range []string{
		"sk-", "sk-a", "eyJ", "eyJa.", "eyJaaaaaaaaaa", "eyJaaaaaaaaaa.", "-----BEGIN ", "-----BEGIN PRIVATE", "a***", "***a", "sk-***", "Bearer ", "ghp_", "sk-...",
		"xoxb-", "\\u0041", "SG.", "whsec_=", "A1b2C3d4-", "org-1a",
	} {
		s := strings.Repeat(piece, 1<<16/len(piece))
		if Has(s) != (len(Find(s)) > 0) {
			t.Errorf("Has and Find differ on %q over and over", piece)
		}
		IsPlaceholder(s)
	}
	long := "sk-proj-" + noise(3000, withDash)
	if got := Replace("a "+long+" b", "#"); got != "a # b" {
		t.Errorf("of a long key %d bytes are left", len(got))
	}
}

func TestIsPlaceholder(t *testing.T) {
	for _, s := range []string{
		"", " ", "changeme", "ChangeMe!", "change-me-please-to-something-longer-than-32", "your-key-here", "sk-your-openai-key", "YOUR_SECRET", "xxxx",
		"sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "example", "this-is-an-example-secret-that-is-very-long", "placeholder", "<secret>", "${AUTH_SECRET}",
		"{{ .Secret }}", "sk-...", "sk-\u2026", "...", "todo", "secret", "my secret", "test", "null", "undefined", "12345678901234567890123456789012",
		"abcdefghijklmnopqrstuvwxyz123456", strings.Repeat("a", 64), strings.Repeat("0", 32), strings.Repeat("ab", 20), strings.Repeat("secret", 8), "password", "%SECRET%",
	} {
		if !IsPlaceholder(s) {
			t.Errorf("%q is no placeholder", s)
		}
	}
	for range 300 {
		for _, s := range []string{
			noise(43, withDash), noise(64, hexes), noise(32, mixed), base64.StdEncoding.EncodeToString([]byte(noise(32, mixed))),
			"sk-" + noise(20, mixed) + mark + noise(20, mixed), "test-" + noise(40, mixed) + "7-" + noise(8, mixed) + "7-" + noise(8, mixed),
		} {
			if IsPlaceholder(s) {
				t.Fatalf("a random secret of %d characters is called a placeholder: %q", len(s), s)
			}
		}
	}
}

func TestLooks(t *testing.T) {
	for _, s := range []string{noise(64, hexes), "sk-" + noise(48, mixed), " " + gitHubToken("ghp_") + "\n", pemBlock("")} {
		if !Looks(s) {
			t.Errorf("a secret of %d characters does not look like one", len(s))
		}
	}
	// A random word may by chance look like several names joined by dashes.
	missed := 0
	for range 1000 {
		if !Looks(noise(43, withDash)) {
			missed++
		}
	}
	if missed > 50 {
		t.Errorf("%d of 1,000 random words do not look like secrets", missed)
	}
	for _, s := range []string{
		"", "env:OPENAI_API_KEY", "file:/run/secrets/openai", "file:/etc/claviger/keys/openai-2026.key", "command:pass show openai", "OPENAI_API_KEY", "my-app",
		"https://example.com/path/to/a/thing", "changeme", "gpt-4.1-mini-2025-04-14", "org-" + noise(24, mixed),
	} {
		if Looks(s) {
			t.Errorf("%q looks like a secret", s)
		}
	}
}

func BenchmarkFind(b *testing.B) {
	prose := strings.Repeat("The quick brown fox jumps over the lazy dog, and the well-known sub-system says: \"OK\".\n", 700)
	code := strings.Repeat(`export const a=(e,t)=>{let n=e.map((r)=>r.id-1);return n["data-key"]??t._private_name||"sk-SK"};`+"\n", 600)
	for name, s := range map[string]string{"prose": prose, "code": code} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(s)))
			b.ReportAllocs()
			for b.Loop() {
				if len(Find(s)) > 0 {
					b.Fatal("found")
				}
			}
		})
	}
}
