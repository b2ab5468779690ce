package check_test

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/rogpeppe/go-internal/txtar"

	"claviger.dev/claviger/check"
)

// heard is a Reporter that keeps what it is told.
type heard struct {
	config   check.Config
	findings []check.Finding
	summary  check.Summary
	closed   int
}

func (h *heard) Start(c check.Config) error    { h.config = c; return nil }
func (h *heard) Progress(_, _ int64) error     { return nil }
func (h *heard) Finding(f check.Finding) error { h.findings = append(h.findings, f); return nil }
func (h *heard) Close(s check.Summary) error   { h.summary = s; h.closed++; return nil }

func (h *heard) state(id string) check.State {
	for _, c := range h.summary.Checklist {
		if c.ID == id {
			return c.State
		}
	}
	return ""
}

// keys are the secrets of one test, made for it alone: a name stands for the same
// one wherever it is written.
type keys map[string]string

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

func noise(n int, letters string) string {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	for i := range b {
		b[i] = letters[int(b[i])%len(letters)]
	}
	return string(b)
}

var makers = map[string]func() string{
	"openai":    func() string { return "sk-proj-" + noise(74, alphabet) + "T3Blbk" + "FJ" + noise(74, alphabet) },
	"old":       func() string { return "sk-" + noise(20, alphabet) + "T3Blbk" + "FJ" + noise(20, alphabet) },
	"anthropic": func() string { return "sk-ant-" + "api03-" + noise(95, alphabet) },
	"mark":      func() string { return "T3Blbk" + "FJ" },
	"random":    func() string { return noise(40, alphabet) },
	"stripe":    func() string { return "pk_live_" + noise(40, alphabet) },
	"service": func() string {
		return "eyJ" + base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`))[3:] + "." +
			base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"supabase","role":"service_role","iat":1700000000}`)) + "." + noise(43, alphabet)
	},
	"anon": func() string {
		return "eyJ" + base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`))[3:] + "." +
			base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"supabase","role":"anon","iat":1700000000}`)) + "." + noise(43, alphabet)
	},
}

var placeholder = regexp.MustCompile(`\{\{(?:([a-z0-9]+) )?([a-z]+)([0-9]*)\}\}`)

// fill puts secrets into a text: {{openai}}, {{openai2}}, {{base64 openai}}.
func (k keys) fill(text string) string {
	return placeholder.ReplaceAllStringFunc(text, func(s string) string {
		m := placeholder.FindStringSubmatch(s)
		name := m[2] + m[3]
		if k[name] == "" {
			k[name] = makers[m[2]]()
		}
		v := k[name]
		switch m[1] {
		case "":
			return v
		case "base64":
			return base64.StdEncoding.EncodeToString([]byte(v))
		case "shifted1":
			return base64.StdEncoding.EncodeToString([]byte("x" + v))
		case "shifted2":
			return base64.StdEncoding.EncodeToString([]byte("xy" + v))
		case "hex":
			return hex.EncodeToString([]byte(v))
		case "url":
			return url.QueryEscape(v)
		case "head":
			return v[:30]
		case "tail":
			return v[30:]
		}
		panic("no form " + m[1])
	})
}

// unpack writes the files of an archive, and returns what it wants.
func (k keys) unpack(t *testing.T, dir, archive string) (want []string) {
	t.Helper()
	a, err := txtar.ParseFile(archive)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range a.Files {
		if f.Name == "want" {
			want = strings.FieldsFunc(string(f.Data), func(r rune) bool { return r == '\n' })
			continue
		}
		write(t, filepath.Join(dir, f.Name), k.fill(string(f.Data)))
	}
	return want
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

var today = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func scan(t *testing.T, o check.Options) *heard {
	t.Helper()
	h := &heard{}
	o.Now = today
	if err := check.Scan(t.Context(), o, h); err != nil {
		t.Fatal(err)
	}
	if h.closed != 1 {
		t.Fatalf("closed %d times", h.closed)
	}
	return h
}

// lines are findings as archives want them: "rule severity file:line".
func (h *heard) lines() []string {
	var out []string
	for _, f := range h.findings {
		out = append(out, fmt.Sprintf("%s %s %s:%d", f.Rule, f.Severity, f.At.File, f.At.Line))
	}
	slices.Sort(out)
	return out
}

// silent fails when one of the secrets is in a text.
func (k keys) silent(t *testing.T, text string) {
	t.Helper()
	for name, v := range k {
		if strings.Contains(text, v) || len(v) > 40 && strings.Contains(text, v[len(v)-24:]) {
			t.Errorf("%s is printed", name)
		}
	}
}

// TestCorpus checks folders whose findings are known, all of them and no more.
func TestCorpus(t *testing.T) {
	archives, err := filepath.Glob("../testdata/check/*.txtar")
	if err != nil || len(archives) < 6 {
		t.Fatalf("%d archives: %v", len(archives), err)
	}
	needGit(t)
	for _, archive := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(archive), ".txtar"), func(t *testing.T) {
			t.Parallel()
			dir, k := t.TempDir(), keys{}
			want := k.unpack(t, dir, archive)
			slices.Sort(want)
			h := scan(t, check.Options{Target: dir, History: true})
			if diff := cmp.Diff(want, h.lines(), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("wanted (-) and found (+):\n%s", diff)
			}
			k.silent(t, fmt.Sprintf("%+v %+v", h.findings, h.summary))
			for _, f := range h.findings {
				if f.Mission == "" || f.Message == "" || f.Fix == "" || f.Fingerprint == "" {
					t.Errorf("%s says too little: %+v", f.Rule, f)
				}
			}
		})
	}
}

func needGit(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("git is missing")
		}
		t.Skip("NOT RUN: git is missing")
	}
}
