package keys

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"claviger.dev/claviger"
	"claviger.dev/claviger/gatetest"
	"claviger.dev/claviger/internal/seal"
)

func lookup(vars map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) { v, ok := vars[name]; return v, ok }
}

func write(t testing.TB, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func reveal(s claviger.Secret) string { return string(s.Reveal(seal.ForReveal())) }

// random is text that no scanner takes for a key before it is one.
func random() string { return rand.Text() + rand.Text() }

func TestConformance(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the commands of this test are those of Unix")
	}
	dir := t.TempDir()
	one, two, three, four, five := random(), random(), random(), "sk-"+random(), random()
	abs := write(t, dir, "abs", two+"\n")
	write(t, dir, "rel file", three+"\r\n")
	write(t, dir, ".env.local", "FROM_FILE="+four+"\nPROCESS=wrong")
	s := NewSources(SourceOptions{Lookup: lookup(map[string]string{"PROCESS": one, "EMPTY": "", "NL": "\n"}), Dir: dir, Development: true})
	gatetest.SecretSource(t, gatetest.SecretSourceSuite{
		Source: s,
		Good: map[claviger.Ref]string{
			"env:PROCESS": one, "env:FROM_FILE": four, claviger.Ref("file:" + abs): two, "file:rel file": three,
			"command:cat abs": two, claviger.Ref("command:printf %s '" + five + "'"): five,
		},
		Missing: []claviger.Ref{
			"env:NOPE", "env:EMPTY", "env:NL", "file:nope", "file:.", "command:no-such-program x", "command:true", "command:false",
			claviger.Ref("command:sh -c 'echo " + five + " >&2; echo " + five + "; exit 3'"),
		},
		Invalid: []claviger.Ref{
			"", claviger.Ref(one), claviger.Ref("sk-" + random()), claviger.Ref("literal:" + random()), claviger.Ref("ENV:" + random()),
			claviger.Ref("env:" + one + "-x"), "env:", "file:", "command:", "command: ", "file:a\nb", "file:a\x00b",
			claviger.Ref("command:echo '" + random()), claviger.Ref("command:echo \\"), claviger.Ref("https://user:" + random() + "@host"),
		},
		Change: func(t *testing.T) (claviger.Ref, string) {
			other := random()
			write(t, dir, "abs", other)
			return claviger.Ref("file:" + abs), other
		},
	})
}

func TestDotenvOrder(t *testing.T) {
	dir := t.TempDir()
	names := []string{".env", ".env.development", ".env.local", ".env.development.local", ".env.claviger.local"}
	for _, n := range names {
		write(t, dir, n, "KEY="+n+"\n")
		if got := get(t, SourceOptions{Dir: dir, Development: true}, "env:KEY"); got != n {
			t.Errorf("with %s: read from %s", n, got)
		}
	}
	if got := get(t, SourceOptions{Dir: dir, Development: true, Lookup: lookup(map[string]string{"KEY": "process"})}, "env:KEY"); got != "process" {
		t.Errorf("the process's own variable loses to %s", got)
	}
	if _, _, err := NewSources(SourceOptions{Dir: dir}).Get(t.Context(), "env:KEY"); err == nil {
		t.Error("a .env file was read outside of development")
	}
	dev := NewSources(SourceOptions{Dir: dir, Development: true})
	if files := dev.Files(); len(files) != 5 || files[0] != filepath.Join(dir, ".env.claviger.local") {
		t.Errorf("files %q", files)
	}
	if files := NewSources(SourceOptions{Dir: dir}).Files(); len(files) != 0 {
		t.Errorf("files in production: %q", files)
	}
	vars, err := dev.Variables()
	if err != nil || vars["KEY"].Value != ".env.claviger.local" {
		t.Errorf("variables %v, %v", vars, err)
	}
}

