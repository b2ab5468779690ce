package e2e

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"claviger.dev/claviger/openaitest"
)

const nextAppConfig = `
environment: development
origins: [ORIGIN]
auth:
  - ticket: {secrets: [env:TICKET_SECRET]}
  - service: {keys: [{name: web, secret: env:SERVICE_KEY}]}
plans:
  - {name: all, models: [gpt-4.1-mini], limits: {requests: 1000/min, spend: 20 USD/day}}
limits: {per_ip: {requests: 500/min}}
proxy: {endpoints: [chat.completions]}
actions:
  tidy:
    model: gpt-4.1-mini
    instructions: Answer.
    input: {type: object, required: [prompt], additionalProperties: false, properties: {prompt: {type: string, minLength: 1}}}
`

// TestNextMajors builds one app with each of the two newest majors of Next.js:
// the ways to the gateway on Node, on Edge and in the Pages Router, a form
// without JavaScript, and a build that stops at a leaked key. With the newest,
// what init writes for each way of signing in is part of the app, in strict
// TypeScript.
func TestNextMajors(t *testing.T) {
	needTools(t)
	fifteen, err := filepath.Abs("nextapp")
	if err != nil {
		t.Fatal(err)
	}
	for major, dir := range map[string]string{"15": fifteen, "16": besideExample(t, fifteen)} {
		t.Run(major, func(t *testing.T) { testNextApp(t, dir, major) })
	}
}

