package redis_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/store/redis"
)

func secret(s string) claviger.Secret { return claviger.NewSecret([]byte(s)) }

// parts are what an address must never show of itself.
var parts = []string{"somehost", "someuser", "somepassword", "16399", "somewhere"}

func shows(text string) string {
	for _, p := range parts {
		if strings.Contains(text, p) {
			return p
		}
	}
	return ""
}

func TestWrongOptions(t *testing.T) {
	for _, url := range []string{
		"", "somehost:16399", "http://somehost:16399", "redis://", "redis://someuser:somepassword@somehost:port/1", "redis://:somepassword@somehost:16399/one",
		"redis://somehost:16399/0?db=x", "redis://somehost:16399/0?db=-1", "redis://somehost:16399?max_retries=5", "rediss://somehost:16399?skip_verify=true",
		"redis://some\x7fhost", "unix://", "redis://somehost/1/2", "redis://%zz:somepassword@somehost",
	} {
		a, err := redis.Open(t.Context(), redis.Options{URL: secret(url), NameKey: nameKey})
		if err == nil {
			_ = a.Close()
			t.Errorf("%q was accepted", url)
			continue
		}
		if p := shows(err.Error()); p != "" {
			t.Errorf("the error for %q shows %q: %v", url, p, err)
		}
	}
	for _, key := range []claviger.Secret{{}, secret("short")} {
		if a, err := redis.Open(t.Context(), redis.Options{URL: secret("redis://localhost"), NameKey: key}); err == nil {
			_ = a.Close()
			t.Error("a short NameKey was accepted")
		}
	}
}

// quietly runs f and returns what it wrote on standard error, where libraries
// like to log.
func quietly(t *testing.T, f func()) string {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	old := os.Stderr
	os.Stderr = w
	got := make(chan string)
	go func() { b, _ := io.ReadAll(r); got <- string(b) }()
	f()
	os.Stderr = old
	_ = w.Close()
	return <-got
}

// TestNothingIsShown: whatever fails, no error, log line or line of go-redis
// holds a part of the address.
func TestNothingIsShown(t *testing.T) {
	s := start(t, "--requirepass", "right")
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	for name, c := range map[string]struct{ url, want string }{
		"nothing listens": {"redis://someuser:somepassword@127.0.0.1:1/3", "nothing listens"},
		"no such socket":  {"unix://someuser:somepassword@/tmp/somewhere/socket", "nothing listens"},
		"no such host":    {"redis://:somepassword@somehost.invalid:16399", "host name"},
		"silence":         {"redis://:somepassword@" + silent.Addr().String(), "time limit"},
		"wrong password":  {"unix://:somepassword@" + s.socket(), "password is wrong"},
		"wrong user":      {"unix://someuser:somepassword@" + s.socket(), "password is wrong"},
		"no password":     {"unix://" + s.socket(), "wants a password"},
	} {
		t.Run(name, func(t *testing.T) {
			timeout := 30 * time.Second
			if name == "silence" {
				timeout = 500 * time.Millisecond
			}
			var log bytes.Buffer
			var said []string
			stderr := quietly(t, func() {
				a, err := redis.Open(t.Context(), redis.Options{
					URL: secret(c.url), NameKey: nameKey, Timeout: timeout, Logger: slog.New(slog.NewJSONHandler(&log, nil)),
				})
				if err != nil {
					t.Fatalf("Open: %v", err)
				}
				_, err = a.Admit(t.Context(), []claviger.Charge{charge(claviger.ChargeLease, "user:a", 1, 1, claviger.PeriodNone)})
				if codeOf(err) != claviger.CodeLimitsUnavailable {
					t.Errorf("Admit = %v", err)
				}
				said = append(said, fmt.Sprint(err), fmt.Sprint(a.Ping(t.Context())), fmt.Sprintf("%+v", a.Problems()))
				if err := a.Close(); err != nil {
					said = append(said, err.Error())
				}
			})
			said = append(said, log.String())
			for _, text := range append(said, stderr) {
				if p := shows(text); p != "" {
					t.Errorf("%q is shown: %s", p, text)
				}
			}
			if stderr != "" {
				t.Errorf("on standard error: %s", stderr)
			}
			if !strings.Contains(said[1], c.want) {
				t.Errorf("Ping = %s, want a word of %q", said[1], c.want)
			}
		})
	}
}

