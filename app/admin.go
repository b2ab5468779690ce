package app

import (
	"context"
	"net/http"
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"claviger.dev/claviger/internal/jsonx"
	"claviger.dev/claviger/internal/netx"
)

// health is what the admin listener says about this process.
type health struct {
	mu       sync.Mutex
	draining bool
	// degraded is why the running configuration is not the one in the file.
	degraded string
	notes    []string
	// problems are asked at each look.
	problems func(context.Context) []string
}

func (h *health) setDegraded(why string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.degraded = why
}

func (h *health) setNotes(notes []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.notes = slices.Clone(notes)
}

func (h *health) drain() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.draining = true
}

// state is the answer of readyz: the status, one word, and why.
func (h *health) state(ctx context.Context) (status int, word string, reasons []string) {
	problems := h.problems(ctx)
	h.mu.Lock()
	defer h.mu.Unlock()
	reasons = append(reasons, problems...)
	if h.draining {
		reasons = append(reasons, "shutting down")
	}
	if len(reasons) > 0 {
		return http.StatusServiceUnavailable, "unready", reasons
	}
	if h.degraded != "" {
		return http.StatusOK, "degraded", append([]string{h.degraded}, h.notes...)
	}
	return http.StatusOK, "ready", h.notes
}

// adminHandler serves healthz, readyz, metrics and the state of the keys.
func adminHandler(h *health, metrics *prometheus.Registry, keys func() keysView, hosts netx.Hosts) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		writeStatus(w, http.StatusOK, "alive", nil)
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		status, word, reasons := h.state(r.Context())
		writeStatus(w, status, word, reasons)
	})
	mux.HandleFunc("GET /keys", func(w http.ResponseWriter, _ *http.Request) { writeKeys(w, keys()) })
	mux.Handle("GET /metrics", promhttp.HandlerFor(metrics, promhttp.HandlerOpts{}))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "private, no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Referrer-Policy", "no-referrer")
		if !hosts.Allowed(r.Host) {
			writeStatus(w, http.StatusMisdirectedRequest, "unknown host", nil)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func writeStatus(w http.ResponseWriter, status int, word string, reasons []string) {
	list := make([]jsonx.Value, 0, len(reasons))
	for _, r := range reasons {
		list = append(list, jsonx.String(r))
	}
	body := jsonx.Append(nil, jsonx.Object(
		jsonx.Member{Name: "status", Value: jsonx.String(word)},
		jsonx.Member{Name: "reasons", Value: jsonx.Array(list...)},
	))
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
}
