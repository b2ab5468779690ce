// Package app is the only wiring: it turns flags and a configuration into a
// gateway with engines behind its seams, runs the servers, and stops them.
package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"claviger.dev/claviger"
	"claviger.dev/claviger/check"
)

// The exit codes of the contract.
const (
	exitOK      = 0
	exitRefused = 1
	exitBad     = 2
)

// Environment is what a command sees of the process it runs in. Nothing but the
// text of check is ever coloured, and that only on a terminal without NO_COLOR.
type Environment struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Vars are the environment variables as NAME=value.
	Vars []string
	// Dir is the working directory.
	Dir string
	// Opened, when set, is told the address of each listener by name ("public",
	// "admin") once it accepts connections.
	Opened func(name, addr string)
	// bounds, when set, are for tests that cannot wait for those of the
	// contract.
	bounds *bounds
	// watch, when set, is for tests that look at all that is granted.
	watch func(claviger.Admission) claviger.Admission
	// keys, when set, leads to the process that has the provider's keys.
	keys *keyLine
}

// OS is the environment of this process.
func OS() Environment {
	dir, err := os.Getwd()
	if err != nil {
		dir = "."
	}
	return Environment{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, Vars: os.Environ(), Dir: dir,
	}
}

// Lookup returns an environment variable. Of a variable that stands twice the
// last value counts, as it does for os/exec.
func (e Environment) Lookup(name string) (string, bool) {
	for _, kv := range slices.Backward(e.Vars) {
		if k, v, ok := strings.Cut(kv, "="); ok && k == name {
			return v, true
		}
	}
	return "", false
}

// cli is the command line.
type cli struct {
	Serve      serveCommand      `cmd:"" help:"Run the gateway."`
	Init       initCommand       `cmd:"" help:"Put the gateway into a Next.js app: configuration, action, route and page."`
	Dev        devCommand        `cmd:"" help:"Run the gateway in development, with the app's own dev command beside it."`
	Demo       demoCommand       `cmd:"" help:"Run gateway, simulated OpenAI and a demo page on loopback, with no set-up."`
	Check      checkCommand      `cmd:"" help:"Check a project, a build output or a deployed site for ways by which the key leaks."`
	Config     configCommand     `cmd:"" help:"Check, print or describe the configuration."`
	Secret     secretCommand     `cmd:"" help:"Make secrets."`
	Token      tokenCommand      `cmd:"" help:"Make tickets."`
	Types      typesCommand      `cmd:"" help:"Write the TypeScript types of the configured actions."`
	Doctor     doctorCommand     `cmd:"" help:"Say what is wrong with this installation, and what to do about it."`
	Explain    explainCommand    `cmd:"" help:"Say which rule decides about a request, and why."`
	Usage      usageCommand      `cmd:"" help:"Print what was used and what it cost."`
	Block      blockCommand      `cmd:"" help:"Keep somebody out from now on, or everybody."`
	Unblock    unblockCommand    `cmd:"" help:"Let somebody in again."`
	Blocks     blocksCommand     `cmd:"" help:"List who is kept out."`
	Records    recordsCommand    `cmd:"" help:"What is kept about a person: hand it over, or delete it."`
	Keys       keysCommand       `cmd:"" help:"The provider's keys: list, test, rotate and retire them, by fingerprint."`
	Version    versionCommand    `cmd:"" help:"Print the version."`
	ShowOnly   kong.VersionFlag  `name:"version" help:"Print the version."`
	Completion completionCommand `cmd:"" help:"Print a completion script for a shell."`
}

// configFlag is the flag that every command has.
type configFlag struct {
	Config string `help:"Configuration file (default: $$CLAVIGER_CONFIG, else claviger.yaml)." placeholder:"FILE" short:"c"`
}

// exitError ends a command with a code and a message that was already made
// readable.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// badUsage is an error that exits with 2.
func badUsage(err error) error { return &exitError{code: exitBad, err: err} }

type kongExit struct{ code int }

// Main runs one command and returns its exit code. It returns once ctx ends or
// the command is done. It never calls os.Exit.
func Main(ctx context.Context, args []string, env Environment) (code int) {
	defer func() {
		if cause := recover(); cause != nil {
			code = crashed(env, cause)
		}
	}()
	if len(args) == 1 && args[0] == check.WorkerArg {
		if check.ServeWorker(env.Stdin, env.Stdout) != nil {
			return exitBad
		}
		return exitOK
	}
	if len(args) > 0 && args[0] == gatewayArg {
		line, err := inheritKeyLine()
		if err != nil {
			return report(env, badUsage(err))
		}
		env.keys, args = line, args[1:]
	}
	parser, err := newParser(env)
	if err != nil {
		fmt.Fprintln(env.Stderr, "claviger:", err)
		return exitBad
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintf(env.Stderr, "claviger: %v\nTry 'claviger --help'.\n", err)
		return exitBad
	}
	parsed.BindTo(ctx, (*context.Context)(nil))
	if err := parsed.Run(env, parsed.Model); err != nil {
		return report(env, err)
	}
	return exitOK
}

func newParser(env Environment) (*kong.Kong, error) {
	return kong.New(&cli{},
		kong.Name("claviger"),
		kong.Vars{"version": "claviger " + version()},
		kong.Description("Keeps the OpenAI key on the server, and stands between browsers and OpenAI."),
		kong.Writers(env.Stdout, env.Stderr),
		kong.Exit(func(code int) { panic(kongExit{code}) }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.UsageOnError(),
		kong.Vars{"typesFile": defaultTypes},
	)
}

// Parse reports what is wrong with a command line, and runs nothing.
func Parse(args []string) (err error) {
	defer func() {
		// --help ends the parsing.
		if x, ok := recover().(kongExit); ok && x.code != exitOK {
			err = errors.New("not a command line of claviger")
		}
	}()
	parser, err := newParser(Environment{Stdout: io.Discard, Stderr: io.Discard})
	if err != nil {
		return err
	}
	_, err = parser.Parse(args)
	return err
}

// crashed ends a command that panicked. The value of a panic may hold a secret
// and is not shown; of the stack Go shows addresses alone.
func crashed(env Environment, cause any) int {
	if x, ok := cause.(kongExit); ok {
		return x.code
	}
	fmt.Fprintf(env.Stderr, "claviger: internal error (%T), which is a bug of claviger\n%s", cause, debug.Stack())
	return exitRefused
}

func report(env Environment, err error) int {
	code := exitRefused
	if x, ok := errors.AsType[quietExit](err); ok {
		return x.code
	}
	if x, ok := errors.AsType[*exitError](err); ok {
		code = x.code
	}
	fmt.Fprintf(env.Stderr, "claviger: %v\n", err)
	return code
}
