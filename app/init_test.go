package app

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"claviger.dev/claviger/keys"
)

// tree is an app in a folder, with what its archive expects of init.
type tree struct {
	*site
	want map[string]string
}

// newTree unpacks an archive, with secrets made for the run.
func newTree(t *testing.T, name string) *tree {
	t.Helper()
	secret, err := keys.Generate()
	if err != nil {
		t.Fatal(err)
	}
	s := &tree{site: &site{t: t, dir: t.TempDir(), key: canaryKey(), identity: secret, vars: map[string]string{}}, want: map[string]string{}}
	archive, err := txtar.ParseFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(archive.Comment)) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), ": "); ok {
			s.want[k] = v
		}
	}
	fill := strings.NewReplacer("$KEY", s.key, "$SECRET", secret)
	for _, f := range archive.Files {
		path := s.path(f.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(fill.Replace(string(f.Data))), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// files are all files with their text and mode.
func (s *tree) files() map[string]string {
	s.t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		rel, _ := filepath.Rel(s.dir, path)
		out[filepath.ToSlash(rel)] = info.Mode().String() + "\n" + string(text)
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return out
}

func (s *tree) init(args ...string) (out, errs string) {
	s.t.Helper()
	code, out, errs := s.command(append([]string{"init"}, args...)...)
	if code != 0 {
		s.t.Fatalf("init %v: exit %d\n%s", args, code, errs)
	}
	if strings.Contains(out+errs, s.key) || strings.Contains(out+errs, s.identity) {
		s.t.Errorf("init %v prints a secret", args)
	}
	return out, errs
}

// TestInit: in every app that is known, what init writes loads, and a second
// run changes nothing.
func TestInit(t *testing.T) {
	trees, err := filepath.Glob("../testdata/init/*.txtar")
	if err != nil || len(trees) < 9 {
		t.Fatalf("%d trees, %v", len(trees), err)
	}
	for _, name := range trees {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) { testInit(t, newTree(t, name)) })
	}
}

func testInit(t *testing.T, s *tree) {
	before := s.files()
	diff, errs := s.init("--dry-run")
	if after := s.files(); !equalFiles(before, after) {
		t.Fatal("--dry-run changes something")
	}
	for _, want := range []string{"--- /dev/null\n+++ b/claviger.yaml\n", "+++ b/.gitignore\n", "+++ b/.env.claviger.local\n", "api/ai/[...path]/route."} {
		if !strings.Contains(diff, want) {
			t.Errorf("the difference lacks %q", want)
		}
	}
	if !strings.Contains(errs, "people sign in with: "+s.want["want"]+".") {
		t.Errorf("took it for something else: %s", errs)
	}
	out, errs := s.init()
	if strings.Count(out, "\n") != 5 || !strings.Contains(out, ". claviger dev -- ") {
		t.Errorf("four next steps, and not:\n%s", out)
	}
	if !strings.Contains(errs, s.want["note"]) {
		t.Errorf("no note %q:\n%s", s.want["note"], errs)
	}
	after := s.files()
	for name, text := range before {
		if !slices.Contains([]string{".gitignore", ".env.local", ".env.example"}, name) && after[name] != text {
			t.Errorf("%s is changed", name)
		}
	}
	if !strings.HasPrefix(after[".env.claviger.local"], "-rw-------\n") {
		t.Errorf("the key's file is open to others: %q", strings.SplitN(after[".env.claviger.local"], "\n", 2)[0])
	}
	if moved := s.want["moved"] != ""; moved != strings.Contains(after[".env.claviger.local"], s.key) || strings.Contains(after[".env.local"], s.key) {
		t.Error("the key is not where it belongs")
	}
	if !strings.Contains(after["claviger.yaml"], s.want["config"]) {
		t.Errorf("the configuration lacks %q", s.want["config"])
	}
	s.loads()
	s.init()
	if again := s.files(); !equalFiles(after, again) {
		t.Error("a second run changes something")
	}
}

// loads holds that 'claviger dev' takes the configuration, secrets included.
func (s *tree) loads() {
	s.t.Helper()
	env := s.environment(&output{}, &output{})
	src := locate(env, "")
	src.development = true
	in, err := newInstallation(s.t.Context(), env, src, quiet())
	if err != nil && (!strings.Contains(err.Error(), "it is not set") || strings.Count(err.Error(), "\n") > 1) {
		s.t.Errorf("the configuration does not load: %v", err)
		return
	}
	if in != nil {
		_ = in.storage.Close()
	}
}

func equalFiles(a, b map[string]string) bool {
	if len(a) != len(b) {
		return false
	}
	for k, v := range a {
		if b[k] != v {
			return false
		}
	}
	return true
}

