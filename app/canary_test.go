package app

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"claviger.dev/claviger"
	"claviger.dev/claviger/openaitest"
)

// TestNoSecretIsShown holds M-S7: whatever happens, none of our secrets is in
// any byte that this process writes, but for the key in calls to the provider.
func TestNoSecretIsShown(t *testing.T) {
	for name, faults := range map[string][]string{
		"answers": {
			"", "500", "html", "redirect", "empty", "truncated", "invalid-json", "extra", "error-event", "400",
			"leak", "leak status=400", "leak status=500", "leak parts=9", "cut", "bad-chunk", "no-usage",
		},
		// These put the key out of use, so each has a process of its own.
		"rate limit": {"429"}, "rejected key": {"401"}, "forbidden key": {"403"}, "rejected key in words": {"leak status=401"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t)
			s.vars["CLAVIGER_LOG"] = "json,debug"
			p := s.start("serve")
			w := &witness{process: p, prompt: rand.Text()}
			ticket := p.ticket("--claim", "plan=pro")
			for _, fault := range faults {
				w.calls(ticket, fault)
			}
			w.refusals(ticket)
			if name == "answers" {
				w.reloads()
			}
			w.note(p.get(p.admin + "/readyz"))
			w.note(p.get(p.admin + "/metrics"))
			w.files("while it runs")
			if p.stop() != 0 {
				t.Error("did not end with 0")
			}
			w.commands()
			w.files("when it has ended")
			w.judge()
			if !strings.Contains(p.errs.String(), `"level":"ERROR"`) || p.sim.Count("") < len(faults) {
				t.Error("hardly anything happened: the test proves little")
			}
		})
	}
}

// witness keeps everything that a process lets out.
type witness struct {
	*process
	// prompt is what callers ask, which nothing but their answers may hold (M-D1).
	prompt string
	seen   strings.Builder
	// kept is what lies on the disk, by file.
	kept map[string]string
}

// files takes what the process wrote: its database with all that belongs to it,
// and its state.
func (w *witness) files(when string) {
	w.t.Helper()
	if w.kept == nil {
		w.kept = map[string]string{}
	}
	database := false
	err := filepath.WalkDir(w.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path == w.path("claviger.yaml") {
			return err
		}
		b, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		database = database || strings.HasPrefix(string(b), "SQLite format 3")
		w.kept[strings.TrimPrefix(path, w.dir)+" "+when] = string(b)
		return err
	})
	if err != nil || !database {
		w.t.Errorf("the files of the process %s: %v, a database among them: %v", when, err, database)
	}
}

func (w *witness) note(r reply) {
	w.seen.WriteString(r.body)
	_ = r.Header.Write(&w.seen)
}

