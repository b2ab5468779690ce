// Package build runs a project's own build with invented values in its secret
// variables, so that one can see where they come out.
package build

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"claviger.dev/claviger/internal/check/files"
	"claviger.dev/claviger/internal/check/report"
	"claviger.dev/claviger/internal/detect"
	"claviger.dev/claviger/internal/jsonx"
)

// limit is how long a build may take.
const limit = 20 * time.Minute

// Planted is an invented value and the variable that has it.
type Planted struct {
	Name, Value string
	// At is where the variable is set or read.
	At report.Position
}

// Plan is a build that could be run.
type Plan struct {
	// Command is the program with its arguments.
	Command []string
	Planted []Planted
	dir     string
}

var readName = regexp.MustCompile(`\b(?:process\.env|import\.meta\.env|Bun\.env)(?:\.|\[["'])([A-Z][A-Z0-9_]+)`)

// Prepare finds out how a project is built, and invents values for what its
// .env files and its code call secrets. Addresses with a password are left as
// they are, because builds may have to reach them.
func Prepare(t *files.Tree, vars []report.Variable) (*Plan, error) {
	text, err := t.ReadFile("package.json")
	if err != nil {
		return nil, errors.New("there is no package.json that says how to build")
	}
	v, err := jsonx.Parse([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("package.json cannot be read: %w", err)
	}
	scripts, _ := v.Get("scripts")
	if s, ok := scripts.Get("build"); !ok || s.Kind() != jsonx.KindString {
		return nil, errors.New("package.json has no script named build")
	}
	p := &Plan{Command: []string{manager(t), "run", "build"}, dir: t.Root}
	for _, v := range vars {
		if v.Secret || detect.WeighName(v.Name) != detect.WeightNone {
			p.plant(v.Name, v.At)
		}
	}
	for _, f := range t.Files {
		if f.Kind != report.FileSource || f.Test || !script(f.Path) {
			continue
		}
		text, err := t.ReadFile(f.Path)
		if err != nil {
			continue
		}
		for _, m := range readName.FindAllStringSubmatchIndex(text, -1) {
			if name := text[m[2]:m[3]]; detect.WeighName(name) != detect.WeightNone {
				p.plant(name, report.PositionAt(f.Path, text, m[0]))
			}
		}
	}
	return p, nil
}

func script(p string) bool {
	return slices.Contains([]string{".js", ".jsx", ".ts", ".tsx", ".mjs", ".cjs", ".mts", ".cts"}, path.Ext(p))
}

// manager is the package manager whose lock file is there and which is installed.
func manager(t *files.Tree) string {
	for _, m := range [][2]string{{"pnpm-lock.yaml", "pnpm"}, {"yarn.lock", "yarn"}, {"bun.lock", "bun"}, {"bun.lockb", "bun"}} {
		if t.Has(m[0]) {
			if _, err := exec.LookPath(m[1]); err == nil {
				return m[1]
			}
		}
	}
	return "npm"
}

func (p *Plan) plant(name string, at report.Position) {
	upper := strings.ToUpper(name)
	if strings.HasSuffix(upper, "_URL") || strings.HasSuffix(upper, "_URI") || slices.ContainsFunc(p.Planted, func(x Planted) bool { return x.Name == name }) {
		return
	}
	p.Planted = append(p.Planted, Planted{name, invent(upper), at})
}

// invent makes a value that no other text holds, in the shape that checks of a
// build may ask for.
func invent(name string) string {
	noise := func(n int) string {
		s := ""
		for len(s) < n {
			s += strings.ToLower(rand.Text())
		}
		return s[:n]
	}
	switch {
	case strings.Contains(name, "OPENAI"):
		return "sk-proj-" + noise(74) + "T3BlbkFJ" + noise(74)
	case strings.Contains(name, "ANTHROPIC"):
		return "sk-ant-api03-" + noise(95)
	case strings.Contains(name, "STRIPE"):
		return "sk_live_" + noise(48)
	}
	return noise(48)
}

// Run runs the build. env is its environment without the invented values; log is
// told each line that it prints.
func (p *Plan) Run(ctx context.Context, env []string, log func(string)) error {
	bin, err := exec.LookPath(p.Command[0])
	if err != nil {
		return fmt.Errorf("%s is not installed", p.Command[0])
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, bin, p.Command[1:]...) //nolint:gosec // one of four package managers, with fixed arguments
	cmd.Dir = filepath.Clean(p.dir)
	cmd.WaitDelay = 5 * time.Second
	cmd.Env = slices.Clone(env)
	for _, x := range p.Planted {
		cmd.Env = append(cmd.Env, x.Name+"="+x.Value)
	}
	cmd.Env = append(cmd.Env, "NEXT_TELEMETRY_DISABLED=1", "CI=1")
	ownGroup(cmd)
	r, w := io.Pipe()
	cmd.Stdout, cmd.Stderr = w, w
	done := make(chan struct{})
	go func() {
		defer close(done)
		lines(r, log)
	}()
	err = cmd.Run()
	_ = w.Close()
	<-done
	if ctx.Err() != nil {
		return errors.New("the build did not end in time")
	}
	return err
}

// lines hands over what is printed, line by line, each cut at 4 KiB.
func lines(r io.Reader, log func(string)) {
	b := bufio.NewReaderSize(r, 4<<10)
	for {
		line, err := b.ReadSlice('\n')
		if text := strings.TrimRight(string(line), "\r\n "); text != "" {
			log(text)
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}
