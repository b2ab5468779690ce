package app

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

var update = flag.Bool("update", false, "write the generated page of docs anew")

const metricsHead = `# Metrics

<!-- Written by ` + "`go test ./app -run TestMetricsPage -update`" + `; changes here are lost. -->

` + "`GET /metrics`" + ` on the admin listener, in the text format of Prometheus. Labels are names of the configuration and of the closed set of
[codes](errors.md), never of people, addresses or what somebody sent. Beside these there are the usual ` + "`go_`" + ` and ` + "`process_`" + ` metrics.

| metric | labels | meaning |
| --- | --- | --- |
`

const metricsTail = `
` + "`route`" + ` is the endpoint, or ` + "`action NAME`" + `, or ` + "`none`" + ` for what is no route. Tokens and cost are what was settled: reported by the provider,
or as held where a call broke off. ` + "`kind`" + ` of tokens is input, cached_input, image_input, audio_input (parts of input), output, reasoning or audio_output (parts of
output); of the rest it is seconds, characters, or tool_calls.TOOL.
` + "`method`" + ` is forward (good, refused, nobody: nobody has signed in) or human (proven, refused); the outcome is failed where the other server gave no
good answer, and limited where it was not asked, because too much was asked in vain. Answers that are remembered are no questions.
` + "`reason`" + ` is full (the database was away for too long) or end (it was away when the gateway ended); limits hold all the same.
Of records, ` + "`kind`" + ` is call or transcript, and ` + "`reason`" + ` may also be seal: nothing is ever stored that could not be sealed.

` + "`state`" + ` is healthy, cooling (429), rejected (401 or 403), misplaced (it answers for another project than the one it is pinned to), retired
(by an operator) or missing, which has no fingerprint. ` + "`GET /keys`" + ` tells the same as JSON, with references and never a key.
` + "`place`" + ` is answer, stream, file, page, error or header, where it was to go to a caller, or log; any count there is worth a look: what was stopped is not shown.

` + "`GET /readyz`" + ` is 200 with ` + "`ready`" + ` or ` + "`degraded`" + ` (an older configuration is running), or 503 with ` + "`unready`" + `, and says why under
` + "`reasons`" + `. ` + "`GET /healthz`" + ` is 200 as long as the process answers.
`

var description = regexp.MustCompile(`fqName: "([^"]*)", help: "([^"]*)".*variableLabels: \{([^}]*)\}`)

