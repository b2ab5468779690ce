package claviger_test

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/internal/testnet"
)

// only is the one block of a language in a page.
func only(t *testing.T, file, lang string) string {
	t.Helper()
	all := slices.DeleteFunc(blocks(t, lang), func(b block) bool { return b.file != filepath.FromSlash(file) })
	if len(all) != 1 {
		t.Fatalf("%s has %d blocks in %s, want 1", file, len(all), lang)
	}
	return all[0].text
}

func swap(t *testing.T, text string, pairs ...string) string {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Fatalf("the page has no %q any more", pairs[i])
		}
		text = strings.ReplaceAll(text, pairs[i], pairs[i+1])
	}
	return text
}

// TestUnitFile has systemd read the unit of the guide, as it is and with what a key
// process adds to it, and rate how much it leaves open.
func TestUnitFile(t *testing.T) {
	all := slices.DeleteFunc(blocks(t, "ini"), func(b block) bool { return b.file != filepath.FromSlash("docs/deploy/host.md") })
	if len(all) != 2 {
		t.Fatalf("docs/deploy/host.md has %d blocks in ini, want the unit and what a key process adds", len(all))
	}
	unit := swap(t, all[0].text, "/usr/local/bin/claviger", "/bin/true")
	t.Run("one process", func(t *testing.T) { checkUnit(t, unit) })
	t.Run("key process", func(t *testing.T) { checkUnit(t, swap(t, unit, "[Service]\n", "[Service]\n"+all[1].text)) })
}

func checkUnit(t *testing.T, unit string) {
	t.Helper()
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		testnet.Lacking(t, "systemd-analyze is not installed")
	}
	path := filepath.Join(t.TempDir(), "claviger.service")
	if err := os.WriteFile(path, []byte(unit), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), analyze, "verify", "--man=no", path).CombinedOutput()
	if err != nil || strings.Contains(string(out), "claviger.service") {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
	// In tenths: 2.0 of 10.
	out, err = exec.CommandContext(t.Context(), analyze, "security", "--offline=true", "--threshold=20", "--no-pager", path).CombinedOutput()
	if err != nil {
		t.Errorf("systemd-analyze security: %v\n%s", err, out)
	}
}

// TestContainerFile: the image is empty, its user is nobody, and what it copies
// and runs is there.
func TestContainerFile(t *testing.T) {
	text := only(t, "docs/deploy/container.md", "dockerfile")
	_, last, ok := strings.Cut(text, "\nFROM scratch\n")
	if !ok {
		t.Fatal("the last image is not empty")
	}
	for _, want := range []string{"USER 65532:65532", `ENTRYPOINT ["/claviger"]`, "ca-certificates.crt", "--chown=65532:65532"} {
		if !strings.Contains(last, want) {
			t.Errorf("the image lacks %s", want)
		}
	}
	if strings.Contains(last, "RUN ") || strings.Contains(text, "OPENAI") {
		t.Error("the image runs something, or knows of a key")
	}
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mod)) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), "go "); ok && !strings.Contains(text, "FROM golang:"+strings.Join(strings.Split(v, ".")[:2], ".")+" ") {
			t.Errorf("it is built with another Go than %s", v)
		}
	}
}

// TestProxies runs the configurations of the guide in the real servers, before
// something that streams: an event arrives before the next one is sent, the
// caller's own X-Forwarded-For does not, and the name stays.
func TestProxies(t *testing.T) {
	cert, key, pool := authority(t)
	nginx := only(t, "docs/deploy/proxies.md", "nginx")
	caddy := only(t, "docs/deploy/proxies.md", "caddy")
	for name, run := range map[string]func(t *testing.T, dir, behind, front string) *exec.Cmd{
		"nginx": func(t *testing.T, dir, behind, front string) *exec.Cmd {
			text := swap(t, nginx, "127.0.0.1:8787", behind, "listen 443 ssl", "listen "+front+" ssl", "/etc/nginx/tls.crt", cert, "/etc/nginx/tls.key", key)
			conf := "daemon off;\nworker_processes 1;\npid " + dir + "/pid;\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;\n"
			for _, what := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
				conf += what + "_temp_path " + dir + "/" + what + ";\n"
			}
			return exec.Command("nginx", "-p", dir, "-e", "stderr", "-c", file(t, dir, "nginx.conf", conf+text+"}\n"))
		},
		"caddy": func(t *testing.T, dir, behind, front string) *exec.Cmd {
			_, port, _ := net.SplitHostPort(front)
			text := swap(t, caddy, "ai.example.com {", "{\n\tadmin off\n\tauto_https off\n}\nhttps://ai.example.com:"+port+" {\n\tbind 127.0.0.1\n\ttls "+cert+" "+key, "127.0.0.1:8787", behind)
			cmd := exec.Command("caddy", "run", "--adapter", "caddyfile", "--config", file(t, dir, "Caddyfile", text))
			cmd.Env = append(os.Environ(), "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
			return cmd
		},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := exec.LookPath(name); err != nil {
				testnet.Lacking(t, name+" is not installed")
			}
			testProxy(t, pool, run)
		})
	}
}

