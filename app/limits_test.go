package app

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"claviger.dev/claviger/internal/testnet"
)

// TestLimitsSurviveARestart: what was used is used, whatever became of the
// process, and whoever starts it anew gets nothing twice (M-L3).
func TestLimitsSurviveARestart(t *testing.T) {
	s := newSite(t)
	s.write("claviger.yaml", strings.Replace(siteConfig, "requests: 1000/min", "requests: 2/hour", 1))
	ticket := ""
	for i, want := range []int{http.StatusOK, http.StatusOK, http.StatusTooManyRequests} {
		p := s.start("serve")
		if ticket == "" {
			ticket = s.ticket()
		}
		if r := p.generate(ticket); r.StatusCode != want {
			t.Errorf("call %d, each of a process of its own: %d %s, want %d", i+1, r.StatusCode, r.body, want)
		}
		p.stop()
	}
}

// TestASecondProcessIsRefused: two processes that count for themselves would
// grant everything twice.
func TestASecondProcessIsRefused(t *testing.T) {
	s := newSite(t)
	p := s.start("serve")
	code, _, errs := s.command("serve")
	if code != 2 || !strings.Contains(errs, "storage.limits") || !strings.Contains(errs, "redis://") {
		t.Errorf("exit %d: %s", code, errs)
	}
	p.stop()
	s.start("serve").stop()
}

// TestObjectsSurviveARestart: whose an object is stays known.
func TestObjectsSurviveARestart(t *testing.T) {
	s := newSite(t)
	s.write("claviger.yaml", strings.Replace(siteConfig, "proxy: {endpoints: [responses, chat.completions]}", "proxy: {endpoints: [responses, responses.*], store: true}", 1))
	p := s.start("serve")
	ada, bob := s.ticket(), s.ticket("--sub", "bob")
	made := p.post("/v1/responses", ada, `{"model":"gpt-4.1-mini","input":"hi"}`)
	_, rest, _ := strings.Cut(made.body, `"id":"`)
	id, _, _ := strings.Cut(rest, `"`)
	if made.StatusCode != http.StatusOK || !strings.HasPrefix(id, "resp_") {
		t.Fatalf("%d %s", made.StatusCode, made.body)
	}
	p.stop()
	p = s.start("serve")
	for bearer, want := range map[string]int{ada: http.StatusOK, bob: http.StatusNotFound} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("%s/v1/responses/%s", p.public, id), nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+bearer)
		if r := p.do(req); r.StatusCode != want {
			t.Errorf("%d %s, want %d", r.StatusCode, r.body, want)
		}
	}
	p.stop()
}

// redisServer starts a Redis on a socket and gives its address and its end. It
// may be started again at the same place.
func redisServer(t testing.TB, dir string) (address string, stop func()) {
	t.Helper()
	p := redisProcess(t, dir)
	return "unix://" + filepath.Join(dir, "s"), p.Stop
}

func redisProcess(t testing.TB, dir string) *testnet.Process {
	t.Helper()
	bin, err := exec.LookPath("redis-server")
	if err != nil {
		testnet.Lacking(t, "redis-server is not installed")
	}
	socket := filepath.Join(dir, "s")
	cmd := exec.CommandContext(context.Background(), bin, "--port", "0", "--unixsocket", socket, "--dir", dir, "--save", "", "--appendonly", "yes", "--appendfsync", "always")
	p, err := testnet.StartProcess(cmd, syscall.SIGTERM, func() error {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "unix", socket)
		if err != nil {
			return err
		}
		return conn.Close()
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	return p
}

// TestTwoProcessesShareARedis: together they grant what one would; while Redis
// is away nobody is served, readyz says why, and it heals by itself (M-L3).
func TestTwoProcessesShareARedis(t *testing.T) {
	dir := shortDir(t)
	address, stop := redisServer(t, dir)
	s := newSite(t)
	s.vars["REDIS"] = address
	s.write("claviger.yaml", strings.Replace(siteConfig, "requests: 1000/min", "requests: 3/hour", 1)+"storage: {limits: env:REDIS}\n")
	one, two := s.start("serve"), s.start("serve")
	ticket := s.ticket()
	var got []int
	for _, p := range []*process{one, two, one, two, one} {
		got = append(got, p.generate(ticket).StatusCode)
	}
	if want := []int{200, 200, 200, 429, 429}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	stop()
	bob := s.ticket("--sub", "bob")
	if r := one.generate(bob); r.StatusCode != http.StatusServiceUnavailable || !strings.Contains(r.body, "limits_unavailable") {
		t.Errorf("without Redis: %d %s", r.StatusCode, r.body)
	}
	one.until("readyz tells", func() bool {
		status, _, reasons := one.ready()
		return status == http.StatusServiceUnavailable && strings.Contains(reasons, "storage.limits")
	})
	redisServer(t, dir)
	one.until("it serves again", func() bool { return one.generate(bob).StatusCode == http.StatusOK })
	if r := two.generate(ticket); r.StatusCode != http.StatusTooManyRequests {
		t.Errorf("what was used before is forgotten: %d %s", r.StatusCode, r.body)
	}
	one.stop()
	two.stop()
}

// TestNodesWithDatabasesOfTheirOwn: blocks and owners in a file hold on one machine
// alone, so a second machine on the same Redis does not start (M-L3).
func TestNodesWithDatabasesOfTheirOwn(t *testing.T) {
	address, _ := redisServer(t, shortDir(t))
	config := siteConfig + "storage: {limits: env:REDIS}\n"
	one, two := newSite(t), newSite(t)
	two.identity = one.identity
	for _, s := range []*site{one, two} {
		s.vars["REDIS"], s.vars["IDENTITY_KEY"] = address, one.identity
		s.write("claviger.yaml", config)
	}
	p := one.start("serve")
	code, _, stderr := two.command("serve")
	if code != 2 || !strings.Contains(stderr, "set storage.database to PostgreSQL for all of them") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	p.stop()
	two.start("serve").stop()
}
