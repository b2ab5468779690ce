package app

import (
	"context"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"claviger.dev/claviger"
)

func TestAdminListener(t *testing.T) {
	p := newSite(t).start("serve")
	if r := p.get(p.admin + "/healthz"); r.StatusCode != 200 || !strings.Contains(r.body, `"alive"`) {
		t.Errorf("healthz: %d %s", r.StatusCode, r.body)
	}
	for path, want := range map[string]int{"/": 404, "/metrics/": 404, "/debug/pprof/": 404, "/v1/models": 404, "/readyz": 200, "/metrics": 200} {
		r := p.get(p.admin + path)
		if r.StatusCode != want {
			t.Errorf("GET %s: %d, want %d", path, r.StatusCode, want)
		}
		if got := r.Header.Get("Cache-Control"); got != "private, no-store" {
			t.Errorf("GET %s: Cache-Control %q", path, got)
		}
		if got := r.Header.Get("X-Content-Type-Options"); got != "nosniff" {
			t.Errorf("GET %s: X-Content-Type-Options %q", path, got)
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.admin+"/readyz", nil)
	if err != nil {
		t.Fatal(err)
	}
	if r := p.do(req); r.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("POST /readyz: %d", r.StatusCode)
	}
	// Health is no business of the public listener.
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		if r := p.get(p.public + path); r.StatusCode != http.StatusNotFound {
			t.Errorf("public %s: %d", path, r.StatusCode)
		}
	}
}

// TestForeignHost: a page that had its name resolved to this machine reaches
// neither listener.
func TestForeignHost(t *testing.T) {
	p := newSite(t).start("serve")
	for _, base := range []string{p.public, p.admin} {
		for host, want := range map[string]bool{
			"evil.example": true, "127.0.0.1.evil.example": true, "localhost.evil.example": true, "169.254.169.254": true,
			"localhost": false, "127.0.0.1:1": false,
		} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/healthz", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Host = host
			if r := p.do(req); (r.StatusCode == http.StatusMisdirectedRequest) != want {
				t.Errorf("%s with Host %s: %d", base, host, r.StatusCode)
			}
		}
	}
}

// TestMetrics: the text is what scrapers read, it counts what happened, and no
// label names a person.
func TestMetrics(t *testing.T) {
	p := newSite(t).start("serve")
	const name = "ada.lovelace" // which no fingerprint spells
	p.generate(p.ticket("--sub", name))
	p.generate("")
	p.get(p.public + "/nowhere")
	p.post("/v1/responses", p.ticket("--sub", name), `{"model":"gpt-4.1-mini","stream":true,"input":"hi"}`)
	var r reply
	p.until("the stream, whose account is closed behind its end, is counted", func() bool {
		r = p.get(p.admin + "/metrics")
		return strings.Contains(r.body, `claviger_requests_total{code="",route="responses",status="200"} 1`)
	})
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(r.body))
	if err != nil {
		t.Fatalf("not the format of Prometheus: %v", err)
	}
	allowed := map[string]string{
		"claviger_requests_total": "route status code", "claviger_request_duration_seconds": "route", "claviger_first_byte_seconds": "route",
		"claviger_tokens_total": "model kind", "claviger_cost_total": "model currency",
		"claviger_upstream_key_state": "fingerprint state",
	}
	for name := range allowed {
		if families[name] == nil {
			t.Errorf("there is no %s", name)
		}
	}
	for name, f := range families {
		if !strings.HasPrefix(name, "claviger_") {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if !strings.Contains(" "+allowed[name]+" ", " "+l.GetName()+" ") {
					t.Errorf("%s has a label %s", name, l.GetName())
				}
				if strings.Contains(l.GetValue(), name) || len(l.GetValue()) > 40 {
					t.Errorf("%s: label %s=%q may name a person", name, l.GetName(), l.GetValue())
				}
			}
		}
	}
	for _, want := range []string{
		`claviger_requests_total{code="",route="action tidy",status="200"} 1`,
		`claviger_requests_total{code="unauthenticated",route="action tidy",status="401"} 1`,
		`claviger_requests_total{code="not_found",route="none",status="404"} 1`,
		`claviger_requests_total{code="",route="responses",status="200"} 1`,
	} {
		if !strings.Contains(r.body, want) {
			t.Errorf("no %s", want)
		}
	}
	if !strings.Contains(r.body, `claviger_cost_total{currency="USD",model="gpt-4.1-mini"}`) {
		t.Error("no cost is counted")
	}
}

// TestMetricsRefuseToErase: nothing is kept about anybody, and saying that it
// was erased would be a lie.
func TestMetricsRefuseToErase(t *testing.T) {
	if _, err := newMetrics().Erase(context.Background(), queryOf("ada")); err == nil {
		t.Error("Erase says that something was erased")
	}
}

// TestMetricsOfUnits: what is no token is not counted as one.
func TestMetricsOfUnits(t *testing.T) {
	m := newMetrics()
	e := &claviger.Event{Model: "m", Units: claviger.Units{
		{Kind: claviger.UnitInput, Amount: 5},
		{Kind: claviger.UnitAudioInput, Amount: 4},
		{Kind: claviger.UnitSeconds, Amount: 3},
		{Kind: claviger.UnitCharacters, Amount: 2},
		{Kind: claviger.ToolCalls("web_search"), Amount: 1},
	}}
	if err := m.Record(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range families {
		for _, x := range f.GetMetric() {
			for _, l := range x.GetLabel() {
				if l.GetName() == "kind" {
					got[f.GetName()+" "+l.GetValue()] = x.GetCounter().GetValue()
				}
			}
		}
	}
	want := map[string]float64{
		"claviger_tokens_total input": 5, "claviger_tokens_total audio_input": 4, "claviger_units_total seconds": 3,
		"claviger_units_total characters": 2, "claviger_units_total tool_calls.web_search": 1,
	}
	if !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