// TestUnfitServers: what cannot keep limits is refused at start, and found out
// when it becomes so.
func TestUnfitServers(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"cluster":  {[]string{"--cluster-enabled", "yes"}, "cluster"},
		"replica":  {[]string{"--replicaof", "127.0.0.1 1"}, "replica"},
		"eviction": {[]string{"--maxmemory", "100mb", "--maxmemory-policy", "volatile-lru"}, "maxmemory-policy"},
	} {
		t.Run(name, func(t *testing.T) {
			s := start(t, c.args...)
			a, err := redis.Open(t.Context(), redis.Options{URL: s.url(), NameKey: nameKey, Timeout: 30 * time.Second})
			if err == nil {
				_ = a.Close()
				t.Fatal("accepted")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("Open = %v", err)
			}
		})
	}
	s := start(t, "--appendonly", "yes")
	a := s.open(t, redis.Options{})
	if w := a.Warnings(); len(w) != 0 {
		t.Errorf("Warnings = %q", w)
	}
	other := secret(strings.Repeat("o", 32))
	if b, err := redis.Open(t.Context(), redis.Options{URL: s.url(), NameKey: other, Timeout: 30 * time.Second}); err == nil {
		_ = b.Close()
		t.Error("another NameKey on the same Redis was accepted")
	}
	s.open(t, redis.Options{NameKey: other, Prefix: "other:"})
	c := s.client()
	defer c.Close()
	set := func(name, value string) {
		t.Helper()
		if err := c.ConfigSet(t.Context(), name, value).Err(); err != nil {
			t.Fatal(err)
		}
	}
	set("maxmemory", "100mb")
	set("maxmemory-policy", "allkeys-lru")
	set("appendonly", "no")
	cs := []claviger.Charge{charge(claviger.ChargeLease, "user:a", 1, 1, claviger.PeriodNone)}
	if err := a.Ping(t.Context()); err == nil || len(a.Problems()) != 1 {
		t.Errorf("Ping = %v, Problems = %q", err, a.Problems())
	}
	if _, err := a.Admit(t.Context(), cs); codeOf(err) != claviger.CodeLimitsUnavailable {
		t.Errorf("on a Redis that evicts: %v", err)
	}
	b := s.open(t, redis.Options{InsecureEviction: true})
	if w := b.Warnings(); len(w) != 2 || !strings.Contains(w[0], "noeviction") || !strings.Contains(w[1], "appendonly") {
		t.Errorf("Warnings = %q", w)
	}
	set("maxmemory-policy", "noeviction")
	if err := a.Ping(t.Context()); err != nil {
		t.Errorf("Ping = %v", err)
	}
	if _, err := a.Admit(t.Context(), cs); err != nil {
		t.Error(err)
	}
}

// TestUserWithoutRights goes through the commands that docs/limits.md names.
func TestUserWithoutRights(t *testing.T) {
	s := start(t)
	c := s.client()
	defer c.Close()
	doc, err := os.ReadFile(filepath.Join("..", "..", "docs", "limits.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(doc), "ACL SETUSER claviger on >PASSWORD ")
	rules, _, ok2 := strings.Cut(rest, "\n")
	if !ok || !ok2 {
		t.Fatal("docs/limits.md names no rights")
	}
	args := []any{"ACL", "SETUSER", "someuser", "on", ">somepassword"}
	for f := range strings.FieldsSeq(rules) {
		args = append(args, f)
	}
	if err := c.Do(context.Background(), args...).Err(); err != nil {
		t.Fatal(err)
	}
	a := s.open(t, redis.Options{URL: secret("unix://someuser:somepassword@" + s.socket()), LeaseTTL: time.Second})
	cs := processCharges(5)
	for i := range 3 {
		h, err := a.Admit(t.Context(), cs)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			_ = h.Settle(t.Context(), nil)
		}
		_ = c.ScriptFlush(t.Context())
	}
	time.Sleep(1100 * time.Millisecond)
	h, err := a.Admit(t.Context(), cs)
	if err != nil || h.Standings()[0].Remaining != processSeats-1 {
		t.Fatalf("after two holds expired: %v", err)
	}
	if err := h.Release(t.Context()); err != nil || len(a.Problems()) > 0 {
		t.Errorf("%v, %q", err, a.Problems())
	}
	if err := c.Do(t.Context(), "ACL", "SETUSER", "someuser", "-evalsha").Err(); err != nil {
		t.Fatal(err)
	}
	_, err = a.Admit(t.Context(), cs)
	if codeOf(err) != claviger.CodeLimitsUnavailable || !strings.Contains(err.Error(), "docs/limits.md") || shows(err.Error()) != "" {
		t.Errorf("without the right to run scripts: %v", err)
	}
}

func TestTLS(t *testing.T) {
	dir := t.TempDir()
	cert, key, pool := certificate(t, dir)
	port := freePort(t)
	s := start(t, "--tls-port", port, "--bind", "127.0.0.1", "--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", cert, "--tls-auth-clients", "no")
	url := secret("rediss://127.0.0.1:" + port)
	a := s.open(t, redis.Options{URL: url, TLS: &tls.Config{RootCAs: pool}})
	if _, err := a.Admit(t.Context(), processCharges(1)); err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]redis.Options{
		"not trusted":         {URL: url},
		"for another host":    {URL: url, TLS: &tls.Config{RootCAs: pool, ServerName: "somehost"}},
		"no TLS at that port": {URL: secret("redis://127.0.0.1:" + port)},
	} {
		b := s.open(t, o)
		err := b.Ping(t.Context())
		if err == nil || shows(err.Error()) != "" || strings.Contains(err.Error(), port) {
			t.Errorf("%s: %v", name, err)
		}
		if name != "no TLS at that port" && !strings.Contains(fmt.Sprint(err), "certificate") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// certificate makes a certificate for 127.0.0.1 that signs itself.
func certificate(t *testing.T, dir string) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: pkcs}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	pool.AddCert(parsed)
	return cert, key, pool
}