// TestMetricsPage holds docs/metrics.md to the code.
func TestMetricsPage(t *testing.T) {
	m := newMetrics()
	page := metricsHead
	for _, c := range []prometheus.Collector{m.requests, m.duration, m.first, m.tokens, m.units, m.cost, m.asked, m.usageLost, m.usageFailed, m.recordsLost, m.keyState, m.keyCalls, m.tripwire} {
		descs := make(chan *prometheus.Desc, 8)
		c.Describe(descs)
		d := description.FindStringSubmatch((<-descs).String())
		if d == nil {
			t.Fatal("a metric does not describe itself")
		}
		page += "| `" + d[1] + "` | " + strings.ReplaceAll(d[3], ",", ", ") + " | " + d[2] + " |\n"
	}
	page += metricsTail
	const path = "../docs/metrics.md"
	if *update {
		if err := os.WriteFile(path, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != page {
		t.Errorf("docs/metrics.md is not what the code says (%v); run: go test ./app -run TestMetricsPage -update", err)
	}
}

// TestGuideInNode runs the snippets of the guide that servers are meant to
// copy: a ticket with a service key, and a signed address.
func TestGuideInNode(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("NOT RUN: there is no node to run the guide's snippets")
	}
	guide, err := os.ReadFile("../docs/guide.md")
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t)
	s.write("claviger.yaml", siteConfig+"limits: {per_ip: {requests: 4/day}}\n")
	p := s.start("serve")
	dir := t.TempDir()
	for _, name := range []string{"tickets.mjs", "client.mjs"} {
		_, after, ok := strings.Cut(string(guide), "```js\n// "+name)
		code, _, closed := strings.Cut(after, "```")
		if !ok || !closed {
			t.Fatalf("the guide has no %s", name)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte("//"+code), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const main = `
import { ticketFor } from './tickets.mjs';
import { signClient } from './client.mjs';
const { ticket, expires_at } = await ticketFor({ id: 'ada', plan: 'pro' });
if (!(Date.parse(expires_at) > Date.now())) throw new Error('expires_at: ' + expires_at);
const ask = (client) => fetch(process.env.CLAVIGER_URL + '/api/ai/generate', {
  method: 'POST',
  headers: { 'content-type': 'application/json', authorization: 'Bearer ' + ticket, ...(client && { 'claviger-client': client }) },
  body: JSON.stringify({ prompt: 'hello' }),
}).then((answer) => answer.status);
const statuses = [];
for (let i = 0; i < 5; i++) statuses.push(await ask(signClient('203.0.113.7')));
statuses.push(await ask(signClient('203.0.113.8')));
statuses.push(await ask(signClient('2001:db8::1')));
console.log(statuses.join(' '));
`
	if err := os.WriteFile(filepath.Join(dir, "main.mjs"), []byte(main), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), node, "main.mjs")
	cmd.Dir = dir
	cmd.Env = []string{"CLAVIGER_URL=" + p.public, "CLAVIGER_SERVICE_KEY=" + s.serviceKey, "PATH=" + os.Getenv("PATH")}
	out, err := cmd.CombinedOutput()
	// Four requests a day for one address; others have their own.
	if want := "200 200 200 200 429 200 200"; err != nil || strings.TrimSpace(string(out)) != want {
		t.Errorf("node says %q (%v), want %q", out, err, want)
	}
}

// TestGuideDPoP runs the guide's snippet for browsers: a ticket that is bound to
// a key works with proofs of that key, once each, and not as a bearer.
func TestGuideDPoP(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("NOT RUN: there is no node to run the guide's snippets")
	}
	guide, err := os.ReadFile("../docs/guide.md")
	if err != nil {
		t.Fatal(err)
	}
	s := newSite(t)
	p := s.start("serve")
	s.write("claviger.yaml", strings.Replace(siteConfig, "secrets: [env:TICKET_SECRET]", "secrets: [env:TICKET_SECRET], dpop_urls: ["+p.public+"]", 1))
	dir := t.TempDir()
	_, after, ok := strings.Cut(string(guide), "```js\n// dpop.mjs")
	code, _, closed := strings.Cut(after, "```")
	if !ok || !closed {
		t.Fatal("the guide has no dpop.mjs")
	}
	const main = `
import { jkt, askWith } from './dpop.mjs';
const url = process.env.CLAVIGER_URL;
const minted = await fetch(url + '/tickets', {
  method: 'POST',
  headers: { 'content-type': 'application/json', authorization: 'Bearer ' + process.env.CLAVIGER_SERVICE_KEY },
  body: JSON.stringify({ sub: 'ada', claims: { plan: 'pro' }, dpop_jkt: jkt }),
});
if (!minted.ok) throw new Error(await minted.text());
const { ticket } = await minted.json();
const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ prompt: 'hello' }) };
const statuses = [];
for (let i = 0; i < 2; i++) statuses.push((await askWith(ticket, url + '/api/ai/generate?x=y', init)).status);
statuses.push((await fetch(url + '/api/ai/generate', { ...init, headers: { ...init.headers, authorization: 'Bearer ' + ticket } })).status);
statuses.push((await fetch(url + '/api/ai/generate', { ...init, headers: { ...init.headers, authorization: 'DPoP ' + ticket } })).status);
console.log(statuses.join(' '));
`
	for name, text := range map[string]string{"dpop.mjs": "//" + code, "main.mjs": main} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, got := "200 200 401 401", ""
	for range 20 { // the changed configuration takes effect in a moment
		cmd := exec.CommandContext(t.Context(), node, "main.mjs")
		cmd.Dir = dir
		cmd.Env = []string{"CLAVIGER_URL=" + p.public, "CLAVIGER_SERVICE_KEY=" + s.serviceKey, "PATH=" + os.Getenv("PATH")}
		out, err := cmd.CombinedOutput()
		if got = strings.TrimSpace(string(out)); err == nil && got == want {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Errorf("node says %q, want %q", got, want)
}
