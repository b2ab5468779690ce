package claviger_test

import (
	"errors"
	"go/ast"
	"go/build"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// foreign imports the packages whose members differ between systems, and no
// others: to read them all takes minutes.
type foreign struct{ source types.Importer }

func (f foreign) Import(path string) (*types.Package, error) {
	if path == "syscall" {
		return f.source.Import(path)
	}
	return nil, errors.New("not read")
}

// TestOtherPlatforms: what the command consists of has every function on the
// other systems too, and asks the system for nothing that is not there.
func TestOtherPlatforms(t *testing.T) {
	for _, system := range []string{"windows", "darwin"} {
		t.Run(system, func(t *testing.T) {
			before := build.Default
			build.Default.GOOS, build.Default.CgoEnabled = system, false
			defer func() { build.Default = before }()
			cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", `{{if .Module}}{{if .Module.Main}}{{.Dir}}:{{join .GoFiles " "}}{{end}}{{end}}`, "./cmd/claviger")
			cmd.Env = append(os.Environ(), "GOOS="+system, "GOARCH=amd64", "CGO_ENABLED=0")
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("go list: %v", err)
			}
			fset := token.NewFileSet()
			imports := foreign{importer.ForCompiler(fset, "source", nil)}
			packages := 0
			for line := range strings.Lines(strings.TrimSpace(string(out))) {
				dir, names, _ := strings.Cut(strings.TrimSpace(line), ":")
				packages++
				for _, problem := range typed(t, fset, imports, dir, strings.Fields(names)) {
					t.Error(problem)
				}
			}
			if packages < 30 {
				t.Errorf("%d packages only: the test proves little", packages)
			}
		})
	}
}

var undefined = regexp.MustCompile(`undefined: (syscall\.\w+|\w+)$`)

// typed gives what is not defined in a package, itself or in syscall.
func typed(t *testing.T, fset *token.FileSet, imports types.Importer, dir string, names []string) (problems []error) {
	t.Helper()
	var files []*ast.File
	// The name of a package that is not read is some part of its path.
	unnamed := map[string]bool{}
	for _, n := range names {
		f, err := parser.ParseFile(fset, filepath.Join(dir, n), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
		for _, i := range f.Imports {
			of := strings.Trim(i.Path.Value, `"`)
			for _, part := range regexp.MustCompile(`\w+`).FindAllString(path.Base(path.Dir(of))+" "+path.Base(of), -1) {
				unnamed[part] = true
			}
		}
	}
	config := types.Config{Importer: imports, Error: func(err error) {
		if m := undefined.FindStringSubmatch(err.Error()); m != nil && !unnamed[m[1]] {
			problems = append(problems, err)
		}
	}}
	_, _ = config.Check(dir, fset, files, nil)
	return problems
}