// calls makes the same call as action, proxy and stream. An answer may break
// off.
func (w *witness) calls(ticket, fault string) {
	if fault != "" {
		fault = "[[fault:" + fault + "]]"
	}
	for _, c := range [][2]string{
		{"/api/ai/generate", `{"prompt":"` + w.prompt + ` ` + fault + `"}`},
		{"/v1/chat/completions", `{"model":"gpt-4.1-mini","messages":[{"role":"user","content":"` + w.prompt + ` ` + fault + `"}]}`},
		{"/v1/chat/completions", `{"model":"gpt-4.1-mini","stream":true,"messages":[{"role":"user","content":"` + w.prompt + ` ` + fault + `"}]}`},
		{"/v1/responses", `{"model":"gpt-4.1-mini","stream":true,"input":"` + w.prompt + ` ` + fault + `"}`},
	} {
		resp, err := w.client.Do(w.request(c[0], ticket, c[1]))
		if err != nil {
			w.t.Error(err)
			continue
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		w.note(reply{resp, string(body)})
	}
}

// refusals puts secrets where they do not belong.
func (w *witness) refusals(ticket string) {
	for _, bearer := range []string{"", "nonsense", w.serviceKey, w.ticketSecret, w.key, w.identity, ticket[:len(ticket)-3]} {
		w.note(w.post("/api/ai/generate", bearer, `{"prompt":1}`))
		w.note(w.post("/tickets", bearer, `{"sub":"ada"`))
		w.note(w.post("/v1/nowhere", bearer, `{}`))
	}
	w.note(w.post("/v1/responses", ticket, `{"model":"`+w.identity+`","input":"x"}`))
	w.note(w.post("/v1/responses", ticket, `{"`+w.serviceKey+`":1}`))
	w.note(w.post("/"+w.ticketSecret, w.key, ``))
}

func (w *witness) reloads() {
	w.write("claviger.yaml", strings.Replace(siteConfig, "env:SERVICE_KEY", w.serviceKey, 1))
	w.untilReady(http.StatusOK, "degraded")
	w.note(w.get(w.admin + "/readyz"))
	w.write("claviger.yaml", siteConfig)
	w.untilReady(http.StatusOK, "ready")
}

func (w *witness) commands() {
	for _, args := range [][]string{
		{},
		{"--help"},
		{"serve", "--help"},
		{"token", "mint", "--help"},
		{"config", "check"},
		{"config", "print"},
		{"config", "schema"},
		{"version"},
		{"completion", "bash"},
		{"serve", "--config", "none.yaml"},
		{"token", "mint", "--sub", ""},
		{"token", "mint", "--sub", "x", "--ttl", "900h"},
		{"keys", "list"},
		{"doctor"},
		{"usage"},
		{"usage", "--by", "user", "--format", "json"},
		{"records", "export", "--subject", "user"},
		{"explain", "--token=-"},
		{"bogus"},
	} {
		_, out, errs := w.command(args...)
		w.seen.WriteString(out + errs)
	}
}

func (w *witness) judge() {
	const answers = "answers and commands"
	sinks := map[string]string{answers: w.seen.String(), "stdout": w.out.String(), "the log": w.errs.String()}
	maps.Copy(sinks, w.kept)
	for where, text := range sinks {
		for what, secret := range w.secrets() {
			if strings.Contains(text, secret) {
				w.t.Errorf("%s is in %s", what, where)
			}
		}
		if strings.Contains(text, w.key[:16]) || strings.Contains(text, w.key[len(w.key)-8:]) || strings.Contains(text, openaitest.MaskKey(w.key)) {
			w.t.Errorf("a part of the provider's key is in %s", where)
		}
		// The simulated provider says again what it was asked.
		if where != answers && strings.Contains(text, w.prompt) {
			w.t.Errorf("what a caller asked is in %s", where)
		}
	}
}

// TestCrashShowsNoValue: the value of a panic is not printed, by a command or
// by a reload.
func TestCrashShowsNoValue(t *testing.T) {
	secret := canaryKey()
	var out, errs output
	if code := crashed(Environment{Stdout: &out, Stderr: &errs}, "it was "+secret); code == 0 {
		t.Error("a crash ends with 0")
	}
	if strings.Contains(errs.String(), secret) || !strings.Contains(errs.String(), "internal error (string)") {
		t.Errorf("stderr:\n%s", errs.String())
	}
	s := newSite(t)
	r := &running{env: s.environment(&out, &errs), src: source{path: s.path("claviger.yaml")}}
	r.log, r.output = newLogger(&errs, r.tripwire)
	// An installation without its parts makes remake panic.
	if _, err := r.remake(context.Background(), nil); err == nil || strings.Contains(errs.String(), secret) {
		t.Errorf("a panic while reloading: %v", err)
	}
}

// TestLogScrubs: what looks like a key is scrubbed, ours or not, under groups
// and attributes too.
func TestLogScrubs(t *testing.T) {
	s := newSite(t)
	foreign := canaryKey()
	var errs output
	in, err := newInstallation(t.Context(), s.environment(&errs, &errs), source{path: s.path("claviger.yaml")}, quiet())
	if err != nil {
		t.Fatal(err)
	}
	r := &running{in: in}
	log, out := newLogger(&errs, r.tripwire)
	for _, format := range []string{"text", "json"} {
		in.config.Log.Format = format
		out.set(in.config.Log)
		log.With("a", s.serviceKey).WithGroup("g").With("b", foreign).Info("message "+s.key, "c", s.ticketSecret, "d", claviger.NewSecret([]byte(s.identity)))
	}
	for what, secret := range s.secrets() {
		if strings.Contains(errs.String(), secret) {
			t.Errorf("%s is in the log", what)
		}
	}
	if strings.Contains(errs.String(), foreign) {
		t.Error("a foreign key is in the log")
	}
	if strings.Count(errs.String(), "message") != 2 {
		t.Errorf("the lines are not there:\n%s", errs.String())
	}
}
