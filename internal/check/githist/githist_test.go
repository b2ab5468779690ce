package githist

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"claviger.dev/claviger/internal/check/canary"
	"claviger.dev/claviger/internal/check/files"
	"claviger.dev/claviger/internal/check/git"
	"claviger.dev/claviger/internal/check/report"
)

func key() string {
	return "sk-proj-" + strings.ToLower(rand.Text()+rand.Text()) + "T3Blbk" + "FJ" + rand.Text() + strings.ToLower(rand.Text())
}

// repo is a repository that is made for a test.
type repo struct {
	t   *testing.T
	dir string
	day int
}

func newRepo(t *testing.T) *repo {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("git is missing")
		}
		t.Skip("NOT RUN: git is missing")
	}
	r := &repo{t: t, dir: t.TempDir()}
	r.git("init", "-q", "-b", "main")
	return r
}

func (r *repo) git(args ...string) string {
	r.t.Helper()
	cmd := exec.CommandContext(r.t.Context(), "git", append([]string{"-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "protocol.file.allow=always"}, args...)...)
	cmd.Dir = r.dir
	r.day++
	date := time.Date(2026, 1, r.day, 12, 0, 0, 0, time.FixedZone("", 2*3600)).Format(time.RFC3339)
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_DATE="+date, "GIT_COMMITTER_DATE="+date)
	out, err := cmd.CombinedOutput()
	if err != nil {
		r.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out))
}

func (r *repo) write(path, text string) {
	r.t.Helper()
	full := filepath.Join(r.dir, path)
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
		r.t.Fatal(err)
	}
}

func (r *repo) commit(message string) string {
	r.t.Helper()
	r.git("add", "-A")
	r.git("commit", "-q", "--allow-empty", "-m", message)
	return r.git("rev-parse", "HEAD")
}

func (r *repo) scan(values *canary.Set) (*Result, map[string]report.Finding, []files.Problem) {
	r.t.Helper()
	g, err := git.Open(r.t.Context(), r.dir)
	if err != nil {
		r.t.Fatal(err)
	}
	tracked, err := g.Tracked(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	if values == nil {
		values = &canary.Set{}
	}
	found := map[string]report.Finding{}
	var problems []files.Problem
	res, err := Scan(r.t.Context(), Options{
		Repo: g, Values: values, Tracked: tracked,
		Report:   func(f report.Finding) { found[f.At.File] = f },
		Problem:  func(p files.Problem) { problems = append(problems, p) },
		Progress: func(int64) {},
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return res, found, problems
}

// TestEveryCorner hides keys in every place that git remembers.
func TestEveryCorner(t *testing.T) {
	r := newRepo(t)
	r.write("a.ts", "x")
	r.commit("first")
	r.write("deleted.ts", "\nconst k = '"+key()+"'\n")
	deleted := r.commit("add")
	if err := os.Remove(filepath.Join(r.dir, "deleted.ts")); err != nil {
		t.Fatal(err)
	}
	r.commit("remove")

	r.git("switch", "-q", "-c", "side")
	r.write("branch.ts", key())
	r.commit("on a branch")
	r.git("switch", "-q", "main")

	r.git("switch", "-q", "-c", "other")
	r.write("a.ts", "y")
	r.commit("one side")
	r.git("switch", "-q", "main")
	r.write("a.ts", "z")
	r.commit("other side")
	cmd := exec.CommandContext(t.Context(), "git", "-c", "user.name=Ada", "-c", "user.email=a@example.com", "merge", "-q", "other")
	cmd.Dir = r.dir
	_ = cmd.Run() // it conflicts
	r.write("a.ts", "z")
	r.write("evil-merge.ts", key())
	r.commit("merge")
	r.git("rm", "-q", "evil-merge.ts")
	r.commit("remove")

	r.write("tagged.ts", key())
	r.commit("tagged")
	r.git("tag", "-a", "v1", "-m", "with "+key()+" in it")
	tag := r.git("rev-parse", "v1^{tag}")
	r.git("reset", "-q", "--hard", "HEAD~1")

	r.write("a.ts", key())
	r.git("stash", "-q")
	r.write("a.ts", "stashed again")
	r.git("stash", "-q")
	message := r.commit("fix: use " + key())

	values := &canary.Set{}
	secret := rand.Text() + rand.Text()
	values.Add("APP_SECRET", secret, report.Position{File: ".env", Line: 1})
	r.write("value.ts", base64.StdEncoding.EncodeToString([]byte("k:"+secret)))
	r.write("present.ts", "const k = '"+key()+"'")
	present := r.commit("present")
	r.write(".env", "A=1\nOPENAI_API_KEY="+key()+"\n")
	env := r.commit("env")
	r.git("rm", "-q", ".env")
	r.write(".env.example", "OPENAI_API_KEY=sk-your-key\n")
	r.write(".env.tracked", "OPENAI_API_KEY="+key()+"\n") // judged elsewhere
	r.write("node_modules/x/a.js", key())
	r.write("yarn.lock", key())
	r.write("public.pem", "-----BEGIN PUBLIC KEY-----")
	r.commit("others")

	res, found, problems := r.scan(values)
	want := map[string]string{
		"deleted.ts": deleted, "branch.ts": "", "evil-merge.ts": "", "tagged.ts": "", "a.ts": "", "value.ts": present, "present.ts": present, ".env": env, "(message)": "",
	}
	for file, commit := range want {
		f, ok := found[file]
		if !ok {
			t.Errorf("nothing found in %s", file)
			continue
		}
		if commit != "" && f.Commit != commit {
			t.Errorf("%s: introduced by %s, not %s", file, f.Commit, commit)
		}
		if f.Date == "" && file != "(message)" || f.Severity != report.SeverityCritical {
			t.Errorf("%s: %+v", file, f)
		}
	}
	if len(found) != len(want) || len(problems) != 0 || !res.Complete {
		t.Errorf("%d found: %v, problems %v", len(found), found, problems)
	}
	if f := found["(message)"]; f.Commit != message && f.Commit != tag {
		t.Errorf("the message is that of %s", f.Commit)
	}
	if f := found["deleted.ts"]; f.At.Line != 2 || f.At.Column != 12 || !strings.Contains(f.Message, "gone from the current commit") || f.Date != "2026-01-06T12:00:00+02:00" {
		t.Errorf("%+v", f)
	}
	if f := found["present.ts"]; !strings.Contains(f.Message, "in the current commit as well") {
		t.Errorf("%+v", f)
	}
	if f := found[".env"]; f.Rule != "env-committed" || f.At.Line != 2 || !strings.Contains(f.Fix, "git filter-repo --invert-paths --path .env") {
		t.Errorf("%+v", f)
	}
	if strings.Contains(fmt.Sprintf("%+v", found), "T3Blbk"+"FJ") {
		t.Error("a key is printed")
	}
}

// TestMissingObjects are said, in shallow and in partial clones.
func TestMissingObjects(t *testing.T) {
	r := newRepo(t)
	for i := range 3 {
		r.write("a.ts", fmt.Sprint(i))
		r.commit("x")
	}
	r.git("config", "uploadpack.allowFilter", "true")
	for _, args := range [][]string{{"--depth=1"}, {"--filter=blob:none"}} {
		clone := &repo{t: t, dir: t.TempDir()}
		clone.git(append([]string{"clone", "-q", args[0]}, "file://"+r.dir, ".")...)
		_, _, problems := clone.scan(nil)
		if len(problems) != 1 {
			t.Errorf("%v: %v", args, problems)
		}
	}
	if res, _, problems := r.scan(nil); len(problems) != 0 || res.Commits != 3 || !res.Complete {
		t.Errorf("%+v, %v", res, problems)
	}
}

func TestEmptyRepository(t *testing.T) {
	if res, found, problems := newRepo(t).scan(nil); res.Commits != 0 || len(found) != 0 || len(problems) != 0 {
		t.Errorf("%+v %v %v", res, found, problems)
	}
}

func FuzzBatch(f *testing.F) {
	id := strings.Repeat("a", 40)
	f.Add([]byte(id+" blob 3\nabc\n"+id+" missing\n"), 2)
	f.Add([]byte(id+" blob 99999999999\nabc\n"), 1)
	f.Add([]byte(id+" blob -1\n"), 1)
	f.Fuzz(func(t *testing.T, out []byte, n int) {
		seen := 0
		err := readBatch(bufio.NewReader(bytes.NewReader(out)), n%100, func(_ int, text []byte, size int64) error {
			if seen++; size >= 0 && size <= maxBlob && int64(len(text)) != size {
				t.Errorf("%d bytes of %d", len(text), size)
			}
			return nil
		})
		if err == nil && seen != max(0, n%100) || errors.Is(err, io.EOF) {
			t.Errorf("%d of %d, %v", seen, n%100, err)
		}
	})
}

func FuzzRaw(f *testing.F) {
	id := strings.Repeat("b", 40)
	f.Add([]byte(id + "\x00:000000 100644 " + strings.Repeat("0", 40) + " " + id + " A\x00a.ts\x00"))
	f.Add([]byte(":x"))
	f.Fuzz(func(t *testing.T, out []byte) {
		if err := readRaw(bufio.NewReader(bytes.NewReader(out)), func(string, string, string) {}); err != nil {
			t.Error(err)
		}
		authored(string(out))
	})
}
