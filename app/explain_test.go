package app

import (
	"context"
	"strings"
	"testing"
)

// explain explains with a bearer on stdin.
func (s *site) explain(bearer string, args ...string) (code int, out string) {
	s.t.Helper()
	var o, e output
	env := s.environment(&o, &e)
	env.Stdin = strings.NewReader(bearer)
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	code = Main(ctx, append([]string{"explain", "--token", "-"}, args...), env)
	return code, o.String()
}

// TestExplainBlocks: explain finds the block by which the gateway keeps somebody
// out, and says why.
func TestExplainBlocks(t *testing.T) {
	p := newSite(t).start("serve")
	ticket := p.ticket()
	check := func(want int, words ...string) {
		t.Helper()
		code, out := p.explain(ticket, "--action", "tidy")
		for _, w := range words {
			if !strings.Contains(out, w) {
				t.Errorf("%q is missing", w)
			}
		}
		if code != want {
			t.Errorf("exit %d, want %d", code, want)
		}
		if t.Failed() {
			t.Fatal(out)
		}
	}
	check(0, "Allowed by the plan")
	p.ok("block", "user", "--sub", "ada", "--reason", "odd bills", "--for", "1h")
	check(1, "Refused with 403 forbidden (block.user): kept out by a block of scope user until ", "odd bills")
	p.ok("unblock", "user", "--sub", "ada")
	p.ok("block", "plan", "all")
	check(1, "Refused with 403 forbidden (block.plan)", "plans[0]")
	p.ok("unblock", "plan", "all")
	p.ok("block", "everyone")
	check(1, "Refused with 403 forbidden (block.everyone)")
	p.ok("unblock", "everyone")
	_, out := p.explain(ticket, "--action", "tidy")
	_, id, _ := strings.Cut(out, "token id")
	id = strings.Fields(id)[0]
	p.ok("block", "token", strings.Trim(id, `"`))
	check(1, "Refused with 401 unauthenticated (block.token)")
	p.ok("unblock", "token", strings.Trim(id, `"`))
	check(0, "Allowed by the plan")
}

// TestExplainPrices: explain shows what a call costs, by all that it is metered by,
// and refuses what has no price where a budget applies.
func TestExplainPrices(t *testing.T) {
	s := newSite(t)
	config := strings.Replace(s.read("claviger.yaml"), "proxy: {endpoints: [responses, chat.completions]}",
		"proxy: {endpoints: [responses, images.*, audio.*], tools: [web_search, image_generation, function]}\nlimits: {total: {spend: 5 USD/day}}\nprices: {own: {input: 1 USD, output: 2 USD}}\n", 1)
	s.write("claviger.yaml", strings.Replace(config, "models: [gpt-4.1-mini]", `models: ["*"]`, 1))
	ticket := s.ticket()
	for _, c := range []struct {
		endpoint, model string
		code            int
		want, not       []string
	}{
		{"responses", "gpt-4.1-mini", 0, []string{"input 0.400000 USD a million tokens", "web_search 0.010000 USD a call", "image_generation none: refused"}, []string{"image input", "function"}},
		{"images.generations", "gpt-image-1", 0, []string{"image input 10.000000 USD a million tokens", "output 40.000000 USD"}, []string{"web_search"}},
		{"audio.transcriptions", "whisper-1", 0, []string{"sound 0.006000 USD a minute"}, []string{"input"}},
		{"audio.speech", "tts-1", 0, []string{"characters 15.000000 USD a million characters"}, nil},
		{"audio.speech", "gpt-4o-mini-tts", 0, []string{"audio output 12.000000 USD"}, nil},
		{"responses", "gpt-5.4", 0, []string{"more than 272000 input tokens"}, nil},
		{"audio.speech", "own", 1, []string{"(prices)"}, nil},
		{"responses", "whisper-1", 1, []string{"(prices)"}, nil},
	} {
		code, out := s.explain(ticket, "--endpoint", c.endpoint, "--model", c.model)
		_, prices, _ := strings.Cut(out, "\nPrices\n")
		words := strings.Join(strings.Fields(prices), " ")
		for _, w := range c.want {
			if !strings.Contains(words, w) {
				t.Errorf("%s of %s: %q is missing:\n%s", c.model, c.endpoint, w, out)
			}
		}
		for _, w := range c.not {
			if strings.Contains(words, w) {
				t.Errorf("%s of %s: %q is told:\n%s", c.model, c.endpoint, w, out)
			}
		}
		if code != c.code {
			t.Errorf("%s of %s: exit %d, want %d", c.model, c.endpoint, code, c.code)
		}
	}
}