func testProxy(t *testing.T, pool *x509.CertPool, run func(t *testing.T, dir, behind, front string) *exec.Cmd) {
	read := make(chan struct{})
	behind := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("Cache-Control", "private, no-store, no-transform")
		fmt.Fprintf(w, "data: %s %s\n\n", r.Host, strings.Join(r.Header["X-Forwarded-For"], ","))
		w.(http.Flusher).Flush()
		select { // the second event waits for the first to have arrived
		case <-read:
			fmt.Fprint(w, "data: second\n\n")
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(behind.Close)
	front := freeAddress(t)
	var said bytes.Buffer
	cmd := run(t, t.TempDir(), strings.TrimPrefix(behind.URL, "http://"), front)
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(said.String())
		}
	})
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "ai.example.com"}}}
	t.Cleanup(client.CloseIdleConnections)
	var answer *http.Response
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+front+"/v1/responses", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "ai.example.com"
		r.Header.Set("X-Forwarded-For", "192.0.2.66")
		r.Header.Set("Accept-Encoding", "gzip")
		if answer, err = client.Do(r); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("never answers: %v", err)
		}
	}
	defer func() { _ = answer.Body.Close() }()
	lines := bufio.NewReader(answer.Body)
	first, err := lines.ReadString('\n')
	if err != nil || strings.TrimSpace(first) != "data: ai.example.com 127.0.0.1" {
		t.Fatalf("the first event is %q, %v", first, err)
	}
	close(read)
	rest, err := io.ReadAll(lines)
	if err != nil || !strings.Contains(string(rest), "second") {
		t.Errorf("the rest is %q, %v", rest, err)
	}
}

func file(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// authority makes a certificate for the name of the guide.
func authority(t *testing.T) (cert, key string, pool *x509.CertPool) {
	t.Helper()
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	about := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"ai.example.com"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, about, about, secret.Public(), secret)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalECPrivateKey(secret)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert = file(t, dir, "tls.crt", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	key = file(t, dir, "tls.key", string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: raw})))
	pool = x509.NewCertPool()
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool.AddCert(parsed)
	return cert, key, pool
}

// TestTroubleshooting: every code has its section, and no section is without.
func TestTroubleshooting(t *testing.T) {
	text, err := os.ReadFile("docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "### "); ok {
			told = append(told, strings.Trim(name, "`"))
		}
	}
	var codes []string
	for _, c := range claviger.Codes() {
		codes = append(codes, string(c))
	}
	slices.Sort(told)
	slices.Sort(codes)
	if !slices.Equal(told, codes) {
		t.Errorf("docs/troubleshooting.md tells of\n%v\nand there are\n%v", told, codes)
	}
}

// TestFunctionPage holds the page of the Go function to the code that is tested.
func TestFunctionPage(t *testing.T) {
	code, err := os.ReadFile("examples/function/function.go")
	if err != nil {
		t.Fatal(err)
	}
	head, err := os.ReadFile("docs/deploy/function.md")
	if err != nil {
		t.Fatal(err)
	}
	before, _, ok := strings.Cut(string(head), "```go\n")
	if !ok {
		t.Fatal("the page shows no code")
	}
	generated(t, "docs/deploy/function.md", before+"```go\n"+string(code)+"```\n")
}
