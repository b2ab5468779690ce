package redis_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"claviger.dev/claviger"
	"claviger.dev/claviger/store/redis"
)

func TestMain(m *testing.M) {
	if os.Getenv(childURL) != "" {
		child()
		return
	}
	goleak.VerifyTestMain(m)
}

// server is a real server of our own, on a socket in a directory of its own.
type server struct {
	t    testing.TB
	bin  string
	dir  string
	args []string
	cmd  *exec.Cmd
}

// start starts a redis-server, with further arguments.
func start(t testing.TB, args ...string) *server {
	t.Helper()
	return startBinary(t, "redis-server", args...)
}

func startBinary(t testing.TB, name string, args ...string) *server {
	t.Helper()
	bin, err := exec.LookPath(name)
	if err != nil {
		lacking(t, name+" is not installed")
	}
	dir, err := os.MkdirTemp("", "rs") //nolint:usetesting // the path of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, bin: bin, dir: dir, args: args}
	t.Cleanup(func() { s.kill(); _ = os.RemoveAll(dir) })
	s.begin()
	return s
}

func lacking(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	fmt.Fprintf(os.Stderr, "\n*** %s is SKIPPED and proves nothing: %s\n\n", t.Name(), why)
	t.Skip(why)
}

func (s *server) socket() string { return filepath.Join(s.dir, "s") }

func (s *server) url() claviger.Secret { return claviger.NewSecret([]byte("unix://" + s.socket())) }

// begin starts the process and waits until it answers.
func (s *server) begin() {
	s.t.Helper()
	log, err := os.Create(filepath.Join(s.dir, "log"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer log.Close()
	args := append([]string{"--port", "0", "--unixsocket", s.socket(), "--dir", s.dir, "--save", ""}, s.args...)
	s.cmd = exec.Command(s.bin, args...)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	c := s.client()
	defer c.Close()
	for range 4000 {
		if err := c.Ping(context.Background()).Err(); err == nil || goredis.HasErrorPrefix(err, "NOAUTH") {
			return
		}
		time.Sleep(15 * time.Millisecond)
	}
	text, _ := os.ReadFile(log.Name())
	s.t.Fatalf("the server does not answer\n%s", text)
}

func (s *server) kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	s.cmd = nil
}

func (s *server) pause()  { _ = s.cmd.Process.Signal(syscall.SIGSTOP) }
func (s *server) resume() { _ = s.cmd.Process.Signal(syscall.SIGCONT) }

// client is a plain client for looking at the server.
func (s *server) client() *goredis.Client {
	return goredis.NewClient(&goredis.Options{Network: "unix", Addr: s.socket(), MaxRetries: -1, Protocol: 2, ReadTimeout: 30 * time.Second})
}

// keys lists what is in the server, without the mark of the names.
func (s *server) keys() []string {
	s.t.Helper()
	c := s.client()
	defer c.Close()
	all, err := c.Keys(context.Background(), "*").Result()
	if err != nil {
		s.t.Fatal(err)
	}
	var out []string
	for _, k := range all {
		if filepath.Ext(k) != ".key" && k != "claviger:key" {
			out = append(out, k)
		}
	}
	return out
}

var nameKey = func() claviger.Secret {
	b := make([]byte, 32)
	_, _ = rand.Read(b)
	return claviger.NewSecret(b)
}()

// open opens an Admission on the server. Zero options get what tests need.
func (s *server) open(t testing.TB, o redis.Options) *redis.Admission {
	t.Helper()
	if o.URL.IsZero() {
		o.URL = s.url()
	}
	if o.NameKey.IsZero() {
		o.NameKey = nameKey
	}
	if o.Timeout == 0 {
		// This machine may be busy with other tests.
		o.Timeout = 30 * time.Second
	}
	a, err := redis.Open(context.Background(), o)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return a
}
