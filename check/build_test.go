package check_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"claviger.dev/claviger/check"
)

// TestBuild runs a build that hands one secret to browsers, one to the server, and
// prints a third. The real values are not in it: what comes out is invented.
func TestBuild(t *testing.T) {
	needGit(t)
	if _, err := exec.LookPath("npm"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("npm is missing")
		}
		t.Skip("NOT RUN: npm is missing")
	}
	dir, k := t.TempDir(), keys{}
	write(t, filepath.Join(dir, "package.json"), `{"name":"x","private":true,"scripts":{"build":"node build.js"}}`)
	write(t, filepath.Join(dir, ".gitignore"), ".env*\ndist\n")
	write(t, filepath.Join(dir, ".env.local"), k.fill("OPENAI_API_KEY={{openai}}\nAUTH_SECRET={{random}}\nDATABASE_URL=postgres://a:{{random2}}@db/x\n"))
	write(t, filepath.Join(dir, "build.js"), `
const fs = require('fs')
fs.mkdirSync('dist/assets', { recursive: true })
fs.writeFileSync('dist/index.html', '<html>')
fs.writeFileSync('dist/assets/a.js', 'const k = ' + JSON.stringify(process.env.OPENAI_API_KEY))
fs.mkdirSync('dist/server', { recursive: true })
fs.writeFileSync('dist/server/a.js', 'const k = ' + JSON.stringify(process.env.AUTH_SECRET))
console.log('real: ' + fs.readFileSync('.env.local', 'utf8').split('\n')[1])
console.log('token: ' + process.env.RESEND_API_KEY.length)
if (process.env.DATABASE_URL) throw new Error('an address was invented')
`)
	var log []string
	h := scan(t, check.Options{
		Target: dir, Build: true, BuildEnv: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}, BuildLog: func(line string) { log = append(log, line) },
	})
	if got := strings.Join(h.lines(), "\n"); got != "build-output-secret high dist/server/a.js:1\nclient-bundle-secret critical dist/assets/a.js:1" {
		t.Errorf("found\n%s\nlog\n%s", got, strings.Join(log, "\n"))
	}
	for _, f := range h.findings {
		if len(f.Path) != 1 || f.Path[0].File != ".env.local" {
			t.Errorf("%s leads to %v", f.Rule, f.Path)
		}
	}
	all := strings.Join(log, "\n")
	if !strings.Contains(log[0], "executes code of the project") || !strings.Contains(log[0], "OPENAI_API_KEY, AUTH_SECRET, RESEND_API_KEY") {
		t.Errorf("not said loudly: %s", log[0])
	}
	if !strings.Contains(all, "token: 48") || len(h.summary.Notes) != 1 {
		t.Errorf("%s\n%v", all, h.summary.Notes)
	}
	k.silent(t, all+fmt.Sprintf("%+v", h.findings))

	write(t, filepath.Join(dir, "build.js"), "process.exit(3)")
	if h = scan(t, check.Options{Target: dir, Build: true, BuildEnv: []string{"PATH=" + os.Getenv("PATH")}}); h.summary.Complete {
		t.Error("a build that failed is taken for one")
	}
	empty := t.TempDir()
	if h = scan(t, check.Options{Target: empty, Build: true}); h.summary.Complete {
		t.Error("nothing was built, and yet complete")
	}
}
