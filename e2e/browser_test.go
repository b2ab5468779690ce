package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"claviger.dev/claviger/openaitest"
)

// growing is how a text grew on the page: milliseconds and length.
type growing [][2]int

// streamed fails unless text was visible well before the last of it came.
func (g growing) streamed(t *testing.T, name string) {
	t.Helper()
	var first, last, steps int
	for _, p := range g {
		if p[1] > 0 {
			if first == 0 {
				first = p[0]
			}
			last = p[0]
			steps++
		}
	}
	t.Logf("%s: first text at %d ms, last at %d ms, %d steps", name, first, last, steps)
	if steps < 5 {
		t.Errorf("%s: the text came in %d steps: it was held back on the way", name, steps)
	}
}

func shots(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("CLAVIGER_SHOTS"); dir != "" {
		return dir
	}
	return t.TempDir()
}

// anyKey begins where a word begins, or after an escape of JSON or of a URL: the
// random letters of an encrypted cookie spell "sk-" in its middle now and then.
var anyKey = regexp.MustCompile(`(?:^|[^A-Za-z0-9_-]|\\[bfnrt]|\\u[0-9A-Fa-f]{4}|%[0-9A-Fa-f]{2})sk-[A-Za-z0-9_-]{16,}`)

// TestAnyKey holds the pattern against what a trace may and may not hold.
func TestAnyKey(t *testing.T) {
	key := "sk-" + strings.Repeat("aB3_", 8)
	for text, found := range map[string]bool{
		key:                         true,
		`{"key":"` + key + `"}`:     true,
		`"a line\n` + key + `"`:     true,
		"Bearer " + key:             true,
		"k=" + key:                  true,
		"q=key%3D" + key:            true,
		`{"a":"\u003c` + key + `"}`: true,
		"eyJhbGciOiJkaXIi.Zq" + key: false,
		"sk-" + "short":             false,
	} {
		if anyKey.MatchString(text) != found {
			t.Errorf("%q: found is %v, want %v", text, !found, found)
		}
	}
}

func searchTrace(t *testing.T, trace string, needles ...string) {
	t.Helper()
	b, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("searched %d bytes of the browser's whole traffic", len(b))
	if len(b) < 10_000 {
		t.Errorf("the trace has %d bytes only: the search would prove nothing", len(b))
	}
	for _, n := range needles {
		if n != "" && strings.Contains(string(b), n) {
			t.Errorf("the browser's traffic holds a secret")
		}
	}
	if m := anyKey.Find(b); m != nil {
		t.Errorf("the browser's traffic holds something like a key of %d characters", len(m))
	}
}