// TestInitIsCleanToTheCheck: what init writes has nothing that the check finds.
func TestInitIsCleanToTheCheck(t *testing.T) {
	for _, name := range []string{"fresh", "authjs-database"} {
		s := newTree(t, "../testdata/init/"+name+".txtar")
		s.init()
		if code, out, errs := s.command("check", "--history=false", "--fail-on", "info"); code != 0 {
			t.Errorf("%s: check exits with %d\n%s%s", name, code, out, errs)
		}
	}
}

// TestInitKeepsWhatIsThere: a file of the user's stays, and --force alone
// replaces it.
func TestInitKeepsWhatIsThere(t *testing.T) {
	s := newTree(t, "../testdata/init/fresh.txtar")
	s.write("claviger.yaml", "mine: true\n")
	_, errs := s.init()
	if got := s.files()["claviger.yaml"]; !strings.HasSuffix(got, "\nmine: true\n") {
		t.Errorf("claviger.yaml is overwritten: %s", got)
	}
	if !strings.Contains(errs, "claviger.yaml is there and stays as it is") || !strings.Contains(errs, "-mine: true") {
		t.Errorf("it is not said what would stand there:\n%s", errs)
	}
	s.init("--force")
	if got := s.files()["claviger.yaml"]; !strings.Contains(got, "generate-text") {
		t.Errorf("--force does not replace: %s", got)
	}
}

// TestInitAllOrNothing: where one file cannot be written, no other is.
func TestInitAllOrNothing(t *testing.T) {
	s := newTree(t, "../testdata/init/unsafe.txtar")
	for name, spoil := range map[string]func() error{
		"a folder in a file's place": func() error { return os.Mkdir(s.path(".env.example"), 0o755) },
		"a link out of the app":      func() error { return os.Symlink("/etc/passwd", s.path(".env.example")) },
		"a file in a folder's place": func() error { return os.WriteFile(s.path("app/claviger"), nil, 0o600) },
	} {
		before := s.files()
		if err := spoil(); err != nil {
			t.Fatal(err)
		}
		code, _, errs := s.command("init")
		if code != 2 || errs == "" {
			t.Errorf("%s: exit %d, %q", name, code, errs)
		}
		_ = os.RemoveAll(s.path(".env.example"))
		_ = os.Remove(s.path("app/claviger"))
		if after := s.files(); !equalFiles(before, after) {
			t.Errorf("%s: something was changed all the same", name)
		}
		if info, err := os.Stat(s.path("app/api/ai")); err == nil {
			t.Errorf("%s: %s is left behind", name, info.Name())
		}
	}
	for name, s := range map[string]*tree{"no package.json": {site: &site{t: t, dir: t.TempDir()}}, "no app": newTree(t, "../testdata/init/fresh.txtar")} {
		_ = os.RemoveAll(s.path("src"))
		if code, _, errs := s.command("init"); code != 2 || errs == "" {
			t.Errorf("%s: exit %d, %q", name, code, errs)
		}
	}
}

// TestInitSaysHowToGoOn: the next steps are commands that work as they stand,
// and none of them is done already.
func TestInitSaysHowToGoOn(t *testing.T) {
	const all = `"@claviger/next": "0.1.0", "@claviger/client": "0.1.0"`
	for name, c := range map[string]struct {
		dependencies, lock, agent string
		want                      []string
	}{
		"a binary in PATH":         {"", "", "", []string{"1. npm install @claviger/next @claviger/client\n", ". claviger dev -- npm run dev\n"}},
		"by npx alone":             {"", "", "npm/11.0.0 node/v24.0.0", []string{"1. npm install @claviger/next @claviger/client @claviger/cli\n", ". npx claviger dev -- npm run dev\n"}},
		"packages, and no command": {all, "", "", []string{"1. Put your OpenAI key", ". claviger dev -- npm run dev\n"}},
		"all of npm":               {all + `, "@claviger/cli": "0.1.0"`, "", "", []string{"1. Put your OpenAI key", "2. npx claviger dev -- npm run dev\n"}},
		"all of pnpm":              {all + `, "@claviger/cli": "0.1.0"`, "pnpm-lock.yaml", "", []string{"1. Put your OpenAI key", "2. pnpm exec claviger dev -- pnpm dev\n"}},
		"some of bun":              {`"@claviger/cli": "0.1.0"`, "bun.lock", "", []string{"1. bun add @claviger/next @claviger/client\n", ". bunx claviger dev -- bun run dev\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newTree(t, "../testdata/init/fresh.txtar")
			s.write("package.json", `{"dependencies": {"next": "16.4.6"}, "devDependencies": {`+c.dependencies+`}}`)
			if c.lock != "" {
				s.write(c.lock, "")
			}
			if c.agent != "" {
				s.vars["npm_config_user_agent"] = c.agent
			}
			out, _ := s.init()
			for _, want := range c.want {
				if !strings.Contains(out, want) {
					t.Errorf("no %q in:\n%s", want, out)
				}
			}
		})
	}
}
