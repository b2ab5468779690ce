package function_test

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/authn/authjs"
	"claviger.dev/claviger/examples/function"
	"claviger.dev/claviger/internal/testnet"
	"claviger.dev/claviger/openaitest"
)

// redisURL is a server of our own, on a socket.
func redisURL(t *testing.T) string {
	t.Helper()
	bin, err := exec.LookPath("redis-server")
	if err != nil {
		testnet.Lacking(t, "redis-server is not installed")
	}
	dir, err := os.MkdirTemp("", "fn") //nolint:usetesting // the path of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "s")
	cmd := exec.CommandContext(t.Context(), bin, "--port", "0", "--unixsocket", socket, "--save", "", "--dir", dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait(); _ = os.RemoveAll(dir) })
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(socket); err == nil {
			return "unix://" + socket
		}
		if time.Now().After(deadline) {
			t.Fatal("redis-server does not listen")
		}
	}
}

func variables(t *testing.T) map[string]string {
	t.Helper()
	key := "sk-proj-" + rand.Text() + rand.Text()
	sim := openaitest.NewServer(t, openaitest.Options{Keys: []string{key}})
	return map[string]string{
		"OPENAI_API_KEY": key, "AUTH_SECRET": rand.Text() + rand.Text(), "CLAVIGER_IDENTITY_KEY": rand.Text() + rand.Text(),
		"APP_ORIGIN": "https://app.example.com", "CLAVIGER_HOST": "ai.example.com", "CLAVIGER_UPSTREAM": sim.URL,
	}
}

func lookupIn(vars map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { v, ok := vars[name]; return v, ok }
}

// TestFunction calls two instances: both know the app's sessions, and together
// they grant what one would.
func TestFunction(t *testing.T) {
	vars := variables(t)
	vars["REDIS_URL"] = redisURL(t)
	var instances []http.Handler
	for range 2 {
		h, err := function.New(context.Background(), lookupIn(vars))
		if err != nil {
			t.Fatal(err)
		}
		instances = append(instances, h)
	}
	app, err := authjs.New(authjs.Options{Secrets: []claviger.Secret{claviger.NewSecret([]byte(vars["AUTH_SECRET"]))}, Secure: true})
	if err != nil {
		t.Fatal(err)
	}
	_, cookies, err := app.Issue(claviger.Claims{"sub": "ada"}, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	call := func(h http.Handler, bearer string) *httptest.ResponseRecorder {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/actions/tidy", strings.NewReader(`{"prompt":"teh cat"}`))
		r.Host = "ai.example.com"
		r.Header.Set("Content-Type", "application/json")
		if bearer != "" {
			r.Header.Set("Authorization", "Bearer "+bearer)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	if w := call(instances[0], ""); w.Code != http.StatusUnauthorized {
		t.Errorf("nobody: %d %s", w.Code, w.Body)
	}
	begun, good := time.Now(), 0
	last := call(instances[0], cookies[0].Value)
	for ; last.Code == http.StatusOK && good < 1000; good++ {
		last = call(instances[good%2], cookies[0].Value)
	}
	// Ten a minute: the window refills by one in six seconds.
	most := 11 + int(time.Since(begun)/(6*time.Second))
	if last.Code != http.StatusTooManyRequests || good < 10 || good > most {
		t.Errorf("two instances grant %d, at most %d are right, and answer %d %s", good, most, last.Code, last.Body)
	}
}

// TestFunctionRefuses: nothing starts with limits that each instance would have
// for itself, or without a secret, and no value is told.
func TestFunctionRefuses(t *testing.T) {
	for _, name := range []string{"REDIS_URL", "OPENAI_API_KEY", "AUTH_SECRET", "CLAVIGER_IDENTITY_KEY"} {
		vars := variables(t)
		vars["REDIS_URL"] = "unix:///nowhere/socket"
		delete(vars, name)
		_, err := function.New(t.Context(), lookupIn(vars))
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("without %s: %v", name, err)
		}
		for _, v := range vars {
			if err != nil && len(v) > 30 && strings.Contains(err.Error(), v) {
				t.Errorf("without %s: the error tells a value", name)
			}
		}
	}
	vars := variables(t)
	vars["REDIS_URL"] = "sqlite:claviger.db"
	if _, err := function.New(t.Context(), lookupIn(vars)); err == nil {
		t.Error("a local engine is taken")
	}
}
