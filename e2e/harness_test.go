package e2e

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"claviger.dev/claviger/openaitest"
)

// scratch is what all tests share, until the last has ended.
var scratch string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "claviger-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	scratch = dir
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// binary builds the command once.
var binary = sync.OnceValues(func() (string, error) {
	path := filepath.Join(scratch, "claviger")
	out, err := exec.Command("go", "build", "-o", path, "../cmd/claviger").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

// needTools skips a test that needs npm packages and a browser, unless the test
// command installed them; in CI they have to be there.
func needTools(t *testing.T) {
	t.Helper()
	if os.Getenv("CLAVIGER_E2E") != "" {
		return
	}
	t.Skip("NOT RUN: needs npm packages and Chromium; `bash tools/test.sh browser` installs them and runs this")
}

// canary is a key that must never be seen anywhere but at the provider.
func canary() string { return "sk-proj-" + rand.Text() + rand.Text() }

// process is a running child whose output is kept.
type process struct {
	cmd  *exec.Cmd
	mu   sync.Mutex
	log  bytes.Buffer
	line chan string
	done chan error
}

func start(t *testing.T, dir string, env []string, name string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(name, args...), line: make(chan string, 10000), done: make(chan error, 1)}
	p.cmd.Dir, p.cmd.Env = dir, env
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	r, w := io.Pipe()
	p.cmd.Stdout, p.cmd.Stderr = w, w
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	go func() { p.done <- p.cmd.Wait(); _ = w.Close() }()
	go func() {
		for s := bufio.NewScanner(r); s.Scan(); {
			p.mu.Lock()
			p.log.WriteString(s.Text() + "\n")
			p.mu.Unlock()
			select {
			case p.line <- s.Text():
			default:
			}
		}
	}()
	t.Cleanup(func() {
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGTERM)
		select {
		case <-p.done:
		case <-time.After(10 * time.Second):
			_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
		}
		if t.Failed() {
			t.Logf("%s printed:\n%s", name, p.output())
		}
	})
	return p
}

func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.String()
}

// waitLine waits for a line that holds text.
func (p *process) waitLine(t *testing.T, text string) string {
	t.Helper()
	timeout := time.After(60 * time.Second)
	for {
		select {
		case l := <-p.line:
			if strings.Contains(l, text) {
				return l
			}
		case err := <-p.done:
			p.done <- err
			t.Fatalf("the process ended before it printed %q: %v\n%s", text, err, p.output())
		case <-timeout:
			t.Fatalf("no line with %q after a minute:\n%s", text, p.output())
		}
	}
}

// freeAddr is a loopback address that nobody listens on.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// cleanEnv is this process's environment without what could steer the gateway.
func cleanEnv(extra ...string) []string {
	var env []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "OPENAI_") && !strings.HasPrefix(kv, "CLAVIGER_") && !strings.HasPrefix(kv, "AUTH_") {
			env = append(env, kv)
		}
	}
	return append(env, extra...)
}

// gateway is a `claviger serve` in front of a simulated OpenAI.
type gateway struct {
	*process
	url, admin string
	sim        *openaitest.Server
	key        string
	env        []string
	config     string
}

func serve(t *testing.T, config string, sim openaitest.Options, extra ...string) *gateway {
	t.Helper()
	bin, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	g := &gateway{key: canary()}
	sim.Keys = []string{g.key}
	g.sim = openaitest.NewServer(t, sim)
	dir := t.TempDir()
	g.config = filepath.Join(dir, "claviger.yaml")
	if err := os.WriteFile(g.config, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	public, admin := freeAddr(t), freeAddr(t)
	g.url, g.admin = "http://"+public, "http://"+admin
	g.env = cleanEnv(append([]string{
		"OPENAI_API_KEY=" + g.key, "CLAVIGER_UPSTREAM=" + g.sim.URL,
		"CLAVIGER_LISTEN=" + public, "CLAVIGER_ADMIN_LISTEN=" + admin,
	}, extra...)...)
	g.process = start(t, dir, g.env, bin, "serve", "--config", g.config)
	waitHTTP(t, g.admin+"/readyz")
	return g
}

// run runs another command of the binary with the gateway's environment.
func (g *gateway) run(t *testing.T, args ...string) string {
	t.Helper()
	bin, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), bin, args...)
	cmd.Env, cmd.Dir = g.env, filepath.Dir(g.config)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("claviger %s: %v", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out))
}

func (g *gateway) ticket(t *testing.T, sub string, claims ...string) string {
	t.Helper()
	args := []string{"token", "mint", "--config", g.config, "--sub", sub}
	for _, c := range claims {
		args = append(args, "--claim", c)
	}
	return g.run(t, args...)
}

func waitHTTP(t *testing.T, url string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode < http.StatusInternalServerError {
				return
			}
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s did not answer within a minute: %v", url, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// node runs a script and returns what it prints.
func node(t *testing.T, env []string, script string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 12*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", script)
	cmd.Env = append(os.Environ(), env...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("node %s: %v\n%s", script, err, errs.String())
	}
	return out
}

// searchTree fails if any file below dir holds one of the needles.
func searchTree(t *testing.T, dir string, needles ...string) (files int) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		// Turbopack leaves links to packages in a build.
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		for _, n := range needles {
			if bytes.Contains(b, []byte(n)) {
				t.Errorf("%s holds the key", path)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
