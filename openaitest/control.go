package openaitest

import (
	"context"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

// Control returns a handler that steers the simulation from another process. It
// shows keys and prompts to whoever asks: serve it on loopback only, apart from
// the simulation itself.
//
//	POST   /faults   injects; the body is one fault a line in the notation of
//	                 ParseFault, or as JSON {"faults":["429 times=2"]}
//	GET    /faults   {"faults":[…]}, those that have calls left to break
//	DELETE /faults   takes them back
//	GET    /calls    {"total":…,"calls":[…]}; with path=/v1/responses those calls only. With
//	                 ended=N or canceled=N it waits until so many are, for timeout (10s
//	                 if not given), then answers 504
//	DELETE /calls    empties the record and the sums
//	GET    /units    {"total":{…},"by_key":{…}}
//	PUT    /delta    sets the pause before each delta; the body is a duration: 20ms
func (s *Sim) Control() http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("POST /faults", s.controlInject)
	m.HandleFunc("GET /faults", func(w http.ResponseWriter, _ *http.Request) {
		view := faultsView{Faults: []string{}}
		for _, f := range s.Faults() {
			view.Faults = append(view.Faults, f.String())
		}
		controlJSON(w, http.StatusOK, view)
	})
	m.HandleFunc("DELETE /faults", func(w http.ResponseWriter, _ *http.Request) {
		s.Clear()
		w.WriteHeader(http.StatusNoContent)
	})
	m.HandleFunc("GET /calls", s.controlCalls)
	m.HandleFunc("DELETE /calls", func(w http.ResponseWriter, _ *http.Request) {
		s.Reset()
		w.WriteHeader(http.StatusNoContent)
	})
	m.HandleFunc("GET /units", func(w http.ResponseWriter, _ *http.Request) {
		u := s.Units()
		controlJSON(w, http.StatusOK, unitsView(u))
	})
	m.HandleFunc("PUT /delta", s.controlDelta)
	return m
}

type faultsView struct {
	Faults []string `json:"faults"`
}

type unitsView struct {
	Total Tokens            `json:"total"`
	ByKey map[string]Tokens `json:"by_key"`
}

type callsView struct {
	Total int        `json:"total"`
	Calls []callView `json:"calls"`
}

type callView struct {
	Method     string      `json:"method"`
	Path       string      `json:"path"`
	Pattern    string      `json:"pattern"`
	RawQuery   string      `json:"raw_query"`
	Host       string      `json:"host"`
	Header     http.Header `json:"header"`
	Body       string      `json:"body"`
	Parts      []partView  `json:"parts,omitzero"`
	Key        string      `json:"key"`
	Fault      Kind        `json:"fault"`
	Status     int         `json:"status"`
	Started    time.Time   `json:"started"`
	Ended      time.Time   `json:"ended,omitzero"`
	Canceled   bool        `json:"canceled"`
	CanceledAt time.Time   `json:"canceled_at,omitzero"`
	Bytes      int64       `json:"bytes"`
	Events     int         `json:"events"`
	Usage      Tokens      `json:"usage"`
}

type partView struct {
	Name     string `json:"name"`
	FileName string `json:"filename"`
	Type     string `json:"type"`
	Size     int64  `json:"size"`
	SHA256   string `json:"sha256"`
	Value    string `json:"value"`
}

func viewOf(c Call) callView {
	var parts []partView
	for _, p := range c.Parts {
		p.Value = strings.ToValidUTF8(p.Value, "\uFFFD")
		parts = append(parts, partView(p))
	}
	return callView{
		c.Method, c.Path, c.Pattern, c.RawQuery, c.Host, c.Header, strings.ToValidUTF8(string(c.Body), "\uFFFD"), parts, c.Key, c.Fault,
		c.Status, c.Started, c.Ended, c.Canceled, c.CanceledAt, c.Bytes, c.Events, c.Usage,
	}
}

func controlJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(b) // a caller that left needs no answer
}

func (s *Sim) controlInject(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		http.Error(w, "the body is at most 1 MiB", http.StatusBadRequest)
		return
	}
	lines := strings.Split(string(body), "\n")
	if kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind == "application/json" {
		var view faultsView
		if err := json.Unmarshal(body, &view, json.RejectUnknownMembers(true)); err != nil {
			http.Error(w, `the body is {"faults":["429 times=2"]}: `+err.Error(), http.StatusBadRequest)
			return
		}
		lines = view.Faults
	}
	var faults []Fault
	for _, line := range lines {
		if strings.TrimSpace(line) == "" {
			continue
		}
		f, err := ParseFault(line)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		faults = append(faults, f)
	}
	if len(faults) == 0 {
		http.Error(w, "no fault in the body", http.StatusBadRequest)
		return
	}
	s.faults.add(faults)
	w.WriteHeader(http.StatusNoContent)
}

func (s *Sim) controlCalls(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	ended, err1 := number(q.Get("ended"))
	canceled, err2 := number(q.Get("canceled"))
	timeout, err3 := 10*time.Second, error(nil)
	if t := q.Get("timeout"); t != "" {
		timeout, err3 = time.ParseDuration(t)
	}
	if err1 != nil || err2 != nil || err3 != nil {
		http.Error(w, "ended and canceled are numbers, timeout is a duration such as 5s", http.StatusBadRequest)
		return
	}
	narrow := func(c Calls) Calls {
		if path := q.Get("path"); path != "" {
			return c.Path(path)
		}
		return c
	}
	ctx, cancel := context.WithTimeout(r.Context(), timeout)
	defer cancel()
	status := http.StatusOK
	if err := s.Wait(ctx, func(c Calls) bool { return Ended(ended)(narrow(c)) && Canceled(canceled)(narrow(c)) }); err != nil {
		status = http.StatusGatewayTimeout
	}
	view := callsView{Total: s.Count(q.Get("path")), Calls: []callView{}}
	for _, c := range narrow(s.Calls()) {
		view.Calls = append(view.Calls, viewOf(c))
	}
	controlJSON(w, status, view)
}

func number(text string) (int, error) {
	if text == "" {
		return 0, nil
	}
	return strconv.Atoi(text) //nolint:wrapcheck // the caller says what is wrong
}

func (s *Sim) controlDelta(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(io.LimitReader(r.Body, 64)) // cut short it is no duration
	d, err := time.ParseDuration(strings.TrimSpace(string(body)))
	if err != nil {
		http.Error(w, "the body is a duration such as 20ms", http.StatusBadRequest)
		return
	}
	s.SetDelta(d)
	w.WriteHeader(http.StatusNoContent)
}
