package keys

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const (
	commandTime = 10 * time.Second
	maxSecret   = 64 << 10 // bytes
)

var errQuote = errors.New("command: a quotation mark or backslash in it is not closed")

// splitCommand takes a command line apart at spaces. Single quotes keep all
// between them; in double quotes and outside a backslash keeps the next
// character. Nothing is expanded, since no shell is asked.
func splitCommand(s string) ([]string, error) {
	var c commandLine
	for i := 0; i < len(s); i++ {
		switch b := s[i]; {
		case b == 0 || b == '\n' || b == '\r':
			return nil, errPath
		case b == '\\' && c.quote != '\'':
			i++
			if i == len(s) {
				return nil, errQuote
			}
			c.add(s[i])
		case c.quote != 0 && b == c.quote:
			c.quote = 0
		case c.quote == 0 && (b == '\'' || b == '"'):
			c.quote, c.inside = b, true
		case c.quote == 0 && (b == ' ' || b == '\t'):
			c.end()
		default:
			c.add(b)
		}
	}
	if c.quote != 0 {
		return nil, errQuote
	}
	c.end()
	return c.argv, nil
}

type commandLine struct {
	argv   []string
	word   []byte
	quote  byte
	inside bool // within a word, which may be empty
}

func (c *commandLine) add(b byte) {
	c.word = append(c.word, b)
	c.inside = true
}

func (c *commandLine) end() {
	if c.inside {
		c.argv = append(c.argv, string(c.word))
	}
	c.word, c.inside = nil, false
}

// limited keeps the first bytes and notes whether there were more. The buffer
// is not embedded: its ReadFrom would take everything.
type limited struct {
	kept bytes.Buffer
	over bool
}

// Write implements io.Writer. It takes everything, so that the command is not
// stopped by a full pipe.
func (l *limited) Write(p []byte) (int, error) {
	n := len(p)
	if room := maxSecret - l.kept.Len(); n > room {
		l.over = true
		p = p[:room]
	}
	l.kept.Write(p)
	return n, nil
}

// run returns what a command writes to its standard output. What it writes to
// standard error is dropped, because it may hold the secret.
func run(ctx context.Context, line, dir string, limit time.Duration) ([]byte, error) {
	argv, err := splitCommand(line)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	program := argv[0]
	if strings.HasPrefix(program, "./") || strings.HasPrefix(program, "../") {
		program = filepath.Join(dir, program)
	}
	cmd := exec.CommandContext(ctx, program, argv[1:]...) //nolint:gosec // the operator's own configuration names the program
	var out limited
	cmd.Dir, cmd.Stdout, cmd.WaitDelay = dir, &out, time.Second
	err = cmd.Run()
	switch {
	case ctx.Err() != nil:
		return nil, fmt.Errorf("it did not end in time: %w", ctx.Err())
	case err != nil:
		return nil, commandError(err)
	case out.over:
		return nil, errTooLarge
	}
	return out.kept.Bytes(), nil
}

// commandError says how a command failed without its output and its arguments.
func commandError(err error) error {
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return fmt.Errorf("it ended with %s", exit.ProcessState)
	}
	if errors.Is(err, exec.ErrNotFound) {
		return errors.New("there is no such program")
	}
	return errors.New("it could not be started")
}
