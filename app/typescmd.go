package app

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/rogpeppe/go-internal/diff"

	"claviger.dev/claviger/action"
	"claviger.dev/claviger/config"
	"claviger.dev/claviger/internal/typescript"
)

const defaultTypes = "claviger-types.d.ts"

type typesCommand struct {
	configFlag
	Out   string `help:"Where the types go, - for stdout (default: ${typesFile} beside the configuration)." placeholder:"FILE" short:"o"`
	Check bool   `help:"Write nothing; fail where the file is not what would be written, and show the difference."`
}

// Run writes the types of the configured actions. It reads no secret.
func (c typesCommand) Run(env Environment) error {
	src := locate(env, c.Config)
	cfg, err := src.load(env)
	if err != nil {
		// Types are the same in development, which takes what production refuses.
		src.development = true
		if cfg, _ = src.load(env); cfg == nil {
			return err
		}
	}
	text := typescript.Declarations(filepath.Base(src.path), typedActions(cfg))
	path := filepath.Join(filepath.Dir(src.path), defaultTypes)
	switch {
	case c.Out == "-" && c.Check:
		return badUsage(errors.New("--check compares with a file; --out - has none"))
	case c.Out == "-":
		_, err := env.Stdout.Write(text)
		return err
	case c.Out != "":
		path = env.path(c.Out)
	}
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return badUsage(err)
	}
	shown := env.shown(path)
	switch {
	case err == nil && bytes.Equal(old, text):
		fmt.Fprintf(env.Stderr, "%s is up to date.\n", shown)
		return nil
	case c.Check:
		if _, err := env.Stdout.Write(diff.Diff(shown, old, shown+" (as the actions are)", text)); err != nil {
			return err
		}
		return badUsage(fmt.Errorf("%s is not what the actions are; run 'claviger types' and commit it", shown))
	}
	if err := replaceFile(path, text); err != nil {
		return badUsage(fmt.Errorf("the types cannot be written: %w", err))
	}
	what := fmt.Sprintf("%d actions", len(cfg.Actions))
	if len(cfg.Actions) == 1 {
		what = "1 action"
	}
	fmt.Fprintf(env.Stderr, "Wrote the types of %s to %s.\n", what, shown)
	return nil
}

// typedActions are the actions with what compiling them closed.
func typedActions(cfg *config.Config) []typescript.Action {
	var out []typescript.Action
	for i := range cfg.Actions {
		made, err := action.New(cfg.Actions[i].Definition())
		if err != nil {
			continue // not reached: loading compiles each
		}
		out = append(out, typescript.Action{
			Name: made.Name(), Chat: made.Kind() == action.KindChat, Input: made.Input(), Output: made.Output(),
			Usage: cfg.Actions[i].ShowUsage,
		})
	}
	return out
}

// path is a path of the command line.
func (e Environment) path(p string) string {
	if filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(e.Dir, p)
}

// shown is a path as people in the working directory would write it.
func (e Environment) shown(path string) string {
	if rel, err := filepath.Rel(e.Dir, path); err == nil && filepath.IsLocal(rel) {
		return filepath.ToSlash(rel)
	}
	return path
}

// replaceFile writes a file that is whole at every moment. A link stays one,
// and a file keeps its mode.
func replaceFile(path string, text []byte) error {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	mode := fs.FileMode(0o644)
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
	}
	next, err := writeBeside(path, text, mode)
	if err != nil {
		return err
	}
	if err := os.Rename(next, path); err != nil {
		return errors.Join(err, os.Remove(next))
	}
	return nil
}

// writeBeside writes a file under another name in the same folder, which a
// rename can put in its place.
func writeBeside(path string, text []byte, mode fs.FileMode) (string, error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".claviger-new-*")
	if err != nil {
		return "", err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}