func get(t *testing.T, o SourceOptions, ref claviger.Ref) string {
	t.Helper()
	s, _, err := NewSources(o).Get(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	return reveal(s)
}

func TestDotenvTrouble(t *testing.T) {
	dir := t.TempDir()
	canary := random()
	write(t, dir, ".env", "LOOP=${LOOP}"+canary+"\nFINE=x")
	s := NewSources(SourceOptions{Dir: dir, Development: true, Lookup: lookup(map[string]string{"PROCESS": "p"})})
	_, _, err := s.Get(t.Context(), "env:FINE")
	if err == nil || !strings.Contains(err.Error(), ".env:1: LOOP") || strings.Contains(err.Error(), canary) {
		t.Errorf("got %v", err)
	}
	if _, _, err := s.Get(t.Context(), "env:PROCESS"); err != nil {
		t.Errorf("a variable of the process: %v", err)
	}
}

func TestFileMode(t *testing.T) {
	dir := t.TempDir()
	path := write(t, dir, "key", random())
	s := NewSources(SourceOptions{Dir: dir})
	ref := claviger.Ref("file:key")
	if _, _, err := s.Get(t.Context(), ref); err != nil || len(s.Warnings()) != 0 {
		t.Fatalf("%v, %q", err, s.Warnings())
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, _, err := s.Get(t.Context(), ref); err != nil {
			t.Fatal(err)
		}
	}
	if w := s.Warnings(); len(w) != 1 || !strings.Contains(w[0], path) || !strings.Contains(w[0], "0644") {
		t.Errorf("warnings %q", w)
	}
	if f := s.Files(); len(f) != 1 || f[0] != path {
		t.Errorf("files %q", f)
	}
}

func TestBounds(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "most", strings.Repeat("x", 64<<10))
	write(t, dir, "more", strings.Repeat("x", 64<<10+1))
	s := NewSources(SourceOptions{Dir: dir, CommandTime: 300 * time.Millisecond})
	for ref, ok := range map[claviger.Ref]bool{
		"file:most": true, "file:more": false, "command:cat most": true, "command:cat more": false,
		"command:sleep 30": false, "command:sh -c 'sleep 30 & echo x'": false, "command:sh -c 'yes'": false,
	} {
		began := time.Now()
		_, _, err := s.Get(t.Context(), ref)
		if (err == nil) != ok {
			t.Errorf("%s: %v", ref, err)
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("%s took %s", ref, took)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, _, err := NewSources(SourceOptions{Dir: dir}).Get(ctx, "command:sleep 30"); err == nil {
		t.Error("a command outlived its context")
	}
}

func TestSplitCommand(t *testing.T) {
	for _, c := range []struct {
		in   string
		want []string
	}{
		{"op read op://vault/key", []string{"op", "read", "op://vault/key"}},
		{`  a   b\ c	d `, []string{"a", "b c", "d"}},
		{`a 'b c' "d e" f'g'"h"`, []string{"a", "b c", "d e", "fgh"}},
		{`a '' ""`, []string{"a", "", ""}},
		{`a '\x' "\"\x" \'`, []string{"a", `\x`, `"x`, "'"}},
		{`a $HOME *.txt ; b | c && d > e`, []string{"a", "$HOME", "*.txt", ";", "b", "|", "c", "&&", "d", ">", "e"}},
		{"", nil},
		{"   ", nil},
	} {
		got, err := splitCommand(c.in)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%q: %q, %v, want %q", c.in, got, err, c.want)
		}
	}
	for _, in := range []string{`a 'b`, `a "b`, `a \`, `a "b\"`, "a\nb", "a\x00"} {
		if got, err := splitCommand(in); err == nil {
			t.Errorf("%q: %q", in, got)
		}
	}
}

func FuzzRef(f *testing.F) {
	for _, s := range []string{"env:A", "file:/x", "command:a 'b' \"c\\\"\"", "sk-x", "env:NEXT_PUBLIC_A", ":", "command:''"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ref, err := ParseRef(s)
		if (err == nil) != (ref != "") || err == nil && string(ref) != s {
			t.Fatalf("%q: %q, %v", s, ref, err)
		}
		if err != nil {
			return
		}
		if rest, ok := strings.CutPrefix(s, "command:"); ok {
			if argv, err := splitCommand(rest); err != nil || len(argv) == 0 || argv[0] == "" {
				t.Fatalf("%q: %q, %v", s, argv, err)
			}
		}
	})
}

func TestPublicPrefix(t *testing.T) {
	for _, name := range []string{"NEXT_PUBLIC_OPENAI_API_KEY", "VITE_KEY", "REACT_APP_KEY", "EXPO_PUBLIC_KEY", "NUXT_PUBLIC_KEY", "PUBLIC_KEY", "GATSBY_KEY", "vite_key"} {
		_, err := ParseRef("env:" + name)
		if err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "browsers") {
			t.Errorf("%s: %v", name, err)
		}
		s := NewSources(SourceOptions{Lookup: lookup(map[string]string{name: random()})})
		if _, _, err := s.Get(t.Context(), claviger.Ref("env:"+name)); err == nil {
			t.Errorf("%s was read", name)
		}
	}
	for _, name := range []string{"OPENAI_API_KEY", "MY_NEXT_PUBLIC_KEY", "NEXT_KEY", "REPUBLIC_KEY"} {
		if _, err := ParseRef("env:" + name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPublicSecrets(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, ".env", "VITE_OPENAI=sk-"+random()+"\nVITE_TITLE=Shop\nOPENAI_API_KEY=sk-"+random())
	s := NewSources(SourceOptions{Dir: dir, Development: true})
	got := s.PublicSecrets([]string{
		"NEXT_PUBLIC_OPENAI_API_KEY=sk-proj-" + random(), "OPENAI_API_KEY=sk-" + random(), "NEXT_PUBLIC_URL=https://example.com",
		"NEXT_PUBLIC_SUPABASE_ANON_KEY=eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoiYW5vbiJ9." + random(),
		"NEXT_PUBLIC_FIREBASE_API_KEY=AIza" + random()[:35], "NEXT_PUBLIC_EXAMPLE=sk-your-key-goes-here-please", "ODD",
	})
	if want := []string{"NEXT_PUBLIC_OPENAI_API_KEY", "VITE_OPENAI"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestCertificate(t *testing.T) {
	dir := t.TempDir()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	about := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "x"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, about, about, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	write(t, dir, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE" + " KEY", Bytes: keyDER})))
	write(t, dir, "junk.pem", random())
	s := NewSources(SourceOptions{Dir: dir})
	if _, err := s.Certificate(t.Context(), "file:cert.pem", "file:key.pem"); err != nil {
		t.Error(err)
	}
	for _, c := range [][2]claviger.Ref{{"file:cert.pem", "file:nope"}, {"file:nope", "file:key.pem"}, {"file:cert.pem", "file:junk.pem"}, {"file:key.pem", "file:cert.pem"}} {
		if _, err := s.Certificate(t.Context(), c[0], c[1]); err == nil {
			t.Errorf("%s and %s make a pair", c[0], c[1])
		}
	}
}
