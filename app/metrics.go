package app

import (
	"context"
	"errors"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"claviger.dev/claviger"
)

// metrics counts requests. It is a Recorder that keeps no records: labels are names of the configuration, never of people.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	first    *prometheus.HistogramVec
	tokens   *prometheus.CounterVec
	units    *prometheus.CounterVec
	cost     *prometheus.CounterVec
	asked    *prometheus.CounterVec

	usageLost   *prometheus.CounterVec
	usageFailed prometheus.Counter
	recordsLost *prometheus.CounterVec

	keyState, keyCalls *keyGauge
	tripwire           *prometheus.CounterVec
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "claviger_requests_total", Help: "Requests by route, status and code.",
		}, []string{"route", "status", "code"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "claviger_request_duration_seconds", Help: "Time until the last byte.",
			Buckets: prometheus.ExponentialBuckets(0.005, 2, 15),
		}, []string{"route"}),
		first: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "claviger_first_byte_seconds", Help: "Time until the first byte to the caller.",
			Buckets: prometheus.ExponentialBuckets(0.005, 2, 15),
		}, []string{"route"}),
		tokens: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "claviger_tokens_total", Help: "Tokens by model and kind.",
		}, []string{"model", "kind"}),
		units: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "claviger_units_total", Help: "What is metered beside tokens, by model and kind.",
		}, []string{"model", "kind"}),
		cost: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "claviger_cost_total", Help: "Cost by model, in units of the currency.",
		}, []string{"model", "currency"}),
		asked: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "claviger_identity_questions_total", Help: "Questions to other servers about who somebody is, by method and outcome.",
		}, []string{"method", "outcome"}),
		usageLost: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "claviger_usage_lost_total", Help: "Calls that are missing in the sums of usage, by reason.",
		}, []string{"reason"}),
		usageFailed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "claviger_usage_failed_writes_total", Help: "Writes of the sums of usage that failed, each of which is tried again.",
		}),
		recordsLost: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "claviger_records_lost_total", Help: "Records and transcripts of calls that a retention policy names and that could not be kept, by kind and reason.",
		}, []string{"kind", "reason"}),
		tripwire: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "claviger_tripwire_total", Help: "Secrets of our own that were stopped on their way out, by place.",
		}, []string{"place"}),
		keyState: newKeyGauge("claviger_upstream_key_state", "1 for the state in which each of the provider's keys is.", "fingerprint", "state"),
		keyCalls: newKeyGauge("claviger_upstream_key_calls", "Calls under way with each of the provider's keys, also with those that were replaced.", "fingerprint"),
	}
	m.registry.MustRegister(m.requests, m.duration, m.first, m.tokens, m.units, m.cost, m.asked, m.usageLost, m.usageFailed, m.recordsLost, m.keyState, m.keyCalls, m.tripwire,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Record implements claviger.Recorder. It does not block and does not fail.
func (m *metrics) Record(_ context.Context, e *claviger.Event) error {
	route := e.Route
	if route == "" {
		route = "none"
	}
	m.requests.WithLabelValues(route, strconv.Itoa(e.Status), string(e.Code)).Inc()
	m.duration.WithLabelValues(route).Observe(e.Duration.Seconds())
	if e.FirstByte > 0 {
		m.first.WithLabelValues(route).Observe(e.FirstByte.Seconds())
	}
	for _, u := range e.Units {
		into := m.tokens
		if _, tool := u.Kind.Tool(); tool || u.Kind == claviger.UnitSeconds || u.Kind == claviger.UnitCharacters {
			into = m.units
		}
		into.WithLabelValues(e.Model, string(u.Kind)).Add(float64(u.Amount))
	}
	if e.Tripwire != "" {
		m.tripwire.WithLabelValues(e.Tripwire).Inc()
	}
	if e.Cost.Currency != "" {
		m.cost.WithLabelValues(e.Model, e.Cost.Currency).Add(float64(e.Cost.Micros) / 1e6)
	}
	return nil
}

// askedOf counts what came of asking another server about a caller.
func (m *metrics) askedOf(method, outcome string) { m.asked.WithLabelValues(method, outcome).Inc() }

// Erase implements claviger.Recorder: nothing is kept about anybody.
func (m *metrics) Erase(context.Context, claviger.Query) (int64, error) {
	return 0, errors.New("no records are kept")
}