// besideExample copies the app to where the packages of the example are found.
func besideExample(t *testing.T, app string) string {
	t.Helper()
	example, err := filepath.Abs("../examples/nextjs")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp(example, ".next-e2e-") //nolint:usetesting // the place decides which packages are found
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	for _, name := range []string{"app", "pages"} {
		if err := os.CopyFS(filepath.Join(dir, name), os.DirFS(filepath.Join(app, name))); err != nil {
			t.Fatal(err)
		}
	}
	scaffolded(t, dir)
	for _, name := range []string{"next.config.js", "session.js", "package.json"} {
		b, err := os.ReadFile(filepath.Join(app, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func testNextApp(t *testing.T, dir, major string) {
	t.Helper()
	web := freeAddr(t)
	serviceKey := canary()[8:]
	g := serve(t, strings.ReplaceAll(nextAppConfig, "ORIGIN", "http://"+web),
		openaitest.Options{Delta: 10 * time.Millisecond}, "TICKET_SECRET="+canary()[8:], "SERVICE_KEY="+serviceKey)
	env := cleanEnv("CLAVIGER_URL="+g.url, "CLAVIGER_SERVICE_KEY="+serviceKey, "NEXT_TELEMETRY_DISABLED=1")
	next := func(extra ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), "npx", "next", "build")
		cmd.Dir, cmd.Env = dir, append(env, extra...)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	leaked := canary()
	if out, err := next("NEXT_PUBLIC_THING=" + leaked); err == nil || !strings.Contains(out, "NEXT_PUBLIC_THING holds a key") || strings.Contains(out, leaked) {
		t.Errorf("a build with a public key: %v", err)
	}
	printed, err := next()
	if err != nil || !strings.Contains(printed, "Next.js "+major) {
		t.Fatalf("next build: %v\n%s", err, printed)
	}
	if major == "16" {
		strictly(t, dir, printed)
	}
	host, port, _ := strings.Cut(web, ":")
	server := start(t, dir, env, "npx", "next", "start", "-H", host, "-p", port)
	waitHTTP(t, "http://"+web)
	a := &nextApp{base: "http://" + web, cookie: "app.session=" + g.ticket(t, "ada")}
	for _, way := range []string{"/api/ai", "/api/legacy"} {
		t.Run(strings.Trim(way, "/"), func(t *testing.T) { a.testWay(t, g, way) })
	}
	for _, way := range []string{"/api/ai/v1", "/rewrite/v1"} {
		t.Run(strings.Trim(way, "/"), func(t *testing.T) { a.testProxy(t, g, way) })
	}
	if status, body := a.post(t, "/ticket", `{}`, "user=ada", "same-origin"); status != http.StatusOK || !strings.Contains(body, `"ticket":"`) {
		t.Errorf("a ticket: %d", status)
	}
	if status, _ := a.post(t, "/ticket", `{}`, "user=ada", "cross-site"); status != http.StatusForbidden {
		t.Errorf("a ticket for another site: %d", status)
	}
	if got := a.submit(t, "repeat after me: without script"); !strings.Contains(got, "<output>without script") {
		t.Error("the form without JavaScript shows no answer")
	}
	// Callers have left in the middle of streams, on every way but the one through
	// Edge: there Next.js itself logs them, whatever the route does.
	if strings.Contains(server.output(), "uncaughtException") {
		t.Error("the app's log has an uncaught exception")
	}
	t.Run("edge", func(t *testing.T) { a.testWay(t, g, "/edge") })
	if n := searchTree(t, filepath.Join(dir, ".next"), serviceKey, g.key); n < 20 {
		t.Errorf("the build has %d files only", n)
	}
}

type nextApp struct{ base, cookie string }

func (a *nextApp) ask(ctx context.Context, t *testing.T, path, body, cookie, site string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.base+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Cookie", cookie)
	req.Header.Set("Sec-Fetch-Site", site)
	if strings.Contains(body, "words") {
		req.Header.Set("Accept", "text/event-stream")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return resp
}

func (a *nextApp) post(t *testing.T, path, body, cookie, site string) (int, string) {
	t.Helper()
	resp := a.ask(t.Context(), t, path, body, cookie, site)
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return resp.StatusCode, string(b)
}

// testWay asks one way: plain, from another site, signed out, with a path that
// is none, and streamed until the caller leaves.
func (a *nextApp) testWay(t *testing.T, g *gateway, way string) {
	const hello = `{"prompt":"repeat after me: hello"}`
	if status, body := a.post(t, way+"/actions/tidy", hello, a.cookie, "same-origin"); status != http.StatusOK || body != `{"text":"hello","finish":"stop"}` {
		t.Errorf("plain: %d %s", status, body)
	}
	for name, c := range map[string]struct {
		path, cookie, site string
		status             int
	}{
		"another site": {"/actions/tidy", a.cookie, "cross-site", http.StatusForbidden},
		"signed out":   {"/actions/tidy", "", "same-origin", http.StatusUnauthorized},
		"odd path":     {"/actions/..%2f..%2ftickets", a.cookie, "same-origin", http.StatusNotFound},
	} {
		if status, _ := a.post(t, way+c.path, hello, c.cookie, c.site); status != c.status {
			t.Errorf("%s: %d, want %d", name, status, c.status)
		}
	}
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	resp := a.ask(ctx, t, way+"/actions/tidy", `{"prompt":"write 9000 words"}`, a.cookie, "same-origin")
	defer func() { _ = resp.Body.Close() }()
	line, err := bufio.NewReader(resp.Body).ReadString('\n')
	if err != nil || line != "event: delta\n" {
		t.Errorf("stream: %d %q %v", resp.StatusCode, line, err)
	}
	before := g.sim.Calls().Canceled()
	leave()
	waited, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := g.sim.Wait(waited, openaitest.Canceled(before+1)); err != nil {
		t.Errorf("the provider does not see the caller leave: %v", err)
	}
}

// testProxy streams OpenAI's own API through a way, with a bearer as SDKs send it,
// until the caller leaves.
func (a *nextApp) testProxy(t *testing.T, g *gateway, way string) {
	_, ticket, _ := strings.Cut(a.cookie, "=")
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.base+way+"/chat/completions",
		strings.NewReader(`{"model":"gpt-4.1-mini","stream":true,"messages":[{"role":"user","content":"write 9000 words"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+ticket)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	line, err := bufio.NewReader(resp.Body).ReadString('\n')
	if err != nil || resp.StatusCode != http.StatusOK || !strings.HasPrefix(line, "data: {") {
		t.Errorf("stream: %d %q %v", resp.StatusCode, line, err)
	}
	before := g.sim.Calls().Canceled()
	leave()
	waited, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := g.sim.Wait(waited, openaitest.Canceled(before+1)); err != nil {
		t.Errorf("the provider does not see the caller leave: %v", err)
	}
}

var hidden = regexp.MustCompile(`<input type="hidden" name="([^"]+)"(?: value="([^"]*)")?`)

// submit sends the form as a browser without JavaScript does.
func (a *nextApp) submit(t *testing.T, prompt string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.base+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	page, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	fields := hidden.FindAllSubmatch(page, -1)
	if len(fields) == 0 {
		t.Fatalf("the page has no form of an action:\n%s", page)
	}
	unescape := strings.NewReplacer("&quot;", `"`, "&amp;", "&", "&#x27;", "'")
	for _, f := range fields {
		_ = form.WriteField(string(f[1]), unescape.Replace(string(f[2])))
	}
	_ = form.WriteField("prompt", prompt)
	_ = form.Close()
	req, err = http.NewRequestWithContext(t.Context(), http.MethodPost, a.base+"/", &body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", form.FormDataContentType())
	req.Header.Set("Cookie", a.cookie)
	req.Header.Set("Origin", a.base)
	req.Header.Set("Sec-Fetch-Site", "same-origin")
	resp, err = http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	page, err = io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}