func TestDemoInBrowser(t *testing.T) {
	needTools(t)
	bin, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	addr := freeAddr(t)
	p := start(t, t.TempDir(), cleanEnv(), bin, "demo", "--listen", addr, "--admin-listen", freeAddr(t))
	p.waitLine(t, "http://")
	trace := filepath.Join(t.TempDir(), "trace")
	out := node(t, []string{"BASE_URL=http://" + addr, "TRACE=" + trace, "SHOTS=" + shots(t)}, "browser/demo.mjs")
	var got struct {
		SignedOut    string   `json:"signedOut"`
		Growth       growing  `json:"growth"`
		Answer       string   `json:"answer"`
		Verdict      string   `json:"verdict"`
		Limits       []string `json:"limits"`
		StoppedAt    int      `json:"stoppedAt"`
		ModelRefused string   `json:"modelRefused"`
		Limited      string   `json:"limited"`
		Form         string   `json:"form"`
		FormHTML     int      `json:"formHTML"`
		FormRefused  string   `json:"formRefused"`
		Errors       []string `json:"errors"`
		Narrow       bool     `json:"overflow-narrow"`
		NarrowDark   bool     `json:"overflow-narrow-dark"`
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Logf("%+v", got)
	got.Growth.streamed(t, "demo")
	for name, ok := range map[string]bool{
		"signed out is refused":         strings.Contains(got.SignedOut, "Sign in first"),
		"the answer came":               len(strings.Fields(got.Answer)) >= 50,
		"no key, says the page":         strings.Contains(got.Verdict, "no key"),
		"limits are shown":              len(got.Limits) >= 3,
		"stop stops":                    got.StoppedAt > 0 && got.StoppedAt < 4000,
		"a model above the plan":        strings.Contains(got.ModelRefused, "not allowed"),
		"the limit is reached":          got.Limited != "",
		"the form answers as text":      strings.Contains(got.Form, `<b>bold</b> & "quoted"`) && got.FormHTML == 0,
		"the form refuses blank input":  got.FormRefused == "Invalid prompt",
		"no error in the console":       len(got.Errors) == 0,
		"no sideways scroll, when slim": !got.Narrow && !got.NarrowDark,
	} {
		if !ok {
			t.Errorf("not so: %s", name)
		}
	}
	searchTrace(t, trace)
}

func TestNextInBrowser(t *testing.T) {
	needTools(t)
	app, err := filepath.Abs("../examples/nextjs")
	if err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile(filepath.Join(app, "claviger.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	web := freeAddr(t)
	secret := canary()[8:]
	g := serve(t, strings.ReplaceAll(string(config), "http://127.0.0.1:3000", "http://"+web),
		openaitest.Options{Delta: 20 * time.Millisecond, PromptFaults: true}, "AUTH_SECRET="+secret)
	// The app's own process has no key: it could not leak one.
	env := cleanEnv("AUTH_SECRET="+secret, "AUTH_URL=http://"+web, "CLAVIGER_URL="+g.url, "NEXT_TELEMETRY_DISABLED=1")
	build := exec.CommandContext(t.Context(), "npx", "next", "build")
	build.Dir, build.Env = app, env
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("next build: %v\n%s", err, out)
	}
	host, port, _ := strings.Cut(web, ":")
	start(t, app, env, "npx", "next", "start", "-H", host, "-p", port)
	waitHTTP(t, "http://"+web)
	trace := filepath.Join(t.TempDir(), "trace")
	out := node(t, []string{"BASE_URL=http://" + web, "TRACE=" + trace, "SHOTS=" + shots(t)}, "browser/next.mjs")
	type way struct {
		Growth          growing `json:"growth"`
		Answer, Stopped string
	}
	var got struct {
		SignedOutAction, SignedOutChat string
		Handler, Rewrite               way
		Form, FormSignedOut            string
		FormScript                     string
		ModelRefused, Limited          string
		Overflow                       bool
		Errors                         []string
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Logf("%+v", got)
	got.Handler.Growth.streamed(t, "Route Handler")
	got.Rewrite.Growth.streamed(t, "rewrite")
	for name, ok := range map[string]bool{
		"signed out: action":         got.SignedOutAction == "Sign in first",
		"signed out: chat":           strings.Contains(got.SignedOutChat, "Sign in first"),
		"handler answers":            len(strings.Fields(got.Handler.Answer)) >= 30,
		"rewrite answers":            len(strings.Fields(got.Rewrite.Answer)) >= 30,
		"handler stops":              got.Handler.Stopped == "Stopped",
		"rewrite stops":              got.Rewrite.Stopped == "Stopped",
		"form without JavaScript":    got.Form == "tidy text",
		"form after signing out":     got.FormSignedOut == "Sign in first",
		"form with JavaScript":       got.FormScript == "with script",
		"a model above the plan":     strings.Contains(got.ModelRefused, "not allowed"),
		"the limit reached and told": strings.Contains(got.Limited, "Try again in"),
		"no sideways scroll":         !got.Overflow,
		"no error in the console":    len(got.Errors) == 0,
	} {
		if !ok {
			t.Errorf("not so: %s", name)
		}
	}
	searchTrace(t, trace, g.key, secret)
	files := searchTree(t, filepath.Join(app, ".next"), g.key, secret)
	t.Logf("searched %d files of the build", files)
	if files < 20 {
		t.Errorf("the build has %d files only: the search would prove nothing", files)
	}
	if strings.Contains(g.output(), g.key) {
		t.Error("the gateway's log holds the key")
	}
}
