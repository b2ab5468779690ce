package app

import (
	"context"
	"crypto/rand"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"claviger.dev/claviger/check"
	"claviger.dev/claviger/internal/jsonx"
	"claviger.dev/claviger/keys"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == check.WorkerArg {
		os.Exit(Main(context.Background(), os.Args[1:], OS()))
	}
	testscript.Main(ending{m}, map[string]func(){
		"claviger": func() { os.Exit(Main(context.Background(), os.Args[1:], OS())) },
		nodeName:   func() { os.Exit(Main(context.Background(), os.Args[1:], nodeEnvironment())) },
	})
}

// ending stops what tests share.
type ending struct{ *testing.M }

// Run implements testscript.TestingM.
func (e ending) Run() int {
	defer stressDatabase.Stop()
	return e.M.Run()
}

// TestScripts runs the command as people do: arguments, files, environment and
// what is printed.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "../testdata/scripts", RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(e *testscript.Env) error {
			// Made anew for each run, so that no scanner takes one for real.
			for _, name := range []string{"SECRET", "OTHER"} {
				s, err := keys.Generate()
				if err != nil {
					return err
				}
				e.Setenv(name, s)
			}
			e.Setenv("KEY", canaryKey())
			e.Setenv("OTHER_KEY", canaryKey())
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"json": cmdJSON, "occupy": cmdOccupy, "atleast": cmdAtLeast, "subst": cmdSubst,
		},
	})
}

// canaryKey looks like a key of the provider and belongs to nobody.
func canaryKey() string { return "sk-proj-" + rand.Text() + "T3BlbkFJ" + rand.Text() }

// cmdJSON checks that a file, or stdout, is one JSON value.
func cmdJSON(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: json FILE")
	}
	if _, err := jsonx.Parse([]byte(ts.ReadFile(args[0]))); err != nil {
		ts.Fatalf("%s is no JSON: %v", args[0], err)
	}
}

// cmdOccupy listens on a free port until the script ends, and puts its address
// into a variable.
func cmdOccupy(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: occupy VARIABLE")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { _ = l.Close() })
	ts.Setenv(args[0], l.Addr().String())
}

// cmdAtLeast checks that a file, or stdout, is one line of at least N bytes.
func cmdAtLeast(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: atleast N FILE")
	}
	text, ended := strings.CutSuffix(ts.ReadFile(args[1]), "\n")
	least := map[string]int{"32": 32}[args[0]]
	if least == 0 || !ended || strings.ContainsAny(text, "\n ") || len(text) < least {
		ts.Fatalf("%s is not one line of at least %s bytes: it has %d", args[1], args[0], len(text))
	}
}

// cmdSubst puts the values of variables into a file, for files that must hold a
// secret made for this run.
func cmdSubst(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: subst FILE")
	}
	text := os.Expand(ts.ReadFile(args[0]), ts.Getenv)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}
