package app

import (
	"cmp"
	"maps"
	"net/http"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"claviger.dev/claviger/internal/jsonx"
	"claviger.dev/claviger/keys"
)

// keysView is what GET /keys of the admin listener says about the provider's keys,
// and what 'claviger keys' reads there. It never holds a key.
type keysView struct {
	Keys []keyView `json:"keys"`
	// Draining are keys that are not configured any more, with their calls under
	// way.
	Draining []drainingView `json:"draining"`
}

type keyView struct {
	Fingerprint string   `json:"fingerprint"`
	Ref         string   `json:"ref"`
	State       string   `json:"state"`
	Until       string   `json:"until,omitempty"`
	Answer      int      `json:"answer,omitzero"`
	InFlight    int      `json:"in_flight"`
	Weight      int      `json:"weight"`
	Environment string   `json:"environment,omitempty"`
	Project     string   `json:"project,omitempty"`
	AnswersFor  string   `json:"answers_for,omitempty"`
	Plans       []string `json:"plans,omitempty"`
	Actions     []string `json:"actions,omitempty"`
	Problem     string   `json:"problem,omitempty"`
}

type drainingView struct {
	Fingerprint string `json:"fingerprint"`
	InFlight    int    `json:"in_flight"`
}

func viewOfKey(k keys.KeyStatus) keyView {
	v := keyView{
		Fingerprint: k.ID, Ref: shortRef(k.Ref), State: string(k.State), Until: instant(k.Until), Answer: k.Answer, InFlight: k.InFlight,
		Weight: k.Weight, Environment: k.Environment, Project: k.Project, AnswersFor: k.Answered, Plans: k.For.Plans, Actions: k.For.Actions,
	}
	if k.Err != nil {
		v.Problem = k.Err.Error()
	}
	return v
}

func viewOfPool(p *keys.Pool) keysView {
	out := keysView{Keys: []keyView{}, Draining: []drainingView{}}
	left := p.InFlight()
	for _, k := range p.Status() {
		out.Keys = append(out.Keys, viewOfKey(k))
		delete(left, k.ID)
	}
	for _, id := range slices.Sorted(maps.Keys(left)) {
		out.Draining = append(out.Draining, drainingView{id, left[id]})
	}
	return out
}

func (s *running) keysView() keysView { return viewOfPool(s.installed().pool) }

func writeKeys(w http.ResponseWriter, v keysView) {
	b, err := jsonx.Marshal(v)
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(b, '\n'))
}

// keyGauge is a gauge of every key, asked for at each look.
type keyGauge struct {
	desc *prometheus.Desc
	read func(value func(n float64, labels ...string))
}

func newKeyGauge(name, help string, labels ...string) *keyGauge {
	return &keyGauge{desc: prometheus.NewDesc(name, help, labels, nil), read: func(func(float64, ...string)) {}}
}

// Describe implements prometheus.Collector.
func (g *keyGauge) Describe(ch chan<- *prometheus.Desc) { ch <- g.desc }

// Collect implements prometheus.Collector.
func (g *keyGauge) Collect(ch chan<- prometheus.Metric) {
	g.read(func(n float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(g.desc, prometheus.GaugeValue, n, labels...)
	})
}

// watchKeys lets the gauges of keys look at what s serves with. It is called once,
// before anybody looks.
func (m *metrics) watchKeys(s *running) {
	m.keyState.read = func(value func(float64, ...string)) {
		count := map[[2]string]int{}
		for _, k := range s.keysView().Keys {
			count[[2]string{k.Fingerprint, k.State}] = 1
		}
		for _, k := range slices.SortedFunc(maps.Keys(count), func(a, b [2]string) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) }) {
			value(1, k[0], k[1])
		}
	}
	m.keyCalls.read = func(value func(float64, ...string)) {
		calls := s.installed().pool.InFlight()
		for _, id := range slices.Sorted(maps.Keys(calls)) {
			value(float64(calls[id]), id)
		}
	}
}
